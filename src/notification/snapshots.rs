//! Every message as its readers see it, in every variant and language: one file
//! each in `snapshots/`. `UPDATE_EXPECT=1 cargo test --lib snapshots` writes them
//! anew; read the difference before it is committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use expect_test::expect_file;

use super::tests::{LANGUAGES, Read, World};
use super::*;
use crate::account::password_policy::{Requirement, merge};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/notification/snapshots");
const CONTACT: Option<&str> = Some("Help desk, extension 4711");

/// A kind, what is particular about this variant of it, and what it is made of.
type Case = (Kind, &'static str, World, Option<&'static str>);

fn cases() -> Vec<Case> {
    let usual = World::default;
    let for_users =
        [Kind::PasswordReset, Kind::PasswordChangeRequired, Kind::PasswordExpiring, Kind::PasswordUnclaimed];
    let asked = Requirement { max_age_days: Some(90), ..Requirement::default() };
    let first_policy = World {
        finding_id: None,
        changes: merge(None, &asked).changes,
        withheld: Vec::new(),
        previous: EffectivePolicy::AwsDefault,
        ..usual()
    };
    let mut cases = vec![
        (Kind::PasswordReset, "age-unknown", World { age: None, finding_id: None, ..usual() }, None),
        (Kind::PasswordReset, "forced", World { forced: true, ..usual() }, None),
        (Kind::PasswordReset, "forced-age-unknown", World { forced: true, age: None, ..usual() }, None),
        (Kind::PasswordChangeRequired, "age-unknown", World { age: None, finding_id: None, ..usual() }, None),
        (Kind::PasswordExpiring, "without-grace", World { grace_days: 0, age: Some(76), ..usual() }, None),
        (Kind::PasswordUnclaimed, "one-day", World { waiting_days: 1, ..usual() }, None),
        (Kind::SweepHeld, "", World { tags_unread: false, ..usual() }, None),
        (Kind::SweepHeld, "ages-unknown", World { tags_unread: false, age: None, finding_id: None, ..usual() }, None),
        (Kind::SweepHeld, "one-user", World { tags_unread: false, held: 1, ..usual() }, None),
        (Kind::SweepHeld, "tags-unread", usual(), None),
        (Kind::PolicyStrengthened, "", usual(), None),
        (Kind::PolicyStrengthened, "first-policy", first_policy, None),
        (Kind::RemediationFailed, "", usual(), None),
    ];
    for kind in for_users {
        let age = Some(if kind == Kind::PasswordExpiring { 76 } else { 120 });
        cases.push((kind, "", World { age, ..usual() }, None));
        cases.push((kind, "contact", World { age, ..usual() }, CONTACT));
    }
    cases
}

/// What distinguishes failures, which come in several to a world.
fn failure(notification: &Notification<'_>) -> &'static str {
    let Notification::RemediationFailed(RemediationFailed { failed, .. }) = notification else { return "" };
    match failed {
        Failed::Reset { secret_arn: None, .. } => "reset",
        Failed::Reset { secret_arn: Some(_), .. } => "reset-stored",
        Failed::Policy => "policy",
        Failed::Sweep => "sweep",
        Failed::Account => "account",
    }
}

#[test]
fn every_message_reads_as_its_snapshot() {
    let mut names = BTreeSet::new();
    for (kind, variant, world, support_contact) in cases() {
        world.each(|notification| {
            if notification.kind() != kind {
                return;
            }
            for language in LANGUAGES {
                let parts = [kind.as_str(), variant, failure(&notification), language.as_str(), "txt"];
                let name = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
                let Read { subject, sms, email, default, .. } =
                    Read::from(&notification.message(&Wording { language, support_contact }));
                expect_file![Path::new(DIRECTORY).join(&name)].assert_eq(&format!(
                    "subject: {subject}\n\nsms: {sms}\n\nemail:\n\n{email}\ndefault: {default:#}\n"
                ));
                assert!(names.insert(name), "two messages of one name");
            }
        });
    }
    let files = fs::read_dir(DIRECTORY).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.collect::<BTreeSet<_>>(), names, "what no message is written to is to be deleted");
}
