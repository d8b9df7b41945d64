//! What an invocation answers: every finding and every user it dealt with, and
//! how that ended.

use serde::Serialize;

use crate::identity::AccountId;

/// The answer to an invocation, and what is counted in its metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Whether anything was to be changed.
    pub mode: AnswerMode,
    /// Every finding of the event, in its order.
    pub findings: Vec<FindingReport>,
    /// Every account whose password policy was looked at.
    pub policies: Vec<PolicyReport>,
    /// Every user that was looked at.
    pub users: Vec<UserReport>,
    /// How many there were of each kind.
    pub totals: Totals,
}

/// Whether an invocation changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerMode {
    /// It changed what had to be changed.
    Remediate,
    /// It only read.
    DryRun,
}

/// What became of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingReport {
    /// The finding's id, or its place in the event.
    pub id: String,
    /// Whether it counted.
    pub status: FindingStatus,
    /// Why it did not count, or what could not be recorded on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether something went wrong that a retry may mend.
    #[serde(skip)]
    pub failed: bool,
}

/// Whether a finding counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingStatus {
    /// It was acted on.
    Handled,
    /// It was passed over.
    Ignored,
}

/// What became of an account's password policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyReport {
    /// The account.
    pub account_id: AccountId,
    /// How it ended.
    pub status: PolicyStatus,
    /// Each setting that changed, or would, as `Setting before -> after`.
    pub changes: Vec<String>,
    /// Why it failed, or what was left as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it failed in a way that no retry mends: a person has to act.
    #[serde(skip)]
    pub needs_a_person: bool,
}

/// How the work on a policy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyStatus {
    /// It is stricter now.
    Strengthened,
    /// It was strict enough.
    Compliant,
    /// It would be made stricter.
    WouldStrengthen,
    /// It could not be read or written.
    Failed,
}

impl PolicyStatus {
    /// The word in the answer.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strengthened => "strengthened",
            Self::Compliant => "compliant",
            Self::WouldStrengthen => "would-strengthen",
            Self::Failed => "failed",
        }
    }
}

/// What became of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserReport {
    /// The user's account.
    pub account_id: AccountId,
    /// The user's name; `<root_account>` for root, the unique id for a user
    /// whose name nobody knows, `*` for all users of a sweep that could not
    /// begin.
    pub user_name: String,
    /// How it ended.
    pub status: UserStatus,
    /// Why nothing was done, or what failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it failed in a way that no retry mends: a person has to act.
    #[serde(skip)]
    pub needs_a_person: bool,
    /// The age of the password before, in whole days, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_age_days: Option<u32>,
    /// The secret that holds the user's password, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_arn: Option<String>,
}

/// How the work on a user ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserStatus {
    /// The password is new, stored and announced.
    Reset,
    /// The password would be reset.
    WouldReset,
    /// Nothing was to be done.
    Skipped,
    /// A person has to approve it first.
    Held,
    /// A job for this user is in the queue.
    Queued,
    /// It did not come to its end; a retry goes on.
    Failed,
}

impl UserStatus {
    /// The word in the answer.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::WouldReset => "would-reset",
            Self::Skipped => "skipped",
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Failed => "failed",
        }
    }
}

/// How many users there were of each kind. Policies that failed and findings
/// that could not be recorded count as failed too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "each is the number of users of that status")]
pub struct Totals {
    pub reset: usize,
    pub skipped: usize,
    pub held: usize,
    pub queued: usize,
    pub failed: usize,
}

impl Answer {
    /// Puts an answer together and counts.
    #[must_use]
    pub fn new(
        mode: AnswerMode,
        findings: Vec<FindingReport>,
        policies: Vec<PolicyReport>,
        users: Vec<UserReport>,
    ) -> Self {
        let mut answer = Self { mode, findings, policies, users, totals: Totals::default() };
        let count = |status| answer.users.iter().filter(|user| user.status == status).count();
        answer.totals = Totals {
            reset: count(UserStatus::Reset),
            skipped: count(UserStatus::Skipped),
            held: count(UserStatus::Held),
            queued: count(UserStatus::Queued),
            failed: answer.failures(),
        };
        answer
    }

    /// How many things went wrong: users, policies and records on findings.
    #[must_use]
    pub fn failures(&self) -> usize {
        let users = self.users.iter().filter(|user| user.status == UserStatus::Failed).count();
        let policies = self.policies.iter().filter(|policy| policy.status == PolicyStatus::Failed).count();
        let findings = self.findings.iter().filter(|finding| finding.failed).count();
        users + policies + findings
    }

    /// How many findings did not count.
    #[must_use]
    pub fn ignored_findings(&self) -> usize {
        self.findings.iter().filter(|finding| finding.status == FindingStatus::Ignored).count()
    }
}
