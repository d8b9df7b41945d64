//! Resets IAM console passwords that are too old, and strengthens account
//! password policies that are too weak, in answer to Security Hub findings.
//!
//! Data flows down. A stage returns a value and never calls the next; the
//! [`handler`] alone puts them in order.
//!
//! ```text
//! event         any input -> Request, or a reason to pass a finding over
//!   survey      Request -> facts, read from IAM and Secrets Manager at once
//!   assessment  facts + configuration -> how a user stands
//!   reset       how a user stands + ledger -> the next step, until the end
//!   answer      what became of findings, policies and users -> JSON
//!   telemetry   the same -> log lines and metrics
//! ```
//!
//! Only [`aws`] names the SDK, and only it, `survey`, the driver of [`reset`]
//! and [`handler`] wait for anything: the rest is plain functions of plain values.
//! A `Password` can be shown to nobody but the two calls that store
//! and set it.

mod account;
mod account_list;
mod answer;
mod assessment;
mod audit;
pub mod aws;
pub mod config;
mod dates;
mod event;
#[cfg(test)]
mod fuzz;
mod globs;
pub mod handler;
mod identity;
pub mod ledger;
mod notification;
mod password;
pub mod reset;
pub mod secret;
mod survey;
pub mod telemetry;

/// The program's name: in tags, notes, log lines and the user agent.
pub(crate) const NAME: &str = env!("CARGO_PKG_NAME");
