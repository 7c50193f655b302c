//! Tables: always paid by use, encrypted, and restorable to any moment.

use crate::json::{Fields, Json};
use crate::policy::{document, tls_only};
use crate::reference::{HasArn, Text};
use crate::resources::Tags;
use crate::template::Resource;

/// A key: its name, and `S` for text or `N` for a number.
pub type Key = (&'static str, &'static str);

/// `AWS::DynamoDB::Table`.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The key that decides where a record is.
    pub partition: Key,
    /// The key that orders the records of one partition.
    pub sort: Option<Key>,
    /// The field with the second in which a record expires.
    pub expires_by: Option<&'static str>,
    /// Indexes: name, partition and sort key.
    pub indexes: Vec<(&'static str, Key, Key)>,
    /// Tags.
    pub tags: Tags,
}

impl HasArn for Table {}

/// The schema of a table or an index.
fn schema(partition: Key, sort: Option<Key>) -> Json {
    let key = |(name, _): Key, kind: &str| Json::object([("AttributeName", name.into()), ("KeyType", kind.into())]);
    Json::List([Some(key(partition, "HASH")), sort.map(|sort| key(sort, "RANGE"))].into_iter().flatten().collect())
}

impl Resource for Table {
    fn kind(&self) -> &'static str {
        "AWS::DynamoDB::Table"
    }

    fn properties(self) -> Json {
        let mut keys: Vec<Key> = vec![self.partition];
        keys.extend(self.sort);
        for (_, partition, sort) in &self.indexes {
            keys.extend([*partition, *sort].into_iter().filter(|key| !keys.contains(key)).collect::<Vec<_>>());
        }
        let attributes = keys
            .iter()
            .map(|(name, kind)| Json::object([("AttributeName", (*name).into()), ("AttributeType", (*kind).into())]));
        let indexes = self.indexes.iter().map(|(name, partition, sort)| {
            Json::object([
                ("IndexName", (*name).into()),
                ("KeySchema", schema(*partition, Some(*sort))),
                ("Projection", Json::object([("ProjectionType", "ALL".into())])),
                ("ContributorInsightsSpecification", Json::object([("Enabled", true.into())])),
            ])
        });
        let expires =
            self.expires_by.map(|field| Json::object([("AttributeName", field.into()), ("Enabled", true.into())]));
        let arn = format!("arn:${{AWS::Partition}}:dynamodb:${{AWS::Region}}:${{AWS::AccountId}}:table/{}", self.name);
        let policy = document(vec![tls_only("dynamodb:*", vec![Text::substituted(arn)])]);
        Fields::new()
            .with("TableName", self.name)
            .with("BillingMode", "PAY_PER_REQUEST")
            .with("AttributeDefinitions", Json::list(attributes))
            .with("KeySchema", schema(self.partition, self.sort))
            .maybe("GlobalSecondaryIndexes", (!self.indexes.is_empty()).then(|| Json::list(indexes)))
            .maybe("TimeToLiveSpecification", expires)
            .with("PointInTimeRecoverySpecification", Json::object([("PointInTimeRecoveryEnabled", true.into())]))
            .with("SSESpecification", Json::object([("SSEEnabled", true.into())]))
            .with("ContributorInsightsSpecification", Json::object([("Enabled", true.into())]))
            .with("ResourcePolicy", Json::object([("PolicyDocument", policy)]))
            .with("Tags", self.tags)
            .into()
    }
}
