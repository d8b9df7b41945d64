//! Copies of one event at the same time, and again later.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::world::World;

fn event() -> Value {
    serde_json::from_str(include_str!("../../events/password-age-imported.json")).unwrap()
}

fn statuses(answers: &[Value]) -> Vec<String> {
    answers.iter().map(|answer| answer["users"][0]["status"].as_str().unwrap().to_owned()).collect()
}

async fn race(world: &World, event: &Value, copies: usize) -> Vec<Value> {
    let deliveries = (0..copies).map(|_| world.deliver(event));
    join_all(deliveries).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn copies_that_race_set_one_password_and_send_one_message() {
    for event in [event(), json!({"action": "reset", "user_name": "alice", "force": true})] {
        for seed in 0..200 {
            let world = World::new();
            world.set_seed(seed);
            world.state().latency = 60;
            let answers = race(&world, &event, 2 + usize::try_from(seed % 4).unwrap()).await;
            let context = format!("seed {seed}");
            world.assert_reset("alice", &context);
            let state = world.state();
            assert_eq!(state.passwords_set.len(), 1, "{context}: one password");
            assert_eq!(state.messages.len(), 1, "{context}: one message");
            let statuses = statuses(&answers);
            assert_eq!(statuses.iter().filter(|status| *status == "reset").count(), 1, "{context}: {statuses:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_again_does_nothing_again() {
    for event in [event(), json!({"action": "reset", "user_name": "alice", "force": true})] {
        for renew_report in [false, true] {
            let world = World::new();
            world.deliver(&event).await.unwrap().unwrap();
            for _ in 0..3 {
                world.let_pass(Duration::from_secs(90));
                if renew_report {
                    world.state().report = None;
                }
                let answer = world.deliver(&event).await.unwrap().unwrap();
                assert_eq!(answer["users"][0]["reason"], "already-reset");
            }
            world.assert_reset("alice", "after four deliveries");
            let state = world.state();
            assert_eq!((state.resets, state.messages.len()), (1, 1));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_the_event_leaves_a_user_alone_who_has_since_signed_in() {
    let world = World::new();
    world.deliver(&event()).await.unwrap().unwrap();
    world.user_changes_password("alice", "Chosen-by-alice-1");
    for renew_report in [false, true] {
        if renew_report {
            world.state().report = None;
        }
        let answer = world.deliver(&event()).await.unwrap().unwrap();
        assert_eq!(answer["users"][0]["status"], "skipped", "{answer}");
    }
    assert_eq!(world.state().users["alice"].login.as_ref().unwrap().password, "Chosen-by-alice-1");
}

#[tokio::test(start_paused = true)]
async fn a_person_who_asks_again_gets_another_reset() {
    let force = json!({"action": "reset", "user_name": "alice", "force": true});
    let world = World::new();
    for round in 1..=3 {
        world.state().request_id = format!("request-{round}");
        world.deliver(&force).await.unwrap().unwrap();
        world.assert_reset("alice", &format!("round {round}"));
        assert_eq!(world.state().resets, round);
        world.user_changes_password("alice", &format!("Chosen-by-alice-{round}"));
        world.let_pass(Duration::from_mins(10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_delivered_again_spares_those_who_have_signed_in_since() {
    let mut event: Value = serde_json::from_str(include_str!("../../events/custom-action.json")).unwrap();
    let asked = OffsetDateTime::now_utc() - time::Duration::minutes(10);
    event["time"] = json!(asked.format(&Rfc3339).unwrap());
    let world = World::new();
    world.add_user("bob", 1);
    world.state().fail_for = Some("bob".to_owned());
    world.deliver(&event).await.unwrap().unwrap_err();
    world.user_changes_password("alice", "Chosen-by-alice-1");
    world.state().fail_for = None;
    for renew_report in [false, true] {
        world.let_pass(Duration::from_mins(2));
        if renew_report {
            world.state().report = None;
        }
        let answer = world.deliver(&event).await.unwrap().unwrap();
        assert_eq!(answer["users"][0]["reason"], "already-reset", "{answer}");
    }
    world.assert_reset("bob", "");
    assert_eq!(world.state().users["alice"].login.as_ref().unwrap().password, "Chosen-by-alice-1");
}
