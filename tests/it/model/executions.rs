//! Executions by name, each played in the model's world: what was once
//! reported against this program, or found by the search.

use std::sync::Arc;

use iam_password_remediator::reset::{Call, Wish};
use stateright::Model;

use super::forced;
use super::state::{Password, State};
use super::world::{Action, Bounds, Fate, Person, Start};

/// An execution under way. Each action must be possible, and after each of them
/// all properties must hold.
struct Play {
    bounds: Bounds,
    state: State,
}

impl Play {
    fn of(bounds: Bounds) -> Self {
        let state = bounds.init_states().remove(0);
        Self { bounds, state }
    }

    fn can(&self, action: &Action) -> bool {
        let mut actions = Vec::new();
        self.bounds.actions(&self.state, &mut actions);
        actions.contains(action)
    }

    fn act(&mut self, action: Action) {
        assert!(self.can(&action), "cannot happen here: {action:?}");
        self.state = self.bounds.next_state(&self.state, action).expect("an action leads somewhere");
        for property in self.bounds.properties() {
            assert!((property.condition)(&self.bounds, &self.state), "not always: {}", property.name);
        }
    }

    fn person(&mut self, person: Person) {
        self.act(Action::Person(person));
    }

    fn awaited(&self, place: usize) -> Option<Arc<Call>> {
        self.state.runs[place].work.as_ref()?.waits().next().map(Arc::clone)
    }

    /// Answers all calls of the run until it makes the one of this name.
    fn until(&mut self, place: usize, name: &str) {
        loop {
            let work = self.state.runs[place].work.as_ref().unwrap_or_else(|| panic!("it ended before {name}"));
            if work.waits().any(|call| is(call, name)) {
                return;
            }
            let call = self.awaited(place).expect("a run at work waits for a call");
            self.act(Action::Call(place, call, Fate::Answered));
        }
    }

    /// Answers all calls until the one of this name, and that one like this.
    fn make(&mut self, place: usize, name: &str, fate: Fate) {
        self.until(place, name);
        let work = self.state.runs[place].work.as_ref().expect("it waits");
        let call = work.waits().find(|call| is(call, name)).map(Arc::clone).expect("it waits for that");
        self.act(Action::Call(place, call, fate));
    }

    /// Answers all calls until the run ends.
    fn finish(&mut self, place: usize) {
        while let Some(call) = self.awaited(place) {
            self.act(Action::Call(place, call, Fate::Answered));
        }
    }

    fn deliver(&mut self, place: usize) {
        self.act(Action::Deliver(place));
    }

    fn run(&mut self, place: usize) {
        self.deliver(place);
        self.finish(place);
    }

    fn die(&mut self, place: usize) {
        self.act(Action::Crash(place));
        self.act(Action::LeaseEnds);
    }

    /// The current version works, its user was told, and nothing is left to do.
    fn assert_reset(&self) {
        let id = self.state.version_in_force().expect("a password of this program works");
        let secret = self.state.secret.as_ref().expect("there is a secret");
        assert_eq!(secret.current().map(|version| version.id), Some(id), "it is the current one");
        assert_eq!(self.state.record.told, Some(id), "the user was told of it");
        assert!(self.state.is_at_rest());
    }

    /// The password that a person set still works, and nothing is left to do.
    fn assert_chosen_by_person(&self) {
        assert_eq!(self.state.iam.password, Password::OfPerson);
        assert!(!self.state.iam.view.is_demanded);
        assert!(self.state.is_at_rest());
    }
}

fn is(call: &Call, name: &str) -> bool {
    format!("{call:?}").starts_with(name)
}

fn play(runs: &[(Wish, u8)]) -> Play {
    Play::of(Bounds::of(runs, 4, 4))
}

#[test]
fn a_finding_and_a_custom_action_at_once_end_with_one_announced_password() {
    let mut play = play(&[(Wish::Stale, 2), (forced("r1"), 2)]);
    // An hour ago; the report does not know yet.
    play.person(Person::Sets);
    play.deliver(0);
    play.make(0, "Store", Fate::Answered);
    assert!(!play.can(&Action::Deliver(1)), "the other one waits for the lease");
    play.die(0);
    play.run(1);
    play.assert_reset();
    play.run(0);
    play.assert_reset();
}

#[test]
fn a_slow_run_that_lost_its_lease_sets_no_password_any_more() {
    let mut play = play(&[(Wish::Stale, 2), (forced("r1"), 2)]);
    play.deliver(0);
    play.until(0, "Store");
    play.act(Action::RunOutOfLease(0));
    play.make(0, "Store", Fate::Answered);
    play.act(Action::LeaseEnds);
    play.run(1);
    let in_force = play.state.iam;
    play.finish(0);
    assert_eq!(play.state.iam.view, in_force.view);
    play.assert_reset();
}

#[test]
fn a_choice_between_two_refused_retries_stays() {
    let mut play = play(&[(forced("r1"), 2), (forced("r1"), 2)]);
    play.deliver(0);
    play.until(0, "Promote");
    play.die(0);
    play.deliver(0);
    play.make(0, "Apply", Fate::Answered);
    play.make(0, "Choose", Fate::NotSent);
    play.finish(0);
    play.deliver(1);
    play.make(1, "Apply", Fate::Answered);
    play.until(1, "Choose");
    play.act(Action::Crash(1));
    play.person(Person::Sets);
    play.act(Action::LeaseEnds);
    play.run(1);
    play.assert_chosen_by_person();
    assert_eq!(play.state.record.told, None);
}

#[test]
fn a_request_whose_first_try_only_mended_the_secret_is_carried_out_by_the_next() {
    for (start, mended) in [(Start::Deleted, "Restore"), (Start::Empty, "Tag")] {
        let mut play = Play::of(Bounds { start, ..Bounds::of(&[(forced("r1"), 2)], 1, 0) });
        play.deliver(0);
        play.make(0, mended, Fate::Answered);
        play.make(0, "Store", Fate::NotSent);
        play.finish(0);
        assert_eq!(play.state.iam.password, Password::Old);
        play.run(0);
        play.assert_reset();
    }
}

#[test]
fn a_request_delivered_again_leaves_what_the_user_chose_since() {
    let mut play = play(&[(forced("r1"), 2)]);
    play.run(0);
    play.assert_reset();
    play.person(Person::Sets);
    play.run(0);
    play.assert_chosen_by_person();
}

/// A run that could not tell, and one that died behind the call that set.
fn untold() -> [Play; 2] {
    let [mut unannounced, mut dead] = [(); 2].map(|()| play(&[(forced("r1"), 2)]));
    unannounced.deliver(0);
    unannounced.make(0, "Announce", Fate::NotSent);
    unannounced.finish(0);
    dead.deliver(0);
    dead.until(0, "Promote");
    dead.die(0);
    [unannounced, dead]
}

#[test]
fn a_retry_does_not_announce_what_the_help_desk_has_replaced() {
    for mut play in untold() {
        play.person(Person::Sets);
        play.run(0);
        play.assert_chosen_by_person();
        assert_eq!(play.state.record.told, None);
    }
}

#[test]
fn a_retry_replaces_what_the_help_desk_set_to_be_changed_and_announces_what_works() {
    for mut play in untold() {
        play.person(Person::SetsWithDemand);
        play.run(0);
        play.assert_reset();
    }
}

#[test]
fn a_sweep_announces_what_a_run_did_not_although_the_report_shows_a_fresh_password() {
    for mut play in untold() {
        play.person(Person::Reports);
        play.act(Action::LastSweep);
        let sweep = play.state.runs.len() - 1;
        play.finish(sweep);
        play.assert_reset();
    }
}

#[test]
fn a_strangers_secret_gets_no_password() {
    let mut planted = Play::of(Bounds { start: Start::Strangers, ..Bounds::of(&[(forced("r1"), 2)], 0, 0) });
    planted.deliver(0);
    let mut planted_in_time = play(&[(forced("r1"), 2)]);
    planted_in_time.deliver(0);
    planted_in_time.until(0, "Create");
    planted_in_time.person(Person::Plants);
    for mut play in [planted, planted_in_time] {
        play.finish(0);
        let secret = play.state.secret.as_ref().expect("the stranger's");
        assert!(!secret.is_ours && secret.versions.len() == 1 && !play.state.ledger.knows_secret);
        assert_eq!(play.state.iam.password, Password::Old);
    }
}

#[test]
fn a_request_that_joined_an_attempt_ends_with_it() {
    let mut play = play(&[(forced("r1"), 2), (forced("r2"), 2)]);
    play.deliver(0);
    play.make(0, "Store", Fate::Answered);
    play.die(0);
    play.deliver(1);
    play.make(1, "Apply", Fate::Answered);
    play.die(1);
    play.person(Person::Sets);
    play.run(0);
    play.run(1);
    play.assert_chosen_by_person();
}

#[test]
fn a_password_that_lands_after_its_run_has_failed_is_announced_by_the_next_run() {
    for person in [Person::Sets, Person::SetsWithDemand] {
        let mut play = Play::of(Bounds { reuse_rule: false, ..Bounds::of(&[(forced("r1"), 2)], 1, 1) });
        play.deliver(0);
        play.make(0, "Apply", Fate::LandsLater);
        play.person(person);
        assert!(!play.can(&Action::Deliver(0)), "the lease outlasts the call");
        play.act(Action::Land);
        play.act(Action::LeaseEnds);
        play.run(0);
        play.assert_reset();
    }
}

#[test]
fn an_attempt_does_not_end_because_a_read_that_lags_shows_nobody() {
    let mut play = play(&[(forced("r1"), 2)]);
    play.deliver(0);
    play.until(0, "Apply");
    play.person(Person::Deletes);
    play.act(Action::Recreate { demand: true });
    play.make(0, "Promote", Fate::NotSent);
    play.finish(0);
    play.deliver(0);
    play.make(0, "Look", Fate::AnsweredLate);
    play.finish(0);
    play.assert_reset();
}

#[test]
fn a_request_whose_user_went_in_the_middle_leaves_the_one_who_comes_after() {
    let mut play = play(&[(forced("r1"), 3)]);
    play.deliver(0);
    play.until(0, "Promote");
    play.die(0);
    play.person(Person::Deletes);
    play.run(0);
    play.act(Action::Recreate { demand: false });
    play.assert_chosen_by_person();
    play.run(0);
    play.assert_chosen_by_person();
}

#[test]
fn a_choice_within_the_grace_period_stays_although_a_request_demanded_another_and_died() {
    let grace = Bounds { grace: true, ..Bounds::of(&[(Wish::Stale, 2), (forced("r1"), 1)], 4, 4) };
    let mut play = Play::of(grace);
    play.run(0);
    play.act(Action::DaysPass);
    play.person(Person::Sets);
    play.deliver(1);
    play.make(1, "Demand", Fate::Answered);
    play.die(1);
    play.run(0);
    assert_eq!(play.state.iam.password, Password::OfPerson);
}
