//! Tells operators of what no retry will mend.

use super::policies::PolicyOutcome;
use super::users::Dealt;
use super::{App, Invocation};
use crate::event::Finding;
use crate::identity::AccountId;
use crate::notification::{Failed, Notification, RemediationFailed, SecretArn};
use crate::report::FindingReport;

/// What an operator is told of one account.
struct Problem<'a> {
    account_id: &'a AccountId,
    failed: Failed<'a>,
    reason: String,
    finding_id: Option<&'a str>,
}

impl App {
    /// Sends one message for each account in which a policy, or users, failed
    /// for good. That the message cannot be sent is logged: the answer has
    /// failed already, and names the failures themselves.
    pub(super) async fn tell_of_failures(
        &self,
        invocation: &Invocation,
        dealt: &[Dealt],
        policies: &[PolicyOutcome],
        findings: &[(FindingReport, Option<Finding>)],
    ) {
        let failed: Vec<&Dealt> = dealt.iter().filter(|dealt| dealt.report.needs_a_person).collect();
        let names: Vec<_> = failed.iter().map(|dealt| dealt.user_name()).collect();
        let secret_arns: Vec<Option<SecretArn>> =
            failed.iter().map(|dealt| dealt.report.secret_arn.as_deref()?.parse().ok()).collect();
        let mut problems: Vec<Problem<'_>> = policies
            .iter()
            .filter(|policy| policy.report.needs_a_person)
            .map(|policy| Problem {
                account_id: &policy.report.account_id,
                failed: Failed::Policy,
                reason: policy.report.reason.clone().unwrap_or_default(),
                finding_id: None,
            })
            .collect();
        let mut accounts: Vec<&AccountId> = failed.iter().map(|dealt| &dealt.report.account_id).collect();
        accounts.sort_unstable();
        accounts.dedup();
        for account_id in accounts {
            let here = || failed.iter().zip(&names).filter(|(dealt, _)| dealt.report.account_id == *account_id);
            let Some((first, name)) = here().next() else { continue };
            let count = here().count();
            let mut reason = first.report.reason.clone().unwrap_or_default();
            if count > 1 {
                reason += &format!(" ({} more users of this account failed, too; the log names them)", count - 1);
            }
            let secret_arn =
                secret_arns.iter().flatten().find(|arn| Some(arn.as_str()) == first.report.secret_arn.as_deref());
            let failed = match name {
                Some(user_name) => Failed::Reset { user_name, secret_arn, forced: first.forced },
                None => Failed::Sweep,
            };
            let finding_id = first.findings.first().map(|place| findings[*place].0.id.as_str());
            problems.push(Problem { account_id, failed, reason, finding_id });
        }
        for Problem { account_id, failed, reason, finding_id } in problems {
            let told = self.publish(Notification::RemediationFailed(RemediationFailed {
                account_id,
                failed,
                reason: &reason,
                finding_id,
                request_id: Some(&invocation.request_id),
                function_arn: &invocation.function_arn,
            }));
            if let Err(error) = told.await {
                tracing::error!(%account_id, %error, "operators could not be told of the failure");
            }
        }
    }
}
