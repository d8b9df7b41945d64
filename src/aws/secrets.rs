//! Secrets Manager: where passwords are kept.
#![expect(clippy::missing_errors_doc, reason = "each method fails as the call does that it is named after")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, Tag};

use super::error::{CallError, Input};
use crate::NAME;
use crate::identity::UserName;
use crate::password::Password;
use crate::secret::{self, SecretArn, SecretName, SecretState, VersionId};

/// For how many days a secret can be restored; Secrets Manager takes 7 to 30
/// ([DeleteSecret](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html)).
const RECOVERY_DAYS: i64 = 30;

/// How `CreateSecret` ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// There is a new secret, with this ARN.
    New(SecretArn),
    /// There is one of that name already, perhaps scheduled for deletion.
    Exists,
}

/// How `PutSecretValue` ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// The version holds what was given, and has these labels.
    New(BTreeSet<String>),
    /// The version holds something else.
    AlreadyThere,
}

/// A secret that claims by its tags to be of this function's making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSecret {
    /// The user that its tags name; none if they name none.
    pub user: Option<UserName>,
    /// How it stands, as far as the list is up to date.
    pub state: SecretState,
}

/// How reading a version back ended.
#[derive(Debug)]
pub enum ReadBack {
    /// The password that the version holds.
    Password(Password),
    /// The version holds something else, or is gone.
    Unusable,
}

/// How moving a label ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelMoved {
    /// The label stands where it should.
    Done,
    /// It was not where it was expected: the secret changed in between.
    Conflict,
}

/// Secrets Manager in one account and region.
#[derive(Debug, Clone)]
pub struct Secrets {
    pub(super) client: Client,
}

impl Secrets {
    /// The secret's state; none if there is no such secret.
    pub async fn describe(&self, name: &SecretName) -> Result<Option<SecretState>, CallError> {
        const OPERATION: &str = "secretsmanager:DescribeSecret";
        let answer = match self.client.describe_secret().secret_id(name.as_str()).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let error = CallError::new(OPERATION, Input::Plain, &error);
                return if error.is(&["ResourceNotFoundException"]) { Ok(None) } else { Err(error) };
            }
        };
        let arn = secret_arn(OPERATION, answer.arn())?;
        let is_deleted = answer.deleted_date().is_some();
        Ok(Some(state(arn, is_deleted, answer.tags(), answer.version_ids_to_stages())))
    }

    /// Creates a secret whose first version, `marker`, holds this document.
    pub async fn create(
        &self,
        name: &SecretName,
        tags: &BTreeMap<&'static str, String>,
        kms_key_id: Option<&str>,
        marker: &VersionId,
        document: &str,
    ) -> Result<Created, CallError> {
        const OPERATION: &str = "secretsmanager:CreateSecret";
        let answer = self
            .client
            .create_secret()
            .name(name.as_str())
            .description("Console password of an IAM user, to be changed at the next sign-in")
            .set_kms_key_id(kms_key_id.map(str::to_owned))
            .set_tags(Some(sdk_tags(tags)))
            .client_request_token(marker.as_str())
            .secret_string(document)
            .send()
            .await;
        match answer {
            Ok(answer) => secret_arn(OPERATION, answer.arn()).map(Created::New),
            Err(error) => {
                let error = CallError::new(OPERATION, Input::Plain, &error);
                // A name scheduled for deletion is taken too, says
                // InvalidRequestException.
                let taken = error.is(&["ResourceExistsException", "InvalidRequestException"]);
                if taken { Ok(Created::Exists) } else { Err(error) }
            }
        }
    }

    /// Takes the secret out of its scheduled deletion.
    pub async fn restore(&self, arn: &SecretArn) -> Result<(), CallError> {
        let answer = self.client.restore_secret().secret_id(arn.as_str()).send().await;
        answer.map(drop).map_err(|error| CallError::new("secretsmanager:RestoreSecret", Input::Plain, &error))
    }

    /// Schedules the secret for deletion. Until then it can be restored.
    pub async fn schedule_deletion(&self, arn: &SecretArn) -> Result<(), CallError> {
        let request = self.client.delete_secret().secret_id(arn.as_str()).recovery_window_in_days(RECOVERY_DAYS);
        let answer = request.send().await;
        answer.map(drop).map_err(|error| CallError::new("secretsmanager:DeleteSecret", Input::Plain, &error))
    }

    /// Sets tags; others stay.
    pub async fn tag(&self, arn: &SecretArn, tags: &BTreeMap<&'static str, String>) -> Result<(), CallError> {
        let request = self.client.tag_resource().secret_id(arn.as_str()).set_tags(Some(sdk_tags(tags)));
        let answer = request.send().await;
        answer.map(drop).map_err(|error| CallError::new("secretsmanager:TagResource", Input::Plain, &error))
    }

    /// Stores a document as this version, under `label`, which it takes away from
    /// the version that had it.
    pub async fn store(
        &self,
        arn: &SecretArn,
        version: &VersionId,
        label: &str,
        document: &str,
    ) -> Result<Stored, CallError> {
        let answer = self
            .client
            .put_secret_value()
            .secret_id(arn.as_str())
            .client_request_token(version.as_str())
            .secret_string(document)
            .version_stages(label)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Stored::New(answer.version_stages().iter().cloned().collect())),
            Err(error) => {
                let error = CallError::new("secretsmanager:PutSecretValue", Input::Secret, &error);
                if error.is(&["ResourceExistsException"]) { Ok(Stored::AlreadyThere) } else { Err(error) }
            }
        }
    }

    /// Reads back the password in `version`.
    pub async fn read(&self, arn: &SecretArn, version: &VersionId) -> Result<ReadBack, CallError> {
        let answer = self.client.get_secret_value().secret_id(arn.as_str()).version_id(version.as_str()).send().await;
        match answer {
            Ok(answer) => {
                Ok(answer.secret_string().and_then(secret::password_in).map_or(ReadBack::Unusable, ReadBack::Password))
            }
            Err(error) => {
                let error = CallError::new("secretsmanager:GetSecretValue", Input::Secret, &error);
                if error.is(&["ResourceNotFoundException"]) { Ok(ReadBack::Unusable) } else { Err(error) }
            }
        }
    }

    /// Moves `label` to the version `to`, from where it is now.
    pub async fn move_label(
        &self,
        arn: &SecretArn,
        label: &str,
        to: &VersionId,
        from: Option<&VersionId>,
    ) -> Result<LabelMoved, CallError> {
        self.update_stage(arn, label, Some(to), from).await
    }

    /// Takes `label` off `version`. That it is no longer there is no error.
    pub async fn drop_label(&self, arn: &SecretArn, label: &str, version: &VersionId) -> Result<(), CallError> {
        self.update_stage(arn, label, None, Some(version)).await.map(drop)
    }

    /// The secrets below `prefix` that claim by their tags to be of this
    /// function's making. The list may lag behind by some minutes.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ListedSecret>, CallError> {
        const OPERATION: &str = "secretsmanager:ListSecrets";
        let filter = |key, value: &str| Filter::builder().key(key).values(value).build();
        let mut pages = self
            .client
            .list_secrets()
            .include_planned_deletion(true)
            .filters(filter(FilterNameStringType::Name, prefix))
            .filters(filter(FilterNameStringType::TagKey, "managed-by"))
            .filters(filter(FilterNameStringType::TagValue, NAME))
            .into_paginator()
            .send();
        let mut secrets = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::new(OPERATION, Input::Plain, &error))?;
            for listed in page.secret_list() {
                let tag = |key: &str| listed.tags().iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value);
                // The filters look for the beginnings of words.
                let is_ours =
                    tag("managed-by") == Some(NAME) && listed.name().is_some_and(|name| name.starts_with(prefix));
                if is_ours {
                    let user = tag("iam-user").and_then(secret::user_in_tag);
                    let (arn, is_deleted) = (secret_arn(OPERATION, listed.arn())?, listed.deleted_date().is_some());
                    let state = state(arn, is_deleted, listed.tags(), listed.secret_versions_to_stages());
                    secrets.push(ListedSecret { user, state });
                }
            }
        }
        Ok(secrets)
    }

    async fn update_stage(
        &self,
        arn: &SecretArn,
        label: &str,
        to: Option<&VersionId>,
        from: Option<&VersionId>,
    ) -> Result<LabelMoved, CallError> {
        let answer = self
            .client
            .update_secret_version_stage()
            .secret_id(arn.as_str())
            .version_stage(label)
            .set_move_to_version_id(to.map(|version| version.as_str().to_owned()))
            .set_remove_from_version_id(from.map(|version| version.as_str().to_owned()))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(LabelMoved::Done),
            Err(error) => {
                let error = CallError::new("secretsmanager:UpdateSecretVersionStage", Input::Plain, &error);
                let conflict = error.is(&["InvalidParameterException", "ResourceNotFoundException"]);
                if conflict { Ok(LabelMoved::Conflict) } else { Err(error) }
            }
        }
    }
}

/// How a secret stands, out of what AWS says when it describes or lists it.
fn state(
    arn: SecretArn,
    is_deleted: bool,
    tags: &[Tag],
    versions: Option<&HashMap<String, Vec<String>>>,
) -> SecretState {
    let tag = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
    let version =
        |(id, labels): (&String, &Vec<String>)| (VersionId::from_stored(id), labels.iter().cloned().collect());
    SecretState {
        arn,
        deleted: is_deleted,
        tags: tags.iter().filter_map(tag).collect(),
        versions: versions.into_iter().flatten().map(version).collect(),
    }
}

fn sdk_tags(tags: &BTreeMap<&'static str, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(*key).value(value).build()).collect()
}

fn secret_arn(operation: &'static str, arn: Option<&str>) -> Result<SecretArn, CallError> {
    arn.and_then(|arn| arn.parse().ok()).ok_or_else(|| CallError::incomplete(operation, "usable ARN"))
}
