//! The whole stage at once: every sample event, what AWS is known to send, and
//! what nobody should.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde::Deserialize;
use serde_json::json;

use super::finding::Ignored;
use super::screening::OWN_GENERATOR;
use super::*;
use crate::account::password_policy::Requirement;
use crate::config::PASSWORD_AGE_FINDINGS;
use crate::globs::Globs;

const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events");
const EXPECTED: &str = "expected.json";

pub(super) fn home() -> Home {
    "arn:aws:lambda:us-east-1:123456789012:function:iam-password-remediator".parse().unwrap()
}

pub(super) fn rules() -> Rules {
    Rules {
        password_age_findings: Globs::parse(PASSWORD_AGE_FINDINGS),
        trusted_products: Globs::default(),
        accounts: "*".parse().unwrap(),
        has_queue: false,
    }
}

fn read(event: &Value) -> Result<Event, Unsupported> {
    parse(event, &home(), &rules())
}

/// The findings of an event that has some, judged.
fn findings(event: &Value) -> Vec<Screened> {
    match read(event) {
        Ok(Event::Single(Request::Findings { findings, .. })) => findings,
        other => panic!("{other:?}"),
    }
}

fn items(event: &Value) -> Vec<BatchItem> {
    match read(event) {
        Ok(Event::Batch(items)) => items,
        other => panic!("{other:?}"),
    }
}

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(EVENTS).join(name)).unwrap()
}

fn sample(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

pub(super) fn samples() -> BTreeMap<String, Value> {
    let names = fs::read_dir(EVENTS).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| is_json(name) && name != EXPECTED);
    names.map(|name| (name.clone(), sample(&name))).collect()
}

fn is_json(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "json")
}

fn samples_with_findings() -> Vec<(String, Value)> {
    samples().into_iter().filter(|(_, event)| event["detail"]["findings"].is_array()).collect()
}

/// What `events/expected.json` says of a sample. `events/README.md` explains it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    reads: Vec<String>,
    #[serde(rename = "rules")]
    _rules: Vec<String>,
    #[serde(default)]
    trusted: String,
    refused: Option<String>,
    answer: Option<Answer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    mode: Option<String>,
    #[serde(default)]
    findings: Vec<String>,
    #[serde(rename = "changes")]
    _changes: Vec<String>,
    users: BTreeMap<String, String>,
    #[serde(default, rename = "states")]
    _states: BTreeMap<String, String>,
    #[serde(rename = "recorded")]
    _recorded: Vec<String>,
    failed_messages: Option<Vec<String>>,
}

fn expected() -> BTreeMap<String, Expected> {
    serde_json::from_str(&text(EXPECTED)).unwrap()
}

fn show_user(user: &UserRef) -> String {
    match user {
        UserRef::Named { name, .. } => name.to_string(),
        UserRef::Identified { id, .. } => id.to_string(),
        UserRef::Root { .. } => "<root_account>".to_owned(),
    }
}

fn show_users(users: &[UserRef]) -> String {
    users.iter().map(show_user).collect::<Vec<_>>().join("+")
}

fn show_requirement(asked: &Requirement) -> String {
    let classes = [
        (asked.uppercase, "upper case"),
        (asked.lowercase, "lower case"),
        (asked.numbers, "numbers"),
        (asked.symbols, "symbols"),
    ];
    let mut parts: Vec<String> = match classes.iter().filter(|(is_asked, _)| *is_asked) {
        asked if asked.clone().count() == classes.len() => vec!["four character classes".to_owned()],
        asked => asked.map(|(_, class)| (*class).to_owned()).collect(),
    };
    parts.extend(asked.minimum_length.map(|length| format!("length {length}")));
    parts.extend(asked.reuse_prevention.map(|reuse| format!("reuse {reuse}")));
    parts.extend(asked.max_age_days.map(|days| format!("age {days}")));
    parts.join(", ")
}

fn show_finding(screened: &Screened) -> String {
    match screened {
        Screened::Ignored(ignored) => ignored.reason.to_string(),
        Screened::Wanted(finding) => match &finding.ask {
            Ask::Policy { requirement, .. } => format!("policy: {}", show_requirement(requirement)),
            Ask::PasswordAge { users, max_age_days: None } => format!("age {}", show_users(users)),
            Ask::PasswordAge { users, max_age_days: Some(days) } => format!("age>{days} {}", show_users(users)),
            Ask::ForcedReset { users } => format!("force {}", show_users(users)),
        },
    }
}

/// One text a finding, else one for the request.
fn show_request(request: &Request) -> Vec<String> {
    let with = |mut text: String, marks: &[(bool, &str)]| {
        for (_, mark) in marks.iter().filter(|(is_set, _)| *is_set) {
            text.push_str(mark);
        }
        vec![text]
    };
    match request {
        Request::Findings { findings, .. } => findings.iter().map(show_finding).collect(),
        Request::Reset(order) => {
            let text = format!("reset {}", show_user(&order.user));
            with(text, &[(order.force, " force"), (order.dry_run, " dry-run")])
        }
        Request::Sweep(order) => {
            let limit = order.max_resets.map_or_else(String::new, |limit| format!(" at most {limit}"));
            with(format!("sweep{limit}"), &[(order.dry_run, " dry-run")])
        }
        Request::Audit(order) => with("audit".to_owned(), &[(order.dry_run, " dry-run")]),
        Request::Everywhere(_) => panic!("there is no queue here"),
        Request::Adopt(order) => with("adopt".to_owned(), &[(order.dry_run, " dry-run")]),
    }
}

/// What the parser makes of an event, as the `reads` of `events/expected.json`.
fn show(event: &Result<Event, Unsupported>) -> Vec<String> {
    match event {
        Err(_) => vec!["unsupported".to_owned()],
        Ok(Event::Single(request)) => show_request(request),
        Ok(Event::Batch(items)) => {
            let show = |item: &BatchItem| match &item.request {
                Err(_) => "unsupported".to_owned(),
                Ok(request) => show_request(request).join(", "),
            };
            items.iter().map(show).collect()
        }
    }
}

fn outcome(event: &Value) -> String {
    show(&read(event)).join(", ")
}

/// A sample, read with what is trusted besides.
fn read_as_set(event: &Value, expected: &Expected) -> Result<Event, Unsupported> {
    parse(event, &home(), &Rules { trusted_products: Globs::parse(&expected.trusted), ..rules() })
}

#[test]
fn every_sample_event_is_read_as_expected() {
    let (samples, expected) = (samples(), expected());
    assert_eq!(samples.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, event) in samples {
        assert_eq!(show(&read_as_set(&event, &expected[&name])), expected[&name].reads, "{name}");
    }
}

#[test]
fn the_samples_of_other_products_count_for_nothing_unless_they_are_trusted() {
    for (name, reason) in
        [("password-age-custodian.json", "not-failed"), ("password-age-prowler.json", "untrusted-product")]
    {
        assert_eq!(outcome(&sample(name)), reason, "{name}");
    }
}

#[test]
fn an_event_is_expected_to_be_refused_exactly_if_it_is_not_read() {
    for (name, expected) in expected() {
        match (read_as_set(&sample(&name), &expected), expected.refused, expected.answer) {
            (Err(problem), Some(part), None) => assert!(problem.to_string().contains(&part), "{name}: {problem}"),
            (Ok(Event::Batch(items)), None, Some(answer)) => {
                let unread = items.iter().filter(|item| item.request.is_err());
                let unread: Vec<_> = unread.map(|item| item.message_id.clone()).collect();
                assert_eq!((answer.failed_messages, answer.mode), (Some(unread), None), "{name}");
            }
            (Ok(Event::Single(request)), None, Some(answer)) => {
                assert!(answer.failed_messages.is_none() && answer.mode.is_some(), "{name}");
                let Request::Findings { findings, .. } = request else { continue };
                let told = |screened: &Screened| match screened {
                    Screened::Wanted(_) => "handled".to_owned(),
                    Screened::Ignored(ignored) => format!("ignored {}", ignored.reason),
                };
                assert_eq!(answer.findings, findings.iter().map(told).collect::<Vec<_>>(), "{name}");
            }
            _ => panic!("{name}"),
        }
    }
}

/// The last cell of a sample's row in the README.
fn cell(expected: &Expected) -> String {
    let Some(answer) = &expected.answer else { return expected.refused.clone().unwrap() };
    if let Some(asked) = expected.reads[0].strip_prefix("policy: ") {
        return asked.to_owned();
    }
    let mut parts = Vec::new();
    let ignored: Vec<_> =
        answer.findings.iter().filter_map(|found| Some(format!("`{}`", found.strip_prefix("ignored ")?))).collect();
    parts.extend((!ignored.is_empty()).then(|| ignored.join(", ")));
    let mut by_status: Vec<(&str, Vec<String>)> = Vec::new();
    for (user, status) in &answer.users {
        match by_status.iter_mut().find(|(known, _)| *known == status) {
            Some((_, users)) => users.push(format!("`{user}`")),
            None => by_status.push((status, vec![format!("`{user}`")])),
        }
    }
    by_status.sort_by_key(|(status, _)| status.starts_with("skipped"));
    for (status, users) in by_status {
        let words: Vec<_> = status.split(' ').map(|word| format!("`{word}`")).collect();
        parts.push(format!("{} {}", users.join(", "), words.join(", ")));
    }
    match answer.failed_messages.as_deref() {
        None | Some([]) => {}
        Some([_]) => parts.push("1 message fails".to_owned()),
        Some(failed) => parts.push(format!("{} messages fail", failed.len())),
    }
    if parts.is_empty() { "nobody is touched".to_owned() } else { parts.join("; ") }
}

#[test]
fn the_readme_tells_of_every_sample_what_is_expected() {
    let readme = text("README.md");
    let rows = readme.lines().filter_map(|line| {
        let (name, cells) = line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | ")?;
        is_json(name).then(|| (name, cells.rsplit(" | ").next().unwrap().to_owned()))
    });
    let told: Vec<_> = rows.collect();
    let expected = expected();
    assert_eq!(told.len(), expected.len(), "one row a sample");
    for (name, told) in told {
        assert_eq!(told, cell(&expected[name]), "{name}");
    }
}

#[test]
fn a_finding_carries_what_it_takes_to_act_on_it_and_to_record_that() {
    let uid = "arn:aws:securityhub:us-east-1:123456789012:security-control/IAM.7/finding/\
        9b74c989-7bac-4d1e-8b0e-2f6c5a7d9e31";
    let wanted = Finding {
        id: uid.to_owned(),
        account_id: "123456789012".parse().unwrap(),
        note: None,
        reference: FindingRef::Ocsf {
            account_uid: "123456789012".parse().unwrap(),
            finding_uid: uid.to_owned(),
            product_uid: "arn:aws:securityhub:us-east-1::productv2/aws/securityhub".to_owned(),
            status: OcsfStatus::New,
        },
        ask: Ask::Policy {
            account_id: "123456789012".parse().unwrap(),
            requirement: Requirement {
                uppercase: true,
                lowercase: true,
                numbers: true,
                symbols: true,
                minimum_length: Some(14),
                reuse_prevention: Some(24),
                max_age_days: Some(90),
            },
        },
    };
    let ocsf = findings(&sample("iam7-v2.json"));
    assert_eq!(ocsf, [Screened::Wanted(wanted)]);
    let asff = findings(&sample("iam7-imported.json"));
    let [Screened::Wanted(asff), Screened::Wanted(ocsf)] = [&asff[0], &ocsf[0]] else { panic!() };
    assert_eq!(asff.ask, ocsf.ask, "both products of Security Hub ask for the same");
}

#[test]
fn a_request_has_the_id_of_its_event_whenever_that_is_delivered() {
    let id_of = |event: &Value| match read(event) {
        Ok(Event::Single(Request::Findings { event_id, .. })) => event_id,
        other => panic!("{other:?}"),
    };
    let mut event = sample("custom-action.json");
    let id = Some("55b03236-7c4e-4b1d-9a57-5e2c8d206016".to_owned());
    assert_eq!(id_of(&event), id);
    let Ok(Request::Findings { event_id, .. }) = &items(&batch(&[&event.to_string()]))[0].request else { panic!() };
    assert_eq!(event_id, &id, "by way of a queue too");
    event["time"] = json!("2026-11-21T00:00:00Z");
    assert_eq!(id_of(&event), id);
    remove(&mut event, "id");
    assert_eq!(id_of(&event), None);
}

#[test]
fn an_ignored_finding_is_named_and_explained() {
    let findings = findings(&sample("malformed-neighbour.json"));
    let ignored: Vec<_> = findings
        .iter()
        .filter_map(|screened| match screened {
            Screened::Ignored(Ignored { id, detail, .. }) => Some((&**id, &**detail)),
            Screened::Wanted(_) => None,
        })
        .collect();
    assert_eq!(
        ignored,
        [
            ("#0", "Id is missing"),
            (
                "arn:aws:config:us-east-1:123456789012:config-rule/config-rule-7qzt4m/finding/\
                    77de68daecd823babbb58edb1c8e14d7106e83bb",
                "a user of account 123456789012 in a finding of account 111122223333"
            ),
        ]
    );
}

// What AWS does.

const IAM_7: &str = "policy: four character classes, length 14, reuse 24, age 90";

/// The sample with `change` made to its first finding.
fn changed(name: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut event = sample(name);
    change(&mut event["detail"]["findings"][0]);
    outcome(&event)
}

fn remove(value: &mut Value, field: &str) {
    value.as_object_mut().unwrap().remove(field);
}

#[test]
fn only_the_required_fields_of_asff_are_required() {
    let required = ["Id", "ProductArn", "GeneratorId", "AwsAccountId", "Resources", "ProductFields", "Compliance"];
    for (name, expected) in [("password-age-imported.json", "age alice"), ("iam7-imported.json", IAM_7)] {
        let bare = changed(name, |finding| {
            finding.as_object_mut().unwrap().retain(|field, _| required.contains(&field.as_str()));
        });
        assert_eq!(bare, expected);
    }
    let unnamed = changed("password-age-imported.json", |finding| {
        remove(finding, "ProductFields");
        finding["GeneratorId"] = json!("my-password-age-rule");
    });
    assert_eq!(unnamed, "age alice");
}

#[test]
fn the_rules_name_may_be_wrapped_as_config_wraps_it() {
    for (rule, expected) in [
        ("iam-user-password-age", "age alice"),
        ("OrgConfigRule-iam-user-password-age-a1b2c3d4", "age alice"),
        ("iam-user-password-age-conformance-pack-a1b2c3d4e", "age alice"),
        ("IAM-User-Password-Age", "age alice"),
        ("iam-password-policy", "unsupported-control"),
        ("access-keys-rotated", "unsupported-control"),
    ] {
        let found = changed("password-age-imported.json", |finding| {
            finding["ProductFields"]["aws/config/ConfigRuleName"] = json!(rule);
        });
        assert_eq!(found, expected, "{rule}");
    }
}

#[test]
fn a_title_counts_for_nothing() {
    let found = changed("password-age-imported.json", |finding| {
        finding["ProductFields"]["aws/config/ConfigRuleName"] = json!("server-certificates");
        finding["Title"] = json!("[IAM.7] my-password-age");
        finding["Description"] = json!("my-password-age");
    });
    assert_eq!(found, "unsupported-control");
}

#[test]
fn electric_eyes_iam_7_is_about_server_certificates() {
    let product = "arn:aws:securityhub:us-east-1:123456789012:product/123456789012/default";
    let mut event = sample("password-age-imported.json");
    event["detail"]["findings"][0] = json!({
        "SchemaVersion": "2018-10-08",
        "Id": "arn:aws:iam::123456789012:server-certificate/example/iam-server-certificate-check",
        "ProductArn": product,
        "GeneratorId": "arn:aws:iam::123456789012:server-certificate/example",
        "AwsAccountId": "123456789012",
        "Title": "[IAM.7] IAM server certificates should not be expired",
        "ProductFields": { "Product Name": "ElectricEye" },
        "Resources": [{ "Type": "AwsAccount", "Id": "AWS::::Account:123456789012" }],
        "Compliance": { "Status": "FAILED" },
        "Workflow": { "Status": "NEW" },
        "RecordState": "ACTIVE",
    });
    assert_eq!(outcome(&event), "untrusted-product");
    let trusting = Rules { trusted_products: Globs::parse(product), ..rules() };
    assert_eq!(show(&parse(&event, &home(), &trusting)), ["unsupported-control"]);
}

#[test]
fn unused_credentials_and_old_access_keys_are_no_old_passwords() {
    for control in ["IAM.3", "IAM.8", "IAM.22", "IAM.70", "IAM.1"] {
        let found = changed("unsupported-control.json", |finding| {
            finding["Compliance"]["SecurityControlId"] = json!(control);
            finding["GeneratorId"] = json!(format!("security-control/{control}"));
        });
        assert_eq!(found, "unsupported-control", "{control}");
    }
}

#[test]
fn the_event_that_an_update_of_a_finding_causes_is_ignored() {
    for (status, expected) in [("NEW", "age alice"), ("NOTIFIED", "already-handled"), ("RESOLVED", "already-handled")] {
        let found = changed("password-age-imported.json", |finding| finding["Workflow"] = json!({ "Status": status }));
        assert_eq!(found, expected);
    }
}

#[test]
fn other_products_count_once_an_operator_trusts_them() {
    let of_product = |product: &str| {
        let mut event = sample("forged-product.json");
        event["detail"]["findings"][0]["ProductArn"] = json!(product);
        event
    };
    let partner = "arn:aws:securityhub:us-east-1::product/prowler/prowler";
    let scanner = "arn:aws:securityhub:us-east-1:123456789012:product/123456789012/default";
    let forged = "arn:aws:securityhub:us-east-1:444455556666:product/444455556666/default";
    for (product, list, expected) in [
        (partner, partner, "age alice"),
        (partner, "*:product/prowler/*", "age alice"),
        (partner, "prowler", "untrusted-product"),
        (scanner, "arn:aws:securityhub:*:123456789012:product/123456789012/default", "age alice"),
        (scanner, "", "untrusted-product"),
        // Whatever an operator trusts, an account's product speaks for that account alone.
        (forged, forged, "untrusted-product"),
        (forged, "*", "untrusted-product"),
    ] {
        let trusting = Rules { trusted_products: Globs::parse(list), ..rules() };
        assert_eq!(show(&parse(&of_product(product), &home(), &trusting)), [expected], "{product} {list}");
    }
}

#[test]
fn a_finding_of_security_hub_that_names_a_control_is_about_that_control_whatever_its_label() {
    for product in ["product/aws/securityhub", "productv2/aws/securityhub"] {
        let product = format!("arn:aws:securityhub:us-east-1::{product}");
        let asff = |control: &Value| {
            changed("password-age-imported.json", |finding| {
                finding["ProductArn"] = json!(product);
                finding["Compliance"]["SecurityControlId"] = control.clone();
            })
        };
        let ocsf = |control: &Value| {
            changed("password-age-v2.json", |finding| {
                finding["metadata"]["product"]["uid"] = json!(product);
                finding["compliance"]["control"] = control.clone();
            })
        };
        for (control, [of_asff, of_ocsf]) in [
            (json!("IAM.8"), ["unsupported-control", "unsupported-control"]),
            (Value::Null, ["age alice", "age carol"]),
        ] {
            assert_eq!(asff(&control), of_asff, "{product} {control}");
            assert_eq!(ocsf(&control), of_ocsf, "{product} {control}");
        }
    }
}

#[test]
fn a_password_age_finding_needs_a_user_and_a_policy_finding_the_account() {
    let account = json!([{ "Type": "AwsAccount", "Id": "AWS::::Account:123456789012" }]);
    let nobody = changed("password-age-imported.json", |finding| finding["Resources"] = account);
    assert_eq!(nobody, "malformed");
    let strangers = json!([{ "Type": "AwsAccount", "Id": "AWS::::Account:999999999999" }]);
    assert_eq!(changed("iam7-imported.json", |finding| finding["Resources"] = strangers), "malformed");
    assert_eq!(changed("iam7-imported.json", |finding| remove(finding, "Resources")), "malformed");
}

#[test]
fn the_age_that_security_hub_asks_for_is_taken_within_what_iam_allows() {
    for (value, expected) in [
        (json!(["1"]), "age>1 alice"),
        (json!(["1095"]), "age>1095 alice"),
        (json!(["0"]), "age alice"),
        (json!(["1096"]), "age alice"),
        (json!(["ninety"]), "age alice"),
        (json!([]), "age alice"),
        (json!("90"), "age alice"),
    ] {
        let found = changed("password-age-imported.json", |finding| {
            finding["ProductArn"] = json!("arn:aws:securityhub:us-east-1::product/aws/securityhub");
            finding["Compliance"]["SecurityControlParameters"] = json!([{ "Name": "MaxPasswordAge", "Value": value }]);
        });
        assert_eq!(found, expected, "{value}");
    }
}

#[test]
fn every_partition_is_read_alike() {
    for (name, event) in samples() {
        if name == "sqs-batch.json" {
            continue; // Its home is elsewhere: ids of messages, not ARNs, matter here.
        }
        for partition in ["aws-cn", "aws-us-gov"] {
            let elsewhere = event.to_string().replace("arn:aws:", &format!("arn:{partition}:"));
            let elsewhere: Value = serde_json::from_str(&elsewhere).unwrap();
            assert_eq!(outcome(&elsewhere), outcome(&event), "{name} in {partition}");
        }
    }
}

#[test]
fn a_custom_action_brings_up_to_twenty_findings_of_any_kind() {
    let mut event = sample("custom-action.json");
    let mut findings = Vec::new();
    for name in
        ["forged-product.json", "archived.json", "passed.json", "iam7-imported.json", "unsupported-control.json"]
    {
        findings.push(sample(name)["detail"]["findings"][0].clone());
    }
    findings.push(sample("password-age-v2.json")["detail"]["findings"][0].clone());
    event["detail"]["findings"] = json!(findings);
    assert_eq!(outcome(&event), format!("force alice, force alice, not-failed, {IAM_7}, force alice, force carol"));
}

#[test]
fn the_format_of_a_finding_goes_by_the_event() {
    let asff = sample("password-age-imported.json")["detail"]["findings"].clone();
    let ocsf = sample("password-age-v2.json")["detail"]["findings"].clone();
    let mut event = sample("password-age-v2.json");
    event["detail"]["findings"] = asff;
    assert_eq!(outcome(&event), "malformed");
    let mut event = sample("password-age-imported.json");
    event["detail"]["findings"] = ocsf;
    assert_eq!(outcome(&event), "malformed");
}

#[test]
fn a_finding_brings_its_note_whatever_form_it_has() {
    let note = |name: &str, field: &str, value: &Value| {
        let mut event = sample(name);
        event["detail"]["findings"][0][field] = value.clone();
        let Screened::Wanted(finding) = findings(&event).swap_remove(0) else { panic!("{name} {value}") };
        finding.note
    };
    for (value, expected) in [
        (json!({ "Text": "Seen.", "UpdatedBy": "alice", "UpdatedAt": "2026-11-20T08:15:40.118Z" }), Some("Seen.")),
        (json!({ "Text": 7 }), None),
        (json!("Seen."), None),
        (Value::Null, None),
    ] {
        assert_eq!(note("password-age-imported.json", "Note", &value).as_deref(), expected, "{value}");
    }
    for (value, expected) in [(json!("Seen."), Some("Seen.")), (json!({ "Text": "Seen." }), None), (Value::Null, None)]
    {
        assert_eq!(note("password-age-v2.json", "comment", &value).as_deref(), expected, "{value}");
    }
}

#[test]
fn an_order_about_an_account_that_is_not_enabled_is_refused_and_a_job_is_none() {
    let home_only = Rules { accounts: "123456789012".parse().unwrap(), ..rules() };
    let not_home = Rules { accounts: "*,!123456789012".parse().unwrap(), ..rules() };
    for order in [
        json!({ "action": "reset", "user_name": "alice" }),
        json!({ "action": "reset", "user_name": "<root_account>", "dry_run": true }),
        json!({ "action": "sweep" }),
        json!({ "action": "adopt" }),
    ] {
        let mut elsewhere = order.clone();
        elsewhere["account_id"] = json!("111122223333");
        for (order, rules, refused) in [
            (&order, &home_only, None),
            (&elsewhere, &not_home, None),
            (&order, &not_home, Some("123456789012")),
            (&elsewhere, &home_only, Some("111122223333")),
        ] {
            let expected = refused.map(|id| format!("expected an account that ACCOUNTS names, found account {id}"));
            let problem = parse(order, &home(), rules).err().map(|problem| problem.to_string());
            assert_eq!(problem, expected, "{order}");
            let Ok(Event::Batch(items)) = parse(&batch(&[&order.to_string()]), &home(), rules) else { panic!() };
            assert_eq!(items[0].request.as_ref().err().map(ToString::to_string), expected, "{order} in a queue");
        }
    }
    let job = json!({ "job": "reset", "account_id": "111122223333", "user_name": "alice" }).to_string();
    let Ok(Event::Batch(items)) = parse(&batch(&[&job]), &home(), &home_only) else { panic!() };
    assert!(items[0].request.is_ok(), "it was queued when the account was enabled");
}

// Queues.

fn batch(bodies: &[&str]) -> Value {
    let record = |(place, body): (usize, &&str)| json!({ "messageId": place.to_string(), "eventSource": "aws:sqs", "body": body });
    json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() })
}

#[test]
fn a_message_holds_any_input_but_a_batch() {
    for (name, event) in samples() {
        let alone = read(&event);
        let queued = items(&batch(&[&event.to_string()])).remove(0).request;
        match alone {
            Ok(Event::Batch(_)) => assert!(queued.is_err(), "{name}"),
            alone => assert_eq!(queued.map(Event::Single), alone, "{name}"),
        }
    }
    for body in ["", "null", "[]", "\"text\"", "{", "{}", &"[".repeat(1000)] {
        assert_eq!(outcome(&batch(&[body])), "unsupported", "{body}");
    }
}

#[test]
fn messages_keep_their_ids_and_fail_alone() {
    let event = batch(&["not JSON", r#"{"action":"sweep"}"#, r#"{"action":"dance"}"#]);
    let items = items(&event);
    let items: Vec<_> = items.iter().map(|item| (&*item.message_id, item.request.is_ok())).collect();
    assert_eq!(items, [("0", false), ("1", true), ("2", false)]);
}

#[test]
fn a_job_is_taken_from_the_queue_only() {
    let job = r#"{"job":"reset","account_id":"123456789012","user_name":"alice","max_age_days":30}"#;
    let Ok(Request::Reset(order)) = &items(&batch(&[job]))[0].request else { panic!() };
    assert_eq!((order.max_age_days, order.force, order.dry_run), (Some(30), false, false));
    assert_eq!(outcome(&serde_json::from_str(job).unwrap()), "unsupported");
}

#[test]
fn a_refusal_says_what_was_expected_and_what_was_found() {
    let text = read(&sample("insight-results.json")).unwrap_err().to_string();
    assert_eq!(
        text,
        "expected an event `Security Hub Findings - Imported`, `Findings Imported V2` or \
         `Security Hub Findings - Custom Action` from `aws.securityhub`, an SQS batch, or an object whose `action` is \
         `reset`, `sweep`, `audit` or `adopt`, found `Security Hub Insight Results` from `aws.securityhub`"
    );
    let text = read(&sample("reset-typo.json")).unwrap_err().to_string();
    assert_eq!(
        text,
        "expected only `action`, `user_name`, `account_id`, `force`, `dry_run` in a reset, found `dryrun`"
    );
}

// What is large, or as long as it may be.

/// How long an event takes to be read: the best of three, since others use the
/// machine too.
fn reading_time(event: &Value) -> Duration {
    let once = || {
        let start = Instant::now();
        drop(read(event));
        start.elapsed()
    };
    (0..3).map(|_| once()).min().unwrap()
}

#[test]
fn findings_of_240_kilobytes_are_read_in_well_under_a_second() {
    const SIZE: usize = 240_000;
    let nested = (0..100).fold(json!("x".repeat(1000)), |inner, _| json!({ "a": inner, "b": "x".repeat(1300) }));
    let hostile: [(&str, Value); 8] = [
        ("Resources", (0..2900).map(|n| json!({ "Type": "AwsIamUser", "Id": format!("user/{n:040}") })).collect()),
        ("Resources", (0..7000).map(|_| json!({ "Type": "AwsIamUser", "Id": "a" })).collect()),
        ("Resources", json!([{ "Type": "AwsIamUser", "Id": "/".repeat(SIZE) }])),
        (
            "Resources",
            json!([{ "Type": "AwsIamUser", "Id": format!("arn:aws:iam::123456789012:user{}", "/a".repeat(SIZE / 2)) }]),
        ),
        ("Resources", json!([{ "Type": "AwsIamUser", "Id": "alice", "Details": nested }])),
        ("GeneratorId", json!("password-ag".repeat(SIZE / 11))),
        ("ProductArn", json!(":".repeat(SIZE))),
        ("Id", json!("x".repeat(SIZE))),
    ];
    for (field, value) in hostile {
        let mut event = sample("password-age-imported.json");
        event["detail"]["findings"][0][field] = value;
        assert!(event.to_string().len() >= SIZE / 2);
        let time = reading_time(&event);
        assert!(time < Duration::from_millis(700), "{field}: {time:?}");
        let time = reading_time(&batch(&[&event.to_string()]));
        assert!(time < Duration::from_millis(900), "{field} in a batch: {time:?}");
    }
    let parameters: Value = (0..6000).map(|n| json!({ "Name": format!("P{n}"), "Value": ["1"] })).collect();
    let mut event = sample("iam7-imported.json");
    event["detail"]["findings"][0]["Compliance"]["SecurityControlParameters"] = parameters;
    assert!(reading_time(&event) < Duration::from_millis(700));
}

#[test]
fn names_and_ids_are_taken_whole_up_to_their_limits() {
    let of = |id: &str| {
        let user = json!([{ "Type": "AwsIamUser", "Id": id }]);
        changed("password-age-imported.json", |finding| finding["Resources"] = user)
    };
    let arn = |name: &str| format!("arn:aws:iam::123456789012:user/{name}");
    let longest = "a".repeat(64);
    assert_eq!(of(&arn(&longest)), format!("age {longest}"));
    assert_eq!(of(&arn(&format!("{}/{longest}", "p".repeat(510)))), format!("age {longest}"), "on a path of 512");
    assert_eq!(of(&arn(&"a".repeat(65))), "malformed");
    let longest_id = format!("AIDA{}", "A".repeat(124));
    assert_eq!(of(&longest_id), format!("age {longest_id}"));
    assert_eq!(of(&format!("{longest_id}A")), "malformed");

    let mut event = sample("password-age-imported.json");
    let id = "é".repeat(512);
    event["detail"]["findings"][0]["Id"] = json!(id);
    let Screened::Wanted(finding) = &findings(&event)[0] else { panic!() };
    assert_eq!(finding.id, id, "an id is a key in Security Hub, so nothing of it may be cut");
    remove(&mut event["detail"]["findings"][0], "ProductArn");
    let Screened::Ignored(ignored) = &findings(&event)[0] else { panic!() };
    assert_eq!(ignored.id, id);
}

// What nobody should send.

fn any_json() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        select(vec![
            "Records",
            "messageId",
            "eventSource",
            "body",
            "source",
            "detail-type",
            "detail",
            "findings",
            "action",
            "job",
            "user_name",
            "account_id",
            "id",
            "force",
            "dry_run",
            "max_resets",
            "Id",
            "ProductArn",
            "Resources",
            "Compliance",
            "Workflow",
            "class_uid",
            "finding_info",
            "metadata",
            "cloud",
            "resources",
            "status_id",
            "uid",
            "Status",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    let texts = prop_oneof![
        select(vec![
            "",
            "aws:sqs",
            "aws.securityhub",
            "Security Hub Findings - Imported",
            "Findings Imported V2",
            "Security Hub Findings - Custom Action",
            "reset",
            "sweep",
            "alice",
            "<root_account>",
            "123456789012",
            "arn:aws:iam::123456789012:user/alice",
            "arn:",
            "arn::::::",
            "user/",
            "AIDA",
            "FAILED",
            "Fail",
            "IAM.7",
            "1.8",
            "{\"action\":\"sweep\"}",
            "AWS::::Account:",
            "CT.",
            "/",
            ":",
        ])
        .prop_map(str::to_owned),
        ".{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(vec![0, 1, 2, 3, 4, 5, 6, 99, 2002, 2003]).prop_map(Value::from),
        texts.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(names.clone(), inner, 0..6).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

fn any_sample() -> impl Strategy<Value = Value> {
    select(samples().into_values().collect::<Vec<_>>())
}

/// Every place within a value, as JSON pointers.
pub(super) fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                places(item, &format!("{here}/{place}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                places(field, &format!("{here}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => {}
    }
}

/// One change at some place: another value, or the field gone.
fn mutate(value: &mut Value, place: Index, with: Option<Value>) {
    let mut found = Vec::new();
    places(value, "", &mut found);
    let place = place.get(&found);
    if let Some(other) = with {
        *value.pointer_mut(place).unwrap() = other;
        return;
    }
    let (parent, name) = place.rsplit_once('/').unwrap_or(("", ""));
    match value.pointer_mut(parent).unwrap() {
        Value::Object(fields) => {
            fields.remove(&name.replace("~1", "/").replace("~0", "~"));
        }
        Value::Array(items) => {
            if let Ok(place) = name.parse::<usize>() {
                items.remove(place);
            }
        }
        other => *other = Value::Null,
    }
}

fn any_changes() -> impl Strategy<Value = Vec<(Index, Option<Value>)>> {
    vec((any::<Index>(), proptest::option::weighted(0.7, any_json())), 1..5)
}

/// What holds of every event: one judgement a finding, and short messages.
fn check(event: &Value) -> Result<(), TestCaseError> {
    match read(event) {
        Ok(Event::Single(Request::Findings { findings, .. })) => {
            prop_assert_eq!(findings.len(), event["detail"]["findings"].as_array().unwrap().len());
            for screened in findings {
                match screened {
                    Screened::Ignored(ignored) => {
                        prop_assert!(!ignored.id.is_empty());
                        prop_assert!(ignored.detail.chars().count() < 250);
                    }
                    Screened::Wanted(Finding {
                        ask: Ask::PasswordAge { users, .. } | Ask::ForcedReset { users, .. },
                        ..
                    }) => prop_assert!(!users.is_empty()),
                    Screened::Wanted(_) => {}
                }
            }
        }
        Ok(_) => {}
        Err(problem) => prop_assert!(problem.to_string().chars().count() < 800),
    }
    Ok(())
}

proptest! {
    #[test]
    fn anything_at_all_is_read_or_refused(event in any_json()) {
        check(&event)?;
    }

    #[test]
    fn any_distortion_of_a_sample_is_read_or_refused(mut event in any_sample(), changes in any_changes()) {
        for (place, with) in changes {
            mutate(&mut event, place, with);
        }
        check(&event)?;
    }

    #[test]
    fn a_distorted_finding_leaves_its_neighbour_alone(
        name in select(vec!["password-age-imported.json", "iam7-v2.json", "custom-action.json"]),
        changes in any_changes(),
    ) {
        let mut event = sample(name);
        let good = event["detail"]["findings"][0].clone();
        let mut bad = good.clone();
        for (place, with) in changes {
            mutate(&mut bad, place, with);
        }
        let alone = findings(&event);
        event["detail"]["findings"] = json!([bad, good, bad]);
        prop_assert_eq!(&findings(&event)[1], &alone[0]);
    }

    #[test]
    fn fields_that_are_not_known_change_nothing_in_a_finding(
        (name, mut event) in select(samples_with_findings()),
        place in any::<Index>(),
        value in any_json(),
    ) {
        let before = read(&event);
        let list = &mut event["detail"]["findings"];
        let mut found = Vec::new();
        places(list, "", &mut found);
        found.retain(|place| list.pointer(place).unwrap().is_object());
        let place: &String = place.get(&found);
        list.pointer_mut(place).unwrap()["x-unknown"] = value;
        prop_assert_eq!(read(&event), before, "{}", name);
    }

    #[test]
    fn whoever_can_only_import_findings_cannot_make_one_count(
        account in "[0-9]{12}",
        name in "[a-z0-9/:]{0,24}",
        generator in prop_oneof![Just(OWN_GENERATOR.to_owned()), "[a-zA-Z0-9/.-]{0,30}"],
    ) {
        prop_assume!(account != "123456789012");
        for sample in ["password-age-imported.json", "iam7-imported.json"] {
            let found = changed(sample, |finding| {
                finding["ProductArn"] = json!(format!("arn:aws:securityhub:us-east-1:{account}:product/{name}"));
                finding["GeneratorId"] = json!(generator);
            });
            prop_assert_eq!(found, "untrusted-product");
        }
    }

    /// Whoever may import findings into an account can write anything at all under
    /// its default product and this function's generator.
    #[test]
    fn a_finding_under_this_functions_name_never_asks_for_a_policy_or_carries_a_limit(
        name in select(vec!["password-age-own.json", "forged-own-policy.json", "forged-own-limit.json"]),
        occasion in select(vec!["Security Hub Findings - Imported", "Security Hub Findings - Custom Action"]),
        account in select(vec!["123456789012", "444455556666"]),
        content in btree_map(select(vec!["Compliance", "ProductFields", "Resources", "Title"]), any_json(), 0..3),
        control in select(vec!["IAM.7", "IAM.17", "IAM.8"]),
        changes in proptest::option::of(any_changes()),
    ) {
        let mut event = sample(name);
        event["detail-type"] = json!(occasion);
        let finding = &mut event["detail"]["findings"][0];
        for (place, with) in changes.into_iter().flatten() {
            mutate(finding, place, with);
        }
        if !finding.is_object() {
            *finding = json!({});
        }
        for (field, value) in content {
            finding[field] = value;
        }
        if !finding["Compliance"].is_object() {
            finding["Compliance"] = json!({ "Status": "FAILED" });
        }
        finding["Compliance"]["SecurityControlId"] = json!(control);
        finding["Compliance"]["SecurityControlParameters"] = json!([
            { "Name": "MaxPasswordAge", "Value": ["1"] }, { "Name": "MinimumPasswordLength", "Value": ["128"] },
        ]);
        finding["Id"] = json!("finding-1");
        finding["ProductArn"] = json!(format!("arn:aws:securityhub:us-east-1:{account}:product/{account}/default"));
        finding["GeneratorId"] = json!(OWN_GENERATOR);
        finding["AwsAccountId"] = json!(account);
        for generator in [OWN_GENERATOR, "security-control/IAM.7"] {
            event["detail"]["findings"][0]["GeneratorId"] = json!(generator);
            let found = &findings(&event)[0];
            let harmless = match found {
                Screened::Ignored(_) => true,
                Screened::Wanted(Finding { ask: Ask::PasswordAge { users, max_age_days }, .. }) => {
                    max_age_days.is_none() && users.iter().all(|user| user.account_id().as_str() == account)
                }
                // Only a person's word makes one of these.
                Screened::Wanted(Finding { ask: Ask::ForcedReset { users }, .. }) => {
                    occasion.ends_with("Custom Action")
                        && users.iter().all(|user| user.account_id().as_str() == account)
                }
                Screened::Wanted(Finding { ask: Ask::Policy { .. }, .. }) => false,
            };
            prop_assert!(harmless, "{found:?}");
        }
    }
}
