//! Security Hub: recording on the findings what was done about them.

use aws_sdk_securityhub::Client;
use aws_sdk_securityhub::types::{
    AwsSecurityFindingIdentifier, NoteUpdate, OcsfFindingIdentifier, WorkflowStatus, WorkflowUpdate,
};

use super::error::{CallError, Input};
use crate::NAME;
use crate::event::{FindingRef, OcsfStatus, Workflow};

/// The longest note that Security Hub keeps, in characters.
const NOTE_LIMIT: usize = 512;

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

/// Security Hub in the function's own account and region.
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

fn recorded(error_code: Option<&str>) -> Recorded {
    match error_code {
        None => Recorded::Done,
        Some("FindingNotFound" | "ResourceNotFoundException") => Recorded::Unknown,
        Some(code) => Recorded::Refused(code.to_owned()),
    }
}
