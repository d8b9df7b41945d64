//! What a state of the model holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use iam_password_remediator::ledger::{Entry, Grace, RequestId};
use iam_password_remediator::reset::{Call, ChangePassword, Machine, Outcome, Wish};
use iam_password_remediator::secret::{CURRENT, PENDING, SecretArn, SecretState, VersionId};
use time::OffsetDateTime;
use time::macros::datetime;

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
pub(super) const LONG_AGO: OffsetDateTime = datetime!(2026-07-20 12:00 UTC);
/// When a grace period that begins at [`NOW`] is over.
pub(super) const DUE: OffsetDateTime = datetime!(2026-12-04 12:00 UTC);
pub(super) const GRACE_DAYS: u16 = 14;
pub(super) const LIMIT_DAYS: u16 = 90;
const PREVIOUS: &str = "AWSPREVIOUS";

/// A set of wishes, one bit each.
pub(super) type Wishes = u8;

/// The password that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Password {
    /// The one of long ago.
    Old,
    /// One that a person set. The user knows it.
    OfPerson,
    /// The one in this version.
    OfVersion(u8),
}

/// What IAM shows at once, and what it may still show some seconds later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct View {
    pub(super) has_password: bool,
    pub(super) is_demanded: bool,
    pub(super) is_exempt: bool,
    pub(super) change_password: ChangePassword,
    /// Whether the policy was tightened, so that older passwords are refused.
    pub(super) is_strict: bool,
}

/// What the credential report says of the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Report {
    Old,
    /// A password that was set before the last one of ours, or that one.
    Fresh,
    /// A password that a person set after that.
    Newer,
    Nothing,
}

/// IAM, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Iam {
    pub(super) view: View,
    /// What a read may still show in place of it.
    pub(super) older: Option<View>,
    pub(super) password: Password,
    pub(super) report: Report,
}

impl Iam {
    /// What a report would say that is made now.
    pub(super) fn report_now(&self) -> Report {
        match self.password {
            Password::Old => Report::Old,
            Password::OfVersion(_) => Report::Fresh,
            Password::OfPerson => Report::Newer,
        }
    }

    /// One of our passwords is set. What the report knew is older now.
    pub(super) fn set_ours(&mut self, id: u8) {
        self.password = Password::OfVersion(id);
        self.change(|view| view.is_demanded = true);
        if self.report == Report::Newer {
            self.report = Report::Fresh;
        }
    }

    pub(super) fn change(&mut self, change: impl FnOnce(&mut View)) {
        let before = self.view;
        change(&mut self.view);
        if self.view != before {
            self.older = Some(before);
        }
    }
}

/// The labels of a version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Labels {
    pub(super) current: bool,
    pub(super) previous: bool,
    pub(super) pending: bool,
    pub(super) in_doubt: bool,
}

impl Labels {
    fn is_none(self) -> bool {
        self == Self::default()
    }

    fn names(self, id: &VersionId) -> BTreeSet<String> {
        let all = [
            (self.current, CURRENT.to_owned()),
            (self.previous, PREVIOUS.to_owned()),
            (self.pending, PENDING.to_owned()),
            (self.in_doubt, id.in_doubt()),
        ];
        all.into_iter().filter_map(|(is_there, label)| is_there.then_some(label)).collect()
    }
}

/// A version of the secret. One without labels is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Version {
    pub(super) id: u8,
    pub(super) labels: Labels,
    /// The first one of a new secret holds none.
    pub(super) has_password: bool,
    /// Whether it was made for the tightened policy.
    pub(super) is_strict: bool,
    /// Whether IAM's history has it.
    pub(super) was_used: bool,
    /// The wish that it was made for.
    pub(super) made_for: Option<usize>,
}

/// The secret of the user's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Secret {
    pub(super) is_ours: bool,
    pub(super) is_deleted: bool,
    pub(super) is_tagged: bool,
    pub(super) versions: Vec<Version>,
}

impl Secret {
    pub(super) fn version(&self, id: u8) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    pub(super) fn current(&self) -> Option<&Version> {
        self.versions.iter().find(|version| version.labels.current)
    }

    pub(super) fn label(&mut self, id: u8, change: impl Fn(&mut Labels)) {
        if let Some(version) = self.versions.iter_mut().find(|version| version.id == id) {
            change(&mut version.labels);
        }
        self.versions.retain(|version| !version.labels.is_none());
    }

    pub(super) fn store(&mut self, mut version: Version) {
        version.labels.current = self.versions.is_empty();
        version.labels.pending = true;
        for other in &mut self.versions {
            other.labels.pending = false;
        }
        self.versions.retain(|version| !version.labels.is_none());
        self.versions.push(version);
        self.versions.sort_by_key(|version| version.id);
    }

    pub(super) fn promote(&mut self, id: u8) {
        if self.current().is_some_and(|version| version.id == id) {
            return;
        }
        for version in &mut self.versions {
            version.labels.previous = version.labels.current;
            version.labels.current = version.id == id;
        }
        self.versions.retain(|version| !version.labels.is_none());
    }

    pub(super) fn described(&self) -> SecretState {
        let labels = |version: &Version| {
            let id = version_id(version.id);
            let labels = version.labels.names(&id);
            (id, labels)
        };
        SecretState {
            arn: if self.is_ours { our_arn() } else { strangers_arn() },
            deleted: self.is_deleted,
            tags: BTreeMap::new(),
            versions: self.versions.iter().map(labels).collect(),
        }
    }
}

/// Who has the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lease {
    Free,
    Of(usize),
    /// A run that died, until the lease ends.
    OfDead,
}

/// When the ledger says that the password was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Changed {
    Never,
    LongAgo,
    Now,
}

impl Changed {
    pub(super) fn at(self) -> Option<OffsetDateTime> {
        match self {
            Self::Never => None,
            Self::LongAgo => Some(LONG_AGO),
            Self::Now => Some(NOW),
        }
    }

    pub(super) fn from(at: Option<OffsetDateTime>) -> Self {
        match at {
            None => Self::Never,
            Some(at) if at >= NOW => Self::Now,
            Some(_) => Self::LongAgo,
        }
    }
}

/// The user's item in the ledger, and the items of requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Ledger {
    pub(super) lease: Lease,
    pub(super) is_open: bool,
    pub(super) knows_secret: bool,
    pub(super) marker: Option<u8>,
    pub(super) versions: Vec<u8>,
    pub(super) request: Option<RequestId>,
    pub(super) changed: Changed,
    pub(super) grace: Option<Grace>,
    pub(super) served: BTreeSet<RequestId>,
}

impl Ledger {
    pub(super) fn entry(&self) -> Entry {
        Entry {
            secret_arn: self.knows_secret.then(our_arn),
            marker: self.marker.map(version_id),
            versions: self.versions.iter().copied().map(version_id).collect(),
            request: self.request.clone(),
            reserved_at: (!self.versions.is_empty()).then_some(NOW),
            changed_at: self.changed.at(),
            grace: self.grace,
        }
    }

    pub(super) fn forget_attempt(&mut self) {
        self.marker = None;
        self.versions.clear();
        self.request = None;
    }
}

/// A place where one delivery at a time of a wish is at work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Run {
    pub(super) deliveries: u8,
    pub(super) work: Option<Arc<Work>>,
}

/// A delivery that is at work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Work {
    pub(super) machine: Machine,
    /// The calls of the step, and how each went. As in the driver, the machine
    /// learns of them when all are back.
    pub(super) calls: Vec<(Arc<Call>, Option<Outcome>)>,
    /// Whether enough is left of its lease.
    pub(super) has_time: bool,
    /// The version whose password it has.
    pub(super) in_hand: Option<u8>,
    /// What it takes the policy to be.
    pub(super) knows_strict: bool,
    // What the last look showed.
    pub(super) saw_exempt: bool,
    pub(super) saw_choice: bool,
    pub(super) saw_demand: bool,
    /// The user can change passwords, for all that it knows.
    pub(super) saw_permission: bool,
    /// Whether a person set a password since it set one.
    pub(super) was_overtaken: bool,
    pub(super) applied: Option<u8>,
    pub(super) announced: Option<u8>,
}

impl Work {
    pub(super) fn new(wish: Wish) -> Self {
        Self {
            machine: Machine::new(wish),
            calls: Vec::new(),
            has_time: true,
            in_hand: None,
            knows_strict: false,
            saw_exempt: false,
            saw_choice: false,
            saw_demand: false,
            saw_permission: false,
            was_overtaken: false,
            applied: None,
            announced: None,
        }
    }

    pub(super) fn waits(&self) -> impl Iterator<Item = &Arc<Call>> {
        self.calls.iter().filter(|(_, outcome)| outcome.is_none()).map(|(call, _)| call)
    }

    pub(super) fn waits_for_lease(&self) -> bool {
        self.waits().any(|call| matches!(**call, Call::TakeLease(_)))
    }
}

/// What must never happen, found out when it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Broken {
    LockedOut,
    ImpossibleDemand,
    ToldOfDeadPassword,
    ChoiceReplaced,
    ResetEarly,
    CarriedOutTwice,
    WishDropped,
    ExemptUserReset,
    StrangersSecretUsed,
    FalseReset,
}

/// What is kept only to tell whether the properties hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Record {
    pub(super) broken: Option<Broken>,
    /// The version that the user was told of last.
    pub(super) told: Option<u8>,
    /// When the user was told last that the password would be replaced.
    pub(super) due: Option<OffsetDateTime>,
    /// Messages and passwords, as long as nothing disturbed the runs.
    pub(super) messages: u8,
    pub(super) grace_messages: u8,
    pub(super) passwords: u8,
    /// The wish that began the attempt.
    pub(super) attempt_for: Option<usize>,
    /// Wishes for which a change is demanded.
    pub(super) demanded: Wishes,
    /// Wishes that end with the attempt under way.
    pub(super) joined: Wishes,
    /// Wishes for which a change was demanded, and a person set a password.
    pub(super) answered: Wishes,
    /// Wishes for which a password was set.
    pub(super) carried_out: Wishes,
    /// Those of them whose request was to be remembered.
    pub(super) remembered: Wishes,
    /// Those of them whose attempt was closed.
    pub(super) finished: Wishes,
    /// Wishes whose grace period the user was told of.
    pub(super) in_grace: Wishes,
    /// A person chose the password in force; these had been carried out before,
    /// or had given the user time for it.
    pub(super) choice: Option<Wishes>,
}

/// A call whose run has failed already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum OnItsWay {
    Store(Version),
    Apply(Version),
}

impl OnItsWay {
    fn version(&mut self) -> &mut Version {
        match self {
            Self::Store(version) | Self::Apply(version) => version,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) iam: Iam,
    pub(super) secret: Option<Secret>,
    pub(super) ledger: Ledger,
    pub(super) runs: Vec<Run>,
    pub(super) last_id: u8,
    /// A call that failed for its run, and that AWS will yet carry out.
    pub(super) on_its_way: Option<OnItsWay>,
    pub(super) faults: u8,
    pub(super) people: u8,
    /// What the time is: [`NOW`], until the grace period is over.
    pub(super) now: OffsetDateTime,
    /// Whether only the last sweep may act any more.
    pub(super) is_final: bool,
    pub(super) record: Record,
}

impl State {
    pub(super) fn fresh_id(&mut self) -> u8 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn breaks(&mut self, broken: Broken) {
        self.record.broken.get_or_insert(broken);
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.runs.iter().all(|run| run.work.is_none())
    }

    /// Nothing is under way and nothing is left to be done.
    pub(super) fn is_at_rest(&self) -> bool {
        self.is_quiet() && !self.ledger.is_open
    }

    pub(super) fn work(&mut self, place: usize) -> &mut Work {
        Arc::make_mut(self.runs[place].work.as_mut().expect("a delivery is at work"))
    }

    pub(super) fn is_begun(&self) -> bool {
        let has = |id: &u8| self.secret.as_ref().is_some_and(|secret| secret.version(*id).is_some());
        self.ledger.versions.iter().any(has)
    }

    pub(super) fn version_in_force(&self) -> Option<u8> {
        match self.iam.password {
            Password::OfVersion(id) if self.iam.view.has_password => Some(id),
            _ => None,
        }
    }

    /// Whatever password was in force is no longer.
    fn overtake(&mut self) {
        self.iam.password = Password::OfPerson;
        for place in 0..self.runs.len() {
            if self.runs[place].work.is_some() {
                let work = self.work(place);
                work.was_overtaken = true;
                work.saw_choice = false;
            }
        }
    }

    /// The user goes, and with them every demand.
    pub(super) fn delete_user(&mut self) {
        self.iam.change(|view| (view.has_password, view.is_demanded) = (false, false));
        self.overtake();
        self.record.choice = None;
        self.answer_demands();
    }

    /// A person sets a password, which the user knows.
    pub(super) fn set_by_person(&mut self, is_demanded: bool) {
        self.iam.change(|view| view.is_demanded = is_demanded);
        self.overtake();
        // A password with a demand is there to be replaced.
        self.record.choice = (!is_demanded).then_some(self.record.carried_out | self.record.in_grace);
        if !is_demanded {
            self.answer_demands();
        }
    }

    pub(super) fn answer_demands(&mut self) {
        self.record.answered |= self.record.demanded | self.record.joined;
        self.record.demanded = 0;
    }

    pub(super) fn check_sight(&mut self) {
        let Some(id) = self.version_in_force() else { return };
        if self.secret.as_ref().is_none_or(|secret| secret.is_deleted || secret.version(id).is_none()) {
            self.breaks(Broken::LockedOut);
        }
    }

    /// Numbers the ids anew when no run knows any: what differs in nothing but
    /// numbers is one state.
    pub(super) fn number_anew(&mut self) {
        if !self.is_quiet() {
            return;
        }
        let stored = self.secret.iter().flat_map(|secret| &secret.versions).map(|version| version.id);
        let chosen = self.ledger.versions.iter().copied().chain(self.ledger.marker);
        let on_its_way = self.on_its_way.as_mut().map(|call| call.version().id);
        let ids: BTreeSet<u8> = stored.chain(chosen).chain(on_its_way).collect();
        let new: BTreeMap<u8, u8> = ids.into_iter().zip(1..).collect();
        for version in self.secret.iter_mut().flat_map(|secret| &mut secret.versions) {
            if !self.ledger.versions.contains(&version.id) {
                // Nobody will set it again.
                (version.is_strict, version.was_used, version.made_for) = (false, false, None);
            }
            version.id = new[&version.id];
        }
        for id in self.ledger.versions.iter_mut().chain(&mut self.ledger.marker) {
            *id = new[id];
        }
        if let Some(call) = &mut self.on_its_way {
            call.version().id = new[&call.version().id];
        }
        // One that is gone works no more and cannot come back.
        self.record.told = self.record.told.and_then(|id| new.get(&id).copied());
        if let Password::OfVersion(id) = &mut self.iam.password {
            *id = new.get(id).copied().unwrap_or(u8::MAX);
        }
        self.last_id = u8::try_from(new.len()).expect("few ids");
    }
}

pub(super) fn version_id(number: u8) -> VersionId {
    VersionId::from_stored(&format!("v{number}"))
}

pub(super) fn number(id: &VersionId) -> u8 {
    id.as_str()[1..].parse().expect("an id of the model")
}

pub(super) fn our_arn() -> SecretArn {
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:p/123456789012/alice-OurOwn".parse().unwrap()
}

pub(super) fn strangers_arn() -> SecretArn {
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:p/123456789012/alice-Strang".parse().unwrap()
}
