//! Sweeps: every user of an account whose password is too old.

use futures_util::stream::{self, StreamExt};
use time::OffsetDateTime;

use super::users::{Dealt, Stopped, Target, audit, stricter};
use super::{App, CONCURRENCY, Invocation};
use crate::account::credential_report::{Age, CredentialReport, Row};
use crate::assessment::{Demand, SkipReason, is_exempt_by_name, limit};
use crate::aws::Queue;
use crate::event::{Job, UserRef};
use crate::identity::{AccountId, UserName};
use crate::notification::{HeldUser, Notification, SweepHeld};
use crate::report::{UserReport, UserStatus};

/// What stands in the answer for all users of an account, if not even a list
/// of them could be had. No IAM user can have this name.
const EVERYONE: &str = "*";

/// A sweep of one account.
#[derive(Debug)]
pub(super) struct SweepWork {
    pub(super) account_id: AccountId,
    /// More users than this are held for a person.
    pub(super) max_resets: u32,
    /// The greatest age in days that the finding's control allows.
    pub(super) max_age_days: Option<u16>,
    pub(super) dry_run: bool,
    /// The finding that led to it, if one did.
    pub(super) finding_id: Option<String>,
}

/// Adds a sweep: one an account, by the strictest limit that anyone asks.
pub(super) fn add(sweeps: &mut Vec<SweepWork>, sweep: SweepWork) {
    match sweeps.iter_mut().find(|known| known.account_id == sweep.account_id) {
        Some(known) => known.max_age_days = stricter(known.max_age_days, sweep.max_age_days),
        None => sweeps.push(sweep),
    }
}

impl SweepWork {
    fn is_too_many(&self, users: usize) -> bool {
        u32::try_from(users).map_or(true, |users| users > self.max_resets)
    }

    /// What is answered if something went wrong that is nobody's in particular.
    fn failed(&self, reason: String, needs_a_person: bool) -> Dealt {
        let report = UserReport {
            account_id: self.account_id.clone(),
            user_name: EVERYONE.to_owned(),
            status: UserStatus::Failed,
            reason: Some(reason),
            needs_a_person,
            password_age_days: None,
            secret_arn: None,
        };
        let dealt = Dealt { report, findings: Vec::new(), forced: false, unfinished: None };
        audit(&dealt, self.finding_id.as_deref());
        dealt
    }

    fn target(&self, user: &UserName) -> Target {
        Target {
            user: UserRef::Named { account_id: self.account_id.clone(), name: user.clone() },
            demand: Demand { max_age_days: self.max_age_days, ..Demand::default() },
            dry_run: self.dry_run,
            findings: Vec::new(),
        }
    }
}

impl App {
    /// Finds out whom the sweeps are about. Those who are to be dealt with here
    /// and now become targets; what became of the others is answered.
    pub(super) async fn plan_all(
        &self,
        invocation: &Invocation,
        sweeps: Vec<SweepWork>,
        targets: &mut Vec<Target>,
    ) -> Vec<Dealt> {
        let mut dealt = Vec::new();
        for sweep in sweeps {
            match self.plan(invocation, &sweep).await {
                Ok((others, now)) => {
                    dealt.extend(others);
                    for target in now {
                        super::users::add(targets, target);
                    }
                }
                Err(stopped) => dealt.push(sweep.failed(stopped.to_string(), stopped.needs_a_person())),
            }
        }
        dealt
    }

    async fn plan(&self, invocation: &Invocation, sweep: &SweepWork) -> Result<(Vec<Dealt>, Vec<Target>), Stopped> {
        let account = self.aws.account(&invocation.home, &sweep.account_id).await?;
        let cell = invocation.facts(&sweep.account_id);
        let facts = self.account_facts(invocation, &account, &cell).await.map_err(Stopped::Survey)?;
        let limit = limit(sweep.max_age_days, &facts.policy, &self.config);
        let (exempt, candidates): (Vec<&Row>, Vec<&Row>) =
            stale(&facts.report, limit).partition(|row| is_exempt_by_name(&row.name, row.path(), &self.config));
        tracing::info!(
            account_id = %sweep.account_id,
            candidates = candidates.len(),
            max_resets = sweep.max_resets,
            limit_days = limit,
            "sweep"
        );
        let skip = |row: &Row| Dealt::skipped(&sweep.target(&row.name), SkipReason::Exempt);
        let mut dealt: Vec<Dealt> = exempt.into_iter().map(skip).collect();
        let mut users = names(candidates);

        if sweep.is_too_many(users.len()) {
            // Some of them may be exempt by tag, or done since the report. Those
            // of whom that cannot be said count as well: they may come next.
            let (others, to_be_reset) = self.assess_all(invocation, sweep, users).await;
            let unknown = others.iter().filter(|dealt| dealt.report.status == UserStatus::Failed).count();
            dealt.extend(others);
            if sweep.is_too_many(to_be_reset.len() + unknown) {
                audit_all(&dealt, sweep);
                dealt.extend(self.hold(invocation, sweep, to_be_reset).await);
                return Ok((dealt, Vec::new()));
            }
            users = to_be_reset.iter().filter_map(Dealt::user_name).collect();
        }

        // A reset that was applied and never announced looks fresh by now. It is
        // finished whatever the limit: nobody is reset who was not before.
        let (others, unfinished) = self.assess_all(invocation, sweep, names(recent(&facts.report))).await;
        dealt.extend(others.into_iter().filter(|dealt| dealt.report.status == UserStatus::Failed));
        users.extend(unfinished.iter().filter_map(Dealt::user_name));
        // From another start each time: whoever was done since the report has to be
        // looked at again, and must not keep the others from their turn for ever.
        if !users.is_empty() {
            let start = OffsetDateTime::now_utc().nanosecond() as usize / 1000 % users.len();
            users.rotate_left(start);
        }
        audit_all(&dealt, sweep);

        match self.aws.queue() {
            Some(queue) if !sweep.dry_run => {
                let queued = enqueue(queue, sweep, &users).await;
                audit_all(&queued, sweep);
                dealt.extend(queued);
                Ok((dealt, Vec::new()))
            }
            _ => Ok((dealt, users.iter().map(|user| sweep.target(user)).collect())),
        }
    }

    /// Looks at every user. Answers what is decided already, and who would be
    /// reset.
    async fn assess_all(
        &self,
        invocation: &Invocation,
        sweep: &SweepWork,
        users: Vec<UserName>,
    ) -> (Vec<Dealt>, Vec<Dealt>) {
        let looks = stream::iter(users).map(async |user| {
            let target = sweep.target(&user);
            match Box::pin(self.assess(invocation, &target)).await {
                Ok(Ok(assessed)) => Dealt::assessed(&target, &assessed),
                Ok(Err(reason)) => Dealt::skipped(&target, reason),
                Err(stopped) => Dealt::failed(&target, &stopped),
            }
        });
        let dealt: Vec<Dealt> = looks.buffered(CONCURRENCY).collect().await;
        dealt.into_iter().partition(|dealt| dealt.report.status != UserStatus::WouldReset)
    }

    /// Resets nobody, and tells operators how to approve it.
    async fn hold(&self, invocation: &Invocation, sweep: &SweepWork, mut dealt: Vec<Dealt>) -> Vec<Dealt> {
        let reason = format!(
            "{} users are to be reset, more than the {} that may be without approval",
            dealt.len(),
            sweep.max_resets
        );
        for dealt in &mut dealt {
            dealt.report.status = UserStatus::Held;
            dealt.report.reason = Some(reason.clone());
        }
        audit_all(&dealt, sweep);
        if sweep.dry_run {
            return dealt;
        }
        let names: Vec<(UserName, Option<u32>)> =
            dealt.iter().filter_map(|dealt| Some((dealt.user_name()?, dealt.report.password_age_days))).collect();
        let users: Vec<HeldUser<'_>> =
            names.iter().map(|(user_name, age)| HeldUser { user_name, password_age_days: *age }).collect();
        let held = Notification::SweepHeld(SweepHeld {
            account_id: &sweep.account_id,
            finding_id: sweep.finding_id.as_deref(),
            max_resets: sweep.max_resets,
            users: &users,
            function_arn: &invocation.function_arn,
        });
        if let Err(error) = self.publish(held).await {
            let reason = format!("the sweep is held, but operators could not be told: {error}");
            dealt.push(sweep.failed(reason, !error.retryable));
        }
        dealt
    }
}

/// Leaves each user to another invocation of this function.
async fn enqueue(queue: &Queue, sweep: &SweepWork, users: &[UserName]) -> Vec<Dealt> {
    let jobs: Vec<Job> = users
        .iter()
        .map(|user| Job::Reset {
            account_id: sweep.account_id.clone(),
            user_name: user.clone(),
            max_age_days: sweep.max_age_days,
        })
        .collect();
    let sent = queue.send(&jobs).await;
    let queued = users.iter().zip(sent).map(|(user, sent)| match sent {
        Ok(()) => Dealt::new(&sweep.target(user), UserStatus::Queued, None),
        Err(error) => Dealt::failed(&sweep.target(user), &Stopped::NotSent(error)),
    });
    queued.collect()
}

fn audit_all(dealt: &[Dealt], sweep: &SweepWork) {
    for dealt in dealt {
        audit(dealt, sweep.finding_id.as_deref());
    }
}

fn names<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<UserName> {
    rows.into_iter().map(|row| row.name.clone()).collect()
}

/// The users whose password was set so lately that a run which should have told
/// them may have been cut short.
fn recent(report: &CredentialReport) -> impl Iterator<Item = &Row> {
    let now = OffsetDateTime::now_utc();
    let is_recent = move |changed| !Age::between(changed, now).older_than(1);
    report.users().filter(move |row| row.password_enabled && row.password_last_changed.is_some_and(is_recent))
}

/// The users with a password that, going by the report, is older than that many
/// days, or whose age the report does not tell.
fn stale(report: &CredentialReport, days: u16) -> impl Iterator<Item = &Row> {
    let now = OffsetDateTime::now_utc();
    report.users().filter(move |row| {
        let is_old = |changed| Age::between(changed, now).older_than(days);
        row.password_enabled && row.password_last_changed.is_none_or(is_old)
    })
}
