//! DynamoDB, as far as the program uses it: conditional updates, reads by key,
//! and a query of an index
//! ([UpdateItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html)).
//!
//! The end-to-end tests hold the same requests against moto's own reading of
//! these expressions.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Refusal;

/// An item: attributes as they stand on the wire, such as `{"S": "text"}`.
pub(crate) type Item = Map<String, Value>;

/// The only table.
pub(crate) const TABLE: &str = "ledger";

/// A table whose key is `id`.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) items: BTreeMap<String, Item>,
}

impl Table {
    pub(super) fn update(&mut self, request: &Value) -> Result<Value, Refusal> {
        assert_eq!(request["TableName"], TABLE);
        let id = request["Key"]["id"]["S"].as_str().unwrap().to_owned();
        let expression = Expression { request };
        let item = self.items.get(&id).cloned().unwrap_or_default();
        if !request["ConditionExpression"].as_str().is_none_or(|condition| expression.holds(condition, &item)) {
            return Err((400, "ConditionalCheckFailedException"));
        }
        let mut item = expression.updated(&item);
        item.insert("id".to_owned(), json!({"S": id}));
        self.items.insert(id, item.clone());
        Ok(json!({"Attributes": item}))
    }

    pub(super) fn batch_get(&self, request: &Value) -> Value {
        let wanted = &request["RequestItems"][TABLE];
        assert_eq!(wanted["ConsistentRead"], true, "what was written just now has to be seen");
        let keys = wanted["Keys"].as_array().unwrap();
        assert!(keys.len() <= 100, "BatchGetItem takes 100 keys");
        // DynamoDB leaves out what it likes: here, all but 40.
        let (now, later) = keys.split_at(keys.len().min(40));
        let found: Vec<&Item> = now.iter().filter_map(|key| self.items.get(key["id"]["S"].as_str().unwrap())).collect();
        let mut answer = json!({"Responses": {TABLE: found}, "UnprocessedKeys": {}});
        if !later.is_empty() {
            answer["UnprocessedKeys"] = json!({TABLE: {"Keys": later, "ConsistentRead": true}});
        }
        answer
    }

    pub(super) fn query(&self, request: &Value) -> Value {
        assert_eq!(request["IndexName"], "open");
        assert_eq!(request["KeyConditionExpression"], "#open = :open");
        let wanted = &request["ExpressionAttributeValues"][":open"];
        let found: Vec<&Item> = self.items.values().filter(|item| item.get("open") == Some(wanted)).collect();
        json!({"Items": found, "Count": found.len()})
    }
}

/// The expressions of one request, with their placeholders.
struct Expression<'a> {
    request: &'a Value,
}

impl Expression<'_> {
    fn name(&self, placeholder: &str) -> String {
        self.request["ExpressionAttributeNames"][placeholder].as_str().unwrap().to_owned()
    }

    fn value(&self, placeholder: &str) -> Value {
        let value = &self.request["ExpressionAttributeValues"][placeholder];
        assert!(value.is_object(), "{placeholder} has no value");
        value.clone()
    }

    fn holds(&self, condition: &str, item: &Item) -> bool {
        condition.split(" OR ").any(|alternative| match alternative.split(' ').collect::<Vec<_>>()[..] {
            [function] => {
                let name = function.strip_prefix("attribute_not_exists(").unwrap().strip_suffix(')').unwrap();
                !item.contains_key(&self.name(name))
            }
            [name, operator, value] => item.get(&self.name(name)).is_some_and(|found| {
                let value = self.value(value);
                match operator {
                    "=" => *found == value,
                    "<" => compare(found, &value) == Ordering::Less,
                    _ => panic!("{operator}"),
                }
            }),
            _ => panic!("{alternative}"),
        })
    }

    fn updated(&self, before: &Item) -> Item {
        let mut item = before.clone();
        let expression = self.request["UpdateExpression"].as_str().unwrap();
        let (set, removed) = expression.split_once(" REMOVE ").unwrap_or((expression, ""));
        for assignment in split(set.strip_prefix("SET ").unwrap()) {
            let (name, value) = assignment.split_once(" = ").unwrap();
            let name = self.name(name);
            let value = match value.strip_prefix("if_not_exists(") {
                None => self.value(value),
                Some(inner) => {
                    let (held, otherwise) = inner.strip_suffix(')').unwrap().split_once(", ").unwrap();
                    before.get(&self.name(held)).cloned().unwrap_or_else(|| self.value(otherwise))
                }
            };
            item.insert(name, value);
        }
        for name in removed.split(", ").filter(|name| !name.is_empty()) {
            item.remove(&self.name(name));
        }
        item
    }
}

/// Splits at commas that stand in no brackets.
fn split(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let at_top = move |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    };
    list.split(at_top).map(str::trim).collect()
}

fn compare(one: &Value, other: &Value) -> Ordering {
    let number = |value: &Value| value["N"].as_str().unwrap().parse::<i128>().unwrap();
    number(one).cmp(&number(other))
}
