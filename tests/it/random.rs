//! Random sequences of events, faults, people and time, held against what must
//! come of them. A sequence that fails is cut down to a short one that fails.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join;
use lambda_runtime::Diagnostic;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::world::{Fault, Killed, Version, World, secret_name};

const USERS: [&str; 3] = ["alice", "bob", "carol"];

/// Something that asks for a reset.
#[derive(Debug, Clone, PartialEq)]
enum Wish {
    /// A finding about a user.
    Finding(&'static str),
    /// A person's reset of a user, however fresh the password.
    Forced(&'static str),
    /// A custom action on two users.
    CustomAction,
    /// A sweep.
    Sweep,
    /// A sweep that may reset nobody.
    HeldSweep,
}

/// What may happen.
#[derive(Debug, Clone)]
enum Happening {
    Deliver(Wish),
    /// The same event twice, at the same time.
    DeliverTwice(Wish),
    /// Two events at the same time.
    DeliverBoth(Wish, Wish),
    /// An event, and something goes wrong at the how many'th call.
    DeliverBadly(Wish, Mishap, usize),
    /// What failed is delivered again.
    Redeliver,
    /// Time goes by, in minutes.
    Pass(u64),
    /// The user signs in, with whatever works, and chooses a password.
    SignIn(&'static str),
    /// The help desk sets a password.
    HelpDesk {
        user: &'static str,
        demand: bool,
    },
    RenewReport,
    TightenPolicy,
    Exempt(&'static str),
}

#[derive(Debug, Clone, Copy)]
enum Mishap {
    KilledBefore,
    KilledAfter,
    AnswerLost,
    RequestLost,
    ServerError,
    Denied,
}

fn wishes() -> impl Strategy<Value = Wish> {
    prop_oneof![
        3 => select(&USERS[..]).prop_map(Wish::Finding),
        3 => select(&USERS[..]).prop_map(Wish::Forced),
        1 => Just(Wish::CustomAction),
        2 => Just(Wish::Sweep),
        1 => Just(Wish::HeldSweep),
    ]
}

fn happenings() -> impl Strategy<Value = Happening> {
    let mishaps = select(vec![
        Mishap::KilledBefore,
        Mishap::KilledAfter,
        Mishap::AnswerLost,
        Mishap::RequestLost,
        Mishap::ServerError,
        Mishap::Denied,
    ]);
    prop_oneof![
        2 => wishes().prop_map(Happening::Deliver),
        1 => wishes().prop_map(Happening::DeliverTwice),
        1 => (wishes(), wishes()).prop_map(|(one, other)| Happening::DeliverBoth(one, other)),
        4 => (wishes(), mishaps, 0..45_usize).prop_map(|(wish, mishap, at)| Happening::DeliverBadly(wish, mishap, at)),
        2 => Just(Happening::Redeliver),
        2 => select(vec![1, 5, 61, 245, 1500, 3000]).prop_map(Happening::Pass),
        3 => select(&USERS[..]).prop_map(Happening::SignIn),
        1 => (select(&USERS[..]), any::<bool>()).prop_map(|(user, demand)| Happening::HelpDesk { user, demand }),
        1 => Just(Happening::RenewReport),
        1 => Just(Happening::TightenPolicy),
        1 => select(&USERS[..]).prop_map(Happening::Exempt),
    ]
}

/// An event, and the request id of its deliveries.
#[derive(Debug, Clone)]
struct Event {
    body: Value,
    request_id: String,
}

/// The account, and what is expected of it.
struct Story {
    world: World,
    /// How long users have to change their passwords themselves.
    grace_days: u8,
    events: usize,
    passwords: usize,
    /// Events that failed and will come again.
    failed: Vec<Event>,
    /// Passwords that people chose after a reset, and that nobody may replace
    /// without a later request.
    chosen: BTreeMap<&'static str, String>,
}

impl Story {
    fn new(seed: u64, grace_days: u8) -> Self {
        let world = World::new();
        world.add_user("bob", 200);
        world.add_user("carol", 30);
        world.set_seed(seed);
        Self { world, grace_days, events: 0, passwords: 0, failed: Vec::new(), chosen: BTreeMap::new() }
    }

    fn event(&mut self, wish: &Wish) -> Event {
        self.events += 1;
        let request_id = format!("request-{}", self.events);
        let sample = |name: &str| -> Value {
            let path = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        let body = match wish {
            Wish::Finding(user) => {
                let mut event = sample("password-age-imported");
                event["detail"]["findings"][0]["Resources"][0]["Id"] =
                    json!(format!("arn:aws:iam::123456789012:user/{user}"));
                event
            }
            Wish::Forced(user) => json!({"action": "reset", "user_name": user, "force": true}),
            Wish::CustomAction => {
                let mut event = sample("custom-action");
                event["id"] = json!(request_id);
                event
            }
            Wish::Sweep => json!({"action": "sweep"}),
            Wish::HeldSweep => json!({"action": "sweep", "max_resets": 0}),
        };
        match wish {
            Wish::Forced(user) => drop(self.chosen.remove(user)),
            Wish::CustomAction => self.chosen.retain(|user, _| *user == "carol"),
            Wish::Finding(_) | Wish::Sweep | Wish::HeldSweep => {}
        }
        Event { body, request_id }
    }

    async fn deliver(&mut self, event: Event) {
        if !self.is_delivered(&event).await {
            self.failed.push(event);
        }
    }

    async fn is_delivered(&self, event: &Event) -> bool {
        matches!(self.try_to_deliver(event).await, Ok(Ok(_)))
    }

    /// Delivers it to a fresh process.
    async fn try_to_deliver(&self, event: &Event) -> Result<Result<Value, Diagnostic>, Killed> {
        let app = self.world.app(World::config(&[("GRACE_DAYS", &self.grace_days.to_string())])).await;
        self.world.state().request_id.clone_from(&event.request_id);
        self.world.deliver_to(&app, &event.body).await
    }

    async fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Deliver(wish) => {
                let event = self.event(wish);
                self.deliver(event).await;
            }
            Happening::DeliverTwice(wish) => {
                let event = self.event(wish);
                let world = self.world.clone();
                world.state().latency = 40;
                let (one, other) = join(self.try_to_deliver(&event), self.try_to_deliver(&event)).await;
                world.state().latency = 0;
                if !matches!((one, other), (Ok(Ok(_)), Ok(Ok(_)))) {
                    self.failed.push(event);
                }
            }
            Happening::DeliverBoth(one, other) => {
                // Both are of one invocation's id: each brings an id of its own.
                let (one, other) = (self.event(one), self.event(other));
                let world = self.world.clone();
                world.state().latency = 40;
                let (first, second) = join(self.try_to_deliver(&one), self.try_to_deliver(&other)).await;
                world.state().latency = 0;
                if !matches!(first, Ok(Ok(_))) {
                    self.failed.push(one);
                }
                if !matches!(second, Ok(Ok(_))) {
                    self.failed.push(other);
                }
            }
            Happening::DeliverBadly(wish, mishap, at) => {
                let event = self.event(wish);
                let at = self.world.state().calls.len() + at;
                self.world.state().fault = Some(match mishap {
                    Mishap::KilledBefore => Fault::CrashBefore(at),
                    Mishap::KilledAfter => Fault::CrashAfter(at),
                    Mishap::AnswerLost => Fault::LostAnswer(at),
                    Mishap::RequestLost => Fault::LostRequest(at),
                    Mishap::ServerError => Fault::Error(at, 500, "ServiceFailure"),
                    Mishap::Denied => Fault::Error(at, 400, "AccessDenied"),
                });
                self.deliver(event).await;
                self.world.state().fault = None;
            }
            Happening::Redeliver => {
                self.world.let_pass(Duration::from_mins(1));
                for event in std::mem::take(&mut self.failed) {
                    self.deliver(event).await;
                }
            }
            Happening::Pass(minutes) => self.world.let_pass(Duration::from_mins(*minutes)),
            Happening::SignIn(user) => {
                let is_spared = self.is_spared(user);
                let password = self.new_password();
                self.world.user_changes_password(user, &password);
                self.protect(user, password, is_spared);
            }
            Happening::HelpDesk { user, demand } => {
                let is_spared = self.is_spared(user);
                let password = self.new_password();
                self.world.user_changes_password(user, &password);
                self.world.edit_user(user, |user| user.login.as_mut().unwrap().reset_required = *demand);
                if *demand {
                    self.chosen.remove(user);
                } else {
                    self.protect(user, password, is_spared);
                }
            }
            Happening::RenewReport => self.world.state().report = None,
            Happening::TightenPolicy => self.world.state().policy.as_mut().unwrap().minimum_length = 30,
            Happening::Exempt(user) => self.world.edit_user(user, |user| {
                user.tags.insert("password-remediation".to_owned(), "exempt".to_owned());
            }),
        }
    }

    fn new_password(&mut self) -> String {
        self.passwords += 1;
        format!("Chosen-by-a-person-{}-and-long-enough", self.passwords)
    }

    /// Whether the program made the user's working password, or gave the user
    /// time to change it.
    fn is_spared(&self, user: &str) -> bool {
        let state = self.world.state();
        let login = state.users[user].login.as_ref().unwrap();
        let item = state.ledger.items.get(&format!("user#123456789012#{user}"));
        let is_in_grace = login.reset_required && item.is_some_and(|item| item.contains_key("due_at"));
        state.passwords_set.contains(&login.password) || is_in_grace
    }

    /// After a reset, and in time, what a person chooses stays. Otherwise, or while an event
    /// has to come again, the report may still call for a reset.
    fn protect(&mut self, user: &'static str, password: String, is_spared: bool) {
        let is_protected = self.chosen.contains_key(user) || is_spared;
        if is_protected && self.failed.is_empty() {
            self.chosen.insert(user, password);
        } else {
            self.chosen.remove(user);
        }
    }

    /// Lets everything come to its end: what failed comes again, and two sweeps
    /// look for what is open.
    async fn settle(&mut self) {
        for _ in 0..6 {
            self.world.let_pass(Duration::from_mins(2));
            let failed = std::mem::take(&mut self.failed);
            for event in failed {
                self.deliver(event).await;
            }
            let sweep = self.event(&Wish::HeldSweep);
            let is_swept = self.is_delivered(&sweep).await;
            if is_swept && self.failed.is_empty() {
                return;
            }
        }
        panic!("it never ends: {:?}", self.failed);
    }

    fn check(&self) {
        let state = self.world.state();
        assert!(state.violations.is_empty(), "{:?}", state.violations);
        assert!(state.ledger.items.values().all(|item| !item.contains_key("open")), "something is left open");
        for user in USERS {
            let login = state.users[user].login.as_ref().unwrap();
            if let Some(chosen) = self.chosen.get(user) {
                assert!(login.password == *chosen, "{user}'s own password was replaced");
            }
            let Some(secret) = state.secrets.get(&secret_name(user)) else { continue };
            let labels = secret.versions.values().flat_map(|version| &version.labels);
            let left: Vec<&String> =
                labels.filter(|label| !["AWSCURRENT", "AWSPREVIOUS"].contains(&label.as_str())).collect();
            assert!(left.is_empty(), "labels are left on {user}'s secret: {left:?}");
            if state.passwords_set.contains(&login.password) {
                let is_current = holds(secret.current(), &login.password);
                assert!(is_current, "{user}'s working password is not the current version");
                assert!(login.reset_required, "{user} need not choose a password");
                let told = state.messages.iter().any(|message| message.to_string().contains(&secret_name(user)));
                assert!(told, "{user} was not told");
            }
        }
    }
}

fn holds(version: &Version, password: &str) -> bool {
    serde_json::from_str::<Value>(&version.value).unwrap()["password"] == password
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_everyone_ends_with_one_working_stored_and_announced_password(
        seed in any::<u64>(),
        grace_days in select(vec![0_u8, 1]),
        happenings in vec(happenings(), 1..14),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut story = Story::new(seed, grace_days);
            for happening in &happenings {
                story.happen(happening).await;
            }
            story.settle().await;
            story.check();
        });
    }
}
