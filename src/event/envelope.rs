//! What an event comes wrapped in: that of an event bus, an SQS batch, or nothing.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Unsupported;
use super::manual;
use super::wire::{self, Lenient, Object, Text, kind, name};

/// The only `source` whose events are taken. Nobody but AWS can send events
/// with a source that begins with `aws.`
/// ([PutEvents](https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html)).
const SOURCE: &str = "aws.securityhub";

/// The events of Security Hub that carry findings
/// ([CSPM](https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html),
/// [V2](https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-cwe-event-formats.html)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DetailType {
    /// `Security Hub Findings - Imported`: one finding in ASFF, new or changed.
    Imported,
    /// `Findings Imported V2`: one finding in OCSF, new or changed.
    ImportedV2,
    /// `Security Hub Findings - Custom Action`: up to 20 findings that a person
    /// selected.
    CustomAction,
}

/// The names of these events, and of the one that carries no findings.
const IMPORTED: &str = "Security Hub Findings - Imported";
const IMPORTED_V2: &str = "Findings Imported V2";
const CUSTOM_ACTION: &str = "Security Hub Findings - Custom Action";
const INSIGHT_RESULTS: &str = "Security Hub Insight Results";

/// An event out of its wrapping.
#[derive(Debug)]
pub(super) enum Envelope<'a> {
    /// Findings that Security Hub sent.
    Findings {
        detail_type: DetailType,
        /// The event's `id`, if it is a text and not empty.
        event_id: Option<&'a str>,
        findings: &'a [Value],
    },
    /// Messages of an SQS queue.
    Messages(Vec<Message>),
    /// An object of none of AWS's forms.
    Bare(&'a Map<String, Value>),
}

/// One message of a queue.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: Option<String>,
    /// Of a message without one nothing more can be said to SQS.
    pub(super) receipt: Option<Receipt>,
}

/// What SQS knows a delivery of a message by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// `receiptHandle`.
    pub(crate) handle: String,
    /// `ApproximateReceiveCount`: how often the message was delivered, this time
    /// included. 1 where it is not said.
    pub(crate) count: u32,
}

/// Tells what an event is by what only its kind has: `Records`, or `source` and
/// `detail-type`. Of the rest of an envelope only `id` is looked at; an event
/// without one or with a strange `time` is as good as any.
pub(super) fn open(event: &Value) -> Result<Envelope<'_>, Unsupported> {
    let Value::Object(fields) = event else { return Err(Unsupported::new(expected(), kind(event))) };
    if fields.contains_key("Records") {
        return messages(event).map(Envelope::Messages);
    }
    if fields.contains_key("detail-type") || fields.contains_key("source") {
        return security_hub(event);
    }
    Ok(Envelope::Bare(fields))
}

fn expected() -> String {
    format!(
        "an event `{IMPORTED}`, `{IMPORTED_V2}` or `{CUSTOM_ACTION}` from `{SOURCE}`, an SQS batch, or an object \
         whose `action` is {}",
        manual::ACTIONS
    )
}

/// The objection to a [`Envelope::Bare`] that nobody can use.
pub(super) fn unknown(fields: &Map<String, Value>) -> Unsupported {
    let names: Vec<_> = fields.keys().take(5).map(|field| name(field)).collect();
    let found = match (names.is_empty(), fields.len() > names.len()) {
        (true, _) => "an empty object".to_owned(),
        (false, false) => format!("an object with {}", names.join(", ")),
        (false, true) => format!("an object with {} and more", names.join(", ")),
    };
    Unsupported::new(expected(), found)
}

fn security_hub(event: &Value) -> Result<Envelope<'_>, Unsupported> {
    let text = |field: &str| event.get(field).and_then(Value::as_str);
    let (source, name) = (text("source"), text("detail-type"));
    let detail_type = match name {
        _ if source != Some(SOURCE) => None,
        Some(IMPORTED) => Some(DetailType::Imported),
        Some(IMPORTED_V2) => Some(DetailType::ImportedV2),
        Some(CUSTOM_ACTION) => Some(DetailType::CustomAction),
        _ => None,
    };
    let Some(detail_type) = detail_type else {
        let known = [IMPORTED, IMPORTED_V2, CUSTOM_ACTION, INSIGHT_RESULTS];
        let name =
            name.filter(|name| known.contains(name)).map_or("another event".to_owned(), |name| format!("`{name}`"));
        let source = if source == Some(SOURCE) { format!("`{SOURCE}`") } else { "another source".to_owned() };
        return Err(Unsupported::new(expected(), format!("{name} from {source}")));
    };
    let event_id = text("id").filter(|id| !id.is_empty());
    match event.pointer("/detail/findings") {
        Some(Value::Array(findings)) => Ok(Envelope::Findings { detail_type, event_id, findings }),
        Some(other) => Err(Unsupported::new("a list in `detail.findings`", kind(other))),
        None => Err(Unsupported::new("a list in `detail.findings`", "nothing")),
    }
}

/// What is needed of a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Batch {
    records: Option<Vec<Object<Record>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Record {
    message_id: Text,
    event_source: Text,
    /// Anything but a text fails this message alone.
    body: Lenient<Text>,
    receipt_handle: Lenient<Text>,
    attributes: Lenient<Object<Attributes>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: Lenient<Text>,
}

/// A batch of which some record is not a message of SQS is not answered at all:
/// the answer could not name that record.
fn messages(event: &Value) -> Result<Vec<Message>, Unsupported> {
    const EXPECTED: &str = "`Records` of SQS messages (`eventSource` `aws:sqs`), each with a `messageId`";
    let unsupported = |found: &str| Unsupported::new(EXPECTED, found);
    let batch: Batch = wire::read(event).map_err(|_| unsupported("records of another form"))?;
    let records = batch.records.unwrap_or_default();
    if records.is_empty() {
        return Err(unsupported("none"));
    }
    let message = |record: Object<Record>| {
        let Record { message_id, event_source, body, receipt_handle, attributes } = record.0;
        let count = attributes.0.0.approximate_receive_count.0.0.and_then(|count| count.parse().ok()).unwrap_or(1);
        let receipt = receipt_handle.0.0.map(|handle| Receipt { handle, count });
        match (event_source.as_deref(), message_id.0) {
            (Some("aws:sqs"), Some(id)) => Ok(Message { id, body: body.0.0, receipt }),
            (Some("aws:sqs"), None) => Err(unsupported("one without `messageId`")),
            (Some(_), _) => Err(unsupported("one from another source")),
            (None, _) => Err(unsupported("one without `eventSource`")),
        }
    };
    records.into_iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn security_hub_event(detail_type: &str) -> Value {
        json!({ "source": "aws.securityhub", "detail-type": detail_type, "detail": { "findings": [{}, 1] } })
    }

    fn problem(event: &Value) -> String {
        open(event).unwrap_err().to_string()
    }

    #[test]
    fn the_three_events_with_findings_are_told_apart() {
        for (name, expected) in [
            ("Security Hub Findings - Imported", DetailType::Imported),
            ("Findings Imported V2", DetailType::ImportedV2),
            ("Security Hub Findings - Custom Action", DetailType::CustomAction),
        ] {
            let event = security_hub_event(name);
            let Ok(Envelope::Findings { detail_type, findings, .. }) = open(&event) else { panic!("{name}") };
            assert_eq!((detail_type, findings.len()), (expected, 2));
        }
    }

    #[test]
    fn the_rest_of_an_envelope_does_not_matter() {
        let mut event = security_hub_event(IMPORTED_V2);
        event["time"] = json!("yesterday");
        event["account"] = json!(null);
        event["resources"] = json!("none");
        assert!(matches!(open(&event), Ok(Envelope::Findings { .. })));
    }

    #[test]
    fn the_id_is_taken_as_it_stands_if_it_is_a_text_and_not_empty() {
        let long = "x".repeat(500);
        for (id, expected) in [
            (json!("55b03236-7c4e"), Some("55b03236-7c4e")),
            (json!(" "), Some(" ")),
            (json!(long), Some(&*long)),
            (json!(""), None),
            (json!(7), None),
            (json!(null), None),
            (json!(["x"]), None),
        ] {
            let mut event = security_hub_event(CUSTOM_ACTION);
            event["id"] = id;
            let Ok(Envelope::Findings { event_id, .. }) = open(&event) else { panic!() };
            assert_eq!(event_id, expected);
        }
    }

    #[test]
    fn any_other_event_is_refused_and_its_name_told_if_it_is_security_hubs() {
        let hub = |name: &str| json!({ "source": SOURCE, "detail-type": name, "detail": { "findings": [] } });
        for (event, found) in [
            (hub(INSIGHT_RESULTS), "`Security Hub Insight Results` from `aws.securityhub`"),
            (hub("Security Hub Findings"), "another event from `aws.securityhub`"),
            (hub("security hub findings - imported"), "another event from `aws.securityhub`"),
            (hub("Security Hub Findings - Imported "), "another event from `aws.securityhub`"),
            (hub(""), "another event from `aws.securityhub`"),
            (hub("hunter2"), "another event from `aws.securityhub`"),
            (json!({ "source": "aws.config" }), "another event from another source"),
            (
                json!({ "source": "my.app", "detail-type": "Findings Imported V2", "detail": { "findings": [] } }),
                "`Findings Imported V2` from another source",
            ),
            (json!({ "source": 1, "detail-type": [] }), "another event from another source"),
            (json!("hunter2"), "a string"),
            (json!(null), "null"),
            (json!([{}]), "a list"),
        ] {
            assert_eq!(problem(&event), format!("expected {}, found {found}", expected()), "{event}");
        }
    }

    #[test]
    fn findings_must_be_a_list() {
        let mut event = security_hub_event("Findings Imported V2");
        for (detail, found) in [(json!({ "findings": {} }), "an object"), (json!({}), "nothing"), (json!(1), "nothing")]
        {
            event["detail"] = detail;
            assert_eq!(problem(&event), format!("expected a list in `detail.findings`, found {found}"));
        }
    }

    #[test]
    fn a_batch_gives_ids_and_bodies() {
        let event = json!({ "Records": [
            { "messageId": "1", "eventSource": "aws:sqs", "body": "{}", "attributes": { "SentTimestamp": "1" } },
            { "messageId": "2", "eventSource": "aws:sqs", "attributes": null },
            { "messageId": "3", "eventSource": "aws:sqs", "attributes": 7, "body": { "action": "sweep" } },
        ] });
        let Ok(Envelope::Messages(messages)) = open(&event) else { panic!() };
        let messages: Vec<_> = messages.iter().map(|message| (&*message.id, message.body.as_deref())).collect();
        assert_eq!(messages, [("1", Some("{}")), ("2", None), ("3", None)]);
    }

    #[test]
    fn a_receipt_has_a_handle_and_how_often_the_message_came() {
        let receipt = |handle: &str, count| Some(Receipt { handle: handle.to_owned(), count });
        for (fields, expected) in [
            (json!({ "receiptHandle": "a", "attributes": { "ApproximateReceiveCount": "3" } }), receipt("a", 3)),
            (json!({ "receiptHandle": "a" }), receipt("a", 1)),
            (json!({ "receiptHandle": "a", "attributes": { "ApproximateReceiveCount": "-1" } }), receipt("a", 1)),
            (json!({ "receiptHandle": "a", "attributes": { "ApproximateReceiveCount": 3 } }), receipt("a", 1)),
            (json!({ "receiptHandle": "a", "attributes": "none" }), receipt("a", 1)),
            (json!({ "receiptHandle": 7, "attributes": { "ApproximateReceiveCount": "3" } }), None),
            (json!({}), None),
        ] {
            let mut record = fields;
            record["messageId"] = json!("1");
            record["eventSource"] = json!("aws:sqs");
            let event = json!({ "Records": [record] });
            let Ok(Envelope::Messages(messages)) = open(&event) else { panic!() };
            assert_eq!(messages[0].receipt, expected, "{event}");
        }
    }

    #[test]
    fn records_of_anything_else_are_refused() {
        for (records, found) in [
            (json!([]), "none"),
            (json!(null), "none"),
            (json!("hunter2"), "records of another form"),
            (json!([1]), "records of another form"),
            (json!([["1", "aws:sqs", "{}"]]), "records of another form"),
            (json!([{ "messageId": 1, "eventSource": "aws:sqs" }]), "records of another form"),
            (json!([{ "eventSource": "aws:s3", "messageId": "1" }]), "one from another source"),
            (json!([{ "EventSource": "aws:sns", "Sns": {} }]), "one without `eventSource`"),
            (json!([{ "eventSource": "aws:sqs", "body": "{}" }]), "one without `messageId`"),
            (
                json!([{ "eventSource": "aws:sqs", "messageId": "1" }, { "eventSource": "aws:kinesis" }]),
                "one from another source",
            ),
        ] {
            let told = problem(&json!({ "Records": records }));
            assert!(told.ends_with(&format!(", found {found}")), "{told}");
        }
    }

    #[test]
    fn a_bare_object_is_told_by_a_few_of_its_fields() {
        let found = |object: Value| {
            let told = unknown(object.as_object().unwrap()).to_string();
            told.split_once(", found ").unwrap().1.to_owned()
        };
        assert_eq!(found(json!({})), "an empty object");
        assert_eq!(found(json!({ "user": "hunter2", "b": 1 })), "an object with `b`, `user`");
        let many = found(json!({ "a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1 }));
        assert_eq!(many, "an object with `a`, `b`, `c`, `d`, `e` and more");
    }
}
