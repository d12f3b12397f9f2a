//! Injected faults, scripted one by one or drawn at random from a seed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::kinesis::{ApiError, ApiErrorKind, ApiResult, Operation};

/// The error code of a broken connection. The service never sends it; clients see a broken
/// connection instead. The HTTP server closes the connection for it.
pub const CONNECTION_LOST: &str = "ConnectionLost";

/// How often calls of one operation fail: probabilities from 0.0 (never) to 1.0 (always).
///
/// At most one fault affects a call; they are drawn in the order of the fields.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct FaultRates {
    /// `ProvisionedThroughputExceededException`; the call has no effect.
    pub throttled: f64,
    /// `InternalFailure`; the call has no effect.
    pub internal_failure: f64,
    /// The connection breaks before the request is processed; the call has no effect.
    pub connection_lost: f64,
    /// The connection breaks after the request was processed, so its effect stays. For PutRecords
    /// this is the lost acknowledgement that makes a client write twice.
    pub answer_lost: f64,
    /// `ExpiredIteratorException` although the iterator has not expired (GetRecords).
    pub expired_iterator: f64,
    /// An empty page although there are records; its lag is above zero (GetRecords).
    pub empty_page: f64,
    /// Per entry: it is not written and fails with `InternalFailure` (PutRecords).
    pub failed_entry: f64,
    /// The shortest latency of a call.
    pub min_latency: Duration,
    /// The longest latency of a call. Latencies are drawn uniformly and slept on Tokio's clock.
    pub max_latency: Duration,
}

impl FaultRates {
    /// Sets [`throttled`](Self::throttled).
    #[must_use]
    pub fn with_throttled(mut self, rate: f64) -> Self {
        self.throttled = rate;
        self
    }

    /// Sets [`internal_failure`](Self::internal_failure).
    #[must_use]
    pub fn with_internal_failure(mut self, rate: f64) -> Self {
        self.internal_failure = rate;
        self
    }

    /// Sets [`connection_lost`](Self::connection_lost).
    #[must_use]
    pub fn with_connection_lost(mut self, rate: f64) -> Self {
        self.connection_lost = rate;
        self
    }

    /// Sets [`answer_lost`](Self::answer_lost).
    #[must_use]
    pub fn with_answer_lost(mut self, rate: f64) -> Self {
        self.answer_lost = rate;
        self
    }

    /// Sets [`expired_iterator`](Self::expired_iterator).
    #[must_use]
    pub fn with_expired_iterator(mut self, rate: f64) -> Self {
        self.expired_iterator = rate;
        self
    }

    /// Sets [`empty_page`](Self::empty_page).
    #[must_use]
    pub fn with_empty_page(mut self, rate: f64) -> Self {
        self.empty_page = rate;
        self
    }

    /// Sets [`failed_entry`](Self::failed_entry).
    #[must_use]
    pub fn with_failed_entry(mut self, rate: f64) -> Self {
        self.failed_entry = rate;
        self
    }

    /// Sets [`min_latency`](Self::min_latency).
    #[must_use]
    pub fn with_min_latency(mut self, latency: Duration) -> Self {
        self.min_latency = latency;
        self
    }

    /// Sets [`max_latency`](Self::max_latency).
    #[must_use]
    pub fn with_max_latency(mut self, latency: Duration) -> Self {
        self.max_latency = latency;
        self
    }
}

/// The fault rates per operation. Operations without rates never fail.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan(HashMap<Operation, FaultRates>);

impl FaultPlan {
    /// Sets the `rates` of `operation`.
    #[must_use]
    pub fn with(mut self, operation: Operation, rates: FaultRates) -> Self {
        self.0.insert(operation, rates);
        self
    }
}

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

/// Counts calls and injects faults.
#[derive(Debug)]
pub(super) struct Faults {
    seed: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    plan: FaultPlan,
    operations: HashMap<Operation, OperationState>,
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
            let rates = state.plan.0.get(&operation).copied().unwrap_or_default();
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

fn draw(
    random: &mut fastrand::Rng,
    rates: &FaultRates,
    operation: Operation,
) -> ApiResult<CallFaults> {
    let mut point = random.f64();
    let mut should_fail = |rate: f64| {
        let hit = (0.0..rate).contains(&point);
        point -= rate;
        hit
    };
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
