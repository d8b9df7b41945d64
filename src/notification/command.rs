//! Commands that a reader can paste into a shell, the same in every language.

use std::fmt;

use serde::Serialize;

use super::{Failed, RemediationFailed, SweepHeld};
use crate::identity::{AccountId, UserName};
use crate::secret::SecretArn;

/// An event by which a person invokes this function.
#[derive(Serialize)]
pub(crate) struct Event<'a> {
    action: &'static str,
    account_id: &'a AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a UserName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    force: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_resets: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// The event that approves what is held: as many resets as there are users.
pub(crate) fn approval(account_id: &AccountId, users: usize) -> Event<'_> {
    Event { action: "sweep", account_id, user_name: None, force: None, max_resets: Some(users), dry_run: None }
}

/// Approves what is held.
pub(super) fn approve(held: &SweepHeld<'_>) -> String {
    invoke(held.function_arn, &approval(held.account_id, held.users.len()))
}

/// Shows what approving it would do.
pub(super) fn rehearse(held: &SweepHeld<'_>) -> String {
    let approval = approval(held.account_id, held.users.len());
    invoke(held.function_arn, &Event { dry_run: Some(true), ..approval })
}

/// Tries again what failed, where that can be asked for by hand.
pub(super) fn retry(failure: &RemediationFailed<'_>) -> Option<String> {
    let (action, user_name, force) = match failure.failed {
        Failed::Reset { user_name, forced, .. } => ("reset", Some(user_name), forced.then_some(true)),
        Failed::Sweep | Failed::Account => ("sweep", None, None),
        Failed::Policy => return None,
    };
    let event = Event { action, account_id: failure.account_id, user_name, force, max_resets: None, dry_run: None };
    Some(invoke(failure.function_arn, &event))
}

/// Prints the document in the secret
/// ([`get-secret-value`](https://docs.aws.amazon.com/cli/latest/reference/secretsmanager/get-secret-value.html)).
pub(super) fn read_secret(secret: &SecretArn) -> String {
    let region = secret.region();
    format!(
        "aws secretsmanager get-secret-value --secret-id {secret} --query SecretString --output text --region {region}"
    )
}

/// Waits for the answer, however long it takes: the command would give up after
/// a minute and invoke the function once more
/// ([`invoke`](https://docs.aws.amazon.com/cli/latest/reference/lambda/invoke.html)).
///
/// No event has an apostrophe in it, so the quotes hold.
fn invoke(function_arn: &str, event: &Event<'_>) -> String {
    let function = plain(function_arn);
    let region = match function.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "lambda", region, ..] => format!(" --region {region}"),
        _ => String::new(),
    };
    format!(
        "aws lambda invoke --function-name {function}{region} --cli-binary-format raw-in-base64-out \
         --cli-read-timeout 0 --payload '{event}' answer.json"
    )
}

/// A function's ARN or name without what a shell would act on. `$LATEST` is what
/// is invoked anyway where no version is named.
fn plain(function_arn: &str) -> String {
    let legal = |c: &char| c.is_ascii_alphanumeric() || ":_-.".contains(*c);
    function_arn.trim_end_matches(":$LATEST").chars().filter(legal).take(256).collect()
}
