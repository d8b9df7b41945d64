//! Any input of the function, made into one typed [`Request`], or refused.
//!
//! ```text
//! event ─ envelope ─┬─ findings ── asff / ocsf ── screening ──▶ Request::Findings
//!                   ├─ messages of a queue: each of them again ▶ Request::Batch
//!                   │    └─ a job that a sweep queued ─────────▶ Request::Reset
//!                   └─ by hand or by a schedule ───────────────▶ Request::Reset, Request::Sweep
//! ```
//!
//! Nothing here calls AWS, waits, or reads a clock or the environment: the same
//! event always gives the same request. What is read of an event is believed no
//! further than this:
//!
//! - A finding counts if its check failed, it is active and new (OCSF: new or in
//!   progress), it comes from a product that cannot be forged, it is about the
//!   password policy or the age of a password, and it names an account or users
//!   of one. [`IgnoredReason`] has the reasons against it, in order.
//! - Even then it is a reason to look, never a proof.
//! - One finding that cannot be read does not stop the others; an event that is
//!   none of the function's inputs is [`Unsupported`] as a whole.
//! - No input carries a password. Messages about what was wrong name fields and
//!   types, and repeat at most a few short texts.

mod asff;
mod control;
mod envelope;
mod finding;
mod job;
mod manual;
mod ocsf;
mod resource;
mod screening;
mod wire;

use serde_json::Value;

use crate::identity::{AccountId, Home};

pub use control::{Control, Parameters};
pub use finding::{Ask, Finding, FindingRef, Ignored, IgnoredReason, OcsfStatus, Screened, UserRef, Workflow};
pub use job::Job;
pub use screening::{OWN_GENERATOR_PREFIX, Rules};

use envelope::{DetailType, Envelope};
use screening::Occasion;

/// What an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// To act upon findings: those of one Imported event, or those that a person
    /// selected.
    Findings {
        /// The event's `id`.
        event_id: Option<String>,
        /// Each finding.
        findings: Vec<Screened>,
    },
    /// To reset one user: by hand, by a schedule, or a job of the queue.
    Reset(ResetOrder),
    /// To reset every user of an account whose password is too old.
    Sweep(SweepOrder),
    /// To take over secrets.
    Adopt(AdoptOrder),
}

/// What comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// One request.
    Single(Request),
    /// Messages of a queue.
    Batch(Vec<BatchItem>),
}

/// Take over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptOrder {
    /// Account.
    pub account_id: AccountId,
    /// Dry run.
    pub dry_run: bool,
}

/// An order to reset one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetOrder {
    /// The user; their account is the function's own unless the order says so.
    pub user: UserRef,
    /// Reset them however fresh the password is. Exemptions still hold.
    pub force: bool,
    /// Read everything, write nothing.
    pub dry_run: bool,
    /// The age beyond which the password is too old, 1 to 1095 days, where the
    /// sweep that queued the job knew a stricter one. Never set by hand.
    pub max_age_days: Option<u16>,
}

/// An order to reset every user of an account whose password is too old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepOrder {
    /// The account; the function's own unless the order says so.
    pub account_id: AccountId,
    /// More stale users than this are held for a person, in place of
    /// `MAX_RESETS_PER_SWEEP`. 0 holds them all.
    pub max_resets: Option<u32>,
    /// Read everything, write nothing.
    pub dry_run: bool,
}

/// One message of an SQS batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    /// `messageId`, by which the answer names a message that failed.
    pub message_id: String,
    /// What the message asks for. One that cannot be read fails alone.
    pub request: Result<Request, Unsupported>,
}

/// An event that is none of the function's inputs. The text says what was
/// expected and what was found, by the names and types of fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct Unsupported {
    expected: String,
    found: String,
}

impl Unsupported {
    fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { expected: expected.into(), found: found.into() }
    }
}

/// Reads an event.
///
/// `home` tells the account that orders by hand are about unless they name
/// another, and which findings are this function's own.
///
/// # Errors
/// [`Unsupported`] if the event is none of the inputs; what it holds besides is
/// never looked at.
pub fn parse(event: &Value, home: &Home, rules: &Rules) -> Result<Event, Unsupported> {
    match envelope::open(event)? {
        Envelope::Messages(messages) => {
            let item = |message: envelope::Message| BatchItem {
                request: queued(message.body.as_deref(), home, rules),
                message_id: message.id,
            };
            Ok(Event::Batch(messages.into_iter().map(item).collect()))
        }
        _ => single(event, home, rules).map(Event::Single),
    }
}

fn single(event: &Value, home: &Home, rules: &Rules) -> Result<Request, Unsupported> {
    match envelope::open(event)? {
        Envelope::Findings(detail_type, findings) => {
            Ok(screened(detail_type, findings, event.get("id").and_then(Value::as_str), home, rules))
        }
        Envelope::Bare(fields) if fields.contains_key("action") => manual::order(fields, home),
        Envelope::Bare(fields) => Err(envelope::unknown(fields)),
        Envelope::Messages(_) => unreachable!(),
    }
}

/// The body of a message: any input but a batch, or a job of this function.
fn queued(body: Option<&str>, home: &Home, rules: &Rules) -> Result<Request, Unsupported> {
    let json = body.and_then(|body| serde_json::from_str::<Value>(body).ok());
    let Some(body) = json else { return Err(Unsupported::new("a message whose body is JSON", "another")) };
    match envelope::open(&body)? {
        Envelope::Messages(_) => Err(Unsupported::new("a message with one request", "a batch within a batch")),
        Envelope::Bare(fields) if fields.contains_key("job") => Job::order(&body).map(Request::Reset),
        Envelope::Bare(_) | Envelope::Findings(..) => single(&body, home, rules),
    }
}

fn screened(detail_type: DetailType, findings: &[Value], id: Option<&str>, home: &Home, rules: &Rules) -> Request {
    let screen = |(place, finding): (usize, &Value)| {
        let (is_ocsf, occasion) = match detail_type {
            DetailType::Imported => (false, Occasion::Imported),
            DetailType::ImportedV2 => (true, Occasion::Imported),
            DetailType::CustomAction => (finding.get("class_uid").is_some(), Occasion::CustomAction),
        };
        let (report, spare_id) = if is_ocsf {
            (ocsf::report(finding), ocsf::spare_id(finding))
        } else {
            (asff::report(finding), asff::spare_id(finding))
        };
        let spare_id = || spare_id.map_or_else(|| format!("#{place}"), str::to_owned);
        screening::screen(report, spare_id, occasion, home, rules)
    };
    Request::Findings { event_id: id.map(str::to_owned), findings: findings.iter().enumerate().map(screen).collect() }
}
