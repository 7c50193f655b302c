//! The real clients against a server that speaks as AWS does: MiniStack, on the loopback. `./just test-cloud`
//! brings it; without it these tests say that they were left out.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_sqs::types::QueueAttributeName;
use lambda::bucket::s3::S3;
use lambda::clients;
use lambda::doors::Call;
use lambda::ledger::{Ledger, Parts};
use lambda::network::Network;
use lambda::objects::Objects;
use lambda::queue::Sqs;
use lambda::table::dynamo::{Dynamo, Names};
use lambda::tell::Told;
use pipeline::message::Message;
use pipeline::ports;
use pipeline::preset::Stage;
use serde_json::{Value, json};
use testkit::contract::{self, LedgerHome, ObjectsHome};

/// The server, with clients of its own that make what a template makes.
struct Server {
    process: Child,
    endpoint: String,
    network: Network,
    dynamo: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    made: AtomicUsize,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Starts the server; none if nobody says where it is.
fn server() -> Option<Server> {
    let Ok(program) = std::env::var("MILLRACE_MINISTACK") else {
        drop(writeln!(std::io::stderr(), "left out: it needs MiniStack, which ./just test-cloud brings"));
        return None;
    };
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let mut command = Command::new(program);
    command.env("AUTH", "true").env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    let process = command.spawn().expect("MiniStack starts");
    for _ in 0..300 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let network = Network::new().expect("a runtime");
    let http = aws_smithy_http_client::Builder::new().build_http();
    let (credentials, region) = (Credentials::new("test", "test", None, None, "test"), Region::new("us-east-1"));
    macro_rules! client {
        ($sdk:ident) => {{
            let config = $sdk::Config::builder().behavior_version(BehaviorVersion::v2026_01_12());
            let config = config.region(region.clone()).credentials_provider(credentials.clone());
            config.http_client(http.clone()).endpoint_url(&endpoint)
        }};
    }
    let dynamo = aws_sdk_dynamodb::Client::from_conf(client!(aws_sdk_dynamodb).build());
    let s3 = aws_sdk_s3::Client::from_conf(client!(aws_sdk_s3).force_path_style(true).build());
    let sqs = aws_sdk_sqs::Client::from_conf(client!(aws_sdk_sqs).build());
    Some(Server { process, endpoint, network, dynamo, s3, sqs, made: AtomicUsize::new(0) })
}

impl Server {
    fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    fn make_table(&self, name: &str, keys: &[(&str, KeyType)]) {
        self.make_typed(
            name,
            &keys.iter().map(|(key, of)| (*key, of.clone(), ScalarAttributeType::S)).collect::<Vec<_>>(),
        );
    }

    fn make_typed(&self, name: &str, keys: &[(&str, KeyType, ScalarAttributeType)]) {
        let mut asked = self.dynamo.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        for (key, kind, of) in keys {
            let definition = AttributeDefinition::builder().attribute_name(*key).attribute_type(of.clone());
            asked = asked.attribute_definitions(definition.build().expect("whole"));
            let element = KeySchemaElement::builder().attribute_name(*key).key_type(kind.clone());
            asked = asked.key_schema(element.build().expect("whole"));
        }
        self.network.wait(asked.send()).expect("a table");
    }

    fn make_ledger(&self) -> String {
        let name = self.name("ledger");
        self.make_table(&name, &[("recordGroup", KeyType::Hash), ("recordId", KeyType::Range)]);
        name
    }

    fn make_rows(&self) -> String {
        let name = self.name("rows");
        let timestamp = ("timestamp", KeyType::Range, ScalarAttributeType::N);
        self.make_typed(&name, &[("symbol", KeyType::Hash, ScalarAttributeType::S), timestamp]);
        name
    }

    fn make_bucket(&self, name: &str) {
        self.network.wait(self.s3.create_bucket().bucket(name).send()).expect("a bucket");
        let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let asked = self.s3.put_bucket_versioning().bucket(name).versioning_configuration(versions);
        self.network.wait(asked.send()).expect("versions");
    }

    fn make_queue(&self) -> String {
        let asked = self.sqs.create_queue().queue_name(format!("{}.fifo", self.name("queue")));
        let asked = asked.attributes(QueueAttributeName::FifoQueue, "true");
        let answer = self.network.wait(asked.send()).expect("a queue");
        answer.queue_url.expect("it has a URL")
    }

    fn receive(&self, url: &str) -> Vec<Message> {
        let mut received = Vec::new();
        loop {
            let asked = self.sqs.receive_message().queue_url(url).max_number_of_messages(10);
            let answer = self.network.wait(asked.send()).expect("it answers");
            let messages = answer.messages.unwrap_or_default();
            if messages.is_empty() {
                return received;
            }
            for message in messages {
                received.push(Message::from_json(message.body().unwrap_or_default()).expect("a message"));
                let handle = message.receipt_handle.unwrap_or_default();
                let asked = self.sqs.delete_message().queue_url(url).receipt_handle(handle);
                self.network.wait(asked.send()).expect("it answers");
            }
        }
    }

    fn ledger(&self, names: &Names, queue: &str, process: u64) -> Ledger {
        let network = self.network.clone();
        Ledger::new(Parts {
            table: Box::new(Dynamo::new(self.dynamo.clone(), network.clone(), names.clone())),
            queue: Some(Arc::new(Sqs::new(self.sqs.clone(), network, queue.to_owned()))),
            sends: vec![Stage::Process],
            anew: None,
            status: None,
            keeps_rows: true,
            keeps_standings: false,
            now: clients::now,
            process,
            tells: true,
        })
    }

    fn objects(&self) -> Objects {
        Objects::new(Arc::new(S3::new(self.s3.clone(), self.network.clone())), Some(String::new()), String::new())
    }
}

struct Records {
    server: Arc<Server>,
    names: Names,
    queue: String,
    process: u64,
    ledger: Ledger,
}

impl LedgerHome for Records {
    fn ledger(&self) -> &dyn ports::Ledger {
        &self.ledger
    }

    fn receive(&mut self) -> Vec<Message> {
        self.server.receive(&self.queue)
    }

    fn restart(&mut self) {
        self.process += 1;
        self.ledger = self.server.ledger(&self.names, &self.queue, self.process);
    }
}

#[test]
fn the_ledger_keeps_its_promises() {
    let Some(server) = server().map(Arc::new) else { return };
    contract::ledger(&|| {
        let names = Names { ledger: server.make_ledger(), rows: server.make_rows(), status: String::new() };
        let queue = server.make_queue();
        let ledger = server.ledger(&names, &queue, 1);
        Box::new(Records { server: server.clone(), names, queue, process: 1, ledger })
    });
}

/// Buckets of a home: the suite names them, and each home has its own.
#[derive(Debug)]
struct Own(S3, usize);

impl Own {
    fn named(&self, bucket: &str) -> String {
        format!("{bucket}-{}", self.1)
    }
}

impl lambda::bucket::Buckets for Own {
    fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        range: std::ops::Range<u64>,
    ) -> Result<Option<lambda::bucket::Piece>, ports::Cause> {
        self.0.get(&self.named(bucket), key, version, range)
    }

    fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>, note: Option<&str>) -> Result<String, ports::Cause> {
        self.0.put(&self.named(bucket), key, bytes, note)
    }

    fn begin(&self, bucket: &str, key: &str) -> Result<String, ports::Cause> {
        self.0.begin(&self.named(bucket), key)
    }

    fn part(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        number: usize,
        bytes: Vec<u8>,
    ) -> Result<String, ports::Cause> {
        self.0.part(&self.named(bucket), key, upload, number, bytes)
    }

    fn complete(&self, bucket: &str, key: &str, upload: &str, parts: &[String]) -> Result<String, ports::Cause> {
        self.0.complete(&self.named(bucket), key, upload, parts)
    }

    fn abort(&self, bucket: &str, key: &str, upload: &str) -> Result<(), ports::Cause> {
        self.0.abort(&self.named(bucket), key, upload)
    }

    fn place(&self, bucket: &str, key: &str, seconds: u64) -> Result<String, ports::Cause> {
        self.0.place(&self.named(bucket), key, seconds)
    }
}

struct Bytes(Arc<Server>, usize, Objects);

impl Bytes {
    fn new(server: Arc<Server>, number: usize) -> Self {
        let s3 = S3::new(server.s3.clone(), server.network.clone());
        let objects = Objects::new(Arc::new(Own(s3, number)), Some(String::new()), String::new());
        Self(server, number, objects)
    }
}

impl ObjectsHome for Bytes {
    fn objects(&self) -> &dyn ports::Objects {
        &self.2
    }

    fn restart(&mut self) {
        *self = Self::new(self.0.clone(), self.1);
    }
}

#[test]
fn objects_keep_their_promises() {
    let Some(server) = server().map(Arc::new) else { return };
    contract::objects(&|| {
        let number = server.made.fetch_add(1, Ordering::Relaxed);
        for bucket in ["contract", "contract-other"] {
            server.make_bucket(&format!("{bucket}-{number}"));
        }
        Box::new(Bytes::new(server.clone(), number))
    });
}

#[test]
fn a_large_object_goes_in_parts_and_comes_back() {
    use std::io::Read;
    let Some(server) = server() else { return };
    server.make_bucket("large");
    let objects = server.objects();
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|index| (index.wrapping_mul(index) >> 7) as u8).collect();
    let mut writing = ports::Objects::create(&objects, "large", "validated/r/rows").unwrap();
    writing.write_all(&bytes).unwrap();
    let version = writing.finish().unwrap();
    let mut found = Vec::new();
    ports::Objects::open(&objects, &version).unwrap().input.read_to_end(&mut found).unwrap();
    assert!(found == bytes, "{} bytes came back", found.len());
}

#[test]
fn a_file_goes_all_its_way() {
    let Some(server) = server() else { return };
    let (files, results) = ("file-processing-bucket-dev", "file-processing-results-dev");
    [files, results].into_iter().for_each(|name| server.make_bucket(name));
    let ledger = server.make_ledger();
    server.make_table("processing-status-dev", &[("fileId", KeyType::Hash)]);
    let queues = [server.make_queue(), server.make_queue()];
    let call = |name: &str, queue: Option<&String>, event: Value| {
        let mut variables = BTreeMap::from([
            ("MILLRACE_FUNCTION", name),
            ("MILLRACE_FILES_BUCKET", files),
            ("MILLRACE_RESULTS_BUCKET", results),
            ("MILLRACE_LEDGER_TABLE", &ledger),
            ("MILLRACE_STATUS_TABLE", "processing-status-dev"),
            ("MILLRACE_ALLOWED_ORIGIN", "*"),
            ("MILLRACE_ANEW_BUS", "files-anew"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", &server.endpoint),
        ]);
        variables.extend(queue.map(|queue| ("MILLRACE_QUEUE_URL", queue.as_str())));
        let variables = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        let function = clients::function(&variables, &server.network).unwrap();
        function.call(event, &Call::within(Duration::from_secs(300)), &mut Told::default()).unwrap()
    };
    let text = "timestamp,symbol,price,volume\n2024-01-02T10:00:00Z,ACME,10.5,100\n2024-01-02T10:01:00Z,ACME,-1,50\n";
    let asked = server.s3.put_object().bucket(files).key("in/ä b.csv").body(text.as_bytes().to_vec().into());
    let version = server.network.wait(asked.send()).unwrap().version_id.unwrap();
    let event = json!({ "Records": [{ "eventSource": "aws:s3", "eventTime": "2024-01-02T12:00:00.000Z", "s3": {
        "bucket": { "name": files }, "object": { "key": "in/%C3%A4+b.csv", "versionId": version } } }] });
    for _ in 0..2 {
        call("file-validator", Some(&queues[0]), event.clone());
    }
    for (index, name) in ["data-processor", "result-aggregator"].into_iter().enumerate() {
        let messages = server.receive(&queues[index]);
        assert_eq!(messages.len(), 1, "{name}: the queue knows what is sent again");
        let batch = json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "1",
            "body": messages[0].to_json().unwrap(), "attributes": { "MessageGroupId": "files" } }] });
        let answer = call(name, queues.get(index + 1), batch);
        assert_eq!(answer, json!({ "batchItemFailures": [] }), "{name}");
    }
    let request = json!({ "httpMethod": "GET", "resource": "/status/{proxy+}", "path": "/status/x",
        "pathParameters": { "proxy": "in%2F%C3%A4%20b.csv" } });
    let answer = call("status-query", None, request);
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["outcome"], "completed_with_rejects", "{body}");
    let key = aws_sdk_dynamodb::types::AttributeValue::S("in/ä b.csv".into());
    let asked = server.dynamo.get_item().table_name("processing-status-dev").key("fileId", key);
    let item = server.network.wait(asked.send()).unwrap().item.expect("its state is there");
    assert_eq!(item["status"].as_s().unwrap(), "aggregated");
}
