//! What is read of an account before anything is decided about its users.

pub mod credential_report;
pub mod password_policy;
