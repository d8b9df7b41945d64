//! SNS: telling people, and who is told.

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use serde_json::json;

use super::error::{CallError, Input};
use crate::identity::{AccountId, UserName};
use crate::notification::Message;

/// The topic for users and operators.
#[derive(Debug, Clone)]
pub struct Topic {
    pub(super) client: Client,
    pub(super) arn: String,
}

/// How a subscription ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscribed {
    /// The address has a message to confirm, or had confirmed before.
    Done(String),
    /// The topic has as many filter policies as it may have.
    QuotaExceeded,
    /// The address is subscribed already, for something else.
    TakenByOther,
}

impl Topic {
    /// Subscribes an address to the messages for one user, and to no others.
    /// SNS takes an address once for a topic
    /// ([Subscribe](https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html)).
    ///
    /// # Errors
    ///
    /// A call that failed for another reason.
    pub async fn subscribe(
        &self,
        address: &str,
        account_id: &AccountId,
        user: &UserName,
    ) -> Result<Subscribed, CallError> {
        const OPERATION: &str = "sns:Subscribe";
        let policy = json!({ "account_id": [account_id], "user_name": [user] }).to_string();
        let answer = self
            .client
            .subscribe()
            .topic_arn(&self.arn)
            .protocol("email")
            .endpoint(address)
            .return_subscription_arn(true)
            .attributes("FilterPolicyScope", "MessageAttributes")
            .attributes("FilterPolicy", policy)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let arn = answer.subscription_arn().ok_or_else(|| CallError::incomplete(OPERATION, "ARN"))?;
                Ok(Subscribed::Done(arn.to_owned()))
            }
            Err(error) => {
                let error = CallError::new(OPERATION, Input::Plain, &error);
                if error.is(&["FilterPolicyLimitExceeded", "SubscriptionLimitExceeded"]) {
                    return Ok(Subscribed::QuotaExceeded);
                }
                let is_taken = error.is(&["InvalidParameter"])
                    && error.message.as_ref().is_some_and(|message| message.contains("already exists"));
                if is_taken { Ok(Subscribed::TakenByOther) } else { Err(error) }
            }
        }
    }

    /// Ends a subscription. One that is not confirmed ends by itself.
    ///
    /// # Errors
    ///
    /// A call that failed for another reason.
    pub async fn unsubscribe(&self, subscription_arn: &str) -> Result<(), CallError> {
        match self.client.unsubscribe().subscription_arn(subscription_arn).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = CallError::new("sns:Unsubscribe", Input::Plain, &error);
                if error.is(&["NotFound", "InvalidParameter"]) { Ok(()) } else { Err(error) }
            }
        }
    }

    /// Publishes a message.
    ///
    /// # Errors
    ///
    /// A call that failed. The message may have gone out all the same.
    pub async fn publish(&self, message: &Message) -> Result<(), CallError> {
        let mut request = self
            .client
            .publish()
            .topic_arn(&self.arn)
            .subject(&message.subject)
            .message(&message.body)
            .message_structure("json");
        for (name, value) in &message.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            let value = value.map_err(|_| CallError::incomplete("sns:Publish", "attribute type"))?;
            request = request.message_attributes(*name, value);
        }
        let answer = request.send().await;
        answer.map(drop).map_err(|error| CallError::new("sns:Publish", Input::Plain, &error))
    }
}
