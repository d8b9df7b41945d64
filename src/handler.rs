//! Puts the stages in order: event, survey, assessment, reset, report.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use futures_util::stream::{self, StreamExt};
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tracing::Instrument;

use crate::assessment::{Decision, Demand, SkipReason, assess};
use crate::aws::{Account, Aws, CallError, OutOfReach, Recorded};
use crate::config::{Config, Mode};
use crate::event::{self, Ask, BatchItem, Finding, Request, Screened, UserRef};
use crate::identity::{AccountId, Home, UserName};
use crate::notification::{Notification, PasswordReset, SecretArn, Wording};
use crate::report::{
    Answer, AnswerMode, FindingReport, FindingStatus, PolicyReport, PolicyStatus, UserReport, UserStatus,
};
use crate::reset::{self, Finish, Outcome, Reset};
use crate::secret::SecretName;
use crate::survey::{self, AccountFacts, SurveyError};
use crate::telemetry;

/// How many users are worked on at the same time.
const CONCURRENCY: usize = 20;

/// No user is begun when the invocation has less than this left: what is begun
/// should come to its end.
const LAST_START: Duration = Duration::from_secs(10);

/// Everything that lives as long as the process.
#[derive(Debug)]
pub struct App {
    config: Config,
    aws: Aws,
    has_run: AtomicBool,
}

/// An invocation that has to be seen as failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The event is none that this function answers.
    #[error("{0}")]
    UnsupportedEvent(String),
    /// Something failed; the message is the answer as JSON.
    #[error("{0}")]
    RemediationFailed(String),
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let error_type = match failure {
            Failure::UnsupportedEvent(_) => "UnsupportedEvent",
            Failure::RemediationFailed(_) => "RemediationFailed",
        };
        Self { error_type: error_type.to_owned(), error_message: failure.to_string() }
    }
}

/// What is the same for everything in one invocation.
#[derive(Debug)]
struct Invocation {
    home: Home,
    deadline: Instant,
}

/// A user to be looked at, and why.
#[derive(Debug, Clone)]
struct Target {
    user: UserRef,
    demand: Demand,
    dry_run: bool,
    /// The findings that name the user, by their place in the event.
    findings: Vec<usize>,
}

/// What became of a target.
#[derive(Debug)]
struct Dealt {
    report: UserReport,
    findings: Vec<usize>,
    /// Set if the password was reset: what is left to do, and where.
    finish: Option<(Arc<Account>, UserName, Finish)>,
}

/// Why a user could not be dealt with.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    OutOfReach(#[from] OutOfReach),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{0}")]
    Survey(Arc<SurveyError>),
}

/// What is known of an account, read once in an invocation.
type Facts = OnceCell<Result<AccountFacts, Arc<SurveyError>>>;

impl App {
    /// An app that reaches AWS through `aws`.
    #[must_use]
    pub fn new(config: Config, aws: Aws) -> Self {
        Self { config, aws, has_run: AtomicBool::new(false) }
    }

    /// Answers one invocation.
    ///
    /// # Errors
    ///
    /// An event that is not supported, which changes nothing, or work that did
    /// not come to its end, which a retry takes up where it was left.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Failure> {
        let LambdaEvent { payload, context } = event;
        let span = tracing::error_span!(
            "invocation",
            function_request_id = %context.request_id,
            cold_start = !self.has_run.swap(true, Ordering::Relaxed),
        );
        self.answer(&payload, &context).instrument(span).await
    }

    async fn answer(&self, payload: &Value, context: &Context) -> Result<Value, Failure> {
        let home = self.home(context).await?;
        let request = event::parse(payload, &home, &self.config.finding_rules).map_err(|unsupported| {
            tracing::error!(error = %unsupported, "the event is not supported");
            Failure::UnsupportedEvent(unsupported.to_string())
        })?;
        let invocation = Invocation { home, deadline: deadline(context) };
        match request {
            Request::Batch(items) => Ok(to_json(&self.answer_batch(&invocation, items).await)),
            request => {
                let answer = self.remediate(&invocation, request).await;
                let failed = answer.failures() > 0;
                let answer = to_json(&answer);
                if failed { Err(Failure::RemediationFailed(answer.to_string())) } else { Ok(answer) }
            }
        }
    }

    async fn home(&self, context: &Context) -> Result<Home, Failure> {
        match context.invoked_function_arn.parse() {
            Ok(home) => Ok(home),
            Err(invalid) => {
                tracing::warn!(%invalid, "the invocation names no function ARN; asking AWS whose credentials these are");
                self.aws.home_of_caller().await.map_err(|error| Failure::RemediationFailed(error.to_string()))
            }
        }
    }

    /// Answers each message by itself, so that the queue keeps only what failed.
    async fn answer_batch(&self, invocation: &Invocation, items: Vec<BatchItem>) -> SqsBatchResponse {
        let answers = stream::iter(items).map(|item| async move {
            let failed = match item.request {
                Ok(request) => self.remediate(invocation, request).await.failures() > 0,
                Err(unsupported) => {
                    tracing::error!(message_id = item.message_id, error = %unsupported, "the message is not supported");
                    true
                }
            };
            failed.then_some(item.message_id)
        });
        let failed: Vec<String> = answers.buffered(CONCURRENCY).filter_map(std::future::ready).collect().await;
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failed
            .into_iter()
            .map(|message_id| {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message_id;
                failure
            })
            .collect();
        response
    }

    async fn remediate(&self, invocation: &Invocation, request: Request) -> Answer {
        let mut policies = Vec::new();
        let mut findings = Vec::new();
        let mut wanted: Vec<Option<Finding>> = Vec::new();
        let mut targets = Vec::new();
        let mut dry_run = self.config.mode == Mode::DryRun;
        match request {
            Request::Findings(screened) => {
                for screened in screened {
                    let (report, finding) = report_screened(screened);
                    if let Some(finding) = &finding {
                        self.add_targets(&mut targets, &mut policies, finding, findings.len(), dry_run);
                    }
                    findings.push(report);
                    wanted.push(finding);
                }
            }
            Request::Reset(order) => {
                dry_run |= order.dry_run;
                let demand = Demand { force: order.force, max_age_days: order.max_age_days };
                add_target(&mut targets, Target { user: order.user, demand, dry_run, findings: Vec::new() });
            }
            Request::Sweep(order) => {
                dry_run |= order.dry_run;
                policies.push(not_built_yet(order.account_id, "sweeps"));
            }
            // The parser refuses a batch inside a batch.
            Request::Batch(_) => {}
        }

        let mut dealt = self.deal_with_all(invocation, targets, &wanted).await;
        self.close(&mut dealt, &wanted, &mut findings).await;

        let mode = if dry_run { AnswerMode::DryRun } else { AnswerMode::Remediate };
        let users = dealt.into_iter().map(|dealt| dealt.report).collect();
        let answer = Answer::new(mode, findings, policies, users);
        telemetry::emit(&answer, OffsetDateTime::now_utc(), &mut std::io::stdout().lock());
        answer
    }

    fn add_targets(
        &self,
        targets: &mut Vec<Target>,
        policies: &mut Vec<PolicyReport>,
        finding: &Finding,
        place: usize,
        dry_run: bool,
    ) {
        let (users, demand) = match &finding.ask {
            Ask::Policy { account_id, .. } => {
                policies.push(not_built_yet(account_id.clone(), "policy findings"));
                return;
            }
            Ask::PasswordAge { users, max_age_days } => (users, Demand { force: false, max_age_days: *max_age_days }),
            Ask::ForcedReset { users } => (users, Demand { force: true, max_age_days: None }),
        };
        for user in users {
            add_target(targets, Target { user: user.clone(), demand, dry_run, findings: vec![place] });
        }
    }

    /// Deals with every target, several at a time, and reads each account once.
    async fn deal_with_all(
        &self,
        invocation: &Invocation,
        targets: Vec<Target>,
        findings: &[Option<Finding>],
    ) -> Vec<Dealt> {
        let facts: HashMap<AccountId, Facts> =
            targets.iter().map(|target| (target.user.account_id().clone(), Facts::new())).collect();
        let facts = &facts;
        stream::iter(targets)
            .map(|target| async move {
                let finding_id = target.findings.iter().find_map(|place| findings[*place].as_ref());
                let finding_id = finding_id.map(|finding| finding.id.as_str());
                let account_id = target.user.account_id();
                let span = tracing::error_span!(
                    "user",
                    account_id = %account_id,
                    user_name = %name_in_report(&target.user),
                    finding_id,
                );
                let dealt = match facts.get(account_id) {
                    Some(facts) => {
                        self.deal_with(invocation, &target, facts, finding_id).instrument(span.clone()).await
                    }
                    None => Dealt::failed(&target, "the account was not read"),
                };
                span.in_scope(|| audit(&dealt.report, target.demand.force));
                dealt
            })
            .buffered(CONCURRENCY)
            .collect()
            .await
    }

    async fn deal_with(
        &self,
        invocation: &Invocation,
        target: &Target,
        facts: &Facts,
        finding_id: Option<&str>,
    ) -> Dealt {
        if matches!(target.user, UserRef::Root { .. }) {
            return Dealt::skipped(target, SkipReason::Root);
        }
        if Instant::now() + LAST_START > invocation.deadline {
            return Dealt::failed(target, "not begun: the invocation is about to run out of time; a retry goes on");
        }
        match self.reset(invocation, target, facts, finding_id).await {
            Ok(dealt) => dealt,
            Err(error) => Dealt::failed(target, &error.to_string()),
        }
    }

    async fn reset(
        &self,
        invocation: &Invocation,
        target: &Target,
        facts: &Facts,
        finding_id: Option<&str>,
    ) -> Result<Dealt, Stopped> {
        let Invocation { home, deadline } = invocation;
        let account = self.aws.account(home, target.user.account_id()).await?;
        let name = match &target.user {
            UserRef::Named { name, .. } => name.clone(),
            UserRef::Identified { id, .. } => match account.iam.name_of(id).await? {
                Some(name) => name,
                None => return Ok(Dealt::skipped(target, SkipReason::UserNotFound)),
            },
            UserRef::Root { .. } => return Ok(Dealt::skipped(target, SkipReason::Root)),
        };
        let (user, facts) = tokio::join!(
            survey::user(&account, home.partition, &self.config.secret_prefix, &name),
            facts.get_or_init(async || survey::account(&account, *deadline - LAST_START).await.map_err(Arc::new)),
        );
        let user = user?.filter(|user| match &target.user {
            UserRef::Named { id: Some(id), .. } => user.user.id == *id,
            _ => true,
        });
        let Some(user) = user else {
            return Ok(Dealt::skipped(target, SkipReason::UserNotFound));
        };
        let facts = facts.as_ref().map_err(|error| Stopped::Survey(Arc::clone(error)))?;

        let assessment = assess(&user, facts, target.demand, &self.config);
        let age = assessment.age.map(|age| age.whole_days());
        let secret_arn = user.secret.as_ref().map(|secret| secret.arn.to_string());
        let mut report = UserReport {
            account_id: account.id.clone(),
            user_name: user.user.name.to_string(),
            status: UserStatus::Skipped,
            reason: None,
            password_age_days: age,
            secret_arn,
        };
        let (observed, grant) = match assessment.decision {
            Decision::Skip(reason) => {
                report.reason = Some(reason.to_string());
                return Ok(Dealt { report, findings: target.findings.clone(), finish: None });
            }
            Decision::Reset { .. } if target.dry_run => {
                report.status = UserStatus::WouldReset;
                return Ok(Dealt { report, findings: target.findings.clone(), finish: None });
            }
            Decision::Reset { observed, grant } => (observed, grant),
        };

        let sign_in_url = home.partition.sign_in_url(&account.id);
        let reset = Reset {
            account: &account,
            user: &user.user.name,
            secret_name: &user.secret_name,
            sign_in_url: &sign_in_url,
            kms_key_id: self.config.secret_kms_key_id.as_deref(),
            password_length: self.config.password_length,
            grant,
        };
        let announce = async |secret_arn: &SecretArn| {
            let message = Notification::PasswordReset(PasswordReset {
                account_id: &account.id,
                partition: home.partition,
                user_name: &user.user.name,
                secret_arn,
                finding_id,
                password_age_days: age,
                max_password_age_days: assessment.max_age_days,
                forced: target.demand.force,
            })
            .message(&self.wording());
            self.aws.topic().publish(&message).await
        };
        match reset.run(*observed, facts.policy.clone(), announce).await {
            Ok(Outcome::Announced(finish)) => {
                report.status = UserStatus::Reset;
                report.secret_arn = Some(finish.secret_arn.to_string());
                let finish = Some((Arc::clone(&account), user.user.name.clone(), finish));
                Ok(Dealt { report, findings: target.findings.clone(), finish })
            }
            Ok(Outcome::Nothing { verdict, secret_arn }) => {
                report.reason = Some(SkipReason::from(verdict).to_string());
                report.secret_arn = secret_arn.map(|arn| arn.to_string());
                Ok(Dealt { report, findings: target.findings.clone(), finish: None })
            }
            Err(error) => {
                report.status = UserStatus::Failed;
                report.reason = Some(error.to_string());
                Ok(Dealt { report, findings: target.findings.clone(), finish: None })
            }
        }
    }

    /// Ends the resets, and records on each finding what became of its users.
    async fn close(&self, dealt: &mut [Dealt], wanted: &[Option<Finding>], findings: &mut [FindingReport]) {
        let (finished, recorded) = {
            let dealt = &*dealt;
            let finish = stream::iter(dealt).map(|dealt| self.finish(dealt)).buffered(CONCURRENCY).collect::<Vec<_>>();
            let record = stream::iter(wanted.iter().enumerate())
                .map(|(place, finding)| self.record(finding.as_ref(), place, dealt))
                .buffered(CONCURRENCY)
                .collect::<Vec<_>>();
            tokio::join!(finish, record)
        };
        for (dealt, finished) in dealt.iter_mut().zip(finished) {
            if let Err(error) = finished {
                tracing::error!(user_name = dealt.report.user_name, %error, "the reset is done but could not be closed");
                dealt.report.status = UserStatus::Failed;
                dealt.report.reason = Some(format!("reset and announced, but not closed: {error}"));
            }
        }
        for (report, recorded) in findings.iter_mut().zip(recorded) {
            let (reason, failed) = match recorded {
                Ok(Recorded::Done | Recorded::NotNeeded) => continue,
                Ok(Recorded::Unknown) => ("Security Hub does not know the finding".to_owned(), false),
                Ok(Recorded::Refused(code)) => (format!("Security Hub refused the update: {code}"), true),
                Err(error) => (error.to_string(), true),
            };
            tracing::warn!(finding_id = report.id, reason, failed, "not recorded on the finding");
            report.reason = Some(format!("not recorded: {reason}"));
            report.failed = failed;
        }
    }

    async fn finish(&self, dealt: &Dealt) -> Result<(), CallError> {
        let Some((account, user, finish)) = &dealt.finish else { return Ok(()) };
        let secret_name = SecretName::new(&self.config.secret_prefix, &account.id, user);
        reset::finish(account, &secret_name, finish).await
    }

    /// Notes on the finding what became of its users, once none is left to do.
    async fn record(&self, finding: Option<&Finding>, place: usize, dealt: &[Dealt]) -> Result<Recorded, CallError> {
        let Some(finding) = finding else { return Ok(Recorded::NotNeeded) };
        let users: Vec<&UserReport> =
            dealt.iter().filter(|dealt| dealt.findings.contains(&place)).map(|dealt| &dealt.report).collect();
        let is_any = |is: fn(&UserReport) -> bool| users.iter().any(|user| is(user));
        let news = is_any(|user| user.status == UserStatus::Reset);
        let told = is_any(|user| user.reason.as_deref() == Some(SkipReason::AlreadyReset.as_str()));
        if !(news || told) || is_any(|user| user.status == UserStatus::Failed) {
            return Ok(Recorded::NotNeeded);
        }
        let note = users.iter().map(|user| note(user)).collect::<Vec<_>>().join(" ");
        self.aws.security_hub().record_notified(&finding.reference, &note, news).await
    }

    fn wording(&self) -> Wording<'_> {
        Wording { language: self.config.notification_language, support_contact: self.config.support_contact.as_deref() }
    }
}

impl Dealt {
    fn new(target: &Target, status: UserStatus, reason: &str) -> Self {
        let report = UserReport {
            account_id: target.user.account_id().clone(),
            user_name: name_in_report(&target.user),
            status,
            reason: Some(reason.to_owned()),
            password_age_days: None,
            secret_arn: None,
        };
        Self { report, findings: target.findings.clone(), finish: None }
    }

    fn skipped(target: &Target, reason: SkipReason) -> Self {
        Self::new(target, UserStatus::Skipped, reason.as_str())
    }

    fn failed(target: &Target, reason: &str) -> Self {
        Self::new(target, UserStatus::Failed, reason)
    }
}

/// Adds a target, or adds its reasons to the target that means the same user:
/// one user is dealt with once, however many findings name them.
fn add_target(targets: &mut Vec<Target>, target: Target) {
    let Some(known) = targets.iter_mut().find(|known| known.user.is_same(&target.user)) else {
        targets.push(target);
        return;
    };
    known.demand.force |= target.demand.force;
    known.demand.max_age_days = match (known.demand.max_age_days, target.demand.max_age_days) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    known.findings.extend(target.findings);
}

fn report_screened(screened: Screened) -> (FindingReport, Option<Finding>) {
    match screened {
        Screened::Wanted(finding) => {
            let report =
                FindingReport { id: finding.id.clone(), status: FindingStatus::Handled, reason: None, failed: false };
            (report, Some(finding))
        }
        Screened::Ignored(ignored) => {
            tracing::info!(
                finding_id = ignored.id,
                reason = ignored.reason.as_str(),
                detail = ignored.detail,
                "finding ignored"
            );
            let report = FindingReport {
                id: ignored.id,
                status: FindingStatus::Ignored,
                reason: Some(ignored.reason.as_str().to_owned()),
                failed: false,
            };
            (report, None)
        }
    }
}

fn not_built_yet(account_id: AccountId, what: &str) -> PolicyReport {
    let reason = Some(format!("{what} are not supported yet; nothing was changed"));
    PolicyReport { account_id, status: PolicyStatus::Failed, changes: Vec::new(), reason }
}

/// The one line that tells what was decided about a user.
fn audit(report: &UserReport, force: bool) {
    let UserReport { status, reason, password_age_days, secret_arn, .. } = report;
    let decision = status.as_str();
    if *status == UserStatus::Failed {
        tracing::error!(decision, reason, password_age_days, secret_arn, force, "decision");
    } else {
        tracing::info!(decision, reason, password_age_days, secret_arn, force, "decision");
    }
}

fn name_in_report(user: &UserRef) -> String {
    match user {
        UserRef::Named { name, .. } => name.to_string(),
        UserRef::Identified { id, .. } => id.to_string(),
        UserRef::Root { .. } => "<root_account>".to_owned(),
    }
}

fn note(user: &UserReport) -> String {
    let age = user.password_age_days.map(|days| format!(" ({days} days old)")).unwrap_or_default();
    match user.status {
        UserStatus::Reset => format!(
            "Console password of IAM user {}{age} reset; the user was notified and must change it at the next sign-in.",
            user.user_name
        ),
        status => {
            let reason = user.reason.as_deref().unwrap_or_default();
            format!("IAM user {}: {} ({reason}).", user.user_name, status.as_str())
        }
    }
}

/// When Lambda ends the invocation, by this process's clock.
fn deadline(context: &Context) -> Instant {
    let end = SystemTime::UNIX_EPOCH + Duration::from_millis(context.deadline);
    Instant::now() + end.duration_since(SystemTime::now()).unwrap_or_default()
}

fn to_json(answer: &impl serde::Serialize) -> Value {
    // Maps with string keys and plain values: there is nothing that could fail.
    serde_json::to_value(answer).unwrap_or_default()
}
