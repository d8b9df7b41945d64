//! Findings of Security Hub CSPM, in the
//! [AWS Security Finding Format](https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html).
//!
//! Only what is needed is read, from whatever shape it comes in: most fields
//! are optional, findings of 2019 have no `Workflow`, and events add fields of
//! their own. A field that is needed and of the wrong form makes the finding
//! malformed.

use serde::Deserialize;
use serde_json::Value;

use super::control::{Claims, Parameters};
use super::finding::{FindingRef, IgnoredReason, Workflow};
use super::resource::Resource;
use super::screening::{Check, Objection, Statement};
use super::wire::{self, Lenient, Misshapen, Object, Text, documented};

/// A finding as it comes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Asff {
    id: Text,
    product_arn: Text,
    generator_id: Text,
    aws_account_id: Text,
    record_state: Text,
    workflow: Object<WorkflowField>,
    compliance: Object<Compliance>,
    note: Lenient<Object<Note>>,
    product_fields: Object<ProductFields>,
    /// One that is not of the expected form is of no type: it is nobody.
    resources: Option<Vec<Lenient<Object<AsffResource>>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WorkflowField {
    status: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Compliance {
    status: Text,
    security_control_id: Text,
    security_control_parameters: Parameters,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Note {
    text: Lenient<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ProductFields {
    control_id: Text,
    rule_id: Text,
    standards_control_arn: Text,
    #[serde(rename = "aws/config/ConfigRuleName")]
    config_rule_name: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct AsffResource {
    r#type: Lenient<Text>,
    id: Lenient<Text>,
    details: Lenient<Object<Details>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Details {
    aws_iam_user: Lenient<Object<AwsIamUser>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct AwsIamUser {
    user_name: Lenient<Text>,
    user_id: Lenient<Text>,
}

impl Asff {
    fn workflow(&self) -> Workflow {
        Workflow::of(self.workflow.status.as_deref())
    }

    fn check(&self) -> Check {
        match self.compliance.status.as_deref() {
            None => Check::NotSaid,
            Some("FAILED") => Check::Failed,
            status => {
                let status = documented(status, &["PASSED", "WARNING", "NOT_AVAILABLE"]);
                Check::Other(format!("Compliance.Status is {status}"))
            }
        }
    }

    /// `ACTIVE` and `NEW`; both may go unsaid.
    fn objection(&self) -> Option<Objection> {
        if !matches!(self.record_state.as_deref(), None | Some("ACTIVE")) {
            let state = documented(self.record_state.as_deref(), &["ARCHIVED"]);
            return Some(Objection::new(IgnoredReason::Archived, format!("RecordState is {state}")));
        }
        let reason = match self.workflow() {
            Workflow::New => return None,
            Workflow::Suppressed => IgnoredReason::Suppressed,
            Workflow::Notified | Workflow::Resolved | Workflow::Other => IgnoredReason::AlreadyHandled,
        };
        let status = documented(self.workflow.status.as_deref(), &["SUPPRESSED", "NOTIFIED", "RESOLVED"]);
        Some(Objection::new(reason, format!("Workflow.Status is {status}")))
    }
}

/// Reads one finding.
pub(super) fn statement(finding: &Value) -> Result<Statement, Objection> {
    let asff: Asff = wire::read(finding)?;
    let (check, state, workflow) = (asff.check(), asff.objection(), asff.workflow());
    let id = asff.id.needed("Id")?;
    let product_arn = asff.product_arn.needed("ProductArn")?;
    let account = asff.aws_account_id.needed("AwsAccountId")?;
    let account = account.parse().map_err(|_| Misshapen("AwsAccountId is not 12 digits".to_owned()))?;
    let (compliance, fields) = (asff.compliance.0, asff.product_fields.0);
    Ok(Statement {
        reference: FindingRef::Asff { id: id.clone(), product_arn: product_arn.clone(), workflow },
        id,
        account,
        note: asff.note.0.0.text.0.0,
        check,
        state,
        product: product_arn,
        labels: asff.generator_id.0.iter().cloned().chain(fields.config_rule_name.0).collect(),
        claims: Claims {
            security_control: compliance.security_control_id.0,
            rule: fields.control_id.0.or(fields.rule_id.0),
            generator: asff.generator_id.0,
            standards_control_arn: fields.standards_control_arn.0,
        },
        parameters: compliance.security_control_parameters,
        resources: asff.resources.unwrap_or_default().into_iter().map(|found| resource(found.0.0)).collect(),
    })
}

/// The best id there is of a finding that cannot be read.
pub(super) fn spare_id(finding: &Value) -> Option<&str> {
    wire::first_text(finding, &["/Id", "/ProductFields/aws~1securityhub~1FindingId"])
}

fn resource(found: AsffResource) -> Resource {
    let user = found.details.0.0.aws_iam_user.0.0;
    Resource {
        kind: found.r#type.0.0.unwrap_or_default(),
        ids: found.id.0.0.into_iter().collect(),
        user_name: user.user_name.0.0,
        user_id: user.user_id.0.0,
        owner: None,
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
        let objection = match statement(&finding) {
            Ok(Statement { check: Check::Other(detail), .. }) => Objection::new(IgnoredReason::NotFailed, detail),
            Ok(Statement { check: Check::NotSaid, .. }) => Objection::new(IgnoredReason::NotFailed, "not said"),
            Ok(statement) => statement.state?,
            Err(objection) => objection,
        };
        Some((objection.reason, objection.detail))
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
            ("Id", json!(7), "Id must not be a number"),
            ("ProductArn", json!(null), "ProductArn is missing"),
            ("AwsAccountId", json!(null), "AwsAccountId is missing"),
            ("AwsAccountId", json!("hunter2"), "AwsAccountId is not 12 digits"),
            ("AwsAccountId", json!(123_456_789_012_u64), "AwsAccountId must not be a number"),
            ("GeneratorId", json!({ "hunter2": 1 }), "GeneratorId must not be an object"),
            ("Compliance", json!("FAILED"), "Compliance must not be a string"),
            ("Compliance", json!(["FAILED"]), "Compliance must not be a list"),
            ("Compliance.Status", json!(true), "Compliance.Status must not be true or false"),
            ("Workflow", json!("NEW"), "Workflow must not be a string"),
            ("ProductFields", json!([]), "ProductFields must not be a list"),
            (
                "ProductFields.aws/config/ConfigRuleName",
                json!(["hunter2"]),
                "ProductFields.aws/config/ConfigRuleName must not be a list",
            ),
            ("Resources", json!({}), "Resources must not be an object"),
        ] {
            let found = objection(path, &value);
            assert_eq!(found, Some((IgnoredReason::Malformed, detail.to_owned())), "{path} {value}");
        }
        assert_eq!(statement(&json!("hunter2")).unwrap_err().detail, "it must not be a string");
        assert_eq!(statement(&json!(["hunter2"])).unwrap_err().detail, "it must not be a list");
    }

    #[test]
    fn the_reference_holds_what_an_update_needs() {
        let mut finding = finding();
        finding["Workflow"] = json!({ "Status": "NOTIFIED" });
        assert_eq!(
            statement(&finding).unwrap().reference,
            FindingRef::Asff {
                id: "finding-1".to_owned(),
                product_arn: "arn:aws:securityhub:us-east-1::product/aws/config".to_owned(),
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
        finding["Resources"] = json!([null, "x", ["AwsIamUser", "bob"], { "Type": 1 }, { "Type": "AwsIamUser", "Id": "alice", "Details": "none" }]);
        let resources = statement(&finding).unwrap().resources;
        let kinds: Vec<_> = resources.iter().map(|resource| (&*resource.kind, resource.ids.join(" "))).collect();
        let nobody = || ("", String::new());
        assert_eq!(kinds, [nobody(), nobody(), nobody(), nobody(), ("AwsIamUser", "alice".to_owned())]);
    }

    #[test]
    fn details_that_cannot_be_read_do_not_hide_those_that_can() {
        let mut finding = finding();
        let details = json!({ "AwsIamUser": { "UserName": ["alice"], "UserId": "AIDACKCEVSQ6C2EXAMPLE" } });
        finding["Resources"][0]["Details"] = details;
        let resource = &statement(&finding).unwrap().resources[0];
        assert_eq!((resource.user_name.as_deref(), resource.user_id.as_deref()), (None, Some("AIDACKCEVSQ6C2EXAMPLE")));
    }

    #[test]
    fn a_state_is_repeated_only_if_it_is_documented() {
        for (path, value, detail) in [
            ("Compliance.Status", json!("PASSED"), "Compliance.Status is `PASSED`"),
            ("Compliance.Status", json!("hunter2"), "Compliance.Status is none of the documented ones"),
            ("RecordState", json!("hunter2"), "RecordState is none of the documented ones"),
            ("Workflow", json!({ "Status": "NOTIFIED" }), "Workflow.Status is `NOTIFIED`"),
            ("Workflow", json!({ "Status": "hunter2" }), "Workflow.Status is none of the documented ones"),
        ] {
            assert_eq!(objection(path, &value).map(|(_, detail)| detail), Some(detail.to_owned()));
        }
    }
}
