//! Who is meant: accounts, users and the function's own place in AWS.
//!
//! Each type is validated where it is made, so nothing downstream handles a
//! bare string that might be something else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A value that is not what its type demands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {expected}")]
pub struct Invalid {
    value: String,
    expected: &'static str,
}

impl Invalid {
    pub(crate) fn new(value: &str, expected: &'static str) -> Self {
        Self { value: value.chars().take(100).collect(), expected }
    }
}

/// An AWS account id: twelve digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// The twelve digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = Invalid;

    fn from_str(value: &str) -> Result<Self, Invalid> {
        if value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(value.to_owned()))
        } else {
            Err(Invalid::new(value, "an AWS account id (12 digits)"))
        }
    }
}

/// The friendly name of an IAM user, in the case in which it was given.
///
/// 1 to 64 letters, digits and `+ = , . @ _ -`
/// ([IAM quotas](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)).
/// IAM tells users apart without regard to case; compare with [`UserName::key`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

impl UserName {
    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as IAM compares it: two users of one account never share a key.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for UserName {
    type Err = Invalid;

    fn from_str(value: &str) -> Result<Self, Invalid> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
        if (1..=64).contains(&value.len()) && value.bytes().all(legal) {
            Ok(Self(value.to_owned()))
        } else {
            Err(Invalid::new(value, "an IAM user name (1 to 64 letters, digits and + = , . @ _ -)"))
        }
    }
}

/// The unique id of an IAM user, such as `AIDACKCEVSQ6C2EXAMPLE`. It is never
/// given to another user, not even to a later one of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

impl UserId {
    /// The id's letters and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes what IAM itself answered as a user's id, whatever its form.
    #[must_use]
    pub fn from_iam(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl FromStr for UserId {
    type Err = Invalid;

    /// Accepts the documented form of a user's id: `AIDA` and at least twelve
    /// more capital letters and digits
    /// ([IAM identifiers](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids)).
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let rest = value.strip_prefix("AIDA").unwrap_or_default();
        let legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if (12..=124).contains(&rest.len()) && rest.bytes().all(legal) {
            Ok(Self(value.to_owned()))
        } else {
            Err(Invalid::new(value, "the unique id of an IAM user (AIDA…)"))
        }
    }
}

macro_rules! string_conversions {
    ($($name:ident),+) => {$(
        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(value: String) -> Result<Self, Invalid> {
                value.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}
string_conversions!(AccountId, UserName, UserId);

/// A partition of AWS: accounts, ARNs and sign-in pages do not cross it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Partition {
    /// `aws`, the commercial regions.
    Aws,
    /// `aws-cn`, the regions in China.
    AwsCn,
    /// `aws-us-gov`, AWS GovCloud (US).
    AwsUsGov,
}

impl Partition {
    /// The name that stands in ARNs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
        }
    }

    /// Where the IAM users of `account` sign in to the console
    /// ([AWS sign-in endpoints](https://docs.aws.amazon.com/general/latest/gr/signin-service.html)).
    #[must_use]
    pub fn sign_in_url(self, account: &AccountId) -> String {
        let domain = match self {
            Self::Aws => "signin.aws.amazon.com",
            Self::AwsCn => "signin.amazonaws.cn",
            Self::AwsUsGov => "signin.amazonaws-us-gov.com",
        };
        format!("https://{account}.{domain}/console")
    }
}

impl FromStr for Partition {
    type Err = Invalid;

    fn from_str(value: &str) -> Result<Self, Invalid> {
        [Self::Aws, Self::AwsCn, Self::AwsUsGov]
            .into_iter()
            .find(|partition| partition.as_str() == value)
            .ok_or_else(|| Invalid::new(value, "a partition of AWS (aws, aws-cn, aws-us-gov)"))
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the function itself runs, read off the ARN it was invoked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The partition of the function.
    pub partition: Partition,
    /// The region of the function, such as `eu-central-1`.
    pub region: String,
    /// The account of the function.
    pub account_id: AccountId,
}

impl FromStr for Home {
    type Err = Invalid;

    /// Reads `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`.
    fn from_str(arn: &str) -> Result<Self, Invalid> {
        let parts: Vec<&str> = arn.split(':').collect();
        match parts[..] {
            ["arn", partition, "lambda", region, account, "function", _, ..] if !region.is_empty() => {
                Ok(Self { partition: partition.parse()?, region: region.to_owned(), account_id: account.parse()? })
            }
            _ => Err(Invalid::new(arn, "the ARN of a Lambda function")),
        }
    }
}
