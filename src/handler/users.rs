//! One user after another, several at a time: survey, assessment, reset.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use tracing::Instrument;

use super::{App, CONCURRENCY, Invocation};
use crate::account::credential_report::Age;
use crate::assessment::{Assessment, Decision, Demand, SkipReason, assess};
use crate::aws::{Account, CallError, NotSent, OutOfReach};
use crate::event::{Finding, UserRef};
use crate::identity::UserName;
use crate::notification::{Notification, PasswordReset, SecretArn};
use crate::report::{FindingReport, UserReport, UserStatus};
use crate::reset::{self, Finish, Outcome, Reset};
use crate::secret::SecretName;
use crate::survey::{self, SurveyError, UserFacts};

/// A user to be looked at, and why.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) user: UserRef,
    pub(super) demand: Demand,
    pub(super) dry_run: bool,
    /// The findings that name the user, by their place in the event.
    pub(super) findings: Vec<usize>,
}

/// What became of a target.
#[derive(Debug)]
pub(super) struct Dealt {
    pub(super) report: UserReport,
    pub(super) findings: Vec<usize>,
    /// Whether a person asked for it, whatever the age.
    pub(super) forced: bool,
    /// Set if the password was reset: what is left to do.
    pub(super) unfinished: Option<Unfinished>,
}

/// A reset that has been announced and not yet been closed.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) account: Arc<Account>,
    pub(super) secret_name: SecretName,
    pub(super) finish: Finish,
}

/// A user who was found, and what was decided about them.
pub(super) struct Assessed {
    account: Arc<Account>,
    facts: UserFacts,
    assessment: Assessment,
}

/// Why a user could not be dealt with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    #[error("not begun: the invocation is about to run out of time; a retry or the next sweep goes on")]
    OutOfTime,
    #[error(transparent)]
    OutOfReach(#[from] OutOfReach),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{0}")]
    Survey(Arc<SurveyError>),
    #[error(transparent)]
    NotSent(#[from] NotSent),
}

impl Stopped {
    /// Whether no retry mends it: a person has to act, and should be told so.
    pub(super) fn needs_a_person(&self) -> bool {
        match self {
            Self::OutOfTime => false,
            Self::OutOfReach(error) => error.needs_a_person(),
            Self::Call(error) => !error.retryable,
            Self::Survey(error) => !error.is_retryable(),
            Self::NotSent(error) => !error.is_retryable(),
        }
    }
}

impl App {
    /// Deals with every target, several at a time; answers in their order.
    pub(super) async fn deal_with_all(
        &self,
        invocation: &Invocation,
        targets: Vec<Target>,
        findings: &[(FindingReport, Option<Finding>)],
    ) -> Vec<Dealt> {
        // Closing a reset can go with recording it, to save a round trip. Where
        // others take their time, it had better not wait for them.
        let close_later = targets.len() == 1 && !targets[0].findings.is_empty();
        let deals = stream::iter(targets.into_iter().enumerate()).map(async |(place, target)| {
            let finding_id = target.findings.first().map(|place| findings[*place].0.id.as_str());
            let span = tracing::error_span!(
                "user",
                account_id = %target.user.account_id(),
                user_name = %name_in_report(&target.user),
                finding_id,
            );
            let deal = Box::pin(self.deal_with(invocation, &target, finding_id, close_later));
            let dealt = deal.instrument(span).await;
            audit(&dealt, finding_id);
            (place, dealt)
        });
        let mut dealt: Vec<(usize, Dealt)> = deals.buffer_unordered(CONCURRENCY).collect().await;
        dealt.sort_by_key(|(place, _)| *place);
        dealt.into_iter().map(|(_, dealt)| dealt).collect()
    }

    async fn deal_with(
        &self,
        invocation: &Invocation,
        target: &Target,
        finding_id: Option<&str>,
        close_later: bool,
    ) -> Dealt {
        let assessed = match self.assess(invocation, target).await {
            Ok(Ok(assessed)) => assessed,
            Ok(Err(reason)) => return Dealt::skipped(target, reason),
            Err(stopped) => return Dealt::failed(target, &stopped),
        };
        let mut dealt = Dealt::assessed(target, &assessed);
        let Decision::Reset { observed, grant } = &assessed.assessment.decision else { return dealt };
        if target.dry_run {
            return dealt;
        }

        let Assessed { account, facts, assessment } = &assessed;
        let sign_in_url = invocation.home.partition.sign_in_url(&account.id);
        let reset = Reset {
            account,
            user: &facts.user.name,
            secret_name: &facts.secret_name,
            sign_in_url: &sign_in_url,
            kms_key_id: self.config.secret_kms_key_id.as_deref(),
            password_length: self.config.password_length,
            grant: *grant,
        };
        let announce = async |secret_arn: &SecretArn| {
            self.publish(Notification::PasswordReset(PasswordReset {
                account_id: &account.id,
                partition: invocation.home.partition,
                user_name: &facts.user.name,
                secret_arn,
                finding_id,
                password_age_days: assessment.age.map(Age::whole_days),
                max_password_age_days: assessment.max_age_days,
                forced: target.demand.force,
            }))
            .await
        };
        match reset.run((**observed).clone(), assessment.policy.clone(), announce).await {
            Ok(Outcome::Announced(finish)) => {
                dealt.report.status = UserStatus::Reset;
                dealt.report.secret_arn = Some(finish.secret_arn.to_string());
                if close_later {
                    let secret_name = facts.secret_name.clone();
                    dealt.unfinished = Some(Unfinished { account: Arc::clone(account), secret_name, finish });
                } else if let Err(error) = reset::finish(account, &facts.secret_name, &finish).await {
                    dealt.not_closed(&error);
                }
            }
            Ok(Outcome::Nothing { verdict, secret_arn }) => {
                dealt.report.status = UserStatus::Skipped;
                dealt.report.reason = Some(SkipReason::from(verdict).to_string());
                dealt.report.secret_arn = secret_arn.map(|arn| arn.to_string());
            }
            Err(error) => {
                dealt.report.status = UserStatus::Failed;
                dealt.report.needs_a_person = !error.is_retryable();
                if dealt.report.secret_arn.is_none() {
                    // Perhaps this run made it before it failed.
                    let secret = account.secrets.describe(&facts.secret_name).await.ok().flatten();
                    dealt.report.secret_arn = secret.map(|secret| secret.arn.to_string());
                }
                dealt.report.reason = Some(error.to_string());
            }
        }
        dealt
    }

    /// Finds the user, reads all there is to know, and decides. Changes nothing.
    pub(super) async fn assess(
        &self,
        invocation: &Invocation,
        target: &Target,
    ) -> Result<Result<Assessed, SkipReason>, Stopped> {
        if matches!(target.user, UserRef::Root { .. }) {
            return Ok(Err(SkipReason::Root));
        }
        if invocation.is_ending() {
            return Err(Stopped::OutOfTime);
        }
        let account = self.aws.account(&invocation.home, target.user.account_id()).await?;
        let name = match &target.user {
            UserRef::Named { name, .. } => Some(name.clone()),
            UserRef::Identified { id, .. } => account.iam.name_of(id).await?,
            UserRef::Root { .. } => None,
        };
        let Some(name) = name else { return Ok(Err(SkipReason::UserNotFound)) };
        let cell = invocation.facts(&account.id);
        let (user, facts) = tokio::join!(
            survey::user(&account, invocation.home.partition, &self.config.secret_prefix, &name),
            self.account_facts(invocation, &account, &cell),
        );
        let Some(user) = user? else { return Ok(Err(SkipReason::UserNotFound)) };
        let facts = facts.map_err(Stopped::Survey)?;
        let assessment = assess(&user, facts, &target.demand, &self.config);
        Ok(Ok(Assessed { account, facts: user, assessment }))
    }
}

impl Dealt {
    pub(super) fn new(target: &Target, status: UserStatus, reason: Option<String>) -> Self {
        let report = UserReport {
            account_id: target.user.account_id().clone(),
            user_name: name_in_report(&target.user),
            status,
            reason,
            needs_a_person: false,
            password_age_days: None,
            secret_arn: None,
        };
        Self { report, findings: target.findings.clone(), forced: target.demand.force, unfinished: None }
    }

    pub(super) fn skipped(target: &Target, reason: SkipReason) -> Self {
        Self::new(target, UserStatus::Skipped, Some(reason.to_string()))
    }

    pub(super) fn failed(target: &Target, stopped: &Stopped) -> Self {
        let mut dealt = Self::new(target, UserStatus::Failed, Some(stopped.to_string()));
        dealt.report.needs_a_person = stopped.needs_a_person();
        dealt
    }

    /// What is known of the user before anything is done.
    pub(super) fn assessed(target: &Target, assessed: &Assessed) -> Self {
        let mut dealt = match assessed.assessment.decision {
            Decision::Skip(reason) => Self::skipped(target, reason),
            Decision::Reset { .. } => Self::new(target, UserStatus::WouldReset, None),
        };
        dealt.report.user_name = assessed.facts.user.name.to_string();
        dealt.report.password_age_days = assessed.assessment.age.map(Age::whole_days);
        dealt.report.secret_arn = assessed.facts.secret.as_ref().map(|secret| secret.arn.to_string());
        dealt
    }

    /// Says that the user was told, and that this could not be noted down.
    pub(super) fn not_closed(&mut self, error: &CallError) {
        tracing::error!(user_name = self.report.user_name, %error, "the reset is done but could not be closed");
        self.report.status = UserStatus::Failed;
        self.report.needs_a_person = !error.retryable;
        self.report.reason = Some(format!("reset and announced, but not closed: {error}"));
    }

    /// The user's name as IAM writes it, where it is known to be one.
    pub(super) fn user_name(&self) -> Option<UserName> {
        self.report.user_name.parse().ok()
    }
}

/// Adds a target, or adds its reasons to the target that means the same user:
/// one user is dealt with once, however many findings name them.
pub(super) fn add(targets: &mut Vec<Target>, target: Target) {
    let Some(known) = targets.iter_mut().find(|known| known.user.is_same(&target.user)) else {
        targets.push(target);
        return;
    };
    known.demand.force |= target.demand.force;
    known.demand.requested = known.demand.requested.take().or(target.demand.requested);
    known.demand.max_age_days = stricter(known.demand.max_age_days, target.demand.max_age_days);
    known.findings.extend(target.findings);
}

/// The lower of two limits, each of which may not be set.
pub(super) fn stricter(one: Option<u16>, other: Option<u16>) -> Option<u16> {
    one.into_iter().chain(other).min()
}

/// The one line that tells what was decided about a user.
pub(super) fn audit(dealt: &Dealt, finding_id: Option<&str>) {
    let UserReport { account_id, user_name, status, reason, password_age_days, secret_arn, .. } = &dealt.report;
    let (decision, force) = (status.as_str(), dealt.forced);
    if *status == UserStatus::Failed {
        tracing::error!(
            %account_id, user_name, finding_id, decision, reason, password_age_days, secret_arn, force, "decision"
        );
    } else {
        tracing::info!(
            %account_id, user_name, finding_id, decision, reason, password_age_days, secret_arn, force, "decision"
        );
    }
}

fn name_in_report(user: &UserRef) -> String {
    match user {
        UserRef::Named { name, .. } => name.to_string(),
        UserRef::Identified { id, .. } => id.to_string(),
        UserRef::Root { .. } => "<root_account>".to_owned(),
    }
}
