//! Makes the calls that a [`Machine`] asks for, until it has come to an end.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};

use super::Failure;
use super::machine::{CALL, Call, Changed, Ending, Look, Machine, Outcome, Step, Wish};
use crate::account::password_policy::EffectivePolicy;
use crate::aws::{
    Account, CallError, Choice, Created, LabelMoved, Lease, Leased, Ledger, PasswordSet, ReadBack, Stored, Written,
};
use crate::identity::UserName;
use crate::ledger::{Grace, LEASE, LeaseHolder, UserKey};
use crate::password::{GenerationRules, Password};
use crate::secret::{self, CURRENT, PENDING, SecretArn, SecretName, SecretState, VersionId};

/// How long a request is remembered. No message stays in a queue, and no event
/// on its way, for longer.
const REMEMBERED: time::Duration = time::Duration::days(15);

/// One user's reset: who it is about, and by which rules.
#[derive(Debug)]
pub(crate) struct Reset<'a> {
    /// The account that the user is in.
    pub account: &'a Account,
    /// The ledger.
    pub ledger: &'a Ledger,
    /// The user's item in the ledger.
    pub key: &'a UserKey,
    /// Where the user signs in; stored with the password.
    pub sign_in_url: &'a str,
    /// The key that encrypts the secret; none for the one that AWS manages.
    pub kms_key_id: Option<&'a str>,
    /// The least length of a generated password.
    pub password_length: u8,
}

/// What the deciding reads bring.
#[derive(Debug)]
pub(crate) struct Seen {
    /// What the decision is made from.
    pub look: Look,
    /// Whom it is about; none if there is no such user.
    pub subject: Option<Subject>,
}

/// The user as IAM knows them, and what goes with them.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The name as IAM writes it.
    pub user: UserName,
    /// The name of the user's secret.
    pub secret_name: SecretName,
    /// What a password has to satisfy.
    pub policy: EffectivePolicy,
}

/// What a user is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum News<'a> {
    /// The password in this secret is theirs.
    Reset(&'a SecretArn),
    /// They have to change their own password.
    ChangeRequired(Grace),
}

/// What a run keeps between its calls.
struct Run<'a, L, T> {
    reset: &'a Reset<'a>,
    holder: LeaseHolder,
    look: L,
    tell: T,
    lease_until: Instant,
    subject: Option<Subject>,
    secret_arn: Option<SecretArn>,
    password: Option<(VersionId, Password)>,
}

/// What a call leaves to be kept, besides its outcome.
enum Kept {
    Lease(Instant),
    Subject(Option<Subject>, Option<SecretArn>),
    Secret(SecretArn),
    Policy(EffectivePolicy),
    Password(VersionId, Password),
}

impl Reset<'_> {
    /// Takes every step. `look` makes the deciding reads; `tell` tells the user.
    pub(crate) async fn run<L, T>(&self, wish: Wish, look: L, tell: T) -> Ending
    where
        L: AsyncFn() -> Result<Seen, Failure>,
        T: AsyncFn(News<'_>) -> Result<(), CallError>,
    {
        let holder = match LeaseHolder::generate() {
            Ok(holder) => holder,
            Err(error) => return Ending::Failed(error.into(), None),
        };
        let mut run = Run {
            reset: self,
            holder,
            look,
            tell,
            lease_until: Instant::now(),
            subject: None,
            secret_arn: None,
            password: None,
        };
        let mut machine = Machine::new(wish);
        loop {
            let left = run.lease_until.saturating_duration_since(Instant::now());
            let step = machine.next(left);
            tracing::debug!(?step, "next step of the reset");
            match step {
                Step::Make(calls) => {
                    let outcomes = join_all(calls.iter().map(|call| run.make(call))).await;
                    for (call, (outcome, kept)) in calls.iter().zip(outcomes) {
                        run.keep(kept);
                        machine.learn(call, outcome);
                    }
                }
                Step::Pause(duration) => sleep(duration).await,
                Step::End(ending) => return ending,
            }
        }
    }
}

impl<L, T> Run<'_, L, T>
where
    L: AsyncFn() -> Result<Seen, Failure>,
    T: AsyncFn(News<'_>) -> Result<(), CallError>,
{
    async fn make(&self, call: &Call) -> (Outcome, Option<Kept>) {
        let work = self.perform(call);
        let made = if call.needs_lease() {
            timeout(CALL, work).await.unwrap_or(Err(Failure::LeaseTooShort))
        } else {
            work.await
        };
        made.unwrap_or_else(|failure| (Outcome::Failed(failure), None))
    }

    fn keep(&mut self, kept: Option<Kept>) {
        match kept {
            None => {}
            Some(Kept::Lease(until)) => self.lease_until = until,
            Some(Kept::Subject(subject, secret_arn)) => (self.subject, self.secret_arn) = (subject, secret_arn),
            Some(Kept::Secret(arn)) => self.secret_arn = Some(arn),
            Some(Kept::Policy(policy)) => {
                if let Some(subject) = &mut self.subject {
                    subject.policy = policy;
                }
            }
            Some(Kept::Password(version, password)) => self.password = Some((version, password)),
        }
    }

    async fn perform(&self, call: &Call) -> Result<(Outcome, Option<Kept>), Failure> {
        let Reset { account, ledger, key, .. } = self.reset;
        let (iam, secrets) = (&account.iam, &account.secrets);
        let leased = Leased { key, holder: &self.holder };
        let done = |()| Ok((Outcome::Done, None));
        match call {
            Call::TakeLease(request) => {
                let choice = Choice {
                    marker: VersionId::generate()?,
                    version: VersionId::generate()?,
                    request: request.clone(),
                };
                let (begun, now) = (Instant::now(), OffsetDateTime::now_utc());
                match ledger.take_lease(leased, now, now + LEASE, &choice).await? {
                    Lease::Taken(entry) => Ok((Outcome::Leased(*entry), Some(Kept::Lease(begun + LEASE)))),
                    Lease::Refused => Ok((Outcome::TakenByOther, None)),
                }
            }
            Call::Look => {
                let Seen { look, subject } = (self.look)().await?;
                let secret_arn = look.secret.as_ref().map(|secret| secret.arn.clone());
                Ok((Outcome::Seen(Box::new(look)), Some(Kept::Subject(subject, secret_arn))))
            }
            Call::Grant => done(iam.grant_change_password(&self.subject()?.user).await?),
            Call::Demand => {
                let is_there = iam.demand_change(&self.subject()?.user).await?;
                Ok((if is_there { Outcome::Done } else { Outcome::NoLoginProfile }, None))
            }
            Call::Create(marker) => self.create(marker).await,
            Call::Restore => done(secrets.restore(self.secret_arn()?).await?),
            Call::Tag => done(secrets.tag(self.secret_arn()?, &self.tags()?).await?),
            Call::KeepInSight(version) => {
                // A label of its own can only stand there already.
                secrets.move_label(self.secret_arn()?, &version.in_doubt(), version, None).await?;
                done(())
            }
            Call::Choose { after, request, secret_arn } => {
                let mut versions = after.clone();
                versions.push(VersionId::generate()?);
                let written = ledger.choose(leased, &versions, request.as_ref(), secret_arn.as_ref()).await?;
                Ok((if_written(written, Outcome::Chosen(versions)), None))
            }
            Call::ReadPolicy => Ok((Outcome::Done, Some(Kept::Policy(iam.password_policy().await?)))),
            Call::Store(version) => self.store(version).await,
            Call::ReadBack(version) => match secrets.read(self.secret_arn()?, version).await? {
                ReadBack::Password(password) => Ok((Outcome::Done, Some(Kept::Password(version.clone(), password)))),
                ReadBack::Unusable => Ok((Outcome::Unusable, None)),
            },
            Call::Apply(version) => self.apply(version).await,
            Call::Promote { version, from } => {
                match secrets.move_label(self.secret_arn()?, CURRENT, version, from.as_ref()).await? {
                    LabelMoved::Done => done(()),
                    LabelMoved::Conflict => Ok((Outcome::Conflict, None)),
                }
            }
            Call::Describe => Ok((Outcome::Described(secrets.describe(&self.subject()?.secret_name).await?), None)),
            Call::Announce => done((self.tell)(News::Reset(self.secret_arn()?)).await?),
            Call::TellOfGrace(grace) => done((self.tell)(News::ChangeRequired(*grace)).await?),
            Call::Retire => done(secrets.schedule_deletion(self.secret_arn()?).await?),
            Call::DropLabel(version, label) => done(secrets.drop_label(self.secret_arn()?, label, version).await?),
            Call::Serve(request) => done(ledger.serve(key, request, OffsetDateTime::now_utc() + REMEMBERED).await?),
            Call::Forget { set_after, secret_arn } => {
                let written = ledger.forget(leased, *set_after, secret_arn.as_ref()).await?;
                Ok((if_written(written, Outcome::Done), None))
            }
            Call::Close { changed, grace, secret_arn } => {
                let changed_at = changed.map(|changed| match changed {
                    Changed::Now => OffsetDateTime::now_utc(),
                    Changed::After(at) => at,
                });
                let written = ledger.close(leased, changed_at, *grace, secret_arn.as_ref()).await?;
                Ok((if_written(written, Outcome::Done), None))
            }
            Call::GiveBack { secret_arn } => {
                let written = ledger.give_back(leased, secret_arn.as_ref()).await?;
                Ok((if_written(written, Outcome::Done), None))
            }
        }
    }

    async fn create(&self, marker: &VersionId) -> Result<(Outcome, Option<Kept>), Failure> {
        let Subject { user, secret_name, .. } = self.subject()?;
        let Reset { account, sign_in_url, kms_key_id, .. } = self.reset;
        let tags = self.tags()?;
        let document = secret::document(user, None, &account.id, sign_in_url);
        match account.secrets.create(secret_name, &tags, *kms_key_id, marker, &document).await? {
            Created::New(arn) => {
                let secret = SecretState::created(arn.clone(), &tags, marker);
                Ok((Outcome::Created(secret), Some(Kept::Secret(arn))))
            }
            Created::Exists => Ok((Outcome::Exists, None)),
        }
    }

    async fn store(&self, version: &VersionId) -> Result<(Outcome, Option<Kept>), Failure> {
        let Subject { user, policy, .. } = self.subject()?;
        let Reset { account, sign_in_url, password_length, .. } = self.reset;
        let password = Password::generate(GenerationRules::new(*password_length, policy))?;
        let document = secret::document(user, Some(&password), &account.id, sign_in_url);
        match account.secrets.store(self.secret_arn()?, version, PENDING, &document).await? {
            Stored::New(labels) => Ok((Outcome::Stored(labels), Some(Kept::Password(version.clone(), password)))),
            Stored::AlreadyThere => Ok((Outcome::AlreadyThere, None)),
        }
    }

    async fn apply(&self, version: &VersionId) -> Result<(Outcome, Option<Kept>), Failure> {
        let held = self.password.as_ref().filter(|(held, _)| held == version);
        let Some((_, password)) = held else { return Err(Failure::Unsettled) };
        let outcome = match self.reset.account.iam.set_password(&self.subject()?.user, password).await? {
            PasswordSet::Done => Outcome::Done,
            PasswordSet::Refused => {
                tracing::warn!("IAM refuses the password; another one takes its place");
                Outcome::Refused
            }
            PasswordSet::NoLoginProfile => Outcome::NoLoginProfile,
        };
        Ok((outcome, None))
    }

    fn subject(&self) -> Result<&Subject, Failure> {
        self.subject.as_ref().ok_or(Failure::Unsettled)
    }

    fn secret_arn(&self) -> Result<&SecretArn, Failure> {
        self.secret_arn.as_ref().ok_or(Failure::Unsettled)
    }

    fn tags(&self) -> Result<BTreeMap<&'static str, String>, Failure> {
        Ok(secret::tags(&self.reset.account.id, &self.subject()?.user))
    }
}

fn if_written(written: Written, outcome: Outcome) -> Outcome {
    match written {
        Written::Done => outcome,
        Written::LeaseLost => Outcome::Failed(Failure::LostLease),
    }
}
