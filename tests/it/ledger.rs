//! What the ledger is for: one run a user, requests that count once, secrets that
//! are known to be our own. Each execution here once went wrong.

use std::time::Duration;

use futures_util::future::join;
use serde_json::{Value, json};

use crate::world::{ACCOUNT, Fault, Secret, Version, World, secret_name};

fn sample(name: &str) -> Value {
    let path = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn by_force() -> Value {
    json!({"action": "reset", "user_name": "alice", "force": true})
}

fn only_user(answer: &Value) -> &Value {
    &answer["users"][0]
}

fn password(world: &World) -> String {
    world.state().users["alice"].login.as_ref().unwrap().password.clone()
}

fn denied(operation: &'static str) -> Fault {
    Fault::Always(operation, 400, "AccessDeniedException")
}

/// A secret of alice's name that somebody else made.
fn plant(world: &World) {
    let labels = ["AWSCURRENT".to_owned()].into();
    let version = Version { value: json!({"password": "Planted-1"}).to_string(), labels };
    let mut secret = Secret::default();
    secret.tags.insert("managed-by".to_owned(), "iam-password-remediator".to_owned());
    secret.tags.insert("iam-user".to_owned(), "alice".to_owned());
    secret.versions.insert("planted".to_owned(), version);
    world.state().secrets.insert(secret_name("alice"), secret);
}

#[tokio::test(start_paused = true)]
async fn without_the_table_nothing_is_changed() {
    let world = World::new();
    world.state().fault = Some(Fault::Always("UpdateItem", 400, "ResourceNotFoundException"));
    let error = world.deliver(&by_force()).await.unwrap().unwrap_err();
    assert!(error.error_message.contains("dynamodb:UpdateItem failed: ResourceNotFoundException"));
    let state = world.state();
    assert!(state.passwords_sent.is_empty() && state.secrets.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_user_at_whom_a_dead_run_was_at_work_is_left_to_a_later_delivery() {
    let world = World::new();
    world.state().fault = Some(Fault::CrashAfter(0));
    let _ = world.deliver(&by_force()).await;
    world.state().fault = None;
    let error = world.deliver(&by_force()).await.unwrap().unwrap_err();
    assert!(error.error_message.contains("another run is at work on this user"), "{}", error.error_message);
    assert_eq!(world.state().resets, 0);
    world.let_pass(Duration::from_mins(1));
    world.deliver(&by_force()).await.unwrap().unwrap();
    world.assert_reset("alice", "");
}

#[tokio::test(start_paused = true)]
async fn two_requests_at_once_are_both_carried_out_one_after_the_other() {
    for seed in 0..20 {
        let world = World::new();
        world.set_seed(seed);
        world.state().latency = 60;
        let (first, second) = join(
            async {
                world.state().request_id = "first".to_owned();
                world.deliver(&by_force()).await
            },
            async {
                world.state().request_id = "second".to_owned();
                world.deliver(&by_force()).await
            },
        )
        .await;
        for answer in [first, second] {
            assert_eq!(only_user(&answer.unwrap().unwrap())["status"], "reset", "seed {seed}");
        }
        world.assert_reset("alice", &format!("seed {seed}"));
        assert_eq!(world.state().resets, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_somebody_else_made_receives_no_password() {
    for event in [by_force(), sample("password-age-imported")] {
        let world = World::new();
        plant(&world);
        let before = password(&world);
        let error = world.deliver(&event).await.unwrap().unwrap_err();
        assert!(error.error_message.contains("is in the way"), "{}", error.error_message);
        let state = world.state();
        assert!(state.passwords_sent.is_empty(), "no password was stored or set");
        assert!(state.users["alice"].login.as_ref().unwrap().password == before);
        assert!(state.messages[0].to_string().contains("remediation-failed"), "operators are told");
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_used_once_a_person_has_adopted_it() {
    let world = World::new();
    plant(&world);
    let listed = world.deliver(&json!({"action": "adopt", "dry_run": true})).await.unwrap().unwrap();
    assert_eq!(listed["secrets"][0]["status"], "would-adopt", "{listed}");
    assert!(world.state().ledger.items.is_empty(), "a dry run writes nothing");
    let adopted = world.deliver(&json!({"action": "adopt"})).await.unwrap().unwrap();
    assert_eq!(adopted["secrets"][0]["status"], "adopted", "{adopted}");
    let again = world.deliver(&json!({"action": "adopt"})).await.unwrap().unwrap();
    assert_eq!(again["secrets"][0]["status"], "known", "{again}");
    world.deliver(&by_force()).await.unwrap().unwrap();
    world.assert_reset("alice", "");
}

#[tokio::test(start_paused = true)]
async fn an_adopted_secret_with_a_pending_password_makes_no_old_password_young() {
    let world = World::new();
    plant(&world);
    {
        let mut state = world.state();
        let labels = ["AWSPENDING".to_owned()].into();
        let version = Version { value: json!({"password": "Never-set-1"}).to_string(), labels };
        state.secrets.get_mut(&secret_name("alice")).unwrap().versions.insert("pending".to_owned(), version);
    }
    world.deliver(&json!({"action": "adopt"})).await.unwrap().unwrap();
    let answer = world.deliver(&sample("password-age-imported")).await.unwrap().unwrap();
    assert_eq!(only_user(&answer)["status"], "reset", "{answer}");
    world.assert_reset("alice", "");
}

#[tokio::test(start_paused = true)]
async fn passwords_that_iam_keeps_refusing_do_not_pile_up_labels_and_a_person_can_end_it() {
    let world = World::new();
    // Longer than IAM takes: no password can satisfy it.
    world.state().policy.as_mut().unwrap().minimum_length = 200;
    for _ in 0..8 {
        let error = world.deliver(&by_force()).await.unwrap().unwrap_err();
        assert!(error.error_message.contains("IAM refused"), "{}", error.error_message);
        world.let_pass(Duration::from_mins(2));
    }
    let labels: usize =
        world.state().secrets[&secret_name("alice")].versions.values().map(|version| version.labels.len()).sum();
    assert!(labels < 20, "{labels} labels");
    world.user_changes_password("alice", "Set-by-the-help-desk-1");
    let answer = world.deliver(&by_force()).await.unwrap().unwrap();
    assert_eq!(only_user(&answer)["reason"], "already-reset", "{answer}");
    assert_eq!(password(&world), "Set-by-the-help-desk-1");
}

#[tokio::test(start_paused = true)]
async fn a_reset_that_a_lost_ledger_knew_of_is_ended_after_its_secret_is_adopted() {
    let world = World::new();
    world.state().fault = Some(Fault::CrashAfter(password_call().await));
    let _ = world.deliver(&by_force()).await;
    world.state().fault = None;
    world.state().ledger.items.clear();
    world.deliver(&json!({"action": "adopt"})).await.unwrap().unwrap();
    let answer = world.deliver(&json!({"action": "sweep", "max_resets": 0})).await.unwrap().unwrap();
    assert_eq!(only_user(&answer)["status"], "reset", "{answer}");
    world.assert_reset("alice", "");
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_first_try_only_touched_the_secret_is_carried_out_by_the_next() {
    let world = World::new();
    world.deliver(&by_force()).await.unwrap().unwrap();
    world.user_changes_password("alice", "Chosen-by-alice-1");
    {
        let mut state = world.state();
        let secret = state.secrets.get_mut(&secret_name("alice")).unwrap();
        secret.deleted = true;
        secret.tags.clear();
    }
    world.state().request_id = "another".to_owned();
    world.state().fault = Some(denied("PutSecretValue"));
    world.deliver(&by_force()).await.unwrap().unwrap_err();
    world.state().fault = None;
    let answer = world.deliver(&by_force()).await.unwrap().unwrap();
    assert_eq!(only_user(&answer)["status"], "reset", "{answer}");
    world.assert_reset("alice", "");
    assert_eq!(world.state().secrets[&secret_name("alice")].tags["iam-user"], "alice");
}

#[tokio::test(start_paused = true)]
async fn a_request_delivered_again_spares_what_the_user_chose_meanwhile() {
    let world = World::new();
    world.deliver(&by_force()).await.unwrap().unwrap();
    world.let_pass(Duration::from_mins(1));
    world.user_changes_password("alice", "Chosen-by-alice-1");
    world.let_pass(Duration::from_mins(1));
    let answer = world.deliver(&by_force()).await.unwrap().unwrap();
    assert_eq!(only_user(&answer)["reason"], "already-reset", "{answer}");
    assert_eq!(password(&world), "Chosen-by-alice-1");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_of_a_password_that_the_help_desk_has_replaced() {
    for demand in [false, true] {
        for fault in [denied("Publish"), Fault::CrashAfter(password_call().await)] {
            let world = World::new();
            world.state().fault = Some(fault);
            let _ = world.deliver(&by_force()).await;
            world.state().fault = None;
            assert!(world.state().messages.is_empty());
            world.user_changes_password("alice", "Set-by-the-help-desk-1");
            world.edit_user("alice", |user| user.login.as_mut().unwrap().reset_required = demand);
            world.let_pass(Duration::from_mins(1));
            world.deliver(&by_force()).await.unwrap().unwrap();
            if demand {
                // It cannot be told from ours, so ours is set again, and told.
                world.assert_reset("alice", "with a demand");
                assert_eq!(world.state().messages.len(), 1);
            } else {
                assert_eq!(password(&world), "Set-by-the-help-desk-1");
                assert!(world.state().messages.is_empty());
            }
        }
    }
}

/// The place of the call that sets the password among those of a first reset.
async fn password_call() -> usize {
    let world = World::new();
    world.deliver(&by_force()).await.unwrap().unwrap();
    world.state().calls.iter().rposition(|call| call == "UpdateLoginProfile").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_held_sweep_a_day_later_tells_the_user_whom_a_cut_short_reset_left_in_the_dark() {
    let world = World::new();
    world.state().fault = Some(Fault::CrashAfter(password_call().await));
    let _ = world.deliver(&sample("password-age-imported")).await;
    world.state().fault = None;
    world.let_pass(Duration::from_mins(24 * 60 + 10));
    world.state().report = None;
    let answer = world.deliver(&json!({"action": "sweep", "max_resets": 0})).await.unwrap().unwrap();
    assert_eq!(only_user(&answer)["status"], "reset", "{answer}");
    world.assert_reset("alice", "");
    assert_eq!(world.state().messages.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stale_report_a_finding_and_a_person_at_once_end_with_one_password_that_works() {
    let finding = sample("password-age-imported");
    let all = {
        let world = World::new();
        world.deliver(&finding).await.unwrap().unwrap();
        world.state().calls.len()
    };
    for at in 0..all {
        let world = World::new();
        // The report is there, and then alice changes her password.
        world.deliver(&json!({"action": "sweep", "dry_run": true})).await.unwrap().unwrap();
        world.user_changes_password("alice", "Chosen-by-alice-1");
        let calls = world.state().calls.len();
        world.state().fault = Some(Fault::CrashAfter(calls + at));
        let _ = world.deliver(&finding).await;
        world.state().fault = None;
        world.let_pass(Duration::from_mins(1));
        let (one, other) = join(world.deliver(&finding), world.deliver(&by_force())).await;
        one.unwrap().unwrap();
        other.unwrap().unwrap();
        world.assert_reset("alice", &format!("crash after {at}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_finding_in_the_functions_own_name_sets_no_policy_and_no_limit() {
    for name in ["forged-own-policy", "forged-own-limit"] {
        let world = World::new();
        world.add_user("alice", 30);
        let before = format!("{:?}", world.state().policy);
        world.deliver(&sample(name)).await.unwrap().unwrap();
        let state = world.state();
        assert_eq!(format!("{:?}", state.policy), before, "{name}");
        assert_eq!(state.resets, 0, "{name}: a password of 30 days is not too old");
    }
}

#[tokio::test(start_paused = true)]
async fn no_item_of_the_ledger_holds_a_password() {
    let world = World::new();
    world.deliver(&by_force()).await.unwrap().unwrap();
    let state = world.state();
    let items = json!(state.ledger.items).to_string();
    assert!(items.contains(ACCOUNT));
    assert!(!state.passwords_sent.is_empty() && state.passwords_sent.iter().all(|password| !items.contains(password)));
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_reads_took_half_a_minute_takes_the_lease_anew_and_looks_again() {
    let world = World::new();
    world.state().report_polls = 10;
    let start = tokio::time::Instant::now();
    world.deliver(&by_force()).await.unwrap().unwrap();
    assert!(start.elapsed() > Duration::from_secs(30), "the report was there at once");
    world.assert_reset("alice", "");
    let looks = world.state().calls.iter().filter(|call| *call == "GetLoginProfile").count();
    assert_eq!(looks, 2);
}
