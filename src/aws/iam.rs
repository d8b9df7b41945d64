//! IAM: what is known of an account and its users, and the changes made to them.
#![expect(clippy::missing_errors_doc, reason = "each method fails as the call does that it is named after")]

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_iam::Client;
use aws_sdk_iam::error::SdkError;
use aws_sdk_iam::operation::update_login_profile::UpdateLoginProfileError;
use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EntityType, EvaluationResult, PolicyEvaluationDecisionType,
};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use super::error::{CallError, Input};
use super::instant;
use crate::account::password_policy::{EffectivePolicy, PasswordPolicy};
use crate::identity::{Partition, UserId, UserName};
use crate::password::Password;

/// The managed policy that lets a user change their own password.
const CHANGE_PASSWORD_POLICY: &str = "IAMUserChangePassword";

/// A credential report is kept for four hours before a new one can be made
/// ([Getting credential reports](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html)).
const REPORT_LIFETIME: time::Duration = time::Duration::hours(4);

/// What `GetUser` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name as IAM writes it.
    pub name: UserName,
    /// The id that no other user ever had or will have.
    pub id: UserId,
    /// The ARN, path included.
    pub arn: String,
    /// The path: `/`, or `/a/b/`.
    pub path: String,
}

/// What `GetLoginProfile` says: that the user can sign in to the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginProfile {
    /// When the user's *first* password was set.
    pub created: OffsetDateTime,
    /// Whether the password must be changed at the next sign-in. IAM clears it
    /// when the user, or whoever else, sets a password without this demand.
    pub reset_required: bool,
}

/// Whether a user's policies let them change their own password, without MFA
/// and leaving the account's own setting aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangePasswordAccess {
    /// A policy allows it.
    Allowed,
    /// No policy says anything.
    NotGranted,
    /// A policy forbids it; a grant would not help.
    Denied,
    /// IAM could not be asked.
    Unknown,
}

/// How `UpdateLoginProfile` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordSet {
    /// The password is the user's now.
    Done,
    /// It does not satisfy the account's policy, or was used before.
    Refused,
    /// The user cannot sign in to the console.
    NoLoginProfile,
}

/// Has the SDK try again where IAM says that a user is being changed elsewhere
/// (`EntityTemporarilyUnmodifiable`), which it takes for final.
#[derive(Debug)]
pub(super) struct Unmodifiable;

impl ClassifyRetry for Unmodifiable {
    fn classify_retry(&self, call: &InterceptorContext) -> RetryAction {
        let error = call.output_or_error().and_then(Result::err).and_then(OrchestratorError::as_operation_error);
        match error.and_then(|error| error.downcast_ref::<UpdateLoginProfileError>()) {
            Some(error) if error.is_entity_temporarily_unmodifiable_exception() => RetryAction::server_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "EntityTemporarilyUnmodifiable"
    }
}

/// The tags of users, by the keys of their names.
pub type AllTags = HashMap<String, Vec<(String, String)>>;

/// IAM in one account.
#[derive(Debug, Clone)]
pub struct Iam {
    pub(super) client: Client,
    pub(super) partition: Partition,
}

impl Iam {
    /// The user of that name in any case; none if there is no such user.
    pub async fn user(&self, name: &UserName) -> Result<Option<User>, CallError> {
        const OPERATION: &str = "iam:GetUser";
        let answer = self.client.get_user().user_name(name.as_str()).send().await;
        let Some(answer) = found(OPERATION, answer)? else { return Ok(None) };
        let user = answer.user().ok_or_else(|| CallError::incomplete(OPERATION, "user"))?;
        Ok(Some(User {
            name: user.user_name().parse().unwrap_or_else(|_| name.clone()),
            id: UserId::from_iam(user.user_id()),
            arn: user.arn().to_owned(),
            path: user.path().to_owned(),
        }))
    }

    /// The name of the user with that id; none if there is no such user.
    pub async fn name_of(&self, id: &UserId) -> Result<Option<UserName>, CallError> {
        let mut pages = self.client.list_users().into_paginator().page_size(1000).send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::new("iam:ListUsers", Input::Plain, &error))?;
            if let Some(user) = page.users().iter().find(|user| user.user_id() == id.as_str()) {
                return Ok(user.user_name().parse().ok());
            }
        }
        Ok(None)
    }

    /// The user's tags.
    pub async fn tags(&self, name: &UserName) -> Result<Vec<(String, String)>, CallError> {
        let mut tags = Vec::new();
        let mut pages = self.client.list_user_tags().user_name(name.as_str()).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::new("iam:ListUserTags", Input::Plain, &error))?;
            tags.extend(page.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())));
        }
        Ok(tags)
    }

    /// The tags of all users, by the keys of their names.
    pub async fn all_tags(&self) -> Result<AllTags, CallError> {
        const OPERATION: &str = "iam:GetAccountAuthorizationDetails";
        let call = self.client.get_account_authorization_details().filter(EntityType::User);
        let mut pages = call.into_paginator().page_size(1000).send();
        let mut users = AllTags::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::new(OPERATION, Input::Plain, &error))?;
            for user in page.user_detail_list() {
                let Some(name) = user.user_name().and_then(|name| name.parse::<UserName>().ok()) else { continue };
                let tags = user.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
                users.insert(name.key(), tags.collect());
            }
        }
        Ok(users)
    }

    /// The user's login profile; none if the user cannot sign in to the console.
    pub async fn login_profile(&self, name: &UserName) -> Result<Option<LoginProfile>, CallError> {
        const OPERATION: &str = "iam:GetLoginProfile";
        let answer = self.client.get_login_profile().user_name(name.as_str()).send().await;
        let Some(answer) = found(OPERATION, answer)? else { return Ok(None) };
        let profile = answer.login_profile().ok_or_else(|| CallError::incomplete(OPERATION, "login profile"))?;
        Ok(Some(LoginProfile {
            created: instant(profile.create_date()),
            reset_required: profile.password_reset_required(),
        }))
    }

    /// The account's password policy.
    pub async fn password_policy(&self) -> Result<EffectivePolicy, CallError> {
        const OPERATION: &str = "iam:GetAccountPasswordPolicy";
        let answer = self.client.get_account_password_policy().send().await;
        let Some(answer) = found(OPERATION, answer)? else { return Ok(EffectivePolicy::AwsDefault) };
        let policy = answer.password_policy().ok_or_else(|| CallError::incomplete(OPERATION, "policy"))?;
        let positive = |number: Option<i32>| number.and_then(|number| u16::try_from(number).ok()).filter(|n| *n > 0);
        let byte = |number: Option<i32>| positive(number).and_then(|number| u8::try_from(number).ok());
        Ok(EffectivePolicy::Custom(PasswordPolicy {
            minimum_length: byte(policy.minimum_password_length()).unwrap_or(6),
            require_symbols: policy.require_symbols(),
            require_numbers: policy.require_numbers(),
            require_uppercase: policy.require_uppercase_characters(),
            require_lowercase: policy.require_lowercase_characters(),
            allow_users_to_change_password: policy.allow_users_to_change_password(),
            max_age_days: positive(policy.max_password_age()),
            reuse_prevention: byte(policy.password_reuse_prevention()),
            hard_expiry: policy.hard_expiry(),
        }))
    }

    /// Replaces the account's password policy. Whatever a policy can set is
    /// given, since what is left out would fall back to AWS's default.
    pub async fn set_password_policy(&self, policy: &PasswordPolicy) -> Result<(), CallError> {
        let answer = self
            .client
            .update_account_password_policy()
            .minimum_password_length(i32::from(policy.minimum_length))
            .require_symbols(policy.require_symbols)
            .require_numbers(policy.require_numbers)
            .require_uppercase_characters(policy.require_uppercase)
            .require_lowercase_characters(policy.require_lowercase)
            .allow_users_to_change_password(policy.allow_users_to_change_password)
            .set_max_password_age(policy.max_age_days.map(i32::from))
            .set_password_reuse_prevention(policy.reuse_prevention.map(i32::from))
            .set_hard_expiry(policy.hard_expiry)
            .send()
            .await;
        answer.map(drop).map_err(|error| CallError::new("iam:UpdateAccountPasswordPolicy", Input::Plain, &error))
    }

    /// The credential report as CSV. Asks for a new one
    /// where there is none that is still valid, and waits for it until `until`.
    pub async fn credential_report(&self, until: Instant) -> Result<Vec<u8>, CallError> {
        const OPERATION: &str = "iam:GetCredentialReport";
        let mut pause = Duration::from_millis(500);
        let mut asked = false;
        loop {
            let error = match self.client.get_credential_report().send().await {
                Ok(answer) => {
                    let generated = answer.generated_time().map_or_else(OffsetDateTime::now_utc, instant);
                    if asked || OffsetDateTime::now_utc() - generated < REPORT_LIFETIME {
                        let content = answer.content().ok_or_else(|| CallError::incomplete(OPERATION, "content"))?;
                        return Ok(content.as_ref().to_vec());
                    }
                    None
                }
                Err(error) => Some(CallError::new(OPERATION, Input::Plain, &error)),
            };
            match error {
                Some(error) if !error.is(&["ReportNotPresent", "ReportExpired", "ReportInProgress"]) => {
                    return Err(error);
                }
                Some(error) if Instant::now() + pause > until => {
                    return Err(CallError { needs_a_person: false, ..error });
                }
                Some(error) if error.is(&["ReportInProgress"]) => {}
                _ if asked => {}
                _ => {
                    self.generate_credential_report().await?;
                    asked = true;
                    continue;
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    async fn generate_credential_report(&self) -> Result<(), CallError> {
        let answer = self.client.generate_credential_report().send().await;
        answer.map(drop).map_err(|error| CallError::new("iam:GenerateCredentialReport", Input::Plain, &error))
    }

    /// Whether the policies of the user with that ARN let them change their own
    /// password when they sign in, which is before MFA counts.
    ///
    /// None if IAM knows no user by that ARN.
    pub async fn change_password_access(&self, arn: &str) -> Result<Option<ChangePasswordAccess>, CallError> {
        let without_mfa = ContextEntry::builder()
            .context_key_name("aws:MultiFactorAuthPresent")
            .context_key_type(ContextKeyTypeEnum::Boolean)
            .context_key_values("false")
            .build();
        let answer = self
            .client
            .simulate_principal_policy()
            .policy_source_arn(arn)
            .action_names("iam:ChangePassword")
            .resource_arns(arn)
            .context_entries(without_mfa)
            .send()
            .await;
        match found("iam:SimulatePrincipalPolicy", answer) {
            Ok(None) => Ok(None),
            Ok(Some(answer)) => {
                Ok(Some(answer.evaluation_results().first().map_or(ChangePasswordAccess::Unknown, access)))
            }
            Err(error) if error.is_unknown() => {
                tracing::warn!(%error, "the user's policies cannot be simulated; the account's setting decides");
                Ok(Some(ChangePasswordAccess::Unknown))
            }
            Err(error) => Err(error),
        }
    }

    /// Attaches the managed policy `IAMUserChangePassword`; doing so twice is
    /// the same as once.
    pub async fn grant_change_password(&self, name: &UserName) -> Result<(), CallError> {
        let policy = format!("arn:{}:iam::aws:policy/{CHANGE_PASSWORD_POLICY}", self.partition);
        let answer = self.client.attach_user_policy().user_name(name.as_str()).policy_arn(policy).send().await;
        answer.map(drop).map_err(|error| CallError::new("iam:AttachUserPolicy", Input::Plain, &error))
    }

    /// Requires a change of password at the next sign-in, and leaves the password
    /// as it is. False if the user cannot sign in to the console.
    pub async fn demand_change(&self, name: &UserName) -> Result<bool, CallError> {
        let answer =
            self.client.update_login_profile().user_name(name.as_str()).password_reset_required(true).send().await;
        Ok(found("iam:UpdateLoginProfile", answer)?.is_some())
    }

    /// Sets the user's password, to be changed at the next sign-in.
    pub async fn set_password(&self, name: &UserName, password: &Password) -> Result<PasswordSet, CallError> {
        let answer = self
            .client
            .update_login_profile()
            .user_name(name.as_str())
            .password(password.reveal())
            .password_reset_required(true)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(PasswordSet::Done),
            Err(error) => {
                let error = CallError::new("iam:UpdateLoginProfile", Input::Secret, &error);
                if error.is(&["PasswordPolicyViolation"]) {
                    Ok(PasswordSet::Refused)
                } else if error.is(&["NoSuchEntity"]) {
                    Ok(PasswordSet::NoLoginProfile)
                } else {
                    Err(error)
                }
            }
        }
    }
}

/// What a simulation comes to. A permissions boundary, or a policy of the
/// organization, that does not allow the action outweighs any grant
/// ([EvaluationResult](https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html)).
fn access(result: &EvaluationResult) -> ChangePasswordAccess {
    let here = result.resource_specific_results();
    let boundaries = here.iter().map(|result| result.permissions_boundary_decision_detail());
    let is_bounded = boundaries
        .chain([result.permissions_boundary_decision_detail()])
        .flatten()
        .any(|boundary| !boundary.allowed_by_permissions_boundary());
    let is_forbidden = result.organizations_decision_detail().is_some_and(|detail| !detail.allowed_by_organizations());
    match result.eval_decision() {
        PolicyEvaluationDecisionType::Allowed => ChangePasswordAccess::Allowed,
        PolicyEvaluationDecisionType::ExplicitDeny => ChangePasswordAccess::Denied,
        PolicyEvaluationDecisionType::ImplicitDeny if is_bounded || is_forbidden => ChangePasswordAccess::Denied,
        PolicyEvaluationDecisionType::ImplicitDeny => ChangePasswordAccess::NotGranted,
        _ => ChangePasswordAccess::Unknown,
    }
}

/// Turns "there is no such thing" into none.
fn found<O, E>(
    operation: &'static str,
    answer: Result<O, SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>>,
) -> Result<Option<O>, CallError>
where
    E: aws_sdk_iam::error::ProvideErrorMetadata,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => {
            let error = CallError::new(operation, Input::Plain, &error);
            if error.is(&["NoSuchEntity"]) { Ok(None) } else { Err(error) }
        }
    }
}
