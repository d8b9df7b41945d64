//! The environment, read once at start and turned into values that cannot be
//! wrong later.
//!
//! A variable that is set to nothing counts as not set: CloudFormation passes
//! an empty parameter on as an empty string.

use std::fmt;
use std::str::FromStr;

use tracing_subscriber::filter::Targets;

use crate::event::Rules;
use crate::globs::Globs;
use crate::notification::Language;

/// All that can be set from outside. Each field's doc names its variable.
#[derive(Debug, Clone)]
pub struct Config {
    /// `NOTIFICATION_TOPIC_ARN`, required: the SNS topic for users and operators.
    pub notification_topic_arn: String,
    /// `LEDGER_TABLE`, required: the DynamoDB table of [`crate::ledger`].
    pub ledger_table: String,
    /// `MODE`: `remediate` (default) or `dry-run`.
    pub mode: Mode,
    /// `MAX_PASSWORD_AGE_DAYS`, 1 to 1095, default 90. A stricter account
    /// policy or control parameter wins.
    pub max_password_age_days: u16,
    /// `PASSWORD_LENGTH`, 8 to 128 characters, default 24; raised to the
    /// account policy's minimum.
    pub password_length: u8,
    /// `PASSWORD_POLICY`: `strengthen` (default) or `report`.
    pub password_policy: PolicyMode,
    /// `SWEEP`: `stale` (default) or `off`: what follows a policy finding.
    pub sweep: SweepMode,
    /// `MAX_RESETS_PER_SWEEP`, 0 to 5000 users, default 25: more stale users
    /// than this are held for a person.
    pub max_resets_per_sweep: u32,
    /// `GRACE_DAYS`, 0 to 90, default 0: how many days a user has to change a
    /// password that is too old, before it is replaced.
    pub grace_days: u16,
    /// `WARN_DAYS`, default `14,3`: how many days before a password is too old an
    /// audit tells its user, the greatest first. Each 1 to 365; may be empty.
    pub warn_days: Vec<u16>,
    /// `CLAIM_DAYS`, 1 to 90, default 7: after how many days an audit reminds a
    /// user of a new password that was not used.
    pub claim_days: u16,
    /// `EMAIL_TAG`: the IAM tag with a user's e-mail address, default none.
    pub email_tag: Option<String>,
    /// `EXEMPT_TAG`, default `password-remediation=exempt`.
    pub exempt_tag: ExemptTag,
    /// `EXEMPT_USERS`: globs of user names or paths, default none.
    pub exempt_users: Globs,
    /// `CHANGE_PASSWORD_GRANT`: `attach` (default) or `skip`.
    pub change_password_grant: ChangePasswordGrant,
    /// `SECRET_PREFIX`, default `iam-console-password`.
    pub secret_prefix: String,
    /// `SECRET_KMS_KEY_ID`: id, ARN or alias of a customer key, default the
    /// key that AWS manages.
    pub secret_kms_key_id: Option<String>,
    /// `PASSWORD_AGE_FINDINGS` (default the names of public checks),
    /// `TRUSTED_PRODUCTS` (default none) and `ACCOUNTS` (default all): which
    /// findings are believed.
    pub(crate) finding_rules: Rules,
    /// `WORK_QUEUE_URL`: the SQS queue that sweeps write to, default none.
    pub work_queue_url: Option<String>,
    /// `MEMBER_ROLE_NAME`: the role assumed in other accounts, default none.
    pub member_role_name: Option<String>,
    /// `NOTIFICATION_LANGUAGE`: `en` (default) or `ja`.
    pub notification_language: Language,
    /// `SUPPORT_CONTACT`: who helps a user who cannot read the secret.
    pub support_contact: Option<String>,
    /// `RUST_LOG`, default `info`: `level` or `target=level,…`. What may be
    /// logged of a secret does not depend on it: see [`crate::telemetry`].
    pub log: Targets,
}

/// `MODE`: whether anything is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Change what needs changing.
    Remediate,
    /// Read everything, write nothing, report what would happen.
    DryRun,
}

/// `PASSWORD_POLICY`: what a policy finding may do to the account's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyMode {
    /// Strengthen it.
    Strengthen,
    /// Say what would change.
    Report,
}

/// `SWEEP`: what happens to an account's users after a policy finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepMode {
    /// Users whose passwords are too old are reset.
    Stale,
    /// Nothing.
    Off,
}

/// `CHANGE_PASSWORD_GRANT`: what happens to users who may not change their own
/// password, and so could not complete a sign-in with a password to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangePasswordGrant {
    /// Attach the managed policy `IAMUserChangePassword`.
    Attach,
    /// Leave them alone.
    Skip,
}

/// `EXEMPT_TAG`: the IAM tag that puts a user out of reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExemptTag {
    key: String,
    value: String,
}

impl ExemptTag {
    /// Whether a user's tag is this one. Case does not matter: IAM tells tag
    /// keys apart without it, and a person who tags a user `Exempt` means it.
    #[must_use]
    pub fn is(&self, key: &str, value: &str) -> bool {
        self.key.eq_ignore_ascii_case(key.trim()) && self.value.eq_ignore_ascii_case(value.trim())
    }

    /// Whether it is among a user's tags.
    #[must_use]
    pub fn is_one_of(&self, tags: &[(String, String)]) -> bool {
        tags.iter().any(|(key, value)| self.is(key, value))
    }
}

impl FromStr for ExemptTag {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some((key, value)) if !key.is_empty() && key.len() <= 128 && value.len() <= 256 => {
                Ok(Self { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err(()),
        }
    }
}

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    variable: &'static str,
    value: Option<String>,
    allowed: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, value, allowed } = self;
        match value {
            Some(value) => write!(f, "{variable} is `{value}`, which is not allowed: set it to {allowed}"),
            None => write!(f, "{variable} is not set: set it to {allowed}"),
        }
    }
}

impl Config {
    /// Reads the configuration through `lookup`, which answers as
    /// [`std::env::var`] does.
    ///
    /// # Errors
    ///
    /// The first variable that is missing or has a value that is not allowed,
    /// with the value and what is allowed.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let env = Environment(lookup);
        let work_queue_url = env.optional("WORK_QUEUE_URL", "the URL of an SQS queue", queue_url)?;
        Ok(Self {
            notification_topic_arn: env.required("NOTIFICATION_TOPIC_ARN", TOPIC_ARN, topic_arn)?,
            ledger_table: env.required("LEDGER_TABLE", TABLE_NAME, table_name)?,
            mode: env.choice("MODE", &[("remediate", Mode::Remediate), ("dry-run", Mode::DryRun)])?,
            max_password_age_days: env.number("MAX_PASSWORD_AGE_DAYS", 90, 1, 1095)?,
            password_length: env.number("PASSWORD_LENGTH", 24, 8, 128)?,
            password_policy: env
                .choice("PASSWORD_POLICY", &[("strengthen", PolicyMode::Strengthen), ("report", PolicyMode::Report)])?,
            sweep: env.choice("SWEEP", &[("stale", SweepMode::Stale), ("off", SweepMode::Off)])?,
            max_resets_per_sweep: env.number("MAX_RESETS_PER_SWEEP", 25, 0, 5000)?,
            grace_days: env.number("GRACE_DAYS", 0, 0, 90)?,
            warn_days: env.warn_days()?,
            claim_days: env.number("CLAIM_DAYS", 7, 1, 90)?,
            email_tag: env.optional("EMAIL_TAG", TAG_KEY, tag_key)?,
            exempt_tag: env
                .or_default("EXEMPT_TAG", "password-remediation=exempt", "KEY=VALUE", |text| text.parse().ok())?,
            exempt_users: env.globs("EXEMPT_USERS", ""),
            change_password_grant: env.choice(
                "CHANGE_PASSWORD_GRANT",
                &[("attach", ChangePasswordGrant::Attach), ("skip", ChangePasswordGrant::Skip)],
            )?,
            secret_prefix: env.or_default("SECRET_PREFIX", "iam-console-password", SECRET_PREFIX, secret_prefix)?,
            secret_kms_key_id: env.optional("SECRET_KMS_KEY_ID", KMS_KEY, kms_key)?,
            finding_rules: Rules {
                password_age_findings: env.globs("PASSWORD_AGE_FINDINGS", PASSWORD_AGE_FINDINGS),
                trusted_products: env.globs("TRUSTED_PRODUCTS", ""),
                accounts: env.or_default("ACCOUNTS", "*", ACCOUNTS, |text| text.parse().ok())?,
                has_queue: work_queue_url.is_some(),
            },
            work_queue_url,
            member_role_name: env.optional("MEMBER_ROLE_NAME", ROLE_NAME, role_name)?,
            notification_language: env
                .choice("NOTIFICATION_LANGUAGE", &[("en", Language::En), ("ja", Language::Ja)])?,
            support_contact: env.optional("SUPPORT_CONTACT", "up to 500 characters", support_contact)?,
            log: env.or_default("RUST_LOG", "info", LOG, |text| text.parse().ok())?,
        })
    }
}

struct Environment<F>(F);

impl<F: Fn(&str) -> Option<String>> Environment<F> {
    fn get(&self, variable: &str) -> Option<String> {
        (self.0)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn optional<T>(
        &self,
        variable: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.get(variable) else { return Ok(None) };
        match parse(&value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(ConfigError { variable, value: Some(value), allowed: allowed.to_owned() }),
        }
    }

    fn required<T>(
        &self,
        variable: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        self.optional(variable, allowed, parse)?.ok_or_else(|| ConfigError {
            variable,
            value: None,
            allowed: allowed.to_owned(),
        })
    }

    fn or_default<T>(
        &self,
        variable: &'static str,
        default: &str,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let value = self.get(variable).unwrap_or_else(|| default.to_owned());
        parse(&value).ok_or_else(|| ConfigError { variable, value: Some(value), allowed: allowed.to_owned() })
    }

    /// The first choice is the default.
    fn choice<T: Copy>(&self, variable: &'static str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.or_default(variable, names[0], &names.join(" or "), |text| {
            choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice)
        })
    }

    fn number<T>(&self, variable: &'static str, default: T, least: T, most: T) -> Result<T, ConfigError>
    where
        T: Copy + PartialOrd + FromStr + fmt::Display,
    {
        let allowed = format!("a whole number from {least} to {most}");
        let parsed = self
            .optional(variable, &allowed, |text| text.parse().ok().filter(|number| (least..=most).contains(number)))?;
        Ok(parsed.unwrap_or(default))
    }

    /// One that is there and empty differs from one that is not: no warnings.
    fn warn_days(&self) -> Result<Vec<u16>, ConfigError> {
        const VARIABLE: &str = "WARN_DAYS";
        let text = (self.0)(VARIABLE).unwrap_or_else(|| "14,3".to_owned());
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let days: Option<Vec<u16>> =
            parts.map(|part| part.parse().ok().filter(|days| (1..=365).contains(days))).collect();
        let mut days = days.ok_or_else(|| ConfigError {
            variable: VARIABLE,
            value: Some(text.clone()),
            allowed: "whole numbers from 1 to 365, separated by commas, or to nothing".to_owned(),
        })?;
        days.sort_unstable_by(|one, other| other.cmp(one));
        days.dedup();
        Ok(days)
    }

    fn globs(&self, variable: &'static str, default: &str) -> Globs {
        Globs::parse(self.get(variable).as_deref().unwrap_or(default))
    }
}

/// Names of public checks and rules; none matches a policy control or a check
/// for unused credentials.
pub(crate) const PASSWORD_AGE_FINDINGS: &str = "*password-age*,*password_age*,*passwordage*,*password-max-age*,*password-expir*,\
    *password_expir*,*old-password*,*old_password*,*password*older*";

const ACCOUNTS: &str = "account ids of 12 digits, or * for every account, separated by commas; ! before an id leaves it \
    out (*,!111122223333)";

const TOPIC_ARN: &str = "the ARN of an SNS topic (arn:aws:sns:REGION:ACCOUNT:NAME)";

fn topic_arn(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        ["arn", partition, "sns", region, account, name]
            if partition.parse::<crate::identity::Partition>().is_ok()
                && account.parse::<crate::identity::AccountId>().is_ok()
                && !region.is_empty()
                && is_made_of(name, "_-.", 256) =>
        {
            Some(text.to_owned())
        }
        _ => None,
    }
}

const TABLE_NAME: &str = "the name of a DynamoDB table (3 to 255 letters, digits and _ - .)";

fn table_name(text: &str) -> Option<String> {
    (text.len() >= 3 && is_made_of(text, "_-.", 255)).then(|| text.to_owned())
}

const SECRET_PREFIX: &str = "1 to 128 letters, digits and / _ + = . @ -, with no slash at either end";

fn secret_prefix(text: &str) -> Option<String> {
    let legal = is_made_of(text, "/_+=.@-", 128) && !text.starts_with('/') && !text.ends_with('/');
    legal.then(|| text.to_owned())
}

const KMS_KEY: &str = "the id, ARN or alias of a KMS key (1234abcd-…, arn:aws:kms:…, alias/NAME)";

fn kms_key(text: &str) -> Option<String> {
    is_made_of(text, ":/_-", 2048).then(|| text.to_owned())
}

const TAG_KEY: &str = "the key of an IAM tag, of 1 to 128 characters";

fn tag_key(text: &str) -> Option<String> {
    (1..=128).contains(&text.chars().count()).then(|| text.to_owned())
}

const ROLE_NAME: &str = "the name of an IAM role, without its path (1 to 64 letters, digits and + = , . @ _ -)";

fn role_name(text: &str) -> Option<String> {
    is_made_of(text, "+=,.@_-", 64).then(|| text.to_owned())
}

fn queue_url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let legal = rest.contains('/') && is_made_of(rest, ":/._-[]", 1024);
    legal.then(|| text.to_owned())
}

fn support_contact(text: &str) -> Option<String> {
    (text.chars().count() <= 500).then(|| text.to_owned())
}

const LOG: &str = "a level (error, warn, info, debug, trace, off) or a list of TARGET=LEVEL";

fn is_made_of(text: &str, punctuation: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || punctuation.contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has no default.
    const REQUIRED: [(&str, &str); 2] =
        [("NOTIFICATION_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:passwords"), ("LEDGER_TABLE", "ledger")];

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_lookup(|name| {
            let set = variables.iter().chain(&REQUIRED).find(|(key, _)| *key == name);
            set.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let config = read(&[]).unwrap();
        assert_eq!(config.ledger_table, "ledger");
        assert_eq!(config.mode, Mode::Remediate);
        assert_eq!(config.max_password_age_days, 90);
        assert_eq!(config.password_length, 24);
        assert_eq!(config.password_policy, PolicyMode::Strengthen);
        assert_eq!(config.sweep, SweepMode::Stale);
        assert_eq!(config.max_resets_per_sweep, 25);
        assert!(config.exempt_tag.is("password-remediation", "exempt"));
        assert!(config.exempt_users.is_empty());
        assert_eq!(config.change_password_grant, ChangePasswordGrant::Attach);
        assert_eq!(config.secret_prefix, "iam-console-password");
        assert_eq!(config.secret_kms_key_id, None);
        for (name, is_wanted) in [
            ("OrgConfigRule-iam-password-age-abcdefgh", true),
            ("iam_user_password_age", true),
            ("iam-user-password-expiration", true),
            ("iam-users-with-old-password", true),
            ("aws_iam_user_password_older_90_days", true),
            ("PasswordAge", true),
            ("check-iam-user-password-age", true),
            ("iam-password-policy", false),
            ("iam-user-unused-credentials-check", false),
        ] {
            assert_eq!(config.finding_rules.password_age_findings.matches(name), is_wanted, "{name}");
        }
        assert!(config.finding_rules.trusted_products.is_empty());
        assert!(config.finding_rules.accounts.includes(&"111122223333".parse().unwrap()));
        assert_eq!(config.work_queue_url, None);
        assert_eq!(config.member_role_name, None);
        assert_eq!(config.notification_language, Language::En);
        assert_eq!(config.support_contact, None);
    }

    #[test]
    fn a_bad_value_is_named_with_its_variable_and_what_is_allowed() {
        for (variable, value, allowed) in [
            ("NOTIFICATION_TOPIC_ARN", "passwords", "arn:aws:sns:"),
            ("NOTIFICATION_TOPIC_ARN", "arn:aws:sqs:us-east-1:123456789012:passwords", "arn:aws:sns:"),
            ("LEDGER_TABLE", "my table", "DynamoDB table"),
            ("LEDGER_TABLE", "no", "3 to 255"),
            ("MODE", "dryrun", "remediate or dry-run"),
            ("MAX_PASSWORD_AGE_DAYS", "0", "1 to 1095"),
            ("MAX_PASSWORD_AGE_DAYS", "1096", "1 to 1095"),
            ("MAX_PASSWORD_AGE_DAYS", "ninety", "1 to 1095"),
            ("PASSWORD_LENGTH", "7", "8 to 128"),
            ("PASSWORD_LENGTH", "129", "8 to 128"),
            ("PASSWORD_LENGTH", "300", "8 to 128"),
            ("PASSWORD_POLICY", "yes", "strengthen or report"),
            ("SWEEP", "all", "stale or off"),
            ("MAX_RESETS_PER_SWEEP", "-1", "0 to 5000"),
            ("ACCOUNTS", "*,!1111", "12 digits, or * for every account"),
            ("ACCOUNTS", "!111122223333", "! before an id leaves it out (*,!111122223333)"),
            ("EXEMPT_TAG", "exempt", "KEY=VALUE"),
            ("EXEMPT_TAG", "=exempt", "KEY=VALUE"),
            ("CHANGE_PASSWORD_GRANT", "no", "attach or skip"),
            ("SECRET_PREFIX", "/passwords", "no slash at either end"),
            ("SECRET_PREFIX", "pass words", "letters, digits"),
            ("SECRET_KMS_KEY_ID", "my key", "KMS key"),
            ("WORK_QUEUE_URL", "jobs", "SQS queue"),
            ("MEMBER_ROLE_NAME", "team/role", "IAM role"),
            ("NOTIFICATION_LANGUAGE", "de", "en or ja"),
            ("RUST_LOG", "loud=very", "level"),
        ] {
            let text = read(&[(variable, value)]).unwrap_err().to_string();
            for part in [variable, value, allowed] {
                assert!(text.contains(part), "{variable}={value}: `{text}` lacks `{part}`");
            }
        }
    }

    #[test]
    fn what_has_no_default_is_required_even_when_it_is_set_to_nothing() {
        for (variable, _) in REQUIRED {
            for nothing in ["", "  "] {
                let error = read(&[(variable, nothing)]).unwrap_err();
                assert!(error.to_string().starts_with(&format!("{variable} is not set")), "{error}");
            }
        }
    }

    #[test]
    fn an_empty_variable_means_its_default() {
        let config = read(&[("MODE", ""), ("PASSWORD_LENGTH", " "), ("MEMBER_ROLE_NAME", "")]).unwrap();
        assert_eq!((config.mode, config.password_length), (Mode::Remediate, 24));
        assert_eq!(config.member_role_name, None);
    }

    #[test]
    fn every_limit_is_itself_allowed() {
        for (variable, values) in [
            ("MAX_PASSWORD_AGE_DAYS", ["1", "1095"]),
            ("PASSWORD_LENGTH", ["8", "128"]),
            ("MAX_RESETS_PER_SWEEP", ["0", "5000"]),
            (
                "NOTIFICATION_TOPIC_ARN",
                ["arn:aws-cn:sns:cn-north-1:123456789012:t", "arn:aws-us-gov:sns:us-gov-west-1:123456789012:t"],
            ),
            ("SECRET_KMS_KEY_ID", ["alias/passwords", "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab"]),
            ("WORK_QUEUE_URL", ["http://127.0.0.1:5000/123456789012/jobs", "https://sqs.us-east-1.amazonaws.com/1/q"]),
            ("RUST_LOG", ["trace", "warn,iam_password_remediator=debug"]),
        ] {
            for value in values {
                assert!(read(&[(variable, value)]).is_ok(), "{variable}={value}");
            }
        }
    }

    #[test]
    fn the_exempt_tag_is_recognised_in_any_case() {
        let tag: ExemptTag = "Team = Break Glass".parse().unwrap();
        assert!(tag.is("team", "break glass"));
        assert!(tag.is("TEAM", " Break Glass "));
        assert!(!tag.is("team", "break-glass"));
        assert!(!tag.is("teams", "break glass"));
    }
}
