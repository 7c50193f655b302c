//! How often somebody may ask: buckets of tokens, by route, by key and by where a request comes from.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::pipeline::topology::Rate;

use super::shares::Shares;
use super::{Caller, route_of};
use crate::limits::CALLERS_COUNTED_MAX;
use crate::serve::settings::Limits as Settings;

/// Tokens that come back at a rate; as many as come in a second may be taken at once.
#[derive(Debug)]
pub(in crate::serve) struct Buckets {
    per_second: f64,
    by_name: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Buckets {
    /// With 0 there is no limit.
    pub fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), by_name: Mutex::default() }
    }

    /// Takes a token, or says how long there will be none.
    pub fn take(&self, name: &str, now: Instant) -> Result<(), Duration> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if by_name.len() >= CALLERS_COUNTED_MAX && !by_name.contains_key(name) {
            self.prune(&mut by_name, now);
        }
        let (tokens, at) = by_name.entry(name.to_owned()).or_insert((self.per_second, now));
        *tokens = self.filled(*tokens, *at, now);
        *at = now;
        if *tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - *tokens) / self.per_second));
        }
        *tokens -= 1.0;
        Ok(())
    }

    fn filled(&self, tokens: f64, at: Instant, now: Instant) -> f64 {
        let more = now.saturating_duration_since(at).as_secs_f64() * self.per_second;
        (tokens + more).min(self.per_second.max(1.0))
    }

    fn prune(&self, by_name: &mut HashMap<String, (f64, Instant)>, now: Instant) {
        by_name.retain(|_, (tokens, at)| self.filled(*tokens, *at, now) < self.per_second);
        if by_name.len() >= CALLERS_COUNTED_MAX {
            // so many at once are nobody's clients; whoever is forgotten begins with a full bucket
            let mut keep = false;
            by_name.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
    }
}

/// All that limits how often somebody may ask.
#[derive(Debug)]
pub(in crate::serve) struct Limits {
    status: Shares,
    ingest: Shares,
    by_key: Buckets,
    by_source: Buckets,
}

/// Too often: what was asked too often, and for how long nothing is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) struct TooOften {
    pub what: &'static str,
    pub wait: Duration,
}

impl TooOften {
    /// As `Retry-After` says it.
    pub fn seconds(&self) -> u64 {
        self.wait.as_secs() + u64::from(self.wait.subsec_nanos() > 0)
    }
}

impl Limits {
    pub fn new(settings: &Settings) -> Self {
        Self {
            status: Shares::new(settings.status_per_second),
            ingest: Shares::new(settings.ingest_per_second),
            by_key: Buckets::new(settings.key_per_second),
            by_source: Buckets::new(settings.source_per_second),
        }
    }

    /// Counts a request by where it comes from, before anybody is asked who they are.
    pub fn source(&self, from: IpAddr, now: Instant) -> Result<(), TooOften> {
        let taken = self.by_source.take(&name_of(from), now);
        taken.map_err(|wait| TooOften { what: "requests of this address", wait })
    }

    /// Counts a request of a caller.
    pub fn caller(&self, caller: &Caller, now: Instant) -> Result<(), TooOften> {
        let Some(key) = &caller.key else { return Ok(()) };
        self.by_key.take(key, now).map_err(|wait| TooOften { what: "requests with this key", wait })
    }

    /// Counts a request by what it asks for, and against the share of whoever asks: of a key, or of an address where nobody
    /// is asked who they are.
    pub fn route(
        &self,
        method: &str,
        path: &str,
        caller: &Caller,
        from: Option<IpAddr>,
        now: Instant,
    ) -> Result<(), TooOften> {
        let Some((_, route)) = route_of(method, path) else { return Ok(()) };
        let (shares, what) = match (route.rate, route.method) {
            (Rate::PerDayAndKey(_), _) => return Ok(()),
            (Rate::PerSecond(_), "GET") => (&self.status, "requests for the status of files"),
            (Rate::PerSecond(_), _) => (&self.ingest, "requests that bring records"),
        };
        let name = caller.key.clone().or_else(|| from.map(name_of)).unwrap_or_default();
        shares.take(&name, now).map_err(|wait| TooOften { what, wait })
    }
}

/// An address, or the network of 64 bits that a client of IPv6 has to itself.
pub(in crate::serve) fn name_of(from: IpAddr) -> String {
    match from.to_canonical() {
        IpAddr::V4(from) => from.to_string(),
        IpAddr::V6(from) => format!("{:x?}", from.segments().get(..4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        let (buckets, start) = (Buckets::new(10), Instant::now());
        for _ in 0..10 {
            assert_eq!(buckets.take("a", start), Ok(()));
        }
        assert_eq!(buckets.take("a", start), Err(Duration::from_millis(100)));
        assert_eq!(buckets.take("b", start), Ok(()));
        assert_eq!(buckets.take("a", start + Duration::from_millis(100)), Ok(()));
        assert!(buckets.take("a", start + Duration::from_millis(100)).is_err());
        let later = start + Duration::from_secs(60);
        assert_eq!((0..20).filter(|_| buckets.take("a", later).is_ok()).count(), 10);
        assert!((0..100).all(|_| Buckets::new(0).take("a", start).is_ok()));
    }

    #[test]
    fn names_are_forgotten() {
        let (buckets, start) = (Buckets::new(2), Instant::now());
        for number in 0..3 * CALLERS_COUNTED_MAX {
            let _ = buckets.take(&number.to_string(), start);
        }
        assert!(buckets.by_name.lock().unwrap().len() <= CALLERS_COUNTED_MAX);
        let later = start + Duration::from_secs(5);
        for number in 0..CALLERS_COUNTED_MAX {
            let _ = buckets.take(&format!("x{number}"), later);
        }
        assert!(buckets.by_name.lock().unwrap().len() <= CALLERS_COUNTED_MAX);
    }

    #[test]
    fn addresses_of_one_client_are_one() {
        let name = |text: &str| name_of(text.parse().unwrap());
        assert_eq!(name("2001:db8::1"), name("2001:db8::ffff:2"));
        assert_ne!(name("2001:db8::1"), name("2001:db8:0:1::1"));
        assert_eq!(name("::ffff:10.0.0.1"), name("10.0.0.1"));
        assert_ne!(name("10.0.0.1"), name("10.0.0.2"));
    }

    #[test]
    fn routes_have_the_figures_of_the_topology() {
        let settings = Settings::default();
        assert_eq!((settings.status_per_second, settings.ingest_per_second), (1000, 10_000));
        let (limits, now) = (Limits::new(&settings), Instant::now());
        let route = |method, path| limits.route(method, path, &Caller::default(), None, now);
        assert_eq!((0..2000).filter(|_| route("GET", "/status/a").is_ok()).count(), 1000);
        let refused = route("GET", "/status").unwrap_err();
        assert_eq!((refused.seconds(), refused.what), (1, "requests for the status of files"));
        assert!((0..20_000).all(|_| route("GET", "/files").is_ok()));
        // another caller has a share of what was all taken, whoever they are known by
        let other = Caller { key: Some("other".to_owned()), ..Caller::default() };
        assert!((0..400).all(|_| limits.route("GET", "/status", &other, None, now).is_ok()));
        let from = Some(IpAddr::from([127, 0, 0, 9]));
        assert!((0..200).all(|_| limits.route("GET", "/status", &Caller::default(), from, now).is_ok()));
        assert_eq!((0..12_000).filter(|_| route("POST", "/ingest").is_ok()).count(), 10_000);
    }
}
