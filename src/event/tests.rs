//! The whole stage at once: every sample event, what AWS is known to send, and
//! what nobody should.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

use super::*;
use crate::account::password_policy::Requirement;
use crate::globs::Globs;

const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events");

fn home() -> Home {
    "arn:aws:lambda:us-east-1:123456789012:function:iam-password-remediator".parse().unwrap()
}

fn rules() -> Rules {
    Rules { password_age_findings: Globs::parse("*password-age*"), trusted_products: Globs::default() }
}

fn read(event: &Value) -> Result<Request, Unsupported> {
    parse(event, &home(), &rules())
}

fn sample(name: &str) -> Value {
    let text = fs::read_to_string(Path::new(EVENTS).join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn samples() -> BTreeMap<String, Value> {
    let names = fs::read_dir(EVENTS).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "README.md").map(|name| (name.clone(), sample(&name))).collect()
}

fn samples_with_findings() -> Vec<(String, Value)> {
    samples().into_iter().filter(|(_, event)| event["detail"]["findings"].is_array()).collect()
}

fn show_user(user: &UserRef) -> String {
    match user {
        UserRef::Named { name, .. } => name.to_string(),
        UserRef::Identified { id, .. } => id.to_string(),
        UserRef::Root { .. } => "root".to_owned(),
    }
}

fn show_users(users: &[UserRef]) -> String {
    users.iter().map(show_user).collect::<Vec<_>>().join("+")
}

fn show(request: &Result<Request, Unsupported>) -> String {
    let show_finding = |screened: &Screened| match screened {
        Screened::Ignored(ignored) => ignored.reason.to_string(),
        Screened::Wanted(finding) => match &finding.ask {
            Ask::Policy { control, .. } => format!("policy {control}"),
            Ask::PasswordAge { users, max_age_days: None } => format!("age {}", show_users(users)),
            Ask::PasswordAge { users, max_age_days: Some(days) } => format!("age>{days} {}", show_users(users)),
            Ask::ForcedReset { users, .. } => format!("force {}", show_users(users)),
        },
    };
    match request {
        Err(_) => "unsupported".to_owned(),
        Ok(Request::Findings(findings)) => findings.iter().map(show_finding).collect::<Vec<_>>().join(", "),
        Ok(Request::Reset(order)) => {
            let mut shown = format!("reset {}", show_user(&order.user));
            for (is_set, mark) in [(order.force, " force"), (order.dry_run, " dry-run")] {
                shown.push_str(if is_set { mark } else { "" });
            }
            shown
        }
        Ok(Request::Sweep(order)) => {
            let limit = order.max_resets.map_or_else(String::new, |limit| format!(" at most {limit}"));
            format!("sweep{limit}{}", if order.dry_run { " dry-run" } else { "" })
        }
        Ok(Request::Batch(items)) => items.iter().map(|item| show(&item.request)).collect::<Vec<_>>().join("; "),
    }
}

fn outcome(event: &Value) -> String {
    show(&read(event))
}

#[test]
fn every_sample_event_is_read_as_its_readme_says() {
    let expected = [
        ("already-notified.json", "already-handled"),
        ("archived.json", "archived"),
        ("cis-v1.2-1.9.json", "policy IAM.15"),
        ("cis-v5.0-1.8.json", "policy IAM.16"),
        ("custom-action.json", "force alice+bob"),
        ("forged-product.json", "untrusted-product"),
        ("iam10-pci-3.2.1.json", "policy IAM.10"),
        ("iam17-imported.json", "policy IAM.17"),
        ("iam7-control-tower.json", "policy IAM.7"),
        ("iam7-fsbp-legacy.json", "policy IAM.7"),
        ("iam7-imported.json", "policy IAM.7"),
        ("iam7-v2.json", "policy IAM.7"),
        ("insight-results.json", "unsupported"),
        ("malformed-neighbour.json", "malformed, malformed, age alice"),
        ("passed.json", "not-failed"),
        ("password-age-conformance-pack.json", "age carol"),
        ("password-age-exempt-user.json", "age breakglass"),
        ("password-age-imported.json", "age alice"),
        ("password-age-legacy.json", "age bob"),
        ("password-age-own.json", "age>90 alice+carol"),
        ("password-age-v2.json", "age carol"),
        ("reset-dry-run.json", "reset alice dry-run"),
        ("reset-fresh.json", "reset dave"),
        ("reset-manual-force.json", "reset dave force"),
        ("reset-manual.json", "reset alice"),
        ("reset-typo.json", "unsupported"),
        ("root.json", "force root"),
        ("sqs-batch.json", "age alice; reset bob; reset breakglass; unsupported"),
        ("suppressed.json", "suppressed"),
        ("sweep-dry-run.json", "sweep dry-run"),
        ("sweep-held.json", "sweep at most 1"),
        ("sweep.json", "sweep"),
        ("unsupported-control.json", "unsupported-control"),
    ];
    let read: Vec<_> = samples().iter().map(|(name, event)| (name.clone(), outcome(event))).collect();
    let expected: Vec<_> = expected.map(|(name, outcome)| (name.to_owned(), outcome.to_owned())).into();
    assert_eq!(read, expected);
    let readme = fs::read_to_string(Path::new(EVENTS).join("README.md")).unwrap();
    for (name, _) in read {
        assert!(readme.contains(&format!("`{name}`")), "the README does not tell of {name}");
    }
}

#[test]
fn a_finding_carries_what_it_takes_to_act_on_it_and_to_record_that() {
    let Ok(Request::Findings(findings)) = read(&sample("iam7-v2.json")) else { panic!() };
    let uid = "arn:aws:securityhub:us-east-1:123456789012:security-control/IAM.7/finding/\
        9b74c989-7bac-4d1e-8b0e-2f6c5a7d9e31";
    let wanted = Finding {
        id: uid.to_owned(),
        reference: FindingRef::Ocsf {
            account_uid: "123456789012".parse().unwrap(),
            finding_uid: uid.to_owned(),
            product_uid: "arn:aws:securityhub:us-east-1::productv2/aws/securityhub".to_owned(),
            metadata_uid: Some("6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b".to_owned()),
            status: OcsfStatus::New,
        },
        ask: Ask::Policy {
            account_id: "123456789012".parse().unwrap(),
            control: Control::Iam7,
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
    assert_eq!(findings, [Screened::Wanted(wanted)]);
    let Ok(Request::Findings(same)) = read(&sample("iam7-imported.json")) else { panic!() };
    let [Screened::Wanted(asff), Screened::Wanted(ocsf)] = [&same[0], &findings[0]] else { panic!() };
    assert_eq!(asff.ask, ocsf.ask, "both products of Security Hub ask for the same");
}

#[test]
fn an_ignored_finding_is_named_and_explained() {
    let Ok(Request::Findings(findings)) = read(&sample("malformed-neighbour.json")) else { panic!() };
    let ignored: Vec<_> = findings
        .iter()
        .filter_map(|screened| match screened {
            Screened::Ignored(ignored) => Some((&*ignored.id, ignored.detail.as_deref().unwrap())),
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
                "a user of account 123456789012 in a finding of account `111122223333`"
            ),
        ]
    );
}

// What AWS does.

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
    for (name, expected) in [("password-age-imported.json", "age alice"), ("iam7-imported.json", "policy IAM.7")] {
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
    assert_eq!(show(&parse(&event, &home(), &trusting)), "unsupported-control");
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
    let event = sample("forged-product.json");
    let trust = |list| Rules { trusted_products: Globs::parse(list), ..rules() };
    for (list, expected) in [
        ("arn:aws:securityhub:*:444455556666:product/444455556666/default", "age alice"),
        ("*:product/444455556666/*", "age alice"),
        ("444455556666", "untrusted-product"),
        ("arn:aws:securityhub:us-east-1:444455556666:product/444455556666", "untrusted-product"),
    ] {
        assert_eq!(show(&parse(&event, &home(), &trust(list))), expected, "{list}");
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
fn the_age_that_a_finding_asks_for_is_taken_within_what_iam_allows() {
    for (value, expected) in [
        (json!(["1"]), "age>1 alice+carol"),
        (json!(["1095"]), "age>1095 alice+carol"),
        (json!(["0"]), "age alice+carol"),
        (json!(["1096"]), "age alice+carol"),
        (json!(["ninety"]), "age alice+carol"),
        (json!([]), "age alice+carol"),
        (json!("90"), "age alice+carol"),
    ] {
        let found = changed("password-age-own.json", |finding| {
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
    assert_eq!(outcome(&event), "force alice, force alice, not-failed, policy IAM.7, force alice, force carol");
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

// Queues.

fn batch(bodies: &[&str]) -> Value {
    let record = |(place, body): (usize, &&str)| json!({ "messageId": place.to_string(), "eventSource": "aws:sqs", "body": body });
    json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() })
}

#[test]
fn a_message_holds_any_input_but_a_batch() {
    for (name, event) in samples() {
        let alone = outcome(&event);
        let queued = outcome(&batch(&[&event.to_string()]));
        assert_eq!(queued, if name == "sqs-batch.json" { "unsupported" } else { &alone }, "{name}");
    }
    for body in ["", "null", "[]", "\"text\"", "{", "{}", &"[".repeat(1000)] {
        assert_eq!(outcome(&batch(&[body])), "unsupported", "{body}");
    }
}

#[test]
fn messages_keep_their_ids_and_fail_alone() {
    let event = batch(&["not JSON", r#"{"action":"sweep"}"#, r#"{"action":"dance"}"#]);
    let Ok(Request::Batch(items)) = read(&event) else { panic!() };
    let items: Vec<_> = items.iter().map(|item| (&*item.message_id, item.request.is_ok())).collect();
    assert_eq!(items, [("0", false), ("1", true), ("2", false)]);
}

#[test]
fn a_job_is_taken_from_the_queue_only() {
    let job = r#"{"job":"reset","account_id":"123456789012","user_name":"alice","max_age_days":30}"#;
    let Ok(Request::Batch(items)) = read(&batch(&[job])) else { panic!() };
    let Ok(Request::Reset(order)) = &items[0].request else { panic!() };
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
         `reset` or `sweep`, found `Security Hub Insight Results` from `aws.securityhub`"
    );
    let text = read(&sample("reset-typo.json")).unwrap_err().to_string();
    assert_eq!(
        text,
        "expected only `action`, `user_name`, `account_id`, `force`, `dry_run` in a reset, found `dryrun`"
    );
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
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
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
        Ok(Request::Findings(screened)) => {
            prop_assert_eq!(screened.len(), event["detail"]["findings"].as_array().unwrap().len());
            for screened in screened {
                match screened {
                    Screened::Ignored(ignored) => {
                        prop_assert!(!ignored.id.is_empty());
                        prop_assert!(ignored.detail.unwrap_or_default().chars().count() < 250);
                    }
                    Screened::Wanted(Finding {
                        ask: Ask::PasswordAge { users, .. } | Ask::ForcedReset { users, .. },
                        ..
                    }) => prop_assert!(!users.is_empty()),
                    Screened::Wanted(_) => {}
                }
            }
        }
        Ok(Request::Batch(items)) => {
            for item in items {
                prop_assert!(!matches!(item.request, Ok(Request::Batch(_))));
            }
        }
        Ok(Request::Reset(_) | Request::Sweep(_)) => {}
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
        let Ok(Request::Findings(alone)) = read(&event) else { panic!("{name}") };
        event["detail"]["findings"] = json!([bad, good, bad]);
        let Ok(Request::Findings(all)) = read(&event) else { panic!("{name}") };
        prop_assert_eq!(&all[1], &alone[0]);
    }

    #[test]
    fn fields_that_are_not_known_change_nothing_in_a_finding(
        (name, mut event) in select(samples_with_findings()),
        place in any::<Index>(),
        value in any_json(),
    ) {
        let before = read(&event);
        let findings = &mut event["detail"]["findings"];
        let mut found = Vec::new();
        places(findings, "", &mut found);
        found.retain(|place| findings.pointer(place).unwrap().is_object());
        let place: &String = place.get(&found);
        findings.pointer_mut(place).unwrap()["x-unknown"] = value;
        prop_assert_eq!(read(&event), before, "{}", name);
    }

    #[test]
    fn whoever_can_only_import_findings_cannot_make_one_count(
        account in "[0-9]{12}",
        name in "[a-z0-9/:]{0,24}",
        generator in "[a-zA-Z0-9/.-]{0,30}",
    ) {
        prop_assume!(account != "123456789012");
        for sample in ["password-age-imported.json", "iam7-imported.json"] {
            let found = changed(sample, |finding| {
                finding["ProductArn"] = json!(format!("arn:aws:securityhub:us-east-1:{account}:product/{name}"));
                finding["GeneratorId"] = json!(format!("{OWN_GENERATOR_PREFIX}{generator}"));
            });
            prop_assert_eq!(found, "untrusted-product");
        }
    }
}
