//! Puts the stages in order: event, policies, sweeps, users, records, answer.

mod adopt;
mod audit;
mod enrol;
mod everywhere;
mod failures;
mod policies;
mod radius;
mod reach;
mod records;
mod sweeps;
mod users;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use futures_util::stream::{self, StreamExt};
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tracing::Instrument;

use self::policies::PolicyWork;
use self::radius::Radius;
use self::reach::UnreachedAccounts;
use self::sweeps::SweepWork;
use self::users::{Demand, Target, Targets};
use crate::answer::{AccountAnswer, Answer, FindingAnswer, FindingOutcome, UserAnswer};
use crate::aws::{Account, Aws, CallError, Queue};
use crate::config::{Config, Mode, SweepMode};
use crate::event::{
    self, AdoptOrder, Ask, AuditOrder, BatchItem, Event, Finding, IgnoredReason, Receipt, Request, Screened,
};
use crate::identity::{AccountId, Home};
use crate::ledger::{Daily, DailyMessage, LEASE, RequestId};
use crate::notification::{Notification, Wording};
use crate::survey::{self, AccountFacts, SurveyError};
use crate::telemetry::Metrics;

/// How many users are worked on at the same time.
const CONCURRENCY: usize = 20;

/// No user is begun when the invocation has less than this left: what is begun
/// should come to its end.
const LAST_START: Duration = Duration::from_secs(10);

/// When a message that failed is delivered again for the first time. Longer than a
/// lease: a run that did not come to its end may have left one.
const FIRST_PAUSE: Duration = LEASE.saturating_add(Duration::from_secs(15));

/// How often that pause is doubled, delivery by delivery.
const MOST_DOUBLINGS: u32 = 3;

/// How long the message of an error may be, in bytes.
const LARGEST_ERROR: usize = 200_000;

/// Lambda's greatest timeout.
const LONGEST_INVOCATION: Duration = Duration::from_mins(15);

/// Everything that lives as long as the process.
#[derive(Debug)]
pub struct App {
    config: Config,
    aws: Aws,
    metrics: Metrics,
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

/// What is known of an account, read once in an invocation.
type Facts = OnceCell<Result<AccountFacts, Arc<SurveyError>>>;

/// What is the same for everything in one invocation.
#[derive(Debug)]
struct Invocation {
    home: Home,
    request_id: String,
    function_arn: String,
    deadline: Instant,
    facts: Mutex<HashMap<AccountId, Arc<Facts>>>,
    radius: Radius,
}

impl Invocation {
    /// Whether there is no time to begin anything more.
    fn is_ending(&self) -> bool {
        Instant::now() + LAST_START > self.deadline
    }

    fn facts(&self, account: &AccountId) -> Arc<Facts> {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(facts.entry(account.clone()).or_default())
    }

    /// Makes sure that what is known of the account is read anew.
    fn forget(&self, account: &AccountId) {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }
}

/// What a request comes to, before anything is done.
#[derive(Debug, Default)]
struct Work {
    is_dry_run: bool,
    findings: Findings,
    policies: Vec<PolicyWork>,
    sweeps: Vec<SweepWork>,
    targets: Targets,
    adoption: Option<AdoptOrder>,
    audit: Option<AuditOrder>,
    everywhere: Option<Map<String, Value>>,
    is_sweep: bool,
    unreached: UnreachedAccounts,
}

/// Every finding of the event, in its order, and what it asks if it counts.
#[derive(Debug, Default)]
struct Findings(Vec<(FindingAnswer, Option<Finding>)>);

impl Findings {
    fn id(&self, place: usize) -> &str {
        &self.0[place].0.id
    }
}

/// Whether operators are told of what no retry mends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alarm {
    /// They are.
    Raised,
    /// A message that fails for good ends in the queue's dead-letter queue, and
    /// operators hear of it from there.
    LeftToQueue,
}

impl App {
    /// An app that reaches AWS through `aws` and leaves its numbers with
    /// `metrics`.
    #[must_use]
    pub fn new(config: Config, aws: Aws, metrics: Metrics) -> Self {
        Self { config, aws, metrics, has_run: AtomicBool::new(false) }
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
        Box::pin(self.answer(&payload, &context)).instrument(span).await
    }

    async fn answer(&self, payload: &Value, context: &Context) -> Result<Value, Failure> {
        let home = self.home(context).await?;
        let event = event::parse(payload, &home, &self.config.finding_rules).map_err(|unsupported| {
            tracing::error!(error = %unsupported, "the event is not supported");
            Failure::UnsupportedEvent(unsupported.to_string())
        })?;
        let invocation = Invocation {
            home,
            request_id: context.request_id.clone(),
            function_arn: context.invoked_function_arn.clone(),
            deadline: deadline(context),
            facts: Mutex::default(),
            radius: Radius::default(),
        };
        match event {
            Event::Batch(items) => Ok(to_json(&self.answer_batch(&invocation, items).await)),
            Event::Single(request) => {
                let delivery = RequestId::of_invocation(&invocation.request_id);
                let answer = self.remediate(&invocation, request, delivery, Alarm::Raised).await;
                let failed = answer.totals().failed > 0;
                if failed { Err(Failure::RemediationFailed(error_message(answer))) } else { Ok(to_json(&answer)) }
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
        let answers = stream::iter(items).map(async |item| {
            let has_failed = match item.request {
                Ok(request) => {
                    let delivery = RequestId::of_message(&item.message_id);
                    self.remediate(invocation, request, delivery, Alarm::LeftToQueue).await.totals().failed > 0
                }
                Err(unsupported) => {
                    tracing::error!(message_id = item.message_id, error = %unsupported, "the message is not supported");
                    true
                }
            };
            if has_failed && let (Some(queue), Some(receipt)) = (self.aws.queue(), &item.receipt) {
                deliver_again(queue, receipt).await;
            }
            has_failed.then_some(item.message_id)
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

    async fn remediate(&self, invocation: &Invocation, request: Request, delivery: RequestId, alarm: Alarm) -> Answer {
        let unreached = self.unreached(invocation, &request, alarm).await;
        let Work {
            is_dry_run,
            mut findings,
            policies,
            sweeps,
            targets,
            adoption,
            audit,
            everywhere,
            unreached,
            is_sweep,
        } = self.work(request, delivery, unreached);
        let policies = self.strengthen_all(invocation, policies, is_dry_run).await;
        let (mut users, targets) = self.plan_all(invocation, sweeps, targets).await;
        if !is_dry_run {
            users.extend(self.report_unreached(invocation, &unreached).await);
        }
        users.extend(self.deal_with_all(invocation, targets, &findings).await);
        if !is_dry_run {
            users.extend(self.tell_of_held(invocation, &users, &findings).await);
        }
        users.sort_by_cached_key(|user| (user.account_id.clone(), user.who.to_string()));
        let mut secrets = Vec::new();
        if let Some(order) = adoption {
            match self.adopt_all(invocation, &order, is_dry_run).await {
                Ok(answers) => secrets = answers,
                Err(problem) => users.push(UserAnswer::of_everyone(order.account_id, problem)),
            }
        }
        if !is_dry_run {
            self.record_all(&users, &policies, &mut findings).await;
            if alarm == Alarm::Raised {
                self.tell_of_failures(invocation, &users, &policies, &findings).await;
            }
        }
        let findings = findings.0.into_iter().map(|(answer, _)| answer).collect();
        let policies = policies.into_iter().map(|policy| policy.answer).collect();
        let mut accounts = None;
        if let Some(order) = audit.as_ref().filter(|order| unreached.contains_key(&order.account_id)) {
            accounts = Some(vec![AccountAnswer::out_of_reach(order.account_id.clone())]);
        } else if let Some(order) = audit {
            accounts = Some(vec![Box::pin(self.audit(invocation, &order, is_dry_run)).await]);
        }
        if let Some(order) = everywhere {
            accounts = Some(self.leave_to_others(invocation, &order).await);
        }
        let answer = Answer { is_dry_run, findings, policies, users, secrets, accounts, is_sweep };
        self.metrics.emit(&answer, OffsetDateTime::now_utc());
        answer
    }

    /// Sorts out what a request asks: policies by account, users one by one.
    /// `delivery` is what the request is recognised by if it has no id of its own.
    fn work(&self, request: Request, delivery: RequestId, unreached: UnreachedAccounts) -> Work {
        let mut work = Work { is_dry_run: self.config.mode == Mode::DryRun, unreached, ..Work::default() };
        match request {
            Request::Findings { event_id, findings, by_person: _ } => {
                let request = event_id.as_deref().map_or(delivery, RequestId::of_event);
                for screened in findings {
                    self.add_finding(&mut work, screened, &request);
                }
            }
            Request::Reset(order) if !self.config.finding_rules.accounts.includes(order.user.account_id()) => {
                // By hand it would have been refused.
                let account_id = order.user.account_id();
                tracing::info!(%account_id, "a job is passed over: ACCOUNTS has left its account out since it was queued");
            }
            Request::Reset(order) => {
                work.is_dry_run |= order.dry_run;
                let forced_by = order.force.then_some(delivery);
                let demand = Demand::Reset { forced_by, max_age_days: order.max_age_days, max_resets: None };
                work.targets.add(Target::new(order.user, demand, work.is_dry_run));
            }
            Request::Sweep(order) if work.unreached.contains_key(&order.account_id) => {}
            Request::Sweep(order) => {
                work.is_dry_run |= order.dry_run;
                work.is_sweep = true;
                work.sweeps.push(SweepWork {
                    account_id: order.account_id,
                    max_resets: order.max_resets.unwrap_or(self.config.max_resets_per_sweep),
                    max_age_days: None,
                    is_dry_run: work.is_dry_run,
                    finding_id: None,
                });
            }
            Request::Audit(order) => {
                work.is_dry_run |= order.dry_run;
                work.audit = Some(order);
            }
            Request::Everywhere(order) => work.everywhere = Some(order),
            Request::Adopt(order) => {
                work.is_dry_run |= order.dry_run;
                work.adoption = Some(order);
            }
        }
        work
    }

    fn add_finding(&self, work: &mut Work, screened: Screened, request: &RequestId) {
        let finding = match screened {
            Screened::Wanted(finding) => finding,
            Screened::Ignored(ignored) => {
                let reason = ignored.reason;
                tracing::info!(finding_id = ignored.id, %reason, detail = ignored.detail, "finding ignored");
                let answer = FindingAnswer { id: ignored.id, outcome: FindingOutcome::Ignored(reason) };
                work.findings.0.push((answer, None));
                return;
            }
        };
        if let Some(account) = work.unreached.get_mut(&finding.account_id) {
            let outcome = FindingOutcome::Ignored(IgnoredReason::AccountOutOfReach);
            work.findings.0.push((FindingAnswer { id: finding.id.clone(), outcome }, None));
            account.findings.push(finding);
            return;
        }
        let place = work.findings.0.len();
        let (users, demand) = match &finding.ask {
            Ask::Policy { account_id, requirement, .. } => {
                policies::add(&mut work.policies, account_id, requirement, &finding.id);
                if self.config.sweep == SweepMode::Stale {
                    sweeps::add(
                        &mut work.sweeps,
                        SweepWork {
                            account_id: account_id.clone(),
                            max_resets: self.config.max_resets_per_sweep,
                            max_age_days: requirement.max_age_days,
                            is_dry_run: work.is_dry_run,
                            finding_id: Some(finding.id.clone()),
                        },
                    );
                }
                (&Vec::new(), Demand::Finish)
            }
            Ask::PasswordAge { users, max_age_days } => {
                let max_resets = Some(self.config.max_resets_per_sweep);
                (users, Demand::Reset { forced_by: None, max_age_days: *max_age_days, max_resets })
            }
            Ask::ForcedReset { users } => {
                let forced_by = Some(request.clone());
                (users, Demand::Reset { forced_by, max_age_days: None, max_resets: None })
            }
        };
        for user in users {
            let target = Target::new(user.clone(), demand.clone(), work.is_dry_run);
            work.targets.add(Target { findings: vec![place], ..target });
        }
        let answer = FindingAnswer { id: finding.id.clone(), outcome: FindingOutcome::Handled };
        work.findings.0.push((answer, Some(finding)));
    }

    /// What is known of an account, read at the first call for it.
    async fn account_facts<'a>(
        &self,
        invocation: &Invocation,
        account: &Account,
        facts: &'a Facts,
    ) -> Result<&'a AccountFacts, Arc<SurveyError>> {
        let until = invocation.deadline - LAST_START;
        let facts = facts.get_or_init(async || survey::account(account, until).await.map_err(Arc::new)).await;
        facts.as_ref().map_err(Arc::clone)
    }

    /// Sends a message to operators that is sent once a day and account.
    async fn publish_once_a_day(
        &self,
        kind: &'static str,
        account_id: &AccountId,
        notification: Notification<'_>,
    ) -> Result<(), CallError> {
        let message = DailyMessage { kind, account_id: account_id.clone() };
        self.once_a_day(&message, self.publish(notification)).await.map(drop)
    }

    /// Does what is done once a day, if nobody has; none if somebody has, or is
    /// about to. What fails is left to others after a minute.
    async fn once_a_day<T>(
        &self,
        daily: &impl Daily,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<Option<T>, CallError> {
        let (now, ledger) = (OffsetDateTime::now_utc(), self.aws.ledger());
        if !ledger.take_turn(daily, now).await? {
            return Ok(None);
        }
        let done = work.await?;
        if let Err(error) = ledger.told(daily, now).await {
            tracing::warn!(item = daily.item_id(now), %error, "it was done, and may be done again");
        }
        Ok(Some(done))
    }

    async fn publish(&self, notification: Notification<'_>) -> Result<(), CallError> {
        let wording = Wording {
            language: self.config.notification_language,
            support_contact: self.config.support_contact.as_deref(),
        };
        self.aws.topic().publish(&notification.message(&wording)).await
    }
}

/// Has a message that failed delivered again soon: the queue's own time is as long
/// as several invocations. Nothing depends on it.
async fn deliver_again(queue: &Queue, receipt: &Receipt) {
    let doublings = receipt.count.saturating_sub(1).min(MOST_DOUBLINGS);
    if let Err(error) = queue.deliver_again(&receipt.handle, FIRST_PAUSE * 2_u32.pow(doublings)).await {
        tracing::warn!(%error, "a message that failed comes again only when the queue's own time is over");
    }
}

/// When Lambda ends the invocation, by this process's clock. Local emulators may
/// give a time that is past; then it is the longest that Lambda allows.
fn deadline(context: &Context) -> Instant {
    let end = SystemTime::UNIX_EPOCH + Duration::from_millis(context.deadline);
    Instant::now() + end.duration_since(SystemTime::now()).unwrap_or(LONGEST_INVOCATION)
}

/// The answer as the message of an error. A destination for failed invocations
/// takes 256 KiB with the event; of a larger answer, the users who did not fail
/// are counted and left out.
fn error_message(mut answer: Answer) -> String {
    let message = to_json(&answer).to_string();
    if message.len() <= LARGEST_ERROR {
        return message;
    }
    answer.users.retain(|user| user.problem().is_some());
    to_json(&answer).to_string()
}

fn to_json(answer: &impl serde::Serialize) -> Value {
    // Maps with string keys and plain values: there is nothing that could fail.
    serde_json::to_value(answer).unwrap_or_default()
}
