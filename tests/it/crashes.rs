//! A crash, a lost answer and an error at every call of the whole program, from
//! five starting points, each followed by redelivery. `model` has every order of
//! several of them, `random` has the rest of what may happen.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Fault, World, secret_name};

fn event() -> Value {
    serde_json::from_str(include_str!("../../events/password-age-imported.json")).unwrap()
}

fn by_force() -> Value {
    json!({"action": "reset", "user_name": "alice", "force": true})
}

/// Where a reset may start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// The user never had a secret.
    NoSecret,
    /// A reset 120 days ago left a secret behind.
    OldSecret,
    /// That secret is scheduled for deletion.
    DeletedSecret,
    /// Users may not change their own password.
    NotAllowed,
    /// Nobody has asked for a credential report yet, and it takes its time.
    NoReport,
}

const STARTS: [Start; 5] =
    [Start::NoSecret, Start::OldSecret, Start::DeletedSecret, Start::NotAllowed, Start::NoReport];

async fn world(start: Start) -> World {
    let world = World::new();
    if matches!(start, Start::OldSecret | Start::DeletedSecret) {
        world.deliver(&event()).await.unwrap().unwrap();
        world.user_changes_password("alice", "Chosen-by-alice-1");
        world.let_pass(Duration::from_hours(2900));
        let mut state = world.state();
        state.secrets.get_mut(&secret_name("alice")).unwrap().deleted = start == Start::DeletedSecret;
        state.messages.clear();
        state.updates.clear();
        state.passwords_set.clear();
        state.resets = 0;
    }
    {
        let mut state = world.state();
        state.policy.as_mut().unwrap().allow_change = start != Start::NotAllowed;
        state.report_polls = if start == Start::NoReport { 3 } else { 0 };
        state.calls.clear();
    }
    world
}

/// How many calls an undisturbed delivery makes.
async fn calls(start: Start, event: &Value) -> usize {
    let world = world(start).await;
    world.deliver(event).await.unwrap().unwrap();
    let calls = world.state().calls.len();
    assert!(calls >= 10, "{calls} calls are too few to have done anything");
    calls
}

/// Delivers as Lambda does: at once, then again after one and two minutes.
async fn deliver_with_retries(world: &World, event: &Value) {
    for pause in [0, 60, 120] {
        world.let_pass(Duration::from_secs(pause));
        if matches!(world.deliver(event).await, Ok(Ok(_))) {
            return;
        }
    }
}

async fn survives(fault: impl Fn(usize) -> Fault, announced_at_most: usize) {
    for event in [event(), by_force()] {
        for start in STARTS {
            for at in 0..calls(start, &event).await {
                let world = world(start).await;
                world.state().fault = Some(fault(at));
                deliver_with_retries(&world, &event).await;
                let context = format!("{start:?}, {:?}", fault(at));
                world.assert_reset("alice", &context);
                let state = world.state();
                assert!(state.passwords_set.len() <= 2, "{context}: at most one was given up");
                let announced = state.messages.len();
                assert!((1..=announced_at_most).contains(&announced), "{context}: announced {announced} times");
                let for_finding = event.get("source").is_some();
                assert_eq!(state.updates.is_empty(), !for_finding, "{context}: recorded on the finding");
                if start == Start::NotAllowed {
                    assert!(!state.users["alice"].attached.is_empty(), "{context}: the user may change the password");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_any_call_is_mended_by_redelivery() {
    survives(Fault::CrashAfter, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_any_call_is_mended() {
    survives(Fault::LostAnswer, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_error_of_any_call_is_mended() {
    survives(|at| Fault::Error(at, 500, "ServiceFailure"), 1).await;
}
