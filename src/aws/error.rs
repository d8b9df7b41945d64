//! One error for every call to AWS, cut down to what is safe to show.

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// A call that AWS did not carry out, or whose answer never came.
///
/// It is the only form in which a failed call leaves [`crate::aws`]: an
/// `SdkError` can hold the bodies of request and answer, passwords included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{operation} failed: {code}{}{}", detail(.message.as_ref(), ": "), detail(.request_id.as_ref(), ", request id "))]
pub struct CallError {
    /// The action as IAM policies name it, such as `iam:GetUser`.
    pub operation: &'static str,
    /// AWS's error code, or what kept AWS from giving one.
    pub code: String,
    /// AWS's own words; none where they could repeat what was sent.
    pub message: Option<String>,
    /// The id under which AWS's support finds the call.
    pub request_id: Option<String>,
    /// Whether no retry mends it: a person has to act, and should be told so.
    pub needs_a_person: bool,
    /// Whether AWS did not say that it refused the call: it may have carried it
    /// out, or may yet do so.
    pub is_unanswered: bool,
}

fn detail(part: Option<&String>, before: &str) -> String {
    part.map(|text| format!("{before}{text}")).unwrap_or_default()
}

/// Whether a call's input holds a password, which an error message might quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// Nothing secret was sent.
    Plain,
    /// A password was sent: AWS's words are dropped.
    Secret,
}

/// IAM says this of an entity that is being changed elsewhere, for minutes.
const TEMPORARILY_UNMODIFIABLE: &str = "EntityTemporarilyUnmodifiable";

const THROTTLED: [&str; 7] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
    "ProvisionedThroughputExceededException",
];

impl CallError {
    pub(super) fn new<E>(operation: &'static str, input: Input, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
        let code = metadata.and_then(|meta| meta.code()).map_or_else(
            || match (error, status) {
                (_, Some(status)) => format!("HTTP {status} without an error code"),
                (SdkError::TimeoutError(_), _) => "no answer in time".to_owned(),
                (SdkError::DispatchFailure(_), _) => "no connection".to_owned(),
                (SdkError::ResponseError(_), _) => "unreadable answer".to_owned(),
                _ => "the request could not be built".to_owned(),
            },
            str::to_owned,
        );
        let is_unanswered = status.is_some_and(|status| status >= 500)
            || matches!(error, SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_));
        // The same call may succeed later, with nothing else changed.
        let may_pass = is_unanswered
            || status.is_some_and(|status| status == 429)
            || code == TEMPORARILY_UNMODIFIABLE
            || THROTTLED.contains(&code.as_str());
        let message = match input {
            Input::Plain => metadata.and_then(|meta| meta.message()).map(shortened),
            Input::Secret => None,
        };
        let request_id = error.request_id().map(str::to_owned);
        Self { operation, code, message, request_id, needs_a_person: !may_pass, is_unanswered }
    }

    /// An answer that lacks what AWS documents to be in it.
    pub(super) fn incomplete(operation: &'static str, what: &str) -> Self {
        let code = format!("the answer holds no {what}");
        Self { operation, code, message: None, request_id: None, needs_a_person: false, is_unanswered: false }
    }

    pub(super) fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    /// Whether AWS gave no error code at all: the endpoint may not know the
    /// operation, or something between it and us answered.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.code.starts_with("HTTP ") || self.is(&["InvalidAction", "NotImplemented", "UnknownOperationException"])
    }
}

fn shortened(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(400).collect()
}
