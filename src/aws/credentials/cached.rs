//! Credentials that are cached, and when they are to be renewed. Decides only.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;

use super::failure::CredentialFailure;
use crate::model::UnixMillis;

/// The longest time before their end from which credentials are renewed.
const LONGEST_RENEWAL_WINDOW: Duration = Duration::from_secs(5 * 60);

/// When credentials without an end are looked at again: files change.
const RECHECK_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// The first and the longest wait after a renewal that failed.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long answers to requests that were signed with older credentials may still come in.
const LATE_ANSWERS: Duration = Duration::from_secs(5);

/// What to do for a request.
#[derive(Debug)]
pub(in crate::aws) enum Action {
    /// Sign with these.
    Use(Credentials),
    /// Sign with these, and renew them meanwhile.
    Renew(Credentials),
    /// Load some first.
    Load,
}

/// The credentials of one identity.
#[derive(Debug, Default)]
pub(in crate::aws) struct CachedCredentials {
    current: Option<Current>,
    /// Those the service takes no more.
    rejected: Option<Credentials>,
    renewing: bool,
    failures: u32,
    next_try: Option<UnixMillis>,
}

#[derive(Debug)]
struct Current {
    credentials: Credentials,
    loaded: UnixMillis,
    expires: Option<UnixMillis>,
    renew_from: UnixMillis,
}

impl CachedCredentials {
    /// What to do for a request at `now`. Who is told to renew is the only one until it says what came
    /// of it.
    pub(in crate::aws) fn next_action(&mut self, now: UnixMillis) -> Action {
        let Some(current) = &self.current else {
            return Action::Load;
        };
        if current.expires.is_some_and(|expires| expires <= now) {
            return Action::Load;
        }
        let credentials = current.credentials.clone();
        if now < current.renew_from || self.renewing || self.waits(now) {
            return Action::Use(credentials);
        }
        self.renewing = true;
        Action::Renew(credentials)
    }

    /// Takes what was loaded at `now`.
    ///
    /// # Errors
    /// They have ended already, or are those that the service takes no more.
    pub(in crate::aws) fn loaded(
        &mut self,
        credentials: &Credentials,
        now: UnixMillis,
    ) -> Result<(), CredentialFailure> {
        self.renewing = false;
        if self
            .rejected
            .as_ref()
            .is_some_and(|old| same(old, credentials))
        {
            self.current = None;
            return Err(CredentialFailure::lasting(
                "the service says that they have expired, and no others came in their place",
            ));
        }
        let expires = credentials.expiry().map(|time| {
            let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            UnixMillis(i64::try_from(millis.as_millis()).unwrap_or(i64::MAX))
        });
        let renew_from = match expires {
            Some(expires) if expires <= now => {
                return Err(CredentialFailure::passing(format!(
                    "those that came have expired at {expires}, and it is {now}; is the clock of this \
                     machine right?"
                )));
            }
            Some(expires) => expires.minus((expires.since(now) / 3).min(LONGEST_RENEWAL_WINDOW)),
            None => now.plus(RECHECK_INTERVAL),
        };
        self.current = Some(Current {
            credentials: credentials.clone(),
            loaded: now,
            expires,
            renew_from,
        });
        self.rejected = None;
        self.failures = 0;
        self.next_try = None;
        Ok(())
    }

    /// Loading failed at `now`; the next try waits, and longer each time.
    pub(in crate::aws) fn failed(&mut self, now: UnixMillis, random: f64) {
        let doubled =
            FIRST_WAIT.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let wait = doubled.min(LONGEST_WAIT).mul_f64(0.5 + random / 2.0);
        self.renewing = false;
        self.failures = self.failures.saturating_add(1);
        self.next_try = Some(now.plus(wait));
    }

    /// Whether it is too early to load again after a failure.
    pub(in crate::aws) fn waits(&self, now: UnixMillis) -> bool {
        self.next_try.is_some_and(|next_try| now < next_try)
    }

    /// The end of those that are cached, if they have one.
    pub(in crate::aws) fn expires(&self) -> Option<UnixMillis> {
        self.current.as_ref()?.expires
    }

    /// The service says at `now` that they have expired: others are loaded before the next request.
    pub(in crate::aws) fn reject(&mut self, now: UnixMillis) {
        let fresh = |current: &Current| now.since(current.loaded) < LATE_ANSWERS;
        match self.current.take() {
            Some(current) if fresh(&current) => self.current = Some(current),
            Some(current) => self.rejected = Some(current.credentials),
            None => {}
        }
    }
}

fn same(one: &Credentials, other: &Credentials) -> bool {
    one.access_key_id() == other.access_key_id() && one.session_token() == other.session_token()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_700_000_000_000);

    fn after(seconds: u64) -> UnixMillis {
        NOON.plus(Duration::from_secs(seconds))
    }

    fn keys(name: &str, expires: Option<UnixMillis>) -> Credentials {
        let expires = expires.map(|UnixMillis(millis)| {
            UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap())
        });
        Credentials::new(name, "secret", None, expires, "test")
    }

    fn holding(expires: Option<UnixMillis>) -> CachedCredentials {
        let mut cached = CachedCredentials::default();
        assert!(matches!(cached.next_action(NOON), Action::Load));
        cached.loaded(&keys("first", expires), NOON).unwrap();
        cached
    }

    #[test]
    fn an_hour_is_renewed_in_its_last_five_minutes_by_one_at_a_time() {
        let mut cached = holding(Some(after(3_600)));
        assert!(matches!(cached.next_action(after(3_299)), Action::Use(_)));
        assert!(matches!(cached.next_action(after(3_300)), Action::Renew(_)));
        assert!(matches!(cached.next_action(after(3_301)), Action::Use(_)));
        cached
            .loaded(&keys("second", Some(after(7_200))), after(3_302))
            .unwrap();
        let Action::Use(credentials) = cached.next_action(after(3_400)) else {
            panic!("not the second");
        };
        assert_eq!(credentials.access_key_id(), "second");
    }

    #[test]
    fn a_short_session_is_renewed_in_its_last_third() {
        let mut cached = holding(Some(after(30)));
        assert!(matches!(cached.next_action(after(19)), Action::Use(_)));
        assert!(matches!(cached.next_action(after(20)), Action::Renew(_)));
    }

    #[test]
    fn what_lives_is_used_until_its_end_however_often_renewing_fails() {
        let mut cached = holding(Some(after(3_600)));
        let mut tries = 0;
        for second in 3_300..3_600 {
            match cached.next_action(after(second)) {
                Action::Renew(_) => {
                    tries += 1;
                    cached.failed(after(second), 1.0);
                    assert_eq!(cached.expires(), Some(after(3_600)));
                }
                Action::Use(_) => {}
                Action::Load => panic!("{second}: they live"),
            }
        }
        // Waits of 1, 2, 4, 8 and 16 seconds, then of 30.
        assert_eq!(tries, 5 + (300 - 31) / 30 + 1);
        assert!(matches!(cached.next_action(after(3_600)), Action::Load));
    }

    #[test]
    fn what_has_no_end_is_looked_at_again_after_a_quarter_of_an_hour() {
        let mut cached = holding(None);
        assert!(matches!(cached.next_action(after(899)), Action::Use(_)));
        assert!(matches!(cached.next_action(after(900)), Action::Renew(_)));
        cached.loaded(&keys("first", None), after(901)).unwrap();
        assert!(matches!(cached.next_action(after(1_800)), Action::Use(_)));
    }

    #[test]
    fn what_the_service_has_refused_is_not_taken_again() {
        let mut cached = holding(None);
        cached.reject(after(60));
        assert!(matches!(cached.next_action(after(60)), Action::Load));
        let failure = cached.loaded(&keys("first", None), after(60)).unwrap_err();
        assert!(!failure.passing);
        cached.loaded(&keys("second", None), after(61)).unwrap();
        assert!(matches!(cached.next_action(after(61)), Action::Use(_)));
        // Late answers to requests that the first signed.
        cached.reject(after(62));
        assert!(matches!(cached.next_action(after(62)), Action::Use(_)));
        // Somebody has put the first back, and the service takes it again.
        cached.reject(after(70));
        cached.loaded(&keys("first", None), after(70)).unwrap();
    }

    #[test]
    fn what_comes_expired_is_not_taken() {
        let failure = CachedCredentials::default()
            .loaded(&keys("first", Some(NOON)), NOON)
            .unwrap_err();
        assert!(failure.passing);
        assert!(failure.to_string().contains("clock"), "{failure}");
    }
}
