//! Injected faults, scripted one by one or drawn at random from a seed.

mod rates;

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use rates::{FaultPlan, FaultRates};

use crate::kinesis::{ApiError, ApiErrorKind, ApiResult, Operation};

/// The error code of a broken connection. The service never sends it; clients see a broken
/// connection instead. The HTTP server closes the connection for it.
pub const CONNECTION_LOST: &str = "ConnectionLost";

/// The faults of a call that is processed despite them.
#[derive(Debug, Default)]
pub(super) struct CallFaults {
    pub(super) answer_lost: bool,
    pub(super) empty_page: bool,
    /// Decides for each entry of a put whether it fails.
    pub(super) entries: Option<EntryFaults>,
}

/// Decides which entries fail.
#[derive(Debug)]
pub(super) struct EntryFaults {
    rate: f64,
    random: fastrand::Rng,
}

impl EntryFaults {
    pub(super) fn should_fail(&mut self) -> bool {
        self.random.f64() < self.rate
    }
}

/// The end of a subscription by a fault.
#[derive(Debug)]
pub(super) enum EventFault {
    /// The subscription fails.
    Failed(ApiError),
    /// The subscription ends without an error.
    Ended,
}

/// Counts calls and injects faults.
#[derive(Debug)]
pub(super) struct Faults {
    seed: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    plan: FaultPlan,
    operations: HashMap<Operation, OperationState>,
    events: EventState,
}

/// Events of subscriptions have a random sequence of their own.
#[derive(Debug)]
struct EventState {
    scripted: VecDeque<ApiError>,
    random: fastrand::Rng,
}

/// Each operation has its own random sequence, so that an additional call of one operation does not
/// change the faults of others.
#[derive(Debug)]
struct OperationState {
    calls: u64,
    scripted: VecDeque<ApiError>,
    random: fastrand::Rng,
}

impl Faults {
    pub(super) fn new(seed: u64, plan: FaultPlan) -> Self {
        Self {
            seed,
            state: Mutex::new(State {
                plan,
                operations: HashMap::new(),
                events: EventState {
                    scripted: VecDeque::new(),
                    random: fastrand::Rng::with_seed(!seed),
                },
            }),
        }
    }

    pub(super) fn set_plan(&self, plan: FaultPlan) {
        self.locked(|state, _| state.plan = plan);
    }

    pub(super) fn fail_next(&self, operation: Operation, error: ApiError) {
        self.of(operation, |state, _| state.scripted.push_back(error));
    }

    pub(super) fn calls(&self, operation: Operation) -> u64 {
        self.of(operation, |state, _| state.calls)
    }

    /// Counts a call and sleeps its latency. Returns the fault that fails it, or the faults to
    /// apply while it is processed.
    pub(super) async fn admit(&self, operation: Operation) -> ApiResult<CallFaults> {
        let (latency, outcome) = self.of(operation, |state, rates| {
            state.calls += 1;
            let latency = latency(&mut state.random, rates);
            let outcome = match state.scripted.pop_front() {
                Some(error) => Err(error),
                None => draw(&mut state.random, rates, operation),
            };
            (latency, outcome)
        });
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        outcome
    }

    pub(super) fn fail_next_event(&self, error: ApiError) {
        self.locked(|state, _| state.events.scripted.push_back(error));
    }

    /// The fault that replaces an event of a subscription.
    pub(super) fn of_event(&self) -> Option<EventFault> {
        const OPERATION: Operation = Operation::SubscribeToShard;
        self.locked(|state, _| {
            if let Some(error) = state.events.scripted.pop_front() {
                return Some(EventFault::Failed(error));
            }
            let rates = state.plan.of(OPERATION);
            let mut point = state.events.random.f64();
            let mut should_fail = |rate: f64| hits(&mut point, rate);
            if should_fail(rates.failed_event) {
                let message = "Internal service failure (injected fault).";
                let code = "InternalFailureException";
                return Some(EventFault::Failed(ApiError::from_code(
                    OPERATION, code, message,
                )));
            }
            if should_fail(rates.broken_event) {
                return Some(EventFault::Failed(connection_lost(OPERATION)));
            }
            should_fail(rates.early_end).then_some(EventFault::Ended)
        })
    }

    fn locked<T>(&self, with: impl FnOnce(&mut State, u64) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        with(&mut state, self.seed)
    }

    fn of<T>(
        &self,
        operation: Operation,
        with: impl FnOnce(&mut OperationState, &FaultRates) -> T,
    ) -> T {
        self.locked(|state, seed| {
            let rates = state.plan.of(operation);
            let of = state.operations.entry(operation);
            let of = of.or_insert_with(|| OperationState {
                calls: 0,
                scripted: VecDeque::new(),
                random: fastrand::Rng::with_seed(seed ^ (operation as u64 + 1) << 32),
            });
            with(of, &rates)
        })
    }
}

/// The error of a broken connection.
pub(super) fn connection_lost(operation: Operation) -> ApiError {
    let message = "the connection was closed before the answer was read";
    ApiError::new(
        ApiErrorKind::Unavailable,
        operation,
        CONNECTION_LOST,
        message,
    )
}

fn latency(random: &mut fastrand::Rng, rates: &FaultRates) -> Duration {
    let spread = rates.max_latency.saturating_sub(rates.min_latency);
    rates.min_latency + spread.mul_f64(random.f64())
}

/// Whether a fault of this rate is drawn. `point` is a random number less the rates before.
fn hits(point: &mut f64, rate: f64) -> bool {
    let hit = (0.0..rate).contains(point);
    *point -= rate;
    hit
}

fn draw(
    random: &mut fastrand::Rng,
    rates: &FaultRates,
    operation: Operation,
) -> ApiResult<CallFaults> {
    let mut point = random.f64();
    let mut should_fail = |rate: f64| hits(&mut point, rate);
    let fail = |code, message: &str| Err(ApiError::from_code(operation, code, message));
    if should_fail(rates.throttled) {
        let code = "ProvisionedThroughputExceededException";
        return fail(code, "Rate exceeded (injected fault).");
    }
    if should_fail(rates.internal_failure) {
        return fail(
            "InternalFailure",
            "Internal service failure (injected fault).",
        );
    }
    if should_fail(rates.connection_lost) {
        return Err(connection_lost(operation));
    }
    let answer_lost = should_fail(rates.answer_lost);
    if should_fail(rates.expired_iterator) {
        return fail(
            "ExpiredIteratorException",
            "Iterator expired (injected fault).",
        );
    }
    Ok(CallFaults {
        answer_lost,
        empty_page: should_fail(rates.empty_page),
        entries: (rates.failed_entry > 0.0).then(|| EntryFaults {
            rate: rates.failed_entry,
            random: random.fork(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUGH: FaultRates = FaultRates {
        throttled: 0.2,
        internal_failure: 0.1,
        connection_lost: 0.1,
        answer_lost: 0.1,
        expired_iterator: 0.1,
        empty_page: 0.1,
        failed_entry: 0.0,
        failed_event: 0.0,
        broken_event: 0.0,
        early_end: 0.0,
        min_latency: Duration::from_millis(1),
        max_latency: Duration::from_millis(9),
    };

    async fn outcomes(seed: u64) -> Vec<String> {
        let plan = FaultPlan::default().with(Operation::GetRecords, ROUGH);
        let faults = Faults::new(seed, plan);
        let mut seen = Vec::new();
        for _ in 0..500 {
            let outcome = faults.admit(Operation::GetRecords).await;
            seen.push(match outcome {
                Err(error) => error.code().to_owned(),
                Ok(faults) if faults.answer_lost => "answer lost".to_owned(),
                Ok(faults) if faults.empty_page => "empty page".to_owned(),
                Ok(_) => String::new(),
            });
        }
        seen
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_seed_gives_the_same_faults() {
        let first = outcomes(7).await;
        assert_eq!(first, outcomes(7).await);
        assert_ne!(first, outcomes(8).await);
        let share = |of: &str| first.iter().filter(|seen| *seen == of).count();
        assert!((70..130).contains(&share("ProvisionedThroughputExceededException")));
        for of in [
            "InternalFailure",
            CONNECTION_LOST,
            "answer lost",
            "empty page",
        ] {
            assert!((25..80).contains(&share(of)), "{of}: {}", share(of));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_take_a_latency_within_the_configured_range() {
        let started = tokio::time::Instant::now();
        outcomes(7).await;
        let millis = started.elapsed().as_millis();
        assert!((500..=5_500).contains(&millis), "{millis}");
    }

    #[tokio::test(start_paused = true)]
    async fn scripted_failures_are_used_in_order_for_their_operation_only() {
        let faults = Faults::new(0, FaultPlan::default());
        for code in ["InternalFailure", "ExpiredIteratorException"] {
            let error = ApiError::from_code(Operation::GetRecords, code, "");
            faults.fail_next(Operation::GetRecords, error);
        }
        assert!(faults.admit(Operation::PutRecords).await.is_ok());
        for code in ["InternalFailure", "ExpiredIteratorException"] {
            let error = faults.admit(Operation::GetRecords).await.unwrap_err();
            assert_eq!(error.code(), code);
        }
        assert!(faults.admit(Operation::GetRecords).await.is_ok());
        assert_eq!(faults.calls(Operation::GetRecords), 3);
    }
}
