//! Credentials that are held, and when they are to be renewed. Decides only.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;

use super::trouble::CredentialTrouble;
use crate::model::UnixMillis;

/// The longest time before their end from which credentials are renewed.
const LONGEST_WINDOW: Duration = Duration::from_secs(5 * 60);

/// When credentials without an end are looked at again: files change.
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(15 * 60);

/// The first and the longest wait after a renewal that failed.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long answers to requests that were signed with older credentials may still come in.
const OLDER_ANSWERS: Duration = Duration::from_secs(5);

/// What to do for a request.
#[derive(Debug)]
pub(super) enum Answer {
    /// Sign with these.
    Use(Credentials),
    /// Sign with these, and renew them meanwhile.
    Renew(Credentials),
    /// Load some first.
    Load,
}

/// The credentials of one identity.
#[derive(Debug, Default)]
pub(super) struct Held {
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

impl Held {
    /// What to do for a request at `now`. Who is told to renew is the only one until it says what came
    /// of it.
    pub(super) fn answer(&mut self, now: UnixMillis) -> Answer {
        let Some(current) = &self.current else {
            return Answer::Load;
        };
        if current.expires.is_some_and(|expires| expires <= now) {
            return Answer::Load;
        }
        let credentials = current.credentials.clone();
        if now < current.renew_from || self.renewing || self.waits(now) {
            return Answer::Use(credentials);
        }
        self.renewing = true;
        Answer::Renew(credentials)
    }

    /// Takes what was loaded at `now`.
    ///
    /// # Errors
    /// They have ended already, or are those that the service takes no more.
    pub(super) fn loaded(
        &mut self,
        credentials: &Credentials,
        now: UnixMillis,
    ) -> Result<(), CredentialTrouble> {
        self.renewing = false;
        if self
            .rejected
            .as_ref()
            .is_some_and(|old| same(old, credentials))
        {
            self.current = None;
            return Err(CredentialTrouble::lasting(
                "the service says that they have expired, and no others came in their place",
            ));
        }
        let expires = credentials.expiry().map(|time| {
            let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            UnixMillis(i64::try_from(millis.as_millis()).unwrap_or(i64::MAX))
        });
        let renew_from = match expires {
            Some(expires) if expires <= now => {
                return Err(CredentialTrouble::passing(format!(
                    "those that came have expired at {expires}, and it is {now}; is the clock of this \
                     machine right?"
                )));
            }
            Some(expires) => expires.minus((expires.since(now) / 3).min(LONGEST_WINDOW)),
            None => now.plus(LOOKED_AT_AGAIN),
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
    pub(super) fn failed(&mut self, now: UnixMillis, random: f64) {
        let doubled =
            FIRST_WAIT.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let wait = doubled.min(LONGEST_WAIT).mul_f64(0.5 + random / 2.0);
        self.renewing = false;
        self.failures = self.failures.saturating_add(1);
        self.next_try = Some(now.plus(wait));
    }

    /// Whether it is too early to load again after a failure.
    pub(super) fn waits(&self, now: UnixMillis) -> bool {
        self.next_try.is_some_and(|next_try| now < next_try)
    }

    /// The end of those that are held, if they have one.
    pub(super) fn ends(&self) -> Option<UnixMillis> {
        self.current.as_ref()?.expires
    }

    /// The service says at `now` that they have expired: others are loaded before the next request.
    pub(super) fn reject(&mut self, now: UnixMillis) {
        let fresh = |current: &Current| now.since(current.loaded) < OLDER_ANSWERS;
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

    fn holding(expires: Option<UnixMillis>) -> Held {
        let mut held = Held::default();
        assert!(matches!(held.answer(NOON), Answer::Load));
        held.loaded(&keys("first", expires), NOON).unwrap();
        held
    }

    #[test]
    fn an_hour_is_renewed_in_its_last_five_minutes_by_one_at_a_time() {
        let mut held = holding(Some(after(3_600)));
        assert!(matches!(held.answer(after(3_299)), Answer::Use(_)));
        assert!(matches!(held.answer(after(3_300)), Answer::Renew(_)));
        assert!(matches!(held.answer(after(3_301)), Answer::Use(_)));
        held.loaded(&keys("second", Some(after(7_200))), after(3_302))
            .unwrap();
        let Answer::Use(credentials) = held.answer(after(3_400)) else {
            panic!("not the second");
        };
        assert_eq!(credentials.access_key_id(), "second");
    }

    #[test]
    fn a_short_session_is_renewed_in_its_last_third() {
        let mut held = holding(Some(after(30)));
        assert!(matches!(held.answer(after(19)), Answer::Use(_)));
        assert!(matches!(held.answer(after(20)), Answer::Renew(_)));
    }

    #[test]
    fn what_lives_is_used_until_its_end_however_often_renewing_fails() {
        let mut held = holding(Some(after(3_600)));
        let mut tries = 0;
        for second in 3_300..3_600 {
            match held.answer(after(second)) {
                Answer::Renew(_) => {
                    tries += 1;
                    held.failed(after(second), 1.0);
                    assert_eq!(held.ends(), Some(after(3_600)));
                }
                Answer::Use(_) => {}
                Answer::Load => panic!("{second}: they live"),
            }
        }
        // Waits of 1, 2, 4, 8 and 16 seconds, then of 30.
        assert_eq!(tries, 5 + (300 - 31) / 30 + 1);
        assert!(matches!(held.answer(after(3_600)), Answer::Load));
    }

    #[test]
    fn what_has_no_end_is_looked_at_again_after_a_quarter_of_an_hour() {
        let mut held = holding(None);
        assert!(matches!(held.answer(after(899)), Answer::Use(_)));
        assert!(matches!(held.answer(after(900)), Answer::Renew(_)));
        held.loaded(&keys("first", None), after(901)).unwrap();
        assert!(matches!(held.answer(after(1_800)), Answer::Use(_)));
    }

    #[test]
    fn what_the_service_has_refused_is_not_taken_again() {
        let mut held = holding(None);
        held.reject(after(60));
        assert!(matches!(held.answer(after(60)), Answer::Load));
        let trouble = held.loaded(&keys("first", None), after(60)).unwrap_err();
        assert!(!trouble.passing);
        held.loaded(&keys("second", None), after(61)).unwrap();
        assert!(matches!(held.answer(after(61)), Answer::Use(_)));
        // Late answers to requests that the first signed.
        held.reject(after(62));
        assert!(matches!(held.answer(after(62)), Answer::Use(_)));
        // Somebody has put the first back, and the service takes it again.
        held.reject(after(70));
        held.loaded(&keys("first", None), after(70)).unwrap();
    }

    #[test]
    fn what_comes_expired_is_not_taken() {
        let trouble = Held::default()
            .loaded(&keys("first", Some(NOON)), NOON)
            .unwrap_err();
        assert!(trouble.passing);
        assert!(trouble.to_string().contains("clock"), "{trouble}");
    }
}
