//! What an event comes wrapped in: that of an event bus, an SQS batch, or nothing.

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Unsupported;
use super::wire::{excerpt, kind, list};

/// The only `source` whose events are taken. Nobody but AWS can send events
/// with a source that begins with `aws.`
/// ([PutEvents](https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html)).
const SOURCE: &str = "aws.securityhub";

const EXPECTED: &str = "an event `Security Hub Findings - Imported`, `Findings Imported V2` or \
    `Security Hub Findings - Custom Action` from `aws.securityhub`, an SQS batch, or an object \
    whose `action` is `reset` or `sweep`";

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

/// An event out of its wrapping.
#[derive(Debug)]
pub(super) enum Envelope<'a> {
    /// Findings that Security Hub sent.
    Findings(DetailType, &'a [Value]),
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
}

/// Tells what an event is by what only its kind has: `Records`, or `source` and
/// `detail-type`. Nothing else of an envelope is looked at; an event without an
/// `id` or with a strange `time` is as good as any.
pub(super) fn open(event: &Value) -> Result<Envelope<'_>, Unsupported> {
    let Value::Object(fields) = event else { return Err(Unsupported::new(EXPECTED, kind(event))) };
    if fields.contains_key("Records") {
        return messages(event).map(Envelope::Messages);
    }
    if fields.contains_key("detail-type") || fields.contains_key("source") {
        return security_hub(event);
    }
    Ok(Envelope::Bare(fields))
}

/// The objection to a [`Envelope::Bare`] that nobody can use.
pub(super) fn unknown(fields: &Map<String, Value>) -> Unsupported {
    let names: Vec<_> = fields.keys().take(5).map(|name| excerpt(name)).collect();
    let found = match (names.is_empty(), fields.len() > names.len()) {
        (true, _) => "an empty object".to_owned(),
        (false, false) => format!("an object with {}", names.join(", ")),
        (false, true) => format!("an object with {} and more", names.join(", ")),
    };
    Unsupported::new(EXPECTED, found)
}

fn security_hub(event: &Value) -> Result<Envelope<'_>, Unsupported> {
    let told = |field: &str| match event.get(field) {
        Some(Value::String(text)) => excerpt(text),
        Some(other) => kind(other).to_owned(),
        None => "nothing".to_owned(),
    };
    let detail_type = match (event.get("source"), event.get("detail-type").and_then(Value::as_str)) {
        (Some(Value::String(source)), Some(detail_type)) if source == SOURCE => match detail_type {
            "Security Hub Findings - Imported" => Some(DetailType::Imported),
            "Findings Imported V2" => Some(DetailType::ImportedV2),
            "Security Hub Findings - Custom Action" => Some(DetailType::CustomAction),
            _ => None,
        },
        _ => None,
    };
    let Some(detail_type) = detail_type else {
        return Err(Unsupported::new(EXPECTED, format!("{} from {}", told("detail-type"), told("source"))));
    };
    match event.pointer("/detail/findings") {
        Some(Value::Array(findings)) => Ok(Envelope::Findings(detail_type, findings)),
        Some(other) => Err(Unsupported::new("a list in `detail.findings`", kind(other))),
        None => Err(Unsupported::new("a list in `detail.findings`", "nothing")),
    }
}

/// A batch of which some record is not a message of SQS is not answered at all:
/// the answer could not name that record.
fn messages(event: &Value) -> Result<Vec<Message>, Unsupported> {
    const EXPECTED: &str = "`Records` of SQS messages (`eventSource` `aws:sqs`), each with a `messageId`";
    let is_empty = list(event, "Records").is_ok_and(<[Value]>::is_empty);
    if is_empty {
        return Err(Unsupported::new(EXPECTED, "none"));
    }
    let batch = SqsEvent::deserialize(event).map_err(|_| Unsupported::new(EXPECTED, "records of another form"))?;
    let message = |message: SqsMessage| match (message.event_source.as_deref(), message.message_id) {
        (Some("aws:sqs"), Some(id)) if !id.is_empty() => Ok(Message { id, body: message.body }),
        (Some("aws:sqs"), _) => Err(Unsupported::new(EXPECTED, "one without `messageId`")),
        (Some(other), _) => Err(Unsupported::new(EXPECTED, format!("one from {}", excerpt(other)))),
        (None, _) => Err(Unsupported::new(EXPECTED, "one without `eventSource`")),
    };
    batch.records.into_iter().map(message).collect()
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
            let Ok(Envelope::Findings(detail_type, findings)) = open(&event) else { panic!("{name}") };
            assert_eq!((detail_type, findings.len()), (expected, 2));
        }
    }

    #[test]
    fn the_rest_of_an_envelope_does_not_matter() {
        let mut event = security_hub_event("Findings Imported V2");
        event["time"] = json!("yesterday");
        event["id"] = json!(7);
        event["account"] = json!(null);
        event["resources"] = json!("none");
        assert!(matches!(open(&event), Ok(Envelope::Findings(..))));
    }

    #[test]
    fn any_other_event_is_refused_by_its_name() {
        for name in [
            "Security Hub Insight Results",
            "Security Hub Findings",
            "security hub findings - imported",
            "Security Hub Findings - Imported ",
            "",
        ] {
            let told = problem(&security_hub_event(name));
            assert_eq!(told, format!("expected {EXPECTED}, found `{name}` from `aws.securityhub`"));
        }
        for (event, found) in [
            (json!({ "source": "aws.config" }), "nothing from `aws.config`"),
            (
                json!({ "source": "my.app", "detail-type": "Findings Imported V2", "detail": { "findings": [] } }),
                "`Findings Imported V2` from `my.app`",
            ),
            (json!({ "source": 1, "detail-type": [] }), "a list from a number"),
            (
                json!({ "source": "aws.events", "detail-type": "Scheduled Event" }),
                "`Scheduled Event` from `aws.events`",
            ),
            (json!("hunter2"), "a string"),
            (json!(null), "null"),
            (json!([{}]), "a list"),
        ] {
            assert_eq!(problem(&event), format!("expected {EXPECTED}, found {found}"), "{event}");
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
        ] });
        let Ok(Envelope::Messages(messages)) = open(&event) else { panic!() };
        let messages: Vec<_> = messages.iter().map(|message| (&*message.id, message.body.as_deref())).collect();
        assert_eq!(messages, [("1", Some("{}")), ("2", None)]);
    }

    #[test]
    fn records_of_anything_else_are_refused() {
        for (records, found) in [
            (json!([]), "none"),
            (json!(null), "none"),
            (json!("hunter2"), "records of another form"),
            (json!([1]), "records of another form"),
            (json!([{ "eventSource": "aws:s3", "messageId": "1" }]), "one from `aws:s3`"),
            (json!([{ "EventSource": "aws:sns", "Sns": {} }]), "one without `eventSource`"),
            (json!([{ "eventSource": "aws:sqs", "body": "{}" }]), "one without `messageId`"),
            (
                json!([{ "eventSource": "aws:sqs", "messageId": "1" }, { "eventSource": "aws:kinesis" }]),
                "one from `aws:kinesis`",
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
