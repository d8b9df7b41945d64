//! SNS: telling people.

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use super::error::{CallError, Input};
use crate::notification::Message;

/// The topic for users and operators.
#[derive(Debug, Clone)]
pub struct Topic {
    pub(super) client: Client,
    pub(super) arn: String,
}

impl Topic {
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
