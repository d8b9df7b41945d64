//! Which findings count. The rules are the same for both formats; [`super::asff`]
//! and [`super::ocsf`] put what a finding says into a [`Statement`], and here it
//! is judged, in the order of [`IgnoredReason`]: state, origin, control,
//! resources.
//!
//! The event rule asks for the same state. It is checked again because
//! recording an outcome is itself an event: a finding that is let through twice
//! would call this function for ever.
//!
//! Everyone with `securityhub:BatchImportFindings` can write findings of any
//! content under their account's own product. So the content of a finding proves
//! nothing; what it may ask for goes by its [`Origin`] alone.

use crate::account_list::AccountList;
use crate::globs::Globs;
use crate::identity::{AccountId, Partition};

use super::control::{Claims, Parameters};
use super::finding::{Ask, Finding, FindingRef, Ignored, IgnoredReason, Screened};
use super::resource::{self, Resource, Untyped};
use super::wire::Misshapen;

/// The `GeneratorId` of this function's own findings.
pub(crate) const OWN_GENERATOR: &str = "iam-password-remediator/password-age";

/// What an operator decides about findings.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// `PASSWORD_AGE_FINDINGS`: which findings are about the age of passwords,
    /// by generator id or Config rule name.
    pub(crate) password_age_findings: Globs,
    /// `TRUSTED_PRODUCTS`: whose findings may have the age of a password looked
    /// at, besides those of Security Hub, Config and this function, by the whole
    /// product ARN.
    pub(crate) trusted_products: Globs,
    /// `ACCOUNTS`: the accounts that are seen to. Findings of others count for
    /// nothing, and orders about them are refused.
    pub(crate) accounts: AccountList,
    /// Whether there is a queue: an order for all accounts takes one.
    pub(crate) has_queue: bool,
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
    pub(super) detail: String,
}

impl Objection {
    pub(super) fn new(reason: IgnoredReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<Misshapen> for Objection {
    fn from(problem: Misshapen) -> Self {
        Self::new(IgnoredReason::Malformed, problem.0)
    }
}

/// Whether the check behind a finding failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Check {
    Failed,
    /// The finding does not say. Cloud Custodian's never do.
    NotSaid,
    /// It did not fail; the text says what came of it.
    Other(String),
}

/// What a finding says, whatever its format. Nothing of it is believed yet.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) id: String,
    pub(super) reference: FindingRef,
    /// The account it is about.
    pub(super) account: AccountId,
    /// The note that it carries.
    pub(super) note: Option<String>,
    pub(super) check: Check,
    /// The first objection that its state gives besides the check, if any.
    pub(super) state: Option<Objection>,
    /// The ARN of the product it comes from.
    pub(super) product: String,
    /// Where it may name a security control.
    pub(super) claims: Claims,
    /// What the globs for password-age findings are held against.
    pub(super) labels: Vec<String>,
    pub(super) parameters: Parameters,
    pub(super) resources: Vec<Resource>,
}

/// Judges what was read of a finding; `spare_id` stands for an id that could
/// not be read.
pub(super) fn screen(
    read: Result<Statement, Objection>,
    spare_id: impl FnOnce() -> String,
    occasion: Occasion,
    rules: &Rules,
) -> Screened {
    let ignored = |id: String, objection: Objection| {
        Screened::Ignored(Ignored { id, reason: objection.reason, detail: objection.detail })
    };
    match read {
        Err(objection) => ignored(spare_id(), objection),
        Ok(statement) => match judge(&statement, occasion, rules) {
            Err(objection) => ignored(statement.id, objection),
            Ok(_) if !rules.accounts.includes(&statement.account) => {
                let detail = format!("ACCOUNTS does not name account {}", statement.account);
                ignored(statement.id, Objection::new(IgnoredReason::AccountNotEnabled, detail))
            }
            Ok(ask) => {
                let Statement { id, account, reference, note, .. } = statement;
                Screened::Wanted(Finding { id, account_id: account, reference, note, ask })
            }
        },
    }
}

fn judge(statement: &Statement, occasion: Occasion, rules: &Rules) -> Result<Ask, Objection> {
    let Statement { account, resources, .. } = statement;
    if occasion == Occasion::CustomAction {
        let users = resource::users(resources, account, Untyped::NeedsUserArn)?;
        if !users.is_empty() {
            return Ok(Ask::ForcedReset { users });
        }
    }

    let origin = Origin::of(statement, rules);
    let may_go_unsaid = matches!(origin, Ok(Origin::Trusted));
    match &statement.check {
        Check::Failed => {}
        Check::NotSaid if may_go_unsaid => {}
        Check::NotSaid => {
            return Err(Objection::new(IgnoredReason::NotFailed, "it does not say that its check failed"));
        }
        Check::Other(detail) => return Err(Objection::new(IgnoredReason::NotFailed, detail)),
    }
    if let Some(objection) = &statement.state {
        return Err(objection.clone());
    }

    let origin = origin?;
    if let Some(control) = statement.claims.control() {
        if origin != Origin::SecurityHub {
            let detail = "controls of the password policy count from Security Hub alone";
            return Err(Objection::new(IgnoredReason::UnsupportedControl, detail));
        }
        let account_id = resource::account(resources, account)?;
        return Ok(Ask::Policy { account_id, requirement: control.requirement(&statement.parameters) });
    }
    // A finding of Security Hub's that names a control is about that control,
    // whatever else of it a glob may match.
    let is_about_another = || origin == Origin::SecurityHub && statement.claims.names_a_control();
    let is_about_age = || statement.labels.iter().any(|label| rules.password_age_findings.matches(label));
    if occasion == Occasion::Imported && is_about_age() && !is_about_another() {
        let users = resource::users(resources, account, Untyped::IsUser)?;
        if users.is_empty() {
            return Err(Misshapen("no resource is an IAM user".to_owned()).into());
        }
        let max_age_days = match origin {
            Origin::SecurityHub => statement.parameters.number("MaxPasswordAge", 1..=1095),
            Origin::Known | Origin::Trusted => None,
        };
        return Ok(Ask::PasswordAge { users, max_age_days });
    }
    Err(Objection::new(IgnoredReason::UnsupportedControl, statement.claims.told()))
}

/// Who a finding comes from, and with that how far it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Security Hub itself, whose findings only AWS can write. They may ask for a
    /// password policy and carry a limit.
    SecurityHub,
    /// Config or this function. Their findings may have one thing looked at: the
    /// age of a password, by the account's policy and the configuration.
    Known,
    /// A product that an operator trusts. It may ask for as much as [`Self::Known`],
    /// and need not say that its check failed.
    Trusted,
}

impl Origin {
    /// Whoever a product speaks for, it is the account of its ARN if the ARN
    /// names one: another account's findings cannot come from it.
    fn of(statement: &Statement, rules: &Rules) -> Result<Self, Objection> {
        let untrusted = |detail: String| Objection::new(IgnoredReason::UntrustedProduct, detail);
        let Some(product) = Product::read(&statement.product) else {
            return Err(untrusted("it does not name its product by a product's ARN".to_owned()));
        };
        if let Some(other) = product.accounts().find(|other| *other != statement.account.as_str()) {
            let account = &statement.account;
            return Err(untrusted(format!("a product of account {other} in a finding of account {account}")));
        }
        let is_own = || statement.claims.generator.as_deref() == Some(OWN_GENERATOR);
        match (product.account, product.name) {
            (None, "product/aws/securityhub" | "productv2/aws/securityhub") => Ok(Self::SecurityHub),
            (None, "product/aws/config") => Ok(Self::Known),
            (Some(account), name) if name == format!("product/{account}/default") && is_own() => Ok(Self::Known),
            _ if rules.trusted_products.matches(&statement.product) => Ok(Self::Trusted),
            _ => Err(untrusted(format!("`{}`", statement.product))),
        }
    }
}

/// `arn:PARTITION:securityhub:REGION:ACCOUNT:NAME`, the account empty for
/// products of AWS and its partners. The name is `product/COMPANY/PRODUCT`; of
/// an account's own product, the account stands for the company.
struct Product<'a> {
    account: Option<&'a str>,
    name: &'a str,
}

impl<'a> Product<'a> {
    /// The most characters of a product's name.
    const LONGEST_NAME: usize = 256;

    fn read(arn: &'a str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "securityhub", region, account, name] = parts[..] else { return None };
        partition.parse::<Partition>().ok()?;
        let is_made_of = |text: &str, more: &[u8]| {
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte))
        };
        let is_region = (1..=32).contains(&region.len()) && is_made_of(region, b"-");
        let is_name = name.len() <= Self::LONGEST_NAME && is_made_of(&name.to_ascii_lowercase(), b"/-_.");
        let account = match account {
            "" => None,
            account => Some(account.parse::<AccountId>().ok().map(|_| account)?),
        };
        (is_region && is_name).then_some(Self { account, name })
    }

    /// Every account that the ARN names, in the account's place or in the name.
    fn accounts(&self) -> impl Iterator<Item = &'a str> {
        let in_name = self.name.split('/').filter(|part| part.parse::<AccountId>().is_ok());
        self.account.into_iter().chain(in_name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::event::finding::Workflow;

    const HUB: &str = "arn:aws:securityhub:us-east-1::product/aws/securityhub";
    const HUB_V2: &str = "arn:aws:securityhub:us-east-1::productv2/aws/securityhub";
    const CONFIG: &str = "arn:aws:securityhub:us-east-1::product/aws/config";
    const OWN: &str = "arn:aws:securityhub:us-east-1:123456789012:product/123456789012/default";
    const FORGED: &str = "arn:aws:securityhub:us-east-1:444455556666:product/444455556666/default";
    const PARTNER: &str = "arn:aws:securityhub:us-east-1::product/cloud-custodian/cloud-custodian";
    const TRUSTED: &str = "arn:aws:securityhub:us-east-1:123456789012:product/123456789012/scanner";

    fn rules() -> Rules {
        Rules {
            password_age_findings: Globs::parse("*password-age*"),
            trusted_products: Globs::parse(&format!("{PARTNER},{TRUSTED}")),
            accounts: "*".parse().unwrap(),
            has_queue: true,
        }
    }

    fn statement(product: &str, generator: &str, resources: &[Resource]) -> Statement {
        Statement {
            id: "finding-1".to_owned(),
            reference: FindingRef::Asff {
                id: "finding-1".to_owned(),
                product_arn: product.to_owned(),
                workflow: Workflow::New,
            },
            account: "123456789012".parse().unwrap(),
            note: None,
            check: Check::Failed,
            state: None,
            product: product.to_owned(),
            claims: Claims { generator: Some(generator.to_owned()), ..Claims::default() },
            labels: vec![generator.to_owned()],
            parameters: Parameters::deserialize(json!([{ "Name": "MaxPasswordAge", "Value": ["30"] }])).unwrap(),
            resources: resources.to_vec(),
        }
    }

    fn judged(statement: Statement, occasion: Occasion) -> Result<Ask, IgnoredReason> {
        match screen(Ok(statement), String::new, occasion, &rules()) {
            Screened::Wanted(finding) => Ok(finding.ask),
            Screened::Ignored(ignored) => Err(ignored.reason),
        }
    }

    fn reason(statement: Statement, occasion: Occasion) -> Option<IgnoredReason> {
        judged(statement, occasion).err()
    }

    fn resource(kind: &str, id: &str) -> Resource {
        Resource { kind: kind.to_owned(), ids: vec![id.to_owned()], ..Resource::default() }
    }

    fn alice() -> Resource {
        resource("AwsIamUser", "arn:aws:iam::123456789012:user/alice")
    }

    fn account() -> Resource {
        resource("AwsAccount", "AWS::::Account:123456789012")
    }

    #[test]
    fn only_known_and_trusted_products_count() {
        for (product, counts) in [
            (HUB, true),
            (HUB_V2, true),
            (CONFIG, true),
            (PARTNER, true),
            (TRUSTED, true),
            ("arn:aws-cn:securityhub:cn-north-1::product/aws/securityhub", true),
            ("arn:aws-us-gov:securityhub:us-gov-west-1::productv2/aws/securityhub", true),
            ("arn:aws-iso:securityhub:us-iso-east-1::product/aws/config", false),
            ("arn:aws:securityhub:us-east-1::productv2/aws/config", false),
            ("arn:aws:securityhub:us-east-1::product/aws/guardduty", false),
            ("arn:aws:securityhub:us-east-1::product/aws/securityhub2", false),
            ("arn:aws:securityhub:us-east-1::productv2/aws/securityhub-coverage", false),
            ("arn:aws:securityhub:us-east-1::product/aws/securityhub/x", false),
            ("arn:aws:securityhub:us-east-1::product/aws/securityhub:x", false),
            ("arn:aws:securityhub:us-east-1::x:product/aws/securityhub", false),
            ("arn:aws:securityhub:us-east-1:123456789012:product/aws/securityhub", false),
            ("arn:aws:securityhub:us-east-1:123456789012:product/aws/config", false),
            ("arn:aws:securityhub:::product/aws/securityhub", false),
            ("arn:aws:securityhub:US-EAST-1::product/aws/securityhub", false),
            ("arn:aws:Securityhub:us-east-1::product/aws/securityhub", false),
            (" arn:aws:securityhub:us-east-1::product/aws/securityhub", false),
            (FORGED, false),
            (&format!("{TRUSTED}/x"), false),
            (&format!("x {TRUSTED}"), false),
            ("", false),
        ] {
            let found = reason(statement(product, "my-password-age", &[alice()]), Occasion::Imported);
            assert_eq!(found, (!counts).then_some(IgnoredReason::UntrustedProduct), "{product}");
        }
    }

    #[test]
    fn a_product_that_names_an_account_speaks_for_that_account_alone() {
        let everyone = Rules { trusted_products: Globs::parse("*"), ..rules() };
        for (product, counts) in [
            (OWN, true),
            (PARTNER, true),
            (FORGED, false),
            ("arn:aws:securityhub:us-east-1:123456789012:product/444455556666/default", false),
            ("arn:aws:securityhub:us-east-1:444455556666:product/123456789012/default", false),
            ("arn:aws:securityhub:us-east-1::product/444455556666/default", false),
            ("arn:aws:securityhub:us-east-1::product/partner/444455556666/x", false),
            ("arn:aws:securityhub:us-east-1:44445555666:product/partner/x", false),
            ("arn:aws:securityhub:us-east-1:*:product/partner/x", false),
            ("anything", false),
        ] {
            let statement = statement(product, "my-password-age", &[alice()]);
            let counted = matches!(
                screen(Ok(statement), String::new, Occasion::Imported, &everyone),
                Screened::Wanted(Finding { ask: Ask::PasswordAge { .. }, .. })
            );
            assert_eq!(counted, counts, "{product}");
        }
    }

    #[test]
    fn the_functions_own_findings_are_told_by_their_accounts_product_and_their_whole_generator() {
        for (product, generator, counts) in [
            (OWN, OWN_GENERATOR, true),
            (OWN, "my-password-age", false),
            (OWN, "iam-password-remediator/password-age/x", false),
            (OWN, "iam-password-remediator/password-age-2", false),
            (OWN, "x/iam-password-remediator/password-age", false),
            (OWN, "Iam-Password-Remediator/password-age", false),
            ("arn:aws:securityhub:us-east-1:123456789012:product/123456789012/other", OWN_GENERATOR, false),
            ("arn:aws:securityhub:us-east-1:123456789012:productv2/123456789012/default", OWN_GENERATOR, false),
            ("arn:aws:securityhub:us-east-1:123456789012:product/123456789012/x/default", OWN_GENERATOR, false),
            ("arn:aws:securityhub:us-east-1:123456789012:product/444455556666/default", OWN_GENERATOR, false),
            ("arn:aws:securityhub:us-east-1::product/123456789012/default", OWN_GENERATOR, false),
            (FORGED, OWN_GENERATOR, false),
        ] {
            let found = reason(statement(product, generator, &[alice()]), Occasion::Imported);
            assert_eq!(found, (!counts).then_some(IgnoredReason::UntrustedProduct), "{product} {generator}");
        }
    }

    #[test]
    fn the_functions_own_findings_of_a_member_account_count_for_that_account() {
        let bob = resource("AwsIamUser", "arn:aws:iam::444455556666:user/bob");
        let member = |resource: &Resource| Statement {
            account: "444455556666".parse().unwrap(),
            ..statement(FORGED, OWN_GENERATOR, std::slice::from_ref(resource))
        };
        let Ok(Ask::PasswordAge { users, .. }) = judged(member(&bob), Occasion::Imported) else { panic!("ignored") };
        assert_eq!(users[0].account_id().as_str(), "444455556666");
        assert_eq!(reason(member(&alice()), Occasion::Imported), Some(IgnoredReason::Malformed));
    }

    #[test]
    fn only_security_hub_may_ask_for_a_policy_or_carry_a_limit() {
        for (product, generator, is_hub) in [
            (HUB, "my-password-age", true),
            (HUB_V2, "my-password-age", true),
            (CONFIG, "my-password-age", false),
            (OWN, OWN_GENERATOR, false),
            (PARTNER, "my-password-age", false),
            (TRUSTED, "my-password-age", false),
        ] {
            let age = judged(statement(product, generator, &[alice()]), Occasion::Imported);
            let Ok(Ask::PasswordAge { max_age_days, .. }) = age else { panic!("{product}: {age:?}") };
            assert_eq!(max_age_days, is_hub.then_some(30), "{product}");

            for occasion in [Occasion::Imported, Occasion::CustomAction] {
                let mut policy = statement(product, generator, &[account()]);
                policy.claims.security_control = Some("IAM.7".to_owned());
                match judged(policy, occasion) {
                    Ok(Ask::Policy { requirement, .. }) if is_hub => assert_eq!(requirement.max_age_days, Some(30)),
                    found => assert_eq!((is_hub, found), (false, Err(IgnoredReason::UnsupportedControl)), "{product}"),
                }
            }
        }
    }

    #[test]
    fn a_finding_that_does_not_say_that_its_check_failed_counts_from_trusted_products_only() {
        for (product, generator, counts) in [
            (PARTNER, "my-password-age", true),
            (TRUSTED, "my-password-age", true),
            (HUB, "my-password-age", false),
            (CONFIG, "my-password-age", false),
            (OWN, OWN_GENERATOR, false),
            (FORGED, "my-password-age", false),
        ] {
            let of = |check| Statement { check, ..statement(product, generator, &[alice()]) };
            let found = reason(of(Check::NotSaid), Occasion::Imported);
            assert_eq!(found, (!counts).then_some(IgnoredReason::NotFailed), "{product}");
            let found = reason(of(Check::Other("passed".to_owned())), Occasion::Imported);
            assert_eq!(found, Some(IgnoredReason::NotFailed), "{product}");
        }
    }

    #[test]
    fn a_policy_control_comes_before_the_globs() {
        let mut both = statement(HUB, "security-control/IAM.7", &[account(), alice()]);
        both.labels = vec!["my-password-age".to_owned()];
        assert!(matches!(judged(both, Occasion::Imported), Ok(Ask::Policy { .. })));
    }

    #[test]
    fn a_finding_of_security_hub_that_names_another_control_is_about_no_age_whatever_its_label() {
        let claims = [
            Claims { security_control: Some("IAM.8".to_owned()), ..Claims::default() },
            Claims { rule: Some("IAM.8".to_owned()), ..Claims::default() },
            Claims { rule: Some("1.3".to_owned()), ..Claims::default() },
            Claims { generator: Some("security-control/IAM.8".to_owned()), ..Claims::default() },
            Claims { generator: Some("pci-dss/v/3.2.1/PCI.IAM.7".to_owned()), ..Claims::default() },
            Claims {
                generator: Some(
                    "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.3".to_owned(),
                ),
                ..Claims::default()
            },
        ];
        for claims in claims {
            for (product, expected) in [
                (HUB, Some(IgnoredReason::UnsupportedControl)),
                (HUB_V2, Some(IgnoredReason::UnsupportedControl)),
                (PARTNER, None),
            ] {
                let told = Statement { claims: claims.clone(), ..statement(product, "my-password-age", &[alice()]) };
                assert_eq!(reason(told, Occasion::Imported), expected, "{product} {claims:?}");
            }
        }
        for generator in
            ["my-password-age", "team/my-password-age", "arn:aws:config:us-east-1:123456789012:config-rule/x"]
        {
            let mut rule = statement(HUB, generator, &[alice()]);
            rule.labels = vec!["my-password-age".to_owned()];
            assert_eq!(reason(rule, Occasion::Imported), None, "{generator}");
        }
    }

    #[test]
    fn a_person_may_reset_a_user_of_any_finding_but_not_a_policy_of_any_finding() {
        let state = Some(Objection::new(IgnoredReason::AlreadyHandled, ""));
        let mut user = statement(FORGED, "whatever", &[alice()]);
        user.state.clone_from(&state);
        user.check = Check::NotSaid;
        assert_eq!(reason(user, Occasion::CustomAction), None);
        let policy = || statement(HUB, "security-control/IAM.7", &[account()]);
        assert_eq!(reason(policy(), Occasion::CustomAction), None);
        let handled = Statement { state, ..policy() };
        assert_eq!(reason(handled, Occasion::CustomAction), Some(IgnoredReason::AlreadyHandled));
        let forged = statement(FORGED, "security-control/IAM.7", &[account()]);
        assert_eq!(reason(forged, Occasion::CustomAction), Some(IgnoredReason::UntrustedProduct));
        let neither = statement(HUB, "security-control/IAM.8", &[account()]);
        assert_eq!(reason(neither, Occasion::CustomAction), Some(IgnoredReason::UnsupportedControl));
        let vague = statement(HUB, "my-password-age", &[resource("Other", "alice")]);
        assert_eq!(reason(vague, Occasion::CustomAction), Some(IgnoredReason::UnsupportedControl));
    }

    #[test]
    fn a_user_of_another_account_than_the_findings_is_reset_by_nobody() {
        let stranger = resource("AwsIamUser", "arn:aws:iam::444455556666:user/bob");
        for product in [HUB, CONFIG, FORGED, PARTNER] {
            let found = reason(statement(product, "x", &[alice(), stranger.clone()]), Occasion::CustomAction);
            assert_eq!(found, Some(IgnoredReason::Malformed), "{product}");
        }
    }

    #[test]
    fn of_an_account_that_is_not_enabled_nothing_counts_and_every_other_reason_comes_first() {
        let judge = |statement, occasion, accounts: &str| match screen(
            Ok(statement),
            String::new,
            occasion,
            &Rules { accounts: accounts.parse().unwrap(), ..rules() },
        ) {
            Screened::Wanted(_) => None,
            Screened::Ignored(ignored) => Some(ignored.reason),
        };
        for (accounts, expected) in [
            ("*", None),
            ("123456789012", None),
            ("*,!123456789012", Some(IgnoredReason::AccountNotEnabled)),
            ("111122223333", Some(IgnoredReason::AccountNotEnabled)),
        ] {
            let age = statement(CONFIG, "my-password-age", &[alice()]);
            let policy = statement(HUB, "security-control/IAM.7", &[account()]);
            let selected = statement(FORGED, "whatever", &[alice()]);
            assert_eq!(judge(age, Occasion::Imported, accounts), expected, "{accounts}");
            assert_eq!(judge(policy, Occasion::Imported, accounts), expected, "{accounts}");
            assert_eq!(judge(selected, Occasion::CustomAction, accounts), expected, "{accounts}");
        }
        let unwanted = statement(CONFIG, "my-password-age", &[account()]);
        assert_eq!(judge(unwanted, Occasion::Imported, "*,!123456789012"), Some(IgnoredReason::Malformed));
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
            let mut statement = statement(product, generator, &resources);
            match state {
                Some(IgnoredReason::NotFailed) => statement.check = Check::Other(String::new()),
                state => statement.state = state.map(|reason| Objection::new(reason, "")),
            }
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
            prop_assert_eq!(reason(statement, Occasion::Imported), expected.into_iter().flatten().next());
        }
    }
}
