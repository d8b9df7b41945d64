//! Account password policies: read, merge, write, read again.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::sleep;

use super::{App, CONCURRENCY, Invocation};
use crate::account::password_policy::{EffectivePolicy, Requirement, merge};
use crate::answer::{PolicyAnswer, PolicyOutcome, Problem};
use crate::config::PolicyMode;
use crate::identity::AccountId;
use crate::notification::{Notification, PolicyStrengthened};

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

/// A policy that was looked at.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) answer: PolicyAnswer,
    /// The policy as it was read last.
    policy: Option<EffectivePolicy>,
}

impl Policy {
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

impl App {
    pub(super) async fn strengthen_all(
        &self,
        invocation: &Invocation,
        works: Vec<PolicyWork>,
        is_dry_run: bool,
    ) -> Vec<Policy> {
        let policies = stream::iter(works).map(async |work| {
            let mut policy = Policy {
                answer: PolicyAnswer {
                    account_id: work.account_id.clone(),
                    outcome: PolicyOutcome::Compliant,
                    changes: Vec::new(),
                    withheld: Vec::new(),
                    previous: None,
                },
                policy: None,
            };
            let change = !is_dry_run && self.config.password_policy == PolicyMode::Strengthen;
            let outcome = self.strengthen(invocation, &work, change, &mut policy).await;
            policy.answer.outcome = outcome.unwrap_or_else(PolicyOutcome::Failed);
            log_decision(&policy.answer);
            policy
        });
        policies.buffered(CONCURRENCY).collect().await
    }

    async fn strengthen(
        &self,
        invocation: &Invocation,
        work: &PolicyWork,
        change: bool,
        policy: &mut Policy,
    ) -> Result<PolicyOutcome, Problem> {
        let account = self.aws.account(&invocation.home, &work.account_id).await?;
        let mut untold = None;
        for attempt in 0..ATTEMPTS {
            let found = account.iam.password_policy().await?;
            let next = merge(found.custom(), &work.requirement);
            policy.policy = Some(found.clone());
            policy.answer.changes.extend(next.changes.clone());
            policy.answer.withheld.clone_from(&next.withheld);
            if next.changes.is_empty() {
                let outcome = if attempt > 0 { PolicyOutcome::Strengthened } else { PolicyOutcome::Compliant };
                let what = "the policy was strengthened";
                return untold.map_or(Ok(outcome), |error| Err(Problem::Untold { what, error }));
            }
            if !change {
                return Ok(PolicyOutcome::WouldStrengthen);
            }
            let previous = policy.answer.previous.get_or_insert(found);
            account.iam.set_password_policy(&next.policy).await?;
            invocation.forget(&account.id);
            // At once: a retry would find nothing to change, and nothing to tell.
            let told = self.publish(Notification::PolicyStrengthened(PolicyStrengthened {
                account_id: &account.id,
                finding_id: Some(&work.finding_id),
                changes: &next.changes,
                withheld: &next.withheld,
                previous,
            }));
            let (told, ()) = tokio::join!(told, sleep(BEFORE_CONFIRMING));
            untold = untold.or(told.err());
        }
        Err(Problem::Contested)
    }
}

/// The one line that tells what was decided about a policy.
fn log_decision(answer: &PolicyAnswer) {
    let account_id = &answer.account_id;
    let (decision, changes, reason, undo) = (answer.status(), answer.changes(), answer.reason(), answer.undo());
    if answer.problem().is_some() {
        tracing::error!(%account_id, decision, changes, reason, undo, "password policy");
    } else {
        tracing::info!(%account_id, decision, changes, reason, undo, "password policy");
    }
}
