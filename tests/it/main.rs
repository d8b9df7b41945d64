//! The handler against an AWS that can fail in every way.

mod crashes;
mod leaks;
mod outcomes;
mod races;
mod sweeps;
mod world;
