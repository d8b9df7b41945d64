//! The reset protocol: store, apply, confirm, announce.
//!
//! The old password cannot be had back, so recovery only ever goes forward.
//! The state lives in the labels of the secret's versions ([`crate::secret`])
//! and in IAM; a run keeps nothing that a later run needs. [`next`] looks at
//! that state and says what comes next; [`Reset::run`] does it, one call to AWS
//! at a time, until there is nothing left to do.
//!
//! | step | labels after it | the working password after a crash here | how a later run goes on |
//! | --- | --- | --- | --- |
//! | [`Create`](Step::Create) | none | the one the user knows | creates nothing twice, goes on |
//! | [`Store`](Step::Store) | `AWSPENDING`, `unannounced` | the one the user knows | finds the version, applies it |
//! | [`Apply`](Step::Apply) | the same | the pending version | applies the same password again |
//! | [`Promote`](Step::Promote) | + `AWSCURRENT` | the pending version | applies it again |
//! | [`Announce`](Step::Announce) | − `AWSPENDING` | the current version | sends the message again |
//! | [`finish`] | − `unannounced` | the current version | sees that all is done |
//!
//! Three facts carry the proof that nobody is locked out:
//!
//! * **Labelled before applied.** A password is set only after the version
//!   that holds it stands under a label that no other version can take over
//!   (`unannounced-…`), and keeps it until it is `AWSCURRENT` and announced, or
//!   until a later version has been applied, promoted and announced.
//! * **One version for one replacement.** The version's id is derived from the user
//!   and from the date of the password it replaces, whatever the reason. Copies that race
//!   collide in `PutSecretValue`; the loser reads and uses the winner's
//!   password. So all of them apply the same password.
//! * **A demand for a change tells whose password is in force.** This program
//!   never sets a password without `PasswordResetRequired`. While that is false,
//!   the password in force was chosen by someone else, and is known to them.
//!
//! IAM may refuse to set a password again that it has already taken
//! (`PasswordReusePrevention`). A refused password that satisfies the policy,
//! while a change is demanded, therefore has been applied already; any other
//! refused password is given up, and the next attempt's version takes its place.

use std::collections::BTreeSet;
use std::time::Duration as StdDuration;

use time::{Duration, OffsetDateTime};
use tokio::time::sleep;

use crate::account::password_policy::EffectivePolicy;
use crate::aws::{Account, CallError, Created, LabelMoved, PasswordSet, ReadBack, Stored};
use crate::identity::{UserId, UserName};
use crate::notification::SecretArn;
use crate::password::{GenerationRules, NoRandomness, Password};
use crate::secret::{self, CURRENT, PENDING, PREVIOUS, SecretName, SecretState, Token};

/// A secret changed within this time may have a run at work on it.
const AT_WORK: Duration = Duration::seconds(10);
/// How often and how long a run waits for another one that is at work.
const PATIENCE: [StdDuration; 5] = [
    StdDuration::from_millis(200),
    StdDuration::from_millis(300),
    StdDuration::from_millis(500),
    StdDuration::from_secs(1),
    StdDuration::from_secs(1),
];
/// No run lives longer than this: Lambda's limit.
const LONGEST_RUN: Duration = Duration::minutes(15);
/// A credential report is at most this old, so a newer one shows a reset.
const REPORT_LAG: Duration = Duration::hours(4);
/// What IAM answers may lag behind what it was told for this long: a change
/// that is not yet demanded may have been demanded.
const SETTLING: Duration = Duration::minutes(1);
/// Lambda delivers an event again for up to six hours.
const REDELIVERED: Duration = Duration::hours(6);
/// EventBridge delivers a request again for up to a day.
const SAME_REQUEST: Duration = Duration::days(1);
/// How many passwords may be refused for one replacement before a person has
/// to look.
const MOST_ATTEMPTS: u32 = 16;
/// How many steps a run may take; an undisturbed one takes five.
const MOST_STEPS: usize = 40;

/// What is known before a step: what AWS showed, and what this run has done.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Observed {
    /// The user's id.
    pub user_id: UserId,
    /// When the password in force was set, as far as the credential report
    /// knows; it may be four hours behind.
    pub changed: OffsetDateTime,
    /// When the credential report was made.
    pub reported: OffsetDateTime,
    /// Whether that password is too old.
    pub stale: bool,
    /// Whether a person asked for the reset, whatever the password's age.
    pub force: bool,
    /// When that person asked, as the event says in each of its deliveries.
    pub requested: Option<OffsetDateTime>,
    /// Whether the login profile demands a change at the next sign-in.
    pub reset_required: bool,
    /// The user's secret, if there is one.
    pub secret: Option<SecretState>,
    /// What the time was when all this was read.
    pub now: OffsetDateTime,
    /// The version that this run stored or has waited for long enough.
    pub claimed: Option<Token>,
    /// The version whose password is known to have been applied.
    pub applied: Option<Token>,
    /// Whether a run with another password got in between. Which of the two was
    /// applied last cannot be told: a new one has to settle it.
    pub contested: bool,
    /// Whether this run took the secret out of its scheduled deletion.
    pub restored: bool,
    /// Versions that cannot be used: refused by IAM, unreadable, or without
    /// labels though their ids are taken.
    pub given_up: BTreeSet<Token>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Create the secret.
    Create,
    /// Take the secret out of its scheduled deletion.
    Restore,
    /// Generate a password and store it as this version, pending.
    Store(Token),
    /// Another run is at work on this version: see whether it finishes.
    Wait(Token),
    /// Make this version's password the user's.
    Apply(Token),
    /// Make this version the current one.
    Promote(Token),
    /// Confirm this version, and tell the user.
    Announce(Token),
    /// Nothing is left to do.
    Done(Verdict),
    /// Every attempt was refused.
    GiveUp,
}

/// Why nothing is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password is not too old, and nobody insisted.
    Fresh,
    /// The password in force is the one in the secret, or was when it was set.
    AlreadyReset,
    /// The user cannot sign in to the console any more.
    NoConsolePassword,
}

/// Decides the next step. The same observation always gives the same step.
#[must_use]
pub fn next(observed: &Observed) -> Step {
    let Some(secret) = &observed.secret else {
        return if observed.is_demanded() { Step::Create } else { Step::Done(Verdict::Fresh) };
    };
    let step = next_in(observed, secret);
    let is_needed = match step {
        Step::Done(Verdict::AlreadyReset) => observed.reset_required,
        Step::Done(_) | Step::GiveUp => false,
        _ => true,
    };
    if secret.deleted && is_needed { Step::Restore } else { step }
}

fn next_in(observed: &Observed, secret: &SecretState) -> Step {
    let current = secret.our_holder(CURRENT);

    if let Some(version) = &observed.applied {
        return if current.as_ref() != Some(version) {
            Step::Promote(version.clone())
        } else if secret.has(version, PENDING) || secret.is_unannounced(version) {
            Step::Announce(version.clone())
        } else {
            // A copy has brought it to its end meanwhile.
            Step::Done(Verdict::AlreadyReset)
        };
    }

    // Was our latest password applied? If a change is demanded, and nobody
    // set a password after we last touched the secret, it may have been.
    let in_doubt =
        observed.reset_required && secret.last_changed.is_none_or(|touched| observed.changed <= touched + LONGEST_RUN);
    let newest = observed.newest_attempt(secret);
    let is_newest = |version: &Token| newest.as_ref().is_some_and(|(_, newest)| newest == version);
    // The first version of a secret is the current one from the start; a later
    // one becomes it only after its password was applied.
    let is_later = secret.holder(PREVIOUS).is_some();
    let was_applied = |version: &Token| secret.has(version, CURRENT) && (is_later || !secret.has(version, PENDING));

    let pending = secret.our_holder(PENDING).filter(|version| !observed.given_up.contains(version));
    if observed.contested {
        return match pending.filter(|version| observed.claimed.as_ref() == Some(version)) {
            Some(version) => Step::Apply(version),
            None => observed.store(newest),
        };
    }
    if let Some(version) = pending {
        if observed.others_may_be_at_work(secret, &version) {
            return Step::Wait(version);
        }
        let user_signed_in = was_applied(&version) && !observed.reset_required;
        if in_doubt || (observed.is_demanded() && is_newest(&version) && !user_signed_in) {
            return Step::Apply(version);
        }
    }

    if let Some(version) = current.filter(was_applied) {
        if secret.is_unannounced(&version) && in_doubt {
            return if observed.others_may_be_at_work(secret, &version) {
                Step::Wait(version)
            } else {
                Step::Announce(version)
            };
        }
        if observed.is_done_by(secret, is_newest(&version), in_doubt) {
            return Step::Done(Verdict::AlreadyReset);
        }
    }

    if !observed.is_demanded() {
        return Step::Done(Verdict::Fresh);
    }
    observed.store(newest)
}

impl Observed {
    /// The attempt after the newest, under an id that is still free.
    fn store(&self, newest: Option<(u32, Token)>) -> Step {
        let first = newest.map_or(0, |(attempt, _)| attempt + 1);
        let mut free = (first..MOST_ATTEMPTS).map(|attempt| self.token(attempt));
        free.find(|token| !self.given_up.contains(token)).map_or(Step::GiveUp, Step::Store)
    }

    fn is_demanded(&self) -> bool {
        self.stale || self.force
    }

    /// Whether the reset that is asked for has been done already: its password
    /// is the current version, and was applied. `is_newest` tells whether that
    /// version was made to replace the very same password.
    fn is_done_by(&self, secret: &SecretState, is_newest: bool, in_doubt: bool) -> bool {
        // Restoring the secret touched it, too, and means nothing here.
        let touched =
            |within: Duration| !self.restored && secret.last_changed.is_some_and(|touched| self.now - touched < within);
        // A reset that was finished after the person asked is what they asked for.
        let is_served = |asked: OffsetDateTime| {
            !self.restored
                && self.now - asked < SAME_REQUEST
                && secret.last_changed.is_some_and(|touched| touched >= asked)
        };
        if self.requested.is_some_and(is_served) {
            return true;
        }
        match (is_newest, self.force) {
            // Whoever asks again, after the user has signed in, means it.
            (true, true) => self.reset_required || touched(SETTLING),
            // We replaced that very password, and the report lags behind.
            (true, false) => secret.last_changed.is_none_or(|touched| self.reported <= touched + REPORT_LAG),
            // The report shows our own reset, and the user has not signed in.
            (false, _) if !self.stale => (in_doubt && self.now - self.changed < REDELIVERED) || touched(SETTLING),
            (false, _) => false,
        }
    }

    fn token(&self, attempt: u32) -> Token {
        Token::derive(&self.user_id, self.changed, attempt)
    }

    /// The latest labelled version that was made to replace the password that
    /// is, as far as we know, in force.
    fn newest_attempt(&self, secret: &SecretState) -> Option<(u32, Token)> {
        (0..MOST_ATTEMPTS).map(|attempt| (attempt, self.token(attempt))).rfind(|(_, token)| secret.is_labelled(token))
    }

    fn others_may_be_at_work(&self, secret: &SecretState, version: &Token) -> bool {
        let recent = secret.last_changed.is_some_and(|touched| (self.now - touched).abs() < AT_WORK);
        recent && self.claimed.as_ref() != Some(version)
    }
}

/// A user's reset: who it is about, and by which rules.
#[derive(Debug)]
pub struct Reset<'a> {
    /// The account that the user is in.
    pub account: &'a Account,
    /// The user's name as IAM writes it.
    pub user: &'a UserName,
    /// The name of the user's secret.
    pub secret_name: &'a SecretName,
    /// Where the user signs in; stored with the password.
    pub sign_in_url: &'a str,
    /// The key that encrypts the secret; none for the one that AWS manages.
    pub kms_key_id: Option<&'a str>,
    /// The least length of a generated password.
    pub password_length: u8,
    /// Whether the user must first be allowed to change their password.
    pub grant: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The password was reset and announced; [`finish`] is left to do.
    Announced(Finish),
    /// Nothing was to be done.
    Nothing {
        /// Why.
        verdict: Verdict,
        /// The secret that holds the user's password, if there is one.
        secret_arn: Option<SecretArn>,
    },
}

/// What is left to do when the user has been told: to note that down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// The secret's ARN.
    pub secret_arn: SecretArn,
    versions: Vec<Token>,
}

/// Why a reset did not come to its end. What was done stays done, and the next
/// run goes on from there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResetError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The system gave no random numbers.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// IAM refused every password.
    #[error(
        "IAM refused {MOST_ATTEMPTS} passwords that satisfy the account's policy; \
         the password is unchanged: look at the account's password policy, then run the reset again"
    )]
    Refused,
    /// Other runs kept changing the secret.
    #[error("the secret kept changing while it was worked on; the next run goes on from where it is")]
    Unsettled,
}

impl ResetError {
    /// Whether the same may succeed later, with nothing else changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Call(error) => error.retryable,
            Self::NoRandomness(_) | Self::Unsettled => true,
            Self::Refused => false,
        }
    }
}

/// Notes down that the user has been told: the reset is over.
///
/// # Errors
///
/// A call that failed; a later run would tell the user again.
pub async fn finish(account: &Account, secret_name: &SecretName, finish: &Finish) -> Result<(), CallError> {
    // The announced version comes last: while it has its label, a later run
    // looks after what is left of the others.
    for version in &finish.versions {
        account.secrets.drop_label(secret_name, &version.unannounced(), version).await?;
    }
    Ok(())
}

/// What this run keeps between its steps.
struct Run {
    observed: Observed,
    policy: EffectivePolicy,
    held: Option<(Token, Password)>,
    /// The versions that this run made: nobody can have applied them before.
    made: BTreeSet<Token>,
    grant: bool,
}

impl Reset<'_> {
    /// Takes every step up to the message, which `announce` sends.
    ///
    /// `announce` is given the secret's ARN. It is called once in a run, and
    /// only when the secret's current version is the user's password.
    ///
    /// # Errors
    ///
    /// See [`ResetError`]. The working password then is the one the user knows,
    /// or one that stands labelled in the secret.
    pub async fn run<A>(&self, observed: Observed, policy: EffectivePolicy, announce: A) -> Result<Outcome, ResetError>
    where
        A: AsyncFnOnce(&SecretArn) -> Result<(), CallError>,
    {
        let mut run = Run { observed, policy, held: None, made: BTreeSet::new(), grant: self.grant };
        for _ in 0..MOST_STEPS {
            let step = next(&run.observed);
            tracing::debug!(?step, "next step of the reset");
            self.grant_for(&mut run, &step).await?;
            match step {
                Step::Create => self.create(&mut run).await?,
                Step::Restore => {
                    self.account.secrets.restore(self.secret_name).await?;
                    run.observed.restored = true;
                    self.look_again(&mut run).await?;
                }
                Step::Store(token) => self.store(&mut run, token).await?,
                Step::Wait(version) => self.wait(&mut run, version).await?,
                Step::Apply(version) => {
                    if let Some(verdict) = self.apply(&mut run, version).await? {
                        return Ok(Outcome::Nothing { verdict, secret_arn: run.secret_arn() });
                    }
                }
                Step::Promote(version) => self.promote(&mut run, &version).await?,
                Step::Announce(version) => {
                    let Some(arn) = run.secret_arn() else { continue };
                    let confirm = self.confirm(&run, &version);
                    let (confirmed, announced) = tokio::join!(confirm, announce(&arn));
                    announced?;
                    confirmed?;
                    // Those that this run gave up are superseded. Of others it
                    // is not known: another run may be about to apply one.
                    let mut versions = run.unannounced();
                    versions.retain(|other| *other != version && run.observed.given_up.contains(other));
                    versions.push(version);
                    return Ok(Outcome::Announced(Finish { secret_arn: arn, versions }));
                }
                Step::Done(verdict) => {
                    return Ok(Outcome::Nothing { verdict, secret_arn: run.secret_arn() });
                }
                Step::GiveUp => return Err(ResetError::Refused),
            }
        }
        Err(ResetError::Unsettled)
    }

    /// Before the first change to the user's password, sees to it that they
    /// will be able to choose the next one.
    async fn grant_for(&self, run: &mut Run, step: &Step) -> Result<(), ResetError> {
        if run.grant && matches!(step, Step::Apply(_)) {
            self.account.iam.grant_change_password(self.user).await?;
            run.grant = false;
        }
        Ok(())
    }

    async fn create(&self, run: &mut Run) -> Result<(), ResetError> {
        let tags = secret::tags(&self.account.id, self.user);
        let create = self.account.secrets.create(self.secret_name, &tags, self.kms_key_id);
        match self.alongside_grant(run, create).await? {
            Created::New(arn) => run.observed.secret = Some(SecretState::empty(arn, &tags)),
            Created::Exists => self.look_again(run).await?,
        }
        Ok(())
    }

    async fn store(&self, run: &mut Run, token: Token) -> Result<(), ResetError> {
        let Some(state) = &run.observed.secret else { return Ok(()) };
        let missing = state.missing_tags(&secret::tags(&self.account.id, self.user));
        if !missing.is_empty() {
            self.account.secrets.tag(self.secret_name, &missing).await?;
        }
        let password = Password::generate(&GenerationRules::new(self.password_length, &run.policy))?;
        let document = secret::document(self.user, &password, &self.account.id, self.sign_in_url);
        let own_label = token.unannounced();
        let labels = [PENDING, own_label.as_str()];
        let store = self.account.secrets.store(self.secret_name, &token, &labels, &document);
        match self.alongside_grant(run, store).await? {
            // The first version of a secret becomes the current one as well.
            Stored::New { labels } => {
                if let Some(state) = &mut run.observed.secret {
                    for label in labels {
                        state.put_label(&token, &label);
                    }
                }
                run.observed.claimed = Some(token.clone());
                run.made.insert(token.clone());
                run.held = Some((token, password));
            }
            Stored::Taken => {
                self.look_again(run).await?;
                // Versions without labels are on their way out.
                if !run.observed.secret.as_ref().is_some_and(|state| state.is_labelled(&token)) {
                    run.observed.given_up.insert(token);
                }
            }
        }
        Ok(())
    }

    /// Runs a first change to the secret, and the grant beside it.
    async fn alongside_grant<T>(
        &self,
        run: &mut Run,
        change: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        if !run.grant {
            return change.await;
        }
        let (changed, granted) = tokio::join!(change, self.account.iam.grant_change_password(self.user));
        granted?;
        run.grant = false;
        changed
    }

    /// Gives a run that is at work the time to finish, then looks at all anew.
    async fn wait(&self, run: &mut Run, version: Token) -> Result<(), ResetError> {
        for pause in PATIENCE {
            sleep(pause).await;
            self.look_again(run).await?;
            let unfinished = run
                .observed
                .secret
                .as_ref()
                .is_some_and(|state| state.has(&version, PENDING) || state.is_unannounced(&version));
            if !unfinished {
                break;
            }
        }
        run.observed.claimed = Some(version);
        Ok(())
    }

    /// Makes the version's password the user's. A verdict ends the run.
    async fn apply(&self, run: &mut Run, version: Token) -> Result<Option<Verdict>, ResetError> {
        let password = match run.held.take() {
            Some((held, password)) if held == version => password,
            _ => match self.read_back(&version).await? {
                ReadBack::Password(password) => password,
                ReadBack::Moved => {
                    self.look_again(run).await?;
                    return Ok(None);
                }
                ReadBack::Unusable => {
                    run.observed.given_up.insert(version);
                    return Ok(None);
                }
            },
        };
        match self.account.iam.set_password(self.user, &password).await? {
            PasswordSet::Done => run.observed.applied = Some(version),
            PasswordSet::NoLoginProfile => return Ok(Some(Verdict::NoConsolePassword)),
            PasswordSet::Refused => {
                let iam = &self.account.iam;
                let (policy, profile) = tokio::try_join!(iam.password_policy(), iam.login_profile(self.user))?;
                let Some(profile) = profile else { return Ok(Some(Verdict::NoConsolePassword)) };
                run.policy = policy;
                // What this run made itself was applied by nobody else. Then
                // only a lost answer explains it, and the demand is new.
                let is_ours = run.made.contains(&version);
                let demand_is_new = profile.reset_required && !run.observed.reset_required;
                let was_applied = if is_ours { demand_is_new } else { profile.reset_required };
                let accepted = password.satisfies(&run.policy);
                // "Used before" may also mean: by now replaced by another run's.
                self.look_again(run).await?;
                let others = run.unannounced().into_iter().any(|other| other != version);
                if was_applied && accepted && !others {
                    tracing::info!("IAM refuses the password as used before: it has been applied already");
                    run.observed.applied = Some(version);
                } else {
                    tracing::warn!("IAM refuses the stored password; another one takes its place");
                    run.observed.contested |= others;
                    run.observed.given_up.insert(version);
                }
            }
        }
        Ok(None)
    }

    /// Reads back what another run stored.
    ///
    /// That run may be long gone. Touching the secret first tells later ones
    /// that a password may have been applied now, and not only back then.
    async fn read_back(&self, version: &Token) -> Result<ReadBack, CallError> {
        let tags = secret::tags(&self.account.id, self.user);
        let touch = self.account.secrets.tag(self.secret_name, &tags);
        let read = self.account.secrets.read(self.secret_name, version, PENDING);
        let (touched, read) = tokio::join!(touch, read);
        touched?;
        read
    }

    async fn promote(&self, run: &mut Run, version: &Token) -> Result<(), ResetError> {
        let holder = run.observed.secret.as_ref().and_then(|state| state.holder(CURRENT)).map(str::to_owned);
        let moved = self.account.secrets.move_label(self.secret_name, CURRENT, version, holder.as_deref()).await?;
        if let (LabelMoved::Done, Some(state)) = (moved, &mut run.observed.secret) {
            state.put_label(version, CURRENT);
            return Ok(());
        }
        self.look_again(run).await?;
        let by_a_copy = run.observed.secret.as_ref().is_some_and(|state| state.has(version, CURRENT));
        if !by_a_copy {
            // A run with another password got in between. Whose was applied
            // last cannot be told, so a new one has to settle it.
            run.observed.applied = None;
            run.observed.contested = true;
            run.observed.given_up.insert(version.clone());
        }
        Ok(())
    }

    async fn confirm(&self, run: &Run, version: &Token) -> Result<(), CallError> {
        let pending = run.observed.secret.as_ref().is_some_and(|state| state.has(version, PENDING));
        if pending {
            self.account.secrets.drop_label(self.secret_name, PENDING, version).await?;
        }
        Ok(())
    }

    async fn look_again(&self, run: &mut Run) -> Result<(), CallError> {
        // In this order: a reset that the secret shows to be done is then one
        // that the login profile shows, too.
        run.observed.secret = self.account.secrets.describe(self.secret_name).await?;
        let profile = self.account.iam.login_profile(self.user).await?;
        run.observed.reset_required = profile.is_some_and(|profile| profile.reset_required);
        run.observed.now = OffsetDateTime::now_utc();
        Ok(())
    }
}

impl Run {
    fn secret_arn(&self) -> Option<SecretArn> {
        self.observed.secret.as_ref().map(|state| state.arn.clone())
    }

    fn unannounced(&self) -> Vec<Token> {
        self.observed.secret.as_ref().map(SecretState::unannounced).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    /// A user whose password is 120 days old, by a report that is an hour old;
    /// nothing was ever done about it.
    fn stale() -> Observed {
        Observed {
            user_id: UserId::from_iam("AIDAALICE"),
            changed: NOW - Duration::days(120),
            reported: NOW - Duration::HOUR,
            stale: true,
            force: false,
            requested: None,
            reset_required: false,
            secret: None,
            now: NOW,
            claimed: None,
            applied: None,
            restored: false,
            contested: false,
            given_up: BTreeSet::new(),
        }
    }

    fn token(observed: &Observed, attempt: u32) -> Token {
        observed.token(attempt)
    }

    /// The observation with a secret that was touched so long ago.
    fn with(mut observed: Observed, ago: Duration, versions: &[(&Token, &[&str])]) -> Observed {
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:p/123456789012/alice-AbCdEf".parse().unwrap();
        let mut secret = SecretState::empty(arn, &std::collections::BTreeMap::new());
        secret.last_changed = Some(NOW - ago);
        for (version, labels) in versions {
            for label in *labels {
                let label = if *label == "own" { version.unannounced() } else { (*label).to_owned() };
                secret.put_label(version, &label);
            }
        }
        observed.secret = Some(secret);
        observed
    }

    const LONG: Duration = Duration::hours(1);
    const DONE: Step = Step::Done(Verdict::AlreadyReset);
    const FRESH: Step = Step::Done(Verdict::Fresh);

    #[test]
    fn a_reset_that_nothing_disturbs_takes_its_steps_in_order() {
        let plain = stale();
        let first = token(&plain, 0);
        assert_eq!(next(&plain), Step::Create);
        assert_eq!(next(&with(plain.clone(), Duration::ZERO, &[])), Step::Store(first.clone()));
        let stored = with(plain, Duration::ZERO, &[(&first, &[PENDING, CURRENT, "own"])]);
        let stored = Observed { claimed: Some(first.clone()), ..stored };
        assert_eq!(next(&stored), Step::Apply(first.clone()));
        let applied = Observed { applied: Some(first.clone()), ..stored };
        assert_eq!(next(&applied), Step::Announce(first));
    }

    #[test]
    fn a_later_version_is_promoted_before_it_is_announced() {
        let old = Token::derive(&UserId::from_iam("AIDAALICE"), NOW - Duration::days(300), 0);
        let plain = stale();
        let new = token(&plain, 0);
        let applied = Observed {
            applied: Some(new.clone()),
            ..with(plain, Duration::ZERO, &[(&old, &[CURRENT]), (&new, &[PENDING, "own"])])
        };
        assert_eq!(next(&applied), Step::Promote(new.clone()));
        let promoted = Observed {
            applied: Some(new.clone()),
            ..with(stale(), Duration::ZERO, &[(&old, &[PREVIOUS]), (&new, &[PENDING, CURRENT, "own"])])
        };
        assert_eq!(next(&promoted), Step::Announce(new));
    }

    #[test]
    fn what_a_crash_left_behind_is_taken_up_where_it_is() {
        let first = token(&stale(), 0);
        for (left_behind, labels, reset_required, expected) in [
            ("stored, perhaps applied", &[PENDING, CURRENT, "own"][..], false, Step::Apply(first.clone())),
            ("stored and applied", &[PENDING, CURRENT, "own"][..], true, Step::Apply(first.clone())),
            ("confirmed, perhaps announced", &[CURRENT, "own"][..], true, Step::Announce(first.clone())),
            ("done", &[CURRENT][..], true, DONE),
            ("done, and the user has signed in", &[CURRENT][..], false, DONE),
            ("confirmed, and the user has signed in", &[CURRENT, "own"][..], false, DONE),
        ] {
            let observed = Observed { reset_required, ..with(stale(), LONG, &[(&first, labels)]) };
            assert_eq!(next(&observed), expected, "{left_behind}");
        }
    }

    #[test]
    fn a_reset_in_doubt_is_finished_even_if_the_report_shows_a_fresh_password_by_now() {
        let first = token(&stale(), 0);
        let fresh = |reset_required| Observed {
            changed: NOW - LONG,
            reported: NOW,
            stale: false,
            reset_required,
            ..with(stale(), LONG, &[(&first, &[PENDING, CURRENT, "own"])])
        };
        assert_eq!(next(&fresh(true)), Step::Apply(first.clone()));
        assert_eq!(next(&fresh(false)), FRESH, "somebody chose the password in force");
    }

    #[test]
    fn a_version_that_was_never_finished_does_not_override_a_later_password() {
        let first = token(&stale(), 0);
        let by_an_administrator = Observed {
            changed: NOW - LONG,
            stale: false,
            reset_required: true,
            ..with(stale(), Duration::days(60), &[(&first, &[PENDING, CURRENT, "own"])])
        };
        assert_eq!(next(&by_an_administrator), FRESH);
    }

    #[test]
    fn a_run_that_may_be_at_work_is_waited_for_once() {
        let first = token(&stale(), 0);
        let just_now = with(stale(), Duration::seconds(2), &[(&first, &[PENDING, CURRENT, "own"])]);
        assert_eq!(next(&just_now), Step::Wait(first.clone()));
        let waited = Observed { claimed: Some(first.clone()), ..just_now };
        assert_eq!(next(&waited), Step::Apply(first));
    }

    #[test]
    fn a_fresh_password_is_left_alone_unless_someone_insists() {
        let fresh = Observed { stale: false, changed: NOW - Duration::days(5), ..stale() };
        assert_eq!(next(&fresh), FRESH);
        assert_eq!(next(&Observed { force: true, ..fresh }), Step::Create);
    }

    #[test]
    fn a_second_press_of_the_button_resets_again_only_once_the_user_has_signed_in() {
        let first = token(&stale(), 0);
        let second = token(&stale(), 1);
        let pressed = |ago, reset_required| Observed {
            force: true,
            reset_required,
            ..with(stale(), ago, &[(&first, &[CURRENT])])
        };
        assert_eq!(next(&pressed(LONG, true)), DONE);
        assert_eq!(next(&pressed(LONG, false)), Step::Store(second));
        assert_eq!(next(&pressed(Duration::seconds(5), false)), DONE, "IAM may lag behind");
    }

    #[test]
    fn a_request_that_was_served_is_not_carried_out_again() {
        let first = token(&stale(), 0);
        let asked = |ago| Observed { force: true, requested: Some(NOW - ago), ..stale() };
        for (ago, touched, expected) in [
            (Duration::hours(2), LONG, DONE),
            (Duration::minutes(5), LONG, Step::Store(token(&stale(), 1))),
            (Duration::days(3), LONG, Step::Store(token(&stale(), 1))),
        ] {
            assert_eq!(next(&with(asked(ago), touched, &[(&first, &[CURRENT])])), expected, "asked {ago} ago");
        }
    }

    #[test]
    fn two_runs_that_crossed_are_settled_by_a_new_password() {
        let plain = stale();
        let (first, second, third) = (token(&plain, 0), token(&plain, 1), token(&plain, 2));
        let labels: &[(&Token, &[&str])] = &[(&first, &[CURRENT]), (&second, &[PENDING, "own"])];
        let contested = Observed {
            contested: true,
            given_up: BTreeSet::from([second.clone()]),
            ..with(plain, Duration::ZERO, labels)
        };
        assert_eq!(next(&contested), Step::Store(third.clone()));
        let labels: &[(&Token, &[&str])] = &[(&first, &[CURRENT]), (&second, &["own"]), (&third, &[PENDING, "own"])];
        let stored = Observed {
            contested: true,
            claimed: Some(third.clone()),
            given_up: BTreeSet::from([second.clone()]),
            ..with(stale(), Duration::ZERO, labels)
        };
        assert_eq!(next(&stored), Step::Apply(third));
    }

    #[test]
    fn a_user_who_signed_in_before_the_reset_was_confirmed_keeps_their_password() {
        let old = Token::derive(&UserId::from_iam("AIDAALICE"), NOW - Duration::days(300), 0);
        let plain = stale();
        let new = token(&plain, 0);
        let unconfirmed = with(plain, LONG, &[(&old, &[PREVIOUS]), (&new, &[PENDING, CURRENT, "own"])]);
        assert_eq!(next(&unconfirmed), DONE);
        assert_eq!(next(&Observed { reset_required: true, ..unconfirmed }), Step::Apply(new));
    }

    #[test]
    fn what_a_copy_brought_to_its_end_is_not_announced_again() {
        let plain = stale();
        let first = token(&plain, 0);
        let applied = Observed { applied: Some(first.clone()), ..with(plain, Duration::ZERO, &[(&first, &[CURRENT])]) };
        assert_eq!(next(&applied), DONE);
    }

    #[test]
    fn a_password_that_was_refused_gives_way_to_the_next_attempt() {
        let plain = stale();
        let (first, second) = (token(&plain, 0), token(&plain, 1));
        let refused = Observed {
            given_up: BTreeSet::from([first.clone()]),
            ..with(plain, Duration::ZERO, &[(&first, &[PENDING, CURRENT, "own"])])
        };
        assert_eq!(next(&refused), Step::Store(second));
        let all = (0..MOST_ATTEMPTS).map(|attempt| token(&stale(), attempt)).collect();
        assert_eq!(next(&Observed { given_up: all, ..with(stale(), LONG, &[]) }), Step::GiveUp);
    }

    #[test]
    fn a_reset_that_a_later_report_does_not_show_is_done_again() {
        let (first, second) = (token(&stale(), 0), token(&stale(), 1));
        let done = with(stale(), Duration::hours(6), &[(&first, &[CURRENT])]);
        assert_eq!(next(&Observed { reported: NOW - Duration::hours(3), ..done.clone() }), DONE);
        assert_eq!(next(&Observed { reported: NOW - Duration::HOUR, ..done }), Step::Store(second));
    }

    #[test]
    fn a_password_nobody_has_used_in_all_the_days_it_may_be_old_is_reset_again() {
        let old = Token::derive(&UserId::from_iam("AIDAALICE"), NOW - Duration::days(300), 0);
        let plain = Observed { reset_required: true, ..stale() };
        let new = token(&plain, 0);
        assert_eq!(next(&with(plain, Duration::days(120), &[(&old, &[CURRENT])])), Step::Store(new));
    }

    #[test]
    fn a_secret_in_deletion_is_restored_before_it_is_used_and_not_otherwise() {
        let first = token(&stale(), 0);
        let deleted = |observed: Observed| {
            let mut observed = with(observed, LONG, &[(&first, &[CURRENT])]);
            if let Some(secret) = &mut observed.secret {
                secret.deleted = true;
            }
            observed
        };
        assert_eq!(next(&deleted(Observed { changed: NOW - Duration::days(100), ..stale() })), Step::Restore);
        assert_eq!(next(&deleted(Observed { reset_required: true, ..stale() })), Step::Restore);
        assert_eq!(next(&deleted(stale())), DONE, "the user has signed in: the secret was tidied away");
        let fresh = Observed { changed: NOW - Duration::days(5), stale: false, ..stale() };
        assert_eq!(next(&deleted(fresh)), FRESH);
    }
}
