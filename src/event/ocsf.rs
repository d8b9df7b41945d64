//! Findings of Security Hub (V2): OCSF 1.x, class
//! [Compliance Finding](https://schema.ocsf.io/1.6.0/classes/compliance_finding)
//! ([OCSF findings in Security Hub](https://docs.aws.amazon.com/securityhub/latest/userguide/ocsf-findings.html)).
//!
//! Each enumeration comes twice, as a number and as its caption. Either may be
//! missing; where the two contradict each other, the finding does not count.

use serde_json::Value;

use crate::identity::AccountId;

use super::control::{Claims, Parameters};
use super::finding::{FindingRef, IgnoredReason, OcsfStatus};
use super::resource::Resource;
use super::screening::{Objection, Report};
use super::wire::{self, Misshapen, excerpt};

/// `class_uid` of a Compliance Finding.
const COMPLIANCE_FINDING: i64 = 2003;
/// `compliance.status_id` of a check that failed: 1 is pass, 2 warning, 3 fail.
const FAIL: (i64, &str) = (3, "Fail");
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

/// An enumeration's number and caption.
#[derive(Clone, Copy)]
struct Enumerated<'a> {
    id: Option<i64>,
    caption: Option<&'a str>,
}

impl<'a> Enumerated<'a> {
    fn read(finding: &'a Value, id: &str, caption: &str) -> Result<Self, Misshapen> {
        Ok(Self { id: wire::integer(finding, id)?, caption: wire::text(finding, caption)? })
    }

    /// Both are `(id, caption)`, or one is and the other is not said.
    fn is(self, (id, caption): (i64, &str)) -> bool {
        (self.id.is_some() || self.caption.is_some())
            && self.id.is_none_or(|told| told == id)
            && self.caption.is_none_or(|told| told == caption)
    }

    /// One of the two says so.
    fn may_be(self, (id, caption): (i64, &str)) -> bool {
        self.id == Some(id) || self.caption == Some(caption)
    }

    fn told(self) -> String {
        match (self.caption, self.id) {
            (Some(caption), Some(id)) => format!("{} ({id})", excerpt(caption)),
            (Some(caption), None) => excerpt(caption),
            (None, Some(id)) => id.to_string(),
            (None, None) => "nothing".to_owned(),
        }
    }
}

/// As close to the wire as possible: texts, numbers or nothing.
struct RawFinding<'a> {
    finding_uid: &'a str,
    account_uid: &'a str,
    product_uid: &'a str,
    metadata_uid: Option<&'a str>,
    feature_uid: Option<&'a str>,
    status: Enumerated<'a>,
    activity: Enumerated<'a>,
    compliance_status: Enumerated<'a>,
    control: Option<&'a str>,
    analytic_uid: Option<&'a str>,
    analytic_name: Option<&'a str>,
    parameters: &'a [Value],
    resources: &'a [Value],
}

impl<'a> RawFinding<'a> {
    fn read(finding: &'a Value) -> Result<Self, Misshapen> {
        let text = |path| wire::text(finding, path);
        let needed = |path| text(path)?.ok_or_else(|| Misshapen::missing(path));
        Ok(Self {
            finding_uid: needed("finding_info.uid")?,
            account_uid: needed("cloud.account.uid")?,
            product_uid: needed("metadata.product.uid")?,
            metadata_uid: text("metadata.uid")?,
            feature_uid: text("metadata.product.feature.uid")?,
            status: Enumerated::read(finding, "status_id", "status")?,
            activity: Enumerated::read(finding, "activity_id", "activity_name")?,
            compliance_status: Enumerated::read(finding, "compliance.status_id", "compliance.status")?,
            control: text("compliance.control")?,
            analytic_uid: text("finding_info.analytic.uid")?,
            analytic_name: text("finding_info.analytic.name")?,
            // Parameters that cannot be read count as not set.
            parameters: wire::list(finding, "compliance.control_parameters").unwrap_or_default(),
            resources: wire::list(finding, "resources")?,
        })
    }

    fn status(&self) -> OcsfStatus {
        let is = |&(id, caption, status): &(i64, &str, _)| self.status.is((id, caption)).then_some(status);
        STATUSES.iter().find_map(is).unwrap_or(OcsfStatus::Other)
    }

    /// `Fail`, and `New` or `In Progress`, and not closed.
    fn objection(&self) -> Option<Objection> {
        if !self.compliance_status.is(FAIL) {
            let detail = format!("compliance.status is {}", self.compliance_status.told());
            return Some(Objection::new(IgnoredReason::NotFailed, detail));
        }
        if self.activity.may_be(CLOSE) {
            let detail = format!("activity_name is {}", self.activity.told());
            return Some(Objection::new(IgnoredReason::Archived, detail));
        }
        let reason = match self.status() {
            OcsfStatus::New | OcsfStatus::InProgress => return None,
            OcsfStatus::Archived | OcsfStatus::Deleted => IgnoredReason::Archived,
            OcsfStatus::Suppressed => IgnoredReason::Suppressed,
            OcsfStatus::Resolved | OcsfStatus::Other => IgnoredReason::AlreadyHandled,
        };
        Some(Objection::new(reason, format!("status is {}", self.status.told())))
    }
}

/// Reads one finding.
pub(super) fn report(finding: &Value) -> Result<Report<'_>, Objection> {
    match wire::integer(finding, "class_uid")? {
        Some(COMPLIANCE_FINDING) => {}
        Some(other) => {
            return Err(Objection::new(IgnoredReason::UnsupportedControl, format!("class_uid is {other}")));
        }
        None => return Err(Misshapen::missing("class_uid").into()),
    }
    let raw = RawFinding::read(finding)?;
    let account_uid: AccountId =
        raw.account_uid.parse().map_err(|_| Misshapen("cloud.account.uid is not 12 digits".to_owned()))?;
    Ok(Report {
        id: raw.finding_uid,
        reference: FindingRef::Ocsf {
            account_uid,
            finding_uid: raw.finding_uid.to_owned(),
            product_uid: raw.product_uid.to_owned(),
            metadata_uid: raw.metadata_uid.map(str::to_owned),
            status: raw.status(),
        },
        account: Some(raw.account_uid),
        state: raw.objection(),
        product: raw.product_uid,
        // Security Hub calls metadata.product.feature.uid the generator id:
        // https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-automation-rules.html
        claims: Claims { security_control: raw.control, generator: raw.feature_uid, ..Claims::default() },
        // finding_info.analytic is the Config rule behind the check.
        labels: [raw.feature_uid, raw.analytic_name, raw.analytic_uid, raw.control].into_iter().flatten().collect(),
        parameters: Parameters::read(raw.parameters, "name", "values"),
        resources: raw.resources.iter().map(resource).collect(),
    })
}

/// The best id there is of a finding that cannot be read.
pub(super) fn spare_id(finding: &Value) -> Option<&str> {
    let text = |path| wire::text(finding, path).ok().flatten();
    text("finding_info.uid").or_else(|| text("metadata.uid"))
}

/// A resource that is not of the expected form is one of no type: it is nobody.
fn resource(resource: &Value) -> Resource<'_> {
    let text = |path| wire::text(resource, path).ok().flatten();
    Resource {
        kind: text("type").unwrap_or_default(),
        ids: text("uid_alt").into_iter().chain(text("uid")).collect(),
        user_name: text("name"),
        user_id: None,
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
        let objection = match report(&finding) {
            Ok(report) => report.state?,
            Err(objection) => objection,
        };
        Some((objection.reason, objection.detail.unwrap()))
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
            (json!({ "class_uid": "2003" }), "class_uid is a string, not a whole number"),
            (json!({ "finding_info": null }), "finding_info.uid is missing"),
            (json!({ "cloud": null }), "cloud.account.uid is missing"),
            (json!({ "cloud.account": { "uid": "12345" } }), "cloud.account.uid is not 12 digits"),
            (json!({ "metadata": {} }), "metadata.product.uid is missing"),
            (json!({ "status_id": 1.5 }), "status_id is a number, not a whole number"),
            (json!({ "resources": {} }), "resources is an object, not a list"),
        ] {
            assert_eq!(objection(&changes), Some((IgnoredReason::Malformed, detail.to_owned())), "{changes}");
        }
    }

    #[test]
    fn the_reference_holds_what_an_update_needs() {
        assert_eq!(
            report(&finding()).unwrap().reference,
            FindingRef::Ocsf {
                account_uid: "123456789012".parse().unwrap(),
                finding_uid: "finding-1".to_owned(),
                product_uid: "arn:aws:securityhub:us-east-1::productv2/aws/securityhub".to_owned(),
                metadata_uid: Some("m".to_owned()),
                status: OcsfStatus::New,
            }
        );
    }

    #[test]
    fn a_users_arn_and_unique_id_are_both_taken() {
        let user = json!({
            "type": "AWS::IAM::User",
            "uid": "AIDACKCEVSQ6C2EXAMPLE",
            "uid_alt": "arn:aws:iam::123456789012:user/alice",
        });
        assert_eq!(resource(&user).ids, ["arn:aws:iam::123456789012:user/alice", "AIDACKCEVSQ6C2EXAMPLE"]);
    }

    #[test]
    fn an_unreadable_finding_goes_by_its_next_best_id() {
        assert_eq!(spare_id(&json!({ "finding_info": { "uid": "a" }, "metadata": { "uid": "b" } })), Some("a"));
        assert_eq!(spare_id(&json!({ "finding_info": 1, "metadata": { "uid": "b" } })), Some("b"));
        assert_eq!(spare_id(&json!([])), None);
    }
}
