//! Enrolling: users whose tag has an address are subscribed to their messages.

use std::collections::BTreeMap;

use super::App;
use crate::aws::{Account, AllTags, CallError, Subscribed};
use crate::identity::UserName;
use crate::ledger::Subscription;

/// What enrolling did, and what a person has to see to.
#[derive(Debug, Default)]
pub(super) struct Enrolled {
    pub(super) users: usize,
    pub(super) notice: Option<String>,
}

impl App {
    /// Subscribes the addresses that `EMAIL_TAG` gives, replaces those that
    /// changed and ends those whose users are gone or have none any more.
    pub(super) async fn enrol(
        &self,
        account: &Account,
        tags: &AllTags,
        users: &[&UserName],
    ) -> Result<Enrolled, CallError> {
        let mut enrolled = Enrolled::default();
        let Some(tag) = &self.config.email_tag else { return Ok(enrolled) };
        let (ledger, topic) = (self.aws.ledger(), self.aws.topic());
        let address = |user: &UserName| {
            let tags = tags.get(&user.key())?;
            let (_, address) = tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(tag))?;
            Some(address.trim().to_owned()).filter(|address| address.contains('@'))
        };
        let wanted: BTreeMap<String, (&UserName, String)> =
            users.iter().filter_map(|user| Some((user.key(), (*user, address(user)?)))).collect();
        let before = ledger.subscriptions(&account.id).await?;
        let mut known = before.clone();
        let mut problem = None;
        for (key, subscription) in &before {
            let is_wanted = wanted.get(key).is_some_and(|(_, address)| *address == subscription.address);
            if is_wanted {
                continue;
            }
            match topic.unsubscribe(&subscription.arn).await {
                Ok(()) => drop(known.remove(key)),
                Err(error) => problem = Some(error),
            }
        }
        for (key, (user, address)) in &wanted {
            if known.contains_key(key) {
                continue;
            }
            match topic.subscribe(address, &account.id, user).await {
                Ok(Subscribed::Done(arn)) => {
                    known.insert(key.clone(), Subscription { address: address.clone(), arn });
                    enrolled.users += 1;
                }
                Ok(Subscribed::TakenByOther) => {
                    tracing::warn!(account_id = %account.id, user_name = %user, "the user's address is subscribed already, for somebody else: SNS takes an address once for a topic");
                }
                Ok(Subscribed::QuotaExceeded) => {
                    enrolled.notice = Some(
                        "not everyone with an address is subscribed: the topic has as many filter policies as SNS \
                         allows. Ask AWS for a higher quota, or subscribe one program without a filter policy that \
                         forwards by `user_name`, and unset EMAIL_TAG"
                            .to_owned(),
                    );
                    break;
                }
                Err(error) => problem = Some(error),
            }
        }
        if known != before {
            ledger.remember_subscriptions(&account.id, &known).await?;
        }
        problem.map_or(Ok(enrolled), Err)
    }
}
