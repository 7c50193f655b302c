//! What all requests share.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anyhow::Result;
use engine::pipeline::feed::Declared;
use engine::pipeline::preset::Preset;
use engine::pipeline::topology::Topology;
use engine::runtime::Engine;
use rows::records::Checker;
use tokio::sync::RwLock;

use super::access::Keys;
use super::access::held::Budgets;
use super::access::limits::Limits;
use super::access::quota::Quotas;
use super::alarms::Alarms;
use super::http::{Answers, Events};
use super::listen::Stop;
use super::log::Log;
use super::metrics::{Metrics, Request};
use super::otlp::Traces;
use super::settings::{Access, Settings};
use engine::pipeline::encoding::hex;

/// What all requests share.
pub(super) struct Service {
    pub engine: Arc<Engine>,
    pub settings: Settings,
    pub locks: Locks,
    /// Locks of uploads that are sent again: who sends the same is alone meanwhile.
    pub repeated: Locks,
    /// Who hears of files.
    pub events: Events,
    /// What was told of files.
    pub answers: Answers,
    /// What checks single records, by the names of the feeds that take them.
    pub checkers: BTreeMap<String, Checker>,
    stop: OnceLock<Stop>,
    pub keys: Keys,
    pub limits: Limits,
    /// What bodies may take that are held in memory.
    pub budgets: Budgets,
    pub quotas: Quotas,
    pub metrics: Arc<Metrics>,
    pub alarms: Alarms,
    pub log: Log,
    pub traces: Traces,
    pub began: Instant,
}

/// The key that signs where nobody is asked who they are: clients of S3 want one.
pub(super) const LOCAL_KEY: (&str, &str) = ("millrace", "millrace-local");

impl Service {
    pub fn new(engine: Arc<Engine>, settings: Settings) -> Result<Self> {
        let keys = Keys::new(engine.clone());
        keys.check()?;
        let metrics: Arc<Metrics> = Arc::default();
        let folder = engine.folder().with_file_name("logs");
        let of_market = engine.pipeline().feeds.iter().filter(|feed| feed.preset == Preset::Market);
        let checker = |feed: &Declared| (feed.name.as_str().to_owned(), Checker::new(feed.contract.as_ref()));
        Ok(Self {
            checkers: of_market.map(checker).collect(),
            events: Events::default(),
            answers: Answers::default(),
            stop: OnceLock::new(),
            keys,
            limits: Limits::new(&settings.limits),
            budgets: Budgets::new(settings.ingest_bytes_max),
            quotas: Quotas::new(engine.clone(), settings.limits.uploads_per_day)?,
            alarms: Alarms::kept(&engine)?,
            log: Log::open(&folder, settings.log, settings.log_days, metrics.clone())?,
            traces: Traces::start(settings.otlp.as_ref(), metrics.clone())?,
            metrics,
            began: Instant::now(),
            engine,
            settings,
            locks: Locks::default(),
            repeated: Locks::default(),
        })
    }

    /// Counts and logs a request that was answered.
    pub fn observed(&self, request: &Request<'_>) {
        self.metrics.request(request);
        self.log.request(request, engine::runtime::now());
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
        if self.settings.access == Access::None {
            return (access_key == local).then(|| secret.to_owned());
        }
        self.keys.secret_of(access_key)
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

/// Bytes of an id.
const ID_BYTES: usize = 16;

/// An id that nobody can guess; none when the system has no random numbers. These are fetched for many ids at once.
pub(super) fn random_id() -> Option<String> {
    use ring::rand::{SecureRandom, SystemRandom};
    use std::cell::RefCell;
    thread_local! {
        static FETCHED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    FETCHED.with_borrow_mut(|fetched| {
        if fetched.len() < ID_BYTES {
            fetched.resize(64 * ID_BYTES, 0);
            if SystemRandom::new().fill(fetched).is_err() {
                fetched.clear();
                return None;
            }
        }
        let id = hex(&fetched[fetched.len() - ID_BYTES..]);
        fetched.truncate(fetched.len() - ID_BYTES);
        Some(id)
    })
}
