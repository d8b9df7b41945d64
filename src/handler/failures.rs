//! Tells operators of what no retry mends.

use super::policies::Policy;
use super::{App, Findings, Invocation};
use crate::answer::{Problem, UserAnswer, Who};
use crate::event::UserRef;
use crate::identity::AccountId;
use crate::notification::{Failed, Notification, RemediationFailed};

impl App {
    /// Sends one message for each account in which a policy, or users, failed
    /// for good. That the message cannot be sent is logged: the answer has
    /// failed already, and names the failures themselves.
    pub(super) async fn tell_of_failures(
        &self,
        invocation: &Invocation,
        users: &[UserAnswer],
        policies: &[Policy],
        findings: &Findings,
    ) {
        for policy in policies {
            if let Some(problem) = policy.answer.problem().filter(|problem| problem.needs_a_person()) {
                let account_id = &policy.answer.account_id;
                self.tell(invocation, account_id, Failed::Policy, &problem.to_string(), None).await;
            }
        }
        let failed = |user: &'_ UserAnswer| user.problem().is_some_and(Problem::needs_a_person);
        let mut rest: Vec<&UserAnswer> = users.iter().filter(|user| failed(user)).collect();
        while let Some(first) = rest.first().copied() {
            let before = rest.len();
            rest.retain(|user| user.account_id != first.account_id);
            let others = before - rest.len() - 1;
            let mut reason = first.reason().unwrap_or_default();
            if others > 0 {
                reason += &format!(" ({others} more users of this account failed, too; the log names them)");
            }
            let failed = match &first.who {
                Who::User(UserRef::Named { name, .. }) => {
                    Failed::Reset { user_name: name, secret_arn: first.secret_arn.as_ref(), forced: first.is_forced }
                }
                _ => Failed::Sweep,
            };
            let finding_id = first.findings.first().map(|place| findings.id(*place));
            self.tell(invocation, &first.account_id, failed, &reason, finding_id).await;
        }
    }

    async fn tell(
        &self,
        invocation: &Invocation,
        account_id: &AccountId,
        failed: Failed<'_>,
        reason: &str,
        finding_id: Option<&str>,
    ) {
        let told = self.publish(Notification::RemediationFailed(RemediationFailed {
            account_id,
            failed,
            reason,
            finding_id,
            request_id: Some(&invocation.request_id),
            function_arn: &invocation.function_arn,
        }));
        if let Err(error) = told.await {
            tracing::error!(%account_id, %error, "operators could not be told of the failure");
        }
    }
}
