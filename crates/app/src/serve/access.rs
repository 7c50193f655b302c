//! Who comes in, and what they may see and do: keys kept in memory, callers, and what of the API is for whom.

pub(super) mod admit;
mod body;
pub(super) mod browser;
pub(super) mod cors;
pub(super) mod held;
pub(super) mod limits;
pub(super) mod paced;
pub(super) mod quota;
mod shares;
pub(super) mod sigv4;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Result;
use engine::pipeline::find;
use engine::pipeline::handle;
use engine::pipeline::object::ReceiptId;
use engine::pipeline::ports::Ledger;
use engine::pipeline::preset::Preset;
use engine::pipeline::receipt::Receipt;
use engine::pipeline::topology::{self, Topology};
use engine::runtime::Engine;

use crate::data::keys::book::{self, Book, Key, Master};

/// Who makes a request. In the extensions of every request that was let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::serve) struct Caller {
    /// The id of the key; none where nobody is asked.
    pub key: Option<String>,
    partner: Option<String>,
}

impl Caller {
    fn of(key: &Key) -> Self {
        Self { key: Some(key.id.clone()), partner: key.partner.clone() }
    }

    /// What the keys of all objects begin with that the caller may see; none when that is everything.
    pub fn prefix(&self) -> Option<String> {
        self.partner.as_ref().map(|partner| format!("{partner}/"))
    }

    /// What the keys of files begin with of which a caller may know among those that begin so; none when there are no such.
    pub fn within(&self, wanted: Option<String>) -> Option<Option<String>> {
        let Some(own) = self.prefix() else { return Some(wanted) };
        match wanted {
            Some(wanted) if wanted.starts_with(&own) => Some(Some(wanted)),
            Some(wanted) if !own.starts_with(&wanted) => None,
            _ => Some(Some(own)),
        }
    }

    /// Whether the caller may know of the object of a key. What may not be known of is answered as if it were not there.
    pub fn may_see(&self, object_key: &str) -> bool {
        self.prefix().is_none_or(|prefix| object_key.starts_with(&prefix))
    }

    /// Which of these files the caller may know of: others may have sent the same bytes, or a file of the same name. What
    /// is somebody else's is not told apart from what is not there.
    pub fn theirs(&self, ledger: &dyn Ledger, mut files: Vec<ReceiptId>) -> Result<Vec<ReceiptId>, handle::Error> {
        if self.is_admin() {
            return Ok(files);
        }
        let mut theirs = Vec::new();
        for id in files.drain(..) {
            let receipt = find::by_id(ledger, &id)?;
            if receipt.is_some_and(|receipt| self.may_see(&receipt.arrival().object.key)) {
                theirs.push(id);
            }
        }
        Ok(theirs)
    }

    /// Whether the caller may know of a file that another one has to do with: partners who share a feed send the same bytes.
    /// What cannot be read now is not told.
    pub fn knows(&self, ledger: &dyn Ledger, id: &ReceiptId) -> bool {
        let is_theirs = |receipt: Receipt| self.may_see(&receipt.arrival().object.key);
        self.is_admin() || find::by_id(ledger, id).ok().flatten().is_some_and(is_theirs)
    }

    /// Whether the caller may do what is about everybody.
    pub fn is_admin(&self) -> bool {
        self.partner.is_none()
    }
}

/// Keys that let somebody in, as of the last change.
#[derive(Default)]
struct Loaded {
    changes: u64,
    by_id: HashMap<String, Key>,
    /// The id of the key that an access key belongs to.
    by_access_key: HashMap<String, String>,
    master: Option<Master>,
}

/// The keys of the folder, looked up for every request.
pub(in crate::serve) struct Keys {
    engine: Arc<Engine>,
    loaded: RwLock<Option<Loaded>>,
}

impl Keys {
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine, loaded: RwLock::default() }
    }

    /// Finds out whether keys can be read at all.
    pub fn check(&self) -> Result<()> {
        load(&self.engine).map(drop)
    }

    /// Whose an API key is.
    pub fn by_api_key(&self, api_key: &str) -> Option<Caller> {
        let id = api_key.strip_prefix("mk_")?.split('_').next()?;
        self.with(|loaded| loaded.by_id.get(id).filter(|key| key.is(api_key)).map(Caller::of))
    }

    /// Whose an access key is.
    pub fn by_access_key(&self, access_key: &str) -> Option<Caller> {
        self.with(|loaded| loaded.by_id.get(loaded.by_access_key.get(access_key)?).map(Caller::of))
    }

    /// The secret of an access key.
    pub fn secret_of(&self, access_key: &str) -> Option<String> {
        self.with(|loaded| {
            let master = loaded.master.as_ref().filter(|_| loaded.by_access_key.contains_key(access_key))?;
            Some(master.secret(access_key))
        })
    }

    fn with<T>(&self, look: impl Fn(&Loaded) -> Option<T>) -> Option<T> {
        let changes = book::changes();
        {
            let held = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(loaded) = held.as_ref().filter(|loaded| loaded.changes == changes) {
                return look(loaded);
            }
        }
        // who cannot be looked up is not let in
        let loaded = Loaded { changes, ..load(&self.engine).ok()? };
        let found = look(&loaded);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
        found
    }
}

fn load(engine: &Engine) -> Result<Loaded> {
    let book = Book::new(engine);
    let mut loaded = Loaded::default();
    for key in book.all()?.into_iter().filter(|key| key.revoked_at.is_none()) {
        loaded.by_access_key.insert(key.access_key.clone(), key.id.clone());
        loaded.by_id.insert(key.id.clone(), key);
    }
    // without a key there is nothing that would follow from it, and no reason to make one
    loaded.master = if loaded.by_id.is_empty() { None } else { Some(book.master()?) };
    Ok(loaded)
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum For {
    /// Anybody, without a key.
    All,
    /// Whoever has a key; what they see is theirs.
    Callers,
    /// The same, and the request is signed.
    Signers,
    /// Whoever runs this.
    Admins,
}

/// What is about everybody's files, or about the service itself.
const ADMIN_PATHS: [&str; 10] = [
    "/dead-letters",
    "/replay",
    "/keys",
    "/alarms",
    "/metrics",
    "/bars",
    "/totals",
    "/transactions",
    "/events",
    "/tick",
];

impl For {
    /// Who may call a path.
    pub fn of(method: &str, path: &str) -> Self {
        let within = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if path == "/healthz" {
            Self::All
        } else if ADMIN_PATHS.iter().any(|root| within(root)) {
            Self::Admins
        } else if route_of(method, path).is_some_and(|(_, route)| route.access == topology::Access::Signed) {
            Self::Signers
        } else {
            Self::Callers
        }
    }
}

/// The route of a topology that a request takes.
pub(in crate::serve) fn route_of(method: &str, path: &str) -> Option<(Preset, &'static topology::Route)> {
    let fits = |route: &topology::Route| {
        let is_path = match route.path.strip_suffix("/{proxy+}") {
            Some(root) => path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')),
            None => path == route.path,
        };
        is_path && route.method == method
    };
    let mut routes =
        Preset::ALL.into_iter().flat_map(|preset| Topology::of(preset).routes.iter().map(move |route| (preset, route)));
    routes.find(|(_, route)| fits(route))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_for_those_they_are_for() {
        for (method, path, who) in [
            ("GET", "/healthz", For::All),
            ("GET", "/status", For::Callers),
            ("GET", "/status/a/b", For::Callers),
            ("POST", "/ingest", For::Signers),
            ("POST", "/upload", For::Callers),
            ("GET", "/metrics", For::Admins),
            ("POST", "/dead-letters/7/redrive", For::Admins),
            ("GET", "/barsx", For::Callers),
        ] {
            assert_eq!(For::of(method, path), who, "{method} {path}");
        }
    }

    #[test]
    fn partners_see_what_is_theirs() {
        let partner = Caller { key: Some("k".into()), partner: Some("acme".into()) };
        assert!(partner.may_see("acme/day.csv") && !partner.is_admin());
        assert!(!partner.may_see("acme2/day.csv") && !partner.may_see("acme") && !partner.may_see("other/acme/x"));
        assert!(Caller::default().may_see("anything") && Caller::default().is_admin());
    }
}
