//! Settings: what overrides what, and how a mistake is told; https with a certificate that is given.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::tempdir;

use super::get;
use crate::client::exchange;
use crate::server::Server;
use crate::{millrace, run, stderr, stdout};

#[test]
fn the_command_line_is_above_the_environment_and_that_above_the_file() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let settings = "environment = \"qa\"\n[serve]\nlog = \"json\"\nlog_days = 3\n[serve.limits]\nkey_per_second = 7\n\
                    status_per_second = 8\n[[feed]]\nname = \"a\"\npreset = \"market\"\nkeys = \"a/*\"\n";
    fs::write(path.join("millrace.toml"), settings).unwrap();
    let print = |flags: &[&str]| {
        let mut command = millrace(path, &[&["serve", "--print-config"], flags].concat());
        let command = command.env("MILLRACE_LOG_DAYS", "4").env("MILLRACE_LIMITS_KEY_PER_SECOND", "9");
        stdout(&command.output().unwrap())
    };
    let printed = print(&["--key-per-second", "11"]);
    for line in [
        "environment = \"qa\"",
        "log = \"json\"",
        "log_days = 4",
        "key_per_second = 11",
        "status_per_second = 8",
        "keys = \"a/*\"",
    ] {
        assert!(printed.lines().any(|found| found == line), "{line} is not in\n{printed}");
    }
    // what is printed says the same when it is read
    fs::write(path.join("millrace.toml"), &printed).unwrap();
    assert_eq!(print(&["--key-per-second", "11"]), printed);
}

#[test]
fn a_mistake_is_told_with_its_line_and_what_to_do() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    for (settings, told) in [
        ("[serve]\nhttpp = \"127.0.0.1:1\"\n", "line 2, `httpp = \"127.0.0.1:1\"`: unknown field `httpp`"),
        ("[serve]\n\nhttp = \"8080\"\n", "line 3, `http = \"8080\"`"),
        ("[serve.limits]\nkey_per_second = -1\n", "line 2, `key_per_second = -1`"),
        ("[serve]\notlp = \"https://x/y\"\n", "line 2, `otlp = \"https://x/y\"`"),
        ("[serve]\naccess = \"some\"\n", "line 2, `access = \"some\"`"),
        ("[serve]\nhttp = \"0.0.0.0:1\"\n", "can be reached from outside, and access is `none`"),
        ("\n[[serve.webhook]]\nname = \"desk\"\nurl = \"https://x\"\n", "line 3, webhook `desk`: it has no secret"),
        (
            "[[serve.webhook]]\nname = \"desk\"\nurl = \"https://x\"\n[[serve.webhook]]\nname = 'desk'\nurl = \"https://y\"\n",
            "line 5, webhook `desk` is declared twice",
        ),
        (
            "[[feed]]\nname = \"a\"\npreset = \"files\"\nkeys = \"a\"\n[[feed]]\nname = \"a\"\npreset = \"files\"\nkeys = \"b\"\n",
            "millrace.toml, line 6: feed `a`: it is declared twice",
        ),
        ("[[feed]]\nname = \"a\"\npreset = \"files\"\nkeys = \"*\"\nsettle = \"1x\"\n", "millrace.toml, line 2"),
        (
            "[[feed]]\nname = \"a\"\npreset = \"files\"\nkeys = \"*\"\ncontract = \"none.toml\"\n",
            "millrace.toml, line 5",
        ),
    ] {
        fs::write(path.join("millrace.toml"), settings).unwrap();
        let output = run(path, &["serve"]);
        assert_eq!(output.status.code(), Some(1), "{settings}");
        assert!(!path.join("data").exists(), "{settings}: a data folder was made");
        assert!(stderr(&output).contains(told) && stderr(&output).contains("hint"), "{settings}: {}", stderr(&output));
    }
}

#[test]
fn a_mistake_in_a_variable_names_the_variable() {
    let folder = tempdir().unwrap();
    let told = |words: &[&str], set: &[(&str, &str)]| {
        let output = millrace(folder.path(), words).envs(set.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        stderr(&output)
    };
    for (variable, value) in
        [("MILLRACE_LOG_DAYS", "x"), ("MILLRACE_LIMITS_STATUS_PER_SECOND", "-1"), ("MILLRACE_HTTP", "8080")]
    {
        let told = told(&["serve"], &[(variable, value)]);
        assert!(told.contains(&format!("invalid value '{value}' for 'the variable {variable}'")), "{told}");
        assert!(!told.contains("for '--"), "{told}");
    }
    let told = told(&["serve", "--log-days", "x"], &[("MILLRACE_LOG_DAYS", "x")]);
    assert!(told.contains("for '--log-days <DAYS>'"), "{told}");

    // a word of the command line that is no text
    let mut command = millrace(folder.path(), &["serve", "--tls-key", "k.pem"]);
    command.arg("--tls-certificate").arg(OsStr::from_bytes(b"\xff.pem"));
    let output = command.env("MILLRACE_LOG_DAYS", "x").output().unwrap();
    let told = stderr(&output);
    assert!(output.status.code() == Some(2) && told.contains("for 'the variable MILLRACE_LOG_DAYS'"), "{told}");
}

#[test]
fn https_with_a_certificate_that_is_given() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(path.join("chain.pem"), made.cert.pem()).unwrap();
    fs::write(path.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mut server = Server::start(path, &["--tls-certificate", "chain.pem", "--tls-key", "key.pem"]);
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    for (address, path, status) in [(&server.http, "/healthz", 200), (&server.s3, "/", 200)] {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(config.clone(), name).unwrap();
        let stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
        assert_eq!(exchange(stream, address, &get(path)).unwrap().status, status, "{path}");
    }
    assert!(server.stop().success());
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(path.join("key.pem"), other.signing_key.serialize_pem()).unwrap();
    let output =
        run(path, &["serve", "--tls-certificate", "chain.pem", "--tls-key", "key.pem", "--http", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the key that belongs to it"), "{}", stderr(&output));
}

#[test]
fn what_is_packaged_sets_what_there_is() {
    let page = include_str!("../../../../../docs/settings.md");
    for (name, text) in [
        ("millrace.service", include_str!("../../../../../packaging/millrace.service")),
        ("Dockerfile", include_str!("../../../../../packaging/Dockerfile")),
    ] {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let variables: Vec<&str> = words.filter(|word| word.starts_with("MILLRACE_")).collect();
        assert!(variables.len() > 1, "{name}");
        let unknown: Vec<_> = variables.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
        assert!(unknown.is_empty(), "{name} sets {unknown:?}");
    }
}
