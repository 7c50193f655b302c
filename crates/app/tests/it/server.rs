//! The program as a service, for tests: started on free ports, told to end, killed, started again.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::{TempDir, tempdir};

use super::millrace;

/// How long it may take to come up or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service and its data folder.
pub(super) struct Server {
    folder: TempDir,
    words: Vec<String>,
    child: Option<Child>,
    /// `http://127.0.0.1:1234`
    pub http: String,
    /// The same for S3.
    pub s3: String,
}

impl Server {
    /// Starts one in a folder of its own.
    pub fn start(words: &[&str]) -> Self {
        Self::start_in(tempdir().unwrap(), words)
    }

    /// Starts one where settings and certificates lie already.
    pub fn start_in(folder: TempDir, words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let mut server = Self { folder, words, child: None, http: String::new(), s3: String::new() };
        server.begin();
        server
    }

    /// The folder that it was started in; its data is in `data`.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn begin(&mut self) {
        let mut words = vec!["serve", "--http", "127.0.0.1:0", "--s3", "127.0.0.1:0"];
        words.extend(self.words.iter().map(String::as_str));
        let mut child = millrace(self.folder.path(), &words).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut heard = Vec::new();
        while heard.iter().all(|line: &String| !line.starts_with("access")) {
            let Some(line) = told.next() else { panic!("it ended: {}", heard.join("\n")) };
            heard.push(line.unwrap());
        }
        let address = |name: &str| {
            let line = heard.iter().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().last().unwrap().to_owned()
        };
        (self.http, self.s3) = (address("HTTP API"), address("S3"));
        // what it says later must have somewhere to go
        std::thread::spawn(move || told.for_each(drop));
        self.child = Some(child);
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Tells it to end, and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let (mut child, end) = (self.child.take().unwrap(), Instant::now() + PATIENCE);
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again on the same data, on other ports.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "end it first");
        self.begin();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Python with the AWS CLI and boto3: made once under `target`, as `tests/aws/requirements.txt` names them.
pub(super) fn python() -> PathBuf {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).unwrap();
    let target = Path::new(env!("CARGO_BIN_EXE_millrace")).ancestors().nth(2).unwrap();
    let folder = target.join("tools/aws");
    let (python, done) = (folder.join("bin/python"), folder.join("requirements"));
    let lock = std::fs::File::create(target.join("tools.lock")).unwrap();
    lock.lock().unwrap();
    if std::fs::read_to_string(&done).ok().as_ref() != Some(&wanted) {
        let run = |command: &mut Command| assert!(command.status().expect("python3 runs").success(), "{command:?}");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"];
        run(Command::new(&python).args(words).arg(&requirements));
        std::fs::write(&done, wanted).unwrap();
    }
    python
}
