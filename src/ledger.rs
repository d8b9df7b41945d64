//! What the ledger remembers of a user: the attempt that is under way and what
//! was done before.
//!
//! The ledger is a DynamoDB table. One item a user holds the lease, by which
//! one run at a time works on that user, and an [`Entry`]. Further items
//! remember the requests that were carried out, the messages to operators that
//! count once a day, and the notes on findings that do. No item ever holds a
//! password.
//!
//! [`crate::aws`] has the calls; this module has the values.

use std::fmt;
use std::time::Duration;

use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, UtcOffset};

use crate::audit::Warning;
use crate::identity::{AccountId, UserName};
use crate::password::NoRandomness;
use crate::secret::{SecretArn, SecretState, VersionId};

/// How long a lease lasts.
pub const LEASE: Duration = Duration::from_mins(1);

/// The item of a user. IAM tells names apart without regard to case, and so
/// does the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserKey {
    account_id: AccountId,
    name: String,
}

impl UserKey {
    /// The key of the user `name` in `account_id`.
    #[must_use]
    pub fn new(account_id: &AccountId, name: &UserName) -> Self {
        Self { account_id: account_id.clone(), name: name.key() }
    }

    /// The account of the user: what the index `open` goes by.
    #[must_use]
    pub fn account_id(&self) -> &AccountId {
        &self.account_id
    }

    /// The partition key of the user's item.
    #[must_use]
    pub fn item_id(&self) -> String {
        format!("user#{}#{}", self.account_id, self.name)
    }

    /// The partition key of the item that remembers `request` for this user.
    #[must_use]
    pub fn request_item_id(&self, request: &RequestId) -> String {
        format!("request#{request}#{}#{}", self.account_id, self.name)
    }

    /// The user's name in lower case, out of the key of their item.
    #[must_use]
    pub fn name_in(item_id: &str) -> Option<UserName> {
        item_id.strip_prefix("user#")?.split_once('#')?.1.parse().ok()
    }
}

/// By what a person's request is recognised when it is delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(String);

impl RequestId {
    /// The `id` of an EventBridge event.
    #[must_use]
    pub fn of_event(id: &str) -> Self {
        Self::new("event", id)
    }

    /// The id of a message of the queue.
    #[must_use]
    pub fn of_message(id: &str) -> Self {
        Self::new("message", id)
    }

    /// The request id of an invocation, the same when Lambda tries again.
    #[must_use]
    pub fn of_invocation(id: &str) -> Self {
        Self::new("invocation", id)
    }

    /// An id as AWS makes them is kept as it is, so that a person finds it in
    /// the table. Any other text could be of any length and form: its hash
    /// stands for it.
    fn new(kind: &str, id: &str) -> Self {
        let plain = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if plain {
            return Self(format!("{kind}/{id}"));
        }
        Self(format!("{kind}/sha256/{}", sha256(id)))
    }

    /// The id as it stands in the table.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes back what was read from the table.
    #[must_use]
    pub fn from_ledger(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names the run that holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder(String);

impl LeaseHolder {
    /// A name that no other run has.
    ///
    /// # Errors
    ///
    /// If the operating system gives no randomness.
    pub fn generate() -> Result<Self, NoRandomness> {
        random_hex().map(Self)
    }

    /// The name as it stands in the table.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// 32 hexadecimal digits that nobody can guess.
///
/// # Errors
///
/// If the operating system gives no randomness.
pub(crate) fn random_hex() -> Result<String, NoRandomness> {
    let mut bytes = [0_u8; 16];
    SysRng.try_fill_bytes(&mut bytes).map_err(NoRandomness::new)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What the ledger knows of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The secret that this function made for the user.
    pub secret_arn: Option<SecretArn>,
    /// The id that the first version of a secret will have, should one be
    /// created now. Chosen before the secret is, it proves who made it.
    pub marker: Option<VersionId>,
    /// The versions of the attempt that is under way, the newest last. It was
    /// chosen before it was stored, and may never have been; those before it
    /// were refused, or may have been.
    pub versions: Vec<VersionId>,
    /// The request that the attempt is to carry out, if a person asked for it.
    pub request: Option<RequestId>,
    /// When the first of `versions` was chosen.
    pub reserved_at: Option<OffsetDateTime>,
    /// The user's password is not older than this: it was reset then, or the
    /// user is known to have chosen one of their own since.
    pub changed_at: Option<OffsetDateTime>,
    /// The grace period that the user was told of.
    pub grace: Option<Grace>,
}

/// A grace period: the user only has to change their own password until it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grace {
    /// When the user's password was looked at, before the change was demanded.
    /// A password that was chosen to meet the demand is not older.
    pub demanded_at: OffsetDateTime,
    /// From when on the password is replaced.
    pub due_at: OffsetDateTime,
}

/// What a user was told by audits, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The last warning that the password will be too old.
    pub(crate) warned: Option<Warning>,
    /// When the password was stored of which the user was reminded.
    pub reminded_of: Option<OffsetDateTime>,
}

/// An address that gets a user's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The address.
    pub address: String,
    /// The subscription's ARN.
    pub arn: String,
}

/// The partition key of the item that remembers an account's subscriptions.
#[must_use]
pub fn subscriptions_item_id(account_id: &AccountId) -> String {
    format!("subscriptions#{account_id}")
}

/// Something that is done once a day, however many invocations have a reason to.
/// A day is one of UTC.
pub trait Daily {
    /// The partition key of the item that counts it.
    fn item_id(&self, now: OffsetDateTime) -> String;
}

/// A message to operators that is sent once a day and account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyMessage {
    /// What it is about, such as `sweep-held`.
    pub kind: &'static str,
    /// The account that it is about.
    pub account_id: AccountId,
}

impl Daily for DailyMessage {
    fn item_id(&self, now: OffsetDateTime) -> String {
        format!("message#{}#{}#{}", self.kind, self.account_id, now.to_offset(UtcOffset::UTC).date())
    }
}

/// A note that is left on a finding once a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyNote<'a> {
    /// The id of the finding.
    pub finding_id: &'a str,
    /// What the note begins with.
    pub opening: &'a str,
}

impl Daily for DailyNote<'_> {
    fn item_id(&self, now: OffsetDateTime) -> String {
        format!("note#{}#{}#{}", sha256(self.finding_id), sha256(self.opening), now.to_offset(UtcOffset::UTC).date())
    }
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Entry {
    /// Whether a password of the attempt may be the user's: at least one of its
    /// versions stands in the secret.
    #[must_use]
    pub fn is_begun(&self, secret: Option<&SecretState>) -> bool {
        secret.is_some_and(|secret| self.versions.iter().any(|version| secret.is_labelled(version)))
    }

    /// Whether nobody is known to have set a password since the ledger's last
    /// word, going by the date in the report: it was reset and the user has not
    /// signed in, or the report lags behind.
    #[must_use]
    pub fn is_ahead_of(&self, reported: Option<OffsetDateTime>) -> bool {
        self.changed_at.is_some_and(|ours| reported.is_none_or(|reported| reported <= ours))
    }

    /// Whether somebody has set a password since the ledger's last word, going by
    /// the date in the report.
    #[must_use]
    pub fn is_overtaken_by(&self, reported: Option<OffsetDateTime>) -> bool {
        self.changed_at.zip(reported).is_some_and(|(ours, reported)| ours < reported)
    }

    /// The grace period of the password that was set when the report says. One
    /// that was set since it began is a new password.
    #[must_use]
    pub fn grace_of(&self, reported: Option<OffsetDateTime>) -> Option<Grace> {
        self.grace.filter(|grace| reported.is_none_or(|reported| reported <= grace.demanded_at))
    }

    /// What is left of it once it is known that somebody has set another
    /// password: neither an attempt nor a grace period, and when that was at the
    /// earliest.
    #[must_use]
    pub fn superseded(&self, secret: Option<&SecretState>) -> Self {
        let since = if self.is_begun(secret) { self.reserved_at } else { self.grace.map(|grace| grace.demanded_at) };
        Self { secret_arn: self.secret_arn.clone(), changed_at: self.changed_at.max(since), ..Self::default() }
    }

    /// Whether this function made the secret. A name proves nothing: whoever
    /// may create secrets can take it first.
    #[must_use]
    pub fn owns(&self, secret: &SecretState) -> bool {
        self.secret_arn.as_ref() == Some(&secret.arn)
            || self.marker.as_ref().is_some_and(|marker| secret.is_labelled(marker))
    }
}
