//! Resets IAM console passwords that are too old, and strengthens account
//! password policies that are too weak, in answer to Security Hub findings.
//!
//! Data flows down. A stage returns a value and never calls the next; the
//! [`handler`] alone puts them in order.
//!
//! ```text
//! event         any input -> Request, or a reason to pass a finding over
//!   survey      Request -> facts, read from IAM and Secrets Manager at once
//!   assessment  facts + configuration -> Skip(reason) | Reset
//!   reset       store -> apply -> confirm -> announce, from wherever it stands
//!   report      what happened -> answer; telemetry -> log lines and metrics
//! ```
//!
//! Only [`aws`] names the SDK, and only it, [`survey`], [`reset`] and
//! [`handler`] wait for anything: the rest is plain functions of plain values.
//! A [`password::Password`] can be shown to nobody but the two calls that store
//! and set it.

pub mod account;
pub mod assessment;
pub mod aws;
pub mod config;
pub(crate) mod event;
#[cfg(test)]
mod fuzz;
pub mod globs;
pub mod handler;
pub mod identity;
pub mod notification;
pub mod password;
pub mod report;
pub mod reset;
pub mod secret;
pub mod survey;
pub mod telemetry;
