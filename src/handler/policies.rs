//! Account password policies: read, merge, write, read again.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::sleep;

use super::{App, CONCURRENCY, Invocation};
use crate::account::password_policy::{EffectivePolicy, Requirement, merge};
use crate::aws::{CallError, OutOfReach};
use crate::config::PolicyMode;
use crate::identity::AccountId;
use crate::notification::{Notification, PolicyStrengthened};
use crate::report::{PolicyReport, PolicyStatus};

/// How often a policy is merged and written before it counts as contested.
const ATTEMPTS: usize = 5;

/// `UpdateAccountPasswordPolicy` replaces the whole policy, so two findings
/// that are dealt with at the same time could undo each other's setting. Who
/// looks again after this long sees it, and merges once more.
const BEFORE_CONFIRMING: Duration = Duration::from_secs(1);

/// An account's policy, and all that the findings about it ask together.
#[derive(Debug)]
pub(super) struct PolicyWork {
    account_id: AccountId,
    requirement: Requirement,
    /// The first of the findings.
    finding_id: String,
}

/// What became of a policy.
#[derive(Debug)]
pub(super) struct PolicyOutcome {
    pub(super) report: PolicyReport,
    /// The policy as it was read last.
    pub(super) policy: Option<EffectivePolicy>,
}

impl PolicyOutcome {
    /// Whether the policy, as read last, is what a control asks.
    pub(super) fn satisfies(&self, requirement: &Requirement) -> bool {
        let policy = self.policy.as_ref().and_then(EffectivePolicy::custom);
        policy.is_some_and(|policy| requirement.is_met_by(policy))
    }
}

/// Adds what a finding asks to what others ask of the same account.
pub(super) fn add(works: &mut Vec<PolicyWork>, account_id: &AccountId, requirement: &Requirement, finding_id: &str) {
    match works.iter_mut().find(|work| work.account_id == *account_id) {
        Some(work) => work.requirement = work.requirement.and(requirement),
        None => works.push(PolicyWork {
            account_id: account_id.clone(),
            requirement: requirement.clone(),
            finding_id: finding_id.to_owned(),
        }),
    }
}

/// Why a policy is not known to be strong enough.
#[derive(Debug, thiserror::Error)]
enum PolicyError {
    #[error(transparent)]
    OutOfReach(#[from] OutOfReach),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("others keep changing the policy; a retry goes on")]
    Contested,
    #[error("the policy was strengthened, but operators could not be told: {0}")]
    Untold(CallError),
}

impl PolicyError {
    /// Whether no retry mends it: a person has to act, and should be told so.
    fn needs_a_person(&self) -> bool {
        match self {
            Self::OutOfReach(error) => error.needs_a_person(),
            Self::Call(error) | Self::Untold(error) => !error.retryable,
            Self::Contested => false,
        }
    }
}

impl App {
    pub(super) async fn strengthen_all(
        &self,
        invocation: &Invocation,
        works: Vec<PolicyWork>,
        dry_run: bool,
    ) -> Vec<PolicyOutcome> {
        let outcomes = stream::iter(works).map(async |work| {
            let mut outcome = PolicyOutcome {
                report: PolicyReport {
                    account_id: work.account_id.clone(),
                    status: PolicyStatus::Compliant,
                    changes: Vec::new(),
                    reason: None,
                    needs_a_person: false,
                },
                policy: None,
            };
            let change = !dry_run && self.config.password_policy == PolicyMode::Strengthen;
            if let Err(error) = self.strengthen(invocation, &work, change, &mut outcome).await {
                outcome.report.status = PolicyStatus::Failed;
                outcome.report.needs_a_person = error.needs_a_person();
                outcome.report.reason = Some(error.to_string());
            }
            audit(&outcome.report);
            outcome
        });
        outcomes.buffered(CONCURRENCY).collect().await
    }

    async fn strengthen(
        &self,
        invocation: &Invocation,
        work: &PolicyWork,
        change: bool,
        outcome: &mut PolicyOutcome,
    ) -> Result<(), PolicyError> {
        let account = self.aws.account(&invocation.home, &work.account_id).await?;
        let mut untold = None;
        for attempt in 0..ATTEMPTS {
            let policy = account.iam.password_policy().await?;
            let next = merge(policy.custom(), &work.requirement);
            outcome.policy = Some(policy);
            let report = &mut outcome.report;
            report.changes.extend(next.changes.iter().map(ToString::to_string));
            let withheld: Vec<String> = next.withheld.iter().map(ToString::to_string).collect();
            report.reason = (!withheld.is_empty()).then(|| withheld.join(" "));
            if next.changes.is_empty() {
                if attempt > 0 {
                    report.status = PolicyStatus::Strengthened;
                }
                return untold.map_or(Ok(()), |error| Err(PolicyError::Untold(error)));
            }
            if !change {
                report.status = PolicyStatus::WouldStrengthen;
                return Ok(());
            }
            account.iam.set_password_policy(&next.policy).await?;
            invocation.forget(&account.id);
            // At once: a retry would find nothing to change, and nothing to tell.
            let told = self.publish(Notification::PolicyStrengthened(PolicyStrengthened {
                account_id: &account.id,
                finding_id: Some(&work.finding_id),
                changes: &next.changes,
                withheld: &next.withheld,
            }));
            let (told, ()) = tokio::join!(told, sleep(BEFORE_CONFIRMING));
            untold = untold.or(told.err());
        }
        Err(PolicyError::Contested)
    }
}

/// The one line that tells what was decided about a policy.
fn audit(report: &PolicyReport) {
    let PolicyReport { account_id, status, changes, reason, .. } = report;
    let decision = status.as_str();
    let changes = changes.join(", ");
    if *status == PolicyStatus::Failed {
        tracing::error!(%account_id, decision, changes, reason, "password policy");
    } else {
        tracing::info!(%account_id, decision, changes, reason, "password policy");
    }
}
