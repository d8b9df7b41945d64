//! The secret that holds a user's password: its name, its document, its
//! versions and what their labels say.
//!
//! The labels are the log of the reset protocol ([`crate::reset`]):
//!
//! | label | on a version means |
//! | --- | --- |
//! | `AWSPENDING` | stored, not yet confirmed to be the user's password |
//! | `AWSCURRENT` | the password to use, once the reset is done |
//! | `unannounced-…` | its reset is not finished: the user may not have been told |
//!
//! Each version has an `unannounced-…` label of its own, which no other
//! version can take away. So a password that may have been applied always
//! stands under a label, whatever a second run does with the shared ones.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::identity::{AccountId, UserId, UserName};
use crate::notification::SecretArn;
use crate::password::Password;

/// The label of a version that is stored and not yet confirmed.
pub const PENDING: &str = "AWSPENDING";
/// The label of the version that holds the password to use.
pub const CURRENT: &str = "AWSCURRENT";
/// The label that Secrets Manager puts where [`CURRENT`] was before. It is never
/// on the first version of a secret.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// The value of the secret's `managed-by` tag.
pub const MANAGED_BY: &str = env!("CARGO_PKG_NAME");

/// The name of a user's secret: `PREFIX/ACCOUNT/USER`, with two additions that
/// make it legal for every legal IAM user name.
///
/// Secrets Manager allows no comma, so a comma is written `/2C`. It warns
/// against names that end in a hyphen and six characters, which it could take
/// for the end of a secret's ARN, so such a name gets `/console` appended
/// ([CreateSecret](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html)).
/// User names hold no slash: no two users share a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName(String);

impl SecretName {
    /// The name of `user`'s secret in `account`.
    #[must_use]
    pub fn new(prefix: &str, account: &AccountId, user: &UserName) -> Self {
        let mut name = format!("{prefix}/{account}/{}", without_commas(user));
        if name.len() >= 7 && name.as_bytes()[name.len() - 7] == b'-' {
            name.push_str("/console");
        }
        Self(name)
    }

    /// The name as Secrets Manager is given it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn without_commas(user: &UserName) -> String {
    user.as_str().replace(',', "/2C")
}

/// The tags of a user's secret. `iam-user` is what attribute-based access
/// compares with `${aws:username}`; tag values allow no comma either, so in it
/// too a comma is written `/2C`, which no user name can equal.
#[must_use]
pub fn tags(account: &AccountId, user: &UserName) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("managed-by", MANAGED_BY.to_owned()),
        ("iam-user", without_commas(user)),
        ("account-id", account.to_string()),
    ])
}

/// The id of a version, and its idempotency key: 64 hexadecimal digits derived
/// from the user and the password that is replaced. Whoever sets out to replace
/// the same password arrives at the same version, whatever the reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(String);

impl Token {
    /// The token for replacing the password that `user` has had since
    /// `changed`. Every further attempt at it counts `attempt` up from 0.
    #[must_use]
    pub fn derive(user: &UserId, changed: OffsetDateTime, attempt: u32) -> Self {
        let subject = format!("{MANAGED_BY}/1/{user}/{}/{attempt}", changed.unix_timestamp());
        Self(Sha256::digest(subject).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Takes the id of an existing version if it can be one of ours.
    #[must_use]
    pub fn from_version_id(id: &str) -> Option<Self> {
        let ours = id.len() == 64 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        ours.then(|| Self(id.to_owned()))
    }

    /// The id as Secrets Manager is given it (`ClientRequestToken`, `VersionId`).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label that this version alone can hold, until its user has been told.
    #[must_use]
    pub fn unannounced(&self) -> String {
        format!("unannounced-{}", &self.0[..16])
    }
}

/// What `DescribeSecret` shows: the whole state of a reset in one read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretState {
    /// The secret's ARN.
    pub arn: SecretArn,
    /// Whether it is scheduled for deletion.
    pub deleted: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When anything about it was changed last.
    pub last_changed: Option<OffsetDateTime>,
    /// Every labelled version, with its labels.
    pub versions: BTreeMap<String, BTreeSet<String>>,
}

impl SecretState {
    /// A secret that has just been created and holds nothing yet.
    #[must_use]
    pub fn empty(arn: SecretArn, tags: &BTreeMap<&'static str, String>) -> Self {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        Self { arn, deleted: false, tags, last_changed: None, versions: BTreeMap::new() }
    }

    /// The version that holds `label`, whoever made it.
    #[must_use]
    pub fn holder(&self, label: &str) -> Option<&str> {
        self.versions.iter().find(|(_, labels)| labels.contains(label)).map(|(id, _)| id.as_str())
    }

    /// The version that holds `label`, if it can be one of ours.
    #[must_use]
    pub fn our_holder(&self, label: &str) -> Option<Token> {
        self.holder(label).and_then(Token::from_version_id)
    }

    /// Whether the version has `label`.
    #[must_use]
    pub fn has(&self, version: &Token, label: &str) -> bool {
        self.versions.get(version.as_str()).is_some_and(|labels| labels.contains(label))
    }

    /// Whether the version has any label at all.
    #[must_use]
    pub fn is_labelled(&self, version: &Token) -> bool {
        self.versions.get(version.as_str()).is_some_and(|labels| !labels.is_empty())
    }

    /// Whether the version's reset is not finished.
    #[must_use]
    pub fn is_unannounced(&self, version: &Token) -> bool {
        self.has(version, &version.unannounced())
    }

    /// Our versions whose reset is not finished.
    #[must_use]
    pub fn unannounced(&self) -> Vec<Token> {
        let ours = self.versions.keys().filter_map(|id| Token::from_version_id(id));
        ours.filter(|version| self.is_unannounced(version)).collect()
    }

    /// Records that `label` now stands on `version` and nowhere else.
    pub fn put_label(&mut self, version: &Token, label: &str) {
        for labels in self.versions.values_mut() {
            labels.remove(label);
        }
        self.versions.entry(version.as_str().to_owned()).or_default().insert(label.to_owned());
    }

    /// Records that `version` no longer has `label`.
    pub fn drop_label(&mut self, version: &Token, label: &str) {
        if let Some(labels) = self.versions.get_mut(version.as_str()) {
            labels.remove(label);
        }
    }

    /// The tags that the secret lacks, or has with another value.
    #[must_use]
    pub fn missing_tags(&self, wanted: &BTreeMap<&'static str, String>) -> BTreeMap<&'static str, String> {
        let missing = wanted.iter().filter(|(key, value)| self.tags.get(**key) != Some(*value));
        missing.map(|(key, value)| (*key, value.clone())).collect()
    }
}

/// The JSON document that a version holds.
#[derive(Serialize)]
struct Document<'a> {
    username: &'a str,
    password: &'a str,
    account_id: &'a AccountId,
    sign_in_url: &'a str,
}

/// Writes the document that is stored, wiped when it is dropped.
#[must_use]
pub fn document(user: &UserName, password: &Password, account: &AccountId, sign_in_url: &str) -> Zeroizing<String> {
    let document = Document { username: user.as_str(), password: password.reveal(), account_id: account, sign_in_url };
    // Four strings under four names: there is nothing in it that could fail.
    Zeroizing::new(serde_json::to_string(&document).unwrap_or_default())
}

/// Reads the password out of a stored document; none if it is not such a one.
#[must_use]
pub fn password_in(document: &str) -> Option<Password> {
    #[derive(Deserialize)]
    struct Stored {
        password: String,
    }
    let stored: Stored = serde_json::from_str(document).ok()?;
    (!stored.password.is_empty()).then(|| Password::from_stored(stored.password))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn name_of(user: &str) -> String {
        let account = "123456789012".parse().unwrap();
        SecretName::new("iam-console-password", &account, &user.parse().unwrap()).as_str().to_owned()
    }

    #[test]
    fn a_plain_user_name_stands_in_the_secret_name_as_it_is() {
        assert_eq!(name_of("alice"), "iam-console-password/123456789012/alice");
        assert_eq!(name_of("a+b=c.d@e_f-g"), "iam-console-password/123456789012/a+b=c.d@e_f-g");
    }

    #[test]
    fn names_that_secrets_manager_refuses_are_made_legal() {
        assert_eq!(name_of("doe,john"), "iam-console-password/123456789012/doe/2Cjohn");
        assert_eq!(name_of("svc-abc123"), "iam-console-password/123456789012/svc-abc123/console");
        assert_eq!(name_of("a-b-c123"), "iam-console-password/123456789012/a-b-c123/console");
        assert_eq!(name_of("x-ab,c"), "iam-console-password/123456789012/x-ab/2Cc/console");
    }

    proptest! {
        #[test]
        fn every_legal_user_name_gives_a_legal_secret_name(user in "[A-Za-z0-9+=,.@_-]{1,64}") {
            let name = name_of(&user);
            prop_assert!(name.len() <= 512);
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c)), "{}", name);
            prop_assert!(name.as_bytes()[name.len() - 7] != b'-', "{}", name);
        }

        #[test]
        fn two_users_never_share_a_secret(one in "[a,C2-]{1,12}", other in "[a,C2-]{1,12}") {
            prop_assert_eq!(one == other, name_of(&one) == name_of(&other));
        }

        #[test]
        fn tag_values_are_legal(user in "[A-Za-z0-9+=,.@_-]{1,64}") {
            for value in tags(&"123456789012".parse().unwrap(), &user.parse().unwrap()).values() {
                prop_assert!(value.chars().all(|c| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c)), "{}", value);
            }
        }
    }

    #[test]
    fn a_token_is_told_by_user_date_and_attempt_and_nothing_else() {
        let alice = UserId::from_iam("AIDAALICE");
        let bob = UserId::from_iam("AIDABOB");
        let date = datetime!(2026-01-02 03:04:05 UTC);
        let token = Token::derive(&alice, date, 0);
        assert_eq!(token, Token::derive(&alice, date, 0));
        assert_eq!(token.as_str().len(), 64);
        assert_eq!(Token::from_version_id(token.as_str()), Some(token.clone()));
        for other in [
            Token::derive(&bob, date, 0),
            Token::derive(&alice, datetime!(2026-01-02 03:04:06 UTC), 0),
            Token::derive(&alice, date, 1),
        ] {
            assert_ne!(token, other);
            assert_ne!(token.unannounced(), other.unannounced());
        }
        assert_eq!(Token::from_version_id("d1a0c1b2-0000-4000-8000-000000000000"), None);
    }

    #[test]
    fn a_document_gives_back_the_password_it_was_made_with() {
        let password = Password::from_stored("S0me-Password".to_owned());
        let account = "123456789012".parse().unwrap();
        let text = document(&"alice".parse().unwrap(), &password, &account, "https://example.com/console");
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["username"], "alice");
        assert_eq!(parsed["account_id"], "123456789012");
        assert_eq!(parsed["sign_in_url"], "https://example.com/console");
        assert_eq!(parsed.as_object().unwrap().len(), 4);
        assert_eq!(password_in(&text).unwrap().reveal(), "S0me-Password");
        for broken in ["", "{}", r#"{"password":""}"#, r#"{"password":7}"#, "S0me-Password"] {
            assert!(password_in(broken).is_none(), "{broken}");
        }
    }
}
