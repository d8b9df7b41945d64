//! Findings of Security Hub CSPM, in the
//! [AWS Security Finding Format](https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html).
//!
//! Only what is needed is read, from whatever shape it comes in: most fields
//! are optional, findings of 2019 have no `Workflow`, and events add fields of
//! their own. A field that is needed and of the wrong form makes the finding
//! malformed.

use serde_json::Value;

use super::control::{Claims, Parameters};
use super::finding::{FindingRef, IgnoredReason, Workflow};
use super::resource::Resource;
use super::screening::{Objection, Report};
use super::wire::{self, Misshapen, excerpt};

/// As close to the wire as possible: texts or nothing.
struct RawFinding<'a> {
    id: &'a str,
    product_arn: &'a str,
    generator_id: Option<&'a str>,
    aws_account_id: Option<&'a str>,
    region: Option<&'a str>,
    compliance_status: Option<&'a str>,
    security_control_id: Option<&'a str>,
    record_state: Option<&'a str>,
    workflow_status: Option<&'a str>,
    control_id: Option<&'a str>,
    rule_id: Option<&'a str>,
    standards_control_arn: Option<&'a str>,
    config_rule_name: Option<&'a str>,
    parameters: &'a [Value],
    resources: &'a [Value],
}

impl<'a> RawFinding<'a> {
    fn read(finding: &'a Value) -> Result<Self, Misshapen> {
        let text = |path| wire::text(finding, path);
        Ok(Self {
            id: text("Id")?.ok_or_else(|| Misshapen::missing("Id"))?,
            product_arn: text("ProductArn")?.ok_or_else(|| Misshapen::missing("ProductArn"))?,
            generator_id: text("GeneratorId")?,
            aws_account_id: text("AwsAccountId")?,
            region: text("Region")?,
            compliance_status: text("Compliance.Status")?,
            security_control_id: text("Compliance.SecurityControlId")?,
            record_state: text("RecordState")?,
            workflow_status: text("Workflow.Status")?,
            control_id: text("ProductFields.ControlId")?,
            rule_id: text("ProductFields.RuleId")?,
            standards_control_arn: text("ProductFields.StandardsControlArn")?,
            config_rule_name: text("ProductFields.aws/config/ConfigRuleName")?,
            // Parameters that cannot be read count as not set.
            parameters: wire::list(finding, "Compliance.SecurityControlParameters").unwrap_or_default(),
            resources: wire::list(finding, "Resources")?,
        })
    }

    fn workflow(&self) -> Workflow {
        match self.workflow_status {
            None | Some("NEW") => Workflow::New,
            Some("NOTIFIED") => Workflow::Notified,
            Some("RESOLVED") => Workflow::Resolved,
            Some("SUPPRESSED") => Workflow::Suppressed,
            Some(_) => Workflow::Other,
        }
    }

    /// `FAILED`, `ACTIVE` and `NEW`; the last two may go unsaid.
    fn objection(&self) -> Option<Objection> {
        let told = |status: Option<&str>| status.map_or_else(|| "nothing".to_owned(), excerpt);
        if self.compliance_status != Some("FAILED") {
            let detail = format!("Compliance.Status is {}", told(self.compliance_status));
            return Some(Objection::new(IgnoredReason::NotFailed, detail));
        }
        if !matches!(self.record_state, None | Some("ACTIVE")) {
            let detail = format!("RecordState is {}", told(self.record_state));
            return Some(Objection::new(IgnoredReason::Archived, detail));
        }
        let reason = match self.workflow() {
            Workflow::New => return None,
            Workflow::Suppressed => IgnoredReason::Suppressed,
            Workflow::Notified | Workflow::Resolved | Workflow::Other => IgnoredReason::AlreadyHandled,
        };
        Some(Objection::new(reason, format!("Workflow.Status is {}", told(self.workflow_status))))
    }
}

/// Reads one finding.
pub(super) fn report(finding: &Value) -> Result<Report<'_>, Objection> {
    let raw = RawFinding::read(finding)?;
    Ok(Report {
        id: raw.id,
        reference: FindingRef::Asff {
            id: raw.id.to_owned(),
            product_arn: raw.product_arn.to_owned(),
            region: raw.region.map(str::to_owned),
            workflow: raw.workflow(),
        },
        account: raw.aws_account_id,
        state: raw.objection(),
        product: raw.product_arn,
        claims: Claims {
            security_control: raw.security_control_id,
            rule: raw.control_id.or(raw.rule_id),
            generator: raw.generator_id,
            standards_control_arn: raw.standards_control_arn,
        },
        labels: raw.generator_id.into_iter().chain(raw.config_rule_name).collect(),
        parameters: Parameters::read(raw.parameters, "Name", "Value"),
        resources: raw.resources.iter().map(resource).collect(),
    })
}

/// The best id there is of a finding that cannot be read.
pub(super) fn spare_id(finding: &Value) -> Option<&str> {
    let text = |path| wire::text(finding, path).ok().flatten();
    text("Id").or_else(|| text("ProductFields.aws/securityhub/FindingId"))
}

/// A resource that is not of the expected form is one of no type: it is nobody.
fn resource(resource: &Value) -> Resource<'_> {
    let text = |path| wire::text(resource, path).ok().flatten();
    Resource {
        kind: text("Type").unwrap_or_default(),
        ids: text("Id").into_iter().collect(),
        user_name: text("Details.AwsIamUser.UserName"),
        user_id: text("Details.AwsIamUser.UserId"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn finding() -> Value {
        json!({
            "SchemaVersion": "2018-10-08",
            "Id": "finding-1",
            "ProductArn": "arn:aws:securityhub:us-east-1::product/aws/config",
            "GeneratorId": "arn:aws:config:us-east-1:123456789012:config-rule/config-rule-mburzq",
            "AwsAccountId": "123456789012",
            "Resources": [{ "Type": "AwsIamUser", "Id": "arn:aws:iam::123456789012:user/alice" }],
            "Compliance": { "Status": "FAILED" },
        })
    }

    /// The finding with `value` put at `path`; the objection to its state, or
    /// to its form.
    fn objection(path: &str, value: &Value) -> Option<(IgnoredReason, String)> {
        let mut finding = finding();
        let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
        let mut place = &mut finding;
        for step in parents.split('.').filter(|step| !step.is_empty()) {
            place = &mut place[step];
        }
        place[last] = value.clone();
        let objection = match report(&finding) {
            Ok(report) => report.state?,
            Err(objection) => objection,
        };
        Some((objection.reason, objection.detail.unwrap()))
    }

    #[test]
    fn failed_active_and_new_counts_and_the_last_two_may_go_unsaid() {
        for (path, value) in [
            ("RecordState", json!("ACTIVE")),
            ("RecordState", json!(null)),
            ("Workflow", json!({ "Status": "NEW" })),
            ("Workflow", json!({})),
            ("Workflow", json!(null)),
            ("WorkflowState", json!("NEW")),
            ("Severity", json!({ "Product": 4.0, "Normalized": 40 })),
            ("updatedAt", json!("2026-11-20T08:00:00.000Z")),
            ("approximateArrivalTimestamp", json!(1_795_161_600.123)),
            ("Compliance.SecurityControlParameters", json!("none")),
            ("GeneratorId", json!(null)),
            ("AwsAccountId", json!(null)),
        ] {
            assert_eq!(objection(path, &value), None, "{path} {value}");
        }
    }

    #[test]
    fn any_other_state_is_an_objection() {
        for (path, value, reason) in [
            ("Compliance", json!(null), IgnoredReason::NotFailed),
            ("Compliance.Status", json!("PASSED"), IgnoredReason::NotFailed),
            ("Compliance.Status", json!("WARNING"), IgnoredReason::NotFailed),
            ("Compliance.Status", json!("NOT_AVAILABLE"), IgnoredReason::NotFailed),
            ("Compliance.Status", json!("failed"), IgnoredReason::NotFailed),
            ("RecordState", json!("ARCHIVED"), IgnoredReason::Archived),
            ("RecordState", json!("GONE"), IgnoredReason::Archived),
            ("Workflow", json!({ "Status": "SUPPRESSED" }), IgnoredReason::Suppressed),
            ("Workflow", json!({ "Status": "NOTIFIED" }), IgnoredReason::AlreadyHandled),
            ("Workflow", json!({ "Status": "RESOLVED" }), IgnoredReason::AlreadyHandled),
            ("Workflow", json!({ "Status": "ASSIGNED" }), IgnoredReason::AlreadyHandled),
        ] {
            assert_eq!(objection(path, &value).map(|(reason, _)| reason), Some(reason), "{path} {value}");
        }
    }

    #[test]
    fn a_needed_field_of_the_wrong_form_makes_the_finding_malformed() {
        for (path, value, detail) in [
            ("Id", json!(null), "Id is missing"),
            ("Id", json!(""), "Id is missing"),
            ("Id", json!(7), "Id is a number, not a string"),
            ("ProductArn", json!(null), "ProductArn is missing"),
            ("Compliance", json!("FAILED"), "Compliance is a string, not an object"),
            ("Compliance.Status", json!(true), "Compliance.Status is true or false, not a string"),
            ("Workflow", json!("NEW"), "Workflow is a string, not an object"),
            ("ProductFields", json!([]), "ProductFields is a list, not an object"),
            ("Resources", json!({}), "Resources is an object, not a list"),
            ("AwsAccountId", json!(123_456_789_012_u64), "AwsAccountId is a number, not a string"),
        ] {
            let found = objection(path, &value);
            assert_eq!(found, Some((IgnoredReason::Malformed, detail.to_owned())), "{path} {value}");
        }
        assert_eq!(report(&json!("hunter2")).unwrap_err().detail.unwrap(), "it is a string, not an object");
    }

    #[test]
    fn the_reference_holds_what_an_update_needs() {
        let mut finding = finding();
        finding["Region"] = json!("us-east-1");
        finding["Workflow"] = json!({ "Status": "NOTIFIED" });
        assert_eq!(
            report(&finding).unwrap().reference,
            FindingRef::Asff {
                id: "finding-1".to_owned(),
                product_arn: "arn:aws:securityhub:us-east-1::product/aws/config".to_owned(),
                region: Some("us-east-1".to_owned()),
                workflow: Workflow::Notified,
            }
        );
    }

    #[test]
    fn an_unreadable_finding_goes_by_its_next_best_id() {
        assert_eq!(spare_id(&json!({ "Id": "a" })), Some("a"));
        let fields = json!({ "Id": 7, "ProductFields": { "aws/securityhub/FindingId": "b" } });
        assert_eq!(spare_id(&fields), Some("b"));
        assert_eq!(spare_id(&json!({})), None);
        assert_eq!(spare_id(&json!("a")), None);
    }

    #[test]
    fn resources_of_the_wrong_form_are_nobody() {
        let mut finding = finding();
        finding["Resources"] =
            json!([null, "x", { "Type": 1 }, { "Type": "AwsIamUser", "Id": "alice", "Details": "none" }]);
        let report = report(&finding).unwrap();
        let kinds: Vec<_> = report.resources.iter().map(|resource| (resource.kind, resource.ids.clone())).collect();
        assert_eq!(kinds, [("", vec![]), ("", vec![]), ("", vec![]), ("AwsIamUser", vec!["alice"])]);
    }
}
