//! Buckets: always versioned, encrypted, closed to the public, owned by the account.

use crate::json::{Fields, Json};
use crate::reference::{Arn, Ref, Text};
use crate::resources::Tags;
use crate::resources::functions::Function;
use crate::template::Resource;

/// Days after which what is left of an upload that was never finished goes away.
const UNFINISHED_DAYS: u32 = 7;

/// `AWS::S3::Bucket`.
#[derive(Debug)]
pub struct Bucket {
    /// Its name, which is known before it is there.
    pub name: String,
    /// What becomes of old objects.
    pub lifecycle: Option<Lifecycle>,
    /// What is called when an object is written.
    pub notifies: Option<Arn<Function>>,
    /// Whether its events go to the default event bus.
    pub has_events: bool,
    /// Tags.
    pub tags: Tags,
}

/// What becomes of old objects and of old versions of them.
#[derive(Debug, Clone, Copy)]
pub enum Lifecycle {
    /// They go to Glacier after so many days.
    Glacier(u32),
    /// They are deleted after so many days.
    Expire(u32),
}

impl Bucket {
    /// The ARN of a bucket of this name. Buckets refer to what they call, and what they call to them: so it is put
    /// together.
    pub fn arn(name: &str) -> Arn<Self> {
        Arn::composed(&format!("s3:::{name}"))
    }

    /// The ARN of the objects whose keys begin with a prefix.
    pub fn objects(name: &str, prefix: &str) -> Text {
        Text::substituted(format!("arn:${{AWS::Partition}}:s3:::{name}/{prefix}*"))
    }
}

fn rules(lifecycle: Option<Lifecycle>) -> Json {
    let rule = |id: &str| Fields::new().with("Id", id).with("Status", "Enabled");
    let unfinished = Json::object([("DaysAfterInitiation", UNFINISHED_DAYS.into())]);
    let mut rules: Vec<Json> =
        vec![rule("drop-unfinished-uploads").with("AbortIncompleteMultipartUpload", unfinished).into()];
    match lifecycle {
        Some(Lifecycle::Glacier(days)) => {
            let to =
                |key: &str| Json::List(vec![Json::object([("StorageClass", "GLACIER".into()), (key, days.into())])]);
            let archive = rule("archive")
                .with("Transitions", to("TransitionInDays"))
                .with("NoncurrentVersionTransitions", to("TransitionInDays"));
            rules.insert(0, archive.into());
        }
        Some(Lifecycle::Expire(days)) => {
            // in a bucket with versions, expiry only hides an object: its versions go by a rule of their own, and what
            // is left of it then by another
            let versions = Json::object([("NoncurrentDays", days.into())]);
            let expire = rule("expire").with("ExpirationInDays", days).with("NoncurrentVersionExpiration", versions);
            let markers = rule("drop-delete-markers").with("ExpiredObjectDeleteMarker", true);
            rules.insert(0, expire.into());
            rules.insert(1, markers.into());
        }
        None => {}
    }
    Json::object([("Rules", Json::List(rules))])
}

impl Resource for Bucket {
    fn kind(&self) -> &'static str {
        "AWS::S3::Bucket"
    }

    fn properties(self) -> Json {
        let encryption = Json::object([("SSEAlgorithm", "AES256".into())]);
        let encryption = Json::object([("ServerSideEncryptionByDefault", encryption)]);
        let closed = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
        let owned = Json::object([("ObjectOwnership", "BucketOwnerEnforced".into())]);
        let calls = self.notifies.map(|function| {
            Json::List(vec![Json::object([("Event", "s3:ObjectCreated:*".into()), ("Function", function.into())])])
        });
        let notifications = Fields::new().maybe("LambdaConfigurations", calls).maybe(
            "EventBridgeConfiguration",
            self.has_events.then(|| Json::object([("EventBridgeEnabled", true.into())])),
        );
        let notifications: Json = notifications.into();
        let notifications = (!notifications.fields().is_empty()).then_some(notifications);
        Fields::new()
            .with("BucketName", self.name)
            .with("VersioningConfiguration", Json::object([("Status", "Enabled".into())]))
            .with(
                "BucketEncryption",
                Json::object([("ServerSideEncryptionConfiguration", Json::List(vec![encryption]))]),
            )
            .with("PublicAccessBlockConfiguration", Json::object(closed.map(|key| (key, true.into()))))
            .with("OwnershipControls", Json::object([("Rules", Json::List(vec![owned]))]))
            .with("LifecycleConfiguration", rules(self.lifecycle))
            .maybe("NotificationConfiguration", notifications)
            .with("MetricsConfigurations", Json::List(vec![Json::object([("Id", "EntireBucket".into())])]))
            .with("Tags", self.tags)
            .into()
    }
}

/// `AWS::S3::BucketPolicy`.
#[derive(Debug)]
pub struct BucketPolicy {
    /// Of which bucket.
    pub bucket: Ref<Bucket>,
    /// What it says.
    pub policy: Json,
}

impl Resource for BucketPolicy {
    fn kind(&self) -> &'static str {
        "AWS::S3::BucketPolicy"
    }

    fn properties(self) -> Json {
        Json::object([("Bucket", self.bucket.into()), ("PolicyDocument", self.policy)])
    }
}
