//! Everything automatic obeys one limit: above it nobody of an account is reset,
//! whatever asks, until a person approves it.

use std::collections::BTreeMap;
use std::time::Duration;

use iam_password_remediator::handler::App;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::world::{ACCOUNT, Fault, World};

const OPENING: &str = "Held until a person approves it:";

fn sample(name: &str) -> Value {
    let path = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A finding of the organisation's Config rule about a user.
fn finding(user: &str) -> Value {
    let mut event = sample("password-age-imported");
    event["id"] = json!(format!("event-of-{user}"));
    let finding = &mut event["detail"]["findings"][0];
    finding["Id"] = json!(format!("finding-of-{user}"));
    finding["Resources"][0]["Id"] = json!(format!("arn:aws:iam::{ACCOUNT}:user/{user}"));
    event
}

/// The same in OCSF.
fn finding_v2(user: &str) -> Value {
    let mut event = sample("password-age-v2");
    let finding = &mut event["detail"]["findings"][0];
    finding["finding_info"]["uid"] = json!(format!("finding-of-{user}"));
    finding["resources"][0]["uid_alt"] = json!(format!("arn:aws:iam::{ACCOUNT}:user/{user}"));
    event
}

/// The event by which Security Hub answers an update of the event's finding.
fn sent_again(event: &Value, update: &Value) -> Value {
    let mut event = event.clone();
    let finding = &mut event["detail"]["findings"][0];
    if let Some(comment) = update.get("Comment") {
        finding["comment"] = comment.clone();
        if let Some(status) = update.get("StatusId") {
            finding["status_id"] = status.clone();
        }
    } else {
        finding["Note"] = update["Note"].clone();
        finding["Note"]["UpdatedAt"] = json!("2026-11-20T08:20:00.000Z");
        if let Some(workflow) = update.get("Workflow") {
            finding["Workflow"] = workflow.clone();
        }
    }
    event
}

fn note(update: &Value) -> &str {
    update.get("Comment").unwrap_or(&update["Note"]["Text"]).as_str().unwrap()
}

/// An account of `alice` and so many others, all with old passwords.
fn account(others: usize) -> World {
    let world = World::new();
    for number in 1..=others {
        world.add_user(&format!("user{number:03}"), 100);
    }
    world
}

fn exempt(world: &World, user: &str) {
    world.edit_user(user, |user| drop(user.tags.insert("password-remediation".into(), "exempt".into())));
}

async fn app(world: &World, limit: &str) -> App {
    world.app(World::config(&[("MAX_RESETS_PER_SWEEP", limit)])).await
}

async fn answer(world: &World, app: &App, event: &Value) -> Value {
    world.deliver_to(app, event).await.unwrap().unwrap()
}

async fn failure(world: &World, app: &App, event: &Value) -> Value {
    let error = world.deliver_to(app, event).await.unwrap().unwrap_err();
    serde_json::from_str(&error.error_message).unwrap()
}

fn statuses(answer: &Value) -> BTreeMap<&str, &str> {
    let users = answer["users"].as_array().unwrap();
    let statuses: BTreeMap<&str, &str> =
        users.iter().map(|user| (user["user_name"].as_str().unwrap(), user["status"].as_str().unwrap())).collect();
    assert_eq!(statuses.len(), users.len(), "each once: {answer}");
    statuses
}

fn calls(world: &World, operation: &str) -> usize {
    world.state().calls.iter().filter(|call| *call == operation).count()
}

/// The documents for programs of the messages of that kind.
fn messages(world: &World, kind: &str) -> Vec<Value> {
    let state = world.state();
    let documents = state.messages.iter().map(|message| -> Value {
        let parts: Value = serde_json::from_str(message["Message"].as_str().unwrap()).unwrap();
        serde_json::from_str(parts["default"].as_str().unwrap()).unwrap()
    });
    documents.filter(|document| document["kind"] == kind).collect()
}

/// On how many days there was something to tell: on two if the test runs at midnight.
fn days(world: &World) -> usize {
    world.state().ledger.items.keys().filter(|id| id.starts_with("message#sweep-held#")).count()
}

fn assert_told_once_a_day(world: &World) -> Value {
    let told = messages(world, "sweep-held");
    assert!((1..=days(world)).contains(&told.len()), "{told:?}");
    told[0].clone()
}

/// Puts into the ledger what it would know of a user.
fn know(world: &World, user: &str, times: &[(&str, time::Duration)]) {
    let mut item = serde_json::Map::from_iter([("id".to_owned(), json!({"S": format!("user#{ACCOUNT}#{user}")}))]);
    for (attribute, ago) in times {
        let at = (OffsetDateTime::now_utc() - *ago).unix_timestamp() * 1000;
        item.insert((*attribute).to_owned(), json!({"N": at.to_string()}));
    }
    world.state().ledger.items.insert(format!("user#{ACCOUNT}#{user}"), item);
}

#[tokio::test(start_paused = true)]
async fn of_four_hundred_stale_users_with_a_finding_each_nobody_is_reset_until_one_command_approves_it() {
    let world = account(399);
    let names: Vec<String> = world.state().users.keys().cloned().collect();
    // On the last page of everyone's tags.
    world.add_user("zoe", 900);
    exempt(&world, "zoe");
    let lambda = app(&world, "25").await;
    for (number, name) in names.iter().enumerate() {
        let event = finding(name);
        let held = answer(&world, &lambda, &event).await;
        assert_eq!(statuses(&held), [(name.as_str(), "held")].into(), "{held}");
        // Each update sends the finding again; to try some of them is enough.
        if number % 20 == 0 {
            let update = world.state().updates.last().unwrap().clone();
            answer(&world, &lambda, &sent_again(&event, &update)).await;
        }
    }
    {
        let state = world.state();
        assert!(state.passwords_sent.is_empty() && state.resets == 0 && state.secrets.is_empty());
        assert_eq!(state.updates.len(), names.len(), "one note a finding");
        for update in &state.updates {
            assert!(update.get("Workflow").is_none(), "it stays new: {update}");
            assert!(note(update).starts_with(OPENING), "{update}");
            let approval = format!(r#"{{"action":"sweep","account_id":"{ACCOUNT}","max_resets":400}}"#);
            assert!(note(update).contains(&approval) && note(update).contains("more than the 25 "), "{update}");
        }
    }
    let told = assert_told_once_a_day(&world);
    assert_eq!(told["user_count"], 400);
    assert_eq!(messages(&world, "remediation-failed"), Vec::<Value>::new());

    let swept = answer(&world, &lambda, &told["approval"]).await;
    assert_eq!(swept["totals"]["reset"], 400, "{}", swept["totals"]);
    for name in &names {
        world.assert_reset(name, name);
    }
    let last = answer(&world, &lambda, &finding("alice")).await;
    assert_eq!(last["users"][0]["reason"], "already-reset");
    assert_eq!(world.state().updates.last().unwrap()["Workflow"]["Status"], "NOTIFIED");
    assert_eq!(world.state().resets, 400);
}

#[tokio::test(start_paused = true)]
async fn the_note_of_a_held_finding_is_written_once_though_each_update_sends_the_finding_again() {
    for event in [finding("alice"), finding_v2("alice")] {
        let world = account(2);
        let lambda = app(&world, "1").await;
        let mut event = event;
        for round in 0..5 {
            answer(&world, &lambda, &event).await;
            let updates = world.state().updates.clone();
            assert_eq!(updates.len(), 1, "round {round}");
            event = sent_again(&event, &updates[0]);
            // Others become too old meanwhile: the note would tell another number.
            world.add_user(&format!("late{round}"), 100);
            world.state().report = None;
        }
        assert!(note(&world.state().updates[0]).starts_with(&format!("{OPENING} 3 users")));
        assert_told_once_a_day(&world);
    }
}

#[tokio::test(start_paused = true)]
async fn the_note_of_a_held_finding_replaces_any_other_and_is_replaced_when_it_is_over() {
    for v2 in [false, true] {
        let mut event = if v2 { finding_v2("alice") } else { finding("alice") };
        if v2 {
            event["detail"]["findings"][0]["comment"] = json!("Ask Bob.");
        } else {
            event["detail"]["findings"][0]["Note"] = json!({"Text": "Ask Bob.", "UpdatedBy": "carol"});
        }
        let world = account(1);
        answer(&world, &app(&world, "1").await, &event).await;
        let update = world.state().updates[0].clone();
        assert!(note(&update).starts_with(OPENING), "{update}");
        answer(&world, &app(&world, "2").await, &sent_again(&event, &update)).await;
        let update = world.state().updates[1].clone();
        assert!(note(&update).contains("of IAM user alice (120 days old) reset"), "{update}");
        assert!(update["Workflow"]["Status"] == "NOTIFIED" || update["StatusId"] == 2, "{update}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_exempt_fresh_or_dealt_with_already_does_not_count() {
    const DAY: time::Duration = time::Duration::DAY;
    type Change = fn(&World);
    let uncounted: [(&str, Change); 8] = [
        ("exempt by name", |world| world.edit_user("user001", |user| user.path = "/break-glass/".to_owned())),
        ("exempt by tag", |world| exempt(world, "user001")),
        ("without a console password", |world| world.edit_user("user001", |user| user.login = None)),
        ("not too old", |world| world.add_user("user001", 89)),
        ("reset since the report", |world| know(world, "user001", &[("changed_at", time::Duration::HOUR)])),
        ("reset and never signed in", |world| know(world, "user001", &[("changed_at", DAY * 99)])),
        ("in grace", |world| know(world, "user001", &[("demanded_at", DAY * 2), ("due_at", -DAY)])),
        ("gone", |world| drop(world.state().users.remove("user001"))),
    ];
    let counted: [(&str, Change); 4] = [
        ("nothing special", |_| {}),
        ("tagged otherwise", |world| {
            world.edit_user("user001", |user| drop(user.tags.insert("password-remediation".into(), "due".into())));
        }),
        ("reset before the user chose the password", |world| know(world, "user001", &[("changed_at", DAY * 101)])),
        ("in grace for an earlier password", |world| {
            know(world, "user001", &[("demanded_at", DAY * 200), ("due_at", DAY * 190)]);
        }),
    ];
    for (expected, changes) in [("reset", &uncounted[..]), ("held", &counted[..])] {
        for (case, change) in changes {
            let world = account(2);
            change(&world);
            let config = [("MAX_RESETS_PER_SWEEP", "2"), ("EXEMPT_USERS", "/break-glass/*")];
            let lambda = world.app(World::config(&config)).await;
            let told = answer(&world, &lambda, &finding("alice")).await;
            assert_eq!(statuses(&told), [("alice", expected)].into(), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_does_not_count_is_dealt_with_though_the_others_are_held() {
    let world = account(4);
    exempt(&world, "user001");
    world.add_user("user002", 10);
    let lambda = app(&world, "1").await;
    for (user, expected) in [("user001", "exempt"), ("user002", "password-fresh"), ("nobody", "user-not-found")] {
        let told = answer(&world, &lambda, &finding(user)).await;
        assert_eq!(told["users"][0]["reason"], expected, "{told}");
    }
    assert!(world.state().updates.is_empty() && messages(&world, "sweep-held").is_empty());
}

#[tokio::test(start_paused = true)]
async fn as_many_as_are_allowed_are_reset_by_findings_and_no_tags_are_read() {
    let world = account(1);
    let lambda = app(&world, "2").await;
    for user in ["alice", "user001"] {
        assert_eq!(answer(&world, &lambda, &finding(user)).await["totals"]["reset"], 1);
    }
    assert_eq!(calls(&world, "GetAccountAuthorizationDetails"), 0);
    assert!(messages(&world, "sweep-held").is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_that_of_the_account_where_its_policy_is_stricter() {
    let world = World::new();
    world.add_user("bob", 50);
    world.add_user("carol", 50);
    let lambda = app(&world, "2").await;
    world.state().policy.as_mut().unwrap().max_age = Some(30);
    assert_eq!(answer(&world, &lambda, &finding("bob")).await["totals"]["held"], 1);
    world.state().policy.as_mut().unwrap().max_age = None;
    assert_eq!(answer(&world, &lambda, &finding("alice")).await["totals"]["reset"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_person_is_not_held() {
    let world = account(4);
    let lambda = app(&world, "1").await;
    let mut action = sample("custom-action");
    action["detail"]["findings"][0]["Resources"][0]["Id"] = json!(format!("arn:aws:iam::{ACCOUNT}:user/user001"));
    action["detail"]["findings"].as_array_mut().unwrap().truncate(1);
    let job = json!({"job": "reset", "account_id": ACCOUNT, "user_name": "user002"}).to_string();
    let batch = json!({"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": job}]});
    for (event, user) in [
        (json!({"action": "reset", "user_name": "alice"}), "alice"),
        (action, "user001"),
        (batch, "user002"),
        (json!({"action": "reset", "user_name": "user003", "force": true}), "user003"),
    ] {
        answer(&world, &lambda, &event).await;
        world.assert_reset(user, user);
    }
    assert_eq!(world.state().resets, 4);
    assert!(messages(&world, "sweep-held").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_approved_sweep_with_a_queue_is_not_held_again_job_by_job() {
    let world = account(3);
    let queue = ("WORK_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/jobs");
    let lambda = world.app(World::config(&[queue, ("MAX_RESETS_PER_SWEEP", "1")])).await;
    assert_eq!(answer(&world, &lambda, &json!({"action": "sweep"})).await["totals"]["held"], 4);
    assert!(world.state().queue.is_empty());
    let told = assert_told_once_a_day(&world);
    assert_eq!(answer(&world, &lambda, &told["approval"]).await["totals"]["queued"], 4);
    let jobs = std::mem::take(&mut world.state().queue);
    let record =
        |(id, body): (usize, &String)| json!({"messageId": id.to_string(), "eventSource": "aws:sqs", "body": body});
    let records: Vec<Value> = jobs.iter().enumerate().map(record).collect();
    answer(&world, &lambda, &json!({"Records": records})).await;
    assert_eq!(world.state().resets, 4);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_findings_counts_once() {
    let world = account(9);
    let lambda = app(&world, "1").await;
    let record = |(id, name): (usize, &String)| {
        let body = finding(name).to_string();
        json!({"messageId": id.to_string(), "eventSource": "aws:sqs", "body": body})
    };
    let names: Vec<String> = world.state().users.keys().cloned().collect();
    let records: Vec<Value> = names.iter().enumerate().map(record).collect();
    let told = answer(&world, &lambda, &json!({"Records": records})).await;
    assert_eq!(told, json!({"batchItemFailures": []}));
    assert_eq!(calls(&world, "GetAccountAuthorizationDetails"), 1);
    let (updates, resets) = {
        let state = world.state();
        (state.updates.len(), state.resets)
    };
    assert_eq!((updates, resets), (10, 0));
    assert_told_once_a_day(&world);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_and_findings_that_are_held_are_one_message_and_name_each_user_once() {
    let world = account(3);
    exempt(&world, "user003");
    let lambda = app(&world, "2").await;
    let mut event = sample("iam7-imported");
    let findings = event["detail"]["findings"].as_array_mut().unwrap();
    for user in ["alice", "user003"] {
        findings.push(finding(user)["detail"]["findings"][0].clone());
    }
    let held = answer(&world, &lambda, &event).await;
    let expected = [("alice", "held"), ("user001", "held"), ("user002", "held"), ("user003", "skipped")];
    assert_eq!(statuses(&held), expected.into(), "{held}");
    let state = world.state().updates.clone();
    let workflows: Vec<&Value> = state.iter().map(|update| &update["Workflow"]["Status"]).collect();
    assert_eq!(workflows, [&json!("RESOLVED"), &Value::Null], "the policy's, and alice's");
    answer(&world, &lambda, &json!({"action": "sweep"})).await;
    assert_told_once_a_day(&world);
}

#[tokio::test(start_paused = true)]
async fn the_next_day_operators_are_told_again() {
    let world = account(2);
    let lambda = app(&world, "1").await;
    answer(&world, &lambda, &finding("alice")).await;
    assert_told_once_a_day(&world);
    let before = messages(&world, "sweep-held").len();
    world.let_pass(Duration::from_hours(24));
    answer(&world, &lambda, &finding("alice")).await;
    assert_eq!(messages(&world, "sweep-held").len(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn where_tags_may_not_be_read_users_are_held_and_a_person_is_told_so() {
    let world = account(2);
    exempt(&world, "user001");
    world.state().fault = Some(Fault::Always("GetAccountAuthorizationDetails", 403, "AccessDenied"));
    let lambda = app(&world, "2").await;
    let held = answer(&world, &lambda, &finding("alice")).await;
    assert_eq!(statuses(&held), [("alice", "held")].into());
    let why = "iam:GetAccountAuthorizationDetails failed: AccessDenied";
    assert!(held["users"][0]["reason"].as_str().unwrap().contains(why), "{held}");
    assert!(note(&world.state().updates[0]).contains(why));
    let told = assert_told_once_a_day(&world);
    assert!(told["tags_unread"].as_str().unwrap().contains(why), "{told}");
    assert_eq!(world.state().resets, 0);
}

#[tokio::test(start_paused = true)]
async fn where_tags_cannot_be_read_for_now_a_retry_looks_again() {
    let world = account(2);
    exempt(&world, "user001");
    world.state().fault = Some(Fault::Always("GetAccountAuthorizationDetails", 400, "Throttling"));
    let lambda = app(&world, "2").await;
    for event in [finding("alice"), json!({"action": "sweep"})] {
        let failed = failure(&world, &lambda, &event).await;
        assert!(failed["users"][0]["reason"].as_str().unwrap().contains("Throttling"), "{failed}");
    }
    assert!(world.state().messages.is_empty() && world.state().updates.is_empty());
    world.state().fault = None;
    assert_eq!(answer(&world, &lambda, &finding("alice")).await["totals"]["reset"], 1);
}

#[tokio::test(start_paused = true)]
async fn operators_who_could_not_be_told_are_told_by_a_retry_after_a_minute() {
    let world = account(2);
    let lambda = app(&world, "1").await;
    world.state().fault = Some(Fault::Always("Publish", 500, "InternalFailure"));
    let failed = failure(&world, &lambda, &finding("alice")).await;
    assert_eq!(statuses(&failed), [("*", "failed"), ("alice", "held")].into());
    let reason = failed["users"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("users are held, but operators could not be told: sns:Publish"), "{reason}");
    world.state().fault = None;
    answer(&world, &lambda, &finding("user001")).await;
    assert!(messages(&world, "sweep-held").is_empty(), "for a minute that is left to whoever tries");
    world.let_pass(Duration::from_mins(1));
    for _ in 0..3 {
        answer(&world, &lambda, &finding("alice")).await;
    }
    assert_told_once_a_day(&world);
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_operators_are_told_leaves_it_to_the_next_run() {
    let calls = {
        let world = account(2);
        answer(&world, &app(&world, "1").await, &finding("alice")).await;
        world.state().calls.clone()
    };
    let publish = calls.iter().position(|call| call == "Publish").unwrap();
    assert_eq!((&*calls[publish - 1], &*calls[publish + 1]), ("UpdateItem", "UpdateItem"));
    for (at, call) in calls.iter().enumerate() {
        let world = account(2);
        world.state().fault = Some(Fault::CrashAfter(at));
        let _ = world.deliver_to(&app(&world, "1").await, &finding("alice")).await;
        world.state().fault = None;
        world.let_pass(Duration::from_mins(1));
        let lambda = app(&world, "1").await;
        answer(&world, &lambda, &finding("alice")).await;
        let told = messages(&world, "sweep-held").len();
        let expected = if at == publish { 2 } else { 1 };
        assert!(told == expected || days(&world) > 1, "crash after {at}, {call}: {told} messages");
        assert!(note(world.state().updates.last().unwrap()).starts_with(OPENING));
        assert_eq!(world.state().resets, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn that_a_message_was_sent_and_not_noted_fails_nothing() {
    let world = account(2);
    let lambda = app(&world, "1").await;
    answer(&world, &lambda, &finding("alice")).await;
    let publish = world.state().calls.iter().position(|call| call == "Publish").unwrap();
    let world = account(2);
    let lambda = app(&world, "1").await;
    world.state().fault = Some(Fault::Error(publish + 1, 400, "AccessDeniedException"));
    assert_eq!(answer(&world, &lambda, &finding("alice")).await["totals"]["failed"], 0);
    assert_eq!(messages(&world, "sweep-held").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_the_ledger_nobody_is_told_and_the_run_fails() {
    let world = account(2);
    let lambda = app(&world, "1").await;
    world.state().fault = Some(Fault::Always("UpdateItem", 400, "ResourceNotFoundException"));
    let failed = failure(&world, &lambda, &finding("alice")).await;
    assert!(failed["users"][0]["reason"].as_str().unwrap().contains("dynamodb:UpdateItem"), "{failed}");
    assert!(messages(&world, "sweep-held").is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_comes_to_its_end_though_the_user_is_held() {
    for event in [finding("alice"), json!({"action": "sweep"})] {
        let world = World::new();
        world.state().fault = Some(Fault::Always("Publish", 403, "AuthorizationError"));
        failure(&world, &app(&world, "1").await, &finding("alice")).await;
        world.state().fault = None;
        world.add_user("bob", 100);
        world.add_user("carol", 100);
        world.edit_user("alice", |user| user.login.as_mut().unwrap().changed -= time::Duration::days(120));
        world.state().report = None;
        let lambda = app(&world, "1").await;
        let told = answer(&world, &lambda, &event).await;
        assert_eq!(statuses(&told)["alice"], "reset", "{told}");
        world.assert_reset("alice", "");
        assert_eq!(messages(&world, "password-reset").len(), 1);
        for name in ["bob", "carol"] {
            assert!(!world.state().users[name].login.as_ref().unwrap().reset_required, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_only_was_chosen_leaves_its_user_held_and_the_finding_new() {
    let world = World::new();
    let lambda = app(&world, "1").await;
    world.state().fault = Some(Fault::Always("CreateSecret", 500, "InternalFailure"));
    failure(&world, &lambda, &finding("alice")).await;
    world.state().fault = None;
    world.let_pass(Duration::from_mins(2));
    world.add_user("bob", 100);
    world.state().report = None;
    let told = answer(&world, &app(&world, "1").await, &finding("alice")).await;
    assert_eq!(statuses(&told), [("alice", "held")].into(), "{told}");
    let update = world.state().updates.last().unwrap().clone();
    assert!(note(&update).starts_with(OPENING) && update.get("Workflow").is_none(), "{update}");
    assert_eq!(world.state().resets, 0);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_who_is_held_and_writes_nothing() {
    let world = account(2);
    let lambda = world.app(World::config(&[("MODE", "dry-run"), ("MAX_RESETS_PER_SWEEP", "1")])).await;
    let held = answer(&world, &lambda, &finding("alice")).await;
    assert_eq!(statuses(&held), [("alice", "held")].into());
    assert_eq!(held["users"][0]["password_age_days"], 120);
    for operation in ["UpdateItem", "Publish", "BatchUpdateFindings"] {
        assert_eq!(calls(&world, operation), 0, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_known_by_id_is_held_too() {
    let world = account(2);
    let id = world.state().users["alice"].id.clone();
    let mut event = finding("alice");
    let resource = &mut event["detail"]["findings"][0]["Resources"][0];
    *resource = json!({"Type": "AwsIamUser", "Id": id});
    let held = answer(&world, &app(&world, "1").await, &event).await;
    assert_eq!(statuses(&held), [("alice", "held")].into(), "{held}");
}

#[tokio::test(start_paused = true)]
async fn the_metrics_count_who_is_held_who_would_be_reset_and_sweeps_that_came_to_their_end() {
    let sweep = json!({"action": "sweep"});
    let dry = json!({"action": "sweep", "dry_run": true});
    for (limit, event, fault, [held, would_reset, sweeps]) in [
        ("1", &finding("alice"), None, [1, 0, 0]),
        ("1", &sweep, None, [3, 0, 1]),
        ("3", &sweep, None, [0, 0, 1]),
        ("3", &dry, None, [0, 3, 1]),
        ("3", &sweep, Some(Fault::Always("CreateSecret", 403, "AccessDenied")), [0, 0, 0]),
        ("3", &sample("iam7-imported"), None, [0, 0, 0]),
    ] {
        let world = account(2);
        world.state().fault.clone_from(&fault);
        let _ = world.deliver_to(&app(&world, limit).await, event).await.unwrap();
        let line: Value = serde_json::from_slice(&world.state().metrics).unwrap();
        let counted = [&line["Held"], &line["WouldReset"], &line["Sweeps"]];
        assert_eq!(counted, [&json!(held), &json!(would_reset), &json!(sweeps)], "{limit} {event} {fault:?}");
    }
}
