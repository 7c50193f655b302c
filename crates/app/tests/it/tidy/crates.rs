//! Rules about crates: who may depend on whom, who owns what comes from outside, what a crate may not have.

use toml::{Table, Value};

use super::pages;

/// The crates there may be; what each may depend on, and what its tests may. Arrows point only to the left:
/// `rows ← pipeline ← engine ← app`, `pipeline ← infra ← {app, lambda}`, `pipeline ← testkit` (tests only).
const ARROWS: [(&str, &[&str], &[&str]); 8] = [
    ("rows", &[], &[]),
    ("pipeline", &["rows"], &["testkit"]),
    ("engine", &["pipeline"], &["testkit"]),
    ("infra", &["pipeline"], &["testkit"]),
    ("lambda", &["pipeline", "infra"], &["testkit"]),
    // `rows` is here only until `engine` is: `check` has nothing between itself and the row engine yet.
    ("app", &["engine", "infra", "rows"], &["testkit"]),
    ("testkit", &["pipeline"], &[]),
    // no member of the workspace: the fuzz targets need flags of their own
    ("fuzz", &["rows"], &[]),
];

/// Dependencies that any crate may declare: the words in which crates tell each other their types, the form in which
/// these are written, and a hash that is as plain as arithmetic. And what two programs that never meet both stand on.
const SHARED: [&str; 5] = ["ring", "serde", "serde_json", "tokio", "xxhash-rust"];

/// The page that says who owns a dependency and why it is there: `| name | owner | why |`.
pub(super) const DEPENDENCIES_PAGE: &str = "docs/dependencies.md";

/// What the rules need to know of a `Cargo.toml`.
#[derive(Debug, PartialEq)]
pub(super) struct Manifest {
    path: String,
    /// Name of the folder, which for members of the workspace is the name of the crate.
    name: String,
    dependencies: Vec<Dependency>,
    has_features: bool,
}

#[derive(Debug, PartialEq)]
struct Dependency {
    name: String,
    /// One of ours, told by its name or its path.
    inside: bool,
    for_tests: bool,
}

impl Manifest {
    pub(super) fn parse(path: &str, text: &str) -> Self {
        let table: Table = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let name = path.rsplit('/').nth(1).unwrap_or_default().to_owned();
        let mut dependencies = Vec::new();
        let targets = table.get("target").and_then(Value::as_table);
        let per_target = targets.iter().flat_map(|targets| targets.values()).filter_map(Value::as_table);
        for section in std::iter::once(&table).chain(per_target) {
            for (key, for_tests) in [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
            {
                let declared = section.get(key).and_then(Value::as_table);
                let declared = declared.iter().flat_map(|declared| declared.iter());
                // these are tests: nothing of theirs is shipped
                let for_tests = for_tests || ["fuzz", "testkit"].contains(&name.as_str());
                dependencies.extend(declared.map(|(name, value)| Dependency::new(name, value, for_tests)));
            }
        }
        Self { path: path.to_owned(), name, dependencies, has_features: table.contains_key("features") }
    }
}

impl Dependency {
    fn new(key: &str, value: &Value, for_tests: bool) -> Self {
        let name = value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned();
        let inside = value.get("path").is_some() || ARROWS.iter().any(|(ours, _, _)| *ours == name);
        Self { name, inside, for_tests }
    }
}

pub(super) fn arrows(manifest: &Manifest) -> Vec<String> {
    let Manifest { path, name, dependencies, .. } = manifest;
    let Some((_, may, tests_may)) = ARROWS.iter().find(|(ours, _, _)| ours == name) else {
        return vec![format!(
            "{path}: `{name}` is no crate we know; draw its arrows in tidy/crates.rs, and on the map"
        )];
    };
    let mut problems = Vec::new();
    for Dependency { name: other, for_tests, .. } in dependencies.iter().filter(|dependency| dependency.inside) {
        if may.contains(&other.as_str()) || (*for_tests && tests_may.contains(&other.as_str())) {
            continue;
        }
        let allowed = if may.is_empty() { "none of our crates".to_owned() } else { may.join(", ") };
        problems.push(format!("{path}: `{name}` must not depend on `{other}`; it may depend on: {allowed}"));
    }
    problems
}

pub(super) fn features(manifest: &Manifest) -> Vec<String> {
    let Manifest { path, has_features, .. } = manifest;
    let problem = format!("{path}: has [features]; what is optional is a crate, a feature doubles what must be tested");
    if *has_features { vec![problem] } else { Vec::new() }
}

pub(super) fn one_integration_binary(paths: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    for path in paths {
        let Some((name, rest)) = path.strip_prefix("crates/").and_then(|rest| rest.split_once('/')) else { continue };
        let Some(inside) = rest.strip_prefix("tests/") else { continue };
        let is_binary = inside.ends_with(".rs") && (!inside.contains('/') || inside.ends_with("/main.rs"));
        if is_binary && inside != "it/main.rs" {
            problems.push(format!("{path}: a second test binary; make it a module of crates/{name}/tests/it/main.rs"));
        }
    }
    problems
}

/// Every dependency from outside stands on the page, with its one owner and a reason, and nothing else does.
pub(super) fn owners(manifests: &[Manifest], page: &str) -> Vec<String> {
    let rows = pages::table_rows(page);
    let mut problems = Vec::new();
    for manifest in manifests {
        for dependency in manifest.dependencies.iter().filter(|dependency| !dependency.inside) {
            problems.extend(undeclared(manifest, dependency, &rows));
        }
    }
    for (index, row) in rows.iter().enumerate() {
        let [name, owner, why] = row.as_slice() else {
            problems.push(format!("{DEPENDENCIES_PAGE}: `{}` needs three columns: name, owner, why", row.join(" | ")));
            continue;
        };
        if why.is_empty() {
            problems.push(format!("{DEPENDENCIES_PAGE}: say why `{name}` is there"));
        }
        if rows[..index].iter().any(|earlier| earlier.first() == Some(name)) {
            problems.push(format!("{DEPENDENCIES_PAGE}: `{name}` stands there twice"));
        }
        problems.extend(stale(manifests, name, owner));
    }
    problems
}

/// What is wrong with a declaration, given the page.
fn undeclared(manifest: &Manifest, dependency: &Dependency, rows: &[Vec<String>]) -> Option<String> {
    let Manifest { path, name: by, .. } = manifest;
    let Dependency { name, for_tests, .. } = dependency;
    let Some(row) = rows.iter().find(|row| row.first() == Some(name)) else {
        let owner = if *for_tests { "tests" } else { by };
        return Some(format!("{path}: `{name}` is not in {DEPENDENCIES_PAGE}; add `| `{name}` | {owner} | why |`"));
    };
    let owner = row.get(1).map_or("", String::as_str);
    if *for_tests || owner == by || owner == "shared" {
        return None;
    }
    if owner == "tests" {
        return Some(format!("{path}: `{name}` is there for tests only; make `{by}` its owner in {DEPENDENCIES_PAGE}"));
    }
    Some(format!("{path}: `{name}` belongs to `{owner}` ({DEPENDENCIES_PAGE}); reach it through `{owner}`'s functions"))
}

/// What is wrong with a line of the page, given the declarations.
fn stale(manifests: &[Manifest], name: &str, owner: &str) -> Option<String> {
    let declares = |manifest: &Manifest, for_tests: bool| {
        manifest.dependencies.iter().any(|other| other.name == name && other.for_tests == for_tests)
    };
    let is_so = match owner {
        "shared" if !SHARED.contains(&name) => {
            return Some(format!("{DEPENDENCIES_PAGE}: `{name}` must have one owner; shared are only {SHARED:?}"));
        }
        "shared" => manifests.iter().any(|manifest| declares(manifest, false)),
        "tests" => manifests.iter().any(|manifest| declares(manifest, true)),
        _ => manifests.iter().any(|manifest| manifest.name == owner && declares(manifest, false)),
    };
    (!is_so).then(|| format!("{DEPENDENCIES_PAGE}: `{owner}` does not depend on `{name}` any more; remove the line"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(path: &str, text: &str) -> Manifest {
        Manifest::parse(path, text)
    }

    #[test]
    fn a_manifest_is_read_whole() {
        let read = manifest(
            "crates/app/Cargo.toml",
            "[dependencies]\nrows = { path = \"../rows\" }\nother = { package = \"real\", version = \"1\" }\n\
             [target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n[dev-dependencies]\ntoml.workspace = true\n",
        );
        let mut found: Vec<_> = read.dependencies.iter().map(|d| (d.name.as_str(), d.inside, d.for_tests)).collect();
        // in which order the TOML reader gives them is not ours to say
        found.sort_unstable();
        assert_eq!(read.name, "app");
        assert_eq!(
            found,
            [("libc", false, false), ("real", false, false), ("rows", true, false), ("toml", false, true)]
        );
    }

    #[test]
    fn arrows_point_left() {
        let check = |path: &str, text: &str| arrows(&manifest(path, text));
        assert!(check("crates/engine/Cargo.toml", "[dependencies]\npipeline = { path = \"../pipeline\" }").is_empty());
        assert!(check("crates/engine/Cargo.toml", "[dev-dependencies]\ntestkit.path = \"../testkit\"").is_empty());
        assert_eq!(
            check("crates/engine/Cargo.toml", "[dependencies]\ntestkit.path = \"../testkit\"\nfjall = \"3\""),
            ["crates/engine/Cargo.toml: `engine` must not depend on `testkit`; it may depend on: pipeline"]
        );
        assert_eq!(
            check("crates/rows/Cargo.toml", "[dev-dependencies]\nhelper = { path = \"../helper\" }"),
            ["crates/rows/Cargo.toml: `rows` must not depend on `helper`; it may depend on: none of our crates"]
        );
        assert_eq!(check("crates/app/Cargo.toml", "[build-dependencies]\nlambda.workspace = true").len(), 1);
        assert_eq!(check("crates/common/Cargo.toml", "").len(), 1, "a crate nobody knows");
    }

    #[test]
    fn features_are_refused() {
        assert!(features(&manifest("crates/rows/Cargo.toml", "[dependencies]\nserde = { features = [] }")).is_empty());
        assert_eq!(features(&manifest("crates/rows/Cargo.toml", "[features]\nfast = []")).len(), 1);
    }

    #[test]
    fn a_second_test_binary_is_refused() {
        let good = ["crates/app/tests/it/main.rs", "crates/app/tests/it/tidy.rs", "crates/app/src/a/tests/b.rs"];
        assert!(one_integration_binary(&good).is_empty());
        assert_eq!(one_integration_binary(&["crates/rows/tests/corpus.rs", "crates/rows/tests/more/main.rs"]).len(), 2);
    }

    #[test]
    fn owners_and_reasons() {
        let manifests = [
            manifest("crates/rows/Cargo.toml", "[dependencies]\nmemchr = \"2\"\nserde = \"1\"\n"),
            manifest(
                "crates/app/Cargo.toml",
                "[dependencies]\nserde = \"1\"\n[dev-dependencies]\nmemchr = \"2\"\ntoml = \"1\"\n",
            ),
        ];
        let check = |lines: &str| owners(&manifests, &format!("# D\n\n| name | owner | why |\n|---|---|---|\n{lines}"));
        let good = "| `memchr` | rows | finds |\n| serde | shared | types |\n| toml | tests | reads |\n";
        assert_eq!(check(good), Vec::<String>::new());

        let complains = |lines: &str, of: &str| {
            let problems = check(lines);
            assert!(problems.iter().any(|problem| problem.contains(of)), "{of:?} is not in {problems:?}");
        };
        complains(&good.replace("| `memchr` | rows | finds |\n", ""), "`memchr` is not in docs/dependencies.md");
        complains(&good.replace("| finds |", "| |"), "say why `memchr`");
        complains(&good.replace("| rows |", "| app |"), "`memchr` belongs to `app`");
        complains(&good.replace("| rows |", "| app |"), "`app` does not depend on `memchr` any more");
        complains(&good.replace("| rows |", "| shared |"), "`memchr` must have one owner");
        complains(&good.replace("| rows |", "| tests |"), "`memchr` is there for tests only");
        complains(&format!("{good}| toml | tests | again |\n"), "`toml` stands there twice");
        complains(&format!("{good}| tokio | rows | runs |\n"), "does not depend on `tokio`");
        complains(&format!("{good}| tokio | tests | runs |\n"), "does not depend on `tokio`");
        complains(&format!("{good}| tokio | rows |\n"), "needs three columns");
        complains(
            &good.replace("| serde | shared |", "| serde | rows |"),
            "crates/app/Cargo.toml: `serde` belongs to `rows`",
        );
    }
}
