//! DynamoDB: the ledger. Its items are described in [`crate::ledger`].
#![expect(clippy::missing_errors_doc, reason = "each method fails as the call does that it is named after")]

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValue};
use time::OffsetDateTime;

use super::error::{CallError, Input};
use crate::audit::Warning;
use crate::identity::{AccountId, UserName};
use crate::ledger::{self, Daily, Entry, Grace, LEASE, LeaseHolder, RequestId, Subscription, Told, UserKey};
use crate::secret::{SecretArn, VersionId};

/// The index by which open attempts are found.
const OPEN_INDEX: &str = "open";

/// How many items `BatchGetItem` reads at once.
const BATCH: usize = 100;

/// How long the item of a message, or of a note, that counts once a day is kept.
const TWO_DAYS: time::Duration = time::Duration::days(2);

/// Stands for "nobody in particular asked": an attribute that is absent would be
/// filled in by the next run.
const NO_REQUEST: &str = "-";

/// The attributes of an attempt.
const ATTEMPT: &[&str] = &["marker", "versions", "request", "reserved_at"];

/// The attributes of a grace period.
const GRACE: &[&str] = &["demanded_at", "due_at"];

type Item = HashMap<String, AttributeValue>;

/// How taking a lease ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// It is ours.
    Taken(Box<Entry>),
    /// Another run has it.
    Refused,
}

/// How a write ended that takes a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is done.
    Done,
    /// The lease is another run's by now: nothing was written.
    LeaseLost,
}

/// Who holds a lease, and on whom.
#[derive(Debug, Clone, Copy)]
pub struct Leased<'a> {
    /// The user.
    pub key: &'a UserKey,
    /// The run.
    pub holder: &'a LeaseHolder,
}

/// The ids that a run brings along, should it be the first to need them.
#[derive(Debug, Clone)]
pub struct Choice {
    /// For the first version of a secret.
    pub marker: VersionId,
    /// For the version of the attempt.
    pub version: VersionId,
    /// The request that the attempt is to carry out.
    pub request: Option<RequestId>,
}

/// The ledger's table, in the function's own account and region.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(super) client: Client,
    pub(super) table: String,
}

impl Ledger {
    /// Takes the lease until `until` unless another run has it, and chooses an
    /// attempt unless one is under way.
    pub async fn take_lease(
        &self,
        leased: Leased<'_>,
        now: OffsetDateTime,
        until: OffsetDateTime,
        choice: &Choice,
    ) -> Result<Lease, CallError> {
        let update = Update::of(leased.key)
            .set("open", text(leased.key.account_id().as_str()))
            .set("lease_holder", text(leased.holder.as_str()))
            .set("lease_until", time(until))
            .set_if_absent("marker", text(choice.marker.as_str()))
            .set_if_absent("versions", ids(std::slice::from_ref(&choice.version)))
            .set_if_absent("request", request(choice.request.as_ref()))
            .set_if_absent("reserved_at", time(now))
            .value(":now", time(now))
            .value(":holder", text(leased.holder.as_str()))
            .only_if("attribute_not_exists(#lease_until) OR #lease_until < :now OR #lease_holder = :holder");
        Ok(self.update(update).await?.map_or(Lease::Refused, |item| Lease::Taken(Box::new(entry(&item)))))
    }

    /// Replaces the versions of the attempt, and says for which request it is.
    pub async fn choose(
        &self,
        leased: Leased<'_>,
        versions: &[VersionId],
        for_request: Option<&RequestId>,
        secret_arn: Option<&SecretArn>,
    ) -> Result<Written, CallError> {
        let update = Update::of(leased.key)
            .set("versions", ids(versions))
            .set("request", request(for_request))
            .set_secret_arn(secret_arn);
        self.write(update, leased).await
    }

    /// Forgets the attempt and the grace period, and keeps the lease. Somebody set a password after
    /// `changed_at`, if that is given.
    pub async fn forget(
        &self,
        leased: Leased<'_>,
        changed_at: Option<OffsetDateTime>,
        secret_arn: Option<&SecretArn>,
    ) -> Result<Written, CallError> {
        let update = Update::of(leased.key).set("lease_holder", text(leased.holder.as_str()));
        self.write(update.end_attempt(changed_at, secret_arn).remove(GRACE), leased).await
    }

    /// Ends the attempt and gives the lease back. The password is not older than
    /// `changed_at`, if that is given; `grace` is kept in place of what there was.
    pub async fn close(
        &self,
        leased: Leased<'_>,
        changed_at: Option<OffsetDateTime>,
        grace: Option<Grace>,
        secret_arn: Option<&SecretArn>,
    ) -> Result<Written, CallError> {
        let update = Update::of(leased.key)
            .set("closed_by", text(leased.holder.as_str()))
            .end_attempt(changed_at, secret_arn)
            .remove(&["open", "lease_holder", "lease_until"]);
        let update = match grace {
            Some(grace) => update.set("demanded_at", time(grace.demanded_at)).set("due_at", time(grace.due_at)),
            None => update.remove(GRACE),
        };
        if self.write(update, leased).await? == Written::Done {
            return Ok(Written::Done);
        }
        // The answer to a first try may have been lost.
        let item = self.read(leased.key.item_id()).await?;
        let is_closed = item.as_ref().and_then(|item| as_text(item, "closed_by")) == Some(leased.holder.as_str());
        Ok(if is_closed { Written::Done } else { Written::LeaseLost })
    }

    /// Gives the lease back and leaves the attempt open.
    pub async fn give_back(&self, leased: Leased<'_>, secret_arn: Option<&SecretArn>) -> Result<Written, CallError> {
        let update = Update::of(leased.key).set("closed_by", text("-")).set_secret_arn(secret_arn);
        self.write(update.remove(&["lease_holder", "lease_until"]), leased).await
    }

    /// Remembers until `expires` that the request was carried out for the user.
    pub async fn serve(&self, key: &UserKey, request: &RequestId, expires: OffsetDateTime) -> Result<(), CallError> {
        let update = Update::new(key.request_item_id(request))
            .set("expires", AttributeValue::N(expires.unix_timestamp().to_string()));
        self.update(update).await.map(drop)
    }

    /// Whether the request was carried out for the user.
    pub async fn is_served(&self, key: &UserKey, request: &RequestId) -> Result<bool, CallError> {
        Ok(self.read(key.request_item_id(request)).await?.is_some())
    }

    /// Whether it is this run's turn to do what is done once a day: nobody has,
    /// and nobody is about to. Who then does not call [`Self::told`] within a
    /// minute leaves it to others.
    pub async fn take_turn(&self, daily: &impl Daily, now: OffsetDateTime) -> Result<bool, CallError> {
        let update = Update::new(daily.item_id(now))
            .set("claimed_until", time(now + LEASE))
            .set("expires", AttributeValue::N((now + TWO_DAYS).unix_timestamp().to_string()))
            .value(":now", time(now))
            .only_if("attribute_not_exists(#claimed_until) OR #claimed_until < :now");
        Ok(self.update(update).await?.is_some())
    }

    /// Remembers that it was done. `now` is as it was for [`Self::take_turn`].
    pub async fn told(&self, daily: &impl Daily, now: OffsetDateTime) -> Result<(), CallError> {
        let update = Update::new(daily.item_id(now)).set("claimed_until", time(now + TWO_DAYS));
        self.update(update).await.map(drop)
    }

    /// Takes a secret over: from now on it counts as ours. `versions` may hold
    /// the user's password, so the attempt that left them is open.
    pub async fn adopt(&self, key: &UserKey, secret_arn: &SecretArn, versions: &[VersionId]) -> Result<(), CallError> {
        let mut update = Update::of(key).set("secret_arn", text(secret_arn.as_str()));
        if !versions.is_empty() {
            update = update
                .set("open", text(key.account_id().as_str()))
                .set_if_absent("versions", ids(versions))
                .set_if_absent("request", request(None))
                // Nobody knows when: it tells nothing of the password's age.
                .set_if_absent("reserved_at", time(OffsetDateTime::UNIX_EPOCH));
        }
        self.update(update).await.map(drop)
    }

    /// What the ledger knows of these users. Who is not in it is left out.
    pub async fn entries(&self, keys: &[UserKey]) -> Result<HashMap<UserKey, Entry>, CallError> {
        self.read_users(keys, entry).await
    }

    /// The same, and what audits told them.
    pub async fn entries_and_told(&self, keys: &[UserKey]) -> Result<HashMap<UserKey, (Entry, Told)>, CallError> {
        self.read_users(keys, |item| (entry(item), told(item))).await
    }

    async fn read_users<T>(
        &self,
        keys: &[UserKey],
        read: impl Fn(&Item) -> T,
    ) -> Result<HashMap<UserKey, T>, CallError> {
        let by_id: HashMap<String, &UserKey> = keys.iter().map(|key| (key.item_id(), key)).collect();
        let items = self.read_all(by_id.keys().cloned().collect()).await?;
        let known = items.iter().filter_map(|item| {
            let key = by_id.get(as_text(item, "id")?)?;
            Some(((*key).clone(), read(item)))
        });
        Ok(known.collect())
    }

    /// The addresses that audits have subscribed, by the keys of their users.
    pub async fn subscriptions(&self, account_id: &AccountId) -> Result<BTreeMap<String, Subscription>, CallError> {
        let item = self.read(ledger::subscriptions_item_id(account_id)).await?.unwrap_or_default();
        let known = item.get("users").and_then(|users| users.as_m().ok()).into_iter().flatten();
        let read = |value: &AttributeValue| {
            let fields = value.as_m().ok()?;
            let text = |name: &str| fields.get(name)?.as_s().ok().cloned();
            Some(Subscription { address: text("address")?, arn: text("arn")? })
        };
        Ok(known.filter_map(|(user, value)| Some((user.clone(), read(value)?))).collect())
    }

    /// Remembers them.
    pub async fn remember_subscriptions(
        &self,
        account_id: &AccountId,
        subscriptions: &BTreeMap<String, Subscription>,
    ) -> Result<(), CallError> {
        let written = |subscription: &Subscription| {
            let fields = [("address", &subscription.address), ("arn", &subscription.arn)];
            AttributeValue::M(fields.map(|(name, value)| (name.to_owned(), text(value))).into())
        };
        let users = subscriptions.iter().map(|(user, it)| (user.clone(), written(it))).collect();
        let update = Update::new(ledger::subscriptions_item_id(account_id)).set("users", AttributeValue::M(users));
        self.update(update).await.map(drop)
    }

    /// Remembers that the user was warned.
    pub(crate) async fn warned(&self, key: &UserKey, warning: Warning) -> Result<(), CallError> {
        let update = Update::of(key)
            .set("warned_of", time(warning.changed))
            .set("warned_days", AttributeValue::N(warning.step.to_string()));
        self.update(update).await.map(drop)
    }

    /// Remembers that the user was reminded of the password that was stored then.
    pub async fn reminded(&self, key: &UserKey, stored_at: OffsetDateTime) -> Result<(), CallError> {
        self.update(Update::of(key).set("reminded_of", time(stored_at))).await.map(drop)
    }

    /// The users of an account whose attempts are open and at whom no run is at
    /// work. The index may lag behind by a moment.
    pub async fn open(&self, account_id: &AccountId, now: OffsetDateTime) -> Result<Vec<UserName>, CallError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(OPEN_INDEX)
            .key_condition_expression("#open = :open")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":open", text(account_id.as_str()))
            .into_paginator()
            .send();
        let mut users = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::new("dynamodb:Query", Input::Plain, &error))?;
            let left = page.items().iter().filter(|item| as_time(item, "lease_until").is_none_or(|until| until < now));
            users.extend(left.filter_map(|item| UserKey::name_in(as_text(item, "id")?)));
        }
        Ok(users)
    }

    /// Carries an update out, if the lease is still this run's.
    async fn write(&self, update: Update, leased: Leased<'_>) -> Result<Written, CallError> {
        let holder = text(leased.holder.as_str());
        let update = update.naming("lease_holder").value(":holder", holder).only_if("#lease_holder = :holder");
        Ok(self.update(update).await?.map_or(Written::LeaseLost, |_| Written::Done))
    }

    /// Carries an update out; none if its condition does not hold.
    async fn update(&self, update: Update) -> Result<Option<Item>, CallError> {
        let removed =
            if update.removed.is_empty() { String::new() } else { format!(" REMOVE {}", update.removed.join(", ")) };
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(update.id))
            .update_expression(format!("SET {}{removed}", update.set.join(", ")))
            .set_condition_expression(update.condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
            Err(error) => {
                let error = CallError::new("dynamodb:UpdateItem", Input::Plain, &error);
                if error.is(&["ConditionalCheckFailedException"]) { Ok(None) } else { Err(error) }
            }
        }
    }

    async fn read(&self, id: String) -> Result<Option<Item>, CallError> {
        Ok(self.read_all(vec![id]).await?.pop())
    }

    async fn read_all(&self, ids: Vec<String>) -> Result<Vec<Item>, CallError> {
        const OPERATION: &str = "dynamodb:BatchGetItem";
        let mut items = Vec::with_capacity(ids.len());
        let mut left = ids;
        while !left.is_empty() {
            let batch: Vec<String> = left.drain(..left.len().min(BATCH)).collect();
            let keys = batch.into_iter().map(|id| HashMap::from([("id".to_owned(), AttributeValue::S(id))]));
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys.collect())).consistent_read(true).build();
            let wanted = wanted.map_err(|_| CallError::incomplete(OPERATION, "keys"))?;
            let answer = self.client.batch_get_item().request_items(&self.table, wanted).send().await;
            let answer = answer.map_err(|error| CallError::new(OPERATION, Input::Plain, &error))?;
            items.extend(answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default());
            // DynamoDB reads as many as it likes and names the others.
            let unread = answer.unprocessed_keys.unwrap_or_default().remove(&self.table);
            left.extend(
                unread.iter().flat_map(KeysAndAttributes::keys).filter_map(|key| Some(as_text(key, "id")?.to_owned())),
            );
        }
        Ok(items)
    }
}

/// An `UpdateItem`, put together attribute by attribute.
struct Update {
    id: String,
    set: Vec<String>,
    removed: Vec<String>,
    names: HashMap<String, String>,
    values: Item,
    condition: Option<String>,
}

impl Update {
    fn new(id: String) -> Self {
        Self { id, set: Vec::new(), removed: Vec::new(), names: HashMap::new(), values: Item::new(), condition: None }
    }

    fn of(key: &UserKey) -> Self {
        Self::new(key.item_id())
    }

    fn set(mut self, attribute: &str, value: AttributeValue) -> Self {
        let name = self.name(attribute);
        self.set.push(format!("{name} = :{attribute}"));
        self.value(&format!(":{attribute}"), value)
    }

    fn set_if_absent(mut self, attribute: &str, value: AttributeValue) -> Self {
        let name = self.name(attribute);
        self.set.push(format!("{name} = if_not_exists({name}, :{attribute})"));
        self.value(&format!(":{attribute}"), value)
    }

    fn set_secret_arn(self, secret_arn: Option<&SecretArn>) -> Self {
        match secret_arn {
            Some(arn) => self.set("secret_arn", text(arn.as_str())),
            None => self,
        }
    }

    fn remove(mut self, attributes: &[&str]) -> Self {
        for attribute in attributes {
            let name = self.name(attribute);
            self.removed.push(name);
        }
        self
    }

    fn value(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.values.insert(placeholder.to_owned(), value);
        self
    }

    fn only_if(mut self, condition: &str) -> Self {
        self.condition = Some(condition.to_owned());
        self
    }

    /// Takes the attempt out, and keeps what is known besides.
    fn end_attempt(self, changed_at: Option<OffsetDateTime>, secret_arn: Option<&SecretArn>) -> Self {
        let update = self.set_secret_arn(secret_arn).remove(ATTEMPT);
        match changed_at {
            Some(at) => update.set("changed_at", time(at)),
            None => update,
        }
    }

    /// Names an attribute that only the condition needs.
    fn naming(mut self, attribute: &str) -> Self {
        self.name(attribute);
        self
    }

    /// Every attribute goes by a placeholder: some names are reserved words.
    fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }
}

fn entry(item: &Item) -> Entry {
    let versions = item.get("versions").and_then(|value| value.as_l().ok()).into_iter().flatten();
    Entry {
        secret_arn: as_text(item, "secret_arn").and_then(|arn| arn.parse().ok()),
        marker: as_text(item, "marker").map(VersionId::from_stored),
        versions: versions.filter_map(|id| id.as_s().ok()).map(|id| VersionId::from_stored(id)).collect(),
        request: as_text(item, "request").filter(|id| *id != NO_REQUEST).map(RequestId::from_ledger),
        reserved_at: as_time(item, "reserved_at"),
        changed_at: as_time(item, "changed_at"),
        grace: as_time(item, "demanded_at")
            .zip(as_time(item, "due_at"))
            .map(|(demanded_at, due_at)| Grace { demanded_at, due_at }),
    }
}

fn told(item: &Item) -> Told {
    let days = |attribute| item.get(attribute)?.as_n().ok()?.parse().ok();
    Told {
        warned: as_time(item, "warned_of").zip(days("warned_days")).map(|(changed, step)| Warning { changed, step }),
        reminded_of: as_time(item, "reminded_of"),
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn ids(versions: &[VersionId]) -> AttributeValue {
    AttributeValue::L(versions.iter().map(|version| text(version.as_str())).collect())
}

fn request(request: Option<&RequestId>) -> AttributeValue {
    text(request.map_or(NO_REQUEST, RequestId::as_str))
}

/// A time as milliseconds since 1970.
fn time(at: OffsetDateTime) -> AttributeValue {
    AttributeValue::N((at.unix_timestamp_nanos() / 1_000_000).to_string())
}

fn as_text<'a>(item: &'a Item, attribute: &str) -> Option<&'a str> {
    item.get(attribute)?.as_s().ok().map(String::as_str)
}

fn as_time(item: &Item, attribute: &str) -> Option<OffsetDateTime> {
    let milliseconds: i128 = item.get(attribute)?.as_n().ok()?.parse().ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000).ok()
}
