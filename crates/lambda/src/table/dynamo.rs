//! Tables of DynamoDB.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, PutRequest, TransactWriteItem, WriteRequest,
};
use pipeline::ports::Cause;

use super::{
    Action, Error, Field, GROUP, ID, Item, Key, Name, Place, RowKey, SYMBOL, TIMESTAMP, TIMESTAMP_PLACES, Table, Test,
    number,
};
use crate::network::Network;

/// What the tables of a function are called; of one that it does not use, nothing.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Records, marks and outboxes.
    pub ledger: String,
    /// One record for each file.
    pub status: String,
    /// Rows.
    pub rows: String,
}

/// The tables of one function.
#[derive(Debug)]
pub struct Dynamo {
    client: Client,
    network: Network,
    names: Names,
}

impl Dynamo {
    /// The tables of these names.
    pub fn new(client: Client, network: Network, names: Names) -> Self {
        Self { client, network, names }
    }

    fn table(&self, name: Name) -> &str {
        match name {
            Name::Ledger => &self.names.ledger,
            Name::Status => &self.names.status,
            Name::Rows => &self.names.rows,
        }
    }

    fn table_of(&self, place: &Place) -> &str {
        self.table(match place {
            Place::Ledger(_) => Name::Ledger,
            Place::Row(_) => Name::Rows,
        })
    }

    fn action(&self, action: Action) -> Result<TransactWriteItem, Cause> {
        let whole = TransactWriteItem::builder();
        Ok(match action {
            Action::Put(name, item, tests) => {
                let said = Said::of(&tests);
                let put = Put::builder().table_name(self.table(name)).set_item(Some(attributes(item)));
                let put = put.set_condition_expression(said.text).set_expression_attribute_names(said.names);
                whole.put(put.set_expression_attribute_values(said.values).build()?)
            }
            Action::Delete(key, tests) => {
                let said = Said::of(&tests);
                let delete = Delete::builder().table_name(&self.names.ledger).set_key(Some(attributes(key.item([]))));
                let delete = delete.set_condition_expression(said.text).set_expression_attribute_names(said.names);
                whole.delete(delete.set_expression_attribute_values(said.values).build()?)
            }
            Action::Check(place, tests) => {
                let said = Said::of(&tests);
                let check = ConditionCheck::builder().table_name(self.table_of(&place));
                let check = check.set_key(Some(attributes(place.fields())));
                let check = check.set_condition_expression(said.text).set_expression_attribute_names(said.names);
                whole.condition_check(check.set_expression_attribute_values(said.values).build()?)
            }
        }
        .build())
    }
}

impl Table for Dynamo {
    fn get(&self, place: &Place) -> Result<Option<Item>, Cause> {
        let asked = self.client.get_item().table_name(self.table_of(place)).set_key(Some(attributes(place.fields())));
        let answer = self.network.wait(asked.consistent_read(true).send())?;
        Ok(answer.item.map(item))
    }

    fn query(
        &self,
        group: &str,
        within: &str,
        after: Option<&str>,
        items_max: usize,
    ) -> Result<(Vec<Item>, Option<String>), Cause> {
        // DynamoDB takes one condition on the sort key: the prefix; where to go on is the start of the page
        let condition = if within.is_empty() { "#g = :g" } else { "#g = :g AND begins_with(#i, :i)" };
        let mut asked = self.client.query().table_name(&self.names.ledger).key_condition_expression(condition);
        asked = asked.expression_attribute_names("#g", GROUP);
        asked = asked.expression_attribute_values(":g", AttributeValue::S(group.to_owned()));
        if !within.is_empty() {
            asked = asked.expression_attribute_names("#i", ID);
            asked = asked.expression_attribute_values(":i", AttributeValue::S(within.to_owned()));
        }
        let start =
            after.filter(|after| after.starts_with(within)).map(|after| attributes(Key::new(group, after).item([])));
        let limit = i32::try_from(items_max.max(1)).unwrap_or(i32::MAX);
        let asked = asked.set_exclusive_start_key(start).limit(limit).consistent_read(true);
        let answer = self.network.wait(asked.send())?;
        let next = answer.last_evaluated_key.map(|key| Key::of(&item(key)).id);
        Ok((answer.items.unwrap_or_default().into_iter().map(item).collect(), next))
    }

    fn query_rows(
        &self,
        symbol: &str,
        from: i128,
        to: i128,
        items_max: usize,
    ) -> Result<(Vec<Item>, Option<i128>), Cause> {
        let place = |units| AttributeValue::N(number::of_units(units, TIMESTAMP_PLACES));
        let asked = self.client.query().table_name(&self.names.rows);
        let asked = asked.key_condition_expression("#s = :s AND #t BETWEEN :from AND :to");
        let asked = asked.expression_attribute_names("#s", SYMBOL).expression_attribute_names("#t", TIMESTAMP);
        let asked = asked.expression_attribute_values(":s", AttributeValue::S(symbol.to_owned()));
        let asked = asked.expression_attribute_values(":from", place(from));
        let asked = asked.expression_attribute_values(":to", place(to));
        let limit = i32::try_from(items_max.max(1)).unwrap_or(i32::MAX);
        let answer = self.network.wait(asked.limit(limit).consistent_read(true).send())?;
        let last = answer.last_evaluated_key.and_then(|key| RowKey::of(&item(key)));
        let found = answer.items.unwrap_or_default().into_iter().map(item).collect();
        Ok((found, last.map(|last| last.timestamp + 1)))
    }

    fn batch(&self, name: Name, items: Vec<Item>) -> Result<Vec<Item>, Cause> {
        let request = |item: &Item| {
            let put = PutRequest::builder().set_item(Some(attributes(item.clone()))).build()?;
            Ok::<_, Cause>(WriteRequest::builder().put_request(put).build())
        };
        let requests = items.iter().map(request).collect::<Result<Vec<_>, _>>()?;
        let asked = self.client.batch_write_item().request_items(self.table(name), requests);
        let answer = match self.network.wait(asked.send()) {
            Ok(answer) => answer,
            // nothing was taken, and that is how it is said: whoever has the items waits longer than the client did
            Err(error) if error.code().is_some_and(|code| THROTTLED.contains(&code)) => return Ok(items),
            Err(error) => return Err(error.into()),
        };
        let left = answer.unprocessed_items.unwrap_or_default().into_values().flatten();
        Ok(left.filter_map(|request| request.put_request).map(|put| item(put.item)).collect())
    }

    fn transact(&self, actions: Vec<Action>) -> Result<(), Error> {
        let items = actions.into_iter().map(|action| self.action(action)).collect::<Result<Vec<_>, _>>();
        let asked = self.client.transact_write_items().set_transact_items(Some(items.map_err(Error::Unavailable)?));
        self.network.wait(asked.send()).map(drop).map_err(refused)
    }
}

/// What DynamoDB says when it takes nothing for now.
const THROTTLED: [&str; 3] = ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"];

/// What an answer that is no success means.
fn refused(error: SdkError<TransactWriteItemsError>) -> Error {
    if let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error() {
        let reasons = canceled.cancellation_reasons();
        let code = |reason: &CancellationReason| reason.code().unwrap_or("None").to_owned();
        let known = ["None", "ConditionalCheckFailed", "TransactionConflict"];
        if !reasons.is_empty() && reasons.iter().all(|reason| known.contains(&code(reason).as_str())) {
            let failed = reasons.iter().enumerate().filter(|(_, reason)| code(reason) == known[1]);
            return Error::Refused(failed.map(|(index, _)| index).collect());
        }
    }
    Error::Unavailable(error.into())
}

/// Tests as DynamoDB reads them.
#[derive(Default)]
struct Said {
    text: Option<String>,
    names: Option<HashMap<String, String>>,
    values: Option<HashMap<String, AttributeValue>>,
}

impl Said {
    fn of(tests: &[Test]) -> Self {
        if tests.is_empty() {
            return Self::default();
        }
        let (mut texts, mut names, mut values) = (Vec::new(), HashMap::new(), HashMap::new());
        for (index, test) in tests.iter().enumerate() {
            let (name, value) = (format!("#n{index}"), format!(":v{index}"));
            let field = match test {
                Test::Missing(field) => {
                    texts.push(format!("attribute_not_exists({name})"));
                    field
                }
                Test::Is(field, wanted) => {
                    texts.push(format!("{name} = {value}"));
                    values.insert(value, attribute(wanted.clone()));
                    field
                }
                Test::MissingOr(field, wanted) => {
                    texts.push(format!("(attribute_not_exists({name}) OR {name} = {value})"));
                    values.insert(value, attribute(wanted.clone()));
                    field
                }
                Test::AtMost(field, most) => {
                    texts.push(format!("(attribute_not_exists({name}) OR {name} <= {value})"));
                    values.insert(value, AttributeValue::N(most.to_string()));
                    field
                }
            };
            names.insert(name, (*field).to_owned());
        }
        let values = Some(values).filter(|values| !values.is_empty());
        Self { text: Some(texts.join(" AND ")), names: Some(names), values }
    }
}

fn attribute(field: Field) -> AttributeValue {
    match field {
        Field::Text(text) => AttributeValue::S(text),
        Field::Number(number) => AttributeValue::N(number.to_string()),
        Field::Decimal(text) => AttributeValue::N(text),
        Field::Bytes(bytes) => AttributeValue::B(Blob::new(bytes)),
        Field::Texts(texts) => AttributeValue::L(texts.into_iter().map(AttributeValue::S).collect()),
    }
}

fn attributes(item: Item) -> HashMap<String, AttributeValue> {
    item.into_iter().map(|(name, field)| (name, attribute(field))).collect()
}

/// An item as we know it; what we never write is left out.
fn item(attributes: HashMap<String, AttributeValue>) -> Item {
    let field = |value| match value {
        AttributeValue::S(text) => Some(Field::Text(text)),
        AttributeValue::N(number) => number::read(&number),
        AttributeValue::B(bytes) => Some(Field::Bytes(bytes.into_inner())),
        AttributeValue::L(values) => {
            let text = |value| if let AttributeValue::S(text) = value { Some(text) } else { None };
            values.into_iter().map(text).collect::<Option<Vec<_>>>().map(Field::Texts)
        }
        _ => None,
    };
    attributes.into_iter().filter_map(|(name, value)| Some((name, field(value)?))).collect()
}
