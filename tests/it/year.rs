//! A year of an account: an audit every day and the events that come of it, while
//! people do what people do, and calls fail in every way that a call can.
//!
//! Each delivery is held against what must never be, and the last day against
//! how each user stands then. A year is the same in every run but for the
//! passwords: its seed tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::world::{ACCOUNT, Fault, Login, World, secret_name};

const A_DAY: Duration = Duration::from_hours(24);
const LIMIT_DAYS: i64 = 90;
const WARN_DAYS: [i64; 2] = [3, 14];

/// How someone lives with passwords that grow old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Changes it long before anybody asks.
    Early,
    /// Changes it when a warning comes.
    Warned,
    /// Changes it when it must be, soon.
    Obedient,
    /// The same, often too late.
    Late,
    /// Fetches a new password from the secret, after weeks.
    Reluctant,
    /// Never signs in.
    Absent,
}

const HABITS: [Habit; 6] = [Habit::Early, Habit::Warned, Habit::Obedient, Habit::Late, Habit::Reluctant, Habit::Absent];

#[derive(Debug)]
struct Person {
    name: String,
    habit: Habit,
    /// What their finding said when a person suppressed it.
    suppressed: Option<Value>,
}

#[derive(Debug, Clone, Copy)]
struct Setting {
    users: usize,
    days: usize,
    grace_days: u8,
    seed: u64,
}

/// What a user is told once: the kind of message, the user, the step, and the
/// password that it is about.
type News = (String, String, i64, String);

struct Year {
    world: World,
    setting: Setting,
    people: Vec<Person>,
    passwords: usize,
    deliveries: usize,
    /// How many faults there were.
    faults: usize,
    /// How often each piece of news was told, and how many faults there were before.
    told: BTreeMap<News, (usize, usize)>,
    /// On how many days without faults an audit has left a secret that nobody needs.
    left: BTreeMap<String, usize>,
    /// Deliveries that failed as often as Lambda tries.
    given_up: usize,
    imported: u64,
    calls: BTreeMap<String, usize>,
    secret_days: usize,
}

impl Year {
    fn new(setting: Setting) -> Self {
        let world = World::new();
        world.state().users.clear();
        world.set_seed(setting.seed);
        let mut people = Vec::new();
        for number in 0..setting.users {
            let name = format!("user{number:03}");
            world.add_user(&name, below(&world, 89));
            let has_mfa = chance(&world, 2);
            world.edit_user(&name, |user| user.has_mfa = has_mfa);
            people.push(Person { name, habit: HABITS[number % HABITS.len()], suppressed: None });
        }
        Self {
            world,
            setting,
            people,
            passwords: 0,
            deliveries: 0,
            faults: 0,
            told: BTreeMap::new(),
            left: BTreeMap::new(),
            given_up: 0,
            imported: 0,
            calls: BTreeMap::new(),
            secret_days: 0,
        }
    }

    fn one_in(&self, many: u64) -> bool {
        chance(&self.world, many)
    }

    /// Lives through all days, and two more on which nothing goes wrong.
    async fn pass(&mut self) {
        for _ in 0..self.setting.days {
            self.live();
            let max_resets = if self.one_in(15) { "0" } else { "5000" };
            self.work(max_resets, true).await;
            if self.one_in(15) {
                self.deliver(&json!({"action": "sweep"}), "5000", true).await;
                self.deliver_events("5000", true).await;
            }
            self.world.let_pass(A_DAY);
        }
        for _ in 0..2 {
            self.work("5000", false).await;
            self.world.let_pass(A_DAY);
        }
        self.work("5000", false).await;
        self.check_findings();
    }

    /// What people do on a day.
    fn live(&mut self) {
        let now = OffsetDateTime::now_utc();
        for place in 0..self.people.len() {
            let (name, habit) = (self.people[place].name.clone(), self.people[place].habit);
            let (is_there, login) = {
                let state = self.world.state();
                let user = state.users.get(&name);
                (user.is_some(), user.and_then(|user| user.login.clone()))
            };
            if !is_there {
                if self.one_in(30) {
                    self.world.add_user(&name, 0);
                    self.choose_password(&name);
                }
                continue;
            }
            let Some(login) = login else {
                if self.one_in(30) {
                    self.give_login(&name);
                }
                continue;
            };
            if self.one_in(500) {
                self.world.state().users.remove(&name);
            } else if self.one_in(1500) {
                self.world.edit_user(&name, |user| user.login = None);
            } else if self.changes_password(habit, &login, now) {
                self.choose_password(&name);
            }
            if self.one_in(300) {
                self.toggle_exemption(&name);
            }
            self.triage(place);
        }
    }

    fn changes_password(&self, habit: Habit, login: &Login, now: OffsetDateTime) -> bool {
        let age = (now - login.changed).whole_days();
        let knows_it = login.known_to_user.contains(&login.password);
        match habit {
            Habit::Early => (age >= 60 && self.one_in(10)) || (login.reset_required && self.one_in(2)),
            Habit::Warned => (age >= 77 && self.one_in(4)) || (login.reset_required && self.one_in(3)),
            Habit::Obedient => login.reset_required && self.one_in(3),
            Habit::Late => login.reset_required && self.one_in(20),
            Habit::Reluctant => !knows_it && self.one_in(30),
            Habit::Absent => false,
        }
    }

    fn choose_password(&mut self, name: &str) {
        self.passwords += 1;
        self.world.user_changes_password(name, &format!("Chosen-by-a-person-{}", self.passwords));
    }

    fn give_login(&mut self, name: &str) {
        let now = OffsetDateTime::now_utc();
        let login = Login {
            password: String::new(),
            known_to_user: BTreeSet::new(),
            history: Vec::new(),
            created: now,
            changed: now,
            reset_required: false,
        };
        self.world.edit_user(name, |user| user.login = Some(login));
        self.choose_password(name);
    }

    fn toggle_exemption(&self, name: &str) {
        let mut state = self.world.state();
        let Some(user) = state.users.get_mut(name) else { return };
        if user.tags.remove("password-remediation").is_none() {
            user.tags.insert("password-remediation".to_owned(), "exempt".to_owned());
        }
    }

    /// Somebody suppresses a finding, or takes that back.
    fn triage(&mut self, place: usize) {
        let name = self.people[place].name.clone();
        if self.people[place].suppressed.is_some() {
            if self.one_in(40) {
                self.people[place].suppressed = None;
                self.set_workflow(&name, "NEW");
            }
        } else if said(&self.world, &name)[..2] == ["FAILED", "ACTIVE"] && self.one_in(100) {
            self.set_workflow(&name, "SUPPRESSED");
            self.people[place].suppressed = Some(content(&self.world, &name));
        }
    }

    fn set_workflow(&self, name: &str, status: &str) {
        let mut state = self.world.state();
        let finding = state.findings.as_mut().unwrap().get_mut(&finding_id(name)).unwrap();
        finding["Workflow"] = json!({"Status": status});
    }

    /// A day of the function: the audit and what comes of it.
    async fn work(&mut self, max_resets: &str, may_fail: bool) {
        let unneeded = self.unneeded();
        let before = (self.faults, self.given_up);
        if let Some(answer) = self.deliver(&json!({"action": "audit"}), max_resets, may_fail).await {
            self.imported += answer["accounts"][0]["totals"]["imported"].as_u64().unwrap();
        }
        self.deliver_events(max_resets, may_fail).await;
        self.secret_days += self.world.state().secrets.values().filter(|secret| !secret.deleted).count();
        self.left.retain(|name, _| unneeded.contains(name));
        if before == (self.faults, self.given_up) {
            let still = self.unneeded();
            for name in unneeded.intersection(&still) {
                let audits = self.left.entry(name.clone()).or_default();
                *audits += 1;
                let context = format!("{:?}", self.world.state().ledger.items.get(&format!("user#{ACCOUNT}#{name}")));
                assert!(*audits < 2, "the secret of {name} is left after two audits: {context}");
            }
            self.left.retain(|name, _| still.contains(name));
        }
        for person in &self.people {
            if let Some(suppressed) = &person.suppressed {
                assert_eq!(content(&self.world, &person.name), *suppressed, "a suppressed finding was touched");
            }
        }
    }

    /// Whose secrets nobody needs: they have chosen another password, or are gone.
    fn unneeded(&self) -> BTreeSet<String> {
        let state = self.world.state();
        let is_unneeded = |name: &&String| {
            let Some(secret) = state.secrets.get(&secret_name(name)).filter(|secret| !secret.deleted) else {
                return false;
            };
            let holds_password = !serde_json::from_str::<Value>(&secret.current().value).unwrap()["password"].is_null();
            let login = state.users.get(*name).and_then(|user| user.login.as_ref());
            holds_password
                && login.is_none_or(|login| login.known_to_user.contains(&login.password) && !login.reset_required)
        };
        self.people.iter().map(|person| &person.name).filter(is_unneeded).cloned().collect()
    }

    /// Delivers what Security Hub has sent, as the event rule would: findings
    /// that failed, are active and new. That ends.
    async fn deliver_events(&mut self, max_resets: &str, may_fail: bool) {
        for _ in 0..5 {
            let events = std::mem::take(&mut self.world.state().events);
            if events.is_empty() {
                return;
            }
            for event in events {
                let finding = &event["detail"]["findings"][0];
                let says = |path: &str, value: &str| finding.pointer(path).is_some_and(|found| found == value);
                if says("/Compliance/Status", "FAILED")
                    && says("/RecordState", "ACTIVE")
                    && says("/Workflow/Status", "NEW")
                {
                    self.deliver(&event, max_resets, may_fail).await;
                }
            }
        }
        panic!("events lead to events without end");
    }

    /// Delivers an event as Lambda does: what fails comes again, twice. Answers
    /// what it came to, if it came to an end.
    async fn deliver(&mut self, event: &Value, max_resets: &str, may_fail: bool) -> Option<Value> {
        self.deliveries += 1;
        self.world.state().request_id = format!("request-{}", self.deliveries);
        let grace_days = self.setting.grace_days.to_string();
        let mut is_undisturbed = true;
        for minutes in [1, 2, 1] {
            let faults_before = self.faults;
            // An audit that finds no news makes ten calls, a reset twenty-five.
            let most = if self.one_in(2) { 10 } else { 28 };
            let at = usize::try_from(below(&self.world, most)).unwrap();
            let is_risky = may_fail && self.one_in(if is_undisturbed { 4 } else { 2 });
            self.world.state().fault = is_risky.then(|| self.fault(at));
            let config = World::config(&[("GRACE_DAYS", &grace_days), ("MAX_RESETS_PER_SWEEP", max_resets)]);
            let app = self.world.app(config).await;
            let answer = self.world.deliver_to(&app, event).await;
            let calls = std::mem::take(&mut self.world.state().calls);
            self.world.state().fault = None;
            self.faults += usize::from(is_risky && calls.len() > at);
            for call in calls {
                *self.calls.entry(call).or_default() += 1;
            }
            self.check_delivery(faults_before);
            match answer {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(error)) if self.faults == faults_before && is_undisturbed => panic!("{error:?}"),
                Ok(Err(_)) | Err(_) => is_undisturbed = false,
            }
            self.world.let_pass(Duration::from_secs(61) * minutes);
        }
        self.given_up += 1;
        None
    }

    fn fault(&self, at: usize) -> Fault {
        match below(&self.world, 6) {
            0 => Fault::CrashBefore(at),
            1 => Fault::CrashAfter(at),
            2 => Fault::LostAnswer(at),
            3 => Fault::LostRequest(at),
            4 => Fault::Error(at, 500, "ServiceFailure"),
            _ => Fault::Error(at, 400, "AccessDenied"),
        }
    }

    /// Nobody is locked out, and nobody was told twice what was told before,
    /// unless something went wrong in between.
    fn check_delivery(&mut self, faults_before: usize) {
        let messages = {
            let mut state = self.world.state();
            assert!(state.violations.is_empty(), "{:?}", state.violations);
            state.metrics.clear();
            state.updates.clear();
            std::mem::take(&mut state.messages)
        };
        for message in messages {
            let Some(news) = self.news(&message) else { continue };
            let (times, before) = self.told.entry(news.clone()).or_insert((0, faults_before));
            *times += 1;
            assert!(*times <= 1 + self.faults - *before, "told {times} times: {news:?}");
        }
    }

    /// What a message tells a user; none if it is for operators.
    fn news(&self, message: &Value) -> Option<News> {
        let attribute = |wanted: &str| {
            (1..=6).find_map(|number| {
                let of = |part: &str| message.get(format!("MessageAttributes.entry.{number}.{part}"));
                (of("Name")? == wanted).then(|| of("Value.StringValue"))??.as_str().map(str::to_owned)
            })
        };
        let (kind, user) = (attribute("kind")?, attribute("user_name")?);
        let state = self.world.state();
        let login = state.users.get(&user)?.login.as_ref()?;
        let step = if kind == "password-expiring" {
            let left = login.changed + time::Duration::days(LIMIT_DAYS) - OffsetDateTime::now_utc();
            WARN_DAYS.into_iter().find(|days| left <= time::Duration::days(*days)).unwrap()
        } else {
            0
        };
        Some((kind, user, step, login.password.clone()))
    }

    /// Each finding says how its user stands.
    fn check_findings(&self) {
        for person in self.people.iter().filter(|person| person.suppressed.is_none()) {
            let name = &person.name;
            let said = said(&self.world, name);
            let state = self.world.state();
            let user = state.users.get(name);
            let is_exempt = user.is_some_and(|user| user.tags.contains_key("password-remediation"));
            let item = state.ledger.items.get(&format!("user#{ACCOUNT}#{name}"));
            let is_in_grace = item.is_some_and(|item| item.contains_key("due_at"));
            let says = said.each_ref().map(String::as_str);
            let is_right = match user.and_then(|user| user.login.as_ref()) {
                None => says[1] != "ACTIVE",
                Some(_) if is_exempt => says[1] != "ACTIVE",
                Some(login) => {
                    let left = login.changed + time::Duration::days(LIMIT_DAYS) - OffsetDateTime::now_utc();
                    let is_near = left <= time::Duration::days(14);
                    let is_ours = state.passwords_set.contains(&login.password);
                    match says {
                        ["FAILED", "ACTIVE", "NOTIFIED"] => (left.is_negative() && is_in_grace) || is_ours,
                        _ if left.is_negative() => false,
                        ["WARNING", "ACTIVE", "NEW"] => is_near,
                        ["PASSED", "ACTIVE", "RESOLVED"] | ["none", ..] | [_, "ARCHIVED", _] => !is_near,
                        _ => false,
                    }
                }
            };
            assert!(is_right, "the finding of {name} says {said:?}: {user:?}, {item:?}");
        }
    }

    /// The calls of a day, and what they cost in a month.
    fn print(&self) {
        let days = self.setting.days + 3;
        let Setting { users, grace_days, .. } = self.setting;
        println!("{users} users, {days} days, GRACE_DAYS {grace_days}: {} deliveries", self.deliveries);
        println!("{} faults, {} deliveries given up", self.faults, self.given_up);
        let a_day = |count: usize| f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(days).unwrap());
        for (operation, count) in &self.calls {
            println!("{:>9.1} a day  {operation}", a_day(*count));
        }
        println!("{:>9.1} a day  findings imported", a_day(usize::try_from(self.imported).unwrap()));
        println!("{:>9.1} secrets at a time", a_day(self.secret_days));
    }
}

fn below(world: &World, end: i64) -> i64 {
    i64::try_from(world.next_random()).unwrap() % end
}

fn chance(world: &World, many: u64) -> bool {
    world.next_random().is_multiple_of(many)
}

fn finding_id(user: &str) -> String {
    format!("iam-password-remediator/password-age/{ACCOUNT}/{user}")
}

/// Status, record state and workflow of the user's finding.
fn said(world: &World, user: &str) -> [String; 3] {
    let state = world.state();
    let finding = state.findings.as_ref().unwrap().get(&finding_id(user));
    ["/Compliance/Status", "/RecordState", "/Workflow/Status"].map(|path| {
        let text = finding.and_then(|finding| finding.pointer(path)?.as_str());
        text.unwrap_or("none").to_owned()
    })
}

/// What a finding says but for its dates, which go by.
fn content(world: &World, user: &str) -> Value {
    let state = world.state();
    let finding = &state.findings.as_ref().unwrap()[&finding_id(user)];
    json!([finding["Title"], finding["Compliance"], finding["RecordState"], finding["Workflow"], finding["Note"]])
}

fn live_through(setting: Setting) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut year = Year::new(setting);
        year.pass().await;
        year.print();
    });
}

#[test]
fn a_year_of_few_users_leaves_nobody_locked_out_told_twice_or_wrongly_reported() {
    live_through(Setting { users: 30, days: 365, grace_days: 0, seed: 1 });
}

#[test]
fn a_year_with_grace_leaves_nobody_locked_out_told_twice_or_wrongly_reported() {
    live_through(Setting { users: 30, days: 365, grace_days: 14, seed: 2 });
}

#[test]
#[ignore = "minutes: make verify"]
fn a_year_of_500_users() {
    for (seed, grace_days) in [(1, 0), (2, 14)] {
        live_through(Setting { users: 500, days: 365, grace_days, seed });
    }
}

/// Every call takes 20 ms, and IAM and DynamoDB answer with smaller pages than
/// they have on AWS.
#[tokio::test(start_paused = true)]
async fn an_audit_of_5000_users_takes_seconds_and_few_calls() {
    let world = World::new();
    for number in 0..5_000 {
        world.add_user(&format!("user{number:04}"), number % 120);
    }
    world.state().round_trip = 20;
    let mut took = Vec::new();
    for _ in 0..2 {
        let app = world.app(World::config(&[("MAX_RESETS_PER_SWEEP", "5000")])).await;
        let began = Instant::now();
        let memory = memory_mb();
        let answer = world.deliver_to(&app, &json!({"action": "audit"})).await.unwrap().unwrap();
        assert_eq!(answer["accounts"][0]["totals"]["failed"], 0);
        let calls = std::mem::take(&mut world.state().calls);
        let mut by_operation: BTreeMap<&str, usize> = BTreeMap::new();
        for call in &calls {
            *by_operation.entry(call).or_default() += 1;
        }
        println!("{:?}, {} calls, {:.0} MB more: {by_operation:?}", began.elapsed(), calls.len(), memory_mb() - memory);
        took.push((began.elapsed(), calls.len()));
    }
    let [(first, _), (next, calls)] = took[..] else { unreachable!() };
    assert!(first < Duration::from_secs(30), "{first:?}");
    assert!(next < Duration::from_secs(15) && calls < 300, "an audit that finds no news: {next:?}, {calls} calls");
}

fn memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
    kilobytes.map_or(0.0, |kilobytes: f64| kilobytes / 1000.0)
}

#[tokio::test(start_paused = true)]
async fn an_order_for_300_members_takes_a_call_for_ten() {
    let world = World::new();
    world.state().members = (0..300).map(|number| format!("1111{number:08}")).collect();
    let url = "https://sqs.us-east-1.amazonaws.com/123456789012/jobs";
    let app = world.app(World::config(&[("WORK_QUEUE_URL", url)])).await;
    let answer = world.deliver_to(&app, &json!({"action": "audit", "account_id": "*"})).await.unwrap().unwrap();
    assert_eq!(answer["totals"]["queued"], 301);
    let state = world.state();
    assert_eq!(state.queue.len(), 301);
    assert_eq!(state.calls.iter().filter(|call| *call == "SendMessageBatch").count(), 31);
}
