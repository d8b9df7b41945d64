//! What is recorded on the findings in the end.

use futures_util::stream::{self, StreamExt};
use time::{OffsetDateTime, UtcOffset};

use super::policies::Policy;
use super::{App, CONCURRENCY, Findings};
use crate::answer::{PolicyOutcome, UserAnswer, UserOutcome};
use crate::aws::{CallError, Mark, Recorded};
use crate::event::{Ask, Finding};
use crate::ledger::DailyNote;
use crate::notification::approval;
use crate::reset::SkipReason;

/// What the note of a held finding begins with.
const HELD: &str = "Held until a person approves it:";

impl App {
    /// Records on each finding what came of it.
    pub(super) async fn record_all(&self, users: &[UserAnswer], policies: &[Policy], findings: &mut Findings) {
        let records = stream::iter(findings.0.iter().enumerate()).map(async |(place, (_, finding))| match finding {
            Some(finding) => self.record(finding, place, users, policies).await,
            None => Ok(Recorded::NotNeeded),
        });
        let records: Vec<_> = records.buffered(CONCURRENCY).collect().await;
        for ((answer, _), recorded) in findings.0.iter_mut().zip(records) {
            answer.recorded(recorded);
        }
    }

    /// Leaves a note on a finding that stays as it is.
    ///
    /// Security Hub sends the finding out again for that, and it counts again
    /// then. So a note that is there is not written again, going by what it
    /// begins with; and should a finding come without its note, none is written
    /// more than once a day.
    pub(super) async fn leave_note(&self, finding: &Finding, opening: &str, rest: &str) -> Result<Recorded, CallError> {
        if finding.note.as_deref().is_some_and(|note| note.trim_start().starts_with(opening)) {
            return Ok(Recorded::NotNeeded);
        }
        let note = format!("{opening}{rest}");
        let record = self.aws.security_hub().record(&finding.reference, Mark::Unchanged, &note);
        let daily = DailyNote { finding_id: &finding.id, opening };
        Ok(self.once_a_day(&daily, record).await?.unwrap_or(Recorded::NotNeeded))
    }

    async fn record(
        &self,
        finding: &Finding,
        place: usize,
        users: &[UserAnswer],
        policies: &[Policy],
    ) -> Result<Recorded, CallError> {
        let mark = match &finding.ask {
            Ask::Policy { account_id, requirement, .. } => policies
                .iter()
                .find(|policy| policy.answer.account_id == *account_id)
                .and_then(|policy| policy_mark(policy, policy.satisfies(requirement))),
            Ask::PasswordAge { .. } | Ask::ForcedReset { .. } => {
                let users: Vec<&UserAnswer> = users.iter().filter(|user| user.findings.contains(&place)).collect();
                if let Some(note) = held_note(&users) {
                    return self.leave_note(finding, HELD, &note).await;
                }
                users_mark(&users)
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
fn policy_mark(policy: &Policy, is_satisfied: bool) -> Option<(Mark, String)> {
    let changes = policy.answer.changes();
    let withheld = policy.answer.reason().unwrap_or_default();
    let (mark, note) = match policy.answer.outcome {
        PolicyOutcome::Failed(_) => return None,
        PolicyOutcome::Strengthened if is_satisfied => {
            (Mark::Resolved, format!("Password policy strengthened: {changes}."))
        }
        PolicyOutcome::Strengthened => {
            (Mark::Notified { news: true }, format!("Password policy strengthened in part: {changes}. {withheld}"))
        }
        PolicyOutcome::Compliant if is_satisfied => {
            (Mark::Resolved, "The password policy, read again, satisfies this control.".to_owned())
        }
        PolicyOutcome::Compliant => {
            (Mark::Notified { news: false }, format!("The password policy was left as it is. {withheld}"))
        }
        PolicyOutcome::WouldStrengthen => (
            Mark::Notified { news: false },
            format!(
                "The password policy was left as it is, since PASSWORD_POLICY is `report`. It would take: {changes}."
            ),
        ),
    };
    Some((mark, note))
}

/// What to record about users, once none of them is left to do; nothing if
/// nobody was told anything.
fn users_mark(users: &[&UserAnswer]) -> Option<(Mark, String)> {
    let is_any = |is: fn(&UserOutcome) -> bool| users.iter().any(|user| is(&user.outcome));
    let news = is_any(|outcome| matches!(outcome, UserOutcome::Reset | UserOutcome::ChangeRequired(_)));
    let told =
        is_any(|outcome| matches!(outcome, UserOutcome::Skipped(SkipReason::AlreadyReset | SkipReason::InGrace(_))));
    if !(news || told) || is_any(|outcome| matches!(outcome, UserOutcome::Failed(_))) {
        return None;
    }
    let note = users.iter().map(|user| note(user)).collect::<Vec<_>>().join(" ");
    Some((Mark::Notified { news }, note))
}

/// What the note of a held finding goes on with; nothing if nobody is held. It
/// names the account's users by their number alone: they are listed in the
/// message to operators.
fn held_note(users: &[&UserAnswer]) -> Option<String> {
    let (account_id, held) = users.iter().find_map(|user| match &user.outcome {
        UserOutcome::Held(held) => Some((&user.account_id, held)),
        _ => None,
    })?;
    let approval = approval(account_id, held.users.len());
    let doubt = held.doubt().map(|doubt| format!(" ({doubt})")).unwrap_or_default();
    Some(format!(" {}. To approve it, invoke this function with {approval}{doubt}", held.excess()))
}

fn note(user: &UserAnswer) -> String {
    let age = user.password_age_days.map(|days| format!(" ({days} days old)")).unwrap_or_default();
    let name = &user.who;
    match user.outcome {
        UserOutcome::Reset => format!(
            "Console password of IAM user {name}{age} reset; the user was notified and must change it at the next sign-in."
        ),
        UserOutcome::ChangeRequired(due_at) | UserOutcome::Skipped(SkipReason::InGrace(due_at)) => format!(
            "IAM user {name} must change the console password{age} at the next sign-in and was notified; if it is not \
             changed, it is replaced from {} on.",
            minute(due_at)
        ),
        _ => format!("IAM user {name}: {} ({}).", user.status(), user.reason().unwrap_or_default()),
    }
}

/// A time as a person reads it, to the minute.
fn minute(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}
