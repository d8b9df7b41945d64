//! Reading JSON that others wrote: takes what is needed, by path, and says of
//! the rest where it is wrong without repeating it.
//!
//! An absent field, `null` and blank text all count as "not said". Whatever is
//! not asked for is not looked at: unknown fields cannot make a finding
//! unreadable.

use serde_json::Value;

/// The most characters of a foreign text that any message of this stage repeats.
const EXCERPT_CHARS: usize = 80;

/// A field that is not of the form it must have. The text names the field and
/// what is wrong with it, never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misshapen(pub(super) String);

impl Misshapen {
    fn new(path: &str, problem: &str) -> Self {
        Self(format!("{path} {problem}"))
    }

    /// The field is needed and not there.
    pub(super) fn missing(path: &str) -> Self {
        Self::new(path, "is missing")
    }
}

/// The value at `path`, whose steps are separated by dots. Nothing is an
/// answer; a step that leads through something other than an object is not.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Result<Option<&'a Value>, Misshapen> {
    let mut here = value;
    let mut walked = 0;
    for step in path.split('.') {
        let Value::Object(fields) = here else {
            let parent = if walked == 0 { "it" } else { &path[..walked - 1] };
            return Err(Misshapen::new(parent, &format!("is {}, not an object", kind(here))));
        };
        match fields.get(step) {
            None | Some(Value::Null) => return Ok(None),
            Some(next) => here = next,
        }
        walked += step.len() + 1;
    }
    Ok(Some(here))
}

/// The text at `path`.
pub(super) fn text<'a>(value: &'a Value, path: &str) -> Result<Option<&'a str>, Misshapen> {
    match at(value, path)? {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.trim().is_empty())),
        Some(other) => Err(Misshapen::new(path, &format!("is {}, not a string", kind(other)))),
    }
}

/// The whole number at `path`.
pub(super) fn integer(value: &Value, path: &str) -> Result<Option<i64>, Misshapen> {
    match at(value, path)? {
        None => Ok(None),
        Some(found) => match found.as_i64() {
            Some(number) => Ok(Some(number)),
            None => Err(Misshapen::new(path, &format!("is {}, not a whole number", kind(found)))),
        },
    }
}

/// The list at `path`; no list reads as an empty one.
pub(super) fn list<'a>(value: &'a Value, path: &str) -> Result<&'a [Value], Misshapen> {
    match at(value, path)? {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(Misshapen::new(path, &format!("is {}, not a list", kind(other)))),
    }
}

/// What sort of JSON a value is, in words for a message.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A foreign text, fit for a message or a log line: in backquotes, cut short,
/// without line breaks or other control characters.
pub(super) fn excerpt(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(EXCERPT_CHARS)
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect();
    if text.chars().nth(EXCERPT_CHARS).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn absent_null_and_blank_are_all_not_said() {
        for value in [json!({}), json!({ "a": null }), json!({ "a": { "b": null } }), json!({ "a": { "b": " " } })] {
            assert_eq!(text(&value, "a.b"), Ok(None), "{value}");
        }
        assert_eq!(list(&json!({}), "a"), Ok(&[][..]));
        assert_eq!(integer(&json!({ "a": null }), "a"), Ok(None));
    }

    #[test]
    fn a_key_with_slashes_is_one_step() {
        let value = json!({ "ProductFields": { "aws/config/ConfigRuleName": "rule" } });
        assert_eq!(text(&value, "ProductFields.aws/config/ConfigRuleName"), Ok(Some("rule")));
    }

    #[test]
    fn a_wrong_form_is_told_by_its_place_and_kind_only() {
        let told = |problem: Misshapen| problem.0;
        let value = json!({ "a": { "b": "hunter2" }, "n": 1.5 });
        assert_eq!(told(text(&value, "a").unwrap_err()), "a is an object, not a string");
        assert_eq!(told(text(&value, "a.b.c").unwrap_err()), "a.b is a string, not an object");
        assert_eq!(told(integer(&value, "n").unwrap_err()), "n is a number, not a whole number");
        assert_eq!(told(list(&value, "a").unwrap_err()), "a is an object, not a list");
        assert_eq!(told(text(&json!(["hunter2"]), "a").unwrap_err()), "it is a list, not an object");
    }

    #[test]
    fn an_excerpt_is_short_and_stays_on_one_line() {
        assert_eq!(excerpt("a\nb\u{1b}[0m"), "`a\u{fffd}b\u{fffd}[0m`");
        assert_eq!(excerpt(&"é".repeat(80)), format!("`{}`", "é".repeat(80)));
        assert_eq!(excerpt(&"é".repeat(81)), format!("`{}…`", "é".repeat(80)));
    }
}
