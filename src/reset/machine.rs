//! The decisions of a reset: what comes next, from what is known.
//!
//! A [`Machine`] does nothing itself. It says the next [`Step`], is told how
//! each [`Call`] of it went, and says the next one. It knows no clock, no
//! randomness and no password; `tests/it/model.rs` runs the same machine through
//! every order in which calls, crashes and people can follow one another.
//! [`super`] has the argument for why it is safe.

use std::collections::BTreeSet;
use std::time::Duration;

use time::OffsetDateTime;

use super::{Failure, SkipReason};
use crate::account::credential_report::Age;
use crate::ledger::{Entry, Grace, RequestId};
use crate::secret::{CURRENT, PENDING, SecretArn, SecretState, VersionId};

/// How long a call may take, with all its retries, that no other run may meet.
pub(super) const CALL: Duration = Duration::from_secs(25);
/// What must be left of the lease when such a call begins: its own time, and
/// some for clocks that differ.
pub const NEEDED: Duration = Duration::from_secs(30);
/// What IAM answers may be older than what it was told by this much.
const SETTLING: Duration = Duration::from_secs(10);
/// How long a run waits for another run's lease, before it leaves the user to a
/// later delivery.
const PATIENCE: [Duration; 6] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(1),
    Duration::from_secs(1),
    Duration::from_secs(1),
];
/// How many passwords IAM may refuse in one run before a person has to look.
const MOST_REFUSALS: usize = 4;
/// How many versions an attempt may come to over all its runs. Each that was
/// refused keeps a label, and Secrets Manager allows 20 on a secret
/// ([quotas](https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html)).
const MOST_VERSIONS: usize = 12;
/// How often a run takes the lease anew because too little was left of it.
const MOST_LEASES: usize = 3;
/// How often a label is moved again that was not where it was expected, and how
/// often a run looks again because the secret was not as the reads showed it.
const MOST_REPEATS: usize = 3;

/// Why a user is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Wish {
    /// The password may be too old: reset it if it is.
    Stale,
    /// A person wants it reset, however fresh it is.
    Forced(RequestId),
    /// Bring to its end what an earlier run began; begin nothing.
    Finish,
    /// Schedule the secret for deletion if nobody needs it any more; leave
    /// everything else as it is.
    Tidy,
}

impl Wish {
    fn request(&self) -> Option<&RequestId> {
        match self {
            Self::Forced(request) => Some(request),
            Self::Stale | Self::Finish | Self::Tidy => None,
        }
    }
}

/// What the deciding reads show.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Look {
    /// How the user stands in IAM.
    pub standing: Standing,
    /// The secret of the user's name, whoever made it.
    pub secret: Option<SecretState>,
    /// The tags that the secret should have and has not.
    pub is_untagged: bool,
    /// Whether the ledger knows the wish's request as carried out.
    pub is_served: bool,
}

/// How a user stands in IAM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Standing {
    /// There is no such user.
    NoSuchUser,
    /// The user cannot sign in to the console.
    NoConsolePassword,
    /// The user has a console password.
    Console(ConsoleUser),
}

/// A user with a console password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConsoleUser {
    /// Whether the user is exempt.
    pub is_exempt: bool,
    /// Whether a change is required at the next sign-in.
    pub is_demanded: bool,
    /// Whether the user could meet such a demand.
    pub change_password: ChangePassword,
    /// When the password was set, as far as IAM tells; none if it does not.
    pub changed: Option<OffsetDateTime>,
    /// How old a password may be, in days.
    pub limit_days: u16,
    /// How many days a user has to change a password that is too old; 0 if it
    /// is replaced at once.
    pub grace_days: u16,
    /// What the time was when all this was read.
    pub now: OffsetDateTime,
}

/// Whether a user can choose a new password when one is demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangePassword {
    /// Yes.
    Allowed,
    /// Once the managed policy `IAMUserChangePassword` is attached.
    AfterGrant,
    /// No.
    Impossible,
}

/// What is to be done about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Skip(SkipReason),
    /// Reset the password.
    Begin,
    /// Require the user to change the password, and begin a grace period.
    Require(Grace),
    /// To keep in mind first that the demand of this grace period was met, so
    /// that somebody has set another password: the report may not show it yet.
    Met(Grace),
    /// Bring the attempt that is under way to its end.
    Finish,
    /// Nothing more about the attempt that is under way: somebody set another
    /// password since.
    GiveWay,
    /// Schedule the secret for deletion.
    Retire,
    /// Leave the secret where it is.
    Keep,
    /// Nothing that this program could do.
    Fail(Failure),
}

/// Decides what is to be done about a user. The same knowledge always leads to
/// the same decision.
#[must_use]
pub fn decide(wish: &Wish, entry: &Entry, look: &Look) -> Decision {
    if *wish == Wish::Tidy {
        return if is_claimed(entry, look) { Decision::Retire } else { Decision::Keep };
    }
    let user = match &look.standing {
        Standing::NoSuchUser => return Decision::Skip(SkipReason::UserNotFound),
        Standing::NoConsolePassword => return Decision::Skip(SkipReason::NoConsolePassword),
        Standing::Console(user) => user,
    };
    let secret = look.secret.as_ref();
    let decision = if entry.is_begun(secret) {
        // Each version was stored only after a change had been demanded, and a
        // demand ends when somebody sets a password without one.
        if user.is_demanded { Decision::Finish } else { Decision::GiveWay }
    } else if user.is_exempt {
        Decision::Skip(SkipReason::Exempt)
    } else {
        match wanted(wish, entry, look, user) {
            Decision::Begin | Decision::Require(_) if user.change_password == ChangePassword::Impossible => {
                Decision::Skip(SkipReason::CannotChangePassword)
            }
            decision => decision,
        }
    };
    match (decision, secret) {
        (Decision::Begin | Decision::Finish, Some(secret)) if !entry.owns(secret) => {
            Decision::Fail(Failure::NotOurSecret(secret.arn.clone()))
        }
        (decision, _) => decision,
    }
}

fn wanted(wish: &Wish, entry: &Entry, look: &Look, user: &ConsoleUser) -> Decision {
    match wish {
        Wish::Forced(_) if look.is_served => Decision::Skip(SkipReason::AlreadyReset),
        // A reset demands a change anew, and then nothing shows any more that
        // the demand before was met.
        Wish::Forced(_) => grace_met(entry, user).map_or(Decision::Begin, Decision::Met),
        Wish::Finish | Wish::Tidy => Decision::Skip(SkipReason::AlreadyReset),
        Wish::Stale => wanted_if_stale(entry, user),
    }
}

fn wanted_if_stale(entry: &Entry, user: &ConsoleUser) -> Decision {
    let is_too_old = |changed| Age::between(changed, user.now).older_than(user.limit_days);
    // The ledger knows of a change that the report may not show yet.
    if entry.is_ahead_of(user.changed) && !entry.changed_at.is_some_and(is_too_old) {
        return Decision::Skip(SkipReason::AlreadyReset);
    }
    if user.changed.is_some_and(|reported| !is_too_old(reported)) {
        return Decision::Skip(SkipReason::PasswordFresh);
    }
    if let Some(grace) = grace_met(entry, user) {
        return Decision::Met(grace);
    }
    if user.changed.is_none() {
        return Decision::Fail(Failure::UnknownAge);
    }
    match entry.grace_of(user.changed) {
        // A date once told stands, whatever is configured now.
        Some(grace) if user.now < grace.due_at => Decision::Skip(SkipReason::InGrace(grace.due_at)),
        None if user.grace_days > 0 => {
            let due_at = user.now + time::Duration::days(user.grace_days.into());
            Decision::Require(Grace { demanded_at: user.now, due_at })
        }
        Some(_) | None => Decision::Begin,
    }
}

/// Whether the secret is ours, and nobody needs what it holds: the user has
/// chosen another password since the reset, or is gone.
fn is_claimed(entry: &Entry, look: &Look) -> bool {
    let Some(secret) = look.secret.as_ref().filter(|secret| entry.owns(secret) && !secret.deleted) else {
        return false;
    };
    // A password that is not confirmed may be the user's.
    if entry.is_begun(Some(secret)) || secret.holder(PENDING).is_some() || !secret.leftovers().is_empty() {
        return false;
    }
    match &look.standing {
        Standing::NoSuchUser | Standing::NoConsolePassword => true,
        // Both: a demand can be taken back without another password, and the
        // report may be about a password that was set before ours.
        Standing::Console(user) => !user.is_demanded && entry.is_overtaken_by(user.changed),
    }
}

/// The grace period of the password that the user has, if its demand was met: a
/// demand ends when somebody sets a password.
fn grace_met(entry: &Entry, user: &ConsoleUser) -> Option<Grace> {
    entry.grace_of(user.changed).filter(|_| !user.is_demanded)
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// These calls, in any order or at the same time.
    Make(Vec<Call>),
    /// Nothing for so long.
    Pause(Duration),
    /// Nothing more.
    End(Ending),
}

/// One call to AWS, or the deciding reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Call {
    /// Take the lease. If no attempt is under way, the same write chooses the
    /// ids of one, for this request.
    TakeLease(Option<RequestId>),
    /// Read all that a decision takes.
    Look,
    /// Let the user change their own password.
    Grant,
    /// Require a change of password, and leave the password.
    Demand,
    /// Create the secret; its first version, of this id, holds no password.
    Create(VersionId),
    /// Take the secret out of its scheduled deletion.
    Restore,
    /// Set the secret's tags.
    Tag,
    /// Keep this version in sight while another one is pending.
    KeepInSight(VersionId),
    /// Choose the id of another version, for this request. `after` are the
    /// versions of the same attempt that were refused.
    Choose {
        /// The versions before it.
        after: Vec<VersionId>,
        /// The request that the attempt is to carry out.
        request: Option<RequestId>,
        /// The secret, once it is there.
        secret_arn: Option<SecretArn>,
    },
    /// Read the account's password policy again.
    ReadPolicy,
    /// Generate a password and store it as this version, pending.
    Store(VersionId),
    /// Read back the password that this version holds.
    ReadBack(VersionId),
    /// Make this version's password the user's, to be changed at the next
    /// sign-in.
    Apply(VersionId),
    /// Make this version the current one, in place of the other.
    Promote {
        /// The new current version.
        version: VersionId,
        /// The one that is current now.
        from: Option<VersionId>,
    },
    /// Look where the labels are.
    Describe,
    /// Tell the user where the password is.
    Announce,
    /// Tell the user to change the password, and until when.
    TellOfGrace(Grace),
    /// Schedule the secret for deletion.
    Retire,
    /// Take a label off a version.
    DropLabel(VersionId, String),
    /// Remember that the request was carried out.
    Serve(RequestId),
    /// Forget the attempt and the grace period: somebody set another password
    /// after this time. The lease stays, and the ledger still shows the user as open.
    Forget {
        /// After when; none if the ledger does not tell.
        set_after: Option<OffsetDateTime>,
        /// The secret, if it is ours.
        secret_arn: Option<SecretArn>,
    },
    /// End the attempt and give the lease back.
    Close {
        /// When the password was set, if the run knows more than the ledger.
        changed: Option<Changed>,
        /// The grace period, from now on.
        grace: Option<Grace>,
        /// The secret, if it is ours.
        secret_arn: Option<SecretArn>,
    },
    /// Give the lease back, and leave the attempt to a later run.
    GiveBack {
        /// The secret, if it is ours.
        secret_arn: Option<SecretArn>,
    },
}

/// When a password was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Changed {
    /// By this run.
    Now,
    /// By somebody else, and not before this time.
    After(OffsetDateTime),
}

impl Call {
    /// Whether no other run may be at work on the user meanwhile.
    #[must_use]
    pub fn needs_lease(&self) -> bool {
        match self {
            Self::Grant
            | Self::Demand
            | Self::Create(_)
            | Self::Restore
            | Self::Tag
            | Self::KeepInSight(_)
            | Self::Store(_)
            | Self::Apply(_)
            | Self::Promote { .. }
            | Self::Announce
            | Self::TellOfGrace(_)
            | Self::Retire
            | Self::DropLabel(..)
            | Self::Serve(_) => true,
            // Reads, and writes to the user's item, which are refused without it.
            Self::TakeLease(_)
            | Self::Look
            | Self::Choose { .. }
            | Self::ReadPolicy
            | Self::ReadBack(_)
            | Self::Describe
            | Self::Forget { .. }
            | Self::Close { .. }
            | Self::GiveBack { .. } => false,
        }
    }
}

/// How a call went.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// As it should.
    Done,
    /// The lease is ours; the ledger knows this.
    Leased(Entry),
    /// Another run has the lease.
    TakenByOther,
    /// The reads show this.
    Seen(Box<Look>),
    /// The secret was created.
    Created(SecretState),
    /// There is a secret of that name already.
    Exists,
    /// The ledger now knows these versions, the last of them new.
    Chosen(Vec<VersionId>),
    /// The version stands under these labels.
    Stored(BTreeSet<String>),
    /// The version holds another password.
    AlreadyThere,
    /// The version holds nothing that could be used.
    Unusable,
    /// IAM does not accept the password.
    Refused,
    /// The user cannot sign in to the console any more.
    NoLoginProfile,
    /// The label was not where it was expected.
    Conflict,
    /// The labels stand like this.
    Described(Option<SecretState>),
    /// It failed; whether AWS carried it out may be unknown.
    Failed(Failure),
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The password was reset, stored and announced.
    Reset(SecretArn),
    /// The user has to change it, and was told that it is replaced at this time.
    ChangeRequired(OffsetDateTime, Option<SecretArn>),
    /// Nothing was to be done.
    Skipped(SkipReason, Option<SecretArn>),
    /// The secret is scheduled for deletion.
    Retired(SecretArn),
    /// The secret stays.
    Kept,
    /// It did not come to its end. What was done stays done.
    Failed(Failure, Option<SecretArn>),
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Stage {
    /// To take the lease, which other runs had so often.
    Leasing { taken: usize, is_rested: bool },
    /// To make the deciding reads.
    Looking,
    /// To wait until IAM shows all that it was told, and to look again.
    Settling,
    /// To schedule the secret for deletion.
    Retiring(SecretArn),
    /// To let the user change their password.
    Granting,
    /// To require the user to change the password.
    Requiring(Grace),
    /// To tell the user so.
    Telling(Grace),
    /// To make ready what must be there before a password is stored.
    Preparing,
    /// To store a password.
    Storing,
    /// To read back the password that an earlier run stored.
    ReadingBack,
    /// To make the password the user's.
    Applying,
    /// To make the version the current one; it was tried so often.
    Promoting { moves: usize, is_known: bool },
    /// To tell the user, and to take the labels off that are no longer needed.
    Announcing,
    /// To remember the request of an attempt that gives way.
    Serving,
    /// To forget that attempt, and begin anew.
    Forgetting,
    /// To take labels off that an attempt before this one left.
    ClearingUp(Ending),
    /// To end the attempt.
    Closing(Ending),
    /// To leave the attempt to a later run.
    GivingBack(Ending),
    /// At its end.
    Over(Ending),
}

/// A run on one user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Machine {
    wish: Wish,
    stage: Stage,
    /// Calls of the last step whose outcome is not known yet.
    awaited: Vec<Call>,
    /// What went wrong with the others.
    failure: Option<Failure>,
    leases: usize,
    looks: usize,
    refusals: usize,
    entry: Entry,
    change_password: ChangePassword,
    is_settled: bool,
    is_demanded: bool,
    is_untagged: bool,
    is_policy_known: bool,
    is_announced: bool,
    /// Whether a call found the user without a console password.
    is_gone: bool,
    /// Whether AWS may yet carry out a call that failed.
    is_unanswered: bool,
    secret: Option<SecretState>,
    /// The version of the attempt; none if one has to be chosen.
    version: Option<VersionId>,
    /// The grace period that is to begin; none if the password is to be reset.
    begins: Option<Grace>,
    /// When the password was set, if the ledger is to know.
    changed: Option<Changed>,
    /// Requests that are carried out when the attempt comes to its end.
    requests: BTreeSet<RequestId>,
}

impl Machine {
    /// A run that has not begun.
    #[must_use]
    pub fn new(wish: Wish) -> Self {
        Self {
            wish,
            stage: Stage::Leasing { taken: 0, is_rested: true },
            awaited: Vec::new(),
            failure: None,
            leases: 0,
            looks: 0,
            refusals: 0,
            entry: Entry::default(),
            change_password: ChangePassword::Allowed,
            is_settled: false,
            is_demanded: false,
            is_untagged: false,
            is_policy_known: true,
            is_announced: false,
            is_gone: false,
            is_unanswered: false,
            secret: None,
            version: None,
            begins: None,
            changed: None,
            requests: BTreeSet::new(),
        }
    }

    /// Says what comes next, when so much is left of the lease. Each call of a
    /// step has to be answered by [`Machine::learn`] before the next one.
    pub fn next(&mut self, left: Duration) -> Step {
        let mut step = self.step();
        let needs_lease = matches!(&step, Step::Make(calls) if calls.iter().any(Call::needs_lease));
        if needs_lease && left < NEEDED {
            // A lease is never made longer. Whoever takes it anew looks anew.
            self.stage = if self.leases < MOST_LEASES {
                Stage::Leasing { taken: 0, is_rested: true }
            } else {
                Stage::GivingBack(self.failed(Failure::LeaseTooShort))
            };
            step = self.step();
        }
        match &step {
            Step::Make(calls) => self.awaited.clone_from(calls),
            Step::Pause(_) => self.rest(),
            Step::End(_) => {}
        }
        step
    }

    fn step(&self) -> Step {
        let one = |call| Step::Make(vec![call]);
        match &self.stage {
            Stage::Leasing { taken, is_rested: false } => Step::Pause(PATIENCE[*taken - 1]),
            Stage::Leasing { .. } => one(Call::TakeLease(self.wish.request().cloned())),
            Stage::Looking => one(Call::Look),
            Stage::Settling => Step::Pause(SETTLING),
            Stage::Retiring(_) => one(Call::Retire),
            Stage::Granting => one(Call::Grant),
            Stage::Requiring(_) => one(Call::Demand),
            Stage::Telling(grace) => one(Call::TellOfGrace(*grace)),
            Stage::Preparing => Step::Make(self.preparations()),
            Stage::Storing => self.with_version(Call::Store),
            Stage::ReadingBack => self.with_version(Call::ReadBack),
            Stage::Applying => self.with_version(Call::Apply),
            Stage::Promoting { is_known: false, .. } => one(Call::Describe),
            Stage::Promoting { .. } => {
                let from = self.secret.as_ref().and_then(|secret| secret.holder(CURRENT)).cloned();
                self.with_version(|version| Call::Promote { version, from })
            }
            Stage::Announcing => Step::Make(self.announcements()),
            Stage::Serving => Step::Make(self.serve_all().collect()),
            Stage::Forgetting => {
                let set_after = self.entry.superseded(self.secret.as_ref()).changed_at;
                one(Call::Forget { set_after, secret_arn: self.our_secret() })
            }
            Stage::ClearingUp(_) => Step::Make(self.labels_to_drop()),
            Stage::Closing(_) => {
                one(Call::Close { changed: self.changed, grace: self.entry.grace, secret_arn: self.our_secret() })
            }
            Stage::GivingBack(_) => one(Call::GiveBack { secret_arn: self.our_secret() }),
            Stage::Over(ending) => Step::End(ending.clone()),
        }
    }

    fn with_version(&self, call: impl FnOnce(VersionId) -> Call) -> Step {
        match &self.version {
            Some(version) => Step::Make(vec![call(version.clone())]),
            // No stage that has a use for one is reached without it.
            None => Step::End(self.failed(Failure::Unsettled)),
        }
    }

    /// What is still missing before a password can be stored.
    fn preparations(&self) -> Vec<Call> {
        let mut calls = Vec::new();
        if !self.is_demanded {
            calls.push(Call::Demand);
        }
        if !self.is_policy_known {
            calls.push(Call::ReadPolicy);
        }
        match (&self.secret, &self.entry.marker) {
            (None, Some(marker)) => calls.push(Call::Create(marker.clone())),
            (None, None) => {}
            (Some(secret), _) if secret.deleted => calls.push(Call::Restore),
            (Some(secret), _) => {
                if self.is_untagged {
                    calls.push(Call::Tag);
                }
                // The label that the new version takes away may be the only one
                // of a password that works.
                calls.extend(self.displaced(secret).cloned().map(Call::KeepInSight));
            }
        }
        // The ledger knows one request of an attempt. Whatever becomes of this
        // attempt, it is the end of another one that joins it, too.
        let joined = self.requests.iter().filter(|request| self.entry.request.as_ref() != Some(request));
        calls.extend(joined.cloned().map(Call::Serve));
        if self.version.is_none() {
            calls.push(Call::Choose {
                after: self.entry.versions.clone(),
                request: self.entry.request.clone(),
                secret_arn: self.our_secret(),
            });
        }
        calls
    }

    fn displaced<'a>(&self, secret: &'a SecretState) -> Option<&'a VersionId> {
        let pending = secret.holder(PENDING)?;
        let is_seen = secret.has(pending, CURRENT) || secret.has(pending, &pending.in_doubt());
        (!is_seen && self.version.as_ref() != Some(pending)).then_some(pending)
    }

    fn announcements(&self) -> Vec<Call> {
        std::iter::once(Call::Announce).chain(self.serve_all()).chain(self.labels_to_drop()).collect()
    }

    fn serve_all(&self) -> impl Iterator<Item = Call> {
        self.requests.iter().cloned().map(Call::Serve)
    }

    /// Takes off all labels that keep something in sight, when nothing has to be.
    fn labels_to_drop(&self) -> Vec<Call> {
        let is_ours = |secret: &&SecretState| !secret.deleted && self.entry.secret_arn.as_ref() == Some(&secret.arn);
        let Some(secret) = self.secret.as_ref().filter(is_ours) else { return Vec::new() };
        let pending = secret.holder(PENDING).map(|version| (version.clone(), PENDING.to_owned()));
        let labels = pending.into_iter().chain(secret.leftovers());
        labels.map(|(version, label)| Call::DropLabel(version, label)).collect()
    }

    /// The secret's ARN, if it is ours.
    fn our_secret(&self) -> Option<SecretArn> {
        let arn = &self.secret.as_ref()?.arn;
        (self.entry.secret_arn.as_ref() == Some(arn)).then(|| arn.clone())
    }

    fn is_stored(&self) -> bool {
        let stored = self.secret.as_ref().zip(self.version.as_ref());
        stored.is_some_and(|(secret, version)| secret.is_labelled(version))
    }

    fn failed(&self, failure: Failure) -> Ending {
        Ending::Failed(failure, self.our_secret())
    }

    fn rest(&mut self) {
        match &mut self.stage {
            Stage::Leasing { is_rested, .. } => *is_rested = true,
            Stage::Settling => {
                self.is_settled = true;
                self.stage = Stage::Looking;
            }
            _ => {}
        }
    }

    /// Takes in how a call went.
    pub fn learn(&mut self, call: &Call, outcome: Outcome) {
        let Some(place) = self.awaited.iter().position(|awaited| awaited == call) else { return };
        self.awaited.swap_remove(place);
        self.note(call, &outcome);
        if !self.awaited.is_empty() {
            return;
        }
        let is_gone = std::mem::take(&mut self.is_gone);
        match self.failure.take() {
            Some(failure) => self.stop(failure),
            // To look again tells what became of the user.
            None if is_gone => {
                self.stage =
                    if self.is_settled { Stage::GivingBack(self.failed(Failure::Unsettled)) } else { Stage::Settling };
            }
            None => self.go_on(outcome),
        }
    }

    /// Keeps what a call changed, whatever became of the calls beside it.
    fn note(&mut self, call: &Call, outcome: &Outcome) {
        match (call, outcome) {
            (_, Outcome::Failed(failure)) => {
                self.is_unanswered |= call.needs_lease() && failure.is_unanswered();
                self.failure.get_or_insert_with(|| failure.clone());
            }
            (_, Outcome::NoLoginProfile) => self.is_gone = true,
            (Call::Demand, Outcome::Done) => self.is_demanded = true,
            (Call::ReadPolicy, Outcome::Done) => self.is_policy_known = true,
            (Call::Tag, Outcome::Done) => self.is_untagged = false,
            (Call::Announce, Outcome::Done) => self.is_announced = true,
            (Call::Create(_), Outcome::Created(secret)) => {
                self.entry.secret_arn = Some(secret.arn.clone());
                self.secret = Some(secret.clone());
            }
            (Call::Choose { .. }, Outcome::Chosen(versions)) => {
                self.version = versions.last().cloned();
                self.entry.versions.clone_from(versions);
            }
            (Call::Serve(request), Outcome::Done) => {
                self.requests.remove(request);
            }
            _ => {}
        }
        let Some(secret) = &mut self.secret else { return };
        match (call, outcome) {
            (Call::Restore, Outcome::Done) => secret.deleted = false,
            (Call::KeepInSight(version), Outcome::Done) => secret.put_label(version, &version.in_doubt()),
            (Call::DropLabel(version, label), Outcome::Done) => secret.drop_label(version, label),
            (Call::Store(version), Outcome::Stored(labels)) => {
                for label in labels {
                    secret.put_label(version, label);
                }
            }
            (Call::Promote { version, .. }, Outcome::Done) => secret.put_label(version, CURRENT),
            _ => {}
        }
    }

    /// Ends the run after a call failed.
    fn stop(&mut self, failure: Failure) {
        let failure = match failure {
            Failure::Call(error) if self.is_announced => Failure::NotClosed(error),
            failure => failure,
        };
        let stage = std::mem::replace(&mut self.stage, Stage::Looking);
        self.stage = match stage {
            // What is not closed is found by the index and closed by a later run.
            Stage::GivingBack(ending) | Stage::Closing(ending @ (Ending::Skipped(..) | Ending::Kept)) => {
                Stage::Over(ending)
            }
            Stage::Leasing { .. } | Stage::Closing(_) => Stage::Over(self.failed(failure)),
            // The lease outlasts the call: until it ends, nobody else is at work.
            _ if self.is_unanswered => Stage::Over(self.failed(failure)),
            _ => Stage::GivingBack(self.failed(failure)),
        };
    }

    fn go_on(&mut self, outcome: Outcome) {
        let stage = std::mem::replace(&mut self.stage, Stage::Looking);
        self.stage = match (stage, outcome) {
            (Stage::Leasing { .. }, Outcome::Leased(entry)) => {
                *self = Self { leases: self.leases + 1, entry, ..Self::new(self.wish.clone()) };
                Stage::Looking
            }
            (Stage::Leasing { taken, .. }, _) if taken < PATIENCE.len() => {
                Stage::Leasing { taken: taken + 1, is_rested: false }
            }
            (Stage::Leasing { .. }, _) => Stage::Over(self.failed(Failure::Busy)),
            (Stage::Looking, Outcome::Seen(look)) => self.seen(*look),
            (Stage::Retiring(arn), _) => Stage::Closing(Ending::Retired(arn)),
            (Stage::Granting, _) => {
                self.change_password = ChangePassword::Allowed;
                self.proceed()
            }
            (Stage::Requiring(grace), _) => Stage::Telling(grace),
            (Stage::Telling(grace), _) => {
                self.entry.grace = Some(grace);
                self.close(Ending::ChangeRequired(grace.due_at, self.our_secret()))
            }
            // Somebody was faster, or it was us and the answer was lost.
            (Stage::Preparing, _) if self.secret.is_none() => self.look_again(),
            (Stage::Preparing, _) => self.proceed(),
            (Stage::Storing, Outcome::Stored(_)) | (Stage::ReadingBack, Outcome::Done) => Stage::Applying,
            (Stage::Applying, Outcome::Done) => self.applied(),
            (Stage::Storing | Stage::ReadingBack | Stage::Applying, _) => self.refused(),
            (Stage::Promoting { moves, .. }, Outcome::Conflict) if moves < MOST_REPEATS => {
                Stage::Promoting { moves: moves + 1, is_known: false }
            }
            (Stage::Promoting { .. }, Outcome::Conflict) => Stage::GivingBack(self.failed(Failure::Unsettled)),
            (Stage::Promoting { moves, .. }, Outcome::Described(secret)) => {
                self.secret = secret;
                match self.applied() {
                    Stage::Promoting { is_known, .. } => Stage::Promoting { moves, is_known },
                    stage => stage,
                }
            }
            (Stage::Promoting { .. }, _) => Stage::Announcing,
            (Stage::Announcing, _) => match self.our_secret() {
                Some(arn) => {
                    (self.changed, self.entry.grace) = (Some(Changed::Now), None);
                    Stage::Closing(Ending::Reset(arn))
                }
                None => Stage::GivingBack(self.failed(Failure::Unsettled)),
            },
            (Stage::Serving, _) => Stage::Forgetting,
            (Stage::Forgetting, _) if self.leases < MOST_LEASES => Stage::Leasing { taken: 0, is_rested: true },
            (Stage::ClearingUp(ending), _) => Stage::Closing(ending),
            (Stage::Closing(ending) | Stage::GivingBack(ending), _) => Stage::Over(ending),
            (_, _) => Stage::GivingBack(self.failed(Failure::Unsettled)),
        };
    }

    fn look_again(&self) -> Stage {
        if self.looks < MOST_REPEATS { Stage::Looking } else { Stage::GivingBack(self.failed(Failure::Unsettled)) }
    }

    /// The decision, once the reads are there.
    fn seen(&mut self, look: Look) -> Stage {
        self.looks += 1;
        (self.begins, self.changed) = (None, None);
        let decision = decide(&self.wish, &self.entry, &look);
        if let Some(secret) = look.secret.as_ref().filter(|secret| self.entry.owns(secret)) {
            self.entry.secret_arn = Some(secret.arn.clone());
        }
        let is_begun = self.entry.is_begun(look.secret.as_ref());
        if let Standing::Console(user) = &look.standing {
            self.change_password = user.change_password;
        }
        self.secret = look.secret;
        self.is_untagged = look.is_untagged;
        match decision {
            Decision::Skip(reason) if !is_begun => self.skip(reason),
            Decision::Retire => match self.our_secret() {
                // A read that lags may show neither a demand nor the user.
                _ if !self.is_settled => Stage::Settling,
                Some(arn) => Stage::Retiring(arn),
                None => Stage::GivingBack(self.failed(Failure::Unsettled)),
            },
            // What another run began, or left labelled, stays open.
            Decision::Keep if is_begun || !self.labels_to_drop().is_empty() => Stage::GivingBack(Ending::Kept),
            Decision::Keep => Stage::Closing(Ending::Kept),
            Decision::Fail(failure) => Stage::GivingBack(self.failed(failure)),
            Decision::Begin => self.begin(),
            Decision::Require(grace) => {
                self.begins = Some(grace);
                self.proceed()
            }
            // A read that lags may not show the demand yet.
            Decision::Met(_) if !self.is_settled => Stage::Settling,
            Decision::Met(grace) if self.wish == Wish::Stale => {
                self.changed = Some(Changed::After(grace.demanded_at));
                self.skip(SkipReason::PasswordFresh)
            }
            Decision::Met(_) => Stage::Forgetting,
            Decision::Finish => {
                self.requests.extend(self.entry.request.iter().chain(self.wish.request()).cloned());
                self.version = self.entry.versions.last().cloned();
                self.is_demanded = true;
                self.proceed()
            }
            // The password of an attempt went with the user's login profile.
            Decision::Skip(_) | Decision::GiveWay => self.give_way(),
        }
    }

    /// Ends an attempt whose password is not the user's any more.
    fn give_way(&mut self) -> Stage {
        // A read that lags may only seem to show it.
        if !self.is_settled {
            return Stage::Settling;
        }
        self.requests = self.entry.request.iter().cloned().collect();
        if self.requests.is_empty() { Stage::Forgetting } else { Stage::Serving }
    }

    /// Begins an attempt for this run's own wish. One that was chosen before and
    /// never stored is as good as a new one, if it was chosen for this wish.
    fn begin(&mut self) -> Stage {
        let request = self.wish.request().cloned();
        if self.entry.request != request {
            self.entry.versions.clear();
        }
        self.version = self.entry.versions.last().cloned();
        self.requests.extend(request.clone());
        self.entry.request = request;
        self.proceed()
    }

    fn proceed(&self) -> Stage {
        if self.change_password == ChangePassword::AfterGrant {
            Stage::Granting
        } else if let Some(grace) = self.begins {
            Stage::Requiring(grace)
        } else if !self.preparations().is_empty() {
            Stage::Preparing
        } else if self.is_stored() {
            Stage::ReadingBack
        } else {
            Stage::Storing
        }
    }

    fn applied(&self) -> Stage {
        let current = self.secret.as_ref().and_then(|secret| secret.holder(CURRENT));
        if current.is_some() && current == self.version.as_ref() {
            Stage::Announcing
        } else {
            Stage::Promoting { moves: 0, is_known: true }
        }
    }

    /// A refused password may be the user's all the same: the answer that it was
    /// taken may have been lost, and then it was refused as used before. So
    /// another one takes its place, and it stays in sight until then.
    fn refused(&mut self) -> Stage {
        self.refusals += 1;
        if self.refusals > MOST_REFUSALS || self.entry.versions.len() >= MOST_VERSIONS {
            return Stage::GivingBack(self.failed(Failure::Refused));
        }
        self.version = None;
        self.is_policy_known = false;
        self.proceed()
    }

    fn skip(&mut self, reason: SkipReason) -> Stage {
        // Where the password is another one by now, or gone, its grace period is over.
        match reason {
            SkipReason::PasswordFresh | SkipReason::NoConsolePassword | SkipReason::UserNotFound => {
                self.entry.grace = None;
            }
            _ => {}
        }
        self.close(Ending::Skipped(reason, self.our_secret()))
    }

    /// Ends the run. Labels that no attempt needs any more are taken off before.
    fn close(&self, ending: Ending) -> Stage {
        if self.labels_to_drop().is_empty() { Stage::Closing(ending) } else { Stage::ClearingUp(ending) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::ledger::LEASE;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
    const HOUR_AGO: OffsetDateTime = datetime!(2026-11-20 11:00 UTC);
    const LONG_AGO: OffsetDateTime = datetime!(2026-07-20 12:00 UTC);

    fn id(text: &str) -> VersionId {
        VersionId::from_stored(text)
    }

    fn arn() -> SecretArn {
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:p/123456789012/alice-AbCdEf".parse().unwrap()
    }

    fn forced() -> Wish {
        Wish::Forced(RequestId::from_ledger("r1"))
    }

    /// The secret, with these labels on these versions.
    fn secret(labels: &[(&str, &str)]) -> SecretState {
        let mut secret = SecretState { arn: arn(), deleted: false, tags: BTreeMap::new(), versions: BTreeMap::new() };
        for (version, label) in labels {
            secret.put_label(&id(version), label);
        }
        secret
    }

    /// What the ledger says when the lease is taken: `new` is chosen, and the
    /// secret is ours.
    fn entry() -> Entry {
        Entry {
            secret_arn: Some(arn()),
            marker: Some(id("marker")),
            versions: vec![id("new")],
            reserved_at: Some(NOW),
            ..Entry::default()
        }
    }

    fn user() -> ConsoleUser {
        ConsoleUser {
            is_exempt: false,
            is_demanded: false,
            change_password: ChangePassword::Allowed,
            changed: Some(LONG_AGO),
            limit_days: 90,
            grace_days: 0,
            now: NOW,
        }
    }

    fn look(user: ConsoleUser, secret: Option<SecretState>) -> Look {
        Look { standing: Standing::Console(user), secret, is_untagged: false, is_served: false }
    }

    #[test]
    fn each_decision_follows_from_what_is_known() {
        let plain = || look(user(), None);
        let gone = |standing| Look { standing, ..plain() };
        let changed = |changed| look(ConsoleUser { changed, ..user() }, None);
        let begun = |is_demanded| {
            look(ConsoleUser { is_demanded, is_exempt: true, ..user() }, Some(secret(&[("new", PENDING)])))
        };
        let known = |changed_at| Entry { changed_at: Some(changed_at), ..entry() };
        let strange = Entry { secret_arn: None, ..entry() };
        let skip = Decision::Skip;
        let grace = Grace { demanded_at: HOUR_AGO, due_at: NOW };
        let given = |grace| Entry { grace: Some(grace), ..entry() };
        let later = Grace { due_at: NOW + time::Duration::SECOND, ..grace };
        let demanded = || look(ConsoleUser { is_demanded: true, ..user() }, None);
        let gentle = |changed| look(ConsoleUser { grace_days: 14, changed, ..user() }, None);
        let fortnight = Grace { demanded_at: NOW, due_at: NOW + time::Duration::days(14) };
        let not_ours = Decision::Fail(Failure::NotOurSecret(arn()));
        let served = Look { is_served: true, ..plain() };
        let exempt = look(ConsoleUser { is_exempt: true, ..user() }, None);
        let helpless = look(ConsoleUser { change_password: ChangePassword::Impossible, ..user() }, None);
        let table = [
            ("no user", forced(), entry(), gone(Standing::NoSuchUser), skip(SkipReason::UserNotFound)),
            ("no password", forced(), entry(), gone(Standing::NoConsolePassword), skip(SkipReason::NoConsolePassword)),
            ("exempt", forced(), entry(), exempt, skip(SkipReason::Exempt)),
            ("cannot change it", forced(), entry(), helpless, skip(SkipReason::CannotChangePassword)),
            ("asked for", forced(), entry(), changed(Some(HOUR_AGO)), Decision::Begin),
            ("asked for, age unknown", forced(), entry(), changed(None), Decision::Begin),
            ("asked for, and done", forced(), entry(), served, skip(SkipReason::AlreadyReset)),
            ("stale", Wish::Stale, entry(), plain(), Decision::Begin),
            ("stale once more", Wish::Stale, known(LONG_AGO), plain(), Decision::Begin),
            ("fresh", Wish::Stale, entry(), changed(Some(HOUR_AGO)), skip(SkipReason::PasswordFresh)),
            ("the report is behind", Wish::Stale, known(HOUR_AGO), plain(), skip(SkipReason::AlreadyReset)),
            ("age unknown", Wish::Stale, entry(), changed(None), Decision::Fail(Failure::UnknownAge)),
            ("reset, not in the report", Wish::Stale, known(HOUR_AGO), changed(None), skip(SkipReason::AlreadyReset)),
            ("time is given first", Wish::Stale, entry(), gentle(Some(LONG_AGO)), Decision::Require(fortnight)),
            ("a person's wish has none", forced(), entry(), gentle(Some(LONG_AGO)), Decision::Begin),
            ("in grace", Wish::Stale, given(later), demanded(), skip(SkipReason::InGrace(later.due_at))),
            ("grace is over", Wish::Stale, given(grace), demanded(), Decision::Begin),
            ("the demand was met", Wish::Stale, given(later), plain(), Decision::Met(later)),
            ("the demand was met before", forced(), given(grace), plain(), Decision::Met(grace)),
            (
                "grace of an older password",
                Wish::Stale,
                given(Grace { demanded_at: LONG_AGO - time::Duration::DAY, due_at: LONG_AGO }),
                gentle(Some(LONG_AGO)),
                Decision::Require(fortnight),
            ),
            ("nothing begun", Wish::Finish, entry(), plain(), skip(SkipReason::AlreadyReset)),
            ("begun", Wish::Finish, entry(), begun(true), Decision::Finish),
            ("begun, by another wish", Wish::Stale, entry(), begun(true), Decision::Finish),
            ("begun, then chosen", Wish::Finish, entry(), begun(false), Decision::GiveWay),
            ("a stranger's secret", forced(), strange.clone(), look(user(), Some(secret(&[("x", CURRENT)]))), not_ours),
            (
                "known by its marker",
                forced(),
                strange,
                look(user(), Some(secret(&[("marker", CURRENT)]))),
                Decision::Begin,
            ),
        ];
        for (case, wish, entry, look, expected) in table {
            assert_eq!(decide(&wish, &entry, &look), expected, "{case}");
        }
    }

    /// Runs the machine with calls that all go well, but for those that `other`
    /// answers otherwise. Gives the names of the calls, those of one step
    /// together.
    fn run(wish: Wish, look: &Look, mut other: impl FnMut(&Call) -> Option<Outcome>) -> (Vec<String>, Ending) {
        let request = wish.request().cloned();
        let mut machine = Machine::new(wish);
        let mut steps = Vec::new();
        loop {
            let calls = match machine.next(LEASE) {
                Step::Make(calls) => calls,
                Step::Pause(duration) => {
                    steps.push(format!("{duration:?}"));
                    continue;
                }
                Step::End(ending) => return (steps, ending),
            };
            let name = |call: &Call| {
                let text = format!("{call:?}");
                text[..text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len())].to_owned()
            };
            steps.push(calls.iter().map(name).collect::<Vec<_>>().join(" + "));
            for call in &calls {
                let outcome = other(call).unwrap_or_else(|| match call {
                    Call::TakeLease(_) => Outcome::Leased(Entry { request: request.clone(), ..entry() }),
                    Call::Look => Outcome::Seen(Box::new(look.clone())),
                    Call::Create(marker) => Outcome::Created(SecretState::created(arn(), &BTreeMap::new(), marker)),
                    Call::Choose { after, .. } => Outcome::Chosen(after.iter().cloned().chain([id("newer")]).collect()),
                    Call::Store(_) => Outcome::Stored([PENDING.to_owned()].into()),
                    _ => Outcome::Done,
                });
                machine.learn(call, outcome);
            }
        }
    }

    #[test]
    fn a_first_reset_demands_stores_sets_promotes_announces_and_closes() {
        let (steps, ending) = run(forced(), &look(user(), None), |_| None);
        let expected = [
            "TakeLease",
            "Look",
            "Demand + Create",
            "Store",
            "Apply",
            "Promote",
            "Announce + Serve + DropLabel",
            "Close",
        ];
        assert_eq!(steps, expected);
        assert_eq!(ending, Ending::Reset(arn()));
    }

    #[test]
    fn a_later_reset_uses_the_secret_that_is_there() {
        let look = Look { is_untagged: true, ..look(user(), Some(secret(&[("old", CURRENT)]))) };
        let (steps, _) = run(Wish::Stale, &look, |_| None);
        assert_eq!(steps[2..], ["Demand + Tag", "Store", "Apply", "Promote", "Announce + DropLabel", "Close"]);
    }

    #[test]
    fn the_grant_comes_before_the_demand() {
        let user = ConsoleUser { change_password: ChangePassword::AfterGrant, ..user() };
        let (steps, _) = run(forced(), &look(user, None), |_| None);
        assert_eq!(steps[2..4], ["Grant", "Demand + Create"]);
    }

    #[test]
    fn a_grace_period_is_demanded_told_and_closed_and_needs_no_secret() {
        let user = ConsoleUser { grace_days: 14, change_password: ChangePassword::AfterGrant, ..user() };
        let (steps, ending) = run(Wish::Stale, &look(user, None), |_| None);
        assert_eq!(steps[2..], ["Grant", "Demand", "TellOfGrace", "Close"]);
        assert_eq!(ending, Ending::ChangeRequired(NOW + time::Duration::days(14), None));
    }

    #[test]
    fn a_secret_is_restored_before_anything_else_is_done_with_it() {
        let look = Look { is_untagged: true, ..look(user(), Some(secret(&[("old", PENDING)]))) };
        let deleted = look.secret.clone().map(|secret| SecretState { deleted: true, ..secret });
        let (steps, _) = run(Wish::Stale, &Look { secret: deleted, ..look }, |_| None);
        assert_eq!(steps[2..5], ["Demand + Restore", "Tag + KeepInSight", "Store"]);
    }

    #[test]
    fn an_attempt_of_another_request_that_was_never_stored_gets_a_version_of_its_own() {
        let leased = |call: &Call| matches!(call, Call::TakeLease(_)).then(|| Outcome::Leased(entry()));
        let (steps, _) = run(forced(), &look(user(), None), leased);
        assert_eq!(steps[2..4], ["Demand + Create + Choose", "Store"]);
    }

    /// The look at a user whose attempt was stored and demanded.
    fn stored() -> Look {
        look(ConsoleUser { is_demanded: true, ..user() }, Some(secret(&[("old", CURRENT), ("new", PENDING)])))
    }

    #[test]
    fn recovery_reads_the_stored_password_back_and_sets_it_again() {
        let (steps, ending) = run(Wish::Finish, &stored(), |_| None);
        assert_eq!(steps[2..], ["ReadBack", "Apply", "Promote", "Announce + DropLabel", "Close"]);
        assert_eq!(ending, Ending::Reset(arn()));
    }

    #[test]
    fn a_refused_password_stays_in_sight_while_another_one_takes_its_place() {
        let refused = |call: &Call| (*call == Call::Apply(id("new"))).then_some(Outcome::Refused);
        let (steps, ending) = run(Wish::Finish, &stored(), refused);
        let expected = ["ReadBack", "Apply", "ReadPolicy + KeepInSight + Choose", "Store", "Apply", "Promote"];
        assert_eq!(steps[2..8], expected);
        assert_eq!(steps[8..], ["Announce + DropLabel + DropLabel", "Close"]);
        assert_eq!(ending, Ending::Reset(arn()));
    }

    #[test]
    fn passwords_that_are_refused_again_and_again_end_the_run() {
        let refused = |call: &Call| matches!(call, Call::Apply(_)).then_some(Outcome::Refused);
        let (steps, ending) = run(Wish::Finish, &stored(), refused);
        assert_eq!(steps.iter().filter(|step| *step == "Apply").count(), MOST_REFUSALS + 1);
        assert_eq!(steps.last().unwrap(), "GiveBack");
        assert_eq!(ending, Ending::Failed(Failure::Refused, Some(arn())));
    }

    #[test]
    fn nobody_gives_way_before_iam_shows_all_that_it_was_told() {
        let chosen = look(user(), stored().secret);
        let mut looks = [stored(), chosen.clone()].into_iter();
        let late = |call: &Call| (*call == Call::Look).then(|| Outcome::Seen(Box::new(looks.next_back().unwrap())));
        let (steps, _) = run(Wish::Finish, &chosen, late);
        assert_eq!(steps[1..5], ["Look", "10s", "Look", "ReadBack"]);
    }

    #[test]
    fn a_run_whose_lease_is_too_short_takes_it_anew_and_looks_anew_at_most_three_times() {
        let mut machine = Machine::new(forced());
        for _ in 0..MOST_LEASES {
            assert!(
                matches!(&machine.next(Duration::ZERO), Step::Make(calls) if calls == &[Call::TakeLease(forced().request().cloned())])
            );
            machine.learn(&Call::TakeLease(forced().request().cloned()), Outcome::Leased(entry()));
            assert_eq!(machine.next(Duration::ZERO), Step::Make(vec![Call::Look]));
            machine.learn(&Call::Look, Outcome::Seen(Box::new(look(user(), None))));
        }
        let give_back = Call::GiveBack { secret_arn: None };
        assert_eq!(machine.next(Duration::ZERO), Step::Make(vec![give_back.clone()]));
        machine.learn(&give_back, Outcome::Done);
        assert_eq!(machine.next(Duration::ZERO), Step::End(Ending::Failed(Failure::LeaseTooShort, None)));
    }

    #[test]
    fn a_run_waits_some_seconds_for_the_lease_of_another_one() {
        let taken = |call: &Call| matches!(call, Call::TakeLease(_)).then_some(Outcome::TakenByOther);
        let (steps, ending) = run(forced(), &look(user(), None), taken);
        assert_eq!(steps.iter().filter(|step| *step == "TakeLease").count(), PATIENCE.len() + 1);
        assert_eq!(ending, Ending::Failed(Failure::Busy, None));
    }
}
