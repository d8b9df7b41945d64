//! SQS: jobs for later invocations.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde::Serialize;

use super::error::{CallError, Input};

/// How many messages `SendMessageBatch` takes at once.
const BATCH: usize = 10;

/// How often a message that SQS refused for a reason of its own is sent again.
const ATTEMPTS: usize = 3;

/// The queue that sweeps write to.
#[derive(Debug, Clone)]
pub struct Queue {
    pub(super) client: Client,
    pub(super) url: String,
}

/// Why a job is not on the queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// SQS took other messages of the same call, and not this one.
    #[error("sqs:SendMessage refused the job: {0}")]
    Refused(String),
}

impl NotSent {
    /// Whether no retry mends it: a person has to act, and should be told so.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Self::Call(error) if error.needs_a_person)
    }
}

impl Queue {
    /// Sends each job as a message of its own; answers for each, in their order.
    pub(crate) async fn send(&self, jobs: &[impl Serialize]) -> Vec<Result<(), NotSent>> {
        let mut sent: Vec<Result<(), NotSent>> = Vec::with_capacity(jobs.len());
        for batch in jobs.chunks(BATCH) {
            sent.extend(self.send_batch(batch).await);
        }
        sent
    }

    /// Has SQS deliver a message again after `pause`, in place of the rest of the
    /// queue's own time. `handle` is that of the delivery.
    pub(crate) async fn deliver_again(&self, handle: &str, pause: Duration) -> Result<(), CallError> {
        let seconds = i32::try_from(pause.as_secs()).unwrap_or(i32::MAX);
        let call = self.client.change_message_visibility().queue_url(&self.url).receipt_handle(handle);
        let answer = call.visibility_timeout(seconds).send().await;
        answer.map(drop).map_err(|error| CallError::new("sqs:ChangeMessageVisibility", Input::Plain, &error))
    }

    async fn send_batch(&self, jobs: &[impl Serialize]) -> Vec<Result<(), NotSent>> {
        let mut left: BTreeMap<usize, _> = jobs.iter().enumerate().collect();
        let mut problems = BTreeMap::new();
        for _ in 0..ATTEMPTS {
            problems = match self.try_batch(&left).await {
                Ok(refused) => refused,
                Err(error) => left.keys().map(|place| (*place, NotSent::Call(error.clone()))).collect(),
            };
            left.retain(|place, _| matches!(problems.get(place), Some(NotSent::Refused(_))));
            if left.is_empty() {
                break;
            }
        }
        (0..jobs.len()).map(|place| problems.remove(&place).map_or(Ok(()), Err)).collect()
    }

    /// Sends jobs in one call; answers which of them were refused, and why.
    async fn try_batch(&self, jobs: &BTreeMap<usize, &impl Serialize>) -> Result<BTreeMap<usize, NotSent>, CallError> {
        const OPERATION: &str = "sqs:SendMessage";
        let mut entries = Vec::with_capacity(jobs.len());
        for (place, job) in jobs {
            let body = serde_json::to_string(job).map_err(|_| CallError::incomplete(OPERATION, "body"))?;
            let entry = SendMessageBatchRequestEntry::builder().id(place.to_string()).message_body(body).build();
            entries.push(entry.map_err(|_| CallError::incomplete(OPERATION, "body"))?);
        }
        let answer = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| CallError::new(OPERATION, Input::Plain, &error))?;
        let refused = answer.failed().iter();
        let refused = refused.filter_map(|entry| Some((entry.id().parse().ok()?, entry.code())));
        Ok(refused.map(|(place, code)| (place, NotSent::Refused(code.to_owned()))).collect())
    }
}
