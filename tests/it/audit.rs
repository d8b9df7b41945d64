//! Audits: what they find, say, remember and tidy. `src/audit.rs` has the rules
//! one by one.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{ACCOUNT, Fault, World, secret_name};

const A_DAY: Duration = Duration::from_hours(24);

fn audit() -> Value {
    json!({"action": "audit"})
}

async fn run(world: &World, event: &Value) -> Value {
    world.deliver(event).await.unwrap().unwrap()
}

/// Delivers what Security Hub has sent, as the event rule would: findings that
/// failed, are active and new.
async fn deliver_events(world: &World) -> usize {
    let events = std::mem::take(&mut world.state().events);
    let mut delivered = 0;
    for event in events {
        let finding = &event["detail"]["findings"][0];
        let is_wanted = finding["Compliance"]["Status"] == "FAILED"
            && finding["RecordState"] == "ACTIVE"
            && finding["Workflow"]["Status"] == "NEW";
        if is_wanted {
            run(world, &event).await;
            delivered += 1;
        }
    }
    delivered
}

fn finding(world: &World, user: &str) -> Value {
    let state = world.state();
    let id = format!("iam-password-remediator/password-age/{ACCOUNT}/{user}");
    state.findings.as_ref().unwrap().get(&id).cloned().unwrap_or_default()
}

/// Status, record state and workflow of the finding.
fn said(world: &World, user: &str) -> [String; 3] {
    let finding = finding(world, user);
    ["/Compliance/Status", "/RecordState", "/Workflow/Status"]
        .map(|path| finding.pointer(path).and_then(Value::as_str).unwrap_or("none").to_owned())
}

fn state_of<'a>(answer: &'a Value, user: &str) -> &'a str {
    let users = answer["accounts"][0]["users"].as_array().unwrap();
    users.iter().find(|found| found["user_name"] == user).unwrap()["state"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stale_password_is_found_reset_claimed_and_tidied_and_the_finding_says_so() {
    let world = World::new();
    let answer = run(&world, &audit()).await;
    assert_eq!(state_of(&answer, "alice"), "stale");
    assert_eq!(answer["accounts"][0]["totals"]["imported"], 1);
    assert_eq!(said(&world, "alice"), ["FAILED", "ACTIVE", "NEW"]);
    assert_eq!(world.state().resets, 0, "an audit changes no password");
    assert_eq!(deliver_events(&world).await, 1);
    world.assert_reset("alice", "");
    assert_eq!(said(&world, "alice"), ["FAILED", "ACTIVE", "NOTIFIED"]);
    // The event of that update leads to nothing.
    assert_eq!(deliver_events(&world).await, 0);
    world.let_pass(A_DAY);
    let answer = run(&world, &audit()).await;
    assert_eq!(state_of(&answer, "alice"), "fresh");
    assert_eq!(answer["accounts"][0]["totals"]["unclaimed"], 1);
    assert_eq!(answer["accounts"][0]["totals"]["imported"], 0);
    world.user_changes_password("alice", "Chosen-by-alice-1");
    world.let_pass(A_DAY);
    let answer = run(&world, &audit()).await;
    assert_eq!(answer["accounts"][0]["totals"]["tidied"], 1);
    assert!(world.state().secrets[&secret_name("alice")].deleted);
    assert_eq!(said(&world, "alice"), ["PASSED", "ACTIVE", "RESOLVED"]);
    assert!(world.state().violations.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_answers_the_whole_account_and_changes_nothing() {
    let world = World::new();
    world.add_user("bob", 30);
    world.add_user("carol", 80);
    world.edit_user("bob", |user| user.has_mfa = true);
    let answer = run(&world, &json!({"action": "audit", "dry_run": true})).await;
    let account = &answer["accounts"][0];
    assert_eq!((&account["account_id"], &account["status"]), (&json!(ACCOUNT), &json!("audited")));
    let states = ["alice", "bob", "carol"].map(|user| state_of(&answer, user));
    assert_eq!(states, ["stale", "fresh", "expiring"]);
    assert_eq!(account["totals"]["without_mfa"], 2);
    assert_eq!(account["totals"]["oldest_password_age_days"], 120);
    let state = world.state();
    assert!(state.messages.is_empty() && state.events.is_empty() && state.ledger.items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_user_is_warned_once_for_each_step_and_reminded_once() {
    let world = World::new();
    world.state().users.clear();
    world.add_user("bob", 70);
    let mut told = Vec::new();
    for _ in 0..30 {
        run(&world, &audit()).await;
        run(&world, &audit()).await;
        deliver_events(&world).await;
        told.push(world.state().messages.len());
        world.let_pass(A_DAY);
    }
    // Day 6: 14 days left. Day 17: 3 left. Day 20 or 21: too old, and reset. A week later: a reminder.
    let days: Vec<usize> = (1..told.len()).filter(|day| told[*day] > told[day - 1]).collect();
    assert_eq!(days.len(), 4, "{told:?}");
    assert_eq!(*told.last().unwrap(), 4, "{told:?}");
    assert_eq!((days[0], days[1]), (6, 17));
    assert_eq!(days[3] - days[2], 7);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_suppressed_is_not_touched_and_counts_as_exempt() {
    let world = World::new();
    run(&world, &audit()).await;
    let id = format!("iam-password-remediator/password-age/{ACCOUNT}/alice");
    world.state().findings.as_mut().unwrap().get_mut(&id).unwrap()["Workflow"] = json!({"Status": "SUPPRESSED"});
    world.state().events.clear();
    let before = finding(&world, "alice");
    let answer = run(&world, &audit()).await;
    assert_eq!(answer["accounts"][0]["users"][0]["exempt_because"], "suppressed");
    assert_eq!(finding(&world, "alice"), before);
    assert!(world.state().events.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_or_exempt_has_no_active_finding_and_who_is_gone_no_secret() {
    let world = World::new();
    world.add_user("bob", 120);
    run(&world, &audit()).await;
    deliver_events(&world).await;
    world.state().users.remove("alice");
    world.edit_user("bob", |user| {
        user.tags.insert("password-remediation".to_owned(), "exempt".to_owned());
    });
    world.let_pass(A_DAY);
    let answer = run(&world, &audit()).await;
    assert_eq!(said(&world, "alice")[1], "ARCHIVED");
    assert_eq!(said(&world, "bob")[1], "ARCHIVED");
    assert_eq!(answer["accounts"][0]["users"][0]["exempt_because"], "tag");
    assert!(world.state().secrets[&secret_name("alice")].deleted, "nobody needs it");
    assert!(!world.state().secrets[&secret_name("bob")].deleted, "it may hold the only copy");
}

#[tokio::test(start_paused = true)]
async fn when_grace_is_over_the_audit_makes_the_finding_new_and_that_leads_to_the_reset() {
    let world = World::new();
    let config = || World::config(&[("GRACE_DAYS", "14")]);
    let deliver = async |event: Value| {
        let app = world.app(config()).await;
        world.deliver_to(&app, &event).await.unwrap().unwrap()
    };
    deliver(audit()).await;
    let event = world.state().events.remove(0);
    assert_eq!(deliver(event).await["users"][0]["status"], "change-required");
    assert_eq!(said(&world, "alice")[2], "NOTIFIED");
    world.let_pass(A_DAY);
    let answer = deliver(audit()).await;
    assert_eq!(state_of(&answer, "alice"), "in-grace");
    assert_eq!(said(&world, "alice")[2], "NOTIFIED");
    world.let_pass(Duration::from_hours(24 * 13 + 1));
    world.state().events.clear();
    let answer = deliver(audit()).await;
    assert_eq!(state_of(&answer, "alice"), "stale");
    assert_eq!(said(&world, "alice")[2], "NEW");
    let event = world.state().events.pop().unwrap();
    assert_eq!(deliver(event).await["users"][0]["status"], "reset");
    assert_eq!(said(&world, "alice")[2], "NOTIFIED");
}

#[tokio::test(start_paused = true)]
async fn without_security_hub_the_audit_says_so_and_does_the_rest() {
    let world = World::new();
    world.state().findings = None;
    world.add_user("carol", 80);
    let answer = run(&world, &audit()).await;
    assert_eq!(answer["accounts"][0]["security_hub"], "off");
    assert_eq!(answer["accounts"][0]["totals"]["warned"], 1);
    assert_eq!(answer["accounts"][0]["totals"]["failed"], 0);
}

#[tokio::test(start_paused = true)]
async fn over_the_blast_radius_findings_are_raised_all_the_same_and_hold_everyone() {
    let world = World::new();
    for number in 0..30 {
        world.add_user(&format!("user{number}"), 120);
    }
    let answer = run(&world, &audit()).await;
    assert_eq!(answer["accounts"][0]["totals"]["held"], 31);
    deliver_events(&world).await;
    assert_eq!(world.state().resets, 0);
    assert!(finding(&world, "alice")["Note"]["Text"].as_str().unwrap().starts_with("Held until a person approves it"));
    // What is held is not sent again every day.
    world.let_pass(A_DAY);
    world.state().events.clear();
    run(&world, &audit()).await;
    assert!(world.state().events.is_empty());
}

#[tokio::test(start_paused = true)]
async fn all_accounts_are_one_message_each_and_without_a_queue_the_order_is_refused() {
    let world = World::new();
    world.state().members = vec!["111122223333".to_owned(), "444455556666".to_owned()];
    let url = "https://sqs.us-east-1.amazonaws.com/123456789012/jobs";
    let app = world.app(World::config(&[("WORK_QUEUE_URL", url), ("ACCOUNTS", "*,!444455556666")])).await;
    for action in ["audit", "sweep"] {
        world.state().queue.clear();
        let event = json!({"action": action, "account_id": "*", "dry_run": true});
        let answer = world.deliver_to(&app, &event).await.unwrap().unwrap();
        assert_eq!(answer["totals"]["queued"], 2);
        let bodies: Vec<Value> = world.state().queue.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
        let expected = ["111122223333", ACCOUNT].map(|id| json!({"action": action, "account_id": id, "dry_run": true}));
        assert_eq!(bodies, expected);
    }
    let error = world.deliver(&json!({"action": "audit", "account_id": "*"})).await.unwrap().unwrap_err();
    assert_eq!(error.error_type, "UnsupportedEvent");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_leaves_the_rest_done_and_the_next_audit_does_it() {
    let world = World::new();
    world.add_user("carol", 80);
    world.state().fault = Some(Fault::Always("BatchImportFindings", 400, "LimitExceededException"));
    let error = world.deliver(&audit()).await.unwrap().unwrap_err();
    assert!(error.error_message.contains("securityhub:BatchImportFindings"), "{}", error.error_message);
    assert_eq!(world.state().messages.len(), 1, "carol was warned");
    world.state().fault = None;
    let answer = run(&world, &audit()).await;
    assert_eq!(answer["accounts"][0]["totals"]["imported"], 2);
    assert_eq!(world.state().messages.len(), 1, "and not once more");
}

#[tokio::test(start_paused = true)]
async fn addresses_are_subscribed_replaced_and_ended_and_the_quota_is_named() {
    let world = World::new();
    world.add_user("bob", 10);
    let tag = |user: &str, address: &str| {
        world.edit_user(user, |user| {
            user.tags.insert("Email".to_owned(), address.to_owned());
        });
    };
    let audited = async || {
        let app = world.app(World::config(&[("EMAIL_TAG", "email")])).await;
        world.deliver_to(&app, &audit()).await.unwrap().unwrap()["accounts"][0].clone()
    };
    let addresses = || world.state().subscriptions.keys().cloned().collect::<Vec<_>>();
    tag("alice", "alice@example.com");
    assert_eq!(audited().await["totals"]["enrolled"], 1);
    let (_, policy) = world.state().subscriptions["alice@example.com"].clone();
    let policy: Value = serde_json::from_str(&policy).unwrap();
    assert_eq!(policy, json!({"account_id": [ACCOUNT], "user_name": ["alice"]}));
    assert_eq!(audited().await["totals"]["enrolled"], 0, "once");
    tag("alice", "alice@example.org");
    audited().await;
    assert_eq!(addresses(), ["alice@example.org"]);
    world.state().most_subscriptions = 1;
    tag("bob", "bob@example.com");
    let account = audited().await;
    assert!(account["reason"].as_str().unwrap().contains("higher quota"), "{account}");
    assert_eq!(account["totals"]["failed"], 0);
    world.state().users.remove("alice");
    world.state().report = None;
    audited().await;
    assert_eq!(addresses(), ["bob@example.com"]);
}
