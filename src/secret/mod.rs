//! The secret that holds a user's password: its name, its document, its
//! versions and what their labels say.
//!
//! | label | on a version means |
//! | --- | --- |
//! | `AWSCURRENT` | the password to use, once a reset is done; before the first one, a version without a password |
//! | `AWSPENDING` | stored, not yet confirmed to be the user's password |
//! | `in-doubt-…` | refused, or perhaps not: kept in sight until another version is confirmed |
//!
//! So a password that may be the user's always stands under a label.

mod arn;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use self::arn::SecretArn;
use crate::NAME;
use crate::identity::{AccountId, UserName};
use crate::ledger::random_hex;
use crate::password::{NoRandomness, Password};

/// The label of a version that is stored and not yet confirmed.
pub const PENDING: &str = "AWSPENDING";
/// The label of the version that holds the password to use.
pub const CURRENT: &str = "AWSCURRENT";
/// How the label of a version in doubt begins; the version's id follows.
const IN_DOUBT: &str = "in-doubt-";
/// How such labels began in earlier versions of this program.
const UNANNOUNCED: &str = "unannounced-";

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
        ("managed-by", NAME.to_owned()),
        ("iam-user", without_commas(user)),
        ("account-id", account.to_string()),
    ])
}

/// The user that the tag `iam-user` means; none if it is no user's name.
#[must_use]
pub fn user_in_tag(value: &str) -> Option<UserName> {
    value.replace("/2C", ",").parse().ok()
}

/// The id of a version, and the idempotency key with which it is stored: 32
/// hexadecimal digits. It is random, so that nobody can store a version under it
/// first, and the ledger knows it before it is used.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(String);

impl VersionId {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If the operating system gives no randomness.
    pub fn generate() -> Result<Self, NoRandomness> {
        random_hex().map(Self)
    }

    /// Takes back what the ledger or Secrets Manager remembers.
    #[must_use]
    pub fn from_stored(id: &str) -> Self {
        Self(id.to_owned())
    }

    /// The id as Secrets Manager is given it (`ClientRequestToken`, `VersionId`).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label that keeps this version in sight while another one is
    /// [`PENDING`] in its place. No other version can take it away.
    #[must_use]
    pub fn in_doubt(&self) -> String {
        format!("{IN_DOUBT}{}", self.0)
    }
}

/// What `DescribeSecret` shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretState {
    /// The secret's ARN.
    pub arn: SecretArn,
    /// Whether it is scheduled for deletion.
    pub deleted: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Every labelled version, with its labels.
    pub versions: BTreeMap<VersionId, BTreeSet<String>>,
}

impl SecretState {
    /// A secret that was created just now, with this one version.
    #[must_use]
    pub fn created(arn: SecretArn, tags: &BTreeMap<&'static str, String>, first: &VersionId) -> Self {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let mut secret = Self { arn, deleted: false, tags, versions: BTreeMap::new() };
        secret.put_label(first, CURRENT);
        secret
    }

    /// The version that holds `label`.
    #[must_use]
    pub fn holder(&self, label: &str) -> Option<&VersionId> {
        self.versions.iter().find(|(_, labels)| labels.contains(label)).map(|(id, _)| id)
    }

    /// Whether the version has `label`.
    #[must_use]
    pub fn has(&self, version: &VersionId, label: &str) -> bool {
        self.versions.get(version).is_some_and(|labels| labels.contains(label))
    }

    /// Whether the version has any label at all.
    #[must_use]
    pub fn is_labelled(&self, version: &VersionId) -> bool {
        self.versions.get(version).is_some_and(|labels| !labels.is_empty())
    }

    /// The labels that a finished reset leaves behind on versions, to be taken
    /// off again.
    #[must_use]
    pub fn leftovers(&self) -> Vec<(VersionId, String)> {
        let is_ours = |label: &&String| label.starts_with(IN_DOUBT) || label.starts_with(UNANNOUNCED);
        let of_version = |(version, labels): (&VersionId, &BTreeSet<String>)| {
            labels.iter().filter(is_ours).map(|label| (version.clone(), label.clone())).collect::<Vec<_>>()
        };
        self.versions.iter().flat_map(of_version).collect()
    }

    /// Records that `label` now stands on `version` and nowhere else.
    pub fn put_label(&mut self, version: &VersionId, label: &str) {
        for labels in self.versions.values_mut() {
            labels.remove(label);
        }
        self.versions.entry(version.clone()).or_default().insert(label.to_owned());
    }

    /// Records that `version` no longer has `label`.
    pub fn drop_label(&mut self, version: &VersionId, label: &str) {
        if let Some(labels) = self.versions.get_mut(version) {
            labels.remove(label);
        }
    }

    /// Whether it has all these tags, with these values.
    #[must_use]
    pub fn has_tags(&self, wanted: &BTreeMap<&'static str, String>) -> bool {
        wanted.iter().all(|(key, value)| self.tags.get(*key) == Some(value))
    }
}

/// The JSON document that a version holds.
#[derive(Serialize)]
struct Document<'a> {
    username: &'a str,
    password: Option<&'a str>,
    account_id: &'a AccountId,
    sign_in_url: &'a str,
}

/// Writes the document that is stored, wiped when it is dropped. The first
/// version of a secret, which is there before any password, has none.
#[must_use]
pub fn document(
    user: &UserName,
    password: Option<&Password>,
    account: &AccountId,
    sign_in_url: &str,
) -> Zeroizing<String> {
    let password = password.map(Password::reveal);
    let document = Document { username: user.as_str(), password, account_id: account, sign_in_url };
    // Four fields of plain text: there is nothing in it that could fail.
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
    fn version_ids_are_of_the_form_that_secrets_manager_takes_and_never_the_same() {
        let ids: BTreeSet<VersionId> = (0..100).map(|_| VersionId::generate().unwrap()).collect();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| (32..=64).contains(&id.as_str().len())));
    }

    #[test]
    fn only_the_labels_of_this_program_are_leftovers() {
        let [old, new] = ["old", "new"].map(VersionId::from_stored);
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:p/123456789012/alice-AbCdEf".parse().unwrap();
        let mut secret = SecretState::created(arn, &BTreeMap::new(), &old);
        for label in [PENDING, "AWSPREVIOUS", "mine", &old.in_doubt(), "unannounced-0123456789abcdef"] {
            secret.put_label(&old, label);
        }
        secret.put_label(&new, CURRENT);
        let labels: Vec<String> = secret.leftovers().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["in-doubt-old", "unannounced-0123456789abcdef"]);
    }

    #[test]
    fn a_document_gives_back_the_password_it_was_made_with() {
        let password = Password::from_stored("S0me-Password".to_owned());
        let account = "123456789012".parse().unwrap();
        let text = document(&"alice".parse().unwrap(), Some(&password), &account, "https://example.com/console");
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["username"], "alice");
        assert_eq!(parsed["account_id"], "123456789012");
        assert_eq!(parsed["sign_in_url"], "https://example.com/console");
        assert_eq!(parsed.as_object().unwrap().len(), 4);
        assert_eq!(password_in(&text).unwrap().reveal(), "S0me-Password");
        let empty = document(&"alice".parse().unwrap(), None, &account, "https://example.com/console");
        for broken in [&*empty, "", "{}", r#"{"password":""}"#, r#"{"password":7}"#, "S0me-Password"] {
            assert!(password_in(broken).is_none(), "{broken}");
        }
    }
}
