//! What all requests share.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use engine::pipeline::feed::Declared;
use engine::pipeline::preset::Preset;
use engine::pipeline::topology::Topology;
use engine::runtime::Engine;
use rows::records::Checker;
use tokio::sync::RwLock;

use super::http::Events;
use super::listen::Stop;
use super::settings::{Access, Settings};

/// What all requests share.
pub(super) struct Service {
    pub engine: Arc<Engine>,
    pub settings: Settings,
    pub locks: Locks,
    /// Who hears of files.
    pub events: Events,
    /// What checks single records, by the names of the feeds that take them.
    pub checkers: BTreeMap<String, Checker>,
    stop: OnceLock<Stop>,
}

/// The key that signs where nobody is asked who they are: clients of S3 want one.
pub(super) const LOCAL_KEY: (&str, &str) = ("millrace", "millrace-local");

impl Service {
    pub fn new(engine: Arc<Engine>, settings: Settings) -> Self {
        let of_market = engine.pipeline().feeds.iter().filter(|feed| feed.preset == Preset::Market);
        let checker = |feed: &Declared| (feed.name.as_str().to_owned(), Checker::new(feed.contract.as_ref()));
        let checkers = of_market.map(checker).collect();
        let (locks, events, stop) = (Locks::default(), Events::default(), OnceLock::new());
        Self { engine, settings, locks, events, checkers, stop }
    }

    /// By this it hears that it is to end.
    pub fn ends_by(&self, stop: &Stop) {
        let _ = self.stop.set(stop.clone());
    }

    /// Tells when it ends; nothing is told before it has begun.
    pub fn stopping(&self) -> Stop {
        self.stop.get().cloned().unwrap_or_else(Stop::never)
    }

    /// The bucket of a preset.
    pub fn bucket(&self, preset: Preset) -> String {
        format!("{}-{}", Topology::of(preset).bucket.name, self.settings.environment)
    }

    /// The secret of an access key.
    pub fn secret_of(&self, access_key: &str) -> Option<String> {
        let (local, secret) = LOCAL_KEY;
        (self.settings.access == Access::None && access_key == local).then(|| secret.to_owned())
    }

    /// All buckets; they are there from the start.
    pub fn buckets(&self) -> [String; 3] {
        Preset::ALL.map(|preset| self.bucket(preset))
    }
}

/// Locks of object keys: who looks at an object before writing it is alone meanwhile.
#[derive(Default)]
pub(super) struct Locks([RwLock<()>; LOCKS]);

/// Keys that fall on one lock wait for each other; that they do is rare.
const LOCKS: usize = 32;

impl Locks {
    /// The lock of a key.
    pub fn of(&self, bucket: &str, key: &str) -> &RwLock<()> {
        let mut hasher = DefaultHasher::new();
        (bucket, key).hash(&mut hasher);
        &self.0[usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or(0)]
    }
}

/// Carries out something that waits for the disk, off the threads that answer requests.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// An id that nobody can guess; none when the system has no random numbers.
pub(super) fn random_id() -> Option<String> {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
