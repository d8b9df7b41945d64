//! Hostile input for every parser but that of events, which has targets of its
//! own. Under `cargo test` each target runs for a moment; `make fuzz` runs them
//! for long.

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::time::Duration;

use bolero::check;

use crate::account::credential_report::CredentialReport;
use crate::config::Config;
use crate::globs::Globs;
use crate::identity::{AccountId, Home, Partition, UserId, UserName};
use crate::password::Password;
use crate::secret::SecretArn;
use crate::secret::password_in;

/// How long a target runs under `cargo test`.
const MOMENT: Duration = Duration::from_millis(500);

/// The most characters of an error about a value.
const LONGEST_ERROR: usize = 250;

#[test]
fn credential_reports() {
    const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed\n";
    let run = |bytes: &[u8]| {
        let Ok(report) = CredentialReport::parse(bytes) else { return };
        let content = String::from_utf8_lossy(bytes);
        // `"al"ice` is alice too.
        let unquoted = content.replace('"', "");
        let lines = content.split(['\n', '\r']).count();
        assert!(report.users().count() + report.skipped_rows() < lines, "more users than rows");
        assert!(report.unreadable_dates() <= 2 * lines);
        let keys: Vec<_> = report.users().map(|row| row.name.key()).collect();
        assert!(keys.is_sorted_by(|one, other| one < other), "{keys:?}");
        for row in report.users() {
            assert_eq!(row.name.as_str().parse().as_ref(), Ok(&row.name));
            assert!(unquoted.contains(row.name.as_str()), "{} stands nowhere in the report", row.name);
            assert!(!row.arn.ends_with(":root"), "{}", row.arn);
            assert!(row.path().starts_with('/') && row.path().ends_with('/'), "{}", row.path());
            assert_eq!(report.user(&row.name), Some(row));
        }
    };
    let rows = "<root_account>,arn:aws:iam::123456789012:root,2020-01-01T00:00:00+00:00,not_supported,N/A,N/A\n\
        alice,arn:aws:iam::123456789012:user/a/alice,2024-01-01T00:00:00Z,true,N/A,2026-02-03T04:05:06+00:00\n";
    run(format!("{HEADER}{rows}").as_bytes());
    run(format!("{HEADER}\"al\"ice,arn:aws:iam::123456789012:user/alice,,true,,\n").as_bytes());
    check!().with_test_time(MOMENT).for_each(|bytes| {
        run(bytes);
        run(&[HEADER.as_bytes(), rows.as_bytes(), bytes].concat());
    });
}

/// What is read is what was written, and an error stays short.
fn reads_back<T>(text: &str)
where
    T: FromStr<Err: Display> + Display + PartialEq + Debug,
{
    match text.parse::<T>() {
        Ok(read) => {
            assert_eq!(read.to_string(), text);
            assert_eq!(read.to_string().parse().ok(), Some(read));
        }
        Err(error) => assert!(error.to_string().chars().count() <= LONGEST_ERROR, "{error}"),
    }
}

#[test]
fn identities() {
    let run = |text: &str| {
        reads_back::<AccountId>(text);
        reads_back::<UserName>(text);
        reads_back::<UserId>(text);
        reads_back::<Partition>(text);
        if let Ok(name) = text.parse::<UserName>() {
            assert!((1..=64).contains(&name.as_str().chars().count()));
            assert!(!name.as_str().contains(['/', ':', '<', '>', ' ', '*', '"']), "{name}");
            assert_eq!(name.key().parse::<UserName>().map(|lower| lower.key()), Ok(name.key()));
        }
        match text.parse::<Home>() {
            Ok(home) => {
                let Home { partition, region, account_id } = &home;
                assert!(text.starts_with(&format!("arn:{partition}:lambda:{region}:{account_id}:function:")), "{text}");
                assert!(!region.is_empty() && !region.contains(':'));
            }
            Err(error) => assert!(error.to_string().chars().count() <= LONGEST_ERROR, "{error}"),
        }
    };
    let longest = "a".repeat(64);
    for text in ["123456789012", "alice", "Alice+x=1,a.b@c_d-e", &longest, "AIDACKCEVSQ6C2EXAMPLE", "aws-cn"] {
        run(text);
    }
    check!().with_test_time(MOMENT).with_type::<(u8, String)>().for_each(|(form, text)| match form % 4 {
        0 => run(text),
        1 => run(&format!("AIDA{}", text.to_ascii_uppercase())),
        2 => run(&format!("arn:aws:lambda:{text}:123456789012:function:f")),
        _ => run(&format!("arn:aws:lambda:us-east-1:123456789012:function:{text}")),
    });
}

#[test]
fn secret_arns() {
    let run = |text: &str| match text.parse::<SecretArn>() {
        Ok(arn) => {
            assert_eq!(arn.as_str(), text);
            assert!(!arn.name().is_empty() && !arn.region().is_empty());
            assert!(text.contains(&format!(":{}:", arn.region())));
            assert!(text.contains(&format!(":secret:{}", arn.name())));
            let is_plain = |c: char| c.is_ascii_alphanumeric() || ":/_+=.@-".contains(c);
            assert!(text.chars().all(is_plain), "{text}");
            assert!(text.len() <= 700, "{text}");
        }
        Err(error) => assert!(error.to_string().chars().count() <= LONGEST_ERROR, "{error}"),
    };
    run("arn:aws:secretsmanager:us-east-1:123456789012:secret:iam-console-password/123456789012/alice-AbCdEf");
    check!().with_test_time(MOMENT).with_type::<(u8, String)>().for_each(|(form, text)| match form % 3 {
        0 => run(text),
        1 => run(&format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:{text}")),
        _ => run(&format!("arn:aws:secretsmanager:{text}:123456789012:secret:alice-AbCdEf")),
    });
}

#[test]
fn stored_documents() {
    let run = |text: &str| {
        let told = serde_json::from_str::<serde_json::Value>(text).ok();
        let told = told.as_ref().and_then(|document| document.get("password")).and_then(serde_json::Value::as_str);
        let read = password_in(text);
        assert_eq!(read.as_ref().map(Password::reveal), told.filter(|password| !password.is_empty()), "{text}");
        if let Some(password) = read {
            let other = Password::from_stored("something else".to_owned());
            assert_eq!(format!("{password:?}"), format!("{other:?}"), "what is shown tells nothing");
        }
    };
    run(r#"{"username":"alice","password":"hunter2","account_id":"123456789012","sign_in_url":"https://example.com"}"#);
    check!().with_test_time(MOMENT).with_type::<(u8, String)>().for_each(|(form, text)| match form % 3 {
        0 => run(text),
        1 => run(&serde_json::json!({ "password": text }).to_string()),
        _ => run(&format!(r#"{{"password":"{text}"}}"#)),
    });
}

const VARIABLES: [&str; 19] = [
    "LEDGER_TABLE",
    "NOTIFICATION_TOPIC_ARN",
    "LEDGER_TABLE",
    "MODE",
    "MAX_PASSWORD_AGE_DAYS",
    "PASSWORD_LENGTH",
    "PASSWORD_POLICY",
    "SWEEP",
    "MAX_RESETS_PER_SWEEP",
    "EXEMPT_TAG",
    "EXEMPT_USERS",
    "CHANGE_PASSWORD_GRANT",
    "SECRET_PREFIX",
    "SECRET_KMS_KEY_ID",
    "PASSWORD_AGE_FINDINGS",
    "TRUSTED_PRODUCTS",
    "WORK_QUEUE_URL",
    "MEMBER_ROLE_NAME",
    "SUPPORT_CONTACT",
];

#[test]
fn configuration() {
    const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:passwords";
    let run = |settings: &[(&str, &str)]| {
        let lookup = |variable: &str| {
            let set = settings.iter().find(|(name, _)| *name == variable).map(|(_, value)| *value);
            let default = match variable {
                "NOTIFICATION_TOPIC_ARN" => Some(TOPIC),
                "LEDGER_TABLE" => Some("ledger"),
                _ => None,
            };
            set.or(default).map(str::to_owned)
        };
        match Config::from_lookup(lookup) {
            Err(error) => {
                let text = error.to_string();
                let blamed = settings.iter().find(|(name, _)| text.starts_with(&format!("{name} is ")));
                assert!(blamed.is_some(), "{text}");
            }
            Ok(config) => {
                let is_plain = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
                assert!((1..=1095).contains(&config.max_password_age_days));
                assert!((8..=128).contains(&config.password_length));
                assert!(config.max_resets_per_sweep <= 5000);
                assert_eq!(config.notification_topic_arn.split(':').count(), 6);
                assert!(is_plain(&config.secret_prefix) && config.secret_prefix.len() <= 128);
                assert!(!config.secret_prefix.starts_with('/') && !config.secret_prefix.ends_with('/'));
                assert!(config.secret_kms_key_id.is_none_or(|key| is_plain(&key)));
                assert!(config.work_queue_url.is_none_or(|url| is_plain(&url) && url.starts_with("http")));
                assert!(config.member_role_name.is_none_or(|role| is_plain(&role) && role.len() <= 64));
                assert!(config.support_contact.is_none_or(|contact| contact.chars().count() <= 500));
            }
        }
    };
    run(&[]);
    check!().with_test_time(MOMENT).with_type::<Vec<(u8, String)>>().for_each(|settings| {
        let name = |variable: &u8| VARIABLES[usize::from(*variable) % VARIABLES.len()];
        let settings: Vec<_> = settings.iter().map(|(variable, value)| (name(variable), value.as_str())).collect();
        run(&settings);
    });
}

/// The same by the book: which ends of the text can be reached, pattern by pattern.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for wanted in pattern {
        let mut next = vec![false; text.len() + 1];
        for end in 0..=text.len() {
            next[end] = match wanted {
                '*' => reached[end] || (end > 0 && next[end - 1]),
                '?' => end > 0 && reached[end - 1],
                wanted => end > 0 && reached[end - 1] && text[end - 1].eq_ignore_ascii_case(wanted),
            };
        }
        reached = next;
    }
    reached[text.len()]
}

#[test]
fn globs() {
    let run = |list: &str, text: &str| {
        let found = Globs::parse(list).matches(text);
        if list.is_ascii() && text.is_ascii() {
            let text: Vec<char> = text.chars().collect();
            let patterns = list.split(',').map(str::trim).filter(|pattern| !pattern.is_empty());
            let expected = patterns.map(|pattern| pattern.chars().collect::<Vec<_>>()).any(|one| matches(&one, &text));
            assert_eq!(found, expected, "{list} {text:?}");
        }
        assert!(Globs::parse("*").matches(text));
        assert_eq!(Globs::parse(list).is_empty(), list.split(',').all(|pattern| pattern.trim().is_empty()));
    };
    run("*password-age*", "OrgConfigRule-IAM-Password-Age-a1b2c3d4");
    check!().with_test_time(MOMENT).with_type::<(String, String, Vec<u8>)>().for_each(|(list, text, steps)| {
        run(list, text);
        // Few letters, so that patterns and texts meet.
        let spell = |letters: &'static [u8], steps: &[u8]| -> String {
            steps.iter().map(|step| char::from(letters[usize::from(*step) % letters.len()])).collect()
        };
        let (pattern, word) = steps.split_at(steps.len() / 2);
        run(&spell(b"aAb*?,", &pattern[..pattern.len().min(40)]), &spell(b"aAbB", &word[..word.len().min(40)]));
    });
}
