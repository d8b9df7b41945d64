//! The grace period: first the user only has to change the password, and then,
//! on the day that was told, it is replaced. `model` has every order of runs,
//! crashes and people.

use std::time::Duration;

use iam_password_remediator::handler::App;
use serde_json::{Value, json};

use crate::world::{Fault, World, secret_name};

const DAYS: u64 = 14;
const GRACE: Duration = Duration::from_hours(24 * DAYS);
const ALMOST_ALL_OF_IT: Duration = Duration::from_mins(60 * 24 * DAYS - 2);
const A_DAY: Duration = Duration::from_hours(24);
const A_MINUTE: Duration = Duration::from_mins(1);

fn finding() -> Value {
    serde_json::from_str(include_str!("../../events/password-age-imported.json")).unwrap()
}

fn sweep() -> Value {
    json!({"action": "sweep", "max_resets": 100})
}

async fn app(world: &World) -> App {
    world.app(World::config(&[("GRACE_DAYS", &DAYS.to_string())])).await
}

async fn deliver(world: &World, event: &Value) -> Value {
    world.deliver_to(&app(world).await, event).await.unwrap().unwrap()
}

/// What became of alice.
async fn status(world: &World, event: &Value) -> (String, Option<String>) {
    let answer = deliver(world, event).await;
    let user = &answer["users"][0];
    (user["status"].as_str().unwrap().to_owned(), user["reason"].as_str().map(str::to_owned))
}

fn skipped(reason: &str) -> (String, Option<String>) {
    ("skipped".to_owned(), Some(reason.to_owned()))
}

fn was(status: &str) -> (String, Option<String>) {
    (status.to_owned(), None)
}

fn kinds(world: &World) -> Vec<String> {
    let messages = &world.state().messages;
    let kind = |message: &Value| {
        let attributes = message.to_string();
        let known = ["password-reset", "password-change-required"];
        known.into_iter().find(|kind| attributes.contains(&format!("\"{kind}\""))).unwrap().to_owned()
    };
    messages.iter().map(kind).collect()
}

fn is_demanded(world: &World) -> bool {
    world.state().users["alice"].login.as_ref().unwrap().reset_required
}

#[tokio::test(start_paused = true)]
async fn a_stale_password_has_to_be_changed_first_and_is_replaced_on_the_day_that_was_told() {
    let world = World::new();
    let answer = deliver(&world, &finding()).await;
    assert_eq!(answer["users"][0]["status"], "change-required");
    assert_eq!(answer["totals"]["change_required"], 1);
    assert!(is_demanded(&world));
    {
        let state = world.state();
        assert_eq!(state.resets, 0);
        assert!(state.secrets.is_empty() && state.passwords_sent.is_empty(), "the gentle stage needs no password");
        let update = &state.updates[0];
        assert_eq!(update["Workflow"]["Status"], "NOTIFIED");
        let note = update["Note"]["Text"].as_str().unwrap();
        assert!(note.contains("it is replaced from 20") && note.contains(" UTC on"), "{note}");
    }
    assert_eq!(status(&world, &finding()).await, skipped("in-grace"));
    world.let_pass(ALMOST_ALL_OF_IT);
    assert_eq!(status(&world, &sweep()).await, skipped("in-grace"));
    world.let_pass(A_MINUTE * 2);
    assert_eq!(status(&world, &sweep()).await, was("reset"));
    world.assert_reset("alice", "");
    assert_eq!(kinds(&world), ["password-change-required", "password-reset"]);
}

#[tokio::test(start_paused = true)]
async fn who_changes_the_password_in_time_is_left_alone_although_the_report_lags() {
    let world = World::new();
    deliver(&world, &finding()).await;
    world.let_pass(GRACE);
    // The report is made anew, and only then the password is changed.
    assert_eq!(status(&world, &json!({"action": "sweep", "dry_run": true})).await, was("would-reset"));
    world.user_changes_password("alice", "Chosen-by-alice-1");
    assert_eq!(status(&world, &finding()).await, skipped("password-fresh"));
    assert_eq!(status(&world, &finding()).await, skipped("already-reset"));
    world.let_pass(Duration::from_hours(5));
    assert_eq!(status(&world, &finding()).await, skipped("password-fresh"));
    assert_eq!(world.state().resets, 0);
}

#[tokio::test(start_paused = true)]
async fn a_date_once_told_stands_whatever_is_configured_then() {
    let world = World::new();
    deliver(&world, &finding()).await;
    let answer = world.deliver(&sweep()).await.unwrap().unwrap();
    assert_eq!(answer["users"][0]["reason"], "in-grace");
}

#[tokio::test(start_paused = true)]
async fn a_persons_reset_has_no_grace_and_one_by_hand_without_force_has_it() {
    for (event, expected) in [
        (json!({"action": "reset", "user_name": "alice"}), was("change-required")),
        (json!({"action": "reset", "user_name": "alice", "dry_run": true}), was("would-require-change")),
        (json!({"action": "reset", "user_name": "alice", "force": true}), was("reset")),
        (serde_json::from_str(include_str!("../../events/custom-action.json")).unwrap(), was("reset")),
        (sweep(), was("change-required")),
    ] {
        let world = World::new();
        assert_eq!(status(&world, &event).await, expected, "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_forced_reset_ends_the_grace_period() {
    let world = World::new();
    deliver(&world, &finding()).await;
    assert_eq!(status(&world, &json!({"action": "reset", "user_name": "alice", "force": true})).await, was("reset"));
    world.let_pass(A_DAY * 20);
    assert_eq!(status(&world, &finding()).await, skipped("already-reset"));
    world.assert_reset("alice", "");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_demanded_of_who_could_not_meet_it() {
    let world = World::new();
    world.edit_user("alice", |user| user.simulated = "explicitDeny");
    assert_eq!(status(&world, &finding()).await, skipped("cannot-change-password"));
    assert!(!is_demanded(&world));
    // A grant mends it, and comes first.
    let world = World::new();
    world.state().policy.as_mut().unwrap().allow_change = false;
    assert_eq!(status(&world, &finding()).await, was("change-required"));
    let calls = world.state().calls.clone();
    let place = |operation: &str| calls.iter().position(|call| call == operation).unwrap();
    assert!(place("AttachUserPolicy") < place("UpdateLoginProfile"));
}

/// A crash after each call of the first day, and of the day on which the
/// password is replaced.
#[tokio::test(start_paused = true)]
async fn a_crash_anywhere_repeats_at_most_the_message_and_moves_no_date() {
    for changes_in_time in [false, true] {
        for day in [0, DAYS] {
            for at in 0..20 {
                let context = format!("changes in time: {changes_in_time}, day {day}, call {at}");
                let world = World::new();
                let crash = |is_today: bool| {
                    let mut state = world.state();
                    let at = state.calls.len() + at;
                    state.fault = is_today.then_some(Fault::CrashAfter(at));
                };
                crash(day == 0);
                let _ = world.deliver_to(&app(&world).await, &finding()).await;
                crash(false);
                world.let_pass(A_MINUTE);
                let _ = deliver(&world, &finding()).await;
                assert!(is_demanded(&world), "{context}");
                if changes_in_time {
                    world.user_changes_password("alice", "Chosen-by-alice-1");
                }
                world.let_pass(ALMOST_ALL_OF_IT);
                deliver(&world, &sweep()).await;
                assert_eq!(world.state().resets, 0, "{context}");
                world.let_pass(A_MINUTE * 2);
                crash(day == DAYS);
                let _ = world.deliver_to(&app(&world).await, &sweep()).await;
                crash(false);
                world.let_pass(A_MINUTE);
                deliver(&world, &sweep()).await;
                let told = kinds(&world);
                let of_kind = |kind: &str| told.iter().filter(|told| *told == kind).count();
                assert!((1..=2).contains(&of_kind("password-change-required")), "{context}: {told:?}");
                if changes_in_time {
                    let state = world.state();
                    assert_eq!((state.resets, state.secrets.len()), (0, 0), "{context}");
                    assert!(state.violations.is_empty(), "{context}");
                } else {
                    world.assert_reset("alice", &context);
                    assert!((1..=2).contains(&of_kind("password-reset")), "{context}: {told:?}");
                }
            }
        }
    }
}

/// How a user goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    ChangesOnDay(u64),
    Never,
}

/// A fortnight and a day of daily sweeps, each killed at another call and
/// delivered again.
#[tokio::test(start_paused = true)]
async fn a_fortnight_of_users_who_change_in_time_too_late_and_never() {
    let habits: Vec<(String, Habit)> = (0..18)
        .map(|number| {
            let habit = if number % 3 == 0 { Habit::Never } else { Habit::ChangesOnDay(number) };
            (format!("user{number:02}"), habit)
        })
        .collect();
    for seed in 0..4 {
        let world = World::new();
        world.state().users.clear();
        world.set_seed(seed);
        for (name, _) in &habits {
            world.add_user(name, 120);
        }
        for day in 0..=DAYS {
            let is_killed = day % 2 == seed % 2;
            {
                let mut state = world.state();
                let at = state.calls.len() + usize::try_from(seed * 37 + day * 11).unwrap() % 200;
                state.fault = is_killed.then_some(Fault::CrashAfter(at));
            }
            let _ = world.deliver_to(&app(&world).await, &sweep()).await;
            world.state().fault = None;
            world.let_pass(A_MINUTE);
            deliver(&world, &sweep()).await;
            if day < DAYS {
                assert_eq!(world.state().resets, 0, "day {day}: nobody is reset before the date");
            }
            for (name, habit) in &habits {
                if *habit == Habit::ChangesOnDay(day) && day < DAYS {
                    world.user_changes_password(name, &format!("Chosen-by-{name}-1"));
                }
            }
            world.let_pass(Duration::from_mins(60 * 24 - 1));
        }
        deliver(&world, &sweep()).await;
        for (name, habit) in &habits {
            let context = format!("seed {seed}, {name}, {habit:?}");
            let is_in_time = matches!(habit, Habit::ChangesOnDay(day) if *day < DAYS);
            if is_in_time {
                assert!(!world.state().secrets.contains_key(&secret_name(name)), "{context}");
            } else {
                world.assert_reset(name, &context);
            }
        }
        assert!(world.state().violations.is_empty());
    }
}
