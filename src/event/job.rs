//! What a sweep puts on the work queue: one job a user.

use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::identity::{AccountId, UserId, UserName};

use super::finding::{FindingRef, UserRef};
use super::{ResetOrder, Unsupported};

/// The ages that IAM lets a password policy set, in days.
const AGES: RangeInclusive<u16> = 1..=1095;

/// The body of a message that this function writes to its own queue and reads
/// back. `serde_json::to_string` makes the body; [`parse`](super::parse) takes
/// it within an SQS batch only. It cannot force anything: whoever runs the job
/// looks at the user again.
///
/// ```json
/// {"job":"reset","account_id":"123456789012","user_name":"alice","user_id":"AIDA…","max_age_days":90,"dry_run":false}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "lowercase", deny_unknown_fields)]
pub enum Job {
    /// A new password for one user, if theirs is still too old.
    Reset {
        /// The account of the user.
        account_id: AccountId,
        /// The name of the user when the job was written.
        user_name: UserName,
        /// The user's unique id: a later user of this name is not meant.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "as_written")]
        user_id: Option<UserId>,
        /// The age beyond which the password is too old, 1 to 1095 days; none
        /// leaves it to the configuration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_age_days: Option<u16>,
        /// Read everything, write nothing.
        #[serde(default)]
        dry_run: bool,
        /// The finding that led to the sweep.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        finding: Option<FindingRef>,
    },
}

/// A unique id as IAM answered it when the job was written: it is compared, not
/// looked up, so its form is IAM's business.
fn as_written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UserId>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(|id| UserId::from_iam(&id)))
}

impl Job {
    /// Reads the body of a message that has a `job`.
    pub(super) fn order(body: &Value) -> Result<ResetOrder, Unsupported> {
        const EXPECTED: &str = "a job as this function queues it (`job`: `reset`, `account_id`, `user_name` and \
            perhaps `user_id`, `max_age_days`, `dry_run`, `finding`)";
        let Self::Reset { account_id, user_name, user_id, max_age_days, dry_run, finding } =
            Self::deserialize(body).map_err(|_| Unsupported::new(EXPECTED, "other fields or types"))?;
        if max_age_days.is_some_and(|days| !AGES.contains(&days)) {
            return Err(Unsupported::new("`max_age_days` from 1 to 1095", "another number"));
        }
        Ok(ResetOrder {
            user: UserRef::Named { account_id, name: user_name, id: user_id },
            force: false,
            dry_run,
            max_age_days,
            finding,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::json;

    use super::*;
    use crate::event::finding::{OcsfStatus, Workflow};

    fn any_finding() -> impl Strategy<Value = FindingRef> {
        use OcsfStatus as S;
        let workflows =
            select(vec![Workflow::New, Workflow::Notified, Workflow::Resolved, Workflow::Suppressed, Workflow::Other]);
        let statuses =
            select(vec![S::New, S::InProgress, S::Suppressed, S::Resolved, S::Archived, S::Deleted, S::Other]);
        prop_oneof![
            (any::<String>(), any::<String>(), option::of(any::<String>()), workflows)
                .prop_map(|(id, product_arn, region, workflow)| FindingRef::Asff { id, product_arn, region, workflow }),
            ("[0-9]{12}", any::<String>(), any::<String>(), option::of(any::<String>()), statuses).prop_map(
                |(account_uid, finding_uid, product_uid, metadata_uid, status)| FindingRef::Ocsf {
                    account_uid: account_uid.parse().unwrap(),
                    finding_uid,
                    product_uid,
                    metadata_uid,
                    status,
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn a_job_read_back_is_the_job_that_was_written(
            account_id in "[0-9]{12}",
            user_name in "[A-Za-z0-9+=,.@_-]{1,64}",
            user_id in option::of("[A-Za-z0-9]{1,128}"),
            max_age_days in option::of(AGES),
            dry_run in any::<bool>(),
            finding in option::of(any_finding()),
        ) {
            let job = Job::Reset {
                account_id: account_id.parse().unwrap(),
                user_name: user_name.parse().unwrap(),
                user_id: user_id.as_deref().map(UserId::from_iam),
                max_age_days,
                dry_run,
                finding: finding.clone(),
            };
            let body = serde_json::to_string(&job).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Job>(&body).unwrap(), &job);
            let order = Job::order(&serde_json::from_str(&body).unwrap()).unwrap();
            prop_assert_eq!(order, ResetOrder {
                user: UserRef::Named {
                    account_id: account_id.parse().unwrap(),
                    name: user_name.parse().unwrap(),
                    id: user_id.as_deref().map(UserId::from_iam),
                },
                force: false,
                dry_run,
                max_age_days,
                finding,
            });
        }
    }

    #[test]
    fn the_form_of_a_job_on_the_queue_is_fixed() {
        let job = Job::Reset {
            account_id: "123456789012".parse().unwrap(),
            user_name: "alice".parse().unwrap(),
            user_id: None,
            max_age_days: None,
            dry_run: false,
            finding: Some(FindingRef::Asff {
                id: "i".to_owned(),
                product_arn: "p".to_owned(),
                region: None,
                workflow: Workflow::New,
            }),
        };
        assert_eq!(
            serde_json::to_value(&job).unwrap(),
            json!({
                "job": "reset", "account_id": "123456789012", "user_name": "alice", "dry_run": false,
                "finding": { "asff": { "id": "i", "product_arn": "p", "workflow": "NEW" } },
            })
        );
    }

    #[test]
    fn a_job_of_another_form_is_refused() {
        for body in [
            json!({ "job": "sweep", "account_id": "123456789012" }),
            json!({ "job": "reset", "account_id": "123456789012" }),
            json!({ "job": "reset", "account_id": "12345", "user_name": "alice" }),
            json!({ "job": "reset", "account_id": "123456789012", "user_name": "a b" }),
            json!({ "job": "reset", "account_id": "123456789012", "user_name": "alice", "force": true }),
            json!({ "job": "reset", "account_id": "123456789012", "user_name": "alice", "password": "hunter2" }),
            json!({ "job": "reset", "account_id": "123456789012", "user_name": "alice", "max_age_days": 0 }),
            json!({ "job": "reset", "account_id": "123456789012", "user_name": "alice", "max_age_days": 1096 }),
            json!({ "job": "reset", "account_id": "123456789012", "user_name": "alice", "finding": {} }),
        ] {
            let problem = Job::order(&body).unwrap_err().to_string();
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }
}
