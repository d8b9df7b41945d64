//! The ARN of a user's secret: all that a message may say about a password.

use std::fmt;
use std::str::FromStr;

use crate::identity::{AccountId, Invalid, Partition};

/// The ARN of a secret in Secrets Manager,
/// `arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX`.
///
/// It holds nothing that a shell or a mail program would take amiss, and it
/// cannot be made of a generated password, in which there is no colon.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretArn {
    arn: String,
    region: String,
    name: String,
}

impl SecretArn {
    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.arn
    }

    /// The region in which the secret is.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The secret's name: the ARN's last part without the hyphen and the six
    /// characters that Secrets Manager appends
    /// ([secrets and their ARNs](https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html)).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for SecretArn {
    type Err = Invalid;

    fn from_str(arn: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new(arn, "the ARN of a secret");
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "secretsmanager", region, account, "secret", resource] = parts[..] else {
            return Err(invalid());
        };
        let plain = |text: &str, more: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let valid = partition.parse::<Partition>().is_ok()
            && account.parse::<AccountId>().is_ok()
            && plain(region, "-")
            && plain(resource, "/_+=.@-")
            && resource.len() <= 519;
        if !valid {
            return Err(invalid());
        }
        let name = match resource.len().checked_sub(7).and_then(|end| resource.split_at_checked(end)) {
            Some((name, suffix)) if !name.is_empty() && suffix.starts_with('-') => name,
            _ => resource,
        };
        Ok(Self { arn: arn.to_owned(), region: region.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for SecretArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}
