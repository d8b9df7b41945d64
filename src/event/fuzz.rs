//! Events that nobody should send, and what holds of them all the same. Under
//! `cargo test` each target runs for a moment; `make fuzz` runs them for long.

use std::sync::LazyLock;
use std::time::Duration;

use bolero::{TypeGenerator, check};
use serde_json::{Value, json};

use super::finding::Ignored;
use super::tests::{home, places, rules, samples};
use super::*;

/// How long a target runs under `cargo test`.
const MOMENT: Duration = Duration::from_millis(800);

/// A value that no message may repeat.
const MARKER: &str = "hunter2-7f3a91";

/// The most characters of a message, as [`Unsupported`] and [`Ignored`] promise.
const LONGEST_REFUSAL: usize = 1000;
const LONGEST_DETAIL: usize = 400;

static SAMPLES: LazyLock<Vec<Value>> = LazyLock::new(|| samples().into_values().collect());

/// One change at some place of an event.
#[derive(Debug, Clone, TypeGenerator)]
enum Change {
    Remove,
    Mark,
    Null,
    Bool(bool),
    Number(i64),
    Text(String),
    Known(u8),
    EmptyList,
    EmptyObject,
    IntoList,
    IntoObject,
    CopyOf(u16),
}

/// Texts that mean something somewhere.
const KNOWN: [&str; 24] = [
    "",
    " ",
    "FAILED",
    "NEW",
    "Fail",
    "IAM.7",
    "CT.IAM.7",
    "1.8",
    "AwsIamUser",
    "AwsAccount",
    "Other",
    "AWS::IAM::User",
    "alice",
    "<root_account>",
    "root",
    "123456789012",
    "444455556666",
    "AIDACKCEVSQ6C2EXAMPLE",
    "arn:aws:iam::123456789012:user/a/b/alice",
    "arn:aws:iam::123456789012:root",
    "arn:aws:iam::444455556666:user/alice",
    "arn:aws:securityhub:us-east-1::product/aws/securityhub",
    "arn:aws:securityhub:us-east-1:123456789012:product/123456789012/default",
    "iam-password-remediator/password-age",
];

fn apply(event: &mut Value, place: u16, change: &Change) {
    let mut found = Vec::new();
    places(event, "", &mut found);
    let place = found[usize::from(place) % found.len()].clone();
    if matches!(change, Change::Remove) {
        let (parent, name) = place.rsplit_once('/').unwrap_or_default();
        match event.pointer_mut(parent) {
            Some(Value::Object(fields)) => drop(fields.remove(&name.replace("~1", "/").replace("~0", "~"))),
            Some(Value::Array(items)) => drop(name.parse().map(|place: usize| items.remove(place))),
            _ => {}
        }
        return;
    }
    let copied = match change {
        Change::CopyOf(from) => match &found[usize::from(*from) % found.len()] {
            // A copy of what is around it would double the event each time.
            around if place.starts_with(around.as_str()) => Value::Null,
            from => event.pointer(from).unwrap().clone(),
        },
        _ => Value::Null,
    };
    let here = event.pointer_mut(&place).unwrap();
    *here = match change {
        Change::Remove | Change::Null => Value::Null,
        Change::Mark => json!(MARKER),
        Change::Bool(value) => json!(value),
        Change::Number(value) => json!(value),
        Change::Text(value) => json!(value),
        Change::Known(known) => json!(KNOWN[usize::from(*known) % KNOWN.len()]),
        Change::EmptyList => json!([]),
        Change::EmptyObject => json!({}),
        Change::IntoList => json!([here.take()]),
        Change::IntoObject => json!({ "Status": here.take() }),
        Change::CopyOf(_) => copied,
    };
}

fn in_a_batch(body: &str) -> Value {
    json!({ "Records": [{ "messageId": "1", "eventSource": "aws:sqs", "body": body }] })
}

/// Reads an event, holds what comes of it against what it says, and gives the
/// messages about what was wrong with it.
fn read(event: &Value) -> Vec<String> {
    match parse(event, &home(), &rules()) {
        Err(problem) => vec![refusal(&problem)],
        Ok(Event::Single(request)) => {
            assert!(!event["job"].is_string() || event["action"].is_string(), "a job comes by a queue");
            check_request(event, &request)
        }
        Ok(Event::Batch(items)) => {
            let records = event["Records"].as_array().unwrap();
            assert_eq!(items.len(), records.len());
            let mut messages = Vec::new();
            for (item, record) in items.iter().zip(records) {
                assert_eq!(record["messageId"], item.message_id);
                match &item.request {
                    Err(problem) => messages.push(refusal(problem)),
                    Ok(request) => {
                        let body: Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
                        messages.extend(check_request(&body, request));
                    }
                }
            }
            messages
        }
    }
}

fn refusal(problem: &Unsupported) -> String {
    let text = problem.to_string();
    assert!(text.chars().count() <= LONGEST_REFUSAL, "{text}");
    text
}

/// A request goes no further than the event it was made of.
fn check_request(event: &Value, request: &Request) -> Vec<String> {
    let account = |account: &AccountId| {
        let home = home();
        let told = event["account_id"].as_str().unwrap_or(home.account_id.as_str());
        assert_eq!(account.as_str(), told, "the account that is told, else the function's own");
    };
    match request {
        Request::Findings { event_id, findings, by_person } => {
            assert_eq!(event_id.as_deref(), event["id"].as_str().filter(|id| !id.is_empty()));
            let is_selected = event["detail-type"] == "Security Hub Findings - Custom Action";
            assert_eq!(*by_person, is_selected);
            let told = event["detail"]["findings"].as_array().unwrap();
            assert_eq!(findings.len(), told.len());
            told.iter().zip(findings).filter_map(|(told, found)| check_finding(told, found, is_selected)).collect()
        }
        Request::Reset(order) => {
            account(order.user.account_id());
            assert!(!order.force || event["force"] == true);
            assert_eq!(order.dry_run, event["dry_run"] == true);
            match &order.user {
                UserRef::Named { name, .. } => assert_eq!(event["user_name"], name.as_str()),
                UserRef::Identified { .. } => panic!("orders know users by name"),
                UserRef::Root { .. } => assert_eq!(event["user_name"], "<root_account>"),
            }
            Vec::new()
        }
        Request::Sweep(SweepOrder { account_id, dry_run, .. })
        | Request::Audit(AuditOrder { account_id, dry_run })
        | Request::Adopt(AdoptOrder { account_id, dry_run }) => {
            account(account_id);
            assert_eq!(*dry_run, event["dry_run"] == true);
            Vec::new()
        }
        Request::Everywhere(order) => {
            assert_eq!(event["account_id"], "*");
            assert_eq!(Some(order), event.as_object());
            Vec::new()
        }
    }
}

fn check_finding(told: &Value, found: &Screened, is_selected: bool) -> Option<String> {
    let finding = match found {
        Screened::Wanted(finding) => finding,
        Screened::Ignored(Ignored { id, detail, .. }) => {
            assert!(!id.is_empty() && !detail.is_empty());
            assert!(detail.chars().count() <= LONGEST_DETAIL, "{detail}");
            return Some(detail.clone());
        }
    };
    let (account, product) = match &finding.reference {
        FindingRef::Asff { .. } => (&told["AwsAccountId"], &told["ProductArn"]),
        FindingRef::Ocsf { .. } => (&told["cloud"]["account"]["uid"], &told["metadata"]["product"]["uid"]),
    };
    let product = product.as_str().unwrap();
    let is_hub = product.ends_with("::product/aws/securityhub") || product.ends_with("::productv2/aws/securityhub");
    let users = match &finding.ask {
        Ask::Policy { account_id, .. } => {
            assert!(is_hub, "{product} asks for a policy");
            assert_eq!(account, account_id.as_str());
            return None;
        }
        Ask::PasswordAge { users, max_age_days } => {
            assert!(!is_selected);
            assert!(max_age_days.is_none_or(|days| is_hub && (1..=1095).contains(&days)), "{product} carries a limit");
            users
        }
        Ask::ForcedReset { users } => {
            assert!(is_selected, "nobody selected this");
            users
        }
    };
    assert!(!users.is_empty());
    let text = told.to_string();
    for user in users {
        assert_eq!(account, user.account_id().as_str(), "a user of another account");
        match user {
            UserRef::Named { name, .. } => {
                assert_eq!(name.as_str().parse().as_ref(), Ok(name));
                assert!(text.contains(name.as_str()), "{name} stands nowhere in the finding");
            }
            UserRef::Identified { id, .. } => assert!(text.contains(id.as_str()), "{id} stands nowhere"),
            UserRef::Root { account_id } => assert!(text.contains(&format!("{account_id}:root"))),
        }
    }
    None
}

/// Bytes as they come: an event, or the body of a message.
#[test]
fn bytes() {
    let run = |bytes: &[u8]| {
        if let Ok(event) = serde_json::from_slice(bytes) {
            read(&event);
        }
        read(&in_a_batch(&String::from_utf8_lossy(bytes)));
    };
    for event in SAMPLES.iter() {
        run(event.to_string().as_bytes());
    }
    check!().with_test_time(MOMENT).for_each(run);
}

/// Samples with a few changes: close enough to what counts to get far.
#[test]
fn changed_samples() {
    check!().with_test_time(3 * MOMENT).with_type::<(u8, Vec<(u16, Change)>)>().for_each(|(sample, changes)| {
        let mut event = SAMPLES[usize::from(*sample) % SAMPLES.len()].clone();
        for (place, change) in changes.iter().take(8) {
            apply(&mut event, *place, change);
        }
        let messages = [read(&event), read(&in_a_batch(&event.to_string()))].concat();
        for message in messages {
            assert!(!message.contains(MARKER), "{message}");
        }
    });
}

/// The marker at every place of every sample, and of every message's body, alone.
#[test]
fn no_message_repeats_a_value() {
    let check = |event: &Value| {
        for message in read(event) {
            assert!(!message.contains(MARKER), "{message}");
        }
    };
    for event in SAMPLES.iter() {
        let mut found = Vec::new();
        places(event, "", &mut found);
        for place in &found {
            for planted in [json!(MARKER), json!([MARKER]), json!({ "x": MARKER })] {
                let mut event = event.clone();
                *event.pointer_mut(place).unwrap() = planted;
                check(&event);
                check(&in_a_batch(&event.to_string()));
            }
        }
    }
}
