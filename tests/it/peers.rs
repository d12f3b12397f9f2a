//! What other systems for streams lose, repeat or die of, each held here as a promise.
//!
//! Read as a list: `d01_…` to `d13_…` are defects found in the sources of others, and what users of
//! others report follows in `reports`.

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
