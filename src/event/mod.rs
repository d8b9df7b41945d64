//! Any input of the function, made into typed [`Request`]s, or refused.
//!
//! ```text
//! event ─ envelope ─┬─ findings ── asff / ocsf ── screening ──▶ Request::Findings
//!                   ├─ by hand or by a schedule ── manual ────▶ Request::Reset, Sweep, Audit, Adopt
//!                   └─ messages of a queue, each of them again ▶ Event::Batch
//!                        └─ a job that a sweep queued ── job ─▶ Request::Reset
//! ```
//!
//! Nothing here calls AWS, waits, or reads a clock or the environment: the same
//! event always gives the same request. What is read of an event is believed no
//! further than this:
//!
//! - A finding counts if its check failed, it is active and new (OCSF: new or in
//!   progress), it comes from a product that may speak for its account, it is
//!   about the password policy or the age of a password, it names its own account
//!   or users of it, and `ACCOUNTS` has that account. [`finding::IgnoredReason`]
//!   has the reasons against it, in order.
//! - What it may ask for goes by where it comes from, never by what it says: only
//!   Security Hub's own findings may ask for a policy or carry a limit.
//! - Even then it is a reason to look, never a proof.
//! - One finding that cannot be read does not stop the others; an event that is
//!   none of the function's inputs is [`Unsupported`] as a whole.
//! - No input carries a password, but people make mistakes. Messages about what
//!   was wrong name fields and types. Of values they repeat only documented
//!   words, ids of controls and accounts, and product ARNs.

mod asff;
mod control;
mod envelope;
mod finding;
#[cfg(test)]
mod fuzz;
mod job;
mod manual;
mod ocsf;
mod resource;
mod screening;
#[cfg(test)]
mod tests;
mod wire;

use serde_json::{Map, Value};

use crate::identity::{AccountId, Home};

pub(crate) use envelope::Receipt;
pub(crate) use finding::{Ask, Finding, FindingRef, IgnoredReason, OcsfStatus, Screened, UserRef, Workflow};
pub(crate) use job::Job;
pub(crate) use screening::{OWN_GENERATOR, Rules};

use envelope::{DetailType, Envelope};
use screening::Occasion;

/// An event that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// One request, as AWS or a person sends it.
    Single(Request),
    /// The messages of an SQS batch, each with a request of its own.
    Batch(Vec<BatchItem>),
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// To act upon findings: those of one Imported event, or those that a person
    /// selected.
    Findings {
        /// The event's `id`, which is the same each time the event is delivered.
        /// An event that was not sent by EventBridge may have none. Never empty.
        event_id: Option<String>,
        /// Whether a person selected them.
        by_person: bool,
        /// Every finding of the event, in its order.
        findings: Vec<Screened>,
    },
    /// To reset one user: by hand, by a schedule, or a job of the queue.
    Reset(ResetOrder),
    /// To reset every user of an account whose password is too old.
    Sweep(SweepOrder),
    /// To look at every user and every stored password of an account.
    Audit(AuditOrder),
    /// To take over the secrets of an account that the ledger does not know.
    Adopt(AdoptOrder),
    /// To have this order carried out for each account by itself: its fields, in
    /// which `account_id` is `*`.
    Everywhere(Map<String, Value>),
}

impl Request {
    /// The account that an order is about. Findings may be of several.
    fn account_id(&self) -> Option<&AccountId> {
        match self {
            Self::Findings { .. } | Self::Everywhere(_) => None,
            Self::Reset(order) => Some(order.user.account_id()),
            Self::Sweep(order) => Some(&order.account_id),
            Self::Audit(order) => Some(&order.account_id),
            Self::Adopt(order) => Some(&order.account_id),
        }
    }
}

/// An order to reset one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResetOrder {
    /// The user; their account is the function's own unless the order says so.
    pub(crate) user: UserRef,
    /// Reset them however fresh the password is. Exemptions still hold.
    pub(crate) force: bool,
    /// Read everything, write nothing.
    pub(crate) dry_run: bool,
    /// The age beyond which the password is too old, 1 to 1095 days, where the
    /// sweep that queued the job knew a stricter one. Never set by hand.
    pub(crate) max_age_days: Option<u16>,
}

/// An order to reset every user of an account whose password is too old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SweepOrder {
    /// The account; the function's own unless the order says so.
    pub(crate) account_id: AccountId,
    /// More stale users than this are held for a person, in place of
    /// `MAX_RESETS_PER_SWEEP`. 0 holds them all.
    pub(crate) max_resets: Option<u32>,
    /// Read everything, write nothing.
    pub(crate) dry_run: bool,
}

/// An order to look at every user and every stored password of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditOrder {
    /// The account; the function's own unless the order says so.
    pub(crate) account_id: AccountId,
    /// Answer what there is, and change nothing.
    pub(crate) dry_run: bool,
}

/// An order to take over the secrets of an account that the ledger does not
/// know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdoptOrder {
    /// The account; the function's own unless the order says so.
    pub(crate) account_id: AccountId,
    /// List them only.
    pub(crate) dry_run: bool,
}

/// One message of an SQS batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BatchItem {
    /// `messageId`, by which the answer names a message that failed.
    pub(crate) message_id: String,
    /// What SQS knows the delivery by, if the record says so.
    pub(crate) receipt: Option<Receipt>,
    /// What the message asks for. One that cannot be read fails alone.
    pub(crate) request: Result<Request, Unsupported>,
}

/// An event that is none of the function's inputs. The text says what was
/// expected and what was found, by the names and types of fields, in at most
/// 1000 characters. It repeats no value but the id of an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub(crate) struct Unsupported {
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
/// another.
///
/// # Errors
/// [`Unsupported`] if the event is none of the inputs, what it holds besides is
/// then never looked at; or if it is an order about an account that is not enabled.
pub(crate) fn parse(event: &Value, home: &Home, rules: &Rules) -> Result<Event, Unsupported> {
    match envelope::open(event)? {
        Envelope::Findings { detail_type, event_id, findings } => {
            Ok(Event::Single(screened(detail_type, event_id, findings, rules)))
        }
        Envelope::Bare(fields) => by_hand(fields, home, rules).map(Event::Single),
        Envelope::Messages(messages) => {
            let item = |message: envelope::Message| BatchItem {
                request: queued(message.body.as_deref(), home, rules),
                message_id: message.id,
                receipt: message.receipt,
            };
            Ok(Event::Batch(messages.into_iter().map(item).collect()))
        }
    }
}

/// The body of a message: any input but a batch, or a job of this function.
fn queued(body: Option<&str>, home: &Home, rules: &Rules) -> Result<Request, Unsupported> {
    let json = body.and_then(|body| serde_json::from_str::<Value>(body).ok());
    let Some(body) = json else { return Err(Unsupported::new("a message whose body is JSON", "another")) };
    match envelope::open(&body)? {
        Envelope::Findings { detail_type, event_id, findings } => Ok(screened(detail_type, event_id, findings, rules)),
        Envelope::Bare(fields) if fields.contains_key("job") => Job::order(&body).map(Request::Reset),
        Envelope::Bare(fields) => by_hand(fields, home, rules),
        Envelope::Messages(_) => Err(Unsupported::new("a message with one request", "a batch within a batch")),
    }
}

fn by_hand(fields: &Map<String, Value>, home: &Home, rules: &Rules) -> Result<Request, Unsupported> {
    if !fields.contains_key("action") {
        return Err(envelope::unknown(fields));
    }
    let request = manual::order(fields, home, rules)?;
    match request.account_id().filter(|account| !rules.accounts.includes(account)) {
        Some(account) => Err(Unsupported::new("an account that ACCOUNTS names", format!("account {account}"))),
        None => Ok(request),
    }
}

fn screened(detail_type: DetailType, event_id: Option<&str>, findings: &[Value], rules: &Rules) -> Request {
    let screen = |(place, finding): (usize, &Value)| {
        let (is_ocsf, occasion) = match detail_type {
            DetailType::Imported => (false, Occasion::Imported),
            DetailType::ImportedV2 => (true, Occasion::Imported),
            DetailType::CustomAction => (finding.get("class_uid").is_some(), Occasion::CustomAction),
        };
        let (statement, spare_id) = if is_ocsf {
            (ocsf::statement(finding), ocsf::spare_id(finding))
        } else {
            (asff::statement(finding), asff::spare_id(finding))
        };
        let spare_id = || spare_id.map_or_else(|| format!("#{place}"), str::to_owned);
        screening::screen(statement, spare_id, occasion, rules)
    };
    let findings = findings.iter().enumerate().map(screen).collect();
    Request::Findings {
        event_id: event_id.map(str::to_owned),
        by_person: matches!(detail_type, DetailType::CustomAction),
        findings,
    }
}
