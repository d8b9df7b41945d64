//! How many users of an account are reset without a person: all at once no more
//! than `MAX_RESETS_PER_SWEEP`, whatever asks for it.
//!
//! The credential report, which is read anyway, tells whose passwords are too
//! old. Only if those are too many is the ledger asked who of them does not
//! count, and only if they still are, IAM for everyone's tags.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;
use tokio::sync::OnceCell;

use super::users::{Demand, Target};
use super::{App, Findings, Invocation};
use crate::account::credential_report::{Age, CredentialReport, Row};
use crate::answer::{Held, HeldUser, Problem, UserAnswer, UserOutcome};
use crate::assessment::{is_exempt_by_name, is_exempt_by_tag, limit};
use crate::aws::{Account, AllTags, CallError};
use crate::identity::{AccountId, UserName};
use crate::ledger::{Entry, UserKey};
use crate::notification::{self, Kind, Notification, SweepHeld};
use crate::survey::AccountFacts;

/// What was found out about accounts, once in an invocation.
#[derive(Debug, Default)]
pub(super) struct Radius {
    /// By account and limit in days.
    stale: Cells<(AccountId, u16), Result<Arc<Stale>, Problem>>,
    tags: Cells<AccountId, Result<Arc<AllTags>, CallError>>,
    /// By account, limit in days and how many may be reset.
    held: Cells<(AccountId, u16, u32), Counted>,
}

/// Who waits for a person; none if they are few enough.
type Counted = Result<Option<Arc<Held>>, Problem>;

/// Values that are worked out once, each when it is first wanted.
#[derive(Debug)]
struct Cells<K, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

impl<K, V> Default for Cells<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Cells<K, V> {
    async fn get_or_init(&self, key: K, init: impl Future<Output = V>) -> V {
        let cell = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        cell.get_or_init(|| init).await.clone()
    }
}

/// The users of an account with a password that, going by the report, is older
/// than so many days, or whose age the report does not tell.
#[derive(Debug)]
pub(super) struct Stale {
    /// Whom `EXEMPT_USERS` covers.
    pub(super) exempt: Vec<UserName>,
    /// The others.
    pub(super) users: Vec<StaleUser>,
}

#[derive(Debug)]
pub(super) struct StaleUser {
    pub(super) name: UserName,
    age_days: Option<u32>,
    /// Whether a reset is under way.
    is_open: bool,
    /// Whether the ledger knows of a password that is not too old.
    pub(super) is_done: bool,
    /// Whether the user counts against the limit. Not who was reset and is not
    /// known to have set a password since, and not whose grace has begun: they
    /// counted then.
    counts: bool,
}

impl StaleUser {
    fn new(row: &Row, entry: Option<&Entry>, limit_days: u16, now: OffsetDateTime) -> Self {
        let reported = row.password_last_changed;
        let is_open = entry.is_some_and(|entry| !entry.versions.is_empty());
        let ahead = entry.filter(|entry| entry.is_ahead_of(reported));
        let is_new = |entry: &Entry| entry.changed_at.is_some_and(|changed| !is_too_old(changed, limit_days, now));
        let in_grace = entry.is_some_and(|entry| entry.grace_of(reported).is_some());
        Self {
            name: row.name.clone(),
            age_days: reported.map(|changed| Age::between(changed, now).whole_days()),
            is_open,
            is_done: !is_open && ahead.is_some_and(is_new),
            counts: ahead.is_none() && !in_grace,
        }
    }
}

fn is_too_old(changed: OffsetDateTime, limit_days: u16, now: OffsetDateTime) -> bool {
    Age::between(changed, now).older_than(limit_days)
}

fn stale(report: &CredentialReport, limit_days: u16, now: OffsetDateTime) -> impl Iterator<Item = &Row> {
    report.users().filter(move |row| {
        row.password_enabled && row.password_last_changed.is_none_or(|changed| is_too_old(changed, limit_days, now))
    })
}

impl App {
    /// Whose passwords are too old, and what the ledger knows of them.
    pub(super) async fn stale(
        &self,
        invocation: &Invocation,
        account: &Account,
        facts: &AccountFacts,
        limit_days: u16,
    ) -> Result<Arc<Stale>, Problem> {
        let read = async {
            let now = OffsetDateTime::now_utc();
            let is_exempt = |row: &&Row| is_exempt_by_name(&row.name, row.path(), &self.config);
            let (exempt, others): (Vec<&Row>, Vec<&Row>) = stale(&facts.report, limit_days, now).partition(is_exempt);
            let keys: Vec<UserKey> = others.iter().map(|row| UserKey::new(&account.id, &row.name)).collect();
            let entries = self.aws.ledger().entries(&keys).await?;
            let users =
                others.iter().zip(&keys).map(|(row, key)| StaleUser::new(row, entries.get(key), limit_days, now));
            let exempt = exempt.iter().map(|row| row.name.clone()).collect();
            Ok(Arc::new(Stale { exempt, users: users.collect() }))
        };
        invocation.radius.stale.get_or_init((account.id.clone(), limit_days), read).await
    }

    /// The tags of all users of the account.
    pub(super) async fn tags(&self, invocation: &Invocation, account: &Account) -> Result<Arc<AllTags>, CallError> {
        let read = async { account.iam.all_tags().await.map(Arc::new) };
        invocation.radius.tags.get_or_init(account.id.clone(), read).await
    }

    /// Who waits for a person, because they are more than `max_resets`.
    pub(super) async fn held(
        &self,
        invocation: &Invocation,
        account: &Account,
        facts: &AccountFacts,
        limit_days: u16,
        max_resets: u32,
    ) -> Counted {
        let count = async {
            let is_within = |users: usize| u32::try_from(users).is_ok_and(|users| users <= max_resets);
            let reported = stale(&facts.report, limit_days, OffsetDateTime::now_utc());
            if is_within(reported.filter(|row| !is_exempt_by_name(&row.name, row.path(), &self.config)).count()) {
                return Ok(None);
            }
            let stale = self.stale(invocation, account, facts, limit_days).await?;
            let mut users: BTreeMap<String, HeldUser> = BTreeMap::new();
            for user in stale.users.iter().filter(|user| user.counts) {
                let StaleUser { name, age_days, is_open, .. } = user;
                let held = HeldUser { name: name.clone(), password_age_days: *age_days, is_open: *is_open };
                users.insert(name.key(), held);
            }
            if is_within(users.len()) {
                return Ok(None);
            }
            let tags_unread = match self.tags(invocation, account).await {
                Ok(tags) => {
                    users.retain(|key, _| !is_exempt_by_tag(key, &tags, &self.config));
                    None
                }
                // Any of them may be exempt: they count, and a person is told.
                Err(error) if error.needs_a_person => Some(error),
                Err(error) => return Err(error.into()),
            };
            tracing::info!(account_id = %account.id, users = users.len(), max_resets, limit_days, "stale users counted");
            Ok((!is_within(users.len())).then(|| Arc::new(Held { users, max_resets, tags_unread })))
        };
        invocation.radius.held.get_or_init((account.id.clone(), limit_days, max_resets), Box::pin(count)).await
    }

    /// Who waits for a person, if the target is one of them.
    pub(super) async fn held_with(
        &self,
        invocation: &Invocation,
        target: &Target,
        account: &Account,
        name: &UserName,
    ) -> Result<Option<(Arc<Held>, HeldUser)>, Problem> {
        let Demand::Reset { forced_by: None, max_age_days, max_resets: Some(max_resets) } = target.demand else {
            return Ok(None);
        };
        let cell = invocation.facts(&account.id);
        let facts = self.account_facts(invocation, account, &cell).await?;
        let limit_days = limit(max_age_days, &facts.policy, &self.config);
        let held = self.held(invocation, account, facts, limit_days, max_resets).await?;
        Ok(held.and_then(|held| {
            let user = held.users.get(&name.key()).cloned()?;
            Some((held, user))
        }))
    }

    /// Tells operators who is held and how to approve it: once a day and account.
    /// Answers what could not be told.
    pub(super) async fn tell_of_held(
        &self,
        invocation: &Invocation,
        answers: &[UserAnswer],
        findings: &Findings,
    ) -> Vec<UserAnswer> {
        let mut accounts: BTreeMap<&AccountId, (&Held, Option<&str>)> = BTreeMap::new();
        for answer in answers {
            if let UserOutcome::Held(held) = &answer.outcome {
                let finding_id = answer.findings.first().map(|place| findings.id(*place));
                accounts.entry(&answer.account_id).or_insert((held, finding_id));
            }
        }
        let mut untold = Vec::new();
        for (account_id, (held, finding_id)) in accounts {
            if let Err(error) = self.tell_once(invocation, account_id, held, finding_id).await {
                let problem = Problem::Untold { what: "users are held", error };
                untold.push(UserAnswer::of_everyone(account_id.clone(), problem));
            }
        }
        untold
    }

    async fn tell_once(
        &self,
        invocation: &Invocation,
        account_id: &AccountId,
        held: &Held,
        finding_id: Option<&str>,
    ) -> Result<(), CallError> {
        let users: Vec<notification::HeldUser<'_>> = held
            .users
            .values()
            .map(|user| notification::HeldUser { user_name: &user.name, password_age_days: user.password_age_days })
            .collect();
        let tags_unread = held.tags_unread.as_ref().map(ToString::to_string);
        let notification = Notification::SweepHeld(SweepHeld {
            account_id,
            finding_id,
            max_resets: held.max_resets,
            users: &users,
            tags_unread: tags_unread.as_deref(),
            function_arn: &invocation.function_arn,
        });
        self.publish_once_a_day(Kind::SweepHeld.as_str(), account_id, notification).await
    }
}
