//! Sweeps: every user of an account whose password is too old.

use std::sync::Arc;

use time::OffsetDateTime;

use super::radius::StaleUser;
use super::users::{Demand, Target, Targets, log_decision, stricter};
use super::{App, Invocation};
use crate::answer::{Problem, UserAnswer, UserOutcome, Who};
use crate::assessment::{is_exempt_by_tag, limit};
use crate::aws::Queue;
use crate::event::{Job, UserRef};
use crate::identity::{AccountId, UserName};
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
        let Self { max_age_days, max_resets, .. } = *self;
        self.target(user, Demand::Reset { forced_by: None, max_age_days, max_resets: Some(max_resets) })
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
                    // Whom a finding names besides is answered once, with what
                    // came of that.
                    let decided = decided.into_iter().filter(|answer| match &answer.who {
                        Who::User(user) => !targets.mean(user),
                        Who::Everyone => true,
                    });
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
        // Begun by an earlier run and never ended: that is done whatever the
        // limit, for nobody is reset by it who was not before.
        let open = self.aws.ledger().open(&sweep.account_id, OffsetDateTime::now_utc()).await?;
        let stale = self.stale(invocation, &account, facts, limit_days).await?;
        let held = self.held(invocation, &account, facts, limit_days, sweep.max_resets).await?;
        let tags = match held {
            Some(_) => self.tags(invocation, &account).await.unwrap_or_default(),
            None => Arc::default(),
        };
        let is_tagged = |user: &UserName| is_exempt_by_tag(&user.key(), &tags, &self.config);
        tracing::info!(
            account_id = %sweep.account_id,
            candidates = stale.users.len(),
            held = held.as_ref().map_or(0, |held| held.users.len()),
            open = open.len(),
            max_resets = sweep.max_resets,
            limit_days,
            "sweep"
        );

        let skip = |user: &UserName, reason| sweep.stale(user).answer(UserOutcome::Skipped(reason));
        let mut answers: Vec<UserAnswer> = stale.exempt.iter().map(|user| skip(user, SkipReason::Exempt)).collect();
        let mut due: Vec<&UserName> = Vec::new();
        let mut now = Vec::new();
        for StaleUser { name, is_done, .. } in &stale.users {
            if *is_done {
                answers.push(skip(name, SkipReason::AlreadyReset));
            } else if held.as_ref().is_some_and(|held| held.users.contains_key(&name.key())) {
                now.push(sweep.stale(name));
            } else if is_tagged(name) && !is_one_of(&open, name) {
                answers.push(skip(name, SkipReason::Exempt));
            } else {
                due.push(name);
            }
        }
        now.extend(open.iter().map(|user| sweep.target(user, Demand::Finish)));
        match self.aws.queue() {
            Some(queue) if !sweep.is_dry_run => answers.extend(enqueue(queue, sweep, &due).await),
            _ => now.extend(due.iter().map(|user| sweep.stale(user))),
        }
        log_all(&answers, sweep);
        Ok((answers, now))
    }
}

/// Leaves each user to another invocation of this function.
async fn enqueue(queue: &Queue, sweep: &SweepWork, users: &[&UserName]) -> Vec<UserAnswer> {
    let jobs: Vec<Job> = users
        .iter()
        .map(|user| Job::Reset {
            account_id: sweep.account_id.clone(),
            user_name: (*user).clone(),
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

fn is_one_of(users: &[UserName], user: &UserName) -> bool {
    users.iter().any(|other| other.key() == user.key())
}
