//! Audits: look at every console user and every stored password of an account,
//! keep the function's own findings up to date, warn, remind, tidy.
//!
//! An audit changes no password. Its findings lead to that.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use time::OffsetDateTime;

use super::{App, CONCURRENCY, Invocation};
use crate::account::credential_report::{Age, Row};
use crate::answer::{AccountAnswer, AuditTotals, AuditedUser, Held, Problem};
use crate::assessment::{is_exempt_by_name, is_exempt_by_tag, limit};
use crate::audit::{self, Change, Exemption, Facts, Raised, Rules, Standing, State, Status, StoredSecret};
use crate::aws::{Account, AllTags, CallError, ListedSecret, Recorded, Subject};
use crate::event::{AuditOrder, Workflow};
use crate::identity::{AccountId, UserName};
use crate::ledger::{Entry, Told, UserKey};
use crate::notification::{Notification, PasswordExpiring, PasswordUnclaimed};
use crate::reset::{Ending, Failure};
use crate::secret::SecretState;
use crate::survey::AccountFacts;

/// All that was read of an account.
struct Books {
    limit_days: u16,
    now: OffsetDateTime,
    /// None: the tags may not be read.
    tags: Option<Arc<AllTags>>,
    /// None: Security Hub is off. By their ids.
    raised: Option<HashMap<String, Raised>>,
    known: HashMap<UserKey, (Entry, Told)>,
    /// By the keys of the users that they are for.
    secrets: HashMap<UserKey, ListedSecret>,
    /// Whoever waits for a person; none if they are few enough.
    held: Option<Arc<Held>>,
}

/// A console user, and how they stand.
struct User<'a> {
    key: UserKey,
    finding_id: String,
    row: &'a Row,
    entry: Entry,
    told: Told,
    /// The secret that holds a password of ours, unless it is on its way out.
    secret: Option<&'a SecretState>,
    standing: Standing,
    raised: Option<&'a Raised>,
    changes: Vec<Change>,
}

/// What an audit did, and what went wrong.
#[derive(Debug, Default)]
struct Done {
    totals: AuditTotals,
    problem: Option<Problem>,
    /// What a person has to see to, and no retry mends.
    notice: Option<String>,
}

impl Done {
    fn fails(&mut self, problem: Problem) {
        tracing::error!(%problem, "a part of the audit failed");
        self.totals.failed += 1;
        self.problem.get_or_insert(problem);
    }
}

impl App {
    /// Audits an account. Whatever fails, the rest is done, and the next audit
    /// does what is left.
    pub(super) async fn audit(&self, invocation: &Invocation, order: &AuditOrder, is_dry_run: bool) -> AccountAnswer {
        let id = &order.account_id;
        let account = match self.aws.account(&invocation.home, id).await {
            Ok(account) => account,
            Err(error) => return AccountAnswer::failed(id.clone(), error.into()),
        };
        let cell = invocation.facts(id);
        let facts = match self.account_facts(invocation, &account, &cell).await {
            Ok(facts) => facts,
            Err(error) => return AccountAnswer::failed(id.clone(), error.into()),
        };
        let books = match self.read_books(invocation, &account, facts).await {
            Ok(books) => books,
            Err(problem) => return AccountAnswer::failed(id.clone(), problem),
        };
        let rules = Rules {
            limit_days: books.limit_days,
            warn_days: &self.config.warn_days,
            claim_days: self.config.claim_days,
            now: books.now,
        };
        let rows = facts.report.users().filter(|row| row.password_enabled);
        let users: Vec<User<'_>> = rows.map(|row| self.user(&account, &books, row, &rules)).collect();
        let mut done = Done::default();
        if !is_dry_run {
            self.raise_all(invocation, &account, &books, &users, &mut done).await;
            self.tell_all(invocation, &account, &users, &rules, &mut done).await;
            self.tidy_all(invocation, &account, &books, &users, &mut done).await;
            self.enrol_all(&account, &books, &users, &mut done).await;
        }
        let answer = answer(id, &books, &users, &rules, done);
        tracing::info!(account_id = %id, users = users.len(), totals = ?answer.totals.unwrap_or_default(), "audit");
        answer
    }

    async fn read_books(
        &self,
        invocation: &Invocation,
        account: &Account,
        facts: &AccountFacts,
    ) -> Result<Books, Problem> {
        let limit_days = limit(None, &facts.policy, &self.config);
        let prefix = format!("{}/{}/", self.config.secret_prefix, account.id);
        // The findings first: a reset that comes in between shows in the ledger.
        let (raised, tags, listed) = tokio::join!(
            account.security_hub.own_findings(&account.id),
            self.tags(invocation, account),
            account.secrets.list(&prefix),
        );
        let tags = match tags {
            Ok(tags) => Some(tags),
            Err(error) if error.needs_a_person => {
                tracing::warn!(%error, "the users' tags cannot be read: all users count as exempt");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let raised = raised?;
        if raised.is_none() {
            tracing::warn!(account_id = %account.id, "Security Hub is off: the audit raises no findings");
        }
        let owner = |secret: &ListedSecret| Some(UserKey::new(&account.id, secret.user.as_ref()?));
        let secrets: HashMap<UserKey, ListedSecret> =
            listed?.into_iter().filter_map(|secret| Some((owner(&secret)?, secret))).collect();
        let reported = facts.report.users().map(|row| UserKey::new(&account.id, &row.name));
        let keys: BTreeSet<UserKey> = reported.chain(secrets.keys().cloned()).collect();
        let keys: Vec<UserKey> = keys.into_iter().collect();
        let known = self.aws.ledger().entries_and_told(&keys).await?;
        let held = self.held(invocation, account, facts, limit_days, self.config.max_resets_per_sweep).await?;
        Ok(Books {
            limit_days,
            now: OffsetDateTime::now_utc(),
            tags,
            raised: raised.map(|raised| raised.into_iter().map(|raised| (raised.id.clone(), raised)).collect()),
            known,
            secrets,
            held,
        })
    }

    fn user<'a>(&self, account: &Account, books: &'a Books, row: &'a Row, rules: &Rules<'_>) -> User<'a> {
        let key = UserKey::new(&account.id, &row.name);
        let name_key = row.name.key();
        let finding_id = audit::finding_id(&account.id, &row.name);
        let (entry, told) = books.known.get(&key).cloned().unwrap_or_default();
        let exemption = match &books.tags {
            _ if is_exempt_by_name(&row.name, row.path(), &self.config) => Some(Exemption::Name),
            None => Some(Exemption::TagsUnreadable),
            Some(tags) => is_exempt_by_tag(&name_key, tags, &self.config).then_some(Exemption::Tag),
        };
        let listed = books.secrets.get(&key).map(|listed| &listed.state);
        let is_ours = |secret: &&SecretState| entry.secret_arn.as_ref() == Some(&secret.arn) && !secret.deleted;
        let secret = listed.filter(is_ours);
        let raised = books.raised.as_ref().and_then(|raised| raised.get(&finding_id));
        let facts = Facts {
            row,
            entry: &entry,
            exemption,
            raised,
            is_held: books.held.as_ref().is_some_and(|held| held.users.contains_key(&name_key)),
            has_secret: secret.is_some(),
            is_begun: entry.is_begun(listed),
        };
        let standing = audit::stand(&facts, rules);
        let changes = if books.raised.is_some() { audit::changes(&facts, &standing, rules) } else { Vec::new() };
        User { key, finding_id, row, entry, told, secret, standing, raised, changes }
    }

    /// Brings the findings up to date, those of users who are gone among them.
    async fn raise_all(
        &self,
        invocation: &Invocation,
        account: &Account,
        books: &Books,
        users: &[User<'_>],
        done: &mut Done,
    ) {
        let Some(raised) = &books.raised else { return };
        let home = &invocation.home;
        let mut imports = Vec::new();
        let mut workflows = Vec::new();
        for user in users {
            let subject = || Subject {
                finding_id: user.finding_id.clone(),
                user: user.row.name.clone(),
                arn: user.row.arn.clone(),
                path: user.row.path().to_owned(),
            };
            for change in &user.changes {
                match change {
                    Change::Import(statement) => imports.push((subject(), (**statement).clone())),
                    Change::SetWorkflow(workflow, note) => workflows.push((user.finding_id.clone(), *workflow, *note)),
                }
            }
        }
        let here: HashSet<&String> = users.iter().map(|user| &user.finding_id).collect();
        for gone in raised.values().filter(|raised| !here.contains(&raised.id)) {
            let name = gone.id.rsplit('/').next().and_then(|name| name.parse::<UserName>().ok());
            if let (Some(user), Some(Change::Import(statement))) = (name, audit::of_nobody(gone)) {
                let arn = format!("arn:{}:iam::{}:user/{user}", home.partition, account.id);
                imports.push((Subject { finding_id: gone.id.clone(), user, arn, path: "/".to_owned() }, *statement));
            }
        }
        done.totals.imported = imports.len();
        match account.security_hub.import(home, &account.id, &imports).await {
            Ok(refused) => {
                for (id, code) in refused {
                    done.totals.imported -= 1;
                    done.fails(Problem::NotRaised { id, code });
                }
            }
            Err(error) => {
                done.totals.imported = 0;
                done.fails(error.into());
            }
        }
        // After the import: a status that passes and fails again sets it, too.
        let set = stream::iter(workflows).map(async |(id, workflow, note)| {
            let recorded = account.security_hub.set_workflow(home, &account.id, &id, workflow, note).await;
            match recorded {
                Ok(Recorded::Done | Recorded::NotNeeded) => None,
                Ok(Recorded::Unknown) => Some(Problem::NotRaised { id, code: "FindingNotFound".to_owned() }),
                Ok(Recorded::Refused(code)) => Some(Problem::NotRaised { id, code }),
                Err(error) => Some(error.into()),
            }
        });
        let problems: Vec<Problem> = set.buffer_unordered(CONCURRENCY).filter_map(std::future::ready).collect().await;
        for problem in problems {
            done.fails(problem);
        }
    }

    /// Warns of passwords that will be too old, and reminds of those that were
    /// not used. What the ledger cannot be told is told the user again.
    async fn tell_all(
        &self,
        invocation: &Invocation,
        account: &Account,
        users: &[User<'_>],
        rules: &Rules<'_>,
        done: &mut Done,
    ) {
        let tell = stream::iter(users).map(async |user| self.tell_user(invocation, account, user, rules).await);
        let all: Vec<Done> = tell.buffer_unordered(CONCURRENCY).collect().await;
        for one in all {
            done.totals.warned += one.totals.warned;
            done.totals.reminded += one.totals.reminded;
            done.totals.failed += one.totals.failed;
            done.problem = done.problem.take().or(one.problem);
        }
    }

    async fn tell_user(&self, invocation: &Invocation, account: &Account, user: &User<'_>, rules: &Rules<'_>) -> Done {
        let (account_id, partition, user_name) = (&account.id, invocation.home.partition, &user.row.name);
        let ledger = self.aws.ledger();
        let mut done = Done::default();
        let warning = audit::warning(&user.standing, &user.told, rules).zip(user.standing.due);
        let reminder = audit::reminder(&user.standing, &user.told, rules).zip(user.secret);
        if (warning.is_some() || reminder.is_some()) && invocation.is_ending() {
            done.fails(Problem::OutOfTime);
            return done;
        }
        if let Some((warning, due_at)) = warning {
            let notification = Notification::PasswordExpiring(PasswordExpiring {
                account_id,
                partition,
                user_name,
                password_age_days: Age::between(warning.changed, rules.now).whole_days(),
                max_password_age_days: rules.limit_days,
                grace_days: self.config.grace_days,
                due_at,
            });
            done.totals.warned = self.tell_and_note(notification, ledger.warned(&user.key, warning), &mut done).await;
        }
        if let Some((stored_at, secret)) = reminder {
            let notification = Notification::PasswordUnclaimed(PasswordUnclaimed {
                account_id,
                partition,
                user_name,
                secret_arn: &secret.arn,
                stored_at,
                days: Age::between(stored_at, rules.now).whole_days(),
            });
            done.totals.reminded =
                self.tell_and_note(notification, ledger.reminded(&user.key, stored_at), &mut done).await;
        }
        done
    }

    /// Sends a message and notes that down: how many were sent.
    async fn tell_and_note(
        &self,
        notification: Notification<'_>,
        note: impl Future<Output = Result<(), CallError>>,
        done: &mut Done,
    ) -> usize {
        if let Err(error) = self.publish(notification).await {
            done.fails(error.into());
            return 0;
        }
        if let Err(error) = note.await {
            done.fails(error.into());
        }
        1
    }

    /// Schedules the secrets for deletion that nobody needs any more. Each is
    /// looked at again under its user's lease.
    async fn tidy_all(
        &self,
        invocation: &Invocation,
        account: &Account,
        books: &Books,
        users: &[User<'_>],
        done: &mut Done,
    ) {
        let by_key: HashMap<&UserKey, &Row> = users.iter().map(|user| (&user.key, user.row)).collect();
        let candidates = books.secrets.iter().filter_map(|(key, secret)| {
            let (entry, _) = books.known.get(key)?;
            let is_ours = entry.owns(&secret.state) && !secret.state.deleted;
            // Someone without a console password has no row here, nor has who is gone.
            let is_used = by_key.get(key).is_none_or(|row| entry.is_overtaken_by(row.password_last_changed));
            (is_ours && is_used).then_some(secret.user.as_ref()?)
        });
        let runs = stream::iter(candidates).map(async |name| {
            if invocation.is_ending() {
                return Err(Problem::OutOfTime);
            }
            match Box::pin(self.tidy(invocation, account, name)).await {
                Ending::Retired(secret_arn) => {
                    tracing::info!(account_id = %account.id, user_name = %name, %secret_arn, "secret scheduled for deletion");
                    Ok(true)
                }
                // Another run is at work on the user: the next audit looks again.
                Ending::Failed(Failure::Busy, _) => Ok(false),
                Ending::Failed(failure, _) => Err(Problem::from(failure)),
                _ => Ok(false),
            }
        });
        let runs: Vec<Result<bool, Problem>> = runs.buffer_unordered(CONCURRENCY).collect().await;
        for run in runs {
            match run {
                Ok(is_tidied) => done.totals.tidied += usize::from(is_tidied),
                Err(problem) => done.fails(problem),
            }
        }
    }

    async fn enrol_all(&self, account: &Account, books: &Books, users: &[User<'_>], done: &mut Done) {
        // Without tags nobody knows who is gone.
        let Some(tags) = &books.tags else { return };
        let names: Vec<&UserName> = users.iter().map(|user| &user.row.name).collect();
        match self.enrol(account, tags, &names).await {
            Ok(enrolled) => {
                done.totals.enrolled = enrolled.users;
                if let Some(notice) = enrolled.notice {
                    tracing::error!(account_id = %account.id, notice, "enrolling");
                    done.notice = Some(notice);
                }
            }
            Err(error) => done.fails(error.into()),
        }
    }
}

fn answer(id: &AccountId, books: &Books, users: &[User<'_>], rules: &Rules<'_>, done: Done) -> AccountAnswer {
    let mut totals = done.totals;
    // The report gives them in the order of their names.
    let mut audited = Vec::with_capacity(users.len());
    totals.users = users.len();
    for user in users {
        let Standing { state, changed, due, is_unclaimed, .. } = user.standing;
        let age = changed.map(|at| Age::between(at, rules.now).whole_days());
        match state {
            State::Fresh => totals.fresh += 1,
            State::Expiring => totals.expiring += 1,
            State::Stale => totals.stale += 1,
            State::InGrace => totals.in_grace += 1,
            State::Held => totals.held += 1,
            State::Exempt(_) => totals.exempt += 1,
        }
        totals.unclaimed += usize::from(is_unclaimed);
        totals.without_mfa += usize::from(!user.row.mfa_active);
        totals.never_signed_in += usize::from(user.row.last_sign_in.is_none());
        totals.oldest_password_age_days = totals.oldest_password_age_days.max(age);
        let stated = user.changes.iter().find_map(|change| match change {
            Change::Import(statement) => Some((statement.status, statement.is_archived)),
            Change::SetWorkflow(..) => None,
        });
        let workflow = user.changes.iter().rev().find_map(|change| match change {
            Change::SetWorkflow(workflow, _) => Some(*workflow),
            Change::Import(_) => None,
        });
        let status = match (stated, user.raised) {
            (Some((_, true)), _) => Some("ARCHIVED"),
            (Some((status, false)), _) => Some(status.as_str()),
            (None, Some(raised)) => raised.status.map(Status::as_str),
            (None, None) => None,
        };
        let finding = status.map(|status| {
            let before = user.raised.map_or(Workflow::New, |raised| raised.workflow);
            (user.finding_id.clone(), status, workflow.unwrap_or(before).as_str())
        });
        let secret = user.secret.map(|secret| StoredSecret {
            arn: secret.arn.clone(),
            is_claimed: !is_unclaimed,
            stored_at: user.entry.changed_at,
        });
        audited.push(AuditedUser {
            user_name: user.row.name.clone(),
            state,
            password_age_days: age,
            max_password_age_days: rules.limit_days,
            changed,
            due,
            last_sign_in: user.row.last_sign_in,
            mfa: user.row.mfa_active,
            finding,
            secret,
        });
    }
    AccountAnswer {
        account_id: id.clone(),
        problem: done.problem,
        notice: done.notice,
        is_out_of_reach: false,
        is_security_hub_on: books.raised.is_some(),
        users: audited,
        totals: Some(totals),
    }
}
