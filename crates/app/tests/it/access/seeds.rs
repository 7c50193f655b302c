//! The lines that the documents of the four systems tell people to type, typed against this service, which asks for keys.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::tempdir;

use super::{key, text};
use crate::client::eventually;
use crate::server::{Server, python};
use crate::{stderr, stdout};

/// What stands between the documents and this machine: what their tools print of what was deployed is where the service is.
const PRELUDE: &str = r#"
set -euo pipefail
export ENVIRONMENT_SUFFIX=dev
pulumi() { case "$3" in
    apiEndpoint) echo "$ENDPOINT" ;;
    bucketName) echo file-processing-bucket-dev ;;
    s3BucketName) echo market-data-dev ;;
esac; }
cdktf() { echo "https://$HTTP/upload"; }
"#;

/// A shell that has what it takes to talk to the service.
struct Shell<'s> {
    server: &'s Server,
    key: Value,
}

impl Shell<'_> {
    /// Types lines as they stand in a document. `endpoint` is what it calls `apiEndpoint`.
    fn types(&self, endpoint: &str, lines: &str) -> String {
        let aws = python().parent().unwrap().to_path_buf();
        let path =
            std::env::join_paths(std::iter::once(aws).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
        let output = Command::new("bash")
            .args(["-c", &format!("{PRELUDE}{lines}")])
            .current_dir(self.server.path())
            .env_clear()
            .env("PATH", path.unwrap())
            .env("LC_ALL", "C.UTF-8")
            .env("HTTP", &self.server.http)
            .env("ENDPOINT", endpoint)
            .env("PAIR", format!("{}:{}", text(&self.key, "accessKeyId"), text(&self.key, "secretAccessKey")))
            .env("AWS_ACCESS_KEY_ID", text(&self.key, "accessKeyId"))
            .env("AWS_SECRET_ACCESS_KEY", text(&self.key, "secretAccessKey"))
            .env("AWS_ENDPOINT_URL_S3", format!("https://{}", self.server.s3))
            .env("AWS_CA_BUNDLE", "chain.pem")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_CONFIG_FILE", "none")
            // what curl says with every request is in a file of its own
            .env("CURL_HOME", self.server.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{lines}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    fn asks(&self, endpoint: &str, lines: &str) -> Value {
        let said = self.types(endpoint, lines);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{lines}: {error}: {said}"))
    }

    /// Types a question until the answer has this.
    fn polls(&self, endpoint: &str, lines: &str, field: &str, wanted: &str) -> Value {
        eventually(lines, || Some(self.asks(endpoint, lines)).filter(|said| said[field] == wanted))
    }
}

fn trades(folder: &Path, name: &str, price: u32) {
    let text = format!("symbol,price,volume,timestamp\nA,{price},2,2026-01-01T09:00:01Z\n");
    fs::write(folder.join(name), text).unwrap();
}

#[test]
fn what_the_documents_tell_people_to_type_works() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(path.join("chain.pem"), made.cert.pem()).unwrap();
    fs::write(path.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let key = key(path, &["--admin"]);
    let words = ["--access", "keys", "--tls-certificate", "chain.pem", "--tls-key", "key.pem"];
    let server = Server::start(path, &[&words[..], &["--aggregate-seconds", "1"]].concat());
    let curl = format!("silent\ncacert = \"chain.pem\"\nheader = \"X-Api-Key: {}\"\n", text(&key, "apiKey"));
    fs::write(path.join(".curlrc"), curl).unwrap();
    let status = format!("{}/status", server.http);
    let shell = Shell { server: &server, key };

    files(&shell, &status);
    market(&shell, &status);
    transactions(&shell);
}

fn files(shell: &Shell<'_>, status: &str) {
    let path = shell.server.path();
    let endpoint = format!("https://{status}");
    let upload = "aws s3 cp myfile.csv s3://file-processing-bucket-${ENVIRONMENT_SUFFIX}/\n";
    trades(path, "myfile.csv", 10);
    shell.types(&endpoint, upload);
    let ask = "API_ENDPOINT=$(pulumi stack output apiEndpoint)\ncurl \"${API_ENDPOINT}?fileId=myfile.csv\"\n";
    let told = shell.polls(&endpoint, ask, "status", "aggregated");
    assert_eq!((text(&told, "fileId"), text(&told, "outcome")), ("myfile.csv", "completed"));
    assert!(text(&told, "timestamp").parse::<u64>().unwrap() > 1_700_000_000_000, "{told}");
    // the same bytes again: how far it came says nothing about whether it is at its end
    shell.types(&endpoint, upload);
    let told = shell.polls(&endpoint, ask, "outcome", "duplicate");
    assert_ne!(told["status"], "aggregated", "{told}");

    trades(path, "test-file.csv", 11);
    shell.types(status, "aws s3 cp test-file.csv s3://$(pulumi stack output bucketName)/\n");
    let ask = "curl https://$(pulumi stack output apiEndpoint)/file-processing-bucket-dev/test-file.csv\n";
    let told = shell.polls(status, ask, "outcome", "completed");
    let bucket = "file-processing-bucket-dev";
    assert_eq!((text(&told, "bucketName"), text(&told, "objectKey")), (bucket, "test-file.csv"));
    assert!(told["lastUpdated"].as_u64().is_some_and(|at| (1_600_000_000..10_000_000_000).contains(&at)), "{told}");
    assert_eq!(text(&told, "stage"), "aggregator");
}

fn market(shell: &Shell<'_>, status: &str) {
    shell.types(
        "",
        r#"BUCKET_NAME=$(pulumi stack output s3BucketName)
echo '{"symbol":"AAPL","price":150.00,"timestamp":1234567890}' > test-data.json
aws s3 cp test-data.json s3://${BUCKET_NAME}/AAPL/test-data.json
"#,
    );
    let ask = "curl https://$(pulumi stack output apiEndpoint)/market-data-dev/AAPL/test-data.json\n";
    shell.polls(status, ask, "outcome", "completed");
    // the tool of the document signs as curl does
    let told = shell.asks(
        "",
        r#"curl --aws-sigv4 aws:amz:us-east-1:execute-api --user "$PAIR" https://$HTTP/ingest -d '{"symbol":"TSLA","price":200.00}'
"#,
    );
    assert_eq!((&told["accepted"], &told["rejected"]), (&1.into(), &0.into()), "{told}");
    for (symbol, price) in [("AAPL", "150"), ("TSLA", "200")] {
        eventually("a bar", || {
            let bars = shell.asks("", &format!("curl 'https://'$HTTP'/bars?feed=market&symbol={symbol}'\n"));
            (bars["bars"][0]["close"] == price).then_some(())
        });
    }
}

fn transactions(shell: &Shell<'_>) {
    let rows = "transaction_id,amount,currency,timestamp,merchant,status\n\
        TXN001,99.99,USD,2024-01-15T10:30:00Z,Amazon,completed\n\
        TXN002,149.50,EUR,2024-01-15T11:45:00Z,Apple Store,completed\n";
    fs::write(shell.server.path().join("transactions.csv"), rows).unwrap();
    let told = shell.asks(
        "",
        r#"API_ENDPOINT=$(cdktf output api_endpoint)
curl -X POST \
  -H "Content-Type: multipart/form-data" \
  -F "file=@transactions.csv" \
  $API_ENDPOINT
"#,
    );
    let ask = format!("curl \"https://$HTTP/status?fileId={}\"\n", text(&told, "uploadId"));
    let told = shell.polls("", &ask, "outcome", "completed");
    assert_eq!(text(&told, "fileId"), "transactions.csv");
    let kept = shell.asks("", "curl https://$HTTP/transactions\n");
    let merchants: Vec<&str> =
        kept["transactions"].as_array().unwrap().iter().map(|row| text(row, "merchant")).collect();
    assert!(merchants.len() == 2 && merchants.contains(&"Amazon") && merchants.contains(&"Apple Store"), "{kept}");
}
