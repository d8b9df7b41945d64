//! Works out, from what was read, how a user stands: what
//! [`crate::reset::decide`] decides by.

use time::OffsetDateTime;

use crate::account::credential_report::Age;
use crate::account::password_policy::EffectivePolicy;
use crate::aws::{AllTags, ChangePasswordAccess};
use crate::config::{ChangePasswordGrant, Config};
use crate::identity::UserName;
use crate::reset::{ChangePassword, ConsoleUser, Look, Standing};
use crate::secret;
use crate::survey::{AccountFacts, UserFacts};

/// How a user stands. `limit_days` is how old a password may be; `is_served`
/// tells whether the ledger knows the request as carried out.
#[must_use]
pub(crate) fn assess(
    user: &UserFacts,
    account: &AccountFacts,
    limit_days: u16,
    is_served: bool,
    config: &Config,
) -> Look {
    let standing = match user.profile {
        None => Standing::NoConsolePassword,
        Some(profile) => Standing::Console(ConsoleUser {
            is_exempt: is_exempt(user, config),
            is_demanded: profile.reset_required,
            change_password: change_password(user, account, config),
            changed: changed(user, account, profile.created, limit_days),
            limit_days,
            grace_days: config.grace_days,
            now: user.read_at,
        }),
    };
    let tags = secret::tags(&user.account_id, &user.user.name);
    let is_untagged = user.secret.as_ref().is_some_and(|secret| !secret.has_tags(&tags));
    Look { standing, secret: user.secret.clone(), is_untagged, is_served }
}

fn is_exempt(user: &UserFacts, config: &Config) -> bool {
    user.tags.as_ref().is_none_or(|tags| config.exempt_tag.is_one_of(tags))
        || is_exempt_by_name(&user.user.name, &user.user.path, config)
}

/// When the password was set, as far as IAM tells.
///
/// The report lags behind a login profile that was made anew. A user who is not
/// in the report at all is newer than it, or has a new name; then nobody can
/// tell the date, unless even the login profile is young.
fn changed(
    user: &UserFacts,
    account: &AccountFacts,
    profile_created: OffsetDateTime,
    limit_days: u16,
) -> Option<OffsetDateTime> {
    match account.report.user(&user.user.name) {
        Some(row) => Some(row.password_last_changed.map_or(profile_created, |at| at.max(profile_created))),
        None if Age::between(profile_created, user.read_at).older_than(limit_days) => None,
        None => Some(profile_created),
    }
}

/// The greatest age of a password in days: the strictest of what the finding's
/// control, the account's policy and the configuration allow.
#[must_use]
pub(crate) fn limit(asked: Option<u16>, policy: &EffectivePolicy, config: &Config) -> u16 {
    [asked, policy.max_age_days()].into_iter().flatten().fold(config.max_password_age_days, u16::min)
}

/// Whether `EXEMPT_USERS` covers the user: the name, the path (`/`, `/a/b/`), or
/// the two together.
#[must_use]
pub(crate) fn is_exempt_by_name(name: &UserName, path: &str, config: &Config) -> bool {
    let name = name.as_str();
    [name, path, &format!("{path}{name}")].into_iter().any(|name| config.exempt_users.matches(name))
}

/// Whether `EXEMPT_TAG` is among the tags of the user with this key.
#[must_use]
pub(crate) fn is_exempt_by_tag(key: &str, tags: &AllTags, config: &Config) -> bool {
    tags.get(key).is_some_and(|tags| config.exempt_tag.is_one_of(tags))
}

/// Whether the user could choose a new password when one is demanded.
///
/// Without that permission a user with a password to be changed can sign in to
/// nothing at all. Outside `iam:ChangePassword` itself, the account's setting
/// gives it to everyone, and an explicit deny takes it away in any case
/// ([Permitting users to change their own passwords](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_enable-user-change.html)).
fn change_password(user: &UserFacts, account: &AccountFacts, config: &Config) -> ChangePassword {
    match user.change_password {
        ChangePasswordAccess::Denied => ChangePassword::Impossible,
        ChangePasswordAccess::Allowed => ChangePassword::Allowed,
        ChangePasswordAccess::NotGranted | ChangePasswordAccess::Unknown => {
            if account.policy.allows_users_to_change_password() {
                ChangePassword::Allowed
            } else if config.change_password_grant == ChangePasswordGrant::Attach {
                ChangePassword::AfterGrant
            } else {
                ChangePassword::Impossible
            }
        }
    }
}
