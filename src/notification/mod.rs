//! What is told to users and operators: an outcome goes in, a message for SNS
//! comes out.
//!
//! The contract of this module:
//!
//! - A message says where a password is, never what it is. The one thing about a
//!   secret that can be handed in is a [`SecretArn`], and no [`Password`] and no
//!   text that one could be made into is an ARN.
//! - [`Message::body`] is a document for `MessageStructure=json`, with `default`
//!   for programs, `email` for people and `sms`
//!   ([Publish](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)).
//! - [`Message::subject`] is non-empty, has at most 99 bytes of UTF-8 and neither
//!   line breaks nor control characters; in English it is ASCII.
//! - An `sms` fits one text message: 140 characters of the GSM alphabet in
//!   English, 70 of UCS-2 in Japanese.
//! - Everything together stays below 64 KiB, which SNS bills as one request (its
//!   limit is 256 KiB): long lists are cut and say by how much.
//! - Texts from outside (reasons, finding ids, the support contact) lose their
//!   control characters and line breaks, so they cannot forge a paragraph.
//!
//! [`Password`]: crate::password::Password
//!
//! # Message attributes
//!
//! | attribute | value | on |
//! | --- | --- | --- |
//! | `audience` | `user`, `operator` | all |
//! | `kind` | [`Kind`] | all |
//! | `account_id` | twelve digits | all |
//! | `user_name` | the user's name | what is meant for that user |
//!
//! A message for operators has no `user_name` even if it is about a user: users
//! subscribe by `account_id` and `user_name`, and get only what is for them.
//!
//! The attributes are for filter policies. With `MessageStructure=json` SNS does
//! not pass them on to the receiver
//! ([message attributes](https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html)),
//! so the document in `default` repeats them.
//!
//! # The document in `default`
//!
//! `kind`, `audience` and `account_id` are always there; an optional field that
//! does not apply is left out, never null.
//!
//! | field | value | kinds |
//! | --- | --- | --- |
//! | `user_name` | text | all to a user, `remediation-failed`? |
//! | `secret_arn` | text | `password-reset`, `password-unclaimed`, `remediation-failed`? |
//! | `region` | of the secret | `password-reset`, `password-unclaimed` |
//! | `finding_id` | text | all? but `password-expiring`, `password-unclaimed` |
//! | `password_age_days` | days, whole | `password-reset`?, `password-change-required`?, `password-expiring` |
//! | `max_password_age_days` | days | `password-reset`, `password-change-required`, `password-expiring` |
//! | `forced` | whether a person asked for it | `password-reset` |
//! | `sign_in_url` | text | all to a user |
//! | `due_at` | when the password is replaced, RFC 3339 | `password-change-required` |
//! | `due_at` | when the password is too old, RFC 3339 | `password-expiring` |
//! | `grace_days` | days to change it from then on, 0: none | `password-expiring` |
//! | `stored_at` | when the password was stored, RFC 3339 | `password-unclaimed` |
//! | `waiting_days` | days since then, whole | `password-unclaimed` |
//! | `max_resets` | the limit that was met | `sweep-held` |
//! | `user_count` | of all users that are held | `sweep-held` |
//! | `users` | `{user_name, password_age_days?}`, the first 200 | `sweep-held` |
//! | `tags_unread` | why users who are exempt by tag may be among them | `sweep-held`? |
//! | `approval` | the event that approves it | `sweep-held` |
//! | `changes` | texts such as `MinimumPasswordLength 8 -> 14` | `policy-strengthened` |
//! | `withheld` | sentences in English | `policy-strengthened` |
//! | `previous` | the settings before, by their names in IAM; only if the account had a policy | `policy-strengthened`? |
//! | `undo` | the command that restores them | `policy-strengthened` |
//! | `failed` | `reset`, `policy`, `sweep`, `account` | `remediation-failed` |
//! | `reason` | text | `remediation-failed`? |

mod command;
mod english;
mod japanese;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::str::FromStr;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

pub(crate) use self::command::approval;
use crate::account::password_policy::{Change, EffectivePolicy, Setting, Withheld};
use crate::account::undo;
use crate::dates::rfc3339;
use crate::identity::{AccountId, Invalid, Partition, UserName};
use crate::secret::SecretArn;

/// The most users that a message lists. With names of full length they take some
/// 50 KiB, in `email` and `default` together.
const LISTED_USERS: usize = 200;

/// `NOTIFICATION_LANGUAGE`: the language of `subject`, `email` and `sms`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// `en`, English.
    #[default]
    En,
    /// `ja`, Japanese.
    Ja,
}

impl Language {
    /// As it is configured.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }
}

impl FromStr for Language {
    type Err = Invalid;

    fn from_str(value: &str) -> Result<Self, Invalid> {
        [Self::En, Self::Ja]
            .into_iter()
            .find(|language| language.as_str() == value)
            .ok_or_else(|| Invalid::new(value, "a language of notifications (en, ja)"))
    }
}

/// How the operator wants messages to be written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wording<'a> {
    /// `NOTIFICATION_LANGUAGE`.
    pub language: Language,
    /// `SUPPORT_CONTACT`: who hands the credential to a user who cannot read the
    /// secret. Free text. Without one, users are sent to their administrators.
    pub support_contact: Option<&'a str>,
}

/// What a message is about. The names are stable: filter policies hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A user's password was reset.
    PasswordReset,
    /// A user has to change the password.
    PasswordChangeRequired,
    /// A user's password will soon be too old.
    PasswordExpiring,
    /// A user has not used the new password.
    PasswordUnclaimed,
    /// More users than allowed are to be reset, so nobody was.
    SweepHeld,
    /// An account's password policy was made stricter.
    PolicyStrengthened,
    /// Something could not be done.
    RemediationFailed,
}

impl Kind {
    /// The value of the attribute `kind`.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password-reset",
            Self::PasswordChangeRequired => "password-change-required",
            Self::PasswordExpiring => "password-expiring",
            Self::PasswordUnclaimed => "password-unclaimed",
            Self::SweepHeld => "sweep-held",
            Self::PolicyStrengthened => "policy-strengthened",
            Self::RemediationFailed => "remediation-failed",
        }
    }

    /// Whom such a message is for.
    #[must_use]
    pub(crate) fn audience(self) -> Audience {
        match self {
            Self::PasswordReset | Self::PasswordChangeRequired | Self::PasswordExpiring | Self::PasswordUnclaimed => {
                Audience::User
            }
            Self::SweepHeld | Self::PolicyStrengthened | Self::RemediationFailed => Audience::Operator,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whom a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Audience {
    /// The user whose password it is about.
    User,
    /// Whoever runs this function.
    Operator,
}

impl Audience {
    /// The value of the attribute `audience`.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Operator => "operator",
        }
    }
}

/// Something that someone is to be told.
#[derive(Debug, Clone)]
pub(crate) enum Notification<'a> {
    /// To the user: the password was reset.
    PasswordReset(PasswordReset<'a>),
    /// To the user: the password has to be changed.
    PasswordChangeRequired(PasswordChangeRequired<'a>),
    /// To the user: the password will soon be too old.
    PasswordExpiring(PasswordExpiring<'a>),
    /// To the user: the new password waits.
    PasswordUnclaimed(PasswordUnclaimed<'a>),
    /// To operators: resets wait for approval.
    SweepHeld(SweepHeld<'a>),
    /// To operators: the account's policy was made stricter.
    PolicyStrengthened(PolicyStrengthened<'a>),
    /// To operators: something could not be done.
    RemediationFailed(RemediationFailed<'a>),
}

/// A user's password was reset, and the new one stands in the secret.
#[derive(Debug, Clone)]
pub(crate) struct PasswordReset<'a> {
    /// The user's account.
    pub account_id: &'a AccountId,
    /// The partition of the account: it decides where the user signs in.
    pub partition: Partition,
    /// The user.
    pub user_name: &'a UserName,
    /// Where the new password is.
    pub secret_arn: &'a SecretArn,
    /// The finding that led to it, if one did.
    pub finding_id: Option<&'a str>,
    /// How old the old password was, in whole days, if that is known.
    pub password_age_days: Option<u32>,
    /// How old it may be, in days.
    pub max_password_age_days: u16,
    /// Whether a person asked for it, whatever the age.
    pub forced: bool,
}

/// A user has to change the password, which still works until then.
#[derive(Debug, Clone)]
pub(crate) struct PasswordChangeRequired<'a> {
    /// The user's account.
    pub account_id: &'a AccountId,
    /// The partition of the account: it decides where the user signs in.
    pub partition: Partition,
    /// The user.
    pub user_name: &'a UserName,
    /// The finding that led to it, if one did.
    pub finding_id: Option<&'a str>,
    /// How old the password is, in whole days, if that is known.
    pub password_age_days: Option<u32>,
    /// How old it may be, in days.
    pub max_password_age_days: u16,
    /// When the password is replaced if it was not changed.
    pub due_at: OffsetDateTime,
}

/// A user's password will soon be too old.
#[derive(Debug, Clone)]
pub(crate) struct PasswordExpiring<'a> {
    /// The user's account.
    pub account_id: &'a AccountId,
    /// The partition of the account: it decides where the user signs in.
    pub partition: Partition,
    /// The user.
    pub user_name: &'a UserName,
    /// How old the password is, in whole days.
    pub password_age_days: u32,
    /// How old it may be, in days.
    pub max_password_age_days: u16,
    /// When it is too old.
    pub due_at: OffsetDateTime,
    /// `GRACE_DAYS`: how long the user only has to change it from then on, before
    /// it is replaced.
    pub grace_days: u16,
}

/// A user has not used the new password, which stands in the secret.
#[derive(Debug, Clone)]
pub(crate) struct PasswordUnclaimed<'a> {
    /// The user's account.
    pub account_id: &'a AccountId,
    /// The partition of the account: it decides where the user signs in.
    pub partition: Partition,
    /// The user.
    pub user_name: &'a UserName,
    /// Where the new password is.
    pub secret_arn: &'a SecretArn,
    /// Since when.
    pub stored_at: OffsetDateTime,
    /// How long it has been there, in whole days.
    pub days: u32,
}

/// More users' passwords are too old than may be reset at once; none was.
#[derive(Debug, Clone)]
pub(crate) struct SweepHeld<'a> {
    /// The users' account.
    pub account_id: &'a AccountId,
    /// The finding that led to it, if one did.
    pub finding_id: Option<&'a str>,
    /// `MAX_RESETS_PER_SWEEP`, or a sweep's own `max_resets`.
    pub max_resets: u32,
    /// All that are held, in the order in which they are to be shown.
    pub users: &'a [HeldUser<'a>],
    /// Why those who are exempt by tag could not be told from the others.
    pub tags_unread: Option<&'a str>,
    /// The ARN (or the name) by which this function was invoked.
    pub function_arn: &'a str,
}

/// A user whose password is too old and was not reset.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldUser<'a> {
    /// The user.
    pub user_name: &'a UserName,
    /// How old the password is, in whole days, if that is known.
    pub password_age_days: Option<u32>,
}

/// An account's password policy was made stricter.
#[derive(Debug, Clone)]
pub(crate) struct PolicyStrengthened<'a> {
    /// The account.
    pub account_id: &'a AccountId,
    /// The finding that led to it, if one did.
    pub finding_id: Option<&'a str>,
    /// What is different now, at least one setting.
    pub changes: &'a [Change],
    /// What was asked and not done.
    pub withheld: &'a [Withheld],
    /// The policy as it was, before the first change of this run.
    pub previous: &'a EffectivePolicy,
}

/// Something could not be done.
#[derive(Debug, Clone)]
pub(crate) struct RemediationFailed<'a> {
    /// The account.
    pub account_id: &'a AccountId,
    /// What could not be done.
    pub failed: Failed<'a>,
    /// Why, for an operator: the call and its error code, never a response body.
    pub reason: &'a str,
    /// The finding that led to it, if one did.
    pub finding_id: Option<&'a str>,
    /// The id of the invocation, by which its log is found.
    pub request_id: Option<&'a str>,
    /// The ARN (or the name) by which this function was invoked.
    pub function_arn: &'a str,
}

/// What could not be done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failed<'a> {
    /// A user's password could not be reset, or the user not be told.
    Reset {
        /// The user.
        user_name: &'a UserName,
        /// Where the new password is, if it was stored.
        secret_arn: Option<&'a SecretArn>,
        /// Whether a person asked for it, whatever the age.
        forced: bool,
    },
    /// The account's password policy could not be read or written.
    Policy,
    /// The account's users could not be gone through.
    Sweep,
    /// The account is out of reach, and its findings are passed over.
    Account,
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `Subject`.
    pub subject: String,
    /// `Message`, with `MessageStructure` set to `json`.
    pub body: String,
    /// `MessageAttributes`, all of type `String` and none of them empty.
    pub attributes: BTreeMap<&'static str, String>,
}

/// What depends on the language.
struct Text {
    subject: String,
    email: String,
    sms: String,
}

impl Notification<'_> {
    /// What it is about.
    #[must_use]
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::PasswordReset(_) => Kind::PasswordReset,
            Self::PasswordChangeRequired(_) => Kind::PasswordChangeRequired,
            Self::PasswordExpiring(_) => Kind::PasswordExpiring,
            Self::PasswordUnclaimed(_) => Kind::PasswordUnclaimed,
            Self::SweepHeld(_) => Kind::SweepHeld,
            Self::PolicyStrengthened(_) => Kind::PolicyStrengthened,
            Self::RemediationFailed(_) => Kind::RemediationFailed,
        }
    }

    /// Writes it down.
    #[must_use]
    pub(crate) fn message(&self, wording: &Wording<'_>) -> Message {
        let support = visible(wording.support_contact);
        let text = match wording.language {
            Language::En => english::text(self, support.as_deref()),
            Language::Ja => japanese::text(self, support.as_deref()),
        };
        let default = Value::Object(self.document()).to_string();
        Message {
            subject: text.subject,
            body: json!({ "default": default, "email": text.email, "sms": text.sms }).to_string(),
            attributes: self.attributes(),
        }
    }

    fn account_id(&self) -> &AccountId {
        match self {
            Self::PasswordReset(it) => it.account_id,
            Self::PasswordChangeRequired(it) => it.account_id,
            Self::PasswordExpiring(it) => it.account_id,
            Self::PasswordUnclaimed(it) => it.account_id,
            Self::SweepHeld(it) => it.account_id,
            Self::PolicyStrengthened(it) => it.account_id,
            Self::RemediationFailed(it) => it.account_id,
        }
    }

    fn finding_id(&self) -> Option<String> {
        visible(match self {
            Self::PasswordReset(it) => it.finding_id,
            Self::PasswordChangeRequired(it) => it.finding_id,
            Self::PasswordExpiring(_) | Self::PasswordUnclaimed(_) => None,
            Self::SweepHeld(it) => it.finding_id,
            Self::PolicyStrengthened(it) => it.finding_id,
            Self::RemediationFailed(it) => it.finding_id,
        })
    }

    fn attributes(&self) -> BTreeMap<&'static str, String> {
        let mut attributes = BTreeMap::from([
            ("audience", self.kind().audience().as_str().to_owned()),
            ("kind", self.kind().to_string()),
            ("account_id", self.account_id().to_string()),
        ]);
        if let Self::PasswordReset(PasswordReset { user_name, .. })
        | Self::PasswordChangeRequired(PasswordChangeRequired { user_name, .. })
        | Self::PasswordExpiring(PasswordExpiring { user_name, .. })
        | Self::PasswordUnclaimed(PasswordUnclaimed { user_name, .. }) = self
        {
            attributes.insert("user_name", user_name.to_string());
        }
        attributes
    }

    fn document(&self) -> Map<String, Value> {
        let specific = match self {
            Self::PasswordReset(it) => json!({
                "user_name": it.user_name,
                "secret_arn": it.secret_arn.as_str(),
                "region": it.secret_arn.region(),
                "password_age_days": it.password_age_days,
                "max_password_age_days": it.max_password_age_days,
                "forced": it.forced,
                "sign_in_url": it.partition.sign_in_url(it.account_id),
            }),
            Self::PasswordChangeRequired(it) => json!({
                "user_name": it.user_name,
                "password_age_days": it.password_age_days,
                "max_password_age_days": it.max_password_age_days,
                "due_at": rfc3339(it.due_at),
                "sign_in_url": it.partition.sign_in_url(it.account_id),
            }),
            Self::PasswordExpiring(it) => json!({
                "user_name": it.user_name,
                "password_age_days": it.password_age_days,
                "max_password_age_days": it.max_password_age_days,
                "due_at": rfc3339(it.due_at),
                "grace_days": it.grace_days,
                "sign_in_url": it.partition.sign_in_url(it.account_id),
            }),
            Self::PasswordUnclaimed(it) => json!({
                "user_name": it.user_name,
                "secret_arn": it.secret_arn.as_str(),
                "region": it.secret_arn.region(),
                "stored_at": rfc3339(it.stored_at),
                "waiting_days": it.days,
                "sign_in_url": it.partition.sign_in_url(it.account_id),
            }),
            Self::SweepHeld(it) => json!({
                "max_resets": it.max_resets,
                "user_count": it.users.len(),
                "users": it.users.iter().take(LISTED_USERS).map(|user| present(json!({
                    "user_name": user.user_name,
                    "password_age_days": user.password_age_days,
                }))).collect::<Vec<_>>(),
                "tags_unread": visible(it.tags_unread),
                "approval": command::approval(it.account_id, it.users.len()),
            }),
            Self::PolicyStrengthened(it) => json!({
                "changes": it.changes.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "withheld": it.withheld.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "previous": undo::document(it.previous),
                "undo": undo::command(it.previous),
            }),
            Self::RemediationFailed(it) => {
                let (failed, user_name, secret_arn) = match it.failed {
                    Failed::Reset { user_name, secret_arn, .. } => ("reset", Some(user_name), secret_arn),
                    Failed::Policy => ("policy", None, None),
                    Failed::Sweep => ("sweep", None, None),
                    Failed::Account => ("account", None, None),
                };
                json!({
                    "failed": failed,
                    "user_name": user_name,
                    "secret_arn": secret_arn.map(SecretArn::as_str),
                    "reason": visible(Some(it.reason)),
                })
            }
        };
        let mut document = present(specific);
        document.extend(present(json!({
            "kind": self.kind().as_str(),
            "audience": self.kind().audience().as_str(),
            "account_id": self.account_id(),
            "finding_id": self.finding_id(),
        })));
        document
    }
}

/// The fields that have a value.
fn present(document: Value) -> Map<String, Value> {
    let Value::Object(fields) = document else { return Map::new() };
    fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

/// The most characters of a text from outside; ids of findings have up to 512
/// ([ASFF](https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html)).
const LONGEST_LINE: usize = 1_000;

/// A text from outside as one line, of at most 1,000 characters. White space of
/// any kind becomes one space; what cannot be seen, steers the direction of
/// writing or is not taken by SNS is dropped.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).map(|word| word.replace(is_unseen, ""));
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The same, if there is anything to see in it.
fn visible(text: Option<&str>) -> Option<String> {
    text.map(one_line).filter(|line| !line.is_empty())
}

fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}'
    )
}

/// Puts a name between two texts. If all three together are more than `most`, as
/// `size` measures them, the name is cut and ends in `cut_mark`. Names are ASCII:
/// each character counts one, however it is measured.
fn around_name([before, name, after]: [&str; 3], cut_mark: &str, most: usize, size: impl Fn(&str) -> usize) -> String {
    let whole = format!("{before}{name}{after}");
    if size(&whole) <= most {
        return whole;
    }
    let room = most.saturating_sub(size(before) + size(after) + size(cut_mark));
    let cut: String = name.chars().take(room).collect();
    format!("{before}{cut}{cut_mark}{after}")
}

/// One line for each item, set off from the text around them.
fn indented(items: impl IntoIterator<Item: fmt::Display>) -> String {
    items.into_iter().fold(String::new(), |mut lines, item| {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "    {item}");
        lines
    })
}

/// The settings of a policy, one a line; `instead` where there was none.
fn settings(previous: &EffectivePolicy, instead: &str) -> String {
    match previous.custom() {
        Some(policy) => indented(undo::settings(policy).iter().map(|(name, value)| format!("{name} {value}"))),
        None => indented([instead]),
    }
}

fn changes_age(changes: &[Change]) -> bool {
    changes.iter().any(|change| change.setting == Setting::MaxPasswordAge)
}

/// "Less than 100 characters", says SNS. Whether it counts characters or bytes of
/// those that are no ASCII it does not say, so bytes are counted.
const SUBJECT_BYTES: usize = 99;

fn subject_around(parts: [&str; 3]) -> String {
    around_name(parts, "...", SUBJECT_BYTES, str::len)
}
