//! Checks the dead-letter stream of a table.

use super::{Table, described, is_usable};
use crate::cli::requests::with_retries;
use crate::kinesis::{ApiErrorKind, DryRunAnswer, Kinesis};
use crate::model::StreamIdentity;
use crate::options::{FormatOptions, OnError};

const CHECK: &str = "dead letters";

impl Table {
    /// The stream for documents that cannot be parsed, if they go to one.
    fn dead_letter_stream(&self) -> Option<StreamIdentity> {
        match &self.options.format {
            Some(FormatOptions {
                on_error: OnError::DeadLetter(target),
                ..
            }) => Some(target.clone()),
            _ => None,
        }
    }

    /// Checks whether the dead-letter stream exists, without which the table cannot be made.
    pub(super) async fn check_dead_letter_stream(&mut self, kinesis: &dyn Kinesis) {
        let Some(target) = self.dead_letter_stream() else {
            return;
        };
        let found = with_retries(|| kinesis.describe_stream(&target)).await;
        let problem = match found {
            Ok(found) => {
                let detail = format!("stream '{target}' {}", described(&found));
                if is_usable(found.status) {
                    return self.section.passed(CHECK, detail);
                }
                detail
            }
            Err(error) if error.kind() == ApiErrorKind::NotFound => {
                if self.options.create_with_shards.is_some() {
                    let detail = format!(
                        "stream '{target}' does not exist in {}; CREATE TABLE creates it",
                        self.region()
                    );
                    self.lacks_dead_letters = true;
                    return self.section.unknown(CHECK, detail);
                }
                format!(
                    "stream '{target}' does not exist in {} for this caller: create it, or correct option \
                     'kinesis.format.deadLetterStream'",
                    self.region()
                )
            }
            Err(error) => format!("stream '{target}': {}", self.explain(&error)),
        };
        self.lacks_dead_letters = true;
        self.section.failed(CHECK, problem);
    }

    /// Checks the permission to write dead letters.
    pub(super) async fn writing_dead_letters(&mut self, kinesis: &dyn Kinesis) {
        let target = self.dead_letter_stream();
        let Some(target) = target.filter(|_| !self.lacks_dead_letters) else {
            return;
        };
        let answer = match Self::open_shard(kinesis, &target).await {
            Ok(Some(shard)) => self.may_put(kinesis, &target, &shard).await,
            Ok(None) => {
                let detail = format!("stream '{target}' has no open shard");
                return self.section.failed(CHECK, detail);
            }
            Err(error) => Err(error),
        };
        match answer {
            Ok(DryRunAnswer::Allowed) => {
                let detail = format!("PutRecords to '{target}': allowed (dry run)");
                self.section.passed(CHECK, detail);
            }
            Ok(DryRunAnswer::Unknown) => {
                let detail = format!(
                    "PutRecords to '{target}': not checked: the server does not support dry runs"
                );
                self.section.unknown(CHECK, detail);
            }
            Err(error) => {
                let detail = format!("stream '{target}': {}", self.explain(&error));
                self.section.failed(CHECK, detail);
            }
        }
    }
}
