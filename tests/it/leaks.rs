//! No password gets anywhere but into the secret and the calls that set it,
//! with the log at `TRACE` and AWS repeating in its errors what it was sent.

use std::cell::RefCell;
use std::io;
use std::sync::Once;
use std::time::Duration;

use iam_password_remediator::telemetry;
use serde_json::Value;
use tracing_subscriber::filter::Targets;

use crate::world::{Fault, World};

thread_local! {
    /// What this thread logs, while it listens.
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Writes to the log of the thread that logs: each test has a thread of its own.
struct ThreadLog;

impl io::Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.as_mut().map(|log| log.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `tracing` decides once for the whole process which lines anyone wants, so
/// there is one subscriber for all tests.
fn listen() {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        let everything: Targets = "trace".parse().unwrap();
        tracing::subscriber::set_global_default(telemetry::subscriber(everything, || ThreadLog)).unwrap();
    });
    LOG.set(Some(Vec::new()));
}

/// Delivers three times with the fault in place, and gathers all that anyone
/// but AWS could see.
async fn seen(fault: Option<Fault>) -> (World, String) {
    listen();
    let event: Value = serde_json::from_str(include_str!("../../events/password-age-imported.json")).unwrap();
    let world = World::new();
    world.state().fault = fault;
    let mut seen = String::new();
    for _ in 0..3 {
        match world.deliver(&event).await.unwrap() {
            Ok(answer) => seen += &answer.to_string(),
            Err(error) => seen += &format!("{error:?}"),
        }
        world.let_pass(Duration::from_mins(1));
    }
    {
        let state = world.state();
        seen += &format!("{:?} {:?}", state.messages, state.updates);
    }
    let logged = String::from_utf8(LOG.take().unwrap()).unwrap();
    assert!(logged.contains("next step of the reset"), "our own lines are there at TRACE: {logged}");
    assert!(logged.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "every line is JSON");
    (world, seen + &logged)
}

fn assert_holds_no_password(world: &World, seen: &str, context: &str) {
    let decoded: String = form_urlencoded::parse(seen.as_bytes()).map(|(key, value)| format!("{key}{value}")).collect();
    for password in &world.state().passwords_sent {
        for part in password.as_bytes().windows(8) {
            let part = std::str::from_utf8(part).unwrap();
            assert!(!seen.contains(part) && !decoded.contains(part), "{context}: a password can be seen");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_password_can_be_seen_whichever_call_fails_and_however() {
    let (world, plain) = seen(None).await;
    assert_eq!(world.state().passwords_sent.len(), 1);
    assert_holds_no_password(&world, &plain, "no fault");
    let calls = world.state().calls.len();
    for at in 0..calls {
        for fault in [
            Fault::Error(at, 400, "ValidationError"),
            Fault::Error(at, 400, "PasswordPolicyViolation"),
            Fault::Error(at, 403, "AccessDenied"),
            Fault::Error(at, 500, "InternalFailure"),
            Fault::Html(at),
            Fault::LostAnswer(at),
        ] {
            let context = format!("{fault:?}");
            let (world, seen) = seen(Some(fault)).await;
            assert_holds_no_password(&world, &seen, &context);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_calls_that_carry_passwords_may_fail_for_good_and_tell_nothing() {
    for operation in ["PutSecretValue", "UpdateLoginProfile", "GetSecretValue"] {
        for code in ["ValidationError", "AccessDeniedException", "PasswordPolicyViolation", "InvalidParameterException"]
        {
            let (world, seen) = seen(Some(Fault::Always(operation, 400, code))).await;
            assert_holds_no_password(&world, &seen, &format!("{operation}: {code}"));
            let state = world.state();
            assert!(state.violations.is_empty(), "{operation}: {code}: {:?}", state.violations);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn other_crates_are_not_heard_below_info_and_this_one_is() {
    let (_, seen) = seen(None).await;
    for line in seen.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let level = line["level"].as_str().unwrap_or_default();
        if matches!(level, "DEBUG" | "TRACE") {
            let logger = line["logger"].as_str().unwrap();
            assert!(logger.starts_with("iam_password_remediator"), "{line}");
        }
    }
}
