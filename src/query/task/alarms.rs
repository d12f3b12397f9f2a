//! Watches the alarms of a query in a task of its own, which works while a batch hangs.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::Instrument;

use crate::query::events::EventBus;

/// How often alarms are checked.
const INTERVAL: Duration = Duration::from_secs(1);

/// Checks the alarms until the returned set is dropped. Without alarms there is nothing to do.
pub(super) fn watch(events: &Arc<EventBus>) -> JoinSet<()> {
    let mut task = JoinSet::new();
    if events.has_alarms() {
        let events = Arc::clone(events);
        let check = async move {
            loop {
                sleep(INTERVAL).await;
                events.check_alarms();
            }
        };
        task.spawn(check.in_current_span());
    }
    task
}
