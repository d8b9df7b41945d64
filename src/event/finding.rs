//! What a finding comes to: something to do, or a reason to do nothing.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::account::password_policy::Requirement;
use crate::identity::{AccountId, UserId, UserName};

/// One finding of an event, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Screened {
    /// It asks for something that this function does.
    Wanted(Finding),
    /// It is passed over, for the reason given.
    Ignored(Ignored),
}

/// A finding that counts.
///
/// It is a reason to look, never a proof: whether a password is too old or a
/// policy too weak is read from IAM before anything is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The finding's id as its product gave it: ASFF `Id`, OCSF `finding_info.uid`.
    pub(crate) id: String,
    /// The account that it is about.
    pub(crate) account_id: AccountId,
    /// What it takes to record the outcome in Security Hub.
    pub(crate) reference: FindingRef,
    /// The note that it carries: ASFF `Note.Text`, OCSF `comment`.
    pub(crate) note: Option<String>,
    /// What it asks for.
    pub(crate) ask: Ask,
}

/// What a finding asks for. Every account in it is the finding's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// A stronger password policy for an account. Only Security Hub's own
    /// findings ask for it.
    Policy {
        /// The account whose policy is judged.
        account_id: AccountId,
        /// What the finding's control asks of the policy.
        requirement: Requirement,
    },
    /// New passwords for those of these users whose password is too old.
    PasswordAge {
        /// The users, each once, in the finding's order. Never empty.
        users: Vec<UserRef>,
        /// The age that the finding's control allows, 1 to 1095 days, where its
        /// parameters say so (`MaxPasswordAge`). Only Security Hub's own findings
        /// carry one.
        max_age_days: Option<u16>,
    },
    /// New passwords for these users, however fresh theirs are: a person
    /// selected them.
    ForcedReset {
        /// The users, each once, in the finding's order. Never empty.
        users: Vec<UserRef>,
    },
}

/// A user as an event names them. Whether they exist only IAM can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UserRef {
    /// A user known by name.
    Named {
        /// The account of the user.
        account_id: AccountId,
        /// The name, in the case in which the event has it.
        name: UserName,
    },
    /// A user of whom the event tells the unique id, but no name.
    Identified {
        /// The account of the user.
        account_id: AccountId,
        /// The unique id.
        id: UserId,
    },
    /// The root user, whose password nobody else can reset.
    Root {
        /// The account whose root user is meant.
        account_id: AccountId,
    },
}

impl UserRef {
    /// The account of the user.
    pub(crate) fn account_id(&self) -> &AccountId {
        match self {
            Self::Named { account_id, .. } | Self::Identified { account_id, .. } | Self::Root { account_id } => {
                account_id
            }
        }
    }

    /// What is the same for two references exactly if they mean one user.
    pub(crate) fn key(&self) -> String {
        let account = self.account_id();
        match self {
            Self::Named { name, .. } => format!("{account}/name/{}", name.key()),
            Self::Identified { id, .. } => format!("{account}/id/{id}"),
            Self::Root { .. } => format!("{account}/root"),
        }
    }
}

/// Where a finding is kept and how it stands there: everything that
/// [`BatchUpdateFindings`] or [`BatchUpdateFindingsV2`] needs.
///
/// [`BatchUpdateFindings`]: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
/// [`BatchUpdateFindingsV2`]: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2.html
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FindingRef {
    /// A finding of Security Hub CSPM, in the AWS Security Finding Format.
    Asff {
        /// `Id`.
        id: String,
        /// `ProductArn`.
        product_arn: String,
        /// `Workflow.Status`.
        workflow: Workflow,
    },
    /// A finding of Security Hub (V2), in the Open Cybersecurity Schema Framework.
    Ocsf {
        /// `cloud.account.uid`.
        account_uid: AccountId,
        /// `finding_info.uid`.
        finding_uid: String,
        /// `metadata.product.uid`.
        product_uid: String,
        /// `status_id`, or `status`.
        status: OcsfStatus,
    },
}

/// `Workflow.Status` of an ASFF finding: how far people are with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workflow {
    /// `NEW`, or not said: findings of 2019 have no `Workflow`.
    New,
    /// `NOTIFIED`: the owner has been told.
    Notified,
    /// `RESOLVED`, until the next change from passed to failed.
    Resolved,
    /// `SUPPRESSED`: nobody wants to hear of it.
    Suppressed,
    /// Anything else: not documented, hence not new.
    Other,
}

impl Workflow {
    /// What the text stands for.
    pub(crate) fn of(status: Option<&str>) -> Self {
        match status {
            None | Some("NEW") => Self::New,
            Some("NOTIFIED") => Self::Notified,
            Some("RESOLVED") => Self::Resolved,
            Some("SUPPRESSED") => Self::Suppressed,
            Some(_) => Self::Other,
        }
    }

    /// The word that stands for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Notified => "NOTIFIED",
            Self::Resolved => "RESOLVED",
            Self::Suppressed => "SUPPRESSED",
            Self::Other => "OTHER",
        }
    }
}

/// `status_id` of an
/// [OCSF finding](https://schema.ocsf.io/1.6.0/classes/compliance_finding).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OcsfStatus {
    /// 1, `New`.
    New,
    /// 2, `In Progress`.
    InProgress,
    /// 3, `Suppressed`.
    Suppressed,
    /// 4, `Resolved`.
    Resolved,
    /// 5, `Archived`.
    Archived,
    /// 6, `Deleted`.
    Deleted,
    /// 0, `Unknown`; 99, `Other`; not said, or not documented.
    Other,
}

/// A finding that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ignored {
    /// The finding's id as in [`Finding::id`]; of a finding without one, the
    /// next best there is, or `#` and its place in the event from 0.
    pub(crate) id: String,
    /// Why it does not count.
    pub(crate) reason: IgnoredReason,
    /// More on the reason, fit for a log: at most 400 characters, and with
    /// nothing of the finding but names of fields, documented words, control
    /// ids, account ids and product ARNs.
    pub(crate) detail: String,
}

/// Why a finding does not count, in the order in which it is looked for: of
/// several reasons the first is given. Only what cannot be read at all is
/// [`Malformed`](Self::Malformed) before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IgnoredReason {
    /// Its check did not fail.
    NotFailed,
    /// It is kept as history only.
    Archived,
    /// A person asked not to hear of it.
    Suppressed,
    /// Its owner has been told, or it is resolved.
    AlreadyHandled,
    /// It comes from a product whose findings anyone could have forged, or from
    /// one that speaks for another account.
    UntrustedProduct,
    /// It is about something that this function does not deal with, or does not
    /// take from this product.
    UnsupportedControl,
    /// It is not of the form that it must have, or names nobody to act upon.
    Malformed,
    /// `ACCOUNTS` does not name its account.
    AccountNotEnabled,
    /// The function cannot get into its account. What an event says never shows
    /// that: it is found out by trying.
    AccountOutOfReach,
}

impl IgnoredReason {
    /// The reason as the answer has it, such as `not-failed`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotFailed => "not-failed",
            Self::Archived => "archived",
            Self::Suppressed => "suppressed",
            Self::AlreadyHandled => "already-handled",
            Self::UntrustedProduct => "untrusted-product",
            Self::UnsupportedControl => "unsupported-control",
            Self::Malformed => "malformed",
            Self::AccountNotEnabled => "account-not-enabled",
            Self::AccountOutOfReach => "account-out-of-reach",
        }
    }
}

impl fmt::Display for IgnoredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for IgnoredReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
