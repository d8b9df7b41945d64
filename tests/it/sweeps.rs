//! Policy findings, and the sweeps that follow them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};

use crate::world::{ACCOUNT, Fault, Policy, World, context};

fn sample(name: &str) -> Value {
    let path = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn sweep() -> Value {
    json!({"action": "sweep"})
}

/// An account of `alice` and the others, each with a password of that age.
fn account(users: &[(&str, i64)]) -> World {
    let world = World::new();
    for (name, age_days) in users {
        world.add_user(name, *age_days);
    }
    world
}

fn statuses(answer: &Value) -> BTreeMap<String, String> {
    let users = answer["users"].as_array().unwrap().iter();
    users
        .map(|user| (user["user_name"].as_str().unwrap().to_owned(), user["status"].as_str().unwrap().to_owned()))
        .collect()
}

fn message_kinds(world: &World) -> Vec<String> {
    let state = world.state();
    let kind = |message: &Value| {
        let fields = message.as_object().unwrap();
        let name = fields.iter().find(|(_, value)| *value == "kind").unwrap().0;
        fields[&name.replace(".Name", ".Value.StringValue")].as_str().unwrap().to_owned()
    };
    state.messages.iter().map(kind).collect()
}

#[tokio::test(start_paused = true)]
async fn a_weak_policy_is_strengthened_and_the_finding_resolved() {
    let world = account(&[("alice", 1)]);
    world.state().policy = Some(Policy { reuse_prevention: 5, ..Policy::default() });
    let answer = world.deliver(&sample("iam7-fsbp-legacy")).await.unwrap().unwrap();
    let changes = [
        "MinimumPasswordLength 6 -> 8",
        "RequireSymbols false -> true",
        "RequireNumbers false -> true",
        "RequireUppercaseCharacters false -> true",
        "RequireLowercaseCharacters false -> true",
    ];
    let previous = json!({
        "MinimumPasswordLength": 6,
        "RequireSymbols": false,
        "RequireNumbers": false,
        "RequireUppercaseCharacters": false,
        "RequireLowercaseCharacters": false,
        "AllowUsersToChangePassword": false,
        "PasswordReusePrevention": 5,
        "HardExpiry": false,
    });
    let undo = "aws iam update-account-password-policy --minimum-password-length 6 --no-require-symbols \
        --no-require-numbers --no-require-uppercase-characters --no-require-lowercase-characters \
        --no-allow-users-to-change-password --password-reuse-prevention 5 --no-hard-expiry";
    assert_eq!(
        answer["policies"],
        json!([{
            "account_id": ACCOUNT,
            "status": "strengthened",
            "changes": changes,
            "previous": previous,
            "undo": undo,
        }])
    );
    assert!(world.state().messages[0]["Message"].as_str().unwrap().contains(undo));
    let state = world.state();
    let policy = state.policy.as_ref().unwrap();
    assert_eq!((policy.minimum_length, policy.reuse_prevention), (8, 5));
    assert!(policy.symbols && policy.numbers && policy.uppercase && policy.lowercase);
    assert!(!policy.allow_change && !policy.hard_expiry, "these stay as they are");
    assert_eq!(state.updates[0]["Workflow"]["Status"], "RESOLVED");
    assert!(state.updates[0]["Note"]["Text"].as_str().unwrap().contains("MinimumPasswordLength 6 -> 8"));
    drop(state);
    assert_eq!(message_kinds(&world), ["policy-strengthened"]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_strict_enough_is_not_written() {
    let world = account(&[("alice", 1)]);
    let strict = Policy {
        minimum_length: 30,
        symbols: true,
        numbers: true,
        uppercase: true,
        lowercase: true,
        reuse_prevention: 24,
        max_age: Some(60),
        allow_change: true,
        hard_expiry: true,
    };
    world.state().policy = Some(strict);
    let answer = world.deliver(&sample("iam7-fsbp-legacy")).await.unwrap().unwrap();
    assert_eq!(answer["policies"][0]["status"], "compliant");
    let state = world.state();
    assert!(!state.calls.contains(&"UpdateAccountPasswordPolicy".to_owned()));
    assert_eq!(state.updates[0]["Workflow"]["Status"], "RESOLVED");
    assert!(state.messages.is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_there_was_no_policy_users_may_change_their_passwords_under_the_new_one() {
    let world = account(&[("alice", 1)]);
    world.state().policy = None;
    world.deliver(&sample("iam7-fsbp-legacy")).await.unwrap().unwrap();
    let state = world.state();
    assert!(state.policy.as_ref().unwrap().allow_change);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_took_several_writes_is_restored_to_what_it_was_before_the_first() {
    let world = account(&[("alice", 1)]);
    world.state().policy = None;
    let event = sample("iam7-fsbp-legacy");
    let meddle = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.state().policy = Some(Policy { minimum_length: 7, ..Policy::default() });
    };
    let (answer, ()) = tokio::join!(world.deliver(&event), meddle);
    let answer = answer.unwrap().unwrap();
    let policy = &answer["policies"][0];
    assert_eq!((&policy["status"], &policy["previous"]), (&json!("strengthened"), &Value::Null), "{answer}");
    assert_eq!(policy["undo"], "aws iam delete-account-password-policy");
    let state = world.state();
    assert_eq!(state.calls.iter().filter(|call| *call == "UpdateAccountPasswordPolicy").count(), 2);
    for message in &state.messages {
        assert!(message["Message"].as_str().unwrap().contains("aws iam delete-account-password-policy"), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_of_a_policy_that_was_strengthened_the_answer_says_how_to_undo_it() {
    for policy in [
        Policy::default(),
        Policy {
            minimum_length: 8,
            symbols: true,
            numbers: true,
            uppercase: true,
            lowercase: true,
            ..Policy::default()
        },
    ] {
        let world = account(&[("alice", 1)]);
        world.state().policy = Some(policy);
        let app = world.app(World::config(&[("PASSWORD_POLICY", "report")])).await;
        let answer = world.deliver_to(&app, &sample("iam7-fsbp-legacy")).await.unwrap().unwrap();
        for field in ["previous", "undo"] {
            assert!(!answer["policies"][0].as_object().unwrap().contains_key(field), "{answer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_age_is_not_introduced_while_expiry_is_hard_and_the_answer_says_so() {
    let world = account(&[("alice", 1)]);
    world.state().policy = Some(Policy { hard_expiry: true, ..Policy::default() });
    let answer = world.deliver(&sample("iam17-imported")).await.unwrap().unwrap();
    let policy = &answer["policies"][0];
    assert_eq!(policy["status"], "compliant", "{answer}");
    assert!(policy["reason"].as_str().unwrap().contains("HardExpiry"), "{answer}");
    let state = world.state();
    assert_eq!(state.policy.as_ref().unwrap().max_age, None);
    assert_eq!(state.updates[0]["Workflow"]["Status"], "NOTIFIED");
}

#[tokio::test(start_paused = true)]
async fn a_report_and_a_dry_run_say_what_would_change_and_change_nothing() {
    for variable in [("PASSWORD_POLICY", "report"), ("MODE", "dry-run")] {
        let world = account(&[("alice", 1)]);
        world.state().policy = Some(Policy::default());
        let app = world.app(World::config(&[variable])).await;
        let answer = world.deliver_to(&app, &sample("iam7-imported")).await.unwrap().unwrap();
        assert_eq!(answer["policies"][0]["status"], "would-strengthen", "{answer}");
        assert!(!answer["policies"][0]["changes"].as_array().unwrap().is_empty());
        let state = world.state();
        assert!(!state.calls.contains(&"UpdateAccountPasswordPolicy".to_owned()));
        let recorded: Vec<&Value> = state.updates.iter().map(|update| &update["Workflow"]["Status"]).collect();
        assert_eq!(recorded, if variable.0 == "MODE" { vec![] } else { vec!["NOTIFIED"] });
    }
}

#[tokio::test(start_paused = true)]
async fn findings_that_arrive_together_do_not_undo_each_other() {
    for seed in 0..100 {
        let world = account(&[("alice", 1)]);
        world.set_seed(seed);
        world.state().latency = 80;
        world.state().policy = Some(Policy { allow_change: true, ..Policy::default() });
        let names = ["iam17-imported", "cis-v1.2-1.9", "cis-v5.0-1.8", "iam10-pci-3.2.1"];
        let events = names.map(sample);
        let deliveries = events.iter().map(|event| world.deliver(event));
        for answer in futures_util::future::join_all(deliveries).await {
            answer.unwrap().unwrap();
        }
        let state = world.state();
        let policy = state.policy.as_ref().unwrap();
        let settings = (policy.minimum_length, policy.reuse_prevention, policy.max_age, policy.uppercase);
        assert_eq!(settings, (14, 24, Some(90), true), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_resets_those_whose_password_is_too_old_and_nobody_else() {
    let world = account(&[("bob", 91), ("carol", 89), ("dave", 500), ("erin", 500), ("frank", 500), ("grace", -30)]);
    world.edit_user("dave", |user| drop(user.tags.insert("password-remediation".into(), "exempt".into())));
    world.edit_user("erin", |user| user.login = None);
    world.edit_user("frank", |user| user.path = "/break-glass/".to_owned());
    let app = world.app(World::config(&[("EXEMPT_USERS", "/break-glass/*")])).await;
    let answer = world.deliver_to(&app, &sweep()).await.unwrap().unwrap();
    let expected = [("alice", "reset"), ("bob", "reset"), ("dave", "skipped"), ("frank", "skipped")];
    assert_eq!(statuses(&answer), expected.map(|(name, status)| (name.to_owned(), status.to_owned())).into());
    world.assert_reset("alice", "");
    world.assert_reset("bob", "");
    let state = world.state();
    assert_eq!(state.resets, 2);
    for untouched in ["carol", "dave", "frank", "grace"] {
        assert!(!state.users[untouched].login.as_ref().unwrap().reset_required, "{untouched}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_follows_a_policy_finding_unless_it_is_off() {
    for (setting, expected) in [("stale", 1), ("off", 0)] {
        let world = account(&[]);
        let app = world.app(World::config(&[("SWEEP", setting)])).await;
        let answer = world.deliver_to(&app, &sample("iam7-imported")).await.unwrap().unwrap();
        assert_eq!(answer["totals"]["reset"], expected, "{setting}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_users_failure_does_not_stop_the_others() {
    let world = account(&[("bob", 100), ("carol", 100)]);
    world.edit_user("bob", |user| user.path = "/unlucky/".to_owned());
    world.state().fail_for = Some("bob".to_owned());
    let error = world.deliver(&sweep()).await.unwrap().unwrap_err();
    let answer: Value = serde_json::from_str(&error.error_message).unwrap();
    assert_eq!(
        answer["totals"],
        json!({"reset": 2, "change_required": 0, "skipped": 0, "held": 0, "queued": 0, "failed": 1})
    );
    world.assert_reset("alice", "");
    world.assert_reset("carol", "");
    world.state().fail_for = None;
    world.deliver(&sweep()).await.unwrap().unwrap();
    world.assert_reset("bob", "");
    assert_eq!(world.state().resets, 3, "those who were done are not done again");
}

#[tokio::test(start_paused = true)]
async fn too_many_are_held_until_a_person_approves() {
    let world = account(&[("bob", 100), ("carol", 100), ("dave", 100)]);
    world.edit_user("dave", |user| drop(user.tags.insert("password-remediation".into(), "exempt".into())));
    let config = || World::config(&[("MAX_RESETS_PER_SWEEP", "2")]);
    let app = world.app(config()).await;
    let answer = world.deliver_to(&app, &sample("iam7-imported")).await.unwrap().unwrap();
    assert_eq!(
        answer["totals"],
        json!({"reset": 0, "change_required": 0, "skipped": 1, "held": 3, "queued": 0, "failed": 0}),
        "{answer}"
    );
    assert_eq!(world.state().resets, 0);
    assert!(message_kinds(&world).contains(&"sweep-held".to_owned()));
    {
        let state = world.state();
        let held = state.messages.iter().map(|message| message["Message"].as_str().unwrap()).collect::<String>();
        for part in ["alice", "bob", "carol", r#"\"max_resets\":3"#] {
            assert!(held.contains(part) || held.replace("\\\\", "\\").contains(part), "{part} is not in {held}");
        }
        assert!(!held.contains("dave"));
    }
    let approved = json!({"action": "sweep", "max_resets": 3});
    let answer = world.deliver_to(&app, &approved).await.unwrap().unwrap();
    assert_eq!(answer["totals"]["reset"], 3, "{answer}");
    // The finding comes again, and the report still shows the old dates.
    let messages = world.state().messages.len();
    let answer = world.deliver_to(&app, &sample("iam7-imported")).await.unwrap().unwrap();
    assert_eq!(
        answer["totals"],
        json!({"reset": 0, "change_required": 0, "skipped": 4, "held": 0, "queued": 0, "failed": 0}),
        "{answer}"
    );
    assert_eq!(world.state().messages.len(), messages, "nobody is told again");
}

#[tokio::test(start_paused = true)]
async fn as_many_as_are_allowed_are_reset() {
    let world = account(&[("bob", 100)]);
    let app = world.app(World::config(&[("MAX_RESETS_PER_SWEEP", "2")])).await;
    let answer = world.deliver_to(&app, &sweep()).await.unwrap().unwrap();
    assert_eq!(answer["totals"]["reset"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_dry_sweep_says_who_would_be_reset_or_held() {
    for (limit, status) in [("25", "would-reset"), ("1", "held")] {
        let world = account(&[("bob", 100)]);
        let app = world.app(World::config(&[("MAX_RESETS_PER_SWEEP", limit)])).await;
        let event = json!({"action": "sweep", "dry_run": true});
        let answer = world.deliver_to(&app, &event).await.unwrap().unwrap();
        assert!(statuses(&answer).values().all(|got| got == status), "{answer}");
        let state = world.state();
        assert_eq!((state.resets, state.messages.len()), (0, 0));
    }
}

const QUEUE: (&str, &str) = ("WORK_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/jobs");

#[tokio::test(start_paused = true)]
async fn with_a_queue_each_user_becomes_a_job_and_the_jobs_reset_them() {
    let names: Vec<String> = (0..35).map(|number| format!("user{number:02}")).collect();
    let users: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 100)).collect();
    let world = account(&users);
    world.state().queue_refuses = 7;
    let app = world.app(World::config(&[QUEUE, ("MAX_RESETS_PER_SWEEP", "100")])).await;
    let answer = world.deliver_to(&app, &sweep()).await.unwrap().unwrap();
    assert_eq!(
        answer["totals"],
        json!({"reset": 0, "change_required": 0, "skipped": 0, "held": 0, "queued": 36, "failed": 0}),
        "{answer}"
    );
    let jobs = std::mem::take(&mut world.state().queue);
    assert_eq!(jobs.len(), 36);
    for batch in jobs.chunks(10) {
        let records: Vec<Value> = batch
            .iter()
            .enumerate()
            .map(|(id, body)| json!({"messageId": id.to_string(), "eventSource": "aws:sqs", "body": body}))
            .collect();
        for _ in 0..2 {
            let answer = world.deliver_to(&app, &json!({"Records": records})).await.unwrap().unwrap();
            assert_eq!(answer, json!({"batchItemFailures": []}));
        }
    }
    for name in &names {
        world.assert_reset(name, name);
    }
    assert_eq!(world.state().resets, 36, "jobs that came twice did nothing twice");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_failed_is_delivered_again_soon_and_later_each_time() {
    let record = |id: &str, count: &str, body: &str| {
        json!({
            "messageId": id,
            "receiptHandle": format!("receipt-{id}"),
            "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": count},
            "body": body,
        })
    };
    let fresh = json!({"action": "reset", "user_name": "bob"}).to_string();
    let records = [
        record("a", "1", "no JSON"),
        record("b", "1", &fresh),
        record("c", "2", "no JSON"),
        record("d", "4", "no JSON"),
        record("e", "50", "no JSON"),
    ];
    let failures = ["a", "c", "d", "e"].map(|id| json!({"itemIdentifier": id}));
    for (variables, fault, expected) in [
        (&[QUEUE][..], None, &[("a", 75), ("c", 150), ("d", 600), ("e", 600)][..]),
        (&[QUEUE], Some(Fault::Always("ChangeMessageVisibility", 403, "AccessDenied")), &[]),
        (&[], None, &[]),
    ] {
        let world = account(&[("bob", 1)]);
        world.state().fault = fault;
        let app = world.app(World::config(variables)).await;
        let answer = world.deliver_to(&app, &json!({"Records": records})).await.unwrap().unwrap();
        assert_eq!(answer, json!({"batchItemFailures": failures}));
        let mut asked = world.state().visibility.clone();
        asked.sort();
        let expected: Vec<(String, u64)> =
            expected.iter().map(|(id, seconds)| (format!("receipt-{id}"), *seconds)).collect();
        assert_eq!(asked, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_that_the_queue_will_not_take_fail_visibly() {
    let world = account(&[("bob", 100)]);
    world.state().queue_refuses = 6;
    let app = world.app(World::config(&[QUEUE])).await;
    let error = world.deliver_to(&app, &sweep()).await.unwrap().unwrap_err();
    let answer: Value = serde_json::from_str(&error.error_message).unwrap();
    assert_eq!(answer["totals"]["failed"], 2);
    assert!(answer["users"][0]["reason"].as_str().unwrap().contains("InternalError"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_stops_before_the_deadline_and_the_retry_finishes_it() {
    let names: Vec<String> = (0..100).map(|number| format!("user{number:02}")).collect();
    let users: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 100)).collect();
    let world = account(&users);
    world.state().round_trip = 500;
    let app = world.app(World::config(&[("MAX_RESETS_PER_SWEEP", "5000")])).await;
    let mut rounds = 0;
    loop {
        rounds += 1;
        let mut context = context();
        let deadline = SystemTime::now() + Duration::from_secs(18);
        context.deadline = u64::try_from(deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap();
        match app.handle(LambdaEvent::new(sweep(), context)).await {
            Ok(_) => break,
            Err(failure) => assert!(failure.to_string().contains("not begun"), "{failure}"),
        }
        assert!(rounds < 20, "it never ends");
    }
    assert!(rounds > 1, "the deadline did not matter");
    for name in &names {
        world.assert_reset(name, name);
    }
    let state = world.state();
    assert_eq!((state.resets, state.messages.len()), (101, 101));
}

#[tokio::test(start_paused = true)]
async fn throttling_slows_a_sweep_down_and_loses_nobody() {
    let names: Vec<String> = (0..40).map(|number| format!("user{number:02}")).collect();
    let users: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 100)).collect();
    let world = account(&users);
    world.state().throttle_every = 3;
    let app = world.app(World::config(&[("MAX_RESETS_PER_SWEEP", "5000")])).await;
    let answer = world.deliver_to(&app, &sweep()).await.unwrap().unwrap();
    assert_eq!(answer["totals"]["reset"], 41, "{answer}");
    for name in &names {
        world.assert_reset(name, name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_cannot_begin_fails_visibly() {
    let world = account(&[]);
    world.state().fault = Some(Fault::Always("GetCredentialReport", 403, "AccessDenied"));
    let error = world.deliver(&sweep()).await.unwrap().unwrap_err();
    let answer: Value = serde_json::from_str(&error.error_message).unwrap();
    assert_eq!(statuses(&answer), BTreeMap::from([("*".to_owned(), "failed".to_owned())]));
}

#[tokio::test(start_paused = true)]
async fn operators_hear_of_what_no_retry_will_mend_and_of_nothing_else() {
    for (code, expected) in [("AccessDenied", vec!["remediation-failed"]), ("Throttling", vec![])] {
        let world = account(&[("bob", 100)]);
        world.state().fault = Some(Fault::Always("CreateSecret", 400, code));
        let error = world.deliver(&sweep()).await.unwrap().unwrap_err();
        assert_eq!(error.error_type, "RemediationFailed");
        assert_eq!(message_kinds(&world), expected, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_is_killed_at_any_call_is_finished_by_its_retry() {
    let users = [("bob", 100), ("carol", 100)];
    let calls = {
        let world = account(&users);
        world.deliver(&sweep()).await.unwrap().unwrap();
        world.state().calls.len()
    };
    for at in 0..calls {
        let world = account(&users);
        world.state().fault = Some(Fault::CrashAfter(at));
        let _ = world.deliver(&sweep()).await;
        world.state().fault = None;
        world.let_pass(Duration::from_mins(1));
        world.deliver(&sweep()).await.unwrap().unwrap();
        for name in ["alice", "bob", "carol"] {
            world.assert_reset(name, &format!("{name}, crash after {at}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_finishes_what_was_cut_short_though_the_report_shows_a_fresh_password() {
    let world = account(&[]);
    world.state().fault = Some(Fault::Always("Publish", 403, "AuthorizationError"));
    world.deliver(&sweep()).await.unwrap().unwrap_err();
    world.state().fault = None;
    world.let_pass(Duration::from_hours(5));
    let answer = world.deliver(&sweep()).await.unwrap().unwrap();
    assert_eq!(answer["totals"]["reset"], 1, "{answer}");
    world.assert_reset("alice", "");
    assert_eq!(message_kinds(&world), ["password-reset"]);
}

#[tokio::test(start_paused = true)]
async fn the_metrics_tell_what_was_done() {
    let world = account(&[("bob", 300), ("carol", 1)]);
    world.edit_user("bob", |user| drop(user.tags.insert("password-remediation".into(), "exempt".into())));
    world.deliver(&sweep()).await.unwrap().unwrap();
    let line: Value = serde_json::from_slice(&world.state().metrics).unwrap();
    assert_eq!(line["Resets"], 1);
    assert_eq!(line["Skips"], 1);
    assert_eq!(line["Failures"], 0);
    assert_eq!(line["OldestPasswordAgeDays"], 120);
    assert_eq!(line["service"], "iam-password-remediator");
    let definition = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(definition["Namespace"], "IamPasswordRemediator");
    for metric in definition["Metrics"].as_array().unwrap() {
        assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
    }
}
