//! Reads, all at once, what a decision about a user takes.

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::account::credential_report::{CredentialReport, ReportError};
use crate::account::password_policy::EffectivePolicy;
use crate::aws::{Account, CallError, ChangePasswordAccess, LoginProfile, User};
use crate::identity::{AccountId, Partition, UserName};
use crate::secret::{SecretName, SecretState};

/// What is the same for all users of an account.
#[derive(Debug)]
pub(crate) struct AccountFacts {
    /// The password policy in force.
    pub policy: EffectivePolicy,
    /// The credential report.
    pub report: CredentialReport,
}

/// What is known of one user.
#[derive(Debug)]
pub(crate) struct UserFacts {
    /// The user's account.
    pub account_id: AccountId,
    /// The user.
    pub user: User,
    /// The user's tags; none if they could not be read.
    pub tags: Option<Vec<(String, String)>>,
    /// The login profile; none if the user cannot sign in to the console.
    pub profile: Option<LoginProfile>,
    /// Whether the user's policies let them change their own password.
    pub change_password: ChangePasswordAccess,
    /// The name of the user's secret.
    pub secret_name: SecretName,
    /// The user's secret, if there is one.
    pub secret: Option<SecretState>,
    /// What the time was when all this had been read.
    pub read_at: OffsetDateTime,
}

/// Whether there is a user of that name.
#[derive(Debug)]
pub(crate) enum FoundUser {
    /// There is.
    There(Box<UserFacts>),
    /// There is none.
    Gone {
        /// The secret that was the user's, or would be.
        secret: Option<SecretState>,
    },
}

/// Why there are no facts.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The credential report is not what IAM documents it to be.
    #[error("the credential report cannot be read: {0}")]
    Report(#[from] ReportError),
}

impl SurveyError {
    /// Whether no retry mends it: a person has to act, and should be told so.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Call(error) => error.needs_a_person,
            Self::Report(_) => true,
        }
    }
}

/// Reads what is the same for all users of `account`. Where IAM has to make a
/// new credential report, waits for it until `until`.
///
/// # Errors
///
/// A call that failed, or a report that cannot be understood.
pub(crate) async fn account(account: &Account, until: Instant) -> Result<AccountFacts, SurveyError> {
    let (policy, report) = tokio::join!(account.iam.password_policy(), account.iam.credential_report(until));
    let report = CredentialReport::parse(&report?)?;
    if report.skipped_rows() > 0 || report.unreadable_dates() > 0 {
        tracing::warn!(
            account_id = %account.id,
            skipped_rows = report.skipped_rows(),
            unreadable_dates = report.unreadable_dates(),
            "parts of the credential report could not be read"
        );
    }
    Ok(AccountFacts { policy: policy?, report })
}

/// Reads what is known of the user of that name.
///
/// # Errors
///
/// A call that failed. That the tags may not be read is no error: they count as
/// exempting the user.
pub(crate) async fn user(
    account: &Account,
    partition: Partition,
    secret_prefix: &str,
    name: &UserName,
) -> Result<FoundUser, CallError> {
    let iam = &account.iam;
    // Name and path may be written otherwise than IAM has them. Taking them to
    // be right saves a round trip; the rare other case is read again below.
    let guessed_arn = format!("arn:{partition}:iam::{}:user/{name}", account.id);
    let guessed_secret = SecretName::new(secret_prefix, &account.id, name);
    let (user, tags, profile, access, secret) = tokio::join!(
        iam.user(name),
        iam.tags(name),
        iam.login_profile(name),
        iam.change_password_access(&guessed_arn),
        account.secrets.describe(&guessed_secret),
    );
    let Some(user) = user? else { return Ok(FoundUser::Gone { secret: secret? }) };
    let tags = match tags {
        Ok(tags) => Some(tags),
        Err(error) if !error.needs_a_person => return Err(error),
        Err(error) => {
            tracing::warn!(%error, user_name = %user.name, "the user's tags cannot be read: the user counts as exempt");
            None
        }
    };
    let secret_name = SecretName::new(secret_prefix, &account.id, &user.name);
    let (access, secret) = tokio::join!(
        async {
            match access {
                Ok(Some(access)) if user.arn == guessed_arn => Ok(Some(access)),
                Err(error) if user.arn == guessed_arn => Err(error),
                _ => iam.change_password_access(&user.arn).await,
            }
        },
        async { if secret_name == guessed_secret { secret } else { account.secrets.describe(&secret_name).await } },
    );
    Ok(FoundUser::There(Box::new(UserFacts {
        account_id: account.id.clone(),
        tags,
        profile: profile?,
        change_password: access?.unwrap_or(ChangePasswordAccess::Unknown),
        secret_name,
        secret: secret?,
        read_at: OffsetDateTime::now_utc(),
        user,
    })))
}
