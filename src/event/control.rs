//! Which security controls are about the account's password policy, under
//! which names they appear, and what each of them asks of the policy.
//!
//! Two tables, and nothing else in the crate knows a control: [`STANDARDS`]
//! (name → control) and [`Control::requirement`] (control → what it asks).
//! Both follow the
//! [Security Hub controls for IAM](https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html).
//!
//! Names match as a whole or not at all. A title never counts: other products
//! number their own checks `[IAM.7]` too. A bare rule number means nothing
//! without the version of its standard: 1.8 is "number" in CIS v1.2.0, "length"
//! in v1.4.0 and "reuse" in v5.0.0.

use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::account::password_policy::Requirement;

use super::wire::{Lenient, Object, Text};

/// A security control whose resource is the account's password policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// IAM.7: strong configurations, adjustable by parameters.
    Iam7,
    /// IAM.10: strong configurations as PCI DSS v3.2.1 has them.
    Iam10,
    /// IAM.11: at least one uppercase letter.
    Iam11,
    /// IAM.12: at least one lowercase letter.
    Iam12,
    /// IAM.13: at least one symbol.
    Iam13,
    /// IAM.14: at least one number.
    Iam14,
    /// IAM.15: at least 14 characters.
    Iam15,
    /// IAM.16: no reuse of the last 24 passwords.
    Iam16,
    /// IAM.17: passwords expire within 90 days.
    Iam17,
}

use Control::{Iam7, Iam10, Iam11, Iam12, Iam13, Iam14, Iam15, Iam16, Iam17};

impl Control {
    /// The control of this id, which is the same in all standards.
    fn from_id(id: &str) -> Option<Self> {
        match id {
            "IAM.7" => Some(Iam7),
            "IAM.10" => Some(Iam10),
            "IAM.11" => Some(Iam11),
            "IAM.12" => Some(Iam12),
            "IAM.13" => Some(Iam13),
            "IAM.14" => Some(Iam14),
            "IAM.15" => Some(Iam15),
            "IAM.16" => Some(Iam16),
            "IAM.17" => Some(Iam17),
            _ => None,
        }
    }

    /// What the control asks of the account's password policy.
    ///
    /// Only IAM.7 takes parameters; they are read from `parameters`, and one
    /// that is missing, empty, repeated or out of its documented range counts
    /// as not set, which leaves the control's default.
    pub(super) fn requirement(self, parameters: &Parameters) -> Requirement {
        let nothing = Requirement::default();
        match self {
            // https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html#iam-7
            // Reuse and age have no default: unless a parameter names them they are not checked.
            Iam7 => Requirement {
                uppercase: parameters.flag("RequireUppercaseCharacters").unwrap_or(true),
                lowercase: parameters.flag("RequireLowercaseCharacters").unwrap_or(true),
                numbers: parameters.flag("RequireNumbers").unwrap_or(true),
                symbols: parameters.flag("RequireSymbols").unwrap_or(true),
                minimum_length: Some(parameters.number("MinimumPasswordLength", 8..=128).unwrap_or(8)),
                reuse_prevention: parameters.number("PasswordReusePrevention", 12..=24),
                max_age_days: parameters.number("MaxPasswordAge", 1..=90),
            },
            // https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html#iam-10
            Iam10 => Requirement {
                uppercase: true,
                lowercase: true,
                numbers: true,
                minimum_length: Some(7),
                reuse_prevention: Some(4),
                max_age_days: Some(90),
                ..nothing
            },
            // …#iam-11 to …#iam-17: CIS AWS Foundations Benchmark v1.2.0, rules 1.5 to 1.11.
            Iam11 => Requirement { uppercase: true, ..nothing },
            Iam12 => Requirement { lowercase: true, ..nothing },
            Iam13 => Requirement { symbols: true, ..nothing },
            Iam14 => Requirement { numbers: true, ..nothing },
            Iam15 => Requirement { minimum_length: Some(14), ..nothing },
            Iam16 => Requirement { reuse_prevention: Some(24), ..nothing },
            Iam17 => Requirement { max_age_days: Some(90), ..nothing },
        }
    }
}

/// How a standard numbers its rules.
#[derive(Clone, Copy)]
enum Numbering {
    /// By the ids of the controls themselves.
    ById,
    /// By numbers of its own; rules about anything else are left out.
    Own(&'static [(&'static str, Control)]),
}

/// Every standard that has, or had, rules about the password policy, as
/// `GeneratorId` names it before the last slash. Sources:
/// [generator IDs before and after consolidation](https://docs.aws.amazon.com/securityhub/latest/userguide/asff-changes-consolidation.html),
/// [sample findings](https://docs.aws.amazon.com/securityhub/latest/userguide/sample-control-findings.html),
/// and for NIST 800-171, PCI DSS v4.0.1 and CIS v3.0.0 and v5.0.0 the related
/// requirements listed with each control.
const STANDARDS: &[(&str, Numbering)] = &[
    ("security-control", Numbering::ById),
    ("aws-foundational-security-best-practices/v/1.0.0", Numbering::ById),
    (CONTROL_TOWER, Numbering::ById),
    ("nist-800-53/v/5.0.0", Numbering::ById),
    ("nist-800-171/v/2.0.0", Numbering::ById),
    ("pci-dss/v/4.0.1", Numbering::ById),
    // PCI.IAM.7 is IAM.8, unused credentials: no password policy.
    ("pci-dss/v/3.2.1", Numbering::Own(&[(PCI_POLICY_RULE, Iam10)])),
    (
        "cis-aws-foundations-benchmark/v/1.2.0",
        Numbering::Own(&[
            ("1.5", Iam11),
            ("1.6", Iam12),
            ("1.7", Iam13),
            ("1.8", Iam14),
            ("1.9", Iam15),
            ("1.10", Iam16),
            ("1.11", Iam17),
        ]),
    ),
    ("cis-aws-foundations-benchmark/v/1.4.0", Numbering::Own(&[("1.8", Iam15), ("1.9", Iam16)])),
    ("cis-aws-foundations-benchmark/v/3.0.0", Numbering::Own(&[("1.8", Iam15), ("1.9", Iam16)])),
    ("cis-aws-foundations-benchmark/v/5.0.0", Numbering::Own(&[("1.7", Iam15), ("1.8", Iam16)])),
];

const CONTROL_TOWER: &str = "service-managed-aws-control-tower/v/1.0.0";
/// What `ProductFields.ControlId` puts before a control's id in findings of
/// the Control Tower standard. Its `GeneratorId` goes without.
const CONTROL_TOWER_PREFIX: &str = "CT.";
const PCI_POLICY_RULE: &str = "PCI.IAM.8";

/// Where a finding may name its control, from what decides to what is left.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    /// `Compliance.SecurityControlId`, `compliance.control`.
    pub(super) security_control: Option<String>,
    /// `ProductFields.ControlId`, else `ProductFields.RuleId`.
    pub(super) rule: Option<String>,
    /// `GeneratorId`, `metadata.product.feature.uid`.
    pub(super) generator: Option<String>,
    /// `ProductFields.StandardsControlArn`.
    pub(super) standards_control_arn: Option<String>,
}

impl Claims {
    /// The control that the finding is about, if it is one of ours. The first
    /// claim that is there decides: one that names another control is not
    /// overruled by a later one.
    pub(super) fn control(&self) -> Option<Control> {
        if let Some(id) = &self.security_control {
            return Control::from_id(id);
        }
        let generator = self.generator.as_deref().and_then(rule_of);
        let Some(rule) = self.rule.as_deref() else {
            let (standard, rule) = generator?;
            return look_up(standard, rule);
        };
        if rule == PCI_POLICY_RULE {
            return Some(Iam10);
        }
        if let Some(control) = Control::from_id(rule.strip_prefix(CONTROL_TOWER_PREFIX).unwrap_or(rule)) {
            return Some(control);
        }
        // A bare number: only another field can say of which standard and version.
        let (standard, _) = generator.or_else(|| rule_of(self.standards_control_arn.as_deref()?))?;
        look_up(standard, rule)
    }

    /// Whether the finding is about some control of Security Hub's, ours or not.
    pub(super) fn names_a_control(&self) -> bool {
        let is_standard = |(name, _): (&str, &str)| name == "security-control" || name.contains("/v/");
        self.security_control.is_some()
            || self.rule.is_some()
            || self.generator.as_deref().and_then(rule_of).is_some_and(is_standard)
    }

    /// What the finding is about instead, in words for a message. Only the id of
    /// a control, such as `IAM.8`, is repeated.
    pub(super) fn told(&self) -> String {
        let claim = self.security_control.as_deref().or(self.rule.as_deref()).or(self.generator.as_deref());
        let Some(claim) = claim else { return "it names no control".to_owned() };
        let id = claim.rsplit('/').next().unwrap_or(claim);
        let is_id = id.len() <= 32
            && id.rsplit_once('.').is_some_and(|(service, number)| {
                let is_service = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'.';
                !number.is_empty()
                    && number.bytes().all(|byte| byte.is_ascii_digit())
                    && service.bytes().all(|byte| is_service(byte) || byte.is_ascii_lowercase())
            });
        if is_id { format!("it is about `{id}`") } else { "it is about something else".to_owned() }
    }
}

fn look_up(standard: &str, rule: &str) -> Option<Control> {
    let (_, rules) = STANDARDS.iter().find(|(name, _)| *name == standard)?;
    match rules {
        Numbering::ById => Control::from_id(rule),
        Numbering::Own(rules) => rules.iter().find(|(number, _)| *number == rule).map(|(_, control)| *control),
    }
}

/// Splits `STANDARD/v/VERSION/RULE` into standard with version, and rule. It may
/// stand bare, as `arn:P:securityhub:::ruleset/STANDARD/v/VERSION/rule/RULE`, or
/// as `arn:P:securityhub:REGION:ACCOUNT:control/STANDARD/v/VERSION/RULE`.
fn rule_of(name: &str) -> Option<(&str, &str)> {
    let Some(arn) = name.strip_prefix("arn:") else { return name.rsplit_once('/') };
    let parts: Vec<&str> = arn.splitn(5, ':').collect();
    let [partition, "securityhub", _, _, resource] = parts[..] else { return None };
    partition.parse::<crate::identity::Partition>().ok()?;
    if let Some(rule) = resource.strip_prefix("ruleset/") {
        let (standard, rule) = rule.rsplit_once('/')?;
        return Some((standard.strip_suffix("/rule")?, rule));
    }
    resource.strip_prefix("control/")?.rsplit_once('/')
}

/// The parameters with which a control was checked. What cannot be read of them
/// counts as not set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Parameters(Lenient<Vec<Lenient<Object<Parameter>>>>);

/// `{"Name": "…", "Value": ["…"]}` in ASFF, `{"name": "…", "values": ["…"]}` in
/// OCSF.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Parameter {
    #[serde(alias = "Name")]
    name: Text,
    #[serde(alias = "Value")]
    values: Vec<String>,
}

impl Parameters {
    /// The one value of the parameter; none if there are several.
    fn value(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|parameter| parameter.name.as_deref() == Some(name));
        match (named.next(), named.next()) {
            (Some(parameter), None) => match &parameter.values[..] {
                [value] => Some(value.trim()),
                _ => None,
            },
            _ => None,
        }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match self.value(name)?.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The whole number that the parameter sets, if it lies in `range`.
    pub(super) fn number<N>(&self, name: &str, range: RangeInclusive<N>) -> Option<N>
    where
        N: std::str::FromStr + PartialOrd,
    {
        self.value(name)?.parse().ok().filter(|number| range.contains(number))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn generator(name: &str) -> Option<Control> {
        Claims { generator: Some(name.to_owned()), ..Claims::default() }.control()
    }

    fn parameters(list: &Value) -> Parameters {
        Parameters::deserialize(list).unwrap()
    }

    fn iam7(list: &Value) -> Requirement {
        Iam7.requirement(&parameters(list))
    }

    #[test]
    fn every_published_generator_id_leads_to_its_control() {
        for (name, control) in [
            ("security-control/IAM.7", Iam7),
            ("security-control/IAM.10", Iam10),
            ("security-control/IAM.17", Iam17),
            ("aws-foundational-security-best-practices/v/1.0.0/IAM.7", Iam7),
            ("service-managed-aws-control-tower/v/1.0.0/IAM.7", Iam7),
            ("nist-800-53/v/5.0.0/IAM.7", Iam7),
            ("nist-800-171/v/2.0.0/IAM.13", Iam13),
            ("pci-dss/v/3.2.1/PCI.IAM.8", Iam10),
            ("pci-dss/v/4.0.1/IAM.7", Iam7),
            ("pci-dss/v/4.0.1/IAM.16", Iam16),
            ("arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.5", Iam11),
            ("arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.6", Iam12),
            ("arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.7", Iam13),
            ("arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.8", Iam14),
            ("arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.9", Iam15),
            ("arn:aws-cn:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.10", Iam16),
            ("arn:aws-us-gov:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.11", Iam17),
            ("cis-aws-foundations-benchmark/v/1.4.0/1.8", Iam15),
            ("cis-aws-foundations-benchmark/v/1.4.0/1.9", Iam16),
            ("cis-aws-foundations-benchmark/v/3.0.0/1.8", Iam15),
            ("cis-aws-foundations-benchmark/v/3.0.0/1.9", Iam16),
            ("cis-aws-foundations-benchmark/v/5.0.0/1.7", Iam15),
            ("cis-aws-foundations-benchmark/v/5.0.0/1.8", Iam16),
        ] {
            assert_eq!(generator(name), Some(control), "{name}");
        }
    }

    #[test]
    fn what_only_resembles_a_control_is_none() {
        for name in [
            "",
            "/",
            "arn:",
            "IAM.7",
            "security-control/IAM.70",
            "security-control/IAM.1",
            "security-control/iam.7",
            "security-control/IAM.7 ",
            "security-control/IAM.8",
            "security-control/IAM.9",
            "security-control/IAM.18",
            "prefix/security-control/IAM.7",
            "security-control/IAM.7/finding",
            "aws-foundational-security-best-practices/v/2.0.0/IAM.7",
            "aws-foundational-security-best-practices/v/1.0.0/1.9",
            "pci-dss/v/3.2.1/PCI.IAM.7",
            "pci-dss/v/3.2.1/IAM.7",
            "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.1",
            "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.12",
            "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/1.9",
            "arn:aws-iso:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.9",
            "arn:aws:iam:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.9",
            "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0",
            "cis-aws-foundations-benchmark/v/1.4.0/1.1",
            "cis-aws-foundations-benchmark/v/1.4.0/1.10",
            "cis-aws-foundations-benchmark/v/1.4.0/1.7",
            "cis-aws-foundations-benchmark/v/5.0.0/1.9",
            "cis-aws-foundations-benchmark/v/1.4/1.8",
            "arn:aws:iam::111122223333:server-certificate/[IAM.7]",
        ] {
            assert_eq!(generator(name), None, "{name}");
        }
    }

    #[test]
    fn the_control_id_across_standards_decides_alone() {
        let claims = |id: &str| Claims {
            security_control: Some(id.to_owned()),
            rule: Some("IAM.7".to_owned()),
            generator: Some("security-control/IAM.7".to_owned()),
            ..Claims::default()
        };
        assert_eq!(claims("IAM.15").control(), Some(Iam15));
        for other in ["IAM.8", "IAM.70", "S3.1", "CT.IAM.7", "[IAM.7]"] {
            assert_eq!(claims(other).control(), None, "{other}");
        }
    }

    #[test]
    fn the_control_id_of_a_standard_comes_before_the_generator() {
        for (rule, generator, control) in [
            ("IAM.7", "aws-foundational-security-best-practices/v/1.0.0/IAM.7", Some(Iam7)),
            ("CT.IAM.7", "service-managed-aws-control-tower/v/1.0.0/IAM.7", Some(Iam7)),
            ("PCI.IAM.8", "pci-dss/v/3.2.1/PCI.IAM.8", Some(Iam10)),
            ("PCI.IAM.7", "pci-dss/v/3.2.1/PCI.IAM.8", None),
            ("IAM.8", "security-control/IAM.7", None),
            ("CT.CT.IAM.7", "service-managed-aws-control-tower/v/1.0.0/IAM.7", None),
        ] {
            let [rule_id, generator_id] = [rule, generator].map(|text| Some(text.to_owned()));
            let claims = Claims { rule: rule_id, generator: generator_id, ..Claims::default() };
            assert_eq!(claims.control(), control, "{rule} {generator}");
        }
    }

    #[test]
    fn a_bare_number_needs_the_version_of_its_standard() {
        let arn = "arn:aws:securityhub:us-east-1:123456789012:control/cis-aws-foundations-benchmark/v/1.2.0/1.8";
        for (rule, generator, standards_control_arn, control) in [
            ("1.8", None, None, None),
            ("1.8", Some("prowler-check18"), None, None),
            ("1.8", None, Some(arn), Some(Iam14)),
            ("1.8", Some("prowler-check18"), Some(arn), Some(Iam14)),
            ("1.8", Some("cis-aws-foundations-benchmark/v/1.4.0/1.8"), None, Some(Iam15)),
            ("1.8", Some("cis-aws-foundations-benchmark/v/3.0.0/1.8"), None, Some(Iam15)),
            ("1.8", Some("cis-aws-foundations-benchmark/v/5.0.0/1.8"), None, Some(Iam16)),
            ("1.8", Some("cis-aws-foundations-benchmark/v/9.9.9/1.8"), None, None),
            ("1.1", None, Some(arn), None),
            ("1.10", None, Some(arn), Some(Iam16)),
            ("1.8", Some("security-control/IAM.14"), None, None),
        ] {
            let [rule, generator, standards_control_arn] =
                [Some(rule), generator, standards_control_arn].map(|text| text.map(str::to_owned));
            let claims = Claims { rule, generator, standards_control_arn, ..Claims::default() };
            assert_eq!(claims.control(), control, "{claims:?}");
        }
    }

    #[test]
    fn iam_7_without_parameters_asks_for_four_classes_and_eight_characters() {
        let defaults = Requirement {
            uppercase: true,
            lowercase: true,
            numbers: true,
            symbols: true,
            minimum_length: Some(8),
            reuse_prevention: None,
            max_age_days: None,
        };
        for list in [
            json!([]),
            json!([{ "Name": "MinimumPasswordLength", "Value": [] }, { "Name": "MaxPasswordAge", "Value": [] }]),
            json!([{ "Name": "MinimumPasswordLength", "Value": ["7"] }, { "Name": "MaxPasswordAge", "Value": ["0"] }]),
            json!([{ "Name": "MinimumPasswordLength", "Value": ["129"] }, { "Name": "MaxPasswordAge", "Value": ["91"] }]),
            json!([{ "Name": "MinimumPasswordLength", "Value": ["14", "16"] }]),
            json!([{ "Name": "MinimumPasswordLength", "Value": ["14"] }, { "Name": "MinimumPasswordLength", "Value": ["16"] }]),
            json!([{ "Name": "PasswordReusePrevention", "Value": ["11"] }]),
            json!([{ "Name": "PasswordReusePrevention", "Value": ["25"] }]),
            json!([{ "Name": "RequireSymbols", "Value": ["maybe"] }, { "Name": "RequireNumbers", "Value": "false" }]),
            json!([{ "Name": "minimumPasswordLength", "Value": ["20"] }]),
            json!([{ "Name": "MinimumPasswordLength", "Value": ["9999999999999999999999"] }]),
            json!([{ "Name": "MinimumPasswordLength", "Value": ["-14"] }, null, 1, "x", { "Value": ["1"] }]),
        ] {
            assert_eq!(iam7(&list), defaults, "{list}");
        }
    }

    #[test]
    fn iam_7_takes_its_parameters_within_their_ranges() {
        let asked = iam7(&json!([
            { "Name": "RequireSymbols", "Value": ["false"] },
            { "Name": "RequireNumbers", "Value": ["True"] },
            { "Name": "MinimumPasswordLength", "Value": ["128"] },
            { "Name": "PasswordReusePrevention", "Value": ["24"] },
            { "Name": "MaxPasswordAge", "Value": [" 90 "] },
        ]));
        assert!(asked.uppercase && asked.lowercase && asked.numbers && !asked.symbols);
        assert_eq!((asked.minimum_length, asked.reuse_prevention, asked.max_age_days), (Some(128), Some(24), Some(90)));
    }

    #[test]
    fn the_siblings_ask_for_one_thing_each_and_take_no_parameters() {
        let given = parameters(&json!([
            { "Name": "MinimumPasswordLength", "Value": ["20"] }, { "Name": "MaxPasswordAge", "Value": ["1"] },
        ]));
        let nothing = Requirement::default();
        for (control, asked) in [
            (Iam11, Requirement { uppercase: true, ..nothing.clone() }),
            (Iam12, Requirement { lowercase: true, ..nothing.clone() }),
            (Iam13, Requirement { symbols: true, ..nothing.clone() }),
            (Iam14, Requirement { numbers: true, ..nothing.clone() }),
            (Iam15, Requirement { minimum_length: Some(14), ..nothing.clone() }),
            (Iam16, Requirement { reuse_prevention: Some(24), ..nothing.clone() }),
            (Iam17, Requirement { max_age_days: Some(90), ..nothing.clone() }),
        ] {
            assert_eq!(control.requirement(&given), asked, "{control:?}");
        }
    }

    #[test]
    fn iam_10_is_iam_7_for_pci_without_symbols() {
        let asked = Iam10.requirement(&Parameters::default());
        assert!(asked.uppercase && asked.lowercase && asked.numbers && !asked.symbols);
        assert_eq!((asked.minimum_length, asked.reuse_prevention, asked.max_age_days), (Some(7), Some(4), Some(90)));
    }

    #[test]
    fn of_another_finding_only_the_id_of_a_control_is_told() {
        let generator = |text: &str| Claims { generator: Some(text.to_owned()), ..Claims::default() }.told();
        for (text, told) in [
            ("security-control/IAM.8", "it is about `IAM.8`"),
            ("service-managed-aws-control-tower/v/1.0.0/CT.IAM.3", "it is about `CT.IAM.3`"),
            ("aws-foundational-security-best-practices/v/1.0.0/CodeBuild.2", "it is about `CodeBuild.2`"),
            ("hunter2", "it is about something else"),
            ("prowler-check18", "it is about something else"),
            ("", "it is about something else"),
        ] {
            assert_eq!(generator(text), told);
        }
        assert_eq!(Claims::default().told(), "it names no control");
    }

    #[test]
    fn parameters_of_any_other_form_are_not_set() {
        for list in [
            json!(null),
            json!("none"),
            json!({ "Name": "MaxPasswordAge", "Value": ["30"] }),
            json!([["MaxPasswordAge", ["30"]]]),
            json!([{ "Name": "MaxPasswordAge", "Value": [30] }]),
            json!([{ "Name": "MaxPasswordAge", "Value": ["30", 1] }]),
            json!([{ "Name": "MaxPasswordAge", "name": "MaxPasswordAge", "Value": ["30"] }]),
        ] {
            assert_eq!(parameters(&list).number("MaxPasswordAge", 1..=90), None::<u16>, "{list}");
        }
        let ocsf = json!([1, { "name": "MaxPasswordAge", "values": ["30"], "more": 1 }]);
        assert_eq!(parameters(&ocsf).number("MaxPasswordAge", 1..=90), Some(30));
    }
}
