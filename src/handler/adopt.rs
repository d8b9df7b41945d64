//! Taking over secrets that the ledger does not know, after it was lost.

use futures_util::stream::{self, StreamExt};

use super::{App, CONCURRENCY, Invocation};
use crate::answer::{Problem, SecretAnswer, SecretOutcome};
use crate::aws::{Account, ListedSecret};
use crate::event::AdoptOrder;
use crate::ledger::UserKey;
use crate::secret::{PENDING, SecretName};

impl App {
    /// Takes over every secret of the account that carries this function's tags
    /// and the name that it would give it. A person asked for it: only they can
    /// know that nobody planted one.
    pub(super) async fn adopt_all(
        &self,
        invocation: &Invocation,
        order: &AdoptOrder,
        is_dry_run: bool,
    ) -> Result<Vec<SecretAnswer>, Problem> {
        let account = self.aws.account(&invocation.home, &order.account_id).await?;
        let listed = account.secrets.list(&format!("{}/{}/", self.config.secret_prefix, account.id)).await?;
        let answers = stream::iter(listed).map(async |secret| {
            let outcome = self.adopt(&account, &secret, is_dry_run).await.unwrap_or_else(SecretOutcome::Failed);
            let answer = SecretAnswer { account_id: account.id.clone(), secret_arn: secret.state.arn, outcome };
            tracing::info!(account_id = %account.id, secret_arn = %answer.secret_arn, decision = answer.status(), "adopt");
            answer
        });
        Ok(answers.buffered(CONCURRENCY).collect().await)
    }

    async fn adopt(
        &self,
        account: &Account,
        listed: &ListedSecret,
        is_dry_run: bool,
    ) -> Result<SecretOutcome, Problem> {
        let Some(user) = &listed.user else { return Ok(SecretOutcome::Mismatched) };
        let name = SecretName::new(&self.config.secret_prefix, &account.id, user);
        // The list may be older than the secret, and the name is what counts.
        let secret = account.secrets.describe(&name).await?.filter(|secret| secret.arn == listed.state.arn);
        let Some(secret) = secret else { return Ok(SecretOutcome::Mismatched) };
        let key = UserKey::new(&account.id, user);
        let mut entries = self.aws.ledger().entries(std::slice::from_ref(&key)).await?;
        if entries.remove(&key).is_some_and(|entry| entry.owns(&secret)) {
            return Ok(SecretOutcome::Known);
        }
        if is_dry_run {
            return Ok(SecretOutcome::WouldAdopt);
        }
        // An attempt that the lost ledger knew may have been under way.
        let in_doubt = secret.leftovers().into_iter().map(|(version, _)| version);
        let versions: Vec<_> = in_doubt.chain(secret.holder(PENDING).cloned()).collect();
        self.aws.ledger().adopt(&key, &secret.arn, &versions).await?;
        Ok(SecretOutcome::Adopted)
    }
}
