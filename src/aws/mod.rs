//! The only place that names `aws_sdk_*`. Verbs of this program's own language
//! go in; its values or a [`CallError`] come out.

mod error;
mod iam;
mod ledger;
mod queue;
mod secrets;
mod security_hub;
mod sns;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use futures_util::future::{BoxFuture, FutureExt, Shared};
use time::OffsetDateTime;

pub use self::error::CallError;
use self::error::Input;
use self::iam::Unmodifiable;
pub use self::iam::{AllTags, ChangePasswordAccess, Iam, LoginProfile, PasswordSet, User};
pub use self::ledger::{Choice, Lease, Leased, Ledger, Written};
pub use self::queue::{NotSent, Queue};
pub use self::secrets::{Created, LabelMoved, ListedSecret, ReadBack, Secrets, Stored};
pub(crate) use self::security_hub::Subject;
pub use self::security_hub::{Mark, Recorded, SecurityHub};
pub use self::sns::{Subscribed, Topic};
use crate::NAME;
use crate::config::Config;
use crate::identity::{AccountId, Home};

/// How often one call is tried, the first time included. With the pauses
/// between them, being asked to slow down may last for some 25 seconds.
const ATTEMPTS: u32 = 8;

/// The first pause before another try is at most this long, each further one
/// twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// How long one try may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// Credentials are renewed when they have less than this left.
const RENEWAL_MARGIN: time::Duration = time::Duration::minutes(15);

/// Makes a client that always may try again.
///
/// By default all clients of a service share one budget of retries in the
/// process. A sweep could use it up, and a user would be lost to the throttling
/// of others; the number of tries of each call is bound enough.
macro_rules! client {
    ($sdk_crate:ident, $sdk:expr $(, $setting:ident($value:expr))*) => {{
        let retries = RetryPartition::custom(NAME).token_bucket(TokenBucket::unlimited()).build();
        let config = $sdk_crate::config::Builder::from($sdk).retry_partition(retries)$(.$setting($value))*;
        $sdk_crate::Client::from_conf(config.build())
    }};
}

/// The AWS accounts within reach, and the services of the function's own.
#[derive(Debug)]
pub struct Aws {
    sdk: SdkConfig,
    topic: Topic,
    ledger: Ledger,
    security_hub: SecurityHub,
    queue: Option<Queue>,
    member_role_name: Option<String>,
    members: Mutex<HashMap<AccountId, Reaching>>,
}

/// An account on its way, for all who wait for it, or within reach.
type Reaching = Shared<BoxFuture<'static, Result<Member, OutOfReach>>>;

#[derive(Debug, Clone)]
struct Member {
    account: Arc<Account>,
    expires: OffsetDateTime,
}

/// One account: what stands in it about its users.
#[derive(Debug)]
pub struct Account {
    /// The account's id.
    pub id: AccountId,
    /// Its users and its password policy.
    pub iam: Iam,
    /// Its users' passwords.
    pub secrets: Secrets,
    /// Its findings.
    pub security_hub: SecurityHub,
}

/// Why an account is out of reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfReach {
    /// The account is another than the function's, and no role is named.
    #[error(
        "account {0} is not the function's own and MEMBER_ROLE_NAME is not set: set it to a role that the function may assume there"
    )]
    NoMemberRole(AccountId),
    /// The role could not be assumed.
    #[error("the role {role} could not be assumed: {error}; check that it exists there and trusts the function's role")]
    NotAssumed {
        /// The role's ARN.
        role: String,
        /// What AWS answered.
        error: CallError,
    },
}

impl OutOfReach {
    /// Whether the account stays out of reach until a person acts: AWS does not
    /// tell a role that is missing from one that does not trust the function. Any
    /// other error is the function's own, or passes.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::NoMemberRole(_) => true,
            Self::NotAssumed { error, .. } => error.is(&["AccessDenied", "RegionDisabledException"]),
        }
    }

    /// Whether a person has to act, and should be told so. Not that no role is
    /// named: whoever asks for such an account in person is answered so, and
    /// findings of it are passed over.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Self::NotAssumed { error, .. } if error.needs_a_person)
    }
}

impl Aws {
    /// Prepares the clients. Nothing is called.
    #[must_use]
    pub fn new(sdk: SdkConfig, config: &Config) -> Self {
        let queue = |url| Queue { client: client!(aws_sdk_sqs, &sdk), url };
        Self {
            topic: Topic { client: client!(aws_sdk_sns, &sdk), arn: config.notification_topic_arn.clone() },
            ledger: Ledger { client: client!(aws_sdk_dynamodb, &sdk), table: config.ledger_table.clone() },
            security_hub: SecurityHub { client: client!(aws_sdk_securityhub, &sdk) },
            queue: config.work_queue_url.clone().map(queue),
            member_role_name: config.member_role_name.clone(),
            sdk,
            members: Mutex::default(),
        }
    }

    /// Where the SDK's configuration starts: the rest comes from the
    /// environment (region, endpoint, credentials).
    #[must_use]
    pub fn sdk_config() -> ConfigLoader {
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_PAUSE))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build());
        match AppName::new(NAME) {
            Ok(name) => config.app_name(name),
            Err(_) => config,
        }
    }

    /// The topic for users and operators.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The ledger, in the function's own account and region.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Security Hub in the function's own account and region.
    #[must_use]
    pub fn security_hub(&self) -> &SecurityHub {
        &self.security_hub
    }

    /// The queue that sweeps write to, if there is one.
    #[must_use]
    pub fn queue(&self) -> Option<&Queue> {
        self.queue.as_ref()
    }

    /// Where the function runs, when the invocation does not say: local
    /// emulators of Lambda give no function ARN.
    ///
    /// # Errors
    ///
    /// `sts:GetCallerIdentity` failed, or answered with no usable ARN.
    pub async fn home_of_caller(&self) -> Result<Home, CallError> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let answer = client!(aws_sdk_sts, &self.sdk).get_caller_identity().send().await;
        let answer = answer.map_err(|error| CallError::new(OPERATION, Input::Plain, &error))?;
        let partition = answer.arn().and_then(|arn| arn.split(':').nth(1)?.parse().ok());
        let account_id = answer.account().and_then(|account| account.parse().ok());
        let region = self.sdk.region().map(ToString::to_string);
        match (partition, region, account_id) {
            (Some(partition), Some(region), Some(account_id)) => Ok(Home { partition, region, account_id }),
            _ => Err(CallError::incomplete(OPERATION, "usable ARN")),
        }
    }

    /// The account, its credentials renewed where they are about to expire.
    ///
    /// # Errors
    ///
    /// The account is another than the function's and its role is not named or
    /// cannot be assumed. Whoever waits for the same try shares the error; the
    /// next to ask tries again.
    pub async fn account(&self, home: &Home, id: &AccountId) -> Result<Arc<Account>, OutOfReach> {
        let member = {
            let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
            let known = members.get(id).filter(|known| is_of_use(known)).cloned();
            known.unwrap_or_else(|| {
                let reaching = reach(self.sdk.clone(), home.clone(), id.clone(), self.member_role_name.clone());
                let reaching = reaching.boxed().shared();
                members.insert(id.clone(), reaching.clone());
                reaching
            })
        };
        Ok(member.await?.account)
    }
}

/// Whether there is no need to begin anew: it is on its way, or there for a while.
fn is_of_use(member: &Reaching) -> bool {
    match member.peek() {
        None => true,
        Some(Ok(member)) => member.expires - OffsetDateTime::now_utc() > RENEWAL_MARGIN,
        Some(Err(_)) => false,
    }
}

async fn reach(sdk: SdkConfig, home: Home, id: AccountId, role_name: Option<String>) -> Result<Member, OutOfReach> {
    if id == home.account_id {
        let expires = OffsetDateTime::new_utc(time::Date::MAX, time::Time::MIDNIGHT);
        return Ok(Member { account: Arc::new(account(&sdk, &home, &id)), expires });
    }
    match role_name {
        Some(role_name) => assume(&sdk, &home, &id, &role_name).await,
        None => Err(OutOfReach::NoMemberRole(id)),
    }
}

async fn assume(sdk: &SdkConfig, home: &Home, id: &AccountId, role_name: &str) -> Result<Member, OutOfReach> {
    const OPERATION: &str = "sts:AssumeRole";
    let role = format!("arn:{}:iam::{id}:role/{role_name}", home.partition);
    let answer = client!(aws_sdk_sts, sdk).assume_role().role_arn(&role).role_session_name(NAME).send().await;
    let not_assumed = |error| OutOfReach::NotAssumed { role: role.clone(), error };
    let answer = answer.map_err(|error| not_assumed(CallError::new(OPERATION, Input::Plain, &error)))?;
    let given = answer.credentials().ok_or_else(|| not_assumed(CallError::incomplete(OPERATION, "credentials")))?;
    let credentials = Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token().to_owned()),
        None,
        NAME,
    );
    let provider = SharedCredentialsProvider::new(credentials);
    let sdk = sdk.to_builder().credentials_provider(provider).build();
    Ok(Member { account: Arc::new(account(&sdk, home, id)), expires: instant(given.expiration()) })
}

fn account(sdk: &SdkConfig, home: &Home, id: &AccountId) -> Account {
    // An endpoint is found by region; a function always runs in one.
    let sdk = match sdk.region() {
        Some(_) => sdk.clone(),
        None => sdk.to_builder().region(Region::new(home.region.clone())).build(),
    };
    Account {
        id: id.clone(),
        iam: Iam { client: client!(aws_sdk_iam, &sdk, retry_classifier(Unmodifiable)), partition: home.partition },
        secrets: Secrets { client: client!(aws_sdk_secretsmanager, &sdk) },
        security_hub: SecurityHub { client: client!(aws_sdk_securityhub, &sdk) },
    }
}

fn instant(time: &aws_sdk_iam::primitives::DateTime) -> OffsetDateTime {
    // AWS's times lie well within what `OffsetDateTime` can hold.
    OffsetDateTime::from_unix_timestamp(time.secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
