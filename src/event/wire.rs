//! Reading JSON that others wrote, by types that say which fields are needed.
//!
//! An absent field, `null` and blank text all mean "not said". A field that no
//! type names is not looked at, so it cannot make a finding unreadable. What is
//! wrong is told by the field's path and what sort of JSON stands there. The
//! value itself is never repeated: nobody knows what it is.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// The most characters of a field's name that a message repeats.
const NAME_CHARS: usize = 80;

/// A field that is not of the form it must have. The text names the field and
/// what is wrong with it, never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misshapen(pub(super) String);

impl Misshapen {
    /// The field is needed and not there.
    pub(super) fn missing(path: &str) -> Self {
        Self(format!("{path} is missing"))
    }

    /// What stands at `path` has not the form that it must have. The text of
    /// serde's own error would repeat the value.
    fn at(path: &Path, whole: &Value) -> Self {
        let found = path.iter().try_fold(whole, |here, step| match step {
            Segment::Map { key } => here.get(key),
            Segment::Seq { index } => here.get(index),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        let place = if path.iter().len() == 0 { "it".to_owned() } else { path.to_string() };
        Self(format!("{place} must not be {}", found.map_or("of this form", kind)))
    }
}

/// Reads an object as `T`.
pub(super) fn read<T: DeserializeOwned + Default>(value: &Value) -> Result<T, Misshapen> {
    let read: Result<Object<T>, _> = serde_path_to_error::deserialize(value);
    read.map(|object| object.0).map_err(|error| Misshapen::at(error.path(), value))
}

/// The first text among these places, which are JSON pointers.
pub(super) fn first_text<'a>(value: &'a Value, places: &[&str]) -> Option<&'a str> {
    let text = |place: &&str| value.pointer(place)?.as_str();
    places.iter().filter_map(text).find(|text| !text.trim().is_empty())
}

/// A text that is not blank, if there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) Option<String>);

impl Text {
    pub(super) fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The text of a field that must be there.
    pub(super) fn needed(self, path: &str) -> Result<String, Misshapen> {
        self.0.ok_or_else(|| Misshapen::missing(path))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(Self(text.filter(|text| !text.trim().is_empty())))
    }
}

/// An object. A derived type alone would also take a list, item by item.
#[derive(Debug, Clone, Default)]
pub(super) struct Object<T>(pub(super) T);

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Object::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }

        deserializer.deserialize_any(Fields(PhantomData))
    }
}

/// Something that is of use if it can be read, and counts as not said if not.
#[derive(Debug, Clone, Default)]
pub(super) struct Lenient<T>(pub(super) T);

impl<T> Deref for Lenient<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: DeserializeOwned + Default> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(T::deserialize(value).unwrap_or_default()))
    }
}

/// What sort of JSON a value is, in words for a message.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The name of a field, fit for a message or a log line: in backquotes, cut
/// short, without line breaks or other control characters.
pub(super) fn name(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(NAME_CHARS)
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect();
    if text.chars().nth(NAME_CHARS).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// A text, if it is one of the `documented` ones. Any other is told apart and
/// not repeated.
pub(super) fn documented(text: Option<&str>, documented: &[&str]) -> String {
    match text {
        None => "not said".to_owned(),
        Some(text) if documented.contains(&text) => format!("`{text}`"),
        Some(_) => "none of the documented ones".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Outer {
        a: Object<Inner>,
        n: Option<i64>,
        list: Option<Vec<Lenient<Object<Inner>>>>,
    }

    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(default)]
    struct Inner {
        #[serde(rename = "aws/b")]
        b: Text,
    }

    fn text(value: &Value) -> Option<String> {
        read::<Outer>(value).unwrap().a.b.0.clone()
    }

    fn problem(value: &Value) -> String {
        read::<Outer>(value).unwrap_err().0
    }

    #[test]
    fn absent_null_and_blank_are_all_not_said() {
        for value in [
            json!(null),
            json!({}),
            json!({ "a": null }),
            json!({ "a": { "aws/b": null } }),
            json!({ "a": { "aws/b": " " } }),
            json!({ "n": null, "list": null }),
        ] {
            assert_eq!(text(&value), None, "{value}");
        }
        assert_eq!(text(&json!({ "a": { "aws/b": "x", "c": [] }, "d": 1 })), Some("x".to_owned()));
    }

    #[test]
    fn a_wrong_form_is_told_by_its_place_and_kind_only() {
        for (value, told) in [
            (json!({ "a": "hunter2" }), "a must not be a string"),
            (json!({ "a": ["hunter2"] }), "a must not be a list"),
            (json!({ "a": { "aws/b": 7 } }), "a.aws/b must not be a number"),
            (json!({ "a": { "aws/b": { "hunter2": 1 } } }), "a.aws/b must not be an object"),
            (json!({ "n": 1.5 }), "n must not be a number with a fraction"),
            (json!({ "n": "hunter2" }), "n must not be a string"),
            (json!({ "list": {} }), "list must not be an object"),
            (json!(["hunter2"]), "it must not be a list"),
            (json!("hunter2"), "it must not be a string"),
        ] {
            assert_eq!(problem(&value), told, "{value}");
        }
    }

    #[test]
    fn what_is_lenient_may_be_anything() {
        let value = json!({ "list": [null, 1, ["x"], { "aws/b": 1 }, { "aws/b": "x" }] });
        let list = read::<Outer>(&value).unwrap().list.unwrap();
        let texts: Vec<_> = list.iter().map(|item| item.b.as_deref()).collect();
        assert_eq!(texts, [None, None, None, None, Some("x")]);
    }

    #[test]
    fn the_first_text_is_found_and_blank_ones_are_passed_over() {
        let value = json!({ "a": " ", "b": { "c/d": "x" }, "e": 1 });
        assert_eq!(first_text(&value, &["/a", "/e", "/f", "/b/c~1d"]), Some("x"));
        assert_eq!(first_text(&value, &["/a"]), None);
    }

    #[test]
    fn a_name_is_short_and_stays_on_one_line() {
        assert_eq!(name("a\nb\u{1b}[0m"), "`a\u{fffd}b\u{fffd}[0m`");
        assert_eq!(name(&"é".repeat(80)), format!("`{}`", "é".repeat(80)));
        assert_eq!(name(&"é".repeat(81)), format!("`{}…`", "é".repeat(80)));
    }

    #[test]
    fn only_documented_texts_are_repeated() {
        assert_eq!(documented(Some("PASSED"), &["FAILED", "PASSED"]), "`PASSED`");
        assert_eq!(documented(Some("hunter2"), &["FAILED", "PASSED"]), "none of the documented ones");
        assert_eq!(documented(None, &["FAILED"]), "not said");
    }
}
