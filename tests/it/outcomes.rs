//! What is decided about whom, and what the answer says.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::{ACCOUNT, Fault, Policy, World, secret_name};

fn sample(name: &str) -> Value {
    let path = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn by_hand(user: &str) -> Value {
    json!({"action": "reset", "user_name": user})
}

fn only_user(answer: &Value) -> &Value {
    let users = answer["users"].as_array().unwrap();
    assert_eq!(users.len(), 1, "{answer}");
    &users[0]
}

const READS: [&str; 13] = [
    "GetUser",
    "ListUsers",
    "ListUserTags",
    "GetLoginProfile",
    "GetAccountPasswordPolicy",
    "GetCredentialReport",
    "GenerateCredentialReport",
    "SimulatePrincipalPolicy",
    "DescribeSecret",
    "GetSecretValue",
    "GetCallerIdentity",
    "BatchGetItem",
    "Query",
];

/// Nothing was written at all.
fn assert_only_read(world: &World) {
    let state = world.state();
    let writes: Vec<&String> = state.calls.iter().filter(|call| !READS.contains(&call.as_str())).collect();
    assert!(writes.is_empty(), "{writes:?}");
}

/// Nothing was written but the ledger, and nothing is left in it.
fn assert_untouched(world: &World) {
    world.state().calls.retain(|call| call != "UpdateItem");
    assert_only_read(world);
    let state = world.state();
    for attribute in ["open", "lease_holder", "versions"] {
        assert!(state.ledger.items.values().all(|item| !item.contains_key(attribute)), "{attribute} is left");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_password_is_reset_stored_announced_and_recorded() {
    let world = World::new();
    let event = sample("password-age-imported");
    let answer = world.deliver(&event).await.unwrap().unwrap();
    world.assert_reset("alice", "");

    let finding_id = &event["detail"]["findings"][0]["Id"];
    assert_eq!(answer["mode"], "remediate");
    assert_eq!(answer["findings"], json!([{"id": finding_id, "status": "handled"}]));
    assert_eq!(answer["policies"], json!([]));
    assert_eq!(
        *only_user(&answer),
        json!({
            "account_id": ACCOUNT,
            "user_name": "alice",
            "status": "reset",
            "password_age_days": 120,
            "secret_arn": format!("arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{}-AbCdEf", secret_name("alice")),
        })
    );
    assert_eq!(
        answer["totals"],
        json!({"reset": 1, "change_required": 0, "skipped": 0, "held": 0, "queued": 0, "failed": 0})
    );

    let state = world.state();
    let secret = &state.secrets[&secret_name("alice")];
    assert_eq!(secret.tags["managed-by"], "iam-password-remediator");
    assert_eq!(secret.tags["iam-user"], "alice");
    assert_eq!(secret.tags["account-id"], ACCOUNT);
    let [message] = &state.messages[..] else { panic!("one message") };
    assert_eq!(message["MessageStructure"], "json");
    let update = &state.updates[0];
    assert_eq!(update["Workflow"]["Status"], "NOTIFIED");
    assert_eq!(update["FindingIdentifiers"][0]["Id"], *finding_id);
    assert!(update["Note"]["Text"].as_str().unwrap().contains("alice"));
}

#[tokio::test(start_paused = true)]
async fn a_v2_finding_is_recorded_by_the_v2_call() {
    let world = World::new();
    world.add_user("carol", 120);
    let answer = world.deliver(&sample("password-age-v2")).await.unwrap().unwrap();
    assert_eq!(only_user(&answer)["status"], "reset");
    let state = world.state();
    assert!(state.calls.contains(&"BatchUpdateFindingsV2".to_owned()));
    assert_eq!(state.updates[0]["StatusId"], 2);
}

#[tokio::test(start_paused = true)]
async fn the_echo_of_our_own_v2_update_is_not_recorded_again() {
    let world = World::new();
    world.add_user("carol", 120);
    let mut event = sample("password-age-v2");
    world.deliver(&event).await.unwrap().unwrap();
    event["detail"]["findings"][0]["status_id"] = json!(2);
    event["detail"]["findings"][0]["status"] = json!("In Progress");
    for _ in 0..3 {
        let answer = world.deliver(&event).await.unwrap().unwrap();
        assert_eq!(only_user(&answer)["reason"], "already-reset");
    }
    assert_eq!(world.state().updates.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_reset_takes_few_round_trips_one_after_another() {
    let world = World::new();
    world.add_user("bob", 10);
    world.deliver(&by_hand("bob")).await.unwrap().unwrap();
    world.state().round_trip = 10;
    for (what, prepare) in [("a first reset", false), ("a later reset", true)] {
        if prepare {
            world.user_changes_password("alice", "Chosen-by-alice-1");
            world.let_pass(Duration::from_hours(2880));
            world.state().round_trip = 0;
            world.deliver(&by_hand("bob")).await.unwrap().ok();
            world.state().round_trip = 10;
        }
        let app = world.app(World::config(&[])).await;
        let start = Instant::now();
        let answer = world.deliver_to(&app, &sample("password-age-imported")).await.unwrap().unwrap();
        let round_trips = start.elapsed().as_millis() / 10;
        assert_eq!(only_user(&answer)["status"], "reset");
        // The report, six to IAM, Secrets Manager and SNS, two to DynamoDB, and
        // the note on the finding.
        assert!(round_trips <= 10, "{what} takes {round_trips} round trips");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_being_changed_elsewhere_is_waited_for_some_seconds() {
    let world = World::new();
    world.state().unmodifiable = 5;
    let start = Instant::now();
    let answer = world.deliver(&sample("password-age-imported")).await.unwrap().unwrap();
    assert_eq!(only_user(&answer)["status"], "reset");
    assert!(start.elapsed() < Duration::from_secs(25), "one call may take no longer");
    world.assert_reset("alice", "");
}

#[tokio::test(start_paused = true)]
async fn a_user_who_stays_unmodifiable_is_left_to_a_redelivery() {
    let world = World::new();
    world.state().unmodifiable = usize::MAX;
    let start = Instant::now();
    let error = world.deliver(&sample("password-age-imported")).await.unwrap().unwrap_err();
    let answer: Value = serde_json::from_str(&error.error_message).unwrap();
    let reason = only_user(&answer)["reason"].as_str().unwrap();
    assert!(reason.contains("EntityTemporarilyUnmodifiable"), "{reason}");
    assert!(start.elapsed() < Duration::from_secs(30), "one call may take no longer than 25 seconds");
    let tries = world.state().calls.iter().filter(|call| *call == "UpdateLoginProfile").count();
    assert_eq!(tries, 8, "as often as any other call");
    world.state().unmodifiable = 0;
    world.let_pass(Duration::from_mins(1));
    world.deliver(&sample("password-age-imported")).await.unwrap().unwrap();
    world.assert_reset("alice", "");
}

#[tokio::test(start_paused = true)]
async fn users_who_are_none_of_our_business_are_left_alone() {
    type Prepare = fn(&World);
    type Variables = &'static [(&'static str, &'static str)];
    let exempt_by_tag: Prepare = |world| {
        world.edit_user("alice", |user| drop(user.tags.insert("Password-Remediation".into(), "Exempt".into())));
    };
    let without_password: Prepare = |world| world.edit_user("alice", |user| user.login = None);
    let fresh: Prepare = |world| world.add_user("alice", 89);
    let denied: Prepare = |world| world.edit_user("alice", |user| user.simulated = "explicitDeny");
    let bounded: Prepare = |world| {
        world.state().policy = None;
        world.edit_user("alice", |user| user.simulated = "outsideBoundary");
    };
    let not_granted: Prepare = |world| world.state().policy = None;
    let unreadable: Prepare = |world| world.state().fault = Some(Fault::Always("ListUserTags", 403, "AccessDenied"));
    let on_a_path: Prepare = |world| world.edit_user("alice", |user| user.path = "/break-glass/emea/".to_owned());
    let nothing: Prepare = |_| {};

    let cases: [(&str, &str, Variables, Prepare); 12] = [
        ("alice", "exempt", &[], exempt_by_tag),
        ("alice", "exempt", &[], unreadable),
        ("alice", "exempt", &[("EXEMPT_USERS", "bob, ALI*")], nothing),
        ("alice", "exempt", &[("EXEMPT_USERS", "/break-glass/*")], on_a_path),
        ("alice", "no-console-password", &[], without_password),
        ("alice", "password-fresh", &[], fresh),
        ("alice", "cannot-change-password", &[], denied),
        ("alice", "cannot-change-password", &[], bounded),
        ("alice", "cannot-change-password", &[("CHANGE_PASSWORD_GRANT", "skip")], not_granted),
        ("mallory", "user-not-found", &[], nothing),
        ("<root_account>", "root", &[], nothing),
        ("alice", "password-fresh", &[("MAX_PASSWORD_AGE_DAYS", "121")], nothing),
    ];
    for (user, reason, config, prepare) in cases {
        let world = World::new();
        prepare(&world);
        let app = world.app(World::config(config)).await;
        let answer = world.deliver_to(&app, &by_hand(user)).await.unwrap().unwrap();
        assert_eq!(only_user(&answer)["status"], "skipped", "{reason}: {answer}");
        assert_eq!(only_user(&answer)["reason"], reason, "{answer}");
        assert_eq!(answer["totals"]["skipped"], 1);
        assert_untouched(&world);
    }
}

#[tokio::test(start_paused = true)]
async fn exemptions_hold_however_hard_the_button_is_pressed() {
    let world = World::new();
    world.add_user("bob", 1);
    world.edit_user("alice", |user| drop(user.tags.insert("password-remediation".into(), "exempt".into())));
    let answer = world.deliver(&sample("custom-action")).await.unwrap().unwrap();
    let outcome = |name: &str| {
        let users = answer["users"].as_array().unwrap();
        users.iter().find(|user| user["user_name"] == name).unwrap()["status"].clone()
    };
    assert_eq!(outcome("alice"), "skipped");
    assert_eq!(outcome("bob"), "reset", "a fresh password is reset when a person asks for it");
    world.assert_reset("bob", "");
}

#[tokio::test(start_paused = true)]
async fn being_asked_to_slow_down_exempts_nobody() {
    let world = World::new();
    world.state().fault = Some(Fault::Always("ListUserTags", 400, "Throttling"));
    let error = world.deliver(&by_hand("alice")).await.unwrap().unwrap_err();
    assert_eq!(error.error_type, "RemediationFailed");
    let answer: Value = serde_json::from_str(&error.error_message).unwrap();
    assert!(only_user(&answer)["reason"].as_str().unwrap().contains("iam:ListUserTags failed: Throttling"), "{answer}");
    assert!(world.state().resets == 0 && world.state().secrets.is_empty());
}

#[tokio::test(start_paused = true)]
async fn users_who_may_not_change_their_password_are_granted_it_first() {
    let world = World::new();
    world.state().policy = None;
    world.deliver(&by_hand("alice")).await.unwrap().unwrap();
    world.assert_reset("alice", "");
    let state = world.state();
    assert!(state.users["alice"].attached.contains("arn:aws:iam::aws:policy/IAMUserChangePassword"));
    let place = |name: &str| state.calls.iter().position(|call| call == name).unwrap();
    assert!(place("AttachUserPolicy") < place("UpdateLoginProfile"));
}

#[tokio::test(start_paused = true)]
async fn the_strictest_limit_on_the_age_wins() {
    for (name, config, policy_age, age, expected) in [
        ("the configuration", "30", None, 31, "reset"),
        ("the configuration, not exceeded", "30", None, 29, "skipped"),
        ("the account's policy", "90", Some(45), 46, "reset"),
        ("the configuration over a laxer policy", "60", Some(365), 61, "reset"),
    ] {
        let world = World::new();
        world.add_user("alice", age);
        world.state().policy.as_mut().unwrap().max_age = policy_age;
        let app = world.app(World::config(&[("MAX_PASSWORD_AGE_DAYS", config)])).await;
        let answer = world.deliver_to(&app, &by_hand("alice")).await.unwrap().unwrap();
        assert_eq!(only_user(&answer)["status"], expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_is_as_long_as_the_policy_asks() {
    for (configured, policy, expected) in [("24", 8, 24), ("12", 30, 30), ("12", 128, 128), ("128", 8, 128)] {
        let world = World::new();
        world.state().policy =
            Some(Policy { minimum_length: policy, symbols: true, allow_change: true, ..Policy::default() });
        let app = world.app(World::config(&[("PASSWORD_LENGTH", configured)])).await;
        world.deliver_to(&app, &by_hand("alice")).await.unwrap().unwrap();
        world.assert_reset("alice", "");
        assert_eq!(world.state().users["alice"].login.as_ref().unwrap().password.len(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn users_with_unusual_names_are_reset() {
    for (name, secret) in [
        ("doe,john", "doe/2Cjohn"),
        ("svc-abc123", "svc-abc123/console"),
        ("a+b=c.d@e_f-g", "a+b=c.d@e_f-g"),
        ("x", "x"),
    ] {
        let world = World::new();
        world.add_user(name, 200);
        let answer = world.deliver(&by_hand(name)).await.unwrap().unwrap();
        assert_eq!(only_user(&answer)["status"], "reset");
        let state = world.state();
        let stored: Value = serde_json::from_str(&state.secrets[&secret_name(secret)].current().value).unwrap();
        assert_eq!(stored["username"], name);
        assert!(stored["password"] == state.users[name].login.as_ref().unwrap().password.as_str());
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_is_found_whatever_the_case_and_on_any_path() {
    let world = World::new();
    world.edit_user("alice", |user| user.path = "/division/team/".to_owned());
    let answer = world.deliver(&by_hand("ALICE")).await.unwrap().unwrap();
    assert_eq!(only_user(&answer)["user_name"], "alice");
    world.assert_reset("alice", "");
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_named_only_by_id_is_found() {
    let world = World::new();
    let mut event = sample("password-age-imported");
    let id = world.state().users["alice"].id.clone();
    event["detail"]["findings"][0]["Resources"] = json!([{"Type": "AwsIamUser", "Id": id}]);
    let answer = world.deliver(&event).await.unwrap().unwrap();
    assert_eq!(only_user(&answer)["status"], "reset", "{answer}");
    world.assert_reset("alice", "");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_reads_everything_and_writes_nothing() {
    let mut by_variable = World::config(&[("MODE", "dry-run")]);
    by_variable.max_password_age_days = 90;
    let dry_event = json!({"action": "reset", "user_name": "alice", "dry_run": true});
    for (config, event) in [(by_variable, sample("password-age-imported")), (World::config(&[]), dry_event)] {
        let world = World::new();
        let app = world.app(config).await;
        let answer = world.deliver_to(&app, &event).await.unwrap().unwrap();
        assert_eq!(answer["mode"], "dry-run");
        assert_eq!(only_user(&answer)["status"], "would-reset");
        assert_eq!(only_user(&answer)["password_age_days"], 120);
        assert_only_read(&world);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_recorded_fails_visibly_and_is_not_reset_again() {
    let world = World::new();
    let event = sample("password-age-imported");
    world.state().fault = Some(Fault::Always("BatchUpdateFindings", 403, "AccessDeniedException"));
    for round in 0..3 {
        let error = world.deliver(&event).await.unwrap().unwrap_err();
        assert_eq!(error.error_type, "RemediationFailed");
        let answer: Value = serde_json::from_str(&error.error_message).unwrap();
        assert_eq!(only_user(&answer)["status"], if round == 0 { "reset" } else { "skipped" });
        assert_eq!(answer["totals"]["failed"], 1);
        let reason = answer["findings"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("not recorded: securityhub:BatchUpdateFindings failed: AccessDenied"), "{reason}");
    }
    world.state().fault = None;
    world.deliver(&event).await.unwrap().unwrap();
    world.assert_reset("alice", "");
    let state = world.state();
    assert_eq!((state.resets, state.messages.len(), state.updates.len()), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_user_who_could_not_be_told_is_told_by_a_retry() {
    let world = World::new();
    let event = sample("password-age-imported");
    world.state().fault = Some(Fault::Always("Publish", 403, "AuthorizationError"));
    let error = world.deliver(&event).await.unwrap().unwrap_err();
    assert!(error.error_message.contains("sns:Publish failed: AuthorizationError"), "{}", error.error_message);
    assert!(world.state().updates.is_empty(), "nothing is recorded while the user does not know");
    world.state().fault = None;
    world.let_pass(Duration::from_mins(1));
    world.deliver(&event).await.unwrap().unwrap();
    world.assert_reset("alice", "");
    let state = world.state();
    assert_eq!(state.messages.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn events_that_are_not_for_us_are_refused_before_any_call() {
    for event in [
        json!({}),
        json!([]),
        json!({"action": "delete", "user_name": "alice"}),
        json!({"action": "reset", "user_name": "alice", "password": "mine"}),
        sample("insight-results"),
        sample("reset-typo"),
    ] {
        let world = World::new();
        let error = world.deliver(&event).await.unwrap().unwrap_err();
        assert_eq!(error.error_type, "UnsupportedEvent", "{event}");
        assert!(world.state().calls.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn findings_that_do_not_count_cause_no_call() {
    for (name, reason) in [
        ("archived", "archived"),
        ("suppressed", "suppressed"),
        ("already-notified", "already-handled"),
        ("forged-product", "untrusted-product"),
        ("passed", "not-failed"),
        ("unsupported-control", "unsupported-control"),
    ] {
        let world = World::new();
        let answer = world.deliver(&sample(name)).await.unwrap().unwrap();
        assert_eq!(answer["findings"][0]["status"], "ignored", "{name}");
        assert_eq!(answer["findings"][0]["reason"], reason, "{name}");
        assert!(world.state().calls.is_empty(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_finding_does_not_stop_its_neighbour() {
    let world = World::new();
    let answer = world.deliver(&sample("malformed-neighbour")).await.unwrap().unwrap();
    let statuses: Vec<&str> =
        answer["findings"].as_array().unwrap().iter().map(|finding| finding["status"].as_str().unwrap()).collect();
    assert!(statuses.contains(&"ignored") && statuses.contains(&"handled"), "{answer}");
    assert_eq!(answer["totals"]["reset"], 1);
}

#[tokio::test(start_paused = true)]
async fn two_findings_about_one_user_reset_them_once_and_are_both_recorded() {
    let world = World::new();
    let mut event = sample("password-age-imported");
    let mut other = event["detail"]["findings"][0].clone();
    other["Id"] = json!("another-finding");
    event["detail"]["findings"].as_array_mut().unwrap().push(other);
    let answer = world.deliver(&event).await.unwrap().unwrap();
    assert_eq!(answer["totals"]["reset"], 1);
    let state = world.state();
    assert_eq!((state.resets, state.messages.len(), state.updates.len()), (1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_queue_gets_back_only_the_messages_that_failed() {
    let world = World::new();
    world.add_user("bob", 200);
    world.state().fault = None;
    let record = |id: &str, body: &Value| json!({"messageId": id, "eventSource": "aws:sqs", "body": body.to_string()});
    let event = json!({"Records": [
        record("m-1", &by_hand("alice")),
        record("m-2", &json!({"action": "dance"})),
        json!({"messageId": "m-3", "eventSource": "aws:sqs", "body": "no json"}),
        record("m-4", &json!({"action": "reset", "user_name": "bob", "account_id": "999999999999"})),
        record("m-5", &by_hand("bob")),
    ]});
    let answer = world.deliver(&event).await.unwrap().unwrap();
    let failed = ["m-2", "m-3", "m-4"].map(|id| json!({"itemIdentifier": id}));
    assert_eq!(answer, json!({"batchItemFailures": failed}));
    world.assert_reset("alice", "");
    world.assert_reset("bob", "");
}

#[tokio::test(start_paused = true)]
async fn nothing_happens_in_an_account_that_is_out_of_reach() {
    let world = World::new();
    let event = json!({"action": "reset", "user_name": "alice", "account_id": "999999999999"});
    let error = world.deliver(&event).await.unwrap().unwrap_err();
    assert!(error.error_message.contains("MEMBER_ROLE_NAME"), "{}", error.error_message);
    assert!(world.state().calls.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_old_secret_without_our_tags_gets_them() {
    let world = World::new();
    world.deliver(&by_hand("alice")).await.unwrap().unwrap();
    world.user_changes_password("alice", "Chosen-by-alice-1");
    world.let_pass(Duration::from_hours(2400));
    world.state().secrets.get_mut(&secret_name("alice")).unwrap().tags.clear();
    world.deliver(&by_hand("alice")).await.unwrap().unwrap();
    world.assert_reset("alice", "");
    assert_eq!(world.state().secrets[&secret_name("alice")].tags["iam-user"], "alice");
}
