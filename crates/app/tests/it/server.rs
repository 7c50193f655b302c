//! The program as a service, for tests: started on free ports, told to end, killed, started again.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::client::{Answer, Request, eventually, send};
use super::{millrace, run, stderr, stdout};

/// A service and its data folder. It is killed when it is dropped.
pub(crate) struct Server {
    folder: PathBuf,
    /// The folder, if it goes with the service.
    _own: Option<TempDir>,
    words: Vec<String>,
    child: Option<Child>,
    told: Arc<Mutex<String>>,
    /// Where the HTTP API is: `127.0.0.1:PORT`.
    pub http: String,
    /// Where the S3 door is.
    pub s3: String,
}

impl Server {
    /// Starts it in a folder, where settings and certificates may lie already; its data is in `data`.
    pub fn start(folder: &Path, words: &[&str]) -> Self {
        Self::with(folder.to_path_buf(), None, words)
    }

    /// Starts it in a folder of its own.
    pub fn fresh(words: &[&str]) -> Self {
        Self::keeping(tempdir().unwrap(), words)
    }

    /// Starts it in a folder that goes with it.
    pub fn keeping(folder: TempDir, words: &[&str]) -> Self {
        Self::with(folder.path().to_path_buf(), Some(folder), words)
    }

    fn with(folder: PathBuf, own: Option<TempDir>, words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let (http, s3) = Default::default();
        let mut server = Self { folder, _own: own, words, child: None, told: Arc::default(), http, s3 };
        server.begin();
        server
    }

    /// The folder that it was started in.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    fn begin(&mut self) {
        let mut words = vec!["serve", "--http", "127.0.0.1:0", "--s3", "127.0.0.1:0"];
        words.extend(self.words.iter().map(String::as_str));
        let mut command = millrace(&self.folder, &words);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut heard = Vec::new();
        while heard.iter().all(|line: &String| !line.starts_with("access")) {
            let Some(line) = lines.next() else { panic!("it ended: {}", heard.join("\n")) };
            heard.push(line.unwrap());
        }
        let address = |name: &str| {
            let line = heard.iter().find(|line| line.starts_with(name)).unwrap();
            line.rsplit("//").next().unwrap().to_owned()
        };
        (self.http, self.s3) = (address("HTTP API"), address("S3"));
        // what it says later must have somewhere to go
        let told = self.told.clone();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| told.lock().unwrap().push_str(&format!("{line}\n")));
        });
        self.child = Some(child);
    }

    /// What it said on standard error after it listened.
    pub fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Tells it to end, and goes on.
    pub fn tell_to_end(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap().success());
    }

    /// Tells it to end, and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.tell_to_end();
        self.ended()
    }

    /// Waits until it has ended.
    pub fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        eventually("the end of the service", || child.try_wait().unwrap())
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

    /// What another command on its folder prints, while it serves.
    pub fn command(&self, words: &[&str]) -> Value {
        let output = run(&self.folder, words);
        serde_json::from_str(&stdout(&output)).unwrap_or_else(|error| panic!("{words:?}: {error}: {}", stderr(&output)))
    }

    /// Sends a request to the HTTP API.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(&self.http, &Request { method, path, headers, body })
    }

    /// The same that only asks.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers, b"")
    }

    /// What it answers, as JSON.
    pub fn json(&self, path: &str) -> Value {
        self.get(path, &[]).json()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Python with the AWS CLI and boto3: made once under `target`, as `tests/aws/requirements.txt` names them.
pub(crate) fn python() -> PathBuf {
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
