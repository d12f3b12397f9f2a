//! Cached credentials and when to renew them. Pure decisions, no I/O.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;

use super::failure::CredentialFailure;
use crate::model::UnixMillis;

/// Credentials are renewed at most this long before they expire.
const LONGEST_RENEWAL_WINDOW: Duration = Duration::from_secs(5 * 60);

/// How often credentials without an expiry are reloaded, because their files may change.
const RECHECK_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// First and longest wait after a failed renewal.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long responses to requests signed with older credentials may still arrive.
const LATE_ANSWERS: Duration = Duration::from_secs(5);

/// What to do before signing a request.
#[derive(Debug)]
pub(in crate::aws) enum Action {
    /// Sign with these.
    Use(Credentials),
    /// Sign with these, and renew them in the background.
    Renew(Credentials),
    /// Load credentials first.
    Load,
}

/// The credentials of one identity.
#[derive(Debug, Default)]
pub(in crate::aws) struct CachedCredentials {
    current: Option<Current>,
    /// Credentials that the service refuses as expired.
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
    /// What to do for a request at `now`. After `Renew`, no other caller gets `Renew` until
    /// [`loaded`](Self::loaded) or [`failed`](Self::failed) is called.
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

    /// Stores credentials that were loaded at `now`.
    ///
    /// # Errors
    /// They have expired, or the service has refused them before.
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
            return Err(CredentialFailure::permanent(
                "the service reports that they have expired, and the source returned the same credentials again",
            ));
        }
        let expires = credentials.expiry().map(|time| {
            let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            UnixMillis(i64::try_from(millis.as_millis()).unwrap_or(i64::MAX))
        });
        let renew_from = match expires {
            Some(expires) if expires <= now => {
                return Err(CredentialFailure::transient(format!(
                    "the source returned credentials that expired at {expires}, and it is {now}; check the clock of this \
                     machine"
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

    /// Records a failed load at `now`. The wait before the next try grows each time.
    pub(in crate::aws) fn failed(&mut self, now: UnixMillis, random: f64) {
        let doubled =
            FIRST_WAIT.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let wait = doubled.min(LONGEST_WAIT).mul_f64(0.5 + random / 2.0);
        self.renewing = false;
        self.failures = self.failures.saturating_add(1);
        self.next_try = Some(now.plus(wait));
    }

    /// Whether it is too early for another load after a failure.
    pub(in crate::aws) fn waits(&self, now: UnixMillis) -> bool {
        self.next_try.is_some_and(|next_try| now < next_try)
    }

    /// When the cached credentials expire, if they do.
    pub(in crate::aws) fn expires(&self) -> Option<UnixMillis> {
        self.current.as_ref()?.expires
    }

    /// Records that the service reported at `now` that the credentials have expired, so that others
    /// are loaded before the next request.
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
    fn credentials_are_renewed_once_in_their_last_five_minutes() {
        let mut cached = holding(Some(after(3_600)));
        assert!(matches!(cached.next_action(after(3_299)), Action::Use(_)));
        assert!(matches!(cached.next_action(after(3_300)), Action::Renew(_)));
        assert!(matches!(cached.next_action(after(3_301)), Action::Use(_)));
        cached
            .loaded(&keys("second", Some(after(7_200))), after(3_302))
            .unwrap();
        let Action::Use(credentials) = cached.next_action(after(3_400)) else {
            panic!("expected cached credentials");
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
    fn valid_credentials_are_used_until_they_expire_despite_failed_renewals() {
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
                Action::Load => panic!("{second}: not expired yet"),
            }
        }
        // Waits of 1, 2, 4, 8 and 16 seconds, then of 30.
        assert_eq!(tries, 5 + (300 - 31) / 30 + 1);
        assert!(matches!(cached.next_action(after(3_600)), Action::Load));
    }

    #[test]
    fn credentials_without_expiry_are_reloaded_every_15_minutes() {
        let mut cached = holding(None);
        assert!(matches!(cached.next_action(after(899)), Action::Use(_)));
        assert!(matches!(cached.next_action(after(900)), Action::Renew(_)));
        cached.loaded(&keys("first", None), after(901)).unwrap();
        assert!(matches!(cached.next_action(after(1_800)), Action::Use(_)));
    }

    #[test]
    fn refused_credentials_are_not_accepted_again() {
        let mut cached = holding(None);
        cached.reject(after(60));
        assert!(matches!(cached.next_action(after(60)), Action::Load));
        let failure = cached.loaded(&keys("first", None), after(60)).unwrap_err();
        assert!(!failure.transient);
        cached.loaded(&keys("second", None), after(61)).unwrap();
        assert!(matches!(cached.next_action(after(61)), Action::Use(_)));
        // Late responses to requests signed with the first ones.
        cached.reject(after(62));
        assert!(matches!(cached.next_action(after(62)), Action::Use(_)));
        // The first ones were restored, and the service accepts them again.
        cached.reject(after(70));
        cached.loaded(&keys("first", None), after(70)).unwrap();
    }

    #[test]
    fn expired_credentials_are_not_accepted() {
        let failure = CachedCredentials::default()
            .loaded(&keys("first", Some(NOON)), NOON)
            .unwrap_err();
        assert!(failure.transient);
        assert!(failure.to_string().contains("clock"), "{failure}");
    }
}
