//! The pages of one shard.

#[cfg(test)]
pub(crate) mod altered;
mod polling;

pub(crate) use self::polling::Fetcher;
