//! Defects that other streaming systems have or had, each tested here as a guarantee.
//!
//! Tests `d01_…` to `d13_…` are about defects found in the sources of other systems; `reports` has
//! what users of other systems reported.

mod checkpoints;
mod gate;
mod gone;
pub(crate) mod heard;
mod idle;
mod readers;
mod reports;
mod resharding;
mod sizes;
mod state;
mod trial;
mod writing;
