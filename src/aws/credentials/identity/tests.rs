//! One identity and its callers, with a manual clock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicUsize};
use std::time::UNIX_EPOCH;

use futures::future::join_all;
use tokio::sync::Semaphore;

use super::*;
use crate::model::UnixMillis;

const NOON: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;

/// A clock in milliseconds after [`NOON`].
#[derive(Debug, Default)]
struct Counted(AtomicI64);

impl Counted {
    fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }
}

impl Clock for Counted {
    fn now(&self) -> UnixMillis {
        UnixMillis(NOON + self.0.load(Ordering::Relaxed))
    }
}

/// A source with scripted answers, each of which requires a permit.
#[derive(Debug, Clone)]
struct Scripted(Arc<Script>);

#[derive(Debug)]
struct Script {
    answers: Mutex<VecDeque<Provided>>,
    permits: Semaphore,
    asked: AtomicUsize,
    answered: AtomicUsize,
}

impl Scripted {
    async fn answer(&self) -> Provided {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        self.0.permits.acquire().await.unwrap().forget();
        self.0.answered.fetch_add(1, Ordering::Relaxed);
        let next = self.0.answers.lock().unwrap().pop_front();
        next.expect("more loads than scripted")
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::Relaxed)
    }

    fn permit(&self, count: usize) {
        self.0.permits.add_permits(count);
    }

    /// Waits until the source has answered `times` times.
    async fn until_answered(&self, times: usize) {
        while self.0.answered.load(Ordering::Relaxed) < times {
            tokio::task::yield_now().await;
        }
    }
}

impl ProvideCredentials for Scripted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.answer())
    }
}

/// Credentials that expire `ends` milliseconds after [`NOON`].
fn keys(name: &str, ends: Option<i64>) -> Provided {
    let ends =
        ends.map(|ends| UNIX_EPOCH + Duration::from_millis(u64::try_from(NOON + ends).unwrap()));
    Ok(Credentials::new(name, "secret", None, ends, "test"))
}

fn transient() -> Provided {
    Err(CredentialFailure::transient("answered 503").into())
}

fn permanent() -> Provided {
    Err(CredentialFailure::permanent("refused").into())
}

fn identity<const N: usize>(answers: [Provided; N]) -> (Identity, Scripted, Arc<Counted>) {
    let source = Scripted(Arc::new(Script {
        answers: Mutex::new(answers.into()),
        permits: Semaphore::new(0),
        asked: AtomicUsize::new(0),
        answered: AtomicUsize::new(0),
    }));
    let clock = Arc::new(Counted::default());
    let identity = Identity::new("role 'x'", source.clone(), Arc::<Counted>::clone(&clock));
    (identity, source, clock)
}

/// The access key id that would sign a request, or why there is none.
async fn key(identity: &Identity) -> Result<String, CredentialFailure> {
    match identity.provide_credentials().await {
        Ok(credentials) => Ok(credentials.access_key_id().to_owned()),
        Err(error) => Err(CredentialFailure::of(&error)),
    }
}

/// The results of a thousand concurrent requests while the source is slow.
async fn thousand(
    identity: &Identity,
    source: &Scripted,
) -> Vec<Result<String, CredentialFailure>> {
    let callers = join_all((0..1_000).map(|_| key(identity)));
    let (answers, ()) = tokio::join!(callers, async {
        source.permit(1);
    });
    answers
}

#[tokio::test]
async fn a_thousand_callers_share_one_load() {
    let (identity, source, _) = identity([keys("first", Some(HOUR))]);
    let answers = thousand(&identity, &source).await;
    assert!(answers.iter().all(|key| key.as_deref() == Ok("first")));
    assert_eq!(key(&identity).await.unwrap(), "first");
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn waiting_callers_share_a_failed_load() {
    let (identity, source, _) = identity([permanent(), keys("first", None)]);
    let answers = thousand(&identity, &source).await;
    for answer in answers {
        let failure = answer.unwrap_err();
        assert_eq!(failure.to_string(), "role 'x': refused");
        assert!(!failure.transient);
    }
    assert_eq!(source.asked(), 1);
    // A later caller may have been granted access meanwhile.
    source.permit(1);
    assert_eq!(key(&identity).await.unwrap(), "first");
}

#[tokio::test]
async fn a_cancelled_load_is_continued_by_the_next_caller() {
    let (identity, source, _) = identity([keys("first", None)]);
    let mut leaving = Box::pin(key(&identity));
    assert!(futures::poll!(&mut leaving).is_pending());
    let mut staying = Box::pin(key(&identity));
    assert!(futures::poll!(&mut staying).is_pending());
    drop(leaving);
    source.permit(1);
    assert_eq!(staying.await.unwrap(), "first");
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn a_transient_failure_is_repeated_until_its_wait_is_over() {
    let (identity, source, clock) = identity([transient(), transient(), keys("first", None)]);
    source.permit(3);
    let failure = key(&identity).await.unwrap_err();
    assert!(failure.transient);
    clock.set(499);
    assert_eq!(key(&identity).await.unwrap_err(), failure);
    assert_eq!(source.asked(), 1);
    clock.set(1_000);
    key(&identity).await.unwrap_err();
    assert_eq!(source.asked(), 2);
    // The second wait is twice as long.
    clock.set(1_999);
    key(&identity).await.unwrap_err();
    assert_eq!(source.asked(), 2);
    clock.set(3_000);
    assert_eq!(key(&identity).await.unwrap(), "first");
    assert_eq!(source.asked(), 3);
}

#[tokio::test]
async fn renewal_runs_in_the_background() {
    let (identity, source, clock) =
        identity([keys("first", Some(HOUR)), keys("second", Some(2 * HOUR))]);
    source.permit(1);
    key(&identity).await.unwrap();
    clock.set(HOUR - 300_000);
    for _ in 0..100 {
        assert_eq!(key(&identity).await.unwrap(), "first");
        tokio::task::yield_now().await;
    }
    assert_eq!(source.asked(), 2);
    source.permit(1);
    source.until_answered(2).await;
    assert_eq!(key(&identity).await.unwrap(), "second");
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn after_a_failed_renewal_the_old_credentials_stay_in_use() {
    let (identity, source, clock) = identity([
        keys("first", Some(HOUR)),
        permanent(),
        transient(),
        transient(),
    ]);
    source.permit(1);
    key(&identity).await.unwrap();
    for (time, asked) in [(HOUR - 300_000, 2), (HOUR - 299_000, 3)] {
        clock.set(time);
        assert_eq!(key(&identity).await.unwrap(), "first");
        source.permit(1);
        source.until_answered(asked).await;
        for _ in 0..100 {
            assert_eq!(key(&identity).await.unwrap(), "first");
            tokio::task::yield_now().await;
        }
        assert_eq!(source.asked(), asked);
    }
    clock.set(HOUR);
    source.permit(1);
    let failure = key(&identity).await.unwrap_err();
    assert_eq!(failure.to_string(), "role 'x': answered 503");
    assert_eq!(source.asked(), 4);
}

#[tokio::test]
async fn credentials_reported_as_expired_are_replaced_before_the_next_request() {
    let (identity, source, clock) =
        identity([keys("first", Some(HOUR)), keys("second", Some(HOUR))]);
    source.permit(2);
    key(&identity).await.unwrap();
    clock.set(60_000);
    assert!(identity.expired());
    assert_eq!(key(&identity).await.unwrap(), "second");
    // A late response to a request signed with the first credentials.
    clock.set(61_000);
    assert!(identity.expired());
    assert_eq!(key(&identity).await.unwrap(), "second");
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn fixed_credentials_are_never_replaced() {
    let clock = Arc::new(Counted::default());
    let credentials = keys("only", None).unwrap();
    let identity = Identity::fixed("the access key", credentials, Arc::<Counted>::clone(&clock));
    assert_eq!(key(&identity).await.unwrap(), "only");
    clock.set(60_000);
    assert!(!identity.expired());
    assert_eq!(key(&identity).await.unwrap(), "only");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_is_a_transient_failure() {
    let (identity, source, _) = identity([]);
    let failure = key(&identity).await.unwrap_err();
    assert!(failure.transient);
    assert!(failure.to_string().starts_with("role 'x': "), "{failure}");
    assert_eq!(source.asked(), 1);
}
