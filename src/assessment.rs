//! Decides, from what was read, whether a user may be and has to be reset.

use std::fmt;

use time::OffsetDateTime;

use crate::account::credential_report::Age;
use crate::account::password_policy::EffectivePolicy;
use crate::aws::ChangePasswordAccess;
use crate::config::{ChangePasswordGrant, Config};
use crate::identity::UserName;
use crate::reset::{Observed, Step, Verdict, next};
use crate::survey::{AccountFacts, UserFacts};

/// Why a user is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// `EXEMPT_TAG` or `EXEMPT_USERS` says so, or the tags cannot be read.
    Exempt,
    /// The user cannot sign in to the console.
    NoConsolePassword,
    /// There is no such user.
    UserNotFound,
    /// The password is not too old.
    PasswordFresh,
    /// The password in the secret is the one to use.
    AlreadyReset,
    /// The user could not choose a password of their own, and so not sign in.
    CannotChangePassword,
    /// Nobody but the root user can change the root user's password.
    Root,
}

impl SkipReason {
    /// The word in the answer.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exempt => "exempt",
            Self::NoConsolePassword => "no-console-password",
            Self::UserNotFound => "user-not-found",
            Self::PasswordFresh => "password-fresh",
            Self::AlreadyReset => "already-reset",
            Self::CannotChangePassword => "cannot-change-password",
            Self::Root => "root",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Verdict> for SkipReason {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Fresh => Self::PasswordFresh,
            Verdict::AlreadyReset => Self::AlreadyReset,
            Verdict::NoConsolePassword => Self::NoConsolePassword,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// Whether a person wants the reset, however fresh the password.
    pub force: bool,
    /// When that person asked, as the event says in each of its deliveries; a
    /// request by hand does not say.
    pub requested: Option<OffsetDateTime>,
    /// The greatest age in days that the finding's control allows.
    pub max_age_days: Option<u16>,
}

/// The decision about a user.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// The age of the password, where the user has one.
    pub age: Option<Age>,
    /// The limit that it was held against, in days.
    pub max_age_days: u16,
    /// The password policy that a new password has to satisfy.
    pub policy: EffectivePolicy,
    /// What is to be done.
    pub decision: Decision,
}

/// What is to be done about a user.
#[derive(Debug, Clone)]
pub enum Decision {
    /// Leave the user alone.
    Skip(SkipReason),
    /// Run the reset protocol from this state on.
    Reset {
        /// What the protocol starts from.
        observed: Box<Observed>,
        /// Whether the user must first be allowed to change their password.
        grant: bool,
    },
}

/// Decides about a user.
#[must_use]
pub fn assess(user: &UserFacts, account: &AccountFacts, demand: &Demand, config: &Config) -> Assessment {
    let max_age_days = limit(demand.max_age_days, &account.policy, config);
    let decided = |age, decision| Assessment { age, max_age_days, policy: account.policy.clone(), decision };
    let skip = |age, reason| decided(age, Decision::Skip(reason));

    let by_tag = |tags: &Vec<(String, String)>| tags.iter().any(|(key, value)| config.exempt_tag.is(key, value));
    if user.tags.as_ref().is_none_or(by_tag) || is_exempt_by_name(&user.user.name, &user.user.path, config) {
        return skip(None, SkipReason::Exempt);
    }
    let Some(profile) = user.profile else { return skip(None, SkipReason::NoConsolePassword) };

    // The report may lag behind a login profile that was made anew, and knows
    // no date for one that is newer than itself.
    let reported = account.report.user(&user.user.name).and_then(|row| row.password_last_changed);
    let changed = reported.map_or(profile.created, |reported| reported.max(profile.created));
    let age = Age::between(changed, user.read_at);
    let observed = Observed {
        user_id: user.user.id.clone(),
        changed,
        reported: account.report.generated_at(),
        stale: age.older_than(max_age_days),
        force: demand.force,
        requested: demand.requested,
        reset_required: profile.reset_required,
        secret: user.secret.clone(),
        now: user.read_at,
        claimed: None,
        applied: None,
        restored: false,
        contested: false,
        given_up: std::collections::BTreeSet::new(),
    };
    if let Step::Done(verdict) = next(&observed) {
        return skip(Some(age), verdict.into());
    }
    let Some(grant) = grant(user, account, config) else {
        return skip(Some(age), SkipReason::CannotChangePassword);
    };
    decided(Some(age), Decision::Reset { observed: Box::new(observed), grant })
}

/// The greatest age of a password in days: the strictest of what the finding's
/// control, the account's policy and the configuration allow.
#[must_use]
pub fn limit(asked: Option<u16>, policy: &EffectivePolicy, config: &Config) -> u16 {
    [asked, policy.max_age_days()].into_iter().flatten().fold(config.max_password_age_days, u16::min)
}

/// Whether `EXEMPT_USERS` covers the user: the name, the path (`/`, `/a/b/`), or
/// the two together.
#[must_use]
pub fn is_exempt_by_name(name: &UserName, path: &str, config: &Config) -> bool {
    let name = name.as_str();
    [name, path, &format!("{path}{name}")].into_iter().any(|name| config.exempt_users.matches(name))
}

/// Whether the user must be granted `iam:ChangePassword` first; none if a grant
/// would not help or is not wanted.
///
/// Without that permission a user with a password to be changed can sign in to
/// nothing at all. Outside `iam:ChangePassword` itself, the account's setting
/// gives it to everyone, and an explicit deny takes it away in any case
/// ([Permitting users to change their own passwords](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_enable-user-change.html)).
fn grant(user: &UserFacts, account: &AccountFacts, config: &Config) -> Option<bool> {
    match user.change_password {
        ChangePasswordAccess::Denied => None,
        ChangePasswordAccess::Allowed => Some(false),
        ChangePasswordAccess::NotGranted | ChangePasswordAccess::Unknown => {
            if account.policy.allows_users_to_change_password() {
                Some(false)
            } else {
                (config.change_password_grant == ChangePasswordGrant::Attach).then_some(true)
            }
        }
    }
}
