//! What is read of an account before anything is decided about its users.

pub(crate) mod credential_report;
pub(crate) mod password_policy;
pub(crate) mod undo;
