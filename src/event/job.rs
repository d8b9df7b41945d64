//! What a sweep puts on the work queue: one job a user.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::identity::{AccountId, UserName};

use super::finding::UserRef;
use super::{ResetOrder, Unsupported};

/// The ages that IAM lets a password policy set, in days.
const AGES: RangeInclusive<u16> = 1..=1095;

/// The body of a message that this function writes to its own queue and reads
/// back. `serde_json::to_string` makes the body; [`parse`](super::parse) takes
/// it within an SQS batch only. It cannot force anything: whoever runs the job
/// looks at the user again. Nor is it held for a person: that was decided when
/// the sweep was planned, and whoever may write to the queue may order a reset
/// by hand just as well.
///
/// ```json
/// {"job":"reset","account_id":"123456789012","user_name":"alice","max_age_days":90}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Job {
    /// A new password for one user, if theirs is still too old.
    Reset {
        /// The account of the user.
        account_id: AccountId,
        /// The name of the user.
        user_name: UserName,
        /// The age beyond which the password is too old, 1 to 1095 days; none
        /// leaves it to the account's policy and the configuration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_age_days: Option<u16>,
    },
}

impl Job {
    /// Reads the body of a message that has a `job`.
    pub(super) fn order(body: &Value) -> Result<ResetOrder, Unsupported> {
        const EXPECTED: &str = "a job as this function queues it (`job`: `reset`, `account_id`, `user_name` and \
            perhaps `max_age_days`)";
        let Self::Reset { account_id, user_name, max_age_days } =
            Self::deserialize(body).map_err(|_| Unsupported::new(EXPECTED, "other fields or types"))?;
        if max_age_days.is_some_and(|days| !AGES.contains(&days)) {
            return Err(Unsupported::new("`max_age_days` from 1 to 1095", "another number"));
        }
        let user = UserRef::Named { account_id, name: user_name };
        Ok(ResetOrder { user, force: false, dry_run: false, max_age_days })
    }
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn a_job_read_back_is_the_job_that_was_written(
            account_id in "[0-9]{12}",
            user_name in "[A-Za-z0-9+=,.@_-]{1,64}",
            max_age_days in option::of(AGES),
        ) {
            let account_id: AccountId = account_id.parse().unwrap();
            let name: UserName = user_name.parse().unwrap();
            let job = Job::Reset { account_id: account_id.clone(), user_name: name.clone(), max_age_days };
            let body = serde_json::to_string(&job).unwrap();
            let order = Job::order(&serde_json::from_str(&body).unwrap()).unwrap();
            prop_assert_eq!(order, ResetOrder {
                user: UserRef::Named { account_id, name },
                force: false,
                dry_run: false,
                max_age_days,
            });
        }
    }

    #[test]
    fn the_form_of_a_job_on_the_queue_is_fixed() {
        let job = Job::Reset {
            account_id: "123456789012".parse().unwrap(),
            user_name: "alice".parse().unwrap(),
            max_age_days: None,
        };
        assert_eq!(
            serde_json::to_value(&job).unwrap(),
            json!({ "job": "reset", "account_id": "123456789012", "user_name": "alice" })
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
        ] {
            let problem = Job::order(&body).unwrap_err().to_string();
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }
}
