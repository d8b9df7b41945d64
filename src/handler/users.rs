//! Users, several at a time: look, decide, reset.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, StreamExt};
use tracing::Instrument;

use super::{App, CONCURRENCY, Findings, Invocation};
use crate::account::credential_report::Age;
use crate::answer::{Problem, UserAnswer, UserOutcome, Who};
use crate::assessment::{assess, limit};
use crate::aws::Account;
use crate::event::UserRef;
use crate::identity::UserName;
use crate::ledger::{self, Grace, RequestId, UserKey};
use crate::notification::{Notification, PasswordChangeRequired, PasswordReset};
use crate::reset::{self, Decision, Ending, Look, News, Reset, Seen, SkipReason, Standing, Subject, Wish};
use crate::secret::SecretArn;
use crate::survey::{self, FoundUser};

/// A user to be looked at, and why.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) user: UserRef,
    pub(super) demand: Demand,
    pub(super) is_dry_run: bool,
    /// The findings that name the user, by their place in the event.
    pub(super) findings: Vec<usize>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Demand {
    /// A reset, if it is due.
    Reset {
        /// The request of a person who wants it however fresh the password is.
        forced_by: Option<RequestId>,
        /// The greatest age in days that Security Hub's control allows.
        max_age_days: Option<u16>,
        /// How many of the account may be reset without a person; none where a
        /// person has decided already.
        max_resets: Option<u32>,
    },
    /// The end of what an earlier run began, and nothing new.
    Finish,
}

impl Target {
    pub(super) fn new(user: UserRef, demand: Demand, is_dry_run: bool) -> Self {
        Self { user, demand, is_dry_run, findings: Vec::new() }
    }

    fn wish(&self) -> Wish {
        match &self.demand {
            Demand::Reset { forced_by: Some(request), .. } => Wish::Forced(request.clone()),
            Demand::Reset { forced_by: None, .. } => Wish::Stale,
            Demand::Finish => Wish::Finish,
        }
    }

    fn max_age_days(&self) -> Option<u16> {
        match self.demand {
            Demand::Reset { max_age_days, .. } => max_age_days,
            Demand::Finish => None,
        }
    }

    fn is_forced(&self) -> bool {
        matches!(self.demand, Demand::Reset { forced_by: Some(_), .. })
    }

    /// An answer without what only a look at the user tells.
    pub(super) fn answer(&self, outcome: UserOutcome) -> UserAnswer {
        UserAnswer {
            account_id: self.user.account_id().clone(),
            who: Who::User(self.user.clone()),
            outcome,
            password_age_days: None,
            secret_arn: None,
            findings: self.findings.clone(),
            is_forced: self.is_forced(),
        }
    }

    fn skipped(&self, reason: SkipReason) -> UserAnswer {
        self.answer(UserOutcome::Skipped(reason))
    }

    pub(super) fn failed(&self, problem: impl Into<Problem>) -> UserAnswer {
        self.answer(UserOutcome::Failed(problem.into()))
    }

    /// What a run would come to that knows and sees this.
    fn foresee(&self, entry: &ledger::Entry, seen: &Seen) -> UserAnswer {
        let wish = self.wish();
        let decision = match reset::decide(&wish, entry, &seen.look) {
            // A run would keep that in mind, and look again.
            Decision::GiveWay | Decision::Met(_) => {
                reset::decide(&wish, &entry.superseded(seen.look.secret.as_ref()), &seen.look)
            }
            decision => decision,
        };
        let mut answer = match decision {
            Decision::Skip(reason) => self.skipped(reason),
            // Nothing is left that could.
            Decision::GiveWay | Decision::Met(_) | Decision::Retire | Decision::Keep => {
                self.skipped(SkipReason::AlreadyReset)
            }
            Decision::Require(_) => self.answer(UserOutcome::WouldRequireChange),
            Decision::Begin | Decision::Finish => self.answer(UserOutcome::WouldReset),
            Decision::Fail(failure) => self.failed(failure),
        };
        let secret = seen.look.secret.as_ref().filter(|secret| entry.owns(secret));
        answer.secret_arn = secret.map(|secret| secret.arn.clone());
        Summary::of(seen).complete(&mut answer);
        answer
    }
}

impl App {
    /// Deals with every target, several at a time.
    pub(super) async fn deal_with_all(
        &self,
        invocation: &Invocation,
        targets: Targets,
        findings: &Findings,
    ) -> Vec<UserAnswer> {
        let deals = stream::iter(targets.0.into_values()).map(async |target| {
            let finding_id = target.findings.first().map(|place| findings.id(*place));
            let span = tracing::error_span!(
                "user",
                account_id = %target.user.account_id(),
                user_name = %Who::User(target.user.clone()),
                finding_id,
            );
            let answer = Box::pin(self.deal_with(invocation, &target, finding_id)).instrument(span).await;
            log_decision(&answer, finding_id);
            answer
        });
        deals.buffer_unordered(CONCURRENCY).collect().await
    }

    async fn deal_with(&self, invocation: &Invocation, target: &Target, finding_id: Option<&str>) -> UserAnswer {
        let (account, name) = match self.find(invocation, target).await {
            Ok(Found::User(account, name)) => (account, name),
            Ok(Found::Nobody(reason)) => return target.skipped(reason),
            Err(problem) => return target.failed(problem),
        };
        let (held, user) = match self.held_with(invocation, target, &account, &name).await {
            Ok(Some(held)) => held,
            Ok(None) => return Box::pin(self.carry_out(invocation, target, &account, &name, finding_id)).await,
            Err(problem) => return target.failed(problem),
        };
        // What is under way comes to its end: nobody is reset by that who was not
        // before.
        if user.is_open {
            let target = Target { demand: Demand::Finish, ..target.clone() };
            let answer = Box::pin(self.carry_out(invocation, &target, &account, &name, finding_id)).await;
            if !matches!(answer.outcome, UserOutcome::Skipped(SkipReason::AlreadyReset)) {
                return answer;
            }
        }
        let user_ref = UserRef::Named { account_id: account.id.clone(), name: user.name };
        let password_age_days = user.password_age_days;
        UserAnswer { who: Who::User(user_ref), password_age_days, ..target.answer(UserOutcome::Held(held)) }
    }

    async fn carry_out(
        &self,
        invocation: &Invocation,
        target: &Target,
        account: &Account,
        name: &UserName,
        finding_id: Option<&str>,
    ) -> UserAnswer {
        if target.is_dry_run {
            Box::pin(self.rehearse(invocation, target, account, name)).await
        } else {
            self.reset(invocation, target, account, name, finding_id).await
        }
    }

    /// Finds out whom the target means.
    async fn find(&self, invocation: &Invocation, target: &Target) -> Result<Found, Problem> {
        if matches!(target.user, UserRef::Root { .. }) {
            return Ok(Found::Nobody(SkipReason::Root));
        }
        if invocation.is_ending() {
            return Err(Problem::OutOfTime);
        }
        let account = self.aws.account(&invocation.home, target.user.account_id()).await?;
        let name = match &target.user {
            UserRef::Named { name, .. } => Some(name.clone()),
            UserRef::Identified { id, .. } => account.iam.name_of(id).await?,
            UserRef::Root { .. } => None,
        };
        Ok(name.map_or(Found::Nobody(SkipReason::UserNotFound), |name| Found::User(account, name)))
    }

    /// Says what would be done about a user, and changes nothing.
    async fn rehearse(
        &self,
        invocation: &Invocation,
        target: &Target,
        account: &Account,
        name: &UserName,
    ) -> UserAnswer {
        let key = UserKey::new(&account.id, name);
        let entries = async { self.aws.ledger().entries(std::slice::from_ref(&key)).await.map_err(Problem::from) };
        let wish = target.wish();
        let look = self.look(invocation, &wish, target.max_age_days(), account, name);
        let look = async { look.await.map_err(Problem::from) };
        let (entry, seen) = match tokio::join!(entries, look) {
            (Ok(mut entries), Ok(seen)) => (entries.remove(&key).unwrap_or_default(), seen),
            (Err(problem), _) | (_, Err(problem)) => return target.failed(problem),
        };
        target.foresee(&entry, &seen)
    }

    async fn reset(
        &self,
        invocation: &Invocation,
        target: &Target,
        account: &Account,
        name: &UserName,
        finding_id: Option<&str>,
    ) -> UserAnswer {
        let key = UserKey::new(&account.id, name);
        let sign_in_url = invocation.home.partition.sign_in_url(&account.id);
        let reset = self.reset_of(account, &key, &sign_in_url);
        let wish = target.wish();
        // What the last look showed: the message tells of it.
        let last_seen = Mutex::new(Summary::default());
        let summary = || last_seen.lock().unwrap_or_else(PoisonError::into_inner);
        let look = async || {
            let seen = self.look(invocation, &wish, target.max_age_days(), account, name).await?;
            *summary() = Summary::of(&seen);
            Ok(seen)
        };
        let tell = async |news: News<'_>| {
            let Summary { user, age, limit_days } = summary().clone();
            let (account_id, partition) = (&account.id, invocation.home.partition);
            let user_name = user.as_ref().unwrap_or(name);
            let (password_age_days, max_password_age_days) = (age.map(Age::whole_days), limit_days);
            self.publish(match news {
                News::Reset(secret_arn) => Notification::PasswordReset(PasswordReset {
                    account_id,
                    partition,
                    user_name,
                    secret_arn,
                    finding_id,
                    password_age_days,
                    max_password_age_days,
                    forced: target.is_forced(),
                }),
                News::ChangeRequired(Grace { due_at, .. }) => {
                    Notification::PasswordChangeRequired(PasswordChangeRequired {
                        account_id,
                        partition,
                        user_name,
                        finding_id,
                        password_age_days,
                        max_password_age_days,
                        due_at,
                    })
                }
            })
            .await
        };
        let ending = Box::pin(reset.run(wish.clone(), look, tell)).await;
        let (outcome, secret_arn) = match ending {
            Ending::Reset(arn) => (UserOutcome::Reset, Some(arn)),
            Ending::ChangeRequired(due_at, arn) => (UserOutcome::ChangeRequired(due_at), arn),
            Ending::Skipped(reason, arn) => (UserOutcome::Skipped(reason), arn),
            // Only a run that tidies ends so.
            Ending::Retired(_) | Ending::Kept => (UserOutcome::Failed(reset::Failure::Unsettled.into()), None),
            Ending::Failed(failure, arn) => (UserOutcome::Failed(failure.into()), arn),
        };
        let mut answer = UserAnswer { secret_arn, ..target.answer(outcome) };
        summary().clone().complete(&mut answer);
        answer
    }

    /// Schedules the user's secret for deletion, if nobody needs it any more.
    pub(super) async fn tidy(&self, invocation: &Invocation, account: &Account, name: &UserName) -> Ending {
        let key = UserKey::new(&account.id, name);
        let sign_in_url = invocation.home.partition.sign_in_url(&account.id);
        let look = async || self.look(invocation, &Wish::Tidy, None, account, name).await;
        // There is nothing to tell.
        let reset = self.reset_of(account, &key, &sign_in_url);
        Box::pin(reset.run(Wish::Tidy, look, async |_| Ok(()))).await
    }

    fn reset_of<'a>(&'a self, account: &'a Account, key: &'a UserKey, sign_in_url: &'a str) -> Reset<'a> {
        Reset {
            account,
            ledger: self.aws.ledger(),
            key,
            sign_in_url,
            kms_key_id: self.config.secret_kms_key_id.as_deref(),
            password_length: self.config.password_length,
        }
    }

    /// Makes the reads that a decision takes.
    async fn look(
        &self,
        invocation: &Invocation,
        wish: &Wish,
        max_age_days: Option<u16>,
        account: &Account,
        name: &UserName,
    ) -> Result<Seen, reset::Failure> {
        let key = UserKey::new(&account.id, name);
        let cell = invocation.facts(&account.id);
        let is_served = async {
            match wish {
                Wish::Forced(request) => self.aws.ledger().is_served(&key, request).await,
                Wish::Stale | Wish::Finish | Wish::Tidy => Ok(false),
            }
        };
        let (user, facts, is_served) = tokio::join!(
            survey::user(account, invocation.home.partition, &self.config.secret_prefix, name),
            self.account_facts(invocation, account, &cell),
            is_served,
        );
        let is_served = is_served?;
        let user = match user? {
            FoundUser::There(user) => user,
            FoundUser::Gone { secret } => {
                let look = Look { standing: Standing::NoSuchUser, secret, is_untagged: false, is_served };
                return Ok(Seen { look, subject: None });
            }
        };
        let facts = facts?;
        let limit_days = limit(max_age_days, &facts.policy, &self.config);
        let look = assess(&user, facts, limit_days, is_served, &self.config);
        let policy = facts.policy.clone();
        Ok(Seen { look, subject: Some(Subject { user: user.user.name, secret_name: user.secret_name, policy }) })
    }
}

/// Whom a target means.
enum Found {
    User(Arc<Account>, UserName),
    Nobody(SkipReason),
}

/// What is told of a user besides what was done.
#[derive(Debug, Clone, Default)]
struct Summary {
    user: Option<UserName>,
    age: Option<Age>,
    limit_days: u16,
}

impl Summary {
    fn of(seen: &Seen) -> Self {
        let user = seen.subject.as_ref().map(|subject| subject.user.clone());
        match &seen.look.standing {
            Standing::Console(console) => Self {
                user,
                age: console.changed.map(|changed| Age::between(changed, console.now)),
                limit_days: console.limit_days,
            },
            Standing::NoSuchUser | Standing::NoConsolePassword => Self { user, ..Self::default() },
        }
    }

    /// Adds it to an answer. The name is the one that IAM knows.
    fn complete(self, answer: &mut UserAnswer) {
        if let Some(name) = self.user {
            answer.who = Who::User(UserRef::Named { account_id: answer.account_id.clone(), name });
        }
        answer.password_age_days = self.age.map(Age::whole_days);
    }
}

/// Users to be looked at, each once, however many findings name them.
#[derive(Debug, Default)]
pub(super) struct Targets(BTreeMap<String, Target>);

impl Targets {
    /// Adds a target, or adds its reasons to the target that means the same user.
    pub(super) fn add(&mut self, target: Target) {
        let known = match self.0.entry(target.user.key()) {
            Entry::Vacant(place) => {
                place.insert(target);
                return;
            }
            Entry::Occupied(known) => known.into_mut(),
        };
        known.demand = match (known.demand.clone(), target.demand) {
            (Demand::Finish, demand) | (demand, Demand::Finish) => demand,
            (
                Demand::Reset { forced_by: one, max_age_days: limit, max_resets: most },
                Demand::Reset { forced_by: other, max_age_days: other_limit, max_resets: other_most },
            ) => Demand::Reset {
                forced_by: one.or(other),
                max_age_days: stricter(limit, other_limit),
                max_resets: most.zip(other_most).map(|(one, other)| one.max(other)),
            },
        };
        known.findings.extend(target.findings);
    }

    /// Whether there is a target that means the user.
    pub(super) fn mean(&self, user: &UserRef) -> bool {
        self.0.contains_key(&user.key())
    }
}

/// The lower of two limits, each of which may not be set.
pub(super) fn stricter(one: Option<u16>, other: Option<u16>) -> Option<u16> {
    one.into_iter().chain(other).min()
}

/// The one line that tells what was decided about a user.
pub(super) fn log_decision(answer: &UserAnswer, finding_id: Option<&str>) {
    let UserAnswer { account_id, who, password_age_days, secret_arn, is_forced: force, .. } = answer;
    let (decision, reason, user_name) = (answer.status(), answer.reason(), who.to_string());
    let secret_arn = secret_arn.as_ref().map(SecretArn::as_str);
    if answer.problem().is_some() {
        tracing::error!(
            %account_id, user_name, finding_id, decision, reason, password_age_days, secret_arn, force, "decision"
        );
    } else {
        tracing::info!(
            %account_id, user_name, finding_id, decision, reason, password_age_days, secret_arn, force, "decision"
        );
    }
}
