//! What can happen, and what comes of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use iam_password_remediator::aws::CallError;
use iam_password_remediator::ledger::{Grace, LEASE, RequestId};
use iam_password_remediator::reset::{
    Call, ChangePassword, Changed as Set, ConsoleUser, Ending, Failure, Look, Outcome, SkipReason, Standing, Step, Wish,
};
use iam_password_remediator::secret::PENDING;
use stateright::{Model, Property};

use super::state::{
    Broken, Changed, DUE, GRACE_DAYS, Iam, LIMIT_DAYS, LONG_AGO, Labels, Lease, Ledger, NOW, OnItsWay, Password,
    Record, Report, Run, Secret, State, Version, View, Wishes, Work, number, our_arn, version_id,
};

/// After this long IAM shows all that it was told.
const SETTLED: Duration = Duration::from_secs(10);

/// What the user's secret is at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// There is none.
    NoSecret,
    /// One with the password of an earlier reset.
    Used,
    /// The same, scheduled for deletion.
    Deleted,
    /// One without versions and tags.
    Empty,
    /// One that a stranger made.
    Strangers,
}

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Person {
    /// The user chooses a password, or the help desk sets one without demand.
    Sets,
    /// The help desk sets one to be changed.
    SetsWithDemand,
    /// The password policy becomes stricter.
    Tightens,
    /// The user becomes exempt; [`Action::Unexempt`] takes it back.
    Exempts,
    /// The permission to change passwords goes, and a grant would give it back.
    Revokes,
    /// It goes, and no grant gives it back.
    Denies,
    /// The user goes; [`Action::Recreate`] makes them anew.
    Deletes,
    /// A stranger makes a secret of the user's name.
    Plants,
    /// A new credential report comes.
    Reports,
}

pub(super) const EVERYONE: [Person; 9] = [
    Person::Sets,
    Person::SetsWithDemand,
    Person::Tightens,
    Person::Exempts,
    Person::Revokes,
    Person::Denies,
    Person::Deletes,
    Person::Plants,
    Person::Reports,
];

/// A fault built in around the machine, to see that the properties can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// Everyone gets the lease.
    LeaseForEveryone,
    /// A lease ends although its holder is in the middle of a call.
    LeaseEndsEarly,
    /// The lease is given back although a call may yet be carried out.
    LeaseNotKept,
    /// A change is not demanded.
    DemandNotSent,
    /// A password is not stored.
    NotStored,
    /// No label keeps a version in sight.
    NothingKeptInSight,
    /// A version is not made current.
    NotPromoted,
    /// The user is not told.
    NobodyTold,
    /// No request is remembered.
    NothingServed,
    /// Every request counts as carried out.
    EverythingServed,
    /// The ledger forgets when a password was set.
    ChangeForgotten,
    /// Giving the lease back ends the attempt.
    GivenBackAsClosed,
    /// Closing leaves the attempt open.
    ClosedAsOpen,
    /// No label is taken off.
    LabelsStay,
    /// The permission to change passwords is not given.
    NotGranted,
    /// An exemption is not seen.
    ExemptionUnseen,
    /// A demand is always seen, so that no choice is.
    ChoiceUnseen,
    /// Nobody waits until IAM shows what it was told.
    NeverSettled,
    /// The ledger takes every secret for its own.
    EverySecretOurs,
    /// Whoever tidies takes every password for one that was replaced.
    ClaimImagined,
    /// Every grace period is over at once.
    GraceTooShort,
    /// The ledger forgets grace periods.
    GraceForgotten,
}

/// How far a search goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bounds {
    /// What is at work, and how often each is delivered.
    pub(super) runs: Vec<(Wish, u8)>,
    pub(super) faults: u8,
    pub(super) people: u8,
    pub(super) who: Vec<Person>,
    pub(super) start: Start,
    /// Whether IAM refuses a password that was used before.
    pub(super) reuse_rule: bool,
    pub(super) needs_grant: bool,
    /// Whether users are given time first.
    pub(super) grace: bool,
    /// What the report says at first.
    pub(super) report: Report,
    pub(super) defect: Option<Defect>,
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.runs.iter().map(|(wish, deliveries)| match wish {
            Wish::Stale => format!("stale x {deliveries}"),
            Wish::Forced(request) => format!("{request} x {deliveries}"),
            Wish::Finish => format!("sweep x {deliveries}"),
            Wish::Tidy => format!("tidy x {deliveries}"),
        });
        let Self { faults, people, start, .. } = self;
        write!(f, "{}; {faults} faults, {people} people; {start:?}", runs.collect::<Vec<_>>().join(", "))?;
        let notes = [
            (!self.reuse_rule, ", no reuse rule"),
            (self.needs_grant, ", needs grant"),
            (self.grace, ", grace"),
            (self.report == Report::Nothing, ", age unknown"),
        ];
        notes.iter().filter(|(holds, _)| *holds).try_for_each(|(_, note)| f.write_str(note))
    }
}

impl Bounds {
    pub(super) fn of(runs: &[(Wish, u8)], faults: u8, people: u8) -> Self {
        Self {
            runs: runs.to_vec(),
            faults,
            people,
            who: EVERYONE.to_vec(),
            start: Start::NoSecret,
            reuse_rule: true,
            needs_grant: false,
            grace: false,
            report: Report::Old,
            defect: None,
        }
    }

    fn is(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// The wish at this place, by the first place that has the same.
    fn wish(&self, place: usize) -> usize {
        self.runs.iter().position(|run| run.0 == self.runs[place].0).expect("its own place")
    }

    fn bit(&self, place: usize) -> Wishes {
        // The last sweep wishes nothing, like every other one.
        let is_wish = self.runs.get(place).is_some_and(|(wish, _)| !matches!(wish, Wish::Finish | Wish::Tidy));
        if is_wish { 1 << self.wish(place) } else { 0 }
    }

    fn stale(&self) -> Wishes {
        let places = (0..self.runs.len()).filter(|place| self.runs[*place].0 == Wish::Stale);
        places.map(|place| self.bit(place)).fold(0, |one, other| one | other)
    }

    fn of_request(&self, request: &RequestId) -> Wishes {
        let is_it = |place: &usize| matches!(&self.runs[*place].0, Wish::Forced(other) if other == request);
        (0..self.runs.len()).find(is_it).map_or(0, |place| self.bit(place))
    }

    fn wish_at(&self, place: usize) -> Wish {
        self.runs.get(place).map_or(Wish::Finish, |(wish, _)| wish.clone())
    }
}

/// What becomes of a call. A process that dies after a call was answered is
/// [`Action::Crash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fate {
    /// It is carried out and answered.
    Answered,
    /// The same, and what it reads is not the latest.
    AnsweredLate,
    /// It never gets there, and fails.
    NotSent,
    /// It is carried out, the answer is lost, and it fails.
    AnswerLost,
    /// It is carried out, the answer is lost, and it is sent again.
    SentTwice,
    /// It fails, and is carried out later all the same.
    LandsLater,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// A wish is delivered, and the run takes the lease.
    Deliver(usize),
    Call(usize, Arc<Call>, Fate),
    Crash(usize),
    /// What was on its way is carried out.
    Land,
    /// Little is left of the run's lease.
    RunOutOfLease(usize),
    /// A run that lost its lease waits for it in vain.
    GiveUp(usize),
    /// The lease ends.
    LeaseEnds,
    /// Days pass, and grace periods are over.
    DaysPass,
    Person(Person),
    Unexempt,
    Recreate {
        demand: bool,
    },
    /// Nothing more happens but a sweep, undisturbed.
    LastSweep,
}

/// The faults that change something in ways of their own. A call that comes to
/// the same when it is sent twice is not sent twice. One whose failure the run
/// takes as it takes its own death does not fail; nor is the answer lost of one
/// that needs the lease, since the run then leaves the lease as the dead do.
fn faults(call: &Call, reuse_rule: bool) -> &'static [Fate] {
    match call {
        Call::TakeLease(_) | Call::Close { .. } | Call::GiveBack { .. } => &[],
        Call::Choose { .. } | Call::Forget { .. } => &[Fate::NotSent, Fate::AnswerLost],
        Call::Create(_) | Call::Promote { .. } => &[Fate::NotSent, Fate::SentTwice],
        Call::Apply(_) if reuse_rule => &[Fate::NotSent, Fate::SentTwice, Fate::LandsLater],
        Call::Apply(_) | Call::Store(_) => &[Fate::NotSent, Fate::LandsLater],
        _ => &[Fate::NotSent],
    }
}

/// AWS says that it did not carry the call out.
fn failed() -> Outcome {
    Outcome::Failed(Failure::Call(CallError { is_unanswered: false, ..no_answer() }))
}

/// Nobody says whether AWS carried it out.
fn lost() -> Outcome {
    Outcome::Failed(Failure::Call(no_answer()))
}

fn no_answer() -> CallError {
    CallError {
        operation: "aws:Call",
        code: String::new(),
        message: None,
        request_id: None,
        needs_a_person: false,
        is_unanswered: true,
    }
}

impl Bounds {
    /// Goes on with a run until it waits for calls or has ended.
    fn go_on(&self, state: &mut State, place: usize) {
        loop {
            if state.runs[place].work.is_none() {
                return;
            }
            let work = state.work(place);
            if work.waits().next().is_some() {
                return;
            }
            for (call, outcome) in std::mem::take(&mut work.calls) {
                if let Some(outcome) = outcome {
                    work.machine.learn(&call, outcome);
                }
            }
            let left = if work.has_time { LEASE } else { Duration::ZERO };
            match work.machine.next(left) {
                Step::Make(calls) => work.calls = calls.into_iter().map(|call| (Arc::new(call), None)).collect(),
                Step::Pause(duration) => {
                    if duration >= SETTLED && !self.is(Defect::NeverSettled) {
                        state.iam.older = None;
                    }
                }
                Step::End(ending) => self.end(state, place, &ending),
            }
        }
    }

    fn end(&self, state: &mut State, place: usize, ending: &Ending) {
        let Work { was_overtaken, applied, announced, .. } = *state.work(place);
        state.runs[place].work = None;
        let current = state.secret.as_ref().and_then(Secret::current).map(|version| version.id);
        let record = &state.record;
        match ending {
            Ending::Reset(_) if applied.is_none() || announced != applied || (current != applied && !was_overtaken) => {
                state.breaks(Broken::FalseReset);
            }
            Ending::Skipped(reason @ (SkipReason::AlreadyReset | SkipReason::PasswordFresh), _) => {
                let is_dropped = match self.wish_at(place) {
                    Wish::Forced(_) => {
                        self.bit(place) & (record.carried_out | record.answered | record.joined) == 0
                            || *reason == SkipReason::PasswordFresh
                    }
                    Wish::Stale => state.iam.view.has_password && state.iam.password == Password::Old,
                    Wish::Finish | Wish::Tidy => false,
                };
                if is_dropped {
                    state.breaks(Broken::WishDropped);
                }
            }
            Ending::Skipped(SkipReason::InGrace(due), _) if record.due != Some(*due) || *due <= state.now => {
                state.breaks(Broken::WishDropped);
            }
            Ending::ChangeRequired(due, _) if record.due != Some(*due) => state.breaks(Broken::FalseReset),
            _ => {}
        }
        if let Lease::Of(holder) = state.ledger.lease
            && holder == place
        {
            state.ledger.lease = if self.is(Defect::LeaseNotKept) { Lease::Free } else { Lease::OfDead };
        }
    }

    /// Carries a call out, and says how it went.
    fn carry_out(&self, state: &mut State, place: usize, call: &Call, is_late: bool) -> Outcome {
        match call {
            Call::TakeLease(request) => self.take_lease(state, place, request.as_ref()),
            Call::Look => self.look(state, place, is_late),
            Call::Grant => {
                if !self.is(Defect::NotGranted) {
                    if state.iam.view.change_password == ChangePassword::AfterGrant {
                        state.iam.change(|view| view.change_password = ChangePassword::Allowed);
                    }
                    state.work(place).saw_permission = true;
                }
                Outcome::Done
            }
            Call::Demand => self.demand(state, place),
            Call::ReadPolicy => {
                state.work(place).knows_strict = state.iam.view.is_strict;
                Outcome::Done
            }
            Call::Apply(id) => self.apply(state, place, number(id)),
            Call::Announce => {
                if self.is(Defect::NobodyTold) {
                    return Outcome::Done;
                }
                let told = state.secret.as_ref().and_then(Secret::current).map(|version| version.id);
                if told != state.version_in_force() && !state.work(place).was_overtaken {
                    state.breaks(Broken::ToldOfDeadPassword);
                }
                state.record.told = told;
                state.record.messages += 1;
                state.work(place).announced = told;
                Outcome::Done
            }
            Call::TellOfGrace(grace) => {
                state.record.due = Some(grace.due_at);
                state.record.in_grace |= self.bit(place);
                state.record.grace_messages += 1;
                Outcome::Done
            }
            Call::Choose { .. } | Call::Serve(_) | Call::Forget { .. } | Call::Close { .. } | Call::GiveBack { .. } => {
                self.write(state, place, call)
            }
            _ => self.handle_secret(state, place, call),
        }
    }

    fn take_lease(&self, state: &mut State, place: usize, request: Option<&RequestId>) -> Outcome {
        state.ledger.lease = Lease::Of(place);
        state.ledger.is_open = true;
        if state.ledger.marker.is_none() {
            state.ledger.marker = Some(state.fresh_id());
        }
        if state.ledger.versions.is_empty() {
            let id = state.fresh_id();
            state.ledger.versions = vec![id];
            state.ledger.request = request.cloned();
        }
        state.work(place).has_time = true;
        let mut entry = state.ledger.entry();
        if self.is(Defect::EverySecretOurs) {
            entry.secret_arn = state.secret.as_ref().map(|secret| secret.described().arn);
        }
        Outcome::Leased(entry)
    }

    fn look(&self, state: &mut State, place: usize, is_late: bool) -> Outcome {
        let mut view = if is_late { state.iam.older } else { None }.unwrap_or(state.iam.view);
        let is_begun = state.is_begun();
        let has_choice = state.record.choice.is_some();
        let work = state.work(place);
        work.knows_strict = view.is_strict;
        work.saw_exempt = view.is_exempt && !is_begun;
        // A read that lags shows no choice.
        work.saw_choice = has_choice && !is_late;
        work.saw_demand = view.is_demanded;
        work.saw_permission = view.change_password == ChangePassword::Allowed;
        if self.is(Defect::ExemptionUnseen) {
            view.is_exempt = false;
        }
        if self.is(Defect::ChoiceUnseen) {
            view.is_demanded = true;
        }
        let is_imagined = self.is(Defect::ClaimImagined) && self.wish_at(place) == Wish::Tidy;
        if is_imagined {
            view.is_demanded = false;
        }
        let is_served = match self.wish_at(place) {
            Wish::Forced(request) => state.ledger.served.contains(&request) || self.is(Defect::EverythingServed),
            Wish::Stale | Wish::Finish | Wish::Tidy => false,
        };
        let user = ConsoleUser {
            is_exempt: view.is_exempt,
            is_demanded: view.is_demanded,
            change_password: view.change_password,
            changed: match state.iam.report {
                _ if is_imagined => Some(NOW + time::Duration::MINUTE),
                Report::Old => Some(LONG_AGO),
                Report::Fresh => Some(NOW),
                Report::Newer => Some(NOW + time::Duration::MINUTE),
                Report::Nothing => None,
            },
            limit_days: LIMIT_DAYS,
            grace_days: if self.grace { GRACE_DAYS } else { 0 },
            now: state.now,
        };
        Outcome::Seen(Box::new(Look {
            standing: if view.has_password { Standing::Console(user) } else { Standing::NoConsolePassword },
            secret: state.secret.as_ref().map(Secret::described),
            is_untagged: state.secret.as_ref().is_some_and(|secret| !secret.is_tagged),
            is_served,
        }))
    }

    fn demand(&self, state: &mut State, place: usize) -> Outcome {
        if !state.iam.view.has_password {
            return Outcome::NoLoginProfile;
        }
        if state.work(place).saw_exempt {
            state.breaks(Broken::ExemptUserReset);
        }
        if !state.work(place).saw_permission {
            state.breaks(Broken::ImpossibleDemand);
        }
        if !state.work(place).saw_choice {
            // One that came after the reads: from now on IAM does not show it.
            state.record.choice = None;
        }
        if !self.is(Defect::DemandNotSent) {
            state.iam.change(|view| view.is_demanded = true);
        }
        state.record.demanded |= self.bit(place);
        Outcome::Done
    }

    fn apply(&self, state: &mut State, place: usize, id: u8) -> Outcome {
        let work = state.work(place).clone();
        assert_eq!(work.in_hand, Some(id), "a run sets only a password that it has");
        if !state.iam.view.has_password {
            return Outcome::NoLoginProfile;
        }
        let known = state.secret.as_ref().and_then(|secret| secret.version(id)).copied();
        let is_refused = |version: Version| {
            (state.iam.view.is_strict && !version.is_strict) || (self.reuse_rule && version.was_used)
        };
        if known.is_some_and(is_refused) {
            return Outcome::Refused;
        }
        let began = known.and_then(|version| version.made_for);
        let is_of = |wishes: Wishes| began.is_some_and(|wish| wishes & (1 << wish) != 0);
        if is_of(state.record.finished) {
            state.breaks(Broken::CarriedOutTwice);
        }
        // A choice that came after the reads cannot be spared: IAM has no
        // compare-and-set.
        if let Some(before) = state.record.choice
            && work.saw_choice
            && (is_of(before) || (is_of(self.stale()) && before != 0))
        {
            state.breaks(Broken::ChoiceReplaced);
        }
        let is_told = state.record.due.is_some_and(|due| due <= state.now);
        if self.grace && is_of(self.stale()) && !is_told {
            state.breaks(Broken::ResetEarly);
        }
        if !work.saw_permission && !work.saw_demand {
            state.breaks(Broken::ImpossibleDemand);
        }
        state.iam.set_ours(id);
        for version in state.secret.iter_mut().flat_map(|secret| &mut secret.versions) {
            version.was_used |= version.id == id;
        }
        let record = &mut state.record;
        record.choice = None;
        record.passwords += 1;
        record.carried_out |= began.map_or(0, |wish| 1 << wish) | self.bit(place) | record.joined;
        let work = state.work(place);
        (work.was_overtaken, work.applied) = (false, Some(id));
        Outcome::Done
    }

    /// A write to the ledger.
    fn write(&self, state: &mut State, place: usize, call: &Call) -> Outcome {
        if let Call::Serve(request) = call {
            let wish = self.of_request(request);
            state.record.remembered |= wish;
            if state.is_begun() && state.work(place).saw_demand {
                // This attempt is the end of that wish, whatever becomes of it.
                state.record.joined |= wish;
                if !state.iam.view.is_demanded {
                    // Somebody has met the demand, unseen.
                    state.answer_demands();
                }
            }
            if !self.is(Defect::NothingServed) {
                state.ledger.served.insert(request.clone());
            }
            return Outcome::Done;
        }
        if state.ledger.lease != Lease::Of(place) && !self.is(Defect::LeaseForEveryone) {
            return Outcome::Failed(Failure::LostLease);
        }
        let (Call::Choose { secret_arn, .. }
        | Call::Forget { secret_arn, .. }
        | Call::Close { secret_arn, .. }
        | Call::GiveBack { secret_arn }) = call
        else {
            unreachable!("a write to the ledger")
        };
        if secret_arn.as_ref().is_some_and(|arn| *arn != our_arn()) {
            state.breaks(Broken::StrangersSecretUsed);
        }
        state.ledger.knows_secret |= secret_arn.is_some();
        match call {
            Call::Choose { after, request, .. } => {
                let id = state.fresh_id();
                state.ledger.versions = after.iter().map(number).chain([id]).collect();
                state.ledger.request.clone_from(request);
                Outcome::Chosen(state.ledger.versions.iter().copied().map(version_id).collect())
            }
            Call::Forget { set_after, .. } => {
                if set_after.is_some() {
                    state.ledger.changed = Changed::from(*set_after);
                }
                state.ledger.forget_attempt();
                state.ledger.grace = None;
                (state.record.attempt_for, state.record.joined) = (None, 0);
                Outcome::Done
            }
            Call::Close { changed, grace, .. } => {
                state.ledger.grace = match grace {
                    _ if self.is(Defect::GraceForgotten) => None,
                    Some(grace) if self.is(Defect::GraceTooShort) => Some(Grace { due_at: state.now, ..*grace }),
                    grace => *grace,
                };
                if let Some(Set::After(at)) = changed {
                    state.ledger.changed = Changed::from(Some(*at));
                }
                if *changed == Some(Set::Now) {
                    if !self.is(Defect::ChangeForgotten) {
                        state.ledger.changed = Changed::Now;
                    }
                    let record = &mut state.record;
                    record.finished |= record.carried_out & (record.remembered | self.stale());
                }
                (state.record.attempt_for, state.record.joined) = (None, 0);
                state.ledger.forget_attempt();
                state.ledger.lease = Lease::Free;
                state.ledger.is_open = self.is(Defect::ClosedAsOpen);
                Outcome::Done
            }
            _ => {
                state.ledger.lease = Lease::Free;
                if self.is(Defect::GivenBackAsClosed) {
                    state.ledger.forget_attempt();
                    state.ledger.is_open = false;
                }
                Outcome::Done
            }
        }
    }

    /// A call to Secrets Manager.
    fn handle_secret(&self, state: &mut State, place: usize, call: &Call) -> Outcome {
        if matches!(call, Call::Describe) {
            return Outcome::Described(state.secret.as_ref().map(Secret::described));
        }
        if let Call::Create(marker) = call {
            if state.secret.is_some() {
                return Outcome::Exists;
            }
            let first = Version {
                id: number(marker),
                labels: Labels { current: true, ..Labels::default() },
                has_password: false,
                is_strict: false,
                was_used: false,
                made_for: None,
            };
            let secret = Secret { is_ours: true, is_deleted: false, is_tagged: true, versions: vec![first] };
            let described = secret.described();
            state.secret = Some(secret);
            return Outcome::Created(described);
        }
        let is_begun = state.is_begun();
        let Some(secret) = &mut state.secret else { return failed() };
        if !secret.is_ours {
            state.breaks(Broken::StrangersSecretUsed);
            return failed();
        }
        if matches!(call, Call::Restore) {
            secret.is_deleted = false;
            return Outcome::Done;
        }
        if secret.is_deleted {
            return failed();
        }
        match call {
            Call::Retire => secret.is_deleted = true,
            Call::Tag => secret.is_tagged = true,
            Call::KeepInSight(id) => {
                if !self.is(Defect::NothingKeptInSight) {
                    secret.label(number(id), |labels| labels.in_doubt = true);
                }
            }
            Call::DropLabel(id, label) => {
                if !self.is(Defect::LabelsStay) {
                    let is_pending = label == PENDING;
                    secret.label(
                        number(id),
                        |labels| {
                            if is_pending { labels.pending = false } else { labels.in_doubt = false }
                        },
                    );
                }
            }
            Call::Promote { version, from } => {
                if secret.current().map(|version| version_id(version.id)) != *from {
                    return Outcome::Conflict;
                }
                if !self.is(Defect::NotPromoted) {
                    secret.promote(number(version));
                }
            }
            Call::Store(id) => {
                let id = number(id);
                if !is_begun {
                    state.record.attempt_for = (self.bit(place) != 0).then(|| self.wish(place));
                }
                return self.store(state, place, id);
            }
            Call::ReadBack(id) => {
                let id = number(id);
                if !secret.version(id).is_some_and(|version| version.has_password) {
                    return Outcome::Unusable;
                }
                state.work(place).in_hand = Some(id);
            }
            _ => unreachable!("a call to Secrets Manager"),
        }
        Outcome::Done
    }

    fn store(&self, state: &mut State, place: usize, id: u8) -> Outcome {
        let made_for = state.record.attempt_for;
        let Work { knows_strict: is_strict, in_hand, .. } = *state.work(place);
        let Some(secret) = &mut state.secret else { return failed() };
        if secret.version(id).is_some() && in_hand != Some(id) {
            return Outcome::AlreadyThere;
        }
        if self.is(Defect::NotStored) {
            state.work(place).in_hand = Some(id);
            return Outcome::Stored([PENDING.to_owned()].into());
        }
        if secret.version(id).is_none() {
            secret.store(Version {
                id,
                labels: Labels::default(),
                has_password: true,
                is_strict,
                was_used: false,
                made_for,
            });
        }
        let labels = secret.described().versions[&version_id(id)].clone();
        state.work(place).in_hand = Some(id);
        Outcome::Stored(labels)
    }

    /// A call leaves for AWS, and its run hears nothing of it.
    fn send(&self, state: &mut State, place: usize, call: &Call) {
        let made_for =
            if state.is_begun() { state.record.attempt_for } else { (self.bit(place) != 0).then(|| self.wish(place)) };
        state.on_its_way = match call {
            Call::Store(id) => Some(OnItsWay::Store(Version {
                id: number(id),
                labels: Labels::default(),
                has_password: true,
                is_strict: state.work(place).knows_strict,
                was_used: false,
                made_for,
            })),
            Call::Apply(id) => {
                let version = state.secret.as_ref().and_then(|secret| secret.version(number(id))).copied();
                version.map(OnItsWay::Apply)
            }
            _ => unreachable!("only these land later"),
        };
    }

    /// AWS carries out what was on its way.
    fn land(&self, state: &mut State) {
        match state.on_its_way.take() {
            Some(OnItsWay::Store(version)) => {
                let attempt_for = version.made_for;
                let is_begun = state.is_begun();
                let Some(secret) = state.secret.as_mut().filter(|secret| secret.is_ours && !secret.is_deleted) else {
                    return;
                };
                if secret.version(version.id).is_some() {
                    return;
                }
                secret.store(version);
                if !is_begun {
                    state.record.attempt_for = attempt_for;
                }
            }
            Some(OnItsWay::Apply(sent)) => {
                let version = state.secret.as_ref().and_then(|secret| secret.version(sent.id)).copied();
                let was_used = version.unwrap_or(sent).was_used;
                let View { has_password, is_strict, .. } = state.iam.view;
                if !has_password || (is_strict && !sent.is_strict) || (self.reuse_rule && was_used) {
                    return;
                }
                let wish = sent.made_for.map_or(0, |wish| 1 << wish);
                // Under the lease it was sent with, it is as if a choice had come
                // between the reads and the call.
                let is_under_lease = state.ledger.lease == Lease::OfDead;
                if state.record.choice.is_some_and(|before| before & wish != 0) && !is_under_lease {
                    state.breaks(Broken::ChoiceReplaced);
                }
                state.iam.set_ours(sent.id);
                for version in state.secret.iter_mut().flat_map(|secret| &mut secret.versions) {
                    version.was_used |= version.id == sent.id;
                }
                state.record.choice = None;
                state.record.carried_out |= wish | state.record.joined;
            }
            None => {}
        }
    }

    /// Whether the lease can end now: it outlasts whatever its holder has begun.
    fn can_end(&self, state: &State) -> bool {
        let Lease::Of(holder) = state.ledger.lease else { return state.ledger.lease == Lease::OfDead };
        state.runs[holder].work.as_ref().is_none_or(|work| {
            !work.has_time && (self.is(Defect::LeaseEndsEarly) || !work.waits().any(|call| call.needs_lease()))
        })
    }

    fn can(person: Person, state: &State) -> bool {
        let View { has_password, is_exempt, change_password, is_strict, .. } = state.iam.view;
        match person {
            Person::Sets | Person::SetsWithDemand | Person::Deletes => has_password,
            Person::Tightens => !is_strict,
            Person::Exempts => !is_exempt,
            Person::Revokes => change_password == ChangePassword::Allowed,
            Person::Denies => change_password != ChangePassword::Impossible,
            Person::Plants => state.secret.is_none(),
            Person::Reports => state.iam.report != state.iam.report_now(),
        }
    }

    fn act(person: Person, state: &mut State) {
        match person {
            Person::Sets => state.set_by_person(false),
            Person::SetsWithDemand => state.set_by_person(true),
            Person::Tightens => state.iam.change(|view| view.is_strict = true),
            Person::Exempts => state.iam.change(|view| view.is_exempt = true),
            Person::Revokes => state.iam.change(|view| view.change_password = ChangePassword::AfterGrant),
            Person::Denies => state.iam.change(|view| view.change_password = ChangePassword::Impossible),
            Person::Deletes => state.delete_user(),
            Person::Plants => state.secret = Some(strangers_secret()),
            Person::Reports => {
                state.iam.report = state.iam.report_now();
            }
        }
    }

    fn calls_in(&self, state: &State, place: usize, work: &Work, actions: &mut Vec<Action>) {
        let can_fail = state.faults > 0 && !state.is_final;
        let is_free = match state.ledger.lease {
            Lease::Free => true,
            Lease::Of(holder) => holder == place || self.is(Defect::LeaseForEveryone),
            Lease::OfDead => false,
        };
        if work.waits_for_lease() && !is_free {
            actions.push(Action::GiveUp(place));
            return;
        }
        for call in work.waits() {
            actions.push(Action::Call(place, Arc::clone(call), Fate::Answered));
            if **call == Call::Look && state.iam.older.is_some() && !state.is_final {
                actions.push(Action::Call(place, Arc::clone(call), Fate::AnsweredLate));
            }
            if can_fail {
                let fates = faults(call, self.reuse_rule).iter();
                let fates = fates.filter(|fate| **fate != Fate::LandsLater || state.on_its_way.is_none());
                actions.extend(fates.map(|fate| Action::Call(place, Arc::clone(call), *fate)));
            }
        }
        if can_fail && state.ledger.lease == Lease::Of(place) {
            actions.push(Action::Crash(place));
            if work.has_time && work.calls.iter().all(|(_, outcome)| outcome.is_none()) {
                actions.push(Action::RunOutOfLease(place));
            }
        }
    }
}

fn strangers_secret() -> Secret {
    let labels = Labels { current: true, ..Labels::default() };
    let version = Version { id: 0, labels, has_password: true, is_strict: false, was_used: false, made_for: None };
    Secret { is_ours: false, is_deleted: false, is_tagged: true, versions: vec![version] }
}

impl Model for Bounds {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let secret = match self.start {
            Start::NoSecret => None,
            Start::Empty => Some(Secret { is_ours: true, is_deleted: false, is_tagged: false, versions: Vec::new() }),
            Start::Used => Some(Secret { is_ours: true, ..strangers_secret() }),
            Start::Deleted => Some(Secret { is_ours: true, is_deleted: true, ..strangers_secret() }),
            Start::Strangers => Some(strangers_secret()),
        };
        let was_reset = matches!(self.start, Start::Used | Start::Deleted);
        vec![State {
            iam: Iam {
                view: View {
                    has_password: true,
                    is_demanded: false,
                    is_exempt: false,
                    change_password: self.permission_at_first(),
                    is_strict: false,
                },
                older: None,
                password: Password::Old,
                report: self.report,
            },
            ledger: Ledger {
                lease: Lease::Free,
                is_open: false,
                knows_secret: secret.as_ref().is_some_and(|secret| secret.is_ours),
                marker: None,
                versions: Vec::new(),
                request: None,
                changed: if was_reset { Changed::LongAgo } else { Changed::Never },
                grace: None,
                served: [].into(),
            },
            secret,
            runs: self.runs.iter().map(|(_, deliveries)| Run { deliveries: *deliveries, work: None }).collect(),
            last_id: 0,
            on_its_way: None,
            faults: self.faults,
            people: self.people,
            now: NOW,
            is_final: false,
            record: Record {
                broken: None,
                told: None,
                due: None,
                messages: 0,
                grace_messages: 0,
                passwords: 0,
                attempt_for: None,
                demanded: 0,
                joined: 0,
                answered: 0,
                carried_out: 0,
                remembered: 0,
                finished: 0,
                in_grace: 0,
                choice: None,
            },
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.record.broken.is_some() {
            return;
        }
        for (place, run) in state.runs.iter().enumerate() {
            if let Some(work) = &run.work {
                self.calls_in(state, place, work, actions);
                continue;
            }
            // Of two places that are alike, one is enough.
            let is_like = |other: usize| self.wish(other) == self.wish(place) && state.runs[other] == *run;
            let is_free = state.ledger.lease == Lease::Free || self.is(Defect::LeaseForEveryone);
            if run.deliveries > 0 && is_free && !state.is_final && !(0..place).any(is_like) {
                actions.push(Action::Deliver(place));
            }
        }
        if state.is_final {
            return;
        }
        if self.can_end(state) && state.on_its_way.is_none() {
            actions.push(Action::LeaseEnds);
        }
        if state.on_its_way.is_some() {
            actions.push(Action::Land);
        }
        if state.people > 0 {
            actions.extend(self.who.iter().filter(|who| Self::can(**who, state)).map(|who| Action::Person(*who)));
        }
        if state.iam.view.is_exempt {
            actions.push(Action::Unexempt);
        }
        if !state.iam.view.has_password {
            actions.extend([true, false].map(|demand| Action::Recreate { demand }));
        }
        if self.grace && state.now == NOW && state.is_quiet() && state.on_its_way.is_none() {
            actions.push(Action::DaysPass);
        }
        if state.is_quiet() && state.ledger.is_open && state.on_its_way.is_none() {
            actions.push(Action::LastSweep);
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Deliver(place) => {
                state.runs[place].deliveries -= 1;
                self.begin(&mut state, place);
            }
            Action::Call(place, call, fate) => {
                if !matches!(fate, Fate::Answered | Fate::AnsweredLate) {
                    state.faults -= 1;
                }
                let outcome = match fate {
                    Fate::NotSent => failed(),
                    Fate::Answered => self.carry_out(&mut state, place, &call, false),
                    Fate::AnsweredLate => self.carry_out(&mut state, place, &call, true),
                    Fate::AnswerLost => {
                        self.carry_out(&mut state, place, &call, false);
                        lost()
                    }
                    Fate::LandsLater => {
                        self.send(&mut state, place, &call);
                        lost()
                    }
                    Fate::SentTwice => {
                        self.carry_out(&mut state, place, &call, false);
                        state.check_sight();
                        self.carry_out(&mut state, place, &call, false)
                    }
                };
                let calls = &mut state.work(place).calls;
                let awaited = calls.iter_mut().find(|(other, outcome)| *other == call && outcome.is_none())?;
                awaited.1 = Some(outcome);
                state.check_sight();
                self.go_on(&mut state, place);
            }
            Action::Crash(place) => {
                state.faults -= 1;
                state.runs[place].work = None;
                state.ledger.lease = Lease::OfDead;
            }
            Action::Land => self.land(&mut state),
            Action::RunOutOfLease(place) => {
                state.faults -= 1;
                state.work(place).has_time = false;
                state.iam.older = None;
            }
            Action::GiveUp(place) => state.runs[place].work = None,
            Action::LeaseEnds => {
                state.ledger.lease = Lease::Free;
                state.iam.older = None;
            }
            Action::DaysPass => {
                state.now = DUE;
                state.ledger.lease = Lease::Free;
                state.iam.older = None;
                state.iam.report = state.iam.report_now();
            }
            Action::Person(person) => {
                state.people -= 1;
                Self::act(person, &mut state);
            }
            Action::Unexempt => state.iam.change(|view| view.is_exempt = false),
            Action::Recreate { demand } => {
                let change_password = self.permission_at_first();
                state.iam.change(|view| {
                    (view.has_password, view.is_exempt, view.change_password) = (true, false, change_password);
                });
                let before = state.iam.older;
                state.set_by_person(demand);
                (state.iam.older, state.iam.report) = (before, Report::Newer);
                for version in state.secret.iter_mut().flat_map(|secret| &mut secret.versions) {
                    version.was_used = false;
                }
            }
            Action::LastSweep => {
                state.is_final = true;
                state.ledger.lease = Lease::Free;
                state.iam.older = None;
                state.runs.push(Run { deliveries: 0, work: None });
                let place = state.runs.len() - 1;
                self.begin(&mut state, place);
            }
        }
        state.check_sight();
        if state.faults < self.faults || state.people < self.people {
            (state.record.messages, state.record.grace_messages, state.record.passwords) = (0, 0, 0);
        }
        state.number_anew();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties: Vec<Property<Self>> = vec![
            Property::always(IN_SIGHT, |_, s: &State| s.record.broken != Some(Broken::LockedOut)),
            Property::always(CAN_MEET, |_, s: &State| s.record.broken != Some(Broken::ImpossibleDemand)),
            Property::always(TOLD_TRUE, |_, s: &State| s.record.broken != Some(Broken::ToldOfDeadPassword)),
            Property::always(CHOICE_STAYS, |_, s: &State| s.record.broken != Some(Broken::ChoiceReplaced)),
            Property::always(NOT_EARLY, |_, s: &State| s.record.broken != Some(Broken::ResetEarly)),
            Property::always(ONCE, |_, s: &State| s.record.broken != Some(Broken::CarriedOutTwice)),
            Property::always(NOT_DROPPED, |_, s: &State| s.record.broken != Some(Broken::WishDropped)),
            Property::always(EXEMPT, |_, s: &State| s.record.broken != Some(Broken::ExemptUserReset)),
            Property::always(NOT_STRANGERS, |_, s: &State| s.record.broken != Some(Broken::StrangersSecretUsed)),
            Property::always(RESET_TRUE, |_, s: &State| s.record.broken != Some(Broken::FalseReset)),
        ];
        properties.extend([
            Property::always(NOTHING_OPEN, |_, s: &State| !(s.is_final && s.is_quiet() && s.ledger.is_open)),
            Property::always(CURRENT_WORKS, |_, s: &State| {
                let in_force = s.version_in_force();
                let current = s.secret.as_ref().filter(|secret| !secret.is_deleted).and_then(Secret::current);
                let is_told = s.record.told == in_force && current.map(|version| version.id) == in_force;
                !s.is_at_rest() || in_force.is_none() || is_told
            }),
            Property::always(NO_LABELS, |_, s: &State| {
                let versions = s.secret.iter().filter(|secret| !secret.is_deleted).flat_map(|secret| &secret.versions);
                let has_any = versions.into_iter().any(|version| version.labels.pending || version.labels.in_doubt);
                !s.is_at_rest() || !has_any
            }),
            Property::always(ONE_MESSAGE, |_, s: &State| {
                let wishes = s.record.carried_out.count_ones();
                let is_told_once = u32::from(s.record.grace_messages) <= s.record.in_grace.count_ones().min(1);
                u32::from(s.record.messages) <= wishes && u32::from(s.record.passwords) <= wishes && is_told_once
            }),
        ]);
        properties
    }
}

pub(super) const IN_SIGHT: &str = "the working password is known to the user or stands labelled in their secret";
pub(super) const CAN_MEET: &str = "nothing is demanded of a user who cannot meet it";
pub(super) const TOLD_TRUE: &str = "nobody is told of a password that does not work";
pub(super) const CHOICE_STAYS: &str = "no wish replaces a password that was chosen after it was carried out";
pub(super) const NOT_EARLY: &str = "a password that only is too old is replaced on the day that its user was told";
pub(super) const ONCE: &str = "no wish is carried out twice";
pub(super) const NOT_DROPPED: &str = "no wish is dropped";
pub(super) const EXEMPT: &str = "no reset of an exempt user is begun";
pub(super) const NOT_STRANGERS: &str = "a stranger's secret is not used";
pub(super) const RESET_TRUE: &str = "a run that says reset has set and announced the current version";
pub(super) const NOTHING_OPEN: &str = "the last sweep leaves nothing open";
pub(super) const CURRENT_WORKS: &str = "at rest the current version works, and the user was told of it";
pub(super) const NO_LABELS: &str = "at rest no label is left but those of Secrets Manager";
pub(super) const ONE_MESSAGE: &str = "undisturbed, a wish gives one password and one message";

impl Bounds {
    fn permission_at_first(&self) -> ChangePassword {
        if self.needs_grant { ChangePassword::AfterGrant } else { ChangePassword::Allowed }
    }

    /// Begins a run, which takes the lease at once: one that waits for it in vain
    /// is one that was not delivered, and one that gets it later is one that was
    /// delivered later.
    fn begin(&self, state: &mut State, place: usize) {
        state.runs[place].work = Some(Arc::new(Work::new(self.wish_at(place))));
        self.go_on(state, place);
        let call = state.work(place).waits().next().map(Arc::clone).expect("a run begins with a call");
        let outcome = self.carry_out(state, place, &call, false);
        state.work(place).calls[0].1 = Some(outcome);
        self.go_on(state, place);
    }
}
