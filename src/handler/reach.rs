//! Accounts that the function cannot get into: their findings are passed over
//! and stay as they are, and operators hear of it once a day.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use super::{Alarm, App, CONCURRENCY, Invocation};
use crate::answer::{Problem, UserAnswer};
use crate::aws::{CallError, OutOfReach};
use crate::event::{AuditOrder, Finding, Request, Screened, SweepOrder};
use crate::identity::AccountId;
use crate::notification::{Failed, Notification, RemediationFailed};

/// An account that no retry brings within reach.
#[derive(Debug)]
pub(super) struct Unreached {
    error: OutOfReach,
    /// What it asked for that was passed over.
    pub(super) findings: Vec<Finding>,
}

/// Such accounts.
pub(super) type UnreachedAccounts = BTreeMap<AccountId, Unreached>;

impl App {
    /// Which accounts of a request are out of reach for good. What a person asks
    /// for is tried all the same: whoever presses a button sees it fail. An order
    /// on the queue is one of those for all accounts.
    pub(super) async fn unreached(
        &self,
        invocation: &Invocation,
        request: &Request,
        alarm: Alarm,
    ) -> UnreachedAccounts {
        let accounts: BTreeSet<&AccountId> = match request {
            Request::Findings { findings, by_person: false, .. } => {
                let wanted = findings.iter().filter_map(|screened| match screened {
                    Screened::Wanted(finding) => Some(&finding.account_id),
                    Screened::Ignored(_) => None,
                });
                wanted.collect()
            }
            Request::Sweep(SweepOrder { account_id, .. }) | Request::Audit(AuditOrder { account_id, .. })
                if alarm == Alarm::LeftToQueue =>
            {
                BTreeSet::from([account_id])
            }
            _ => return BTreeMap::new(),
        };
        let tried = stream::iter(accounts).map(async |id| {
            let error = self.aws.account(&invocation.home, id).await.err().filter(OutOfReach::is_lasting)?;
            tracing::warn!(account_id = %id, %error, "the account is out of reach; what it is asked for is passed over");
            Some((id.clone(), Unreached { error, findings: Vec::new() }))
        });
        tried.buffer_unordered(CONCURRENCY).filter_map(std::future::ready).collect().await
    }

    /// Leaves a note on what was passed over, and tells operators. Answers for
    /// the accounts of which they could not be told.
    pub(super) async fn report_unreached(
        &self,
        invocation: &Invocation,
        accounts: &UnreachedAccounts,
    ) -> Vec<UserAnswer> {
        let findings =
            accounts.values().flat_map(|account| account.findings.iter().map(move |it| (it, &account.error)));
        let notes = stream::iter(findings).for_each_concurrent(CONCURRENCY, async |(finding, error)| {
            if let Err(problem) = self.note_unreached(finding, error).await {
                tracing::warn!(finding_id = finding.id, error = %problem, "the finding carries no note");
            }
        });
        let told = stream::iter(accounts).map(async |(id, account)| {
            let error = self.tell_of_unreached(invocation, id, account).await.err()?;
            Some(UserAnswer::of_everyone(id.clone(), Problem::Untold { what: "the account is out of reach", error }))
        });
        let told = told.buffered(CONCURRENCY).filter_map(std::future::ready).collect();
        tokio::join!(notes, told).1
    }

    async fn note_unreached(&self, finding: &Finding, error: &OutOfReach) -> Result<(), CallError> {
        // It is the same each time: what AWS said of this one try is left out.
        let why = match error {
            OutOfReach::NoMemberRole(_) => "MEMBER_ROLE_NAME is not set".to_owned(),
            OutOfReach::NotAssumed { role, .. } => format!("the role {role} is missing or does not trust the function"),
        };
        let note = format!("Nothing was done: account {} is out of reach, as {why}.", finding.account_id);
        let recorded = self.leave_note(finding, &note, "").await?;
        tracing::info!(finding_id = finding.id, ?recorded, "noted that the account is out of reach");
        Ok(())
    }

    async fn tell_of_unreached(
        &self,
        invocation: &Invocation,
        account_id: &AccountId,
        account: &Unreached,
    ) -> Result<(), CallError> {
        let notification = Notification::RemediationFailed(RemediationFailed {
            account_id,
            failed: Failed::Account,
            reason: &account.error.to_string(),
            finding_id: account.findings.first().map(|finding| finding.id.as_str()),
            request_id: Some(&invocation.request_id),
            function_arn: &invocation.function_arn,
        });
        self.publish_once_a_day("account-out-of-reach", account_id, notification).await
    }
}
