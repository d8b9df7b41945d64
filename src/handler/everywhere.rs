//! Orders for all accounts: one message an account, each with its own outcome.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{App, Invocation};
use crate::answer::{AccountAnswer, Problem};
use crate::identity::AccountId;

impl App {
    /// Queues the order for the function's own account and for each that
    /// Security Hub gathers findings of here, as far as `ACCOUNTS` names them.
    pub(super) async fn leave_to_others(
        &self,
        invocation: &Invocation,
        order: &Map<String, Value>,
    ) -> Vec<AccountAnswer> {
        let home = &invocation.home.account_id;
        // Without one the order is not supported.
        let Some(queue) = self.aws.queue() else { return Vec::new() };
        let members = match self.aws.security_hub().members().await {
            Ok(members) => members,
            Err(error) => return vec![AccountAnswer::failed(home.clone(), error.into())],
        };
        let is_enabled = |id: &AccountId| self.config.finding_rules.accounts.includes(id);
        let accounts: BTreeSet<AccountId> = members.into_iter().chain([home.clone()]).filter(is_enabled).collect();
        let orders: Vec<Map<String, Value>> = accounts
            .iter()
            .map(|id| {
                let mut order = order.clone();
                order.insert("account_id".to_owned(), json!(id));
                order
            })
            .collect();
        let sent = queue.send(&orders).await;
        let answers = accounts.into_iter().zip(sent).map(|(id, sent)| match sent {
            Ok(()) => AccountAnswer::queued(id),
            Err(error) => AccountAnswer::failed(id, Problem::from(error)),
        });
        answers.collect()
    }
}
