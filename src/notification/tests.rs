use proptest::option;
use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::account::password_policy::{PasswordPolicy, Requirement, merge};

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:iam-password-remediator";
const SECRET: &str =
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:iam-console-password/123456789012/alice-AbCdEf";
pub(super) const LANGUAGES: [Language; 2] = [Language::En, Language::Ja];

/// Owns what notifications borrow.
pub(super) struct World {
    pub(super) account_id: AccountId,
    pub(super) user_name: UserName,
    pub(super) secret_arn: SecretArn,
    pub(super) finding_id: Option<String>,
    pub(super) age: Option<u32>,
    pub(super) limit: u16,
    pub(super) forced: bool,
    pub(super) reason: String,
    pub(super) tags_unread: bool,
    pub(super) changes: Vec<Change>,
    pub(super) withheld: Vec<Withheld>,
    pub(super) previous: EffectivePolicy,
    pub(super) held: usize,
    pub(super) partition: Partition,
    pub(super) grace_days: u16,
    pub(super) waiting_days: u32,
}

impl Default for World {
    fn default() -> Self {
        let policy = PasswordPolicy {
            minimum_length: 8,
            require_numbers: true,
            require_uppercase: true,
            require_lowercase: true,
            allow_users_to_change_password: true,
            hard_expiry: Some(true),
            ..PasswordPolicy::LAXEST
        };
        let requirement = Requirement {
            symbols: true,
            minimum_length: Some(14),
            reuse_prevention: Some(30),
            max_age_days: Some(90),
            ..Requirement::default()
        };
        let strengthening = merge(Some(&policy), &requirement);
        Self {
            account_id: "123456789012".parse().unwrap(),
            user_name: "alice".parse().unwrap(),
            secret_arn: SECRET.parse().unwrap(),
            finding_id: Some("arn:aws:securityhub:eu-central-1:123456789012:finding/1".to_owned()),
            age: Some(120),
            limit: 90,
            forced: false,
            reason: "iam:UpdateLoginProfile answered AccessDenied".to_owned(),
            tags_unread: true,
            changes: strengthening.changes,
            withheld: strengthening.withheld,
            previous: EffectivePolicy::Custom(policy),
            held: 3,
            partition: Partition::Aws,
            grace_days: 14,
            waiting_days: 7,
        }
    }
}

impl World {
    /// Hands every kind of notification to `look`, failures in all their variants.
    pub(super) fn each(&self, mut look: impl FnMut(Notification<'_>)) {
        let Self { account_id, user_name, secret_arn, .. } = self;
        let finding_id = self.finding_id.as_deref();
        look(Notification::PasswordReset(PasswordReset {
            account_id,
            partition: self.partition,
            user_name,
            secret_arn,
            finding_id,
            password_age_days: self.age,
            max_password_age_days: self.limit,
            forced: self.forced,
        }));
        look(Notification::PasswordChangeRequired(PasswordChangeRequired {
            account_id,
            partition: self.partition,
            user_name,
            finding_id,
            password_age_days: self.age,
            max_password_age_days: self.limit,
            due_at: datetime!(2026-12-04 22:05 -2),
        }));
        look(Notification::PasswordExpiring(PasswordExpiring {
            account_id,
            partition: self.partition,
            user_name,
            password_age_days: self.age.unwrap_or_default(),
            max_password_age_days: self.limit,
            due_at: datetime!(2026-12-04 22:05 -2),
            grace_days: self.grace_days,
        }));
        look(Notification::PasswordUnclaimed(PasswordUnclaimed {
            account_id,
            partition: self.partition,
            user_name,
            secret_arn,
            stored_at: datetime!(2026-11-27 22:05 -2),
            days: self.waiting_days,
        }));
        look(Notification::SweepHeld(SweepHeld {
            account_id,
            finding_id,
            // One fewer than there are.
            max_resets: self.held.saturating_sub(1).try_into().unwrap(),
            users: &vec![HeldUser { user_name, password_age_days: self.age }; self.held],
            tags_unread: self.tags_unread.then_some(&self.reason),
            function_arn: FUNCTION,
        }));
        look(Notification::PolicyStrengthened(PolicyStrengthened {
            account_id,
            finding_id,
            changes: &self.changes,
            withheld: &self.withheld,
            previous: &self.previous,
        }));
        let failures = [
            Failed::Reset { user_name, secret_arn: Some(secret_arn), forced: self.forced },
            Failed::Reset { user_name, secret_arn: None, forced: self.forced },
            Failed::Policy,
            Failed::Sweep,
            Failed::Account,
        ];
        for failed in failures {
            look(Notification::RemediationFailed(RemediationFailed {
                account_id,
                failed,
                reason: &self.reason,
                finding_id,
                request_id: Some("8f5e6d7c-0000-4000-8000-000000000000"),
                function_arn: FUNCTION,
            }));
        }
    }

    fn message(&self, kind: Kind, wording: &Wording<'_>) -> Read {
        let mut messages = Vec::new();
        self.each(|notification| {
            if notification.kind() == kind {
                messages.push(Read::from(&notification.message(wording)));
            }
        });
        messages.swap_remove(0)
    }
}

/// A message as its receivers see it.
pub(super) struct Read {
    pub(super) subject: String,
    attributes: BTreeMap<&'static str, String>,
    pub(super) default: Value,
    pub(super) email: String,
    pub(super) sms: String,
    size: usize,
}

impl From<&Message> for Read {
    fn from(message: &Message) -> Self {
        let body: BTreeMap<String, String> = serde_json::from_str(&message.body).unwrap();
        assert_eq!(body.keys().collect::<Vec<_>>(), ["default", "email", "sms"]);
        let attributes = message.attributes.iter().map(|(key, value)| key.len() + "String".len() + value.len());
        Self {
            subject: message.subject.clone(),
            attributes: message.attributes.clone(),
            default: serde_json::from_str(&body["default"]).unwrap(),
            email: body["email"].clone(),
            sms: body["sms"].clone(),
            size: message.body.len() + message.subject.len() + attributes.sum::<usize>(),
        }
    }
}

fn wording(language: Language) -> Wording<'static> {
    Wording { language, support_contact: None }
}

/// The basic GSM alphabet, as far as it is ASCII, without what counts double.
fn is_gsm(character: char) -> bool {
    character == '\n' || (matches!(character, ' '..='~') && !"[]{}\\^|~`".contains(character))
}

fn check(read: &Read, language: Language) {
    assert!(!read.subject.is_empty() && read.subject.len() <= 99, "{}", read.subject);
    assert!(!read.subject.starts_with(' ') && !read.subject.chars().any(char::is_control), "{}", read.subject);
    assert!(read.attributes.values().all(|value| !value.is_empty()));
    assert!(read.size <= 65_536, "{}", read.size);
    assert!(!read.email.chars().any(|c| c.is_control() && c != '\n'));
    assert!(read.email.lines().all(|line| line.trim_end() == line), "{}", read.email);
    assert!(!read.email.contains("\n\n\n") && !read.email.starts_with('\n'), "{}", read.email);
    assert!(read.email.ends_with('\n'));
    assert!(!read.sms.contains('\n'));
    match language {
        Language::En => {
            assert!(read.subject.is_ascii());
            assert!(read.sms.len() <= 140 && read.sms.chars().all(is_gsm), "{}", read.sms);
        }
        Language::Ja => assert!(read.sms.encode_utf16().count() <= 70, "{}", read.sms),
    }
    for always in ["kind", "audience", "account_id"] {
        assert_eq!(read.default[always], read.attributes[always].as_str());
    }
    assert!(read.default.as_object().unwrap().values().all(|value| !value.is_null()));
}

#[test]
fn a_language_is_known_by_its_name() {
    for language in LANGUAGES {
        assert_eq!(language.as_str().parse(), Ok(language));
    }
    assert_eq!("de".parse::<Language>().unwrap_err().to_string(), "`de` is not a language of notifications (en, ja)");
}

#[test]
fn only_messages_for_a_user_carry_the_users_name_as_an_attribute() {
    World::default().each(|notification| {
        let attributes = notification.message(&wording(Language::En)).attributes;
        let audience = notification.kind().audience();
        let expected = (audience == Audience::User).then_some("alice");
        assert_eq!(attributes.get("user_name").map(String::as_str), expected, "{}", notification.kind());
        assert_eq!(attributes["audience"], audience.as_str());
        assert_eq!(attributes["account_id"], "123456789012");
    });
}

#[test]
fn the_support_contact_is_one_line_and_stands_in_messages_to_users_alone() {
    let contact = "Help desk,\r\n\u{202e}ext.\t4711 ";
    for language in LANGUAGES {
        let wording = Wording { language, support_contact: Some(contact) };
        World::default().each(|notification| {
            let email = Read::from(&notification.message(&wording)).email;
            let is_there = email.contains("    Help desk, ext. 4711\n");
            assert_eq!(is_there, notification.kind().audience() == Audience::User, "{email}");
        });
    }
}

#[test]
fn a_support_contact_of_nothing_visible_is_none() {
    let blank = Wording { language: Language::En, support_contact: Some(" \n\u{200b}") };
    let email = World::default().message(Kind::PasswordReset, &blank).email;
    assert!(email.contains("ask the administrators"), "{email}");
}

#[test]
fn a_long_list_of_users_is_cut_and_says_by_how_much() {
    let longest = "w".repeat(64);
    let world = World {
        held: 5_000,
        user_name: longest.parse().unwrap(),
        finding_id: Some("f".repeat(5_000)),
        ..World::default()
    };
    for (language, more) in [(Language::En, "    ... and 4800 more\n"), (Language::Ja, "    … ほか 4800 名\n")] {
        let read = world.message(Kind::SweepHeld, &wording(language));
        check(&read, language);
        assert!(read.email.ends_with(more));
        assert_eq!(read.default["user_count"], 5_000);
        assert_eq!(read.default["users"].as_array().unwrap().len(), LISTED_USERS);
        assert_eq!(read.default["approval"]["max_resets"], 5_000);
    }
}

#[test]
fn a_function_is_named_so_that_a_shell_takes_it_as_one_word() {
    for (given, shown) in [
        (FUNCTION, format!("--function-name {FUNCTION} --region eu-central-1 ")),
        (&format!("{FUNCTION}:$LATEST"), format!("--function-name {FUNCTION} --region eu-central-1 ")),
        (&format!("{FUNCTION}:live"), format!("--function-name {FUNCTION}:live --region eu-central-1 ")),
        ("remediator", "--function-name remediator --cli".to_owned()),
        ("a; rm -rf $HOME '", "--function-name arm-rfHOME --cli".to_owned()),
    ] {
        let account_id = "123456789012".parse().unwrap();
        let held = SweepHeld {
            account_id: &account_id,
            finding_id: None,
            max_resets: 0,
            users: &[],
            tags_unread: None,
            function_arn: given,
        };
        assert!(command::approve(&held).contains(&shown), "{}", command::approve(&held));
    }
}

#[test]
fn a_forced_reset_is_tried_again_as_a_forced_one() {
    let world = World { forced: true, ..World::default() };
    let email = world.message(Kind::RemediationFailed, &wording(Language::En)).email;
    let event = r#"'{"action":"reset","account_id":"123456789012","user_name":"alice","force":true}'"#;
    assert!(email.contains(event), "{email}");
}

#[test]
fn china_and_govcloud_sign_in_elsewhere() {
    for (partition, host) in
        [(Partition::AwsCn, "signin.amazonaws.cn"), (Partition::AwsUsGov, "signin.amazonaws-us-gov.com")]
    {
        let world = World { partition, ..World::default() };
        let email = world.message(Kind::PasswordReset, &wording(Language::En)).email;
        assert!(email.contains(&format!("https://123456789012.{host}/console\n")), "{email}");
    }
}

#[test]
fn the_longest_names_are_cut_in_subject_and_sms_and_nowhere_else() {
    let longest = "w".repeat(64);
    let world = World { user_name: longest.parse().unwrap(), ..World::default() };
    for language in LANGUAGES {
        let read = world.message(Kind::PasswordReset, &wording(language));
        check(&read, language);
        assert!(read.subject.contains("ww...") && read.subject.contains("123456789012"), "{}", read.subject);
        assert!(read.sms.contains("ww"), "{}", read.sms);
        assert!(read.email.contains(&longest));
    }
}

#[test]
fn names_of_usual_length_stand_in_subject_and_sms_in_full() {
    let world = World { user_name: "maximilian.mustermann".parse().unwrap(), ..World::default() };
    for language in LANGUAGES {
        for kind in [
            Kind::PasswordReset,
            Kind::PasswordChangeRequired,
            Kind::PasswordExpiring,
            Kind::PasswordUnclaimed,
            Kind::RemediationFailed,
        ] {
            let read = world.message(kind, &wording(language));
            for text in [&read.subject, &read.sms] {
                assert!(text.contains("maximilian.mustermann"), "{text}");
            }
        }
    }
}

#[test]
fn a_text_from_outside_becomes_one_short_line() {
    for (text, line) in [
        ("", ""),
        (" \t\r\n", ""),
        ("one\ntwo\r\n\r\n three ", "one two three"),
        ("a\u{0}b\u{1b}[31mc", "a b [31mc"),
        ("a\u{2028}b\u{85}c", "a b c"),
        ("\u{202e}a\u{feff}b\u{200b} \u{ffff}", "ab"),
        ("ヘルプデスク", "ヘルプデスク"),
    ] {
        assert_eq!(one_line(text), line);
    }
    assert_eq!(one_line(&"ä".repeat(1_000)), "ä".repeat(1_000));
    assert_eq!(one_line(&"ä".repeat(1_001)), "ä".repeat(1_000) + "…");
}

#[test]
fn the_arn_of_a_secret_gives_its_region_and_name() {
    for (resource, name) in [
        ("iam-console-password/123456789012/alice-AbCdEf", "iam-console-password/123456789012/alice"),
        ("p/123456789012/x-abcdef/console-Zz09aA", "p/123456789012/x-abcdef/console"),
        ("without-suffix", "without"),
        ("a-AbCdEf", "a"),
        ("-AbCdEf", "-AbCdEf"),
        ("short", "short"),
    ] {
        let arn = format!("arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:{resource}");
        let parsed: SecretArn = arn.parse().unwrap();
        assert_eq!((parsed.as_str(), parsed.region(), parsed.name()), (arn.as_str(), "cn-north-1", name));
    }
}

#[test]
fn what_is_no_arn_of_a_secret_is_refused() {
    for text in [
        "",
        "Abcdef2!Abcdef2!",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:",
        "arn:aws:secretsmanager::123456789012:secret:a-AbCdEf",
        "arn:aws:secretsmanager:eu-central-1:12345678901:secret:a-AbCdEf",
        "arn:aws:kms:eu-central-1:123456789012:secret:a-AbCdEf",
        "arn:azure:secretsmanager:eu-central-1:123456789012:secret:a-AbCdEf",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a;b-AbCdEf",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a b",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a\n",
        "arn:aws:secretsmanager:eu-central-1;ls:123456789012:secret:a",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a:b",
    ] {
        assert!(text.parse::<SecretArn>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn every_message_keeps_within_what_sns_takes(
        user_name in "[A-Za-z0-9+=,.@_-]{1,64}",
        account_id in "[0-9]{12}",
        finding_id: Option<String>,
        age: Option<u32>,
        limit in 1..=1095_u16,
        forced: bool,
        reason: String,
        support_contact: Option<String>,
        held in prop_oneof![0..300_usize, Just(5_000)],
        grace_days in 0..=90_u16,
        waiting_days: u32,
    ) {
        let world = World {
            user_name: user_name.parse().unwrap(),
            account_id: account_id.parse().unwrap(),
            finding_id,
            age,
            limit,
            forced,
            reason,
            held,
            grace_days,
            waiting_days,
            ..World::default()
        };
        for language in LANGUAGES {
            let wording = Wording { language, support_contact: support_contact.as_deref() };
            world.each(|notification| check(&Read::from(&notification.message(&wording)), language));
        }
    }

    #[test]
    fn a_text_from_outside_never_breaks_a_line(text in option::of("\\PC{0,20}[\u{0}-\u{20}\u{80}-\u{a0}]{0,3}\\PC*")) {
        let line = one_line(&text.unwrap_or_default());
        let breaks = line.contains(|c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}');
        prop_assert!(!breaks);
        prop_assert_eq!(line.trim(), line.as_str());
        prop_assert!(line.chars().count() <= LONGEST_LINE + 1);
    }

    #[test]
    fn no_generated_password_is_the_arn_of_a_secret(length in 8..=128_u8) {
        use crate::account::password_policy::EffectivePolicy;
        use crate::password::{GenerationRules, Password};

        let rules = GenerationRules::new(length, &EffectivePolicy::AwsDefault);
        prop_assert!(Password::generate(rules).unwrap().reveal().parse::<SecretArn>().is_err());
    }
}
