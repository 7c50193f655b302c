//! The files of the project as they lie in the work tree, without what `.gitignore` names.
//!
//! Read from the disk and not from git, so that the rules hold in an unpacked archive too, and before a commit.

use std::fs;
use std::path::{Path, PathBuf};

/// One file.
pub(super) struct File {
    /// From the root, with `/`.
    pub(super) path: String,
    pub(super) bytes: u64,
    text: String,
}

impl File {
    /// What is in it; empty when that is no UTF-8 text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// All files, by path.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
}

impl Tree {
    pub(super) fn load() -> Self {
        let root = root();
        let ignore = fs::read_to_string(root.join(".gitignore")).expect("the project has a .gitignore");
        let ignored = Ignored::parse(&ignore);
        let mut files = Vec::new();
        collect(&root, "", &ignored, &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    /// The files whose path ends in `suffix`.
    pub(super) fn ending(&self, suffix: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.path.ends_with(suffix))
    }

    /// What is in the file at `path`, which must be there.
    pub(super) fn text(&self, path: &str) -> &str {
        let file = self.files.iter().find(|file| file.path == path);
        file.map(File::text).unwrap_or_else(|| panic!("{path} is missing"))
    }

    /// Nothing if `path` is there, else a problem with `list`, which names it.
    pub(super) fn must_have(&self, path: &str, list: &str) -> Option<String> {
        let there = self.files.iter().any(|file| file.path == path);
        (!there).then(|| format!("{list} names {path}, which is not there: remove it from the list"))
    }
}

/// The root of the workspace.
pub(super) fn root() -> PathBuf {
    let app = Path::new(env!("CARGO_MANIFEST_DIR"));
    app.ancestors().nth(2).expect("app lies in crates/ of the workspace").to_path_buf()
}

fn collect(directory: &Path, prefix: &str, ignored: &Ignored, files: &mut Vec<File>) {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("cannot list {}: {error}", directory.display()));
    for entry in entries {
        let entry = entry.expect("a listed entry can be read");
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if path == ".git" || ignored.holds(&path) {
            continue;
        }
        let kind = entry.file_type().expect("a listed entry has a type");
        if kind.is_dir() {
            collect(&entry.path(), &format!("{path}/"), ignored, files);
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
            let size = bytes.len() as u64;
            files.push(File { path, bytes: size, text: String::from_utf8(bytes).unwrap_or_default() });
        }
    }
}

/// The two forms of pattern that our `.gitignore` uses: `/path/from/root` and `*.ending`.
struct Ignored {
    paths: Vec<String>,
    endings: Vec<String>,
}

impl Ignored {
    fn parse(text: &str) -> Self {
        let mut ignored = Self { paths: Vec::new(), endings: Vec::new() };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(path) = line.strip_prefix('/') {
                ignored.paths.push(path.trim_end_matches('/').to_owned());
            } else if let Some(ending) = line.strip_prefix('*') {
                ignored.endings.push(ending.to_owned());
            } else {
                panic!(".gitignore: `{line}` is neither `/path` nor `*.ending`; teach tidy/tree.rs to read it");
            }
        }
        ignored
    }

    fn holds(&self, path: &str) -> bool {
        self.paths.iter().any(|ignored| ignored == path) || self.endings.iter().any(|ending| path.ends_with(ending))
    }
}

#[test]
fn ignored_files_are_left_out_and_no_others() {
    let ignored = Ignored::parse("# built\n/target\n/fuzz/corpus/\n\n*.pyc\n");
    for path in ["target", "fuzz/corpus", "bench/rows.pyc"] {
        assert!(ignored.holds(path), "{path}");
    }
    for path in ["crates/target", "fuzz", "fuzz/corpus_of_old", "bench/rows.py"] {
        assert!(!ignored.holds(path), "{path}");
    }
}

#[test]
#[should_panic(expected = "teach tidy/tree.rs")]
fn an_ignore_pattern_that_is_not_understood_is_not_skipped() {
    Ignored::parse("build?\n");
}

#[test]
fn the_tree_holds_this_file() {
    let tree = Tree::load();
    assert!(tree.text("crates/app/tests/it/tidy/tree.rs").contains("fn the_tree_holds_this_file"));
    assert_eq!(tree.must_have("crates/app/Cargo.toml", "a list"), None);
    assert!(tree.must_have("crates/app/Cargo.lock", "a list").is_some());
}
