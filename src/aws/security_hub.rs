//! Security Hub: recording on findings what was done about them, and raising the
//! function's own.

use aws_sdk_securityhub::Client;
use aws_sdk_securityhub::types::{
    AwsIamUserDetails, AwsSecurityFinding, AwsSecurityFindingFilters, AwsSecurityFindingIdentifier, Compliance,
    ComplianceStatus, NoteUpdate, OcsfFindingIdentifier, Recommendation, RecordState, Remediation, Resource,
    ResourceDetails, Severity, SeverityLabel, StringFilter, StringFilterComparison, WorkflowStatus, WorkflowUpdate,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::{CallError, Input};
use crate::NAME;
use crate::audit::{Raised, Statement, Status};
use crate::dates::rfc3339;
use crate::event::{FindingRef, OWN_GENERATOR, OcsfStatus, Workflow};
use crate::identity::{AccountId, Home, UserName};

/// The longest note that Security Hub keeps, in characters.
const NOTE_LIMIT: usize = 512;

/// How many findings `BatchImportFindings` takes.
const BATCH: usize = 100;

/// Where a person reads how to change a console password.
const HOW_TO: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_user-change-own.html";

/// OCSF's status "In Progress": someone has been told, nothing is resolved yet.
const OCSF_IN_PROGRESS: i32 = 2;

/// OCSF's status "Resolved".
const OCSF_RESOLVED: i32 = 4;

/// How a finding is to be marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Someone has been told; what the finding is about may still be so.
    Notified {
        /// Whether something was done that the finding does not show yet.
        news: bool,
    },
    /// What the finding is about has been seen to be mended.
    Resolved,
    /// Nothing was done: the finding gets the note and keeps its status.
    Unchanged,
}

/// What Security Hub made of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The finding carries the note.
    Done,
    /// There is nothing to record, or nothing that would not call us again.
    NotNeeded,
    /// Security Hub knows no such finding, as with a sample event sent by hand.
    Unknown,
    /// Security Hub did not process the update; the code says why.
    Refused(String),
}

/// Security Hub in an account, in the function's region.
#[derive(Debug, Clone)]
pub struct SecurityHub {
    pub(super) client: Client,
}

impl SecurityHub {
    /// Sets the finding's status and leaves a note.
    ///
    /// Each update makes Security Hub send the finding out again. A V2 finding
    /// that is in progress counts once more then, so one that already is in
    /// progress is updated only if there is news. So does any finding that is left
    /// [`Mark::Unchanged`]: whoever does that sees to it that it ends.
    ///
    /// # Errors
    ///
    /// A call that failed. Updating a finding twice is the same as once.
    pub(crate) async fn record(&self, finding: &FindingRef, mark: Mark, note: &str) -> Result<Recorded, CallError> {
        let note: String = note.trim().chars().take(NOTE_LIMIT).collect();
        match finding {
            FindingRef::Asff { id, product_arn, workflow } => {
                let status = match mark {
                    // A finding that a person suppressed stays suppressed.
                    _ if *workflow == Workflow::Suppressed => None,
                    Mark::Unchanged => None,
                    Mark::Notified { .. } => Some(WorkflowStatus::Notified),
                    Mark::Resolved => Some(WorkflowStatus::Resolved),
                };
                self.update_asff(id, product_arn, &note, status).await
            }
            FindingRef::Ocsf { account_uid, finding_uid, product_uid, status } => {
                let identifier = OcsfFindingIdentifier::builder()
                    .cloud_account_uid(account_uid.as_str())
                    .finding_info_uid(finding_uid)
                    .metadata_product_uid(product_uid)
                    .build();
                let status = match mark {
                    _ if *status == OcsfStatus::Suppressed => None,
                    Mark::Unchanged => None,
                    Mark::Notified { news: false } if *status == OcsfStatus::InProgress => {
                        return Ok(Recorded::NotNeeded);
                    }
                    Mark::Notified { .. } => Some(OCSF_IN_PROGRESS),
                    Mark::Resolved => Some(OCSF_RESOLVED),
                };
                self.update_ocsf(identifier, &note, status).await
            }
        }
    }

    /// The function's own findings about users of the account that are active;
    /// none if Security Hub is off there.
    pub(crate) async fn own_findings(&self, account_id: &AccountId) -> Result<Option<Vec<Raised>>, CallError> {
        const OPERATION: &str = "securityhub:GetFindings";
        let is = |value: &str| StringFilter::builder().value(value).comparison(StringFilterComparison::Equals).build();
        let filters = AwsSecurityFindingFilters::builder()
            .generator_id(is(OWN_GENERATOR))
            .aws_account_id(is(account_id.as_str()))
            .record_state(is("ACTIVE"))
            .build();
        let mut pages = self.client.get_findings().filters(filters).into_paginator().page_size(100).send();
        let mut findings = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    let error = CallError::new(OPERATION, Input::Plain, &error);
                    return if error.is(&["InvalidAccessException"]) { Ok(None) } else { Err(error) };
                }
            };
            findings.extend(page.findings().iter().filter_map(raised));
        }
        Ok(Some(findings))
    }

    /// Raises findings about users of the account, or brings those of the same
    /// ids up to date. Answers the ids of those that were refused, and why.
    pub(crate) async fn import(
        &self,
        home: &Home,
        account_id: &AccountId,
        statements: &[(Subject, Statement)],
    ) -> Result<Vec<(String, String)>, CallError> {
        let mut refused = Vec::new();
        for batch in statements.chunks(BATCH) {
            let findings = batch.iter().map(|(subject, statement)| finding(home, account_id, subject, statement));
            let answer = self
                .client
                .batch_import_findings()
                .set_findings(Some(findings.collect()))
                .send()
                .await
                .map_err(|error| CallError::new("securityhub:BatchImportFindings", Input::Plain, &error))?;
            let failed = answer.failed_findings().iter();
            refused
                .extend(failed.filter_map(|failed| Some((failed.id()?.to_owned(), failed.error_code()?.to_owned()))));
        }
        Ok(refused)
    }

    /// Sets the workflow status of one of the function's own findings.
    pub(crate) async fn set_workflow(
        &self,
        home: &Home,
        account_id: &AccountId,
        id: &str,
        workflow: Workflow,
        note: &str,
    ) -> Result<Recorded, CallError> {
        let status = match workflow {
            Workflow::New => WorkflowStatus::New,
            Workflow::Notified => WorkflowStatus::Notified,
            Workflow::Resolved => WorkflowStatus::Resolved,
            Workflow::Suppressed | Workflow::Other => return Ok(Recorded::NotNeeded),
        };
        self.update_asff(id, &own_product(home, account_id), note, Some(status)).await
    }

    /// The accounts whose findings are gathered here, besides the function's own.
    pub(crate) async fn members(&self) -> Result<Vec<AccountId>, CallError> {
        const OPERATION: &str = "securityhub:ListMembers";
        let mut pages = self.client.list_members().only_associated(true).into_paginator().send();
        let mut accounts = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::new(OPERATION, Input::Plain, &error))?;
            let ids = page.members().iter().filter_map(|member| member.account_id());
            accounts.extend(ids.filter_map(|id| id.parse().ok()));
        }
        Ok(accounts)
    }

    async fn update_asff(
        &self,
        id: &str,
        product_arn: &str,
        note: &str,
        status: Option<WorkflowStatus>,
    ) -> Result<Recorded, CallError> {
        let identifier = AwsSecurityFindingIdentifier::builder().id(id).product_arn(product_arn).build();
        let note = NoteUpdate::builder().text(note).updated_by(NAME).build();
        let workflow = status.map(|status| WorkflowUpdate::builder().status(status).build());
        let answer = self
            .client
            .batch_update_findings()
            .finding_identifiers(identifier)
            .note(note)
            .set_workflow(workflow)
            .send()
            .await
            .map_err(|error| CallError::new("securityhub:BatchUpdateFindings", Input::Plain, &error))?;
        Ok(recorded(answer.unprocessed_findings().first().map(|refused| refused.error_code().unwrap_or("no code"))))
    }

    async fn update_ocsf(
        &self,
        identifier: OcsfFindingIdentifier,
        note: &str,
        status: Option<i32>,
    ) -> Result<Recorded, CallError> {
        let answer = self
            .client
            .batch_update_findings_v2()
            .finding_identifiers(identifier)
            .comment(note)
            .set_status_id(status)
            .send()
            .await
            .map_err(|error| CallError::new("securityhub:BatchUpdateFindingsV2", Input::Plain, &error))?;
        let refused = answer.unprocessed_findings().first();
        Ok(recorded(refused.map(|refused| refused.error_code().map_or("no code", |code| code.as_str()))))
    }
}

/// Whom a finding of the function's own is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) finding_id: String,
    pub(crate) user: UserName,
    pub(crate) arn: String,
    pub(crate) path: String,
}

/// The product of an account that its own programs raise findings of.
fn own_product(home: &Home, account_id: &AccountId) -> String {
    let Home { partition, region, .. } = home;
    format!("arn:{partition}:securityhub:{region}:{account_id}:product/{account_id}/default")
}

fn finding(home: &Home, account_id: &AccountId, subject: &Subject, statement: &Statement) -> AwsSecurityFinding {
    let now = rfc3339(OffsetDateTime::now_utc()).unwrap_or_default();
    let details = AwsIamUserDetails::builder().user_name(subject.user.as_str()).path(&subject.path).build();
    let resource = Resource::builder()
        .r#type("AwsIamUser")
        .id(&subject.arn)
        .details(ResourceDetails::builder().aws_iam_user(details).build())
        .build();
    let recommendation = Recommendation::builder()
        .text("Have the user change the password, or delete the login profile if nobody needs it any more.")
        .url(HOW_TO)
        .build();
    let fields = statement.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    AwsSecurityFinding::builder()
        .schema_version("2018-10-08")
        .id(&subject.finding_id)
        .product_arn(own_product(home, account_id))
        .generator_id(OWN_GENERATOR)
        .aws_account_id(account_id.as_str())
        .types("Software and Configuration Checks/AWS Security Best Practices")
        .created_at(statement.created_at.and_then(rfc3339).unwrap_or_else(|| now.clone()))
        .updated_at(&now)
        .severity(Severity::builder().label(SeverityLabel::from(statement.severity)).build())
        .title(&statement.title)
        .description(&statement.description)
        .remediation(Remediation::builder().recommendation(recommendation).build())
        .set_product_fields(Some(fields.collect()))
        .resources(resource)
        .compliance(Compliance::builder().status(ComplianceStatus::from(statement.status.as_str())).build())
        .record_state(if statement.is_archived { RecordState::Archived } else { RecordState::Active })
        .build()
}

fn raised(finding: &AwsSecurityFinding) -> Option<Raised> {
    let date = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    let fields = finding.product_fields().into_iter().flatten();
    Some(Raised {
        id: finding.id()?.to_owned(),
        created_at: finding.created_at().and_then(date),
        updated_at: finding.updated_at().and_then(date),
        status: finding.compliance().and_then(Compliance::status).and_then(|status| Status::of(status.as_str())),
        // What the function said: `Severity` may be what a person made of it.
        severity: finding
            .finding_provider_fields()
            .and_then(|said| said.severity()?.label())
            .map(|label| label.as_str().to_owned()),
        workflow: Workflow::of(
            finding.workflow().and_then(aws_sdk_securityhub::types::Workflow::status).map(WorkflowStatus::as_str),
        ),
        fields: fields.map(|(key, value)| (key.clone(), value.clone())).collect(),
    })
}

fn recorded(error_code: Option<&str>) -> Recorded {
    match error_code {
        None => Recorded::Done,
        Some("FindingNotFound" | "ResourceNotFoundException") => Recorded::Unknown,
        Some(code) => Recorded::Refused(code.to_owned()),
    }
}
