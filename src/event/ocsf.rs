//! Findings of Security Hub (V2): OCSF 1.x, class
//! [Compliance Finding](https://schema.ocsf.io/1.6.0/classes/compliance_finding)
//! ([OCSF findings in Security Hub](https://docs.aws.amazon.com/securityhub/latest/userguide/ocsf-findings.html)).
//!
//! Each enumeration comes twice, as a number and as its caption. Either may be
//! missing; where the two contradict each other, the finding does not count.

use serde::Deserialize;
use serde_json::Value;

use crate::identity::AccountId;

use super::control::{Claims, Parameters};
use super::finding::{FindingRef, IgnoredReason, OcsfStatus};
use super::resource::Resource;
use super::screening::{Check, Objection, Statement};
use super::wire::{self, Lenient, Misshapen, Object, Text, documented};

/// `class_uid` of a Compliance Finding.
const COMPLIANCE_FINDING: i64 = 2003;
/// `compliance.status_id` of a check that failed.
const FAIL: (i64, &str) = (3, "Fail");
/// What else `compliance.status` may be.
const NOT_FAIL: [&str; 4] = ["Unknown", "Pass", "Warning", "Other"];
/// `activity_id` of a finding that is no longer active.
const CLOSE: (i64, &str) = (3, "Close");
/// `status_id` and `status`.
const STATUSES: [(i64, &str, OcsfStatus); 6] = [
    (1, "New", OcsfStatus::New),
    (2, "In Progress", OcsfStatus::InProgress),
    (3, "Suppressed", OcsfStatus::Suppressed),
    (4, "Resolved", OcsfStatus::Resolved),
    (5, "Archived", OcsfStatus::Archived),
    (6, "Deleted", OcsfStatus::Deleted),
];

/// What tells whether the rest is of any interest: findings of other classes
/// have other fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Class {
    class_uid: Option<i64>,
}

/// A finding as it comes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ocsf {
    activity_id: Option<i64>,
    activity_name: Text,
    cloud: Object<Cloud>,
    /// What Security Hub calls a comment
    /// ([BatchUpdateFindingsV2](https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2.html)).
    comment: Lenient<Text>,
    compliance: Object<Compliance>,
    finding_info: Object<FindingInfo>,
    metadata: Object<Metadata>,
    /// One that is not of the expected form is of no type: it is nobody.
    resources: Option<Vec<Lenient<Object<OcsfResource>>>>,
    status: Text,
    status_id: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cloud {
    account: Object<Uid>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Uid {
    uid: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Compliance {
    control: Text,
    control_parameters: Parameters,
    status: Text,
    status_id: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FindingInfo {
    uid: Text,
    analytic: Object<Analytic>,
}

/// The Config rule behind the check.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Analytic {
    name: Text,
    uid: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    product: Object<Product>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Product {
    uid: Text,
    /// Security Hub calls its uid the generator id
    /// ([automation rules](https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-automation-rules.html)).
    feature: Object<Uid>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OcsfResource {
    r#type: Lenient<Text>,
    uid_alt: Lenient<Text>,
    uid: Lenient<Text>,
    name: Lenient<Text>,
    owner: Lenient<Object<Owner>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Owner {
    account: Lenient<Object<Uid>>,
}

/// An enumeration's number and caption.
#[derive(Clone, Copy)]
struct Enumerated<'a> {
    id: Option<i64>,
    caption: Option<&'a str>,
}

impl Enumerated<'_> {
    /// Both are `(id, caption)`, or one is and the other is not said.
    fn is(self, (id, caption): (i64, &str)) -> bool {
        !self.is_unsaid() && self.id.is_none_or(|told| told == id) && self.caption.is_none_or(|told| told == caption)
    }

    /// One of the two says so.
    fn may_be(self, (id, caption): (i64, &str)) -> bool {
        self.id == Some(id) || self.caption == Some(caption)
    }

    fn is_unsaid(self) -> bool {
        self.id.is_none() && self.caption.is_none()
    }

    /// What it says, with its caption only if that is one of the `captions`.
    fn told(self, captions: &[&str]) -> String {
        match (self.caption, self.id) {
            (Some(_), Some(id)) => format!("{} ({id})", documented(self.caption, captions)),
            (None, Some(id)) => id.to_string(),
            (_, None) => documented(self.caption, captions),
        }
    }
}

impl Ocsf {
    fn status(&self) -> OcsfStatus {
        let told = Enumerated { id: self.status_id, caption: self.status.as_deref() };
        let is = |&(id, caption, status): &(i64, &str, _)| told.is((id, caption)).then_some(status);
        STATUSES.iter().find_map(is).unwrap_or(OcsfStatus::Other)
    }

    fn check(&self) -> Check {
        let told = Enumerated { id: self.compliance.status_id, caption: self.compliance.status.as_deref() };
        if told.is_unsaid() {
            return Check::NotSaid;
        }
        if told.is(FAIL) {
            return Check::Failed;
        }
        let captions = [&NOT_FAIL[..], &[FAIL.1]].concat();
        Check::Other(format!("compliance.status is {}", told.told(&captions)))
    }

    /// `New` or `In Progress`, and not closed.
    fn objection(&self) -> Option<Objection> {
        let activity = Enumerated { id: self.activity_id, caption: self.activity_name.as_deref() };
        if activity.may_be(CLOSE) {
            let detail = format!("activity_name is {}", activity.told(&[CLOSE.1]));
            return Some(Objection::new(IgnoredReason::Archived, detail));
        }
        let reason = match self.status() {
            OcsfStatus::New | OcsfStatus::InProgress => return None,
            OcsfStatus::Archived | OcsfStatus::Deleted => IgnoredReason::Archived,
            OcsfStatus::Suppressed => IgnoredReason::Suppressed,
            OcsfStatus::Resolved | OcsfStatus::Other => IgnoredReason::AlreadyHandled,
        };
        let status = Enumerated { id: self.status_id, caption: self.status.as_deref() };
        let detail = format!("status is {}", status.told(&STATUSES.map(|(_, caption, _)| caption)));
        Some(Objection::new(reason, detail))
    }
}

/// Reads one finding.
pub(super) fn statement(finding: &Value) -> Result<Statement, Objection> {
    match wire::read::<Class>(finding)?.class_uid {
        Some(COMPLIANCE_FINDING) => {}
        Some(other) => {
            return Err(Objection::new(IgnoredReason::UnsupportedControl, format!("class_uid is {other}")));
        }
        None => return Err(Misshapen::missing("class_uid").into()),
    }
    let ocsf: Ocsf = wire::read(finding)?;
    let (check, state, status) = (ocsf.check(), ocsf.objection(), ocsf.status());
    let (info, product) = (ocsf.finding_info.0, ocsf.metadata.0.product.0);
    let id = info.uid.needed("finding_info.uid")?;
    let account = ocsf.cloud.0.account.0.uid.needed("cloud.account.uid")?;
    let account: AccountId = account.parse().map_err(|_| Misshapen("cloud.account.uid is not 12 digits".to_owned()))?;
    let product_uid = product.uid.needed("metadata.product.uid")?;
    let (generator, control) = (product.feature.0.uid.0, ocsf.compliance.0.control.0);
    let analytic = info.analytic.0;
    Ok(Statement {
        reference: FindingRef::Ocsf {
            account_uid: account.clone(),
            finding_uid: id.clone(),
            product_uid: product_uid.clone(),
            status,
        },
        id,
        account,
        note: ocsf.comment.0.0,
        check,
        state,
        product: product_uid,
        labels: [&generator, &analytic.name.0, &analytic.uid.0, &control].into_iter().flatten().cloned().collect(),
        claims: Claims { security_control: control, generator, ..Claims::default() },
        parameters: ocsf.compliance.0.control_parameters,
        resources: ocsf.resources.unwrap_or_default().into_iter().map(|found| resource(found.0.0)).collect(),
    })
}

/// The best id there is of a finding that cannot be read.
pub(super) fn spare_id(finding: &Value) -> Option<&str> {
    wire::first_text(finding, &["/finding_info/uid", "/metadata/uid"])
}

fn resource(found: OcsfResource) -> Resource {
    Resource {
        kind: found.r#type.0.0.unwrap_or_default(),
        ids: found.uid_alt.0.0.into_iter().chain(found.uid.0.0).collect(),
        user_name: found.name.0.0,
        user_id: None,
        owner: found.owner.0.0.account.0.0.uid.0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn finding() -> Value {
        json!({
            "class_uid": 2003,
            "activity_id": 1,
            "cloud": { "account": { "uid": "123456789012" }, "provider": "AWS", "region": "us-east-1" },
            "compliance": { "control": "IAM.7", "status": "Fail", "status_id": 3 },
            "finding_info": { "uid": "finding-1", "created_time": 1_795_161_600_000_i64 },
            "metadata": { "product": { "uid": "arn:aws:securityhub:us-east-1::productv2/aws/securityhub" }, "uid": "m" },
            "resources": [{ "type": "AWS::::Account", "uid": "123456789012" }],
            "status": "New",
            "status_id": 1,
            "time": 1_795_161_600_000_i64,
        })
    }

    fn objection(changes: &Value) -> Option<(IgnoredReason, String)> {
        let mut finding = finding();
        for (path, value) in changes.as_object().unwrap() {
            let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
            let mut place = &mut finding;
            for step in parents.split('.').filter(|step| !step.is_empty()) {
                place = &mut place[step];
            }
            place[last] = value.clone();
        }
        let objection = match statement(&finding) {
            Ok(Statement { check: Check::Other(detail), .. }) => Objection::new(IgnoredReason::NotFailed, detail),
            Ok(Statement { check: Check::NotSaid, .. }) => Objection::new(IgnoredReason::NotFailed, "not said"),
            Ok(statement) => statement.state?,
            Err(objection) => objection,
        };
        Some((objection.reason, objection.detail))
    }

    #[test]
    fn fail_and_new_or_in_progress_counts_by_number_or_caption() {
        for changes in [
            json!({}),
            json!({ "status": "In Progress", "status_id": 2 }),
            json!({ "status": null }),
            json!({ "status_id": null }),
            json!({ "status": null, "status_id": 2 }),
            json!({ "compliance.status": null }),
            json!({ "compliance.status_id": null }),
            json!({ "activity_id": 2, "activity_name": "Update" }),
            json!({ "activity_id": null }),
            json!({ "compliance.control_parameters": "none" }),
        ] {
            assert_eq!(objection(&changes), None, "{changes}");
        }
    }

    #[test]
    fn any_other_state_is_an_objection() {
        for (changes, reason) in [
            (json!({ "compliance.status": "Pass", "compliance.status_id": 1 }), IgnoredReason::NotFailed),
            (json!({ "compliance.status": "Warning", "compliance.status_id": 2 }), IgnoredReason::NotFailed),
            (json!({ "compliance.status": "Pass" }), IgnoredReason::NotFailed),
            (json!({ "compliance.status_id": 1 }), IgnoredReason::NotFailed),
            (json!({ "compliance.status": "FAIL", "compliance.status_id": null }), IgnoredReason::NotFailed),
            (json!({ "compliance": null }), IgnoredReason::NotFailed),
            (json!({ "status": "Suppressed", "status_id": 3 }), IgnoredReason::Suppressed),
            (json!({ "status": "Resolved", "status_id": 4 }), IgnoredReason::AlreadyHandled),
            (json!({ "status": "Archived", "status_id": 5 }), IgnoredReason::Archived),
            (json!({ "status": "Deleted", "status_id": 6 }), IgnoredReason::Archived),
            (json!({ "status": "Unknown", "status_id": 0 }), IgnoredReason::AlreadyHandled),
            (json!({ "status": "Waiting", "status_id": 99 }), IgnoredReason::AlreadyHandled),
            (json!({ "status": null, "status_id": null }), IgnoredReason::AlreadyHandled),
            (json!({ "status": "New", "status_id": 3 }), IgnoredReason::AlreadyHandled),
            (json!({ "activity_id": 3, "activity_name": "Close" }), IgnoredReason::Archived),
            (json!({ "activity_name": "Close" }), IgnoredReason::Archived),
        ] {
            assert_eq!(objection(&changes).map(|(reason, _)| reason), Some(reason), "{changes}");
        }
    }

    #[test]
    fn another_class_is_not_ours_and_no_class_is_malformed() {
        let vulnerability = objection(&json!({ "class_uid": 2002 }));
        assert_eq!(vulnerability, Some((IgnoredReason::UnsupportedControl, "class_uid is 2002".to_owned())));
        for (changes, detail) in [
            (json!({ "class_uid": null }), "class_uid is missing"),
            (json!({ "class_uid": "2003" }), "class_uid must not be a string"),
            (json!({ "finding_info": null }), "finding_info.uid is missing"),
            (json!({ "cloud": null }), "cloud.account.uid is missing"),
            (json!({ "cloud.account": { "uid": "12345" } }), "cloud.account.uid is not 12 digits"),
            (json!({ "metadata": {} }), "metadata.product.uid is missing"),
            (json!({ "status_id": 1.5 }), "status_id must not be a number with a fraction"),
            (json!({ "resources": {} }), "resources must not be an object"),
        ] {
            assert_eq!(objection(&changes), Some((IgnoredReason::Malformed, detail.to_owned())), "{changes}");
        }
    }

    #[test]
    fn the_reference_holds_what_an_update_needs() {
        assert_eq!(
            statement(&finding()).unwrap().reference,
            FindingRef::Ocsf {
                account_uid: "123456789012".parse().unwrap(),
                finding_uid: "finding-1".to_owned(),
                product_uid: "arn:aws:securityhub:us-east-1::productv2/aws/securityhub".to_owned(),
                status: OcsfStatus::New,
            }
        );
    }

    #[test]
    fn a_users_arn_and_unique_id_are_both_taken() {
        let mut finding = finding();
        finding["resources"] = json!([{
            "type": "AWS::IAM::User",
            "uid": "AIDACKCEVSQ6C2EXAMPLE",
            "uid_alt": "arn:aws:iam::123456789012:user/alice",
        }]);
        assert_eq!(
            statement(&finding).unwrap().resources[0].ids,
            ["arn:aws:iam::123456789012:user/alice", "AIDACKCEVSQ6C2EXAMPLE"]
        );
    }

    #[test]
    fn an_unreadable_finding_goes_by_its_next_best_id() {
        assert_eq!(spare_id(&json!({ "finding_info": { "uid": "a" }, "metadata": { "uid": "b" } })), Some("a"));
        assert_eq!(spare_id(&json!({ "finding_info": 1, "metadata": { "uid": "b" } })), Some("b"));
        assert_eq!(spare_id(&json!([])), None);
    }

    #[test]
    fn a_state_is_repeated_only_if_it_is_documented() {
        for (changes, told) in [
            (json!({ "compliance.status": "Pass", "compliance.status_id": 1 }), "compliance.status is `Pass` (1)"),
            (json!({ "compliance.status": "hunter2" }), "compliance.status is none of the documented ones (3)"),
            (json!({ "status": "Suppressed", "status_id": null }), "status is `Suppressed`"),
            (json!({ "status": "hunter2" }), "status is none of the documented ones (1)"),
            (json!({ "status": null, "status_id": null }), "status is not said"),
            (json!({ "status": null, "status_id": 4 }), "status is 4"),
            (
                json!({ "activity_id": 3, "activity_name": "hunter2" }),
                "activity_name is none of the documented ones (3)",
            ),
        ] {
            assert_eq!(objection(&changes).map(|(_, detail)| detail), Some(told.to_owned()), "{changes}");
        }
    }
}
