//! The account's credential report: since when each user has had the password.
//!
//! It is read as leniently as its past variety demands
//! ([format of the report](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html)):
//! columns are found by name, whatever their order and number; booleans come in
//! any case; `N/A`, `no_information` and `not_supported` stand for no date. Where
//! the report contradicts itself, the reading errs towards a younger password,
//! because a reset that comes a day late does less harm than one too many.
//!
//! IAM makes a new report at most every four hours: just after a reset the
//! report still shows the old date.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::identity::UserName;

/// How the report names the root user. No IAM user can have this name.
const ROOT: &str = "<root_account>";

/// Why a report cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The first line names no such column. An empty report names none.
    #[error("the credential report has no column `{0}`")]
    MissingColumn(&'static str),
    /// It is no CSV.
    #[error("the credential report cannot be read")]
    Unreadable(#[from] csv::Error),
}

/// What the report says of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The user's name.
    pub name: UserName,
    /// The user's ARN, with the path.
    pub arn: String,
    /// Whether the user has a console password. What is neither true nor false
    /// counts as false.
    pub password_enabled: bool,
    /// When the password was set last. None if there is no password, or no date
    /// that could be read. It may lie in the future.
    pub password_last_changed: Option<OffsetDateTime>,
    /// When the user last signed in with the password. None if never, or if the
    /// report does not tell.
    pub last_sign_in: Option<OffsetDateTime>,
    /// Whether an MFA device is active for the user.
    pub mfa_active: bool,
    /// When the user was created, if the report says so.
    pub created: Option<OffsetDateTime>,
}

impl Row {
    /// The user's path, read off the ARN: `/`, or `/a/b/`.
    #[must_use]
    pub(crate) fn path(&self) -> &str {
        let resource = self.arn.split_once(":user").map_or("/", |(_, resource)| resource);
        resource.rfind('/').map_or("/", |end| &resource[..=end])
    }

    /// Joins a second row of the same user, erring towards the younger password.
    fn absorb(&mut self, other: Self) {
        let password_enabled = self.password_enabled || other.password_enabled;
        let created = self.created.max(other.created);
        let last_sign_in = self.last_sign_in.max(other.last_sign_in);
        let mfa_active = self.mfa_active && other.mfa_active;
        if other.password_last_changed > self.password_last_changed {
            *self = other;
        }
        self.password_enabled = password_enabled;
        (self.last_sign_in, self.mfa_active) = (last_sign_in, mfa_active);
        self.created = created;
    }
}

/// A report that has been read.
#[derive(Debug, Clone)]
pub(crate) struct CredentialReport {
    rows: BTreeMap<String, Row>,
    skipped_rows: usize,
    unreadable_dates: usize,
}

impl CredentialReport {
    /// Reads the `Content` of
    /// [`GetCredentialReport`](https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetCredentialReport.html)
    /// once its Base64 is decoded.
    ///
    /// # Errors
    ///
    /// If one of the columns `user`, `arn`, `password_enabled` and
    /// `password_last_changed` is missing. A row that makes no sense is no
    /// error: see [`CredentialReport::skipped_rows`].
    pub(crate) fn parse(content: &[u8]) -> Result<Self, ReportError> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(content);
        let headers = reader.byte_headers()?;
        let find = |name: &str| headers.iter().position(|header| header.eq_ignore_ascii_case(name.as_bytes()));
        let required = |name| find(name).ok_or(ReportError::MissingColumn(name));
        let (user, arn) = (required("user")?, required("arn")?);
        let (enabled, changed) = (required("password_enabled")?, required("password_last_changed")?);
        let created = find("user_creation_time");
        let (used, mfa) = (find("password_last_used"), find("mfa_active"));

        let mut report = Self { rows: BTreeMap::new(), skipped_rows: 0, unreadable_dates: 0 };
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record)? {
            let field = |column: usize| record.get(column).and_then(|text| std::str::from_utf8(text).ok());
            let (user, arn) = (field(user).unwrap_or_default(), field(arn).unwrap_or_default());
            if user == ROOT || arn.ends_with(":root") {
                continue;
            }
            let Ok(name) = user.parse::<UserName>() else {
                report.skipped_rows += 1;
                continue;
            };
            let password_last_changed = report.date(field(changed));
            let created = created.and_then(|column| report.date(field(column)));
            let last_sign_in = used.and_then(|column| report.date(field(column)));
            let is_true = |column| field(column).is_some_and(|text| text.eq_ignore_ascii_case("true"));
            report.add(Row {
                name,
                arn: arn.to_owned(),
                password_enabled: is_true(enabled),
                password_last_changed,
                last_sign_in,
                mfa_active: mfa.is_some_and(is_true),
                created,
            });
        }
        Ok(report)
    }

    fn date(&mut self, text: Option<&str>) -> Option<OffsetDateTime> {
        let text = text.unwrap_or_default();
        if ["", "n/a", "no_information", "not_supported"].iter().any(|none| none.eq_ignore_ascii_case(text)) {
            return None;
        }
        let date = OffsetDateTime::parse(text, &Rfc3339).ok();
        self.unreadable_dates += usize::from(date.is_none());
        date
    }

    fn add(&mut self, row: Row) {
        match self.rows.entry(row.name.key()) {
            std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().absorb(row),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(row);
            }
        }
    }

    /// What the report says of a user, whatever the case of the name.
    #[must_use]
    pub(crate) fn user(&self, name: &UserName) -> Option<&Row> {
        self.rows.get(&name.key())
    }

    /// All users but root, each once, by name: every report of the same account
    /// gives the same order.
    pub(crate) fn users(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// How many rows were passed over because they name no user that IAM could
    /// have. Worth a line in the log if it is not 0.
    #[must_use]
    pub(crate) fn skipped_rows(&self) -> usize {
        self.skipped_rows
    }

    /// How many dates were neither a date nor one of the words for none. Worth
    /// a line in the log if it is not 0.
    #[must_use]
    pub(crate) fn unreadable_dates(&self) -> usize {
        self.unreadable_dates
    }
}

/// For how long a user has had a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Age(Duration);

impl Age {
    /// Not a calendar's day: 86,400 seconds, whatever the clocks do.
    const DAY: Duration = Duration::from_hours(24);

    /// The time from `since` to `now`; 0 if `since` lies in the future.
    #[must_use]
    pub(crate) fn between(since: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self((now - since).try_into().unwrap_or_default())
    }

    /// Days of 86,400 seconds that have passed in full.
    #[must_use]
    pub(crate) fn whole_days(self) -> u32 {
        u32::try_from(self.0.as_secs() / Self::DAY.as_secs()).unwrap_or(u32::MAX)
    }

    /// Whether more than so many days have passed, to the nanosecond: a password
    /// of exactly 90 days is not older than 90 days.
    #[must_use]
    pub(crate) fn older_than(self, days: u16) -> bool {
        self.0 > Self::DAY * u32::from(days)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The 22 columns that the user guide has listed for years.
    const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
        password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
        access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
        access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
        cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
    const REST: &str = "N/A,false,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A";
    const ROOT_ROW: &str = "<root_account>,arn:aws:iam::123456789012:root,2020-01-01T00:00:00+00:00,not_supported,\
        2026-01-01T00:00:00+00:00,not_supported,not_supported,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,\
        false,N/A,false,N/A";

    fn at(text: &str) -> OffsetDateTime {
        OffsetDateTime::parse(text, &Rfc3339).unwrap()
    }

    fn row(user: &str, enabled: &str, changed: &str) -> String {
        format!(
            "{user},arn:aws:iam::123456789012:user/{user},2024-01-01T00:00:00+00:00,{enabled},no_information,\
             {changed},{REST}"
        )
    }

    fn parse(lines: &[&str]) -> CredentialReport {
        CredentialReport::parse(lines.join("\n").as_bytes()).unwrap()
    }

    fn user<'a>(report: &'a CredentialReport, name: &str) -> &'a Row {
        report.user(&name.parse().unwrap()).unwrap()
    }

    fn names(report: &CredentialReport) -> Vec<&str> {
        report.users().map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn a_row_gives_name_arn_dates_and_whether_there_is_a_password() {
        let report = parse(&[HEADER, ROOT_ROW, &row("alice", "true", "2026-02-03T04:05:06+00:00")]);
        assert_eq!(
            user(&report, "alice"),
            &Row {
                name: "alice".parse().unwrap(),
                arn: "arn:aws:iam::123456789012:user/alice".to_owned(),
                password_enabled: true,
                password_last_changed: Some(at("2026-02-03T04:05:06Z")),
                last_sign_in: None,
                mfa_active: false,
                created: Some(at("2024-01-01T00:00:00Z")),
            }
        );
        assert_eq!((report.skipped_rows(), report.unreadable_dates()), (0, 0));
    }

    #[test]
    fn columns_are_found_by_name() {
        let report = parse(&[
            "password_last_changed,user,additional_credentials_info,PASSWORD_ENABLED,arn",
            "2026-01-01T00:00:00Z,alice,\"[{\"\"x\"\": 1, \"\"y\"\": 2}]\",TRUE,arn:aws:iam::123456789012:user/a/alice",
        ]);
        let alice = user(&report, "alice");
        assert_eq!(alice.arn, "arn:aws:iam::123456789012:user/a/alice");
        assert_eq!(alice.password_last_changed, Some(at("2026-01-01T00:00:00Z")));
        assert!(alice.password_enabled);
        assert_eq!(alice.created, None);
    }

    #[test]
    fn a_23rd_column_does_no_harm() {
        let header = format!("{HEADER},additional_credentials_info");
        let row = format!("{},", row("alice", "true", "2026-01-01T00:00:00Z"));
        assert_eq!(names(&parse(&[&header, &row])), ["alice"]);
    }

    #[test]
    fn a_report_without_a_column_it_needs_is_refused_with_the_columns_name() {
        for (content, missing) in [
            ("", "user"),
            ("\n\n", "user"),
            ("arn,password_enabled,password_last_changed", "user"),
            ("user,password_enabled,password_last_changed", "arn"),
            ("user,arn,password_last_changed", "password_enabled"),
            ("user,arn,password_enabled", "password_last_changed"),
            ("<html>", "user"),
        ] {
            let error = CredentialReport::parse(content.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), format!("the credential report has no column `{missing}`"), "{content}");
        }
    }

    #[test]
    fn the_root_user_is_left_out_wherever_it_stands() {
        let alice = row("alice", "true", "2026-01-01T00:00:00Z");
        for lines in [&[HEADER, ROOT_ROW, &alice], &[HEADER, &alice, ROOT_ROW]] {
            let report = parse(lines);
            assert_eq!(names(&report), ["alice"]);
            assert_eq!(report.skipped_rows(), 0);
        }
        assert_eq!(names(&parse(&[HEADER, &alice])), ["alice"]);
        assert_eq!(names(&parse(&[HEADER, ROOT_ROW])), [""; 0]);
    }

    #[test]
    fn the_root_user_is_told_by_its_arn_too() {
        let renamed = ROOT_ROW.replace("<root_account>", "root");
        assert_eq!(names(&parse(&[HEADER, &renamed])), [""; 0]);
    }

    #[test]
    fn a_user_called_root_is_not_the_root_user() {
        let report = parse(&[HEADER, ROOT_ROW, &row("root", "true", "2026-01-01T00:00:00Z")]);
        assert_eq!(names(&report), ["root"]);
    }

    #[test]
    fn booleans_come_in_any_case() {
        for (text, enabled) in [
            ("true", true),
            ("TRUE", true),
            ("True", true),
            (" true ", true),
            ("false", false),
            ("FALSE", false),
            ("N/A", false),
            ("not_supported", false),
            ("", false),
        ] {
            let report = parse(&[HEADER, &row("alice", text, "2026-01-01T00:00:00Z")]);
            assert_eq!(user(&report, "alice").password_enabled, enabled, "{text}");
        }
    }

    #[test]
    fn dates_end_in_z_or_an_offset_with_or_without_fractions() {
        for text in [
            "2026-02-03T04:05:06Z",
            "2026-02-03T04:05:06+00:00",
            "2026-02-03T05:05:06+01:00",
            "2026-02-03T04:05:06.000Z",
            "2026-02-03T04:05:06.000000+00:00",
        ] {
            let report = parse(&[HEADER, &row("alice", "true", text)]);
            assert_eq!(user(&report, "alice").password_last_changed, Some(at("2026-02-03T04:05:06Z")), "{text}");
        }
    }

    #[test]
    fn words_for_no_date_are_no_date() {
        for text in ["N/A", "n/a", "no_information", "not_supported", ""] {
            let report = parse(&[HEADER, &row("alice", "false", text)]);
            assert_eq!(user(&report, "alice").password_last_changed, None, "{text}");
            assert_eq!(report.unreadable_dates(), 0, "{text}");
        }
    }

    #[test]
    fn a_date_that_is_none_is_counted() {
        for text in ["yesterday", "2026-13-01T00:00:00Z", "1767225600", "2026-01-01"] {
            let report = parse(&[HEADER, &row("alice", "true", text)]);
            assert_eq!(user(&report, "alice").password_last_changed, None, "{text}");
            assert_eq!(report.unreadable_dates(), 1, "{text}");
        }
    }

    #[test]
    fn a_date_in_the_future_is_kept() {
        let report = parse(&[HEADER, &row("alice", "true", "2030-01-01T00:00:00Z")]);
        let changed = user(&report, "alice").password_last_changed.unwrap();
        assert_eq!(changed, at("2030-01-01T00:00:00Z"));
        assert_eq!(Age::between(changed, at("2026-06-01T00:00:00Z")).whole_days(), 0);
    }

    #[test]
    fn names_are_looked_up_without_regard_to_case() {
        let report = parse(&[HEADER, &row("Alice", "true", "2026-01-01T00:00:00Z")]);
        assert_eq!(user(&report, "aLICE").name.as_str(), "Alice");
        assert_eq!(report.user(&"bob".parse().unwrap()), None);
    }

    #[test]
    fn of_repeated_rows_the_youngest_password_counts() {
        let old = row("alice", "true", "2025-01-01T00:00:00Z");
        let young = row("ALICE", "false", "2026-01-01T00:00:00Z");
        let none = row("alice", "false", "N/A");
        for lines in [[HEADER, &old, &young, &none], [HEADER, &none, &young, &old], [HEADER, &young, &old, &none]] {
            let report = parse(&lines);
            let alice = user(&report, "alice");
            assert_eq!(alice.password_last_changed, Some(at("2026-01-01T00:00:00Z")));
            assert!(alice.password_enabled);
            assert_eq!(report.users().count(), 1);
        }
    }

    #[test]
    fn names_may_hold_commas_and_stand_in_quotes() {
        let arn = "\"arn:aws:iam::123456789012:user/doe,john\"";
        let quoted = format!("\"doe,john\",{arn},2024-01-01T00:00:00Z,true,N/A,2026-01-01T00:00:00Z,{REST}");
        let report = parse(&[HEADER, &quoted]);
        assert_eq!(user(&report, "doe,john").arn, "arn:aws:iam::123456789012:user/doe,john");
    }

    #[test]
    fn rows_that_name_no_possible_user_are_skipped_and_counted() {
        let long = "a".repeat(65);
        let illegal = [row("a/b", "true", "N/A"), row("", "true", "N/A"), row(&long, "true", "N/A"), "\"".to_owned()];
        for line in &illegal {
            let alice = row("alice", "true", "2026-01-01T00:00:00Z");
            let report = parse(&[HEADER, &alice, line]);
            assert_eq!(names(&report), ["alice"], "{line}");
            assert_eq!(report.skipped_rows(), 1, "{line}");
        }
        let mut bytes = format!("{HEADER}\n{}\n", row("alice", "true", "N/A")).into_bytes();
        bytes.extend(b"\xff\xfe,arn,N/A,true,N/A,N/A\n");
        let report = CredentialReport::parse(&bytes).unwrap();
        assert_eq!((names(&report), report.skipped_rows()), (vec!["alice"], 1));
    }

    #[test]
    fn a_row_that_ends_early_is_read_as_far_as_it_goes() {
        let report = parse(&[HEADER, "alice,arn:aws:iam::123456789012:user/alice"]);
        let alice = user(&report, "alice");
        assert_eq!((alice.password_enabled, alice.password_last_changed), (false, None));
    }

    #[test]
    fn line_ends_blank_lines_and_a_byte_order_mark_do_no_harm() {
        let alice = row("alice", "true", "2026-01-01T00:00:00Z");
        let content = format!("\u{feff}{HEADER}\r\n\r\n{alice}\r\n\r\n");
        let report = CredentialReport::parse(content.as_bytes()).unwrap();
        assert_eq!(names(&report), ["alice"]);
    }

    #[test]
    fn users_come_by_name_whatever_the_order_of_the_rows() {
        let rows = ["carol", "Bob", "alice"].map(|name| row(name, "true", "N/A"));
        let [carol, bob, alice] = &rows;
        assert_eq!(names(&parse(&[HEADER, carol, bob, alice])), ["alice", "Bob", "carol"]);
        assert_eq!(names(&parse(&[HEADER, bob, alice, carol])), ["alice", "Bob", "carol"]);
    }

    #[test]
    fn an_account_may_have_five_thousand_users() {
        let rows: Vec<String> = (0..5_000).map(|n| row(&format!("user{n}"), "true", "2026-01-01T00:00:00Z")).collect();
        let lines: Vec<&str> = [HEADER, ROOT_ROW].into_iter().chain(rows.iter().map(String::as_str)).collect();
        assert_eq!(parse(&lines).users().count(), 5_000);
    }

    #[test]
    fn older_than_ninety_days_means_more_than_ninety_times_86400_seconds() {
        let since = at("2026-01-01T00:00:00Z");
        for (now, whole_days, older) in [
            ("2025-12-31T00:00:00Z", 0, false),
            ("2026-01-01T00:00:00Z", 0, false),
            ("2026-01-01T23:59:59Z", 0, false),
            ("2026-01-02T00:00:00Z", 1, false),
            ("2026-04-01T00:00:00Z", 90, false),
            ("2026-04-01T00:00:00.000000001Z", 90, true),
            ("2026-04-01T02:00:00+02:00", 90, false),
            ("2026-04-02T00:00:00Z", 91, true),
        ] {
            let age = Age::between(since, at(now));
            assert_eq!((age.whole_days(), age.older_than(90)), (whole_days, older), "{now}");
        }
    }

    #[test]
    fn a_password_that_was_just_set_is_older_than_no_number_of_days() {
        let now = at("2026-01-01T00:00:00Z");
        assert!(!Age::between(now, now).older_than(0));
        assert!(!Age::between(at("2027-01-01T00:00:00Z"), now).older_than(0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_report_or_an_error(content: Vec<u8>) {
            let _ = CredentialReport::parse(&content);
        }

        #[test]
        fn any_rows_are_read_or_skipped(rows in "([a-z<>\"',:/]{0,6}[,\n\r\"]){0,40}") {
            let content = format!("{HEADER}\n{rows}");
            prop_assert!(CredentialReport::parse(content.as_bytes()).is_ok());
        }

        #[test]
        fn ages_of_any_two_instants_are_defined(since in -100_000_000_000_i64..100_000_000_000, now in 0_i64..100_000_000_000) {
            let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            let age = Age::between(at(since), at(now));
            prop_assert_eq!(u64::from(age.whole_days()), u64::try_from(now - since).unwrap_or(0) / 86_400);
        }
    }
}
