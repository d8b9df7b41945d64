//! The handler against an AWS that can fail in every way.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod audit;
mod crashes;
mod grace;
mod leaks;
mod ledger;
mod model;
mod outcomes;
mod races;
mod radius;
mod random;
mod sweeps;
mod world;
mod year;
