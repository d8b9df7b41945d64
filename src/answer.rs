//! What became of each finding, policy and user, and the answer that says so.
//!
//! An outcome is an enum with its data. The words of the contract are made here,
//! where the answer is written, and are never read back.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::account::password_policy::{Change, EffectivePolicy, Withheld};
use crate::account::undo;
use crate::audit::{State, StoredSecret};
use crate::aws::{CallError, NotSent, OutOfReach, Recorded};
use crate::dates::rfc3339;
use crate::event::{IgnoredReason, UserRef};
use crate::identity::{AccountId, UserName};
use crate::reset::Failure;
use crate::reset::SkipReason;
use crate::secret::SecretArn;
use crate::survey::SurveyError;

/// Something that did not come to its end.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Problem {
    #[error("not begun: the invocation is about to run out of time; a retry or the next sweep goes on")]
    OutOfTime,
    #[error(transparent)]
    OutOfReach(#[from] OutOfReach),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Survey(#[from] Arc<SurveyError>),
    #[error(transparent)]
    NotSent(#[from] NotSent),
    #[error(transparent)]
    Reset(#[from] Failure),
    #[error("Security Hub did not take the finding {id}: {code}")]
    NotRaised {
        /// The finding.
        id: String,
        /// What it said.
        code: String,
    },
    #[error("others keep changing the policy; a retry goes on")]
    Contested,
    #[error("{what}, but operators could not be told: {error}")]
    Untold {
        /// What they could not be told of.
        what: &'static str,
        error: CallError,
    },
}

impl Problem {
    /// Whether no retry mends it: a person has to act, and should be told so.
    pub(crate) fn needs_a_person(&self) -> bool {
        match self {
            Self::OutOfTime | Self::Contested | Self::NotRaised { .. } => false,
            Self::OutOfReach(error) => error.needs_a_person(),
            Self::Call(error) | Self::Untold { error, .. } => error.needs_a_person,
            Self::Survey(error) => error.needs_a_person(),
            Self::NotSent(error) => error.needs_a_person(),
            Self::Reset(failure) => failure.needs_a_person(),
        }
    }
}

/// What became of a finding.
#[derive(Debug, Clone)]
pub(crate) struct FindingAnswer {
    /// The finding's id, or its place in the event.
    pub(crate) id: String,
    pub(crate) outcome: FindingOutcome,
}

/// How a finding ended.
#[derive(Debug, Clone)]
pub(crate) enum FindingOutcome {
    /// It was acted on.
    Handled,
    /// It was acted on, and Security Hub does not know that.
    NotRecorded(NotRecorded),
    /// It was passed over.
    Ignored(IgnoredReason),
}

/// Why Security Hub does not know what was done about a finding.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum NotRecorded {
    #[error("not recorded: Security Hub does not know the finding")]
    Unknown,
    #[error("not recorded: Security Hub refused the update: {0}")]
    Refused(String),
    #[error("not recorded: {0}")]
    Call(#[from] CallError),
}

impl FindingAnswer {
    /// Notes whether what was done could be recorded.
    pub(crate) fn recorded(&mut self, recorded: Result<Recorded, CallError>) {
        let problem = match recorded {
            Ok(Recorded::Done | Recorded::NotNeeded) => return,
            Ok(Recorded::Unknown) => NotRecorded::Unknown,
            Ok(Recorded::Refused(code)) => NotRecorded::Refused(code),
            Err(error) => NotRecorded::Call(error),
        };
        tracing::warn!(finding_id = self.id, reason = %problem, "not recorded on the finding");
        self.outcome = FindingOutcome::NotRecorded(problem);
    }

    fn has_failed(&self) -> bool {
        matches!(self.outcome, FindingOutcome::NotRecorded(NotRecorded::Refused(_) | NotRecorded::Call(_)))
    }
}

/// What became of an account's password policy.
#[derive(Debug, Clone)]
pub(crate) struct PolicyAnswer {
    pub(crate) account_id: AccountId,
    pub(crate) outcome: PolicyOutcome,
    /// Each setting that changed, or would.
    pub(crate) changes: Vec<Change>,
    /// What was asked and left as it is.
    pub(crate) withheld: Vec<Withheld>,
    /// The policy before it was written for the first time, if it was.
    pub(crate) previous: Option<EffectivePolicy>,
}

/// How the work on a policy ended.
#[derive(Debug, Clone)]
pub(crate) enum PolicyOutcome {
    /// It is stricter now.
    Strengthened,
    /// It was strict enough.
    Compliant,
    /// It would be made stricter.
    WouldStrengthen,
    /// It could not be read or written, or operators could not be told.
    Failed(Problem),
}

impl PolicyAnswer {
    /// The word in the answer.
    pub(crate) fn status(&self) -> &'static str {
        match self.outcome {
            PolicyOutcome::Strengthened => "strengthened",
            PolicyOutcome::Compliant => "compliant",
            PolicyOutcome::WouldStrengthen => "would-strengthen",
            PolicyOutcome::Failed(_) => "failed",
        }
    }

    /// Why it failed, or what was left as it is.
    pub(crate) fn reason(&self) -> Option<String> {
        match &self.outcome {
            PolicyOutcome::Failed(problem) => Some(problem.to_string()),
            _ if self.withheld.is_empty() => None,
            _ => Some(listed(&self.withheld, " ")),
        }
    }

    /// What changed, or would, in one line.
    pub(crate) fn changes(&self) -> String {
        listed(&self.changes, ", ")
    }

    /// The command that brings the policy back to what it was.
    pub(crate) fn undo(&self) -> Option<String> {
        self.previous.as_ref().map(undo::command)
    }

    /// The problem, if there was one.
    pub(crate) fn problem(&self) -> Option<&Problem> {
        match &self.outcome {
            PolicyOutcome::Failed(problem) => Some(problem),
            _ => None,
        }
    }
}

fn listed(items: &[impl fmt::Display], between: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

/// What became of a user.
#[derive(Debug, Clone)]
pub(crate) struct UserAnswer {
    pub(crate) account_id: AccountId,
    pub(crate) who: Who,
    pub(crate) outcome: UserOutcome,
    /// The age of the password before, in whole days, where IAM tells it.
    pub(crate) password_age_days: Option<u32>,
    /// The secret that holds the user's password, where there is one.
    pub(crate) secret_arn: Option<SecretArn>,
    /// The findings that name the user, by their place in the event.
    pub(crate) findings: Vec<usize>,
    /// Whether a person asked for it, whatever the age.
    pub(crate) is_forced: bool,
}

/// Whom an answer is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// This user.
    User(UserRef),
    /// All users of an account, if not even a list of them could be had.
    Everyone,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(UserRef::Named { name, .. }) => name.fmt(f),
            Self::User(UserRef::Identified { id, .. }) => id.fmt(f),
            // Neither can be the name of an IAM user.
            Self::User(UserRef::Root { .. }) => f.write_str("<root_account>"),
            Self::Everyone => f.write_str("*"),
        }
    }
}

/// How the work on a user ended.
#[derive(Debug, Clone)]
pub(crate) enum UserOutcome {
    /// The password is new, stored and announced.
    Reset,
    /// The password would be reset.
    WouldReset,
    /// The user has to change the password, and was told that it is replaced at
    /// this time.
    ChangeRequired(OffsetDateTime),
    /// The user would have to change the password.
    WouldRequireChange,
    /// Nothing was to be done.
    Skipped(SkipReason),
    /// A person has to approve it first.
    Held(Arc<Held>),
    /// A job for this user is in the queue.
    Queued,
    /// It did not come to its end; a retry goes on.
    Failed(Problem),
}

/// The users of an account who are more than may be reset without approval.
#[derive(Debug)]
pub(crate) struct Held {
    /// All of them, by the key of the name.
    pub(crate) users: BTreeMap<String, HeldUser>,
    /// How many may be reset.
    pub(crate) max_resets: u32,
    /// Why those who are exempt by tag could not be told from the others.
    pub(crate) tags_unread: Option<CallError>,
}

/// A user whose reset a person has to approve.
#[derive(Debug, Clone)]
pub(crate) struct HeldUser {
    pub(crate) name: UserName,
    pub(crate) password_age_days: Option<u32>,
    /// Whether a reset is under way: that is brought to its end all the same.
    pub(crate) is_open: bool,
}

impl Held {
    /// That they are too many.
    pub(crate) fn excess(&self) -> String {
        let (users, max_resets) = (self.users.len(), self.max_resets);
        format!("{users} users are to be reset, more than the {max_resets} that may be without approval")
    }

    /// That some of them may be exempt, if that could not be read.
    pub(crate) fn doubt(&self) -> Option<String> {
        let error = self.tags_unread.as_ref()?;
        Some(format!("who of them is exempt by tag could not be read: {error}"))
    }
}

impl UserAnswer {
    /// What is answered if something went wrong that is nobody's in particular.
    pub(crate) fn of_everyone(account_id: AccountId, problem: Problem) -> Self {
        Self {
            account_id,
            who: Who::Everyone,
            outcome: UserOutcome::Failed(problem),
            password_age_days: None,
            secret_arn: None,
            findings: Vec::new(),
            is_forced: false,
        }
    }

    /// The word in the answer.
    pub(crate) fn status(&self) -> &'static str {
        match self.outcome {
            UserOutcome::Reset => "reset",
            UserOutcome::WouldReset => "would-reset",
            UserOutcome::ChangeRequired(_) => "change-required",
            UserOutcome::WouldRequireChange => "would-require-change",
            UserOutcome::Skipped(_) => "skipped",
            UserOutcome::Held(_) => "held",
            UserOutcome::Queued => "queued",
            UserOutcome::Failed(_) => "failed",
        }
    }

    /// Why nothing was done, or what failed.
    pub(crate) fn reason(&self) -> Option<String> {
        match &self.outcome {
            UserOutcome::Reset
            | UserOutcome::WouldReset
            | UserOutcome::ChangeRequired(_)
            | UserOutcome::WouldRequireChange
            | UserOutcome::Queued => None,
            UserOutcome::Skipped(reason) => Some(reason.as_str().to_owned()),
            UserOutcome::Held(held) => {
                Some([Some(held.excess()), held.doubt()].into_iter().flatten().collect::<Vec<_>>().join("; "))
            }
            UserOutcome::Failed(problem) => Some(problem.to_string()),
        }
    }

    /// The problem, if there was one.
    pub(crate) fn problem(&self) -> Option<&Problem> {
        match &self.outcome {
            UserOutcome::Failed(problem) => Some(problem),
            _ => None,
        }
    }
}

/// What became of a secret that was to be taken over.
#[derive(Debug, Clone)]
pub(crate) struct SecretAnswer {
    pub(crate) account_id: AccountId,
    pub(crate) secret_arn: SecretArn,
    pub(crate) outcome: SecretOutcome,
}

/// How taking a secret over ended.
#[derive(Debug, Clone)]
pub(crate) enum SecretOutcome {
    /// It counts as this function's own from now on.
    Adopted,
    /// It would.
    WouldAdopt,
    /// The ledger knows it already.
    Known,
    /// Its tags and its name do not belong to one user.
    Mismatched,
    /// It could not be read, or the ledger not be written.
    Failed(Problem),
}

impl SecretAnswer {
    pub(crate) fn status(&self) -> &'static str {
        match self.outcome {
            SecretOutcome::Adopted => "adopted",
            SecretOutcome::WouldAdopt => "would-adopt",
            SecretOutcome::Known => "known",
            SecretOutcome::Mismatched => "skipped",
            SecretOutcome::Failed(_) => "failed",
        }
    }

    fn reason(&self) -> Option<String> {
        match &self.outcome {
            SecretOutcome::Mismatched => Some("its name is not that of the user in its tag `iam-user`".to_owned()),
            SecretOutcome::Failed(problem) => Some(problem.to_string()),
            _ => None,
        }
    }
}

/// What an audit found in an account, or what became of a job for it.
#[derive(Debug, Clone)]
pub(crate) struct AccountAnswer {
    pub(crate) account_id: AccountId,
    /// The first thing that went wrong.
    pub(crate) problem: Option<Problem>,
    /// What a person has to see to, and no retry mends.
    pub(crate) notice: Option<String>,
    /// Whether the function cannot get into it, and nobody asked for it by hand.
    pub(crate) is_out_of_reach: bool,
    /// Whether findings can be raised there.
    pub(crate) is_security_hub_on: bool,
    /// Each console user, in the order of their names.
    pub(crate) users: Vec<AuditedUser>,
    /// None if nothing was looked at.
    pub(crate) totals: Option<AuditTotals>,
}

/// A console user as an audit found them.
#[derive(Debug, Clone)]
pub(crate) struct AuditedUser {
    pub(crate) user_name: UserName,
    pub(crate) state: State,
    pub(crate) password_age_days: Option<u32>,
    pub(crate) max_password_age_days: u16,
    /// When the password was set.
    pub(crate) changed: Option<OffsetDateTime>,
    /// When it will be too old, or is replaced.
    pub(crate) due: Option<OffsetDateTime>,
    pub(crate) last_sign_in: Option<OffsetDateTime>,
    pub(crate) mfa: bool,
    /// Id, status and workflow of the finding.
    pub(crate) finding: Option<(String, &'static str, &'static str)>,
    pub(crate) secret: Option<StoredSecret>,
}

/// What an audit counted, and what it did.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct AuditTotals {
    pub(crate) users: usize,
    pub(crate) fresh: usize,
    pub(crate) expiring: usize,
    pub(crate) stale: usize,
    pub(crate) in_grace: usize,
    pub(crate) held: usize,
    pub(crate) exempt: usize,
    pub(crate) unclaimed: usize,
    pub(crate) without_mfa: usize,
    pub(crate) never_signed_in: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) oldest_password_age_days: Option<u32>,
    pub(crate) imported: usize,
    pub(crate) warned: usize,
    pub(crate) reminded: usize,
    pub(crate) tidied: usize,
    pub(crate) enrolled: usize,
    pub(crate) failed: usize,
}

impl AccountAnswer {
    /// What is answered if nothing could be looked at.
    pub(crate) fn failed(account_id: AccountId, problem: Problem) -> Self {
        tracing::error!(%account_id, %problem, "the account could not be audited");
        Self { problem: Some(problem), ..Self::queued(account_id) }
    }

    /// What is answered if another invocation sees to it.
    pub(crate) fn queued(account_id: AccountId) -> Self {
        Self {
            account_id,
            problem: None,
            notice: None,
            is_out_of_reach: false,
            is_security_hub_on: false,
            users: Vec::new(),
            totals: None,
        }
    }

    /// What is answered if the function cannot get into the account: no retry
    /// mends that, and operators were told.
    pub(crate) fn out_of_reach(account_id: AccountId) -> Self {
        Self { is_out_of_reach: true, ..Self::queued(account_id) }
    }

    fn status(&self) -> &'static str {
        match self.totals {
            Some(_) => "audited",
            None if self.is_out_of_reach => "out-of-reach",
            None if self.problem.is_some() => "failed",
            None => "queued",
        }
    }
}

impl Serialize for AccountAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("account_id", &self.account_id)?;
        map.serialize_entry("status", self.status())?;
        if let Some(reason) = self.problem.as_ref().map(ToString::to_string).or_else(|| self.notice.clone()) {
            map.serialize_entry("reason", &reason)?;
        }
        if let Some(totals) = &self.totals {
            map.serialize_entry("security_hub", if self.is_security_hub_on { "on" } else { "off" })?;
            map.serialize_entry("users", &self.users)?;
            map.serialize_entry("totals", totals)?;
        }
        map.end()
    }
}

impl Serialize for AuditedUser {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("user_name", &self.user_name)?;
        map.serialize_entry("state", self.state.as_str())?;
        if let Some(days) = self.password_age_days {
            map.serialize_entry("password_age_days", &days)?;
        }
        map.serialize_entry("max_password_age_days", &self.max_password_age_days)?;
        let dates = [("password_last_changed", self.changed), ("due", self.due), ("last_sign_in", self.last_sign_in)];
        for (name, at) in dates {
            if let Some(at) = at.and_then(rfc3339) {
                map.serialize_entry(name, &at)?;
            }
        }
        map.serialize_entry("mfa", &self.mfa)?;
        if let State::Exempt(exemption) = self.state {
            map.serialize_entry("exempt_because", exemption.as_str())?;
        }
        if let Some((id, status, workflow)) = &self.finding {
            map.serialize_entry("finding", &json!({ "id": id, "status": status, "workflow": workflow }))?;
        }
        if let Some(StoredSecret { arn, is_claimed, stored_at }) = &self.secret {
            let mut secret = json!({ "arn": arn.as_str(), "claimed": is_claimed });
            if let Some(at) = stored_at.and_then(rfc3339) {
                secret["stored_at"] = json!(at);
            }
            map.serialize_entry("secret", &secret)?;
        }
        map.end()
    }
}

/// The answer to an invocation, and what is counted in its metrics.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// Whether anything was to be changed.
    pub(crate) is_dry_run: bool,
    /// Every finding of the event, in its order.
    pub(crate) findings: Vec<FindingAnswer>,
    /// Every account whose password policy was looked at.
    pub(crate) policies: Vec<PolicyAnswer>,
    /// Every user that was looked at.
    pub(crate) users: Vec<UserAnswer>,
    /// Every secret that was to be taken over.
    pub(crate) secrets: Vec<SecretAnswer>,
    /// Every account that was audited, or left to other invocations; none if the
    /// request was another one.
    pub(crate) accounts: Option<Vec<AccountAnswer>>,
    /// Whether a sweep was ordered.
    pub(crate) is_sweep: bool,
}

/// How many users there were of each kind. Everything else that failed counts as
/// failed too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Totals {
    pub(crate) reset: usize,
    pub(crate) change_required: usize,
    pub(crate) skipped: usize,
    pub(crate) held: usize,
    pub(crate) queued: usize,
    pub(crate) failed: usize,
}

impl Answer {
    /// The word for whether anything was to be changed.
    pub(crate) fn mode(&self) -> &'static str {
        if self.is_dry_run { "dry-run" } else { "remediate" }
    }

    /// Counts.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for user in &self.users {
            match user.outcome {
                UserOutcome::Reset => totals.reset += 1,
                UserOutcome::WouldReset | UserOutcome::WouldRequireChange => {}
                UserOutcome::ChangeRequired(_) => totals.change_required += 1,
                UserOutcome::Skipped(_) => totals.skipped += 1,
                UserOutcome::Held(_) => totals.held += 1,
                UserOutcome::Queued => totals.queued += 1,
                UserOutcome::Failed(_) => totals.failed += 1,
            }
        }
        totals.failed += self.policies.iter().filter(|policy| policy.problem().is_some()).count();
        totals.failed += self.findings.iter().filter(|finding| finding.has_failed()).count();
        let has_failed = |secret: &&SecretAnswer| matches!(secret.outcome, SecretOutcome::Failed(_));
        totals.failed += self.secrets.iter().filter(has_failed).count();
        totals.queued += self.accounts.iter().flatten().filter(|account| account.status() == "queued").count();
        totals.failed += self.accounts.iter().flatten().filter(|account| account.problem.is_some()).count();
        totals
    }

    /// How many users ended so.
    pub(crate) fn count(&self, is: impl Fn(&UserOutcome) -> bool) -> usize {
        self.users.iter().filter(|user| is(&user.outcome)).count()
    }

    /// How many findings did not count.
    pub(crate) fn ignored_findings(&self) -> usize {
        self.findings.iter().filter(|finding| matches!(finding.outcome, FindingOutcome::Ignored(_))).count()
    }

    /// How many findings did not count because their account is out of reach.
    pub(crate) fn findings_out_of_reach(&self) -> usize {
        let is_out_of_reach = |finding: &&FindingAnswer| {
            matches!(finding.outcome, FindingOutcome::Ignored(IgnoredReason::AccountOutOfReach))
        };
        self.findings.iter().filter(is_out_of_reach).count()
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = serializer.serialize_map(None)?;
        answer.serialize_entry("mode", self.mode())?;
        answer.serialize_entry("findings", &self.findings)?;
        answer.serialize_entry("policies", &self.policies)?;
        match &self.accounts {
            Some(accounts) => answer.serialize_entry("accounts", accounts)?,
            None => answer.serialize_entry("users", &self.users)?,
        }
        if !self.secrets.is_empty() {
            answer.serialize_entry("secrets", &self.secrets)?;
        }
        answer.serialize_entry("totals", &self.totals())?;
        answer.end()
    }
}

/// A part of the answer as it stands in the JSON document.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_age_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_arn: Option<&'a str>,
}

impl<'a> Entry<'a> {
    fn new(status: &'a str, reason: Option<String>) -> Self {
        Self {
            id: None,
            account_id: None,
            user_name: None,
            status,
            changes: None,
            previous: None,
            undo: None,
            reason,
            password_age_days: None,
            secret_arn: None,
        }
    }
}

impl Serialize for FindingAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (status, reason) = match &self.outcome {
            FindingOutcome::Handled => ("handled", None),
            FindingOutcome::NotRecorded(problem) => ("handled", Some(problem.to_string())),
            FindingOutcome::Ignored(reason) => ("ignored", Some(reason.to_string())),
        };
        Entry { id: Some(&self.id), ..Entry::new(status, reason) }.serialize(serializer)
    }
}

impl Serialize for PolicyAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let changes = Some(self.changes.iter().map(ToString::to_string).collect());
        let account_id = Some(&self.account_id);
        let (previous, undo) = match self.outcome {
            PolicyOutcome::Strengthened => (self.previous.as_ref().map(undo::document), self.undo()),
            _ => (None, None),
        };
        Entry { account_id, changes, previous, undo, ..Entry::new(self.status(), self.reason()) }.serialize(serializer)
    }
}

impl Serialize for UserAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Entry {
            account_id: Some(&self.account_id),
            user_name: Some(self.who.to_string()),
            password_age_days: self.password_age_days,
            secret_arn: self.secret_arn.as_ref().map(SecretArn::as_str),
            ..Entry::new(self.status(), self.reason())
        }
        .serialize(serializer)
    }
}

impl Serialize for SecretAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Entry {
            account_id: Some(&self.account_id),
            secret_arn: Some(self.secret_arn.as_str()),
            ..Entry::new(self.status(), self.reason())
        }
        .serialize(serializer)
    }
}
