//! The program itself, called as the cloud calls it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A request to the host of a function.
struct Asked {
    line: String,
    body: Vec<u8>,
    stream: TcpStream,
}

fn asked(listener: &TcpListener) -> Asked {
    let (stream, _) = listener.accept().expect("the function asks");
    read(stream)
}

fn read(stream: TcpStream) -> Asked {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line).expect("a request");
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).expect("a header");
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        length = header.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().expect("a length"));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    Asked { line, body, stream: reader.into_inner() }
}

impl Asked {
    fn answer(mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
        self.stream.write_all(text.as_bytes()).expect("it is heard");
    }
}

/// Gives the function an event; what it answers, and whether that is an error.
fn call(listener: &TcpListener, event: &Value) -> (bool, Value) {
    let next = asked(listener);
    assert!(next.line.contains("/runtime/invocation/next"), "{}", next.line);
    let headers = "Content-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: call-1\r\n\
                   Lambda-Runtime-Deadline-Ms: 99999999999999\r\n\
                   Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700\r\n\
                   Lambda-Runtime-Invoked-Function-Arn: arn\r\n";
    next.answer("200 OK", headers, &event.to_string());
    let answer = asked(listener);
    let (is_error, body) = (answer.line.contains("/call-1/error"), serde_json::from_slice(&answer.body));
    answer.answer("202 Accepted", "", "");
    (is_error, body.unwrap_or_default())
}

fn start(listener: &TcpListener, variables: &[(&str, &str)]) -> Child {
    let address = listener.local_addr().expect("an address").to_string();
    // `aws/build-bootstrap` has one for another processor, and perhaps what runs it
    let named = std::env::var("MILLRACE_BOOTSTRAP").unwrap_or_else(|_| env!("CARGO_BIN_EXE_bootstrap").to_owned());
    let words: Vec<&str> = named.split(' ').collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command.env_clear().env("AWS_LAMBDA_RUNTIME_API", address).env("AWS_LAMBDA_FUNCTION_NAME", "f");
    command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512").env("AWS_LAMBDA_FUNCTION_VERSION", "1");
    command.env("AWS_REGION", "us-east-1").env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "s");
    command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

fn lines(mut child: Child) -> Vec<Value> {
    drop(child.kill());
    let mut text = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut text).expect("it writes text");
    drop(child.wait());
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

#[test]
fn it_answers_and_tells_what_it_did() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let child = start(
        &listener,
        &[
            ("MILLRACE_FUNCTION", "file-validator"),
            ("MILLRACE_FILES_BUCKET", "files"),
            ("MILLRACE_RESULTS_BUCKET", "results"),
            ("MILLRACE_LEDGER_TABLE", "ledger"),
            ("MILLRACE_STATUS_TABLE", "status"),
            ("MILLRACE_QUEUE_URL", "http://127.0.0.1:1/q.fifo"),
            ("MILLRACE_ANEW_BUS", "files-anew"),
        ],
    );
    assert_eq!(call(&listener, &json!({ "Event": "s3:TestEvent" })), (false, Value::Null));
    let (is_error, answer) = call(&listener, &json!({ "what": "else" }));
    assert!(is_error && answer["errorMessage"].as_str().unwrap().contains("unknown_event"), "{answer}");
    // when it asks for more, it has told
    drop(asked(&listener));
    let lines = lines(child);
    let failure = lines.iter().find(|line| line["level"] == "ERROR").expect("the failure is told");
    assert_eq!((&failure["code"], &failure["requestId"]), (&json!("unknown_event"), &json!("call-1")));
    assert!(failure["traceId"].as_str().unwrap().contains("1-5bef4de7"), "{failure}");
    let metrics: Vec<&Value> = lines.iter().filter(|line| line["_aws"].is_object()).collect();
    let told: Vec<_> = metrics.iter().map(|line| (&line["ColdStarts"], &line["FailedCalls"])).collect();
    assert_eq!(told, [(&json!(1), &json!(0)), (&json!(0), &json!(1))]);
    assert_eq!(metrics[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Millrace");
}

#[test]
fn it_says_what_it_was_not_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut child = start(&listener, &[("MILLRACE_FUNCTION", "status-query")]);
    assert!(!child.wait().unwrap().success());
    let lines = lines(child);
    assert!(lines[0]["message"].as_str().unwrap().contains("is not set"), "{lines:?}");
}
