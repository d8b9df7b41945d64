//! Sweeps: every user of an account whose password is too old.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt};
use time::OffsetDateTime;

use super::users::{Demand, Target, Targets, log_decision, stricter};
use super::{App, CONCURRENCY, Invocation};
use crate::account::credential_report::{Age, CredentialReport, Row};
use crate::answer::{Problem, UserAnswer, UserOutcome, Who};
use crate::assessment::{is_exempt_by_name, limit};
use crate::aws::{Account, Queue};
use crate::event::{Job, UserRef};
use crate::identity::{AccountId, UserName};
use crate::ledger::{Entry, UserKey};
use crate::notification::{HeldUser, Notification, SweepHeld};
use crate::reset::SkipReason;

/// A sweep of one account.
#[derive(Debug)]
pub(super) struct SweepWork {
    pub(super) account_id: AccountId,
    /// More users than this are held for a person.
    pub(super) max_resets: u32,
    /// The greatest age in days that the finding's control allows.
    pub(super) max_age_days: Option<u16>,
    pub(super) is_dry_run: bool,
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
    fn failed(&self, problem: Problem) -> UserAnswer {
        let answer = UserAnswer::of_everyone(self.account_id.clone(), problem);
        log_decision(&answer, self.finding_id.as_deref());
        answer
    }

    fn target(&self, user: &UserName, demand: Demand) -> Target {
        let user = UserRef::Named { account_id: self.account_id.clone(), name: user.clone() };
        Target::new(user, demand, self.is_dry_run)
    }

    fn stale(&self, user: &UserName) -> Target {
        self.target(user, Demand::Reset { forced_by: None, max_age_days: self.max_age_days })
    }
}

impl App {
    /// Finds out whom the sweeps are about. Answers what is decided already, and
    /// the targets to be dealt with here and now, `targets` among them.
    pub(super) async fn plan_all(
        &self,
        invocation: &Invocation,
        sweeps: Vec<SweepWork>,
        mut targets: Targets,
    ) -> (Vec<UserAnswer>, Targets) {
        let mut answers = Vec::new();
        for sweep in sweeps {
            match self.plan(invocation, &sweep).await {
                Ok((decided, now)) => {
                    answers.extend(decided);
                    for target in now {
                        targets.add(target);
                    }
                }
                Err(problem) => answers.push(sweep.failed(problem)),
            }
        }
        (answers, targets)
    }

    async fn plan(
        &self,
        invocation: &Invocation,
        sweep: &SweepWork,
    ) -> Result<(Vec<UserAnswer>, Vec<Target>), Problem> {
        let account = self.aws.account(&invocation.home, &sweep.account_id).await?;
        let cell = invocation.facts(&sweep.account_id);
        let facts = self.account_facts(invocation, &account, &cell).await?;
        let limit_days = limit(sweep.max_age_days, &facts.policy, &self.config);
        let now = OffsetDateTime::now_utc();
        // Begun by an earlier run and never ended: that is done whatever the
        // limit, for nobody is reset by it who was not before.
        let open = self.aws.ledger().open(&sweep.account_id, now).await?;
        let finish = |user: &UserName| sweep.target(user, Demand::Finish);

        let (exempt, candidates): (Vec<&Row>, Vec<&Row>) = stale(&facts.report, limit_days, now)
            .partition(|row| is_exempt_by_name(&row.name, row.path(), &self.config));
        let mut users: Vec<UserName> = candidates.iter().map(|row| row.name.clone()).collect();
        let entries = self.entries(&sweep.account_id, &users).await?;
        // The report may not show yet who was done since it was made.
        let is_done = |user: &UserName| {
            let entry = entries.get(&UserKey::new(&sweep.account_id, user));
            entry.is_some_and(|entry| is_newer(entry, limit_days, now))
        };
        let done: Vec<UserName> = users.extract_if(.., |user| is_done(user)).collect();
        tracing::info!(
            account_id = %sweep.account_id,
            candidates = users.len(),
            done = done.len(),
            open = open.len(),
            max_resets = sweep.max_resets,
            limit_days,
            "sweep"
        );
        let skip = |user: &UserName, reason| sweep.stale(user).answer(UserOutcome::Skipped(reason));
        let mut answers: Vec<UserAnswer> = exempt.iter().map(|row| skip(&row.name, SkipReason::Exempt)).collect();
        answers.extend(done.iter().map(|user| skip(user, SkipReason::AlreadyReset)));

        if sweep.is_too_many(users.len()) {
            // Some of them may be exempt by tag. Those of whom that cannot be
            // said count as well: they may come next.
            let (decided, mut to_be_reset) = self.rehearse_all(invocation, sweep, &account, users).await;
            // Whose reset is under way is not held, but brought to its end.
            to_be_reset.retain(|answer| !name_of(answer).is_some_and(|name| is_one_of(&open, name)));
            let unknown = decided.iter().filter(|answer| answer.problem().is_some()).count();
            answers.extend(decided);
            if sweep.is_too_many(to_be_reset.len() + unknown) {
                log_all(&answers, sweep);
                answers.extend(self.hold(invocation, sweep, to_be_reset).await);
                return Ok((answers, open.iter().map(finish).collect()));
            }
            users = to_be_reset.iter().filter_map(name_of).cloned().collect();
        }
        log_all(&answers, sweep);

        // A reset that is due brings to its end what is under way.
        let mut now: Vec<Target> = open.iter().filter(|user| !is_one_of(&users, user)).map(finish).collect();
        match self.aws.queue() {
            Some(queue) if !sweep.is_dry_run => {
                let queued = enqueue(queue, sweep, &users).await;
                log_all(&queued, sweep);
                answers.extend(queued);
            }
            _ => now.extend(users.iter().map(|user| sweep.stale(user))),
        }
        Ok((answers, now))
    }

    async fn entries(&self, account_id: &AccountId, users: &[UserName]) -> Result<HashMap<UserKey, Entry>, Problem> {
        let keys: Vec<UserKey> = users.iter().map(|user| UserKey::new(account_id, user)).collect();
        Ok(self.aws.ledger().entries(&keys).await?)
    }

    /// Looks at every user and changes nothing. Answers what is decided already,
    /// and who would be reset.
    async fn rehearse_all(
        &self,
        invocation: &Invocation,
        sweep: &SweepWork,
        account: &Account,
        users: Vec<UserName>,
    ) -> (Vec<UserAnswer>, Vec<UserAnswer>) {
        let looks = stream::iter(users).map(async |user| {
            let target = sweep.stale(&user);
            if invocation.is_ending() {
                return target.failed(Problem::OutOfTime);
            }
            Box::pin(self.rehearse(invocation, &target, account, &user)).await
        });
        let answers: Vec<UserAnswer> = looks.buffered(CONCURRENCY).collect().await;
        answers.into_iter().partition(|answer| !matches!(answer.outcome, UserOutcome::WouldReset))
    }

    /// Resets nobody, and tells operators how to approve it.
    async fn hold(&self, invocation: &Invocation, sweep: &SweepWork, mut answers: Vec<UserAnswer>) -> Vec<UserAnswer> {
        let users = answers.len();
        for answer in &mut answers {
            answer.outcome = UserOutcome::Held { users, allowed: sweep.max_resets };
        }
        log_all(&answers, sweep);
        if sweep.is_dry_run {
            return answers;
        }
        let held = answers.iter().filter_map(|answer| {
            Some(HeldUser { user_name: name_of(answer)?, password_age_days: answer.password_age_days })
        });
        let held: Vec<HeldUser<'_>> = held.collect();
        let told = self.publish(Notification::SweepHeld(SweepHeld {
            account_id: &sweep.account_id,
            finding_id: sweep.finding_id.as_deref(),
            max_resets: sweep.max_resets,
            users: &held,
            function_arn: &invocation.function_arn,
        }));
        if let Err(error) = told.await {
            answers.push(sweep.failed(Problem::Untold { what: "the sweep is held", error }));
        }
        answers
    }
}

/// Leaves each user to another invocation of this function.
async fn enqueue(queue: &Queue, sweep: &SweepWork, users: &[UserName]) -> Vec<UserAnswer> {
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
        Ok(()) => sweep.stale(user).answer(UserOutcome::Queued),
        Err(error) => sweep.stale(user).failed(error),
    });
    queued.collect()
}

fn log_all(answers: &[UserAnswer], sweep: &SweepWork) {
    for answer in answers {
        log_decision(answer, sweep.finding_id.as_deref());
    }
}

fn name_of(answer: &UserAnswer) -> Option<&UserName> {
    match &answer.who {
        Who::User(UserRef::Named { name, .. }) => Some(name),
        _ => None,
    }
}

fn is_one_of(users: &[UserName], user: &UserName) -> bool {
    users.iter().any(|other| other.key() == user.key())
}

/// Whether the ledger knows of a password that is not too old.
fn is_newer(entry: &Entry, limit_days: u16, now: OffsetDateTime) -> bool {
    entry.versions.is_empty()
        && entry.changed_at.is_some_and(|changed| !Age::between(changed, now).older_than(limit_days))
}

/// The users with a password that, going by the report, is older than that many
/// days, or whose age the report does not tell.
fn stale(report: &CredentialReport, days: u16, now: OffsetDateTime) -> impl Iterator<Item = &Row> {
    report.users().filter(move |row| {
        let is_old = |changed| Age::between(changed, now).older_than(days);
        row.password_enabled && row.password_last_changed.is_none_or(is_old)
    })
}
