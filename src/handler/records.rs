//! What is recorded on the findings in the end.

use futures_util::stream::{self, StreamExt};

use super::policies::PolicyOutcome;
use super::users::Dealt;
use super::{App, CONCURRENCY};
use crate::assessment::SkipReason;
use crate::aws::{CallError, Mark, Recorded};
use crate::event::{Ask, Finding};
use crate::report::{FindingReport, PolicyReport, PolicyStatus, UserReport, UserStatus};
use crate::reset;

impl App {
    /// Ends the resets, and records on each finding what came of it.
    pub(super) async fn close(
        &self,
        dealt: &mut [Dealt],
        policies: &[PolicyOutcome],
        findings: &mut [(FindingReport, Option<Finding>)],
    ) {
        let (finished, recorded) = {
            let (dealt, findings) = (&*dealt, &*findings);
            let finish = stream::iter(dealt).map(|dealt| self.finish(dealt));
            let record = stream::iter(findings.iter().enumerate())
                .map(|(place, (_, finding))| self.record(finding.as_ref(), place, dealt, policies));
            tokio::join!(
                finish.buffered(CONCURRENCY).collect::<Vec<_>>(),
                record.buffered(CONCURRENCY).collect::<Vec<_>>(),
            )
        };
        for (dealt, finished) in dealt.iter_mut().zip(finished) {
            if let Err(error) = finished {
                dealt.not_closed(&error);
            }
        }
        for ((report, _), recorded) in findings.iter_mut().zip(recorded) {
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
        match &dealt.unfinished {
            Some(unfinished) => reset::finish(&unfinished.account, &unfinished.secret_name, &unfinished.finish).await,
            None => Ok(()),
        }
    }

    async fn record(
        &self,
        finding: Option<&Finding>,
        place: usize,
        dealt: &[Dealt],
        policies: &[PolicyOutcome],
    ) -> Result<Recorded, CallError> {
        let Some(finding) = finding else { return Ok(Recorded::NotNeeded) };
        let mark = match &finding.ask {
            Ask::Policy { account_id, requirement, .. } => policies
                .iter()
                .find(|outcome| outcome.report.account_id == *account_id)
                .and_then(|outcome| policy_mark(&outcome.report, outcome.satisfies(requirement))),
            Ask::PasswordAge { .. } | Ask::ForcedReset { .. } => {
                let users = dealt.iter().filter(|dealt| dealt.findings.contains(&place));
                users_mark(&users.map(|dealt| &dealt.report).collect::<Vec<_>>())
            }
        };
        match mark {
            Some((mark, note)) => self.aws.security_hub().record(&finding.reference, mark, &note).await,
            None => Ok(Recorded::NotNeeded),
        }
    }
}

/// What to record about a policy; nothing if the work on it failed, which a
/// retry goes on with.
fn policy_mark(policy: &PolicyReport, is_satisfied: bool) -> Option<(Mark, String)> {
    let changes = policy.changes.join(", ");
    let withheld = policy.reason.as_deref().unwrap_or_default();
    let (mark, note) = match policy.status {
        PolicyStatus::Failed => return None,
        PolicyStatus::Strengthened if is_satisfied => {
            (Mark::Resolved, format!("Password policy strengthened: {changes}."))
        }
        PolicyStatus::Strengthened => {
            (Mark::Notified { news: true }, format!("Password policy strengthened in part: {changes}. {withheld}"))
        }
        PolicyStatus::Compliant if is_satisfied => {
            (Mark::Resolved, "The password policy, read again, satisfies this control.".to_owned())
        }
        PolicyStatus::Compliant => {
            (Mark::Notified { news: false }, format!("The password policy was left as it is. {withheld}"))
        }
        PolicyStatus::WouldStrengthen => (
            Mark::Notified { news: false },
            format!(
                "The password policy was left as it is, since PASSWORD_POLICY is `report`. It would take: {changes}."
            ),
        ),
    };
    Some((mark, note))
}

/// What to record about users, once none of them is left to do; nothing if
/// nobody was reset.
fn users_mark(users: &[&UserReport]) -> Option<(Mark, String)> {
    let is_any = |is: fn(&UserReport) -> bool| users.iter().any(|user| is(user));
    let news = is_any(|user| user.status == UserStatus::Reset);
    let told = is_any(|user| user.reason.as_deref() == Some(SkipReason::AlreadyReset.as_str()));
    if !(news || told) || is_any(|user| user.status == UserStatus::Failed) {
        return None;
    }
    let note = users.iter().map(|user| note(user)).collect::<Vec<_>>().join(" ");
    Some((Mark::Notified { news }, note))
}

fn note(user: &UserReport) -> String {
    let age = user.password_age_days.map(|days| format!(" ({days} days old)")).unwrap_or_default();
    let name = &user.user_name;
    match user.status {
        UserStatus::Reset => format!(
            "Console password of IAM user {name}{age} reset; the user was notified and must change it at the next sign-in."
        ),
        status => format!("IAM user {name}: {} ({}).", status.as_str(), user.reason.as_deref().unwrap_or_default()),
    }
}
