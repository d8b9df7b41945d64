//! Other accounts: those that are enabled, and those that are out of reach.

use std::time::Duration;

use futures_util::future::join_all;
use iam_password_remediator::aws::{Aws, OutOfReach};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::world::{ACCOUNT, FUNCTION, Fault, Role, World};

const MEMBER: &str = "111122223333";
const OTHER: &str = "444455556666";
const WITH_ROLE: (&str, &str) = ("MEMBER_ROLE_NAME", "member");

/// A sample, as if it had happened in `account`.
fn sample_of(account: &str, name: &str) -> Value {
    let path = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap().replace(ACCOUNT, account)).unwrap()
}

async fn deliver(world: &World, variables: &[(&str, &str)], event: &Value) -> Result<Value, Value> {
    let app = world.app(World::config(variables)).await;
    let answer = world.deliver_to(&app, event).await.unwrap();
    answer.map_err(|error| match &*error.error_type {
        "RemediationFailed" => serde_json::from_str(&error.error_message).unwrap(),
        other => json!({ "type": other, "message": error.error_message }),
    })
}

/// The finding as Security Hub sends it out again after the last update.
fn echo(world: &World, event: &Value) -> Value {
    let mut event = event.clone();
    let finding = &mut event["detail"]["findings"][0];
    if let Some(update) = world.state().updates.last() {
        for (ours, theirs) in [("Note", "Note"), ("Comment", "comment"), ("Workflow", "Workflow")] {
            if let Some(value) = update.get(ours) {
                finding[theirs] = value.clone();
            }
        }
    }
    event
}

fn calls(world: &World, operation: &str) -> usize {
    world.state().calls.iter().filter(|call| *call == operation).count()
}

fn metric(world: &World, name: &str) -> Value {
    let metrics = String::from_utf8(world.state().metrics.clone()).unwrap();
    serde_json::from_str::<Value>(metrics.lines().last().unwrap()).unwrap()[name].clone()
}

const OUT_OF_REACH: &str = "account-out-of-reach";

#[tokio::test(start_paused = true)]
async fn a_finding_of_an_account_out_of_reach_is_passed_over_noted_once_and_told_once() {
    for (name, variables, why) in [
        ("password-age-imported", &[WITH_ROLE][..], "arn:aws:iam::111122223333:role/member"),
        ("password-age-v2", &[WITH_ROLE], "arn:aws:iam::111122223333:role/member"),
        ("iam7-imported", &[WITH_ROLE], "arn:aws:iam::111122223333:role/member"),
        ("iam7-v2", &[], "MEMBER_ROLE_NAME"),
        ("password-age-imported", &[], "MEMBER_ROLE_NAME"),
    ] {
        let world = World::new();
        let event = sample_of(MEMBER, name);
        let answer = deliver(&world, variables, &event).await.unwrap();
        assert_eq!(answer["findings"][0]["status"], "ignored", "{name}");
        assert_eq!(answer["findings"][0]["reason"], OUT_OF_REACH, "{name}");
        assert_eq!((&answer["users"], &answer["policies"]), (&json!([]), &json!([])), "{name}");
        assert_eq!(answer["totals"]["failed"], 0, "{name}");
        assert_eq!(metric(&world, "OutOfReach"), 1);
        {
            let state = world.state();
            let [update] = &state.updates[..] else { panic!("{name}: one note") };
            let note = update["Note"]["Text"].as_str().or(update["Comment"].as_str()).unwrap();
            assert!(note.contains(MEMBER) && note.contains(why), "{note}");
            assert!(update.get("Workflow").is_none() && update.get("StatusId").is_none(), "it stays new: {update}");
            let [message] = &state.messages[..] else { panic!("{name}: one message") };
            assert!(
                message.to_string().contains("remediation-failed") && message.to_string().contains(why),
                "{message}"
            );
            let ours = ["AssumeRole", "UpdateItem", "Publish", "BatchUpdateFindings", "BatchUpdateFindingsV2"];
            assert!(state.calls.iter().all(|call| ours.contains(&&**call)), "{:?}", state.calls);
        }
        // What the note causes ends there, even if the note went missing on the way.
        for event in [echo(&world, &event), event] {
            for _ in 0..3 {
                deliver(&world, variables, &event).await.unwrap();
                let state = world.state();
                assert_eq!((state.updates.len(), state.messages.len()), (1, 1), "{name}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_day_operators_hear_of_it_again_and_a_note_that_is_there_is_not_written_again() {
    let world = World::new();
    let event = sample_of(MEMBER, "password-age-imported");
    deliver(&world, &[WITH_ROLE], &event).await.unwrap();
    world.state().ledger.items.retain(|id, _| !id.starts_with("note#") && !id.starts_with("message#"));
    let echo = echo(&world, &event);
    deliver(&world, &[WITH_ROLE], &echo).await.unwrap();
    let state = world.state();
    assert_eq!((state.updates.len(), state.messages.len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn many_findings_of_an_account_out_of_reach_are_each_noted_and_told_of_together() {
    let world = World::new();
    let event = |number: usize| {
        let mut event = sample_of(MEMBER, "password-age-imported");
        event["detail"]["findings"][0]["Id"] = json!(format!("finding-{number}"));
        event
    };
    let records =
        (0..8).map(|n| json!({"messageId": n.to_string(), "eventSource": "aws:sqs", "body": event(n).to_string()}));
    let batch = json!({"Records": records.collect::<Vec<_>>()});
    assert_eq!(deliver(&world, &[WITH_ROLE], &batch).await.unwrap(), json!({"batchItemFailures": []}));
    for number in 8..12 {
        deliver(&world, &[WITH_ROLE], &event(number)).await.unwrap();
    }
    assert_eq!(world.state().updates.len(), 12);
    assert_eq!(world.state().messages.len(), 1);
    let mut other = event(0);
    other = serde_json::from_str(&other.to_string().replace(MEMBER, OTHER)).unwrap();
    deliver(&world, &[WITH_ROLE], &other).await.unwrap();
    assert_eq!(world.state().messages.len(), 2, "another account is another message");
}

#[tokio::test(start_paused = true)]
async fn neighbours_of_a_finding_out_of_reach_are_dealt_with() {
    let world = World::new();
    let mut event = sample_of(ACCOUNT, "password-age-imported");
    let neighbour = sample_of(MEMBER, "iam7-imported")["detail"]["findings"][0].clone();
    event["detail"]["findings"].as_array_mut().unwrap().insert(0, neighbour);
    let answer = deliver(&world, &[WITH_ROLE], &event).await.unwrap();
    let outcomes: Vec<&str> =
        answer["findings"].as_array().unwrap().iter().map(|it| it["status"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["ignored", "handled"]);
    world.assert_reset("alice", "");
    assert_eq!(world.state().updates.len(), 2, "each has its own note");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_passes_is_no_account_out_of_reach() {
    for refusal in [(400, "Throttling"), (503, "ServiceUnavailable"), (403, "ExpiredToken")] {
        let world = World::new();
        world.state().roles.insert(MEMBER.to_owned(), Role { refusal: Some(refusal), ..Role::default() });
        for name in ["password-age-imported", "iam7-imported"] {
            let answer = deliver(&world, &[WITH_ROLE], &sample_of(MEMBER, name)).await.unwrap_err();
            assert_eq!(answer["findings"][0]["status"], "handled", "{refusal:?}");
            assert_eq!(answer["users"][0]["status"], "failed", "{refusal:?}");
        }
        assert!(world.state().updates.is_empty());
        assert_eq!(metric(&world, "OutOfReach"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_an_account_out_of_reach_in_person_sees_it_fail() {
    for event in [
        json!({"action": "reset", "user_name": "alice", "account_id": MEMBER}),
        json!({"action": "sweep", "account_id": MEMBER}),
        json!({"action": "adopt", "account_id": MEMBER}),
        sample_of(MEMBER, "custom-action"),
    ] {
        let world = World::new();
        let answer = deliver(&world, &[WITH_ROLE], &event).await.unwrap_err();
        assert_eq!(answer["users"][0]["status"], "failed", "{event}");
        assert!(answer["users"][0]["reason"].as_str().unwrap().contains("could not be assumed"), "{answer}");
        assert!(world.state().updates.is_empty(), "{event}");
    }
    let world = World::new();
    let mut selected = sample_of(MEMBER, "custom-action");
    selected["detail"]["findings"] = sample_of(MEMBER, "iam7-imported")["detail"]["findings"].clone();
    let answer = deliver(&world, &[WITH_ROLE], &selected).await.unwrap_err();
    assert_eq!(answer["policies"][0]["status"], "failed", "a policy finding that a person selected");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_leaves_no_note_and_tells_nobody() {
    let world = World::new();
    let event = sample_of(MEMBER, "password-age-imported");
    let answer = deliver(&world, &[WITH_ROLE, ("MODE", "dry-run")], &event).await.unwrap();
    assert_eq!(answer["findings"][0]["reason"], OUT_OF_REACH);
    assert_eq!(world.state().calls, ["AssumeRole"]);
}

#[tokio::test(start_paused = true)]
async fn as_long_as_operators_cannot_be_told_it_is_a_failure() {
    for operation in ["Publish", "UpdateItem"] {
        let world = World::new();
        world.state().fault = Some(Fault::Always(operation, 403, "AuthorizationError"));
        let event = sample_of(MEMBER, "password-age-imported");
        let answer = deliver(&world, &[WITH_ROLE], &event).await.unwrap_err();
        assert_eq!(answer["findings"][0]["reason"], OUT_OF_REACH);
        let reason = answer["users"][0]["reason"].as_str().unwrap();
        assert!(reason.starts_with("the account is out of reach, but operators could not be told"), "{reason}");
        world.state().fault = None;
        world.let_pass(Duration::from_mins(2));
        world.state().messages.clear();
        deliver(&world, &[WITH_ROLE], &event).await.unwrap();
        assert_eq!(world.state().messages.len(), 1, "the retry tells them");
    }
}

#[tokio::test(start_paused = true)]
async fn a_note_that_cannot_be_left_is_no_failure() {
    let world = World::new();
    world.state().fault = Some(Fault::Always("BatchUpdateFindings", 403, "AccessDeniedException"));
    deliver(&world, &[WITH_ROLE], &sample_of(MEMBER, "password-age-imported")).await.unwrap();
    assert_eq!(world.state().messages.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_called_for_an_account_that_is_not_enabled() {
    let accounts = ("ACCOUNTS", "*,!111122223333");
    for name in ["password-age-imported", "iam7-v2", "custom-action"] {
        let world = World::new();
        let answer = deliver(&world, &[WITH_ROLE, accounts], &sample_of(MEMBER, name)).await.unwrap();
        assert_eq!(answer["findings"][0]["reason"], "account-not-enabled", "{name}");
        assert!(world.state().calls.is_empty(), "{name}: {:?}", world.state().calls);
    }
    let world = World::new();
    let sweep = json!({"action": "sweep", "account_id": MEMBER});
    let refused = deliver(&world, &[WITH_ROLE, accounts], &sweep).await.unwrap_err();
    let message = "expected an account that ACCOUNTS names, found account 111122223333";
    assert_eq!(refused, json!({"type": "UnsupportedEvent", "message": message}));
    let job = json!({"job": "reset", "account_id": MEMBER, "user_name": "alice"}).to_string();
    let batch = json!({"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": job}]});
    let answer = deliver(&world, &[WITH_ROLE, accounts], &batch).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}), "a job that was queued before");
    assert!(world.state().calls.is_empty());
    deliver(&world, &[accounts], &sample_of(ACCOUNT, "password-age-imported")).await.unwrap();
    world.assert_reset("alice", "the function's own account is enabled");
}

// Getting into accounts.

async fn member_aws(world: &World) -> Aws {
    world.aws(&World::config(&[WITH_ROLE])).await
}

async fn reach(aws: &Aws, account: &str) -> Result<(), OutOfReach> {
    aws.account(&FUNCTION.parse().unwrap(), &account.parse().unwrap()).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn no_account_waits_for_another() {
    let world = World::new();
    let slow = Role { takes: Duration::from_secs(2), ..Role::default() };
    world.state().roles.extend([(MEMBER.to_owned(), slow), (OTHER.to_owned(), Role::default())]);
    let aws = member_aws(&world).await;
    let start = Instant::now();
    let slow = async {
        reach(&aws, MEMBER).await.unwrap();
        assert!(start.elapsed() >= Duration::from_secs(2));
    };
    let others = async {
        sleep(Duration::from_millis(500)).await;
        for account in [OTHER, ACCOUNT] {
            reach(&aws, account).await.unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(1), "they waited for the slow one");
    };
    tokio::join!(slow, others);
}

#[tokio::test(start_paused = true)]
async fn all_who_want_an_account_share_one_session() {
    let world = World::new();
    world.state().roles.insert(MEMBER.to_owned(), Role { takes: Duration::from_secs(1), ..Role::default() });
    let aws = member_aws(&world).await;
    join_all((0..20).map(|_| reach(&aws, MEMBER))).await.into_iter().for_each(Result::unwrap);
    reach(&aws, MEMBER).await.unwrap();
    assert_eq!(calls(&world, "AssumeRole"), 1);
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_share_an_error_and_the_next_tries_again() {
    let world = World::new();
    let refusal = Some((403, "AccessDenied"));
    world.state().roles.insert(MEMBER.to_owned(), Role { takes: Duration::from_secs(1), refusal });
    let aws = member_aws(&world).await;
    for tries in 1..=2 {
        let found = join_all((0..20).map(|_| reach(&aws, MEMBER))).await;
        assert!(found.iter().all(|found| found.as_ref().is_err_and(OutOfReach::is_lasting)));
        assert_eq!(calls(&world, "AssumeRole"), tries);
    }
    world.state().roles.insert(MEMBER.to_owned(), Role::default());
    reach(&aws, MEMBER).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_gives_up_stops_nobody_else() {
    let world = World::new();
    world.state().roles.insert(MEMBER.to_owned(), Role { takes: Duration::from_secs(2), ..Role::default() });
    let aws = member_aws(&world).await;
    let (given_up, waited) =
        tokio::join!(tokio::time::timeout(Duration::from_secs(1), reach(&aws, MEMBER)), reach(&aws, MEMBER));
    assert!(given_up.is_err());
    waited.unwrap();
    assert_eq!(calls(&world, "AssumeRole"), 1);
}
