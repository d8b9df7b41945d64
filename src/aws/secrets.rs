//! Secrets Manager: where passwords are kept.
#![expect(clippy::missing_errors_doc, reason = "each method fails as the call does that it is named after")]

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::Tag;

use super::error::{CallError, Input};
use super::instant;
use crate::notification::SecretArn;
use crate::password::Password;
use crate::secret::{self, SecretName, SecretState, Token};

/// How `CreateSecret` ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// There is a new secret, with this ARN and no version.
    New(SecretArn),
    /// There is one of that name already, perhaps scheduled for deletion.
    Exists,
}

/// How `PutSecretValue` ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// The version holds what was given.
    New {
        /// The labels that it has now.
        labels: Vec<String>,
    },
    /// Another run stored another password in that version first.
    Taken,
}

/// How reading a version back ended.
#[derive(Debug)]
pub enum ReadBack {
    /// The password that the version holds.
    Password(Password),
    /// The version holds something else.
    Unusable,
    /// The version no longer has the label it was asked by.
    Moved,
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
        let tag = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
        let versions = answer.version_ids_to_stages().into_iter().flatten();
        Ok(Some(SecretState {
            arn,
            deleted: answer.deleted_date().is_some(),
            tags: answer.tags().iter().filter_map(tag).collect(),
            last_changed: answer.last_changed_date().map(instant),
            versions: versions.map(|(id, labels)| (id.clone(), labels.iter().cloned().collect())).collect(),
        }))
    }

    /// Creates a secret that holds nothing yet.
    pub async fn create(
        &self,
        name: &SecretName,
        tags: &BTreeMap<&'static str, String>,
        kms_key_id: Option<&str>,
    ) -> Result<Created, CallError> {
        const OPERATION: &str = "secretsmanager:CreateSecret";
        let answer = self
            .client
            .create_secret()
            .name(name.as_str())
            .description("Console password of an IAM user, to be changed at the next sign-in")
            .set_kms_key_id(kms_key_id.map(str::to_owned))
            .set_tags(Some(sdk_tags(tags)))
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
    pub async fn restore(&self, name: &SecretName) -> Result<(), CallError> {
        let answer = self.client.restore_secret().secret_id(name.as_str()).send().await;
        answer.map(drop).map_err(|error| CallError::new("secretsmanager:RestoreSecret", Input::Plain, &error))
    }

    /// Sets tags; others stay.
    pub async fn tag(&self, name: &SecretName, tags: &BTreeMap<&'static str, String>) -> Result<(), CallError> {
        let request = self.client.tag_resource().secret_id(name.as_str()).set_tags(Some(sdk_tags(tags)));
        let answer = request.send().await;
        answer.map(drop).map_err(|error| CallError::new("secretsmanager:TagResource", Input::Plain, &error))
    }

    /// Stores a document as the version `token`, under labels that it takes
    /// away from other versions.
    pub async fn store(
        &self,
        name: &SecretName,
        token: &Token,
        labels: &[&str],
        document: &str,
    ) -> Result<Stored, CallError> {
        let answer = self
            .client
            .put_secret_value()
            .secret_id(name.as_str())
            .client_request_token(token.as_str())
            .secret_string(document)
            .set_version_stages(Some(labels.iter().map(|label| (*label).to_owned()).collect()))
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Stored::New { labels: answer.version_stages().to_vec() }),
            Err(error) => {
                let error = CallError::new("secretsmanager:PutSecretValue", Input::Secret, &error);
                if error.is(&["ResourceExistsException"]) { Ok(Stored::Taken) } else { Err(error) }
            }
        }
    }

    /// Reads back the password in `version`, which has `label`.
    pub async fn read(&self, name: &SecretName, version: &Token, label: &str) -> Result<ReadBack, CallError> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(name.as_str())
            .version_id(version.as_str())
            .version_stage(label)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                Ok(answer.secret_string().and_then(secret::password_in).map_or(ReadBack::Unusable, ReadBack::Password))
            }
            Err(error) => {
                let error = CallError::new("secretsmanager:GetSecretValue", Input::Secret, &error);
                let moved =
                    error.is(&["ResourceNotFoundException", "InvalidParameterException", "InvalidRequestException"]);
                if moved { Ok(ReadBack::Moved) } else { Err(error) }
            }
        }
    }

    /// Moves `label` to the version `to`, from where it is now.
    pub async fn move_label(
        &self,
        name: &SecretName,
        label: &str,
        to: &Token,
        from: Option<&str>,
    ) -> Result<LabelMoved, CallError> {
        self.update_stage(name, label, Some(to.as_str()), from).await
    }

    /// Takes `label` off `version`. That it is no longer there is no error.
    pub async fn drop_label(&self, name: &SecretName, label: &str, version: &Token) -> Result<(), CallError> {
        self.update_stage(name, label, None, Some(version.as_str())).await.map(drop)
    }

    async fn update_stage(
        &self,
        name: &SecretName,
        label: &str,
        to: Option<&str>,
        from: Option<&str>,
    ) -> Result<LabelMoved, CallError> {
        let answer = self
            .client
            .update_secret_version_stage()
            .secret_id(name.as_str())
            .version_stage(label)
            .set_move_to_version_id(to.map(str::to_owned))
            .set_remove_from_version_id(from.map(str::to_owned))
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

fn sdk_tags(tags: &BTreeMap<&'static str, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(*key).value(value).build()).collect()
}

fn secret_arn(operation: &'static str, arn: Option<&str>) -> Result<SecretArn, CallError> {
    arn.and_then(|arn| arn.parse().ok()).ok_or_else(|| CallError::incomplete(operation, "usable ARN"))
}
