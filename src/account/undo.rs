//! How to bring an account's password policy back to what it was.

use serde_json::{Map, Value};

use super::password_policy::{EffectivePolicy, PasswordPolicy, Setting};

/// Every setting of the policy that has a value, by its name in IAM and in the
/// order in which IAM's documentation has them.
pub(crate) fn settings(policy: &PasswordPolicy) -> Vec<(&'static str, Value)> {
    let policy = policy.with_zero_as_none();
    let flags = [
        (Setting::RequireSymbols, policy.require_symbols),
        (Setting::RequireNumbers, policy.require_numbers),
        (Setting::RequireUppercaseCharacters, policy.require_uppercase),
        (Setting::RequireLowercaseCharacters, policy.require_lowercase),
        (Setting::AllowUsersToChangePassword, policy.allow_users_to_change_password),
    ];
    let mut settings = vec![(Setting::MinimumPasswordLength.as_str(), Value::from(policy.minimum_length))];
    settings.extend(flags.map(|(setting, value)| (setting.as_str(), Value::from(value))));
    settings.extend(policy.max_age_days.map(|days| (Setting::MaxPasswordAge.as_str(), Value::from(days))));
    settings.extend(
        policy.reuse_prevention.map(|passwords| (Setting::PasswordReusePrevention.as_str(), Value::from(passwords))),
    );
    settings.extend(policy.hard_expiry.map(|value| ("HardExpiry", Value::from(value))));
    settings
}

/// The settings as a JSON object; null where the account had no policy.
pub(crate) fn document(previous: &EffectivePolicy) -> Value {
    previous.custom().map_or(Value::Null, |policy| {
        let settings = settings(policy).into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(settings.collect::<Map<_, _>>())
    })
}

/// The command that sets the policy as it was, to be run in the account
/// ([`update-account-password-policy`](https://docs.aws.amazon.com/cli/latest/reference/iam/update-account-password-policy.html)).
/// What it leaves out is not set then. Nothing in it means anything to a shell.
pub(crate) fn command(previous: &EffectivePolicy) -> String {
    let Some(policy) = previous.custom() else { return "aws iam delete-account-password-policy".to_owned() };
    let options = settings(policy).into_iter().map(|(name, value)| {
        let option = kebab_case(name);
        match value {
            Value::Bool(true) => format!(" --{option}"),
            Value::Bool(false) => format!(" --no-{option}"),
            value => format!(" --{option} {value}"),
        }
    });
    format!("aws iam update-account-password-policy{}", options.collect::<String>())
}

fn kebab_case(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !words.is_empty() {
            words.push('-');
        }
        words.push(character.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_setting_that_had_a_value_is_spelled_out() {
        let policy = PasswordPolicy {
            minimum_length: 10,
            require_numbers: true,
            allow_users_to_change_password: true,
            max_age_days: Some(120),
            reuse_prevention: Some(5),
            hard_expiry: Some(true),
            ..PasswordPolicy::LAXEST
        };
        let previous = EffectivePolicy::Custom(policy);
        assert_eq!(
            command(&previous),
            "aws iam update-account-password-policy --minimum-password-length 10 --no-require-symbols \
             --require-numbers --no-require-uppercase-characters --no-require-lowercase-characters \
             --allow-users-to-change-password --max-password-age 120 --password-reuse-prevention 5 --hard-expiry"
        );
        assert_eq!(
            document(&previous),
            json!({
                "MinimumPasswordLength": 10,
                "RequireSymbols": false,
                "RequireNumbers": true,
                "RequireUppercaseCharacters": false,
                "RequireLowercaseCharacters": false,
                "AllowUsersToChangePassword": true,
                "MaxPasswordAge": 120,
                "PasswordReusePrevention": 5,
                "HardExpiry": true,
            })
        );
    }

    #[test]
    fn what_was_not_set_is_left_out() {
        for hard_expiry in [None, Some(false)] {
            for nothing in [None, Some(0)] {
                let policy = PasswordPolicy {
                    max_age_days: nothing.map(u16::from),
                    reuse_prevention: nothing,
                    hard_expiry,
                    ..PasswordPolicy::LAXEST
                };
                let command = command(&EffectivePolicy::Custom(policy));
                assert!(!command.contains("max-password-age") && !command.contains("reuse"), "{command}");
                assert_eq!(command.contains("--no-hard-expiry"), hard_expiry.is_some(), "{command}");
                assert!(!command.contains(" --hard-expiry"), "{command}");
            }
        }
    }

    #[test]
    fn an_account_that_had_no_policy_has_none_afterwards() {
        assert_eq!(command(&EffectivePolicy::AwsDefault), "aws iam delete-account-password-policy");
        assert_eq!(document(&EffectivePolicy::AwsDefault), Value::Null);
    }
}
