//! Which findings count. The rules are the same for both formats; [`super::asff`]
//! and [`super::ocsf`] put what a finding says into a [`Report`], and here it is
//! judged, in the order of [`IgnoredReason`]: state, origin, control, resources.
//!
//! The event rule asks for the same state. It is checked again because
//! recording an outcome is itself an event: a finding that is let through twice
//! would call this function for ever.

use crate::globs::Globs;
use crate::identity::{Home, Partition};

use super::control::{Claims, Parameters};
use super::finding::{Ask, Finding, FindingRef, Ignored, IgnoredReason, Screened};
use super::resource::{self, Resource, Untyped};
use super::wire::{Misshapen, excerpt};

/// What the `GeneratorId` of this function's own findings begins with.
pub const OWN_GENERATOR_PREFIX: &str = "iam-password-remediator/";

/// What an operator decides about findings.
#[derive(Debug, Clone)]
pub struct Rules {
    /// `PASSWORD_AGE_FINDINGS`: which findings are about the age of passwords,
    /// by generator id or Config rule name.
    pub password_age_findings: Globs,
    /// `TRUSTED_PRODUCTS`: whose findings are believed besides those of
    /// Security Hub, Config and this function, by the whole product ARN.
    pub trusted_products: Globs,
}

/// Why an event brings the finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// It is new, or something about it changed.
    Imported,
    /// A person selected it and pressed the button.
    CustomAction,
}

/// An objection to a finding: why it does not count, and more on that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Objection {
    pub(super) reason: IgnoredReason,
    pub(super) detail: Option<String>,
}

impl Objection {
    pub(super) fn new(reason: IgnoredReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: Some(detail.into()) }
    }
}

impl From<Misshapen> for Objection {
    fn from(problem: Misshapen) -> Self {
        Self::new(IgnoredReason::Malformed, problem.0)
    }
}

/// What a finding says, whatever its format.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) id: &'a str,
    pub(super) reference: FindingRef,
    /// Its own account, not yet validated.
    pub(super) account: Option<&'a str>,
    /// The first objection that its state gives, if any.
    pub(super) state: Option<Objection>,
    /// The ARN of the product it comes from.
    pub(super) product: &'a str,
    /// Where it may name a security control.
    pub(super) claims: Claims<'a>,
    /// What the globs for password-age findings are held against.
    pub(super) labels: Vec<&'a str>,
    pub(super) parameters: Parameters,
    pub(super) resources: Vec<Resource<'a>>,
}

/// Judges what was read of a finding; `spare_id` stands for an id that could
/// not be read.
pub(super) fn screen(
    read: Result<Report<'_>, Objection>,
    spare_id: impl FnOnce() -> String,
    occasion: Occasion,
    home: &Home,
    rules: &Rules,
) -> Screened {
    let ignored = |id: String, objection: Objection| {
        Screened::Ignored(Ignored { id, reason: objection.reason, detail: objection.detail })
    };
    match read {
        Err(objection) => ignored(spare_id(), objection),
        Ok(report) => match judge(&report, occasion, home, rules) {
            Err(objection) => ignored(report.id.to_owned(), objection),
            Ok(ask) => Screened::Wanted(Finding { id: report.id.to_owned(), reference: report.reference, ask }),
        },
    }
}

fn judge(report: &Report<'_>, occasion: Occasion, home: &Home, rules: &Rules) -> Result<Ask, Objection> {
    if occasion == Occasion::CustomAction {
        let users = resource::users(&report.resources, report.account, Untyped::NeedsUserArn)?;
        if !users.is_empty() {
            return Ok(Ask::ForcedReset { users });
        }
    }
    if let Some(objection) = &report.state {
        return Err(objection.clone());
    }
    if !is_trusted(report, home, rules) {
        return Err(Objection::new(IgnoredReason::UntrustedProduct, excerpt(report.product)));
    }
    if let Some(control) = report.claims.control() {
        return Ok(Ask::Policy {
            account_id: resource::account(&report.resources, report.account)?,
            control,
            requirement: control.requirement(&report.parameters),
        });
    }
    if occasion == Occasion::Imported && report.labels.iter().any(|label| rules.password_age_findings.matches(label)) {
        let users = resource::users(&report.resources, report.account, Untyped::IsUser)?;
        if users.is_empty() {
            return Err(Misshapen("no resource is an IAM user".to_owned()).into());
        }
        return Ok(Ask::PasswordAge { users, max_age_days: report.parameters.number("MaxPasswordAge", 1..=1095) });
    }
    let named = report.claims.named().map_or_else(|| "names no control".to_owned(), excerpt);
    Err(Objection::new(IgnoredReason::UnsupportedControl, named))
}

/// Findings of Security Hub and Config, this function's own, and those whose
/// product an operator trusts. Everyone with `securityhub:BatchImportFindings`
/// can write the rest, under any generator id, title and account.
fn is_trusted(report: &Report<'_>, home: &Home, rules: &Rules) -> bool {
    let is_own = || report.claims.generator.is_some_and(|generator| generator.starts_with(OWN_GENERATOR_PREFIX));
    match Product::read(report.product) {
        Some(Product { account: "", name }) if TRUSTED_PRODUCTS.contains(&name) => true,
        Some(Product { account, name })
            if account == home.account_id.as_str()
                && name.strip_prefix("product/").and_then(|name| name.strip_suffix("/default")) == Some(account)
                && is_own() =>
        {
            true
        }
        _ => rules.trusted_products.matches(report.product),
    }
}

/// The products that only AWS can write to.
const TRUSTED_PRODUCTS: [&str; 3] = ["product/aws/securityhub", "productv2/aws/securityhub", "product/aws/config"];

/// `arn:PARTITION:securityhub:REGION:ACCOUNT:NAME`, the account empty for
/// products of AWS and its partners.
struct Product<'a> {
    account: &'a str,
    name: &'a str,
}

impl<'a> Product<'a> {
    fn read(arn: &'a str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "securityhub", region, account, name] = parts[..] else { return None };
        partition.parse::<Partition>().ok()?;
        let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (!region.is_empty() && region.bytes().all(is_region)).then_some(Self { account, name })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::event::finding::Workflow;

    fn home() -> Home {
        "arn:aws:lambda:us-east-1:123456789012:function:iam-password-remediator".parse().unwrap()
    }

    fn rules() -> Rules {
        Rules {
            password_age_findings: Globs::parse("*password-age*"),
            trusted_products: Globs::parse("arn:aws:securityhub:*:111122223333:product/111122223333/default"),
        }
    }

    fn report<'a>(product: &'a str, generator: &'a str, resources: Vec<Resource<'a>>) -> Report<'a> {
        Report {
            id: "finding-1",
            reference: FindingRef::Asff {
                id: "finding-1".to_owned(),
                product_arn: product.to_owned(),
                region: None,
                workflow: Workflow::New,
            },
            account: Some("123456789012"),
            state: None,
            product,
            claims: Claims { generator: Some(generator), ..Claims::default() },
            labels: vec![generator],
            parameters: Parameters::default(),
            resources,
        }
    }

    fn reason(report: Report<'_>, occasion: Occasion) -> Option<IgnoredReason> {
        match screen(Ok(report), String::new, occasion, &home(), &rules()) {
            Screened::Wanted(_) => None,
            Screened::Ignored(ignored) => Some(ignored.reason),
        }
    }

    fn alice() -> Resource<'static> {
        Resource { kind: "AwsIamUser", ids: vec!["arn:aws:iam::123456789012:user/alice"], ..Resource::default() }
    }

    fn account() -> Resource<'static> {
        Resource { kind: "AwsAccount", ids: vec!["AWS::::Account:123456789012"], ..Resource::default() }
    }

    #[test]
    fn only_products_that_nobody_can_forge_are_trusted() {
        for (product, generator, trusted) in [
            ("arn:aws:securityhub:us-east-1::product/aws/securityhub", "my-password-age", true),
            ("arn:aws-cn:securityhub:cn-north-1::product/aws/securityhub", "my-password-age", true),
            ("arn:aws-us-gov:securityhub:us-gov-west-1::productv2/aws/securityhub", "my-password-age", true),
            ("arn:aws:securityhub:eu-central-1::product/aws/config", "my-password-age", true),
            ("arn:aws-iso:securityhub:us-iso-east-1::product/aws/config", "my-password-age", false),
            ("arn:aws:securityhub:us-east-1::productv2/aws/config", "my-password-age", false),
            ("arn:aws:securityhub:us-east-1::product/aws/guardduty", "my-password-age", false),
            ("arn:aws:securityhub:us-east-1::product/aws/securityhub2", "my-password-age", false),
            ("arn:aws:securityhub:us-east-1::productv2/aws/securityhub-coverage", "my-password-age", false),
            ("arn:aws:securityhub:us-east-1::product/aws/securityhub/x", "my-password-age", false),
            ("arn:aws:securityhub:us-east-1::product/aws/securityhub:x", "my-password-age", false),
            ("arn:aws:securityhub:us-east-1::x:product/aws/securityhub", "my-password-age", false),
            ("arn:aws:securityhub:us-east-1:111122224444:product/aws/securityhub", "my-password-age", false),
            ("arn:aws:securityhub:::product/aws/securityhub", "my-password-age", false),
            ("arn:aws:securityhub:US-EAST-1::product/aws/securityhub", "my-password-age", false),
            ("arn:aws:Securityhub:us-east-1::product/aws/securityhub", "my-password-age", false),
            (" arn:aws:securityhub:us-east-1::product/aws/securityhub", "my-password-age", false),
            ("arn:aws:securityhub:us-east-1:444455556666:product/444455556666/default", "my-password-age", false),
            ("arn:aws:securityhub:us-east-1:111122223333:product/111122223333/default", "my-password-age", true),
            ("arn:aws:securityhub:us-east-1:111122223333:product/111122223333/default/x", "my-password-age", false),
            ("x arn:aws:securityhub:us-east-1:111122223333:product/111122223333/default", "my-password-age", false),
            ("", "my-password-age", false),
        ] {
            let found = reason(report(product, generator, vec![alice()]), Occasion::Imported);
            assert_eq!(found, (!trusted).then_some(IgnoredReason::UntrustedProduct), "{product}");
        }
    }

    #[test]
    fn the_functions_own_findings_are_those_of_its_account_and_generator() {
        let own = "arn:aws:securityhub:us-east-1:123456789012:product/123456789012/default";
        for (product, generator, trusted) in [
            (own, "iam-password-remediator/password-age", true),
            (own, "my-password-age", false),
            (own, "x/iam-password-remediator/password-age", false),
            (own, "Iam-Password-Remediator/password-age", false),
            (
                "arn:aws:securityhub:us-east-1:123456789012:product/123456789012/other",
                "iam-password-remediator/password-age",
                false,
            ),
            (
                "arn:aws:securityhub:us-east-1:444455556666:product/444455556666/default",
                "iam-password-remediator/password-age",
                false,
            ),
            (
                "arn:aws:securityhub:us-east-1:123456789012:product/444455556666/default",
                "iam-password-remediator/password-age",
                false,
            ),
            (
                "arn:aws:securityhub:us-east-1::product/123456789012/default",
                "iam-password-remediator/password-age",
                false,
            ),
        ] {
            let found = reason(report(product, generator, vec![alice()]), Occasion::Imported);
            assert_eq!(found, (!trusted).then_some(IgnoredReason::UntrustedProduct), "{product} {generator}");
        }
    }

    const HUB: &str = "arn:aws:securityhub:us-east-1::product/aws/securityhub";
    const FORGED: &str = "arn:aws:securityhub:us-east-1:444455556666:product/444455556666/default";

    #[test]
    fn a_policy_control_comes_before_the_globs() {
        let mut both = report(HUB, "security-control/IAM.7", vec![account(), alice()]);
        both.labels = vec!["my-password-age"];
        let Screened::Wanted(finding) = screen(Ok(both), String::new, Occasion::Imported, &home(), &rules()) else {
            panic!("ignored");
        };
        assert!(matches!(finding.ask, Ask::Policy { .. }));
    }

    #[test]
    fn a_person_may_reset_a_user_of_any_finding_but_not_a_policy_of_any_finding() {
        let state = Some(Objection { reason: IgnoredReason::AlreadyHandled, detail: None });
        let mut user = report(FORGED, "whatever", vec![alice()]);
        user.state.clone_from(&state);
        assert_eq!(reason(user, Occasion::CustomAction), None);
        let mut policy = report(HUB, "security-control/IAM.7", vec![account()]);
        assert_eq!(reason(report(HUB, "security-control/IAM.7", vec![account()]), Occasion::CustomAction), None);
        policy.state = state;
        assert_eq!(reason(policy, Occasion::CustomAction), Some(IgnoredReason::AlreadyHandled));
        let forged = report(FORGED, "security-control/IAM.7", vec![account()]);
        assert_eq!(reason(forged, Occasion::CustomAction), Some(IgnoredReason::UntrustedProduct));
        let neither = report(HUB, "security-control/IAM.8", vec![account()]);
        assert_eq!(reason(neither, Occasion::CustomAction), Some(IgnoredReason::UnsupportedControl));
        let untyped = Resource { kind: "Other", ids: vec!["alice"], ..Resource::default() };
        let vague = report(HUB, "my-password-age", vec![untyped]);
        assert_eq!(reason(vague, Occasion::CustomAction), Some(IgnoredReason::UnsupportedControl));
    }

    proptest! {
        /// Whatever is wrong with a finding, the earliest reason is given.
        #[test]
        fn reasons_are_looked_for_in_their_order(
            state in select(vec![
                None,
                Some(IgnoredReason::NotFailed),
                Some(IgnoredReason::Archived),
                Some(IgnoredReason::Suppressed),
                Some(IgnoredReason::AlreadyHandled),
            ]),
            product in select(vec![HUB, FORGED]),
            generator in select(vec!["security-control/IAM.7", "my-password-age", "security-control/IAM.8"]),
            has_account in any::<bool>(),
            has_user in any::<bool>(),
        ) {
            let resources: Vec<_> = has_account.then(account).into_iter().chain(has_user.then(alice)).collect();
            let mut report = report(product, generator, resources);
            report.state = state.map(|reason| Objection { reason, detail: None });
            let usable = match generator {
                "security-control/IAM.7" => has_account,
                _ => has_user,
            };
            let expected = [
                state,
                (product == FORGED).then_some(IgnoredReason::UntrustedProduct),
                (generator == "security-control/IAM.8").then_some(IgnoredReason::UnsupportedControl),
                (!usable).then_some(IgnoredReason::Malformed),
            ];
            prop_assert_eq!(reason(report, Occasion::Imported), expected.into_iter().flatten().next());
        }
    }
}
