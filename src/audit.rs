//! How each console user of an account stands, and what the function's own
//! finding about them should say.
//!
//! Nothing here calls AWS or reads a clock. Security Hub remembers what was
//! found: what it has is compared with what it should have, and the difference
//! is [`Change`]s. The ledger remembers what users were told.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime, UtcOffset};

use crate::account::credential_report::{Age, Row};
use crate::dates::rfc3339;
use crate::event::{OWN_GENERATOR, Workflow};
use crate::identity::{AccountId, UserName};
use crate::ledger::{Entry, Told};
use crate::secret::SecretArn;

/// How long a finding may stand without being brought up to date: Security Hub
/// drops it after 90 days.
const RENEWED_AFTER: Duration = Duration::days(30);

/// How long a remediation may take. A finding that is still new after that is
/// sent once more.
const PATIENCE: Duration = Duration::hours(20);

/// The id of the finding about a user. IAM tells names apart without regard to
/// case.
pub(crate) fn finding_id(account_id: &AccountId, user: &UserName) -> String {
    format!("{OWN_GENERATOR}/{account_id}/{}", user.key())
}

/// One of the function's own findings, as Security Hub has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raised {
    pub(crate) id: String,
    pub(crate) created_at: Option<OffsetDateTime>,
    pub(crate) updated_at: Option<OffsetDateTime>,
    pub(crate) status: Option<Status>,
    /// `FindingProviderFields.Severity.Label`.
    pub(crate) severity: Option<String>,
    pub(crate) workflow: Workflow,
    /// `ProductFields`.
    pub(crate) fields: BTreeMap<String, String>,
}

/// `Compliance.Status` of such a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// The password will soon be too old.
    Warning,
    /// It is too old.
    Failed,
    /// The user has changed it.
    Passed,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "WARNING",
            Self::Failed => "FAILED",
            Self::Passed => "PASSED",
        }
    }

    pub(crate) fn of(text: &str) -> Option<Self> {
        [Self::Warning, Self::Failed, Self::Passed].into_iter().find(|status| status.as_str() == text)
    }
}

/// How a user stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The password is young enough.
    Fresh,
    /// It will be too old within the days of `WARN_DAYS`.
    Expiring,
    /// It is too old.
    Stale,
    /// It is too old, and the user has time to change it.
    InGrace,
    /// It is too old, and so are too many others.
    Held,
    /// Nobody touches it.
    Exempt(Exemption),
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Expiring => "expiring",
            Self::Stale => "stale",
            Self::InGrace => "in-grace",
            Self::Held => "held",
            Self::Exempt(_) => "exempt",
        }
    }
}

/// Why a user is exempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exemption {
    /// `EXEMPT_TAG`.
    Tag,
    /// `EXEMPT_USERS`.
    Name,
    /// The tags may not be read.
    TagsUnreadable,
    /// A person has suppressed the finding.
    Suppressed,
}

impl Exemption {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Name => "name",
            Self::TagsUnreadable => "tags-unreadable",
            Self::Suppressed => "suppressed",
        }
    }
}

/// What is known of a console user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) row: &'a Row,
    pub(crate) entry: &'a Entry,
    /// Why the tags or the name exempt the user, if they do.
    pub(crate) exemption: Option<Exemption>,
    /// The finding that there is.
    pub(crate) raised: Option<&'a Raised>,
    /// Whether the user waits for a person, with too many others.
    pub(crate) is_held: bool,
    /// Whether the user's secret holds a password of ours.
    pub(crate) has_secret: bool,
    /// Whether a reset was begun that has not come to its end: the user may have
    /// a password that nobody told them of.
    pub(crate) is_begun: bool,
}

/// The rules of the account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) limit_days: u16,
    /// The greatest first.
    pub(crate) warn_days: &'a [u16],
    pub(crate) claim_days: u16,
    pub(crate) now: OffsetDateTime,
}

/// A user that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) state: State,
    /// When the password was set, as far as anybody knows.
    pub(crate) changed: Option<OffsetDateTime>,
    /// When the password will be too old, or is replaced.
    pub(crate) due: Option<OffsetDateTime>,
    /// Whether the password was reset and not been used since.
    pub(crate) is_unclaimed: bool,
    /// How bad it is that it is too old.
    severity: Severity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

/// Says how a user stands.
pub(crate) fn stand(user: &Facts<'_>, rules: &Rules<'_>) -> Standing {
    let Facts { row, entry, .. } = user;
    let reported = row.password_last_changed;
    let is_ahead = entry.is_ahead_of(reported);
    let changed = if is_ahead { entry.changed_at } else { reported };
    let limit = Duration::days(rules.limit_days.into());
    let is_too_old = changed.is_none_or(|at| Age::between(at, rules.now).older_than(rules.limit_days));
    let expires = changed.and_then(|at| at.checked_add(limit));
    let warned_from = rules.warn_days.first().copied().map(|days| Duration::days(days.into()));
    let grace = entry.grace_of(reported);
    let exemption = match user.raised {
        Some(raised) if raised.workflow == Workflow::Suppressed => Some(Exemption::Suppressed),
        // What was begun has to come to its end.
        _ => user.exemption.filter(|_| !user.is_begun),
    };
    let (state, due) = match (exemption, grace) {
        (Some(exemption), _) => (State::Exempt(exemption), None),
        (None, _) if user.is_begun => (State::Stale, None),
        (None, Some(grace)) if is_too_old && rules.now < grace.due_at => (State::InGrace, Some(grace.due_at)),
        (None, _) if is_too_old && user.is_held => (State::Held, None),
        (None, _) if is_too_old => (State::Stale, None),
        (None, _) => {
            let is_near = expires.zip(warned_from).is_some_and(|(expires, days)| expires - rules.now <= days);
            (if is_near { State::Expiring } else { State::Fresh }, expires)
        }
    };
    let is_very_old =
        changed.is_some_and(|at| Age::between(at, rules.now).older_than(rules.limit_days.saturating_mul(2)));
    let severity = match (is_too_old, usize::from(is_very_old) + usize::from(!row.mfa_active)) {
        (false, _) => Severity::Low,
        (true, 0) => Severity::Medium,
        (true, 1) => Severity::High,
        (true, _) => Severity::Critical,
    };
    Standing { state, changed, due, is_unclaimed: user.has_secret && is_ahead, severity }
}

/// What is to be changed about a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Raise it, or bring it up to date.
    Import(Box<Statement>),
    /// Set its workflow status.
    SetWorkflow(Workflow, &'static str),
}

/// What a finding is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) status: Status,
    pub(crate) is_archived: bool,
    pub(crate) severity: &'static str,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) fields: BTreeMap<&'static str, String>,
    pub(crate) created_at: Option<OffsetDateTime>,
}

/// The fields of a finding whose change counts. The age changes every day.
const COUNTING: [&str; 3] = [STATE, LIMIT, DUE];
const STATE: &str = "iam-password-remediator/state";
const LIMIT: &str = "iam-password-remediator/max-password-age-days";
const DUE: &str = "iam-password-remediator/due";
const AGE: &str = "iam-password-remediator/password-age-days";
const SIGN_IN: &str = "iam-password-remediator/last-sign-in";

/// What is to be done about the finding of a user with a console password.
pub(crate) fn changes(user: &Facts<'_>, standing: &Standing, rules: &Rules<'_>) -> Vec<Change> {
    let raised = user.raised;
    if raised.is_some_and(|raised| raised.workflow == Workflow::Suppressed) {
        return Vec::new();
    }
    let mut changes = Vec::new();
    let status = match standing.state {
        // Nobody knows whether the user is exempt.
        State::Exempt(Exemption::TagsUnreadable) => return Vec::new(),
        State::Exempt(_) => return raised.map(|raised| archive(raised, "is exempt")).into_iter().collect(),
        State::Stale | State::InGrace | State::Held if standing.changed.is_none() => return Vec::new(),
        State::Stale | State::InGrace | State::Held => Status::Failed,
        // The user was told of a new password, and has not used it.
        State::Fresh | State::Expiring
            if standing.is_unclaimed && raised.is_some_and(|raised| raised.status == Some(Status::Failed)) =>
        {
            if raised.is_some_and(|raised| raised.workflow == Workflow::New) {
                changes.push(Change::SetWorkflow(
                    Workflow::Notified,
                    "The password was reset and the user notified; it was not used yet.",
                ));
            }
            return changes;
        }
        State::Expiring => Status::Warning,
        State::Fresh if raised.is_none_or(|raised| raised.status == Some(Status::Passed)) => return Vec::new(),
        State::Fresh => Status::Passed,
    };
    let wanted = statement(user, standing, status, rules);
    let is_due = standing.state == State::Stale;
    if raised.is_none_or(|raised| {
        let is_old = |after| raised.updated_at.is_none_or(|at| rules.now - at >= after);
        let differs = raised.status != Some(status)
            || raised.severity.as_deref() != Some(wanted.severity)
            || COUNTING.iter().any(|name| raised.fields.get(*name) != wanted.fields.get(name));
        differs || is_old(RENEWED_AFTER) || (is_due && raised.workflow == Workflow::New && is_old(PATIENCE))
    }) {
        changes.push(Change::Import(Box::new(wanted)));
    }
    let workflow = raised.map(|raised| raised.workflow);
    match (standing.state, workflow) {
        (State::Stale, Some(Workflow::Notified | Workflow::Resolved)) => changes.push(Change::SetWorkflow(
            Workflow::New,
            "The time to change the password is over, it is too old once more, or its reset has not come to its end.",
        )),
        (State::InGrace, Some(Workflow::New)) => changes.push(Change::SetWorkflow(
            Workflow::Notified,
            "The user has to change the password at the next sign-in and was notified.",
        )),
        (State::Fresh, Some(Workflow::New | Workflow::Notified)) => {
            changes.push(Change::SetWorkflow(Workflow::Resolved, "The user has changed the password."));
        }
        _ => {}
    }
    changes
}

/// What is to be done about the finding of someone who has no console password
/// any more, or is gone.
pub(crate) fn of_nobody(raised: &Raised) -> Option<Change> {
    (raised.workflow != Workflow::Suppressed).then(|| archive(raised, "has no console password any more, or is gone"))
}

fn archive(raised: &Raised, why: &str) -> Change {
    let user = raised.id.rsplit('/').next().unwrap_or_default();
    Change::Import(Box::new(Statement {
        status: Status::Passed,
        is_archived: true,
        severity: "INFORMATIONAL",
        title: format!("The age of the console password of IAM user {user} does not count"),
        description: format!("The IAM user {user} {why}."),
        fields: BTreeMap::from([(STATE, "archived".to_owned())]),
        created_at: raised.created_at,
    }))
}

fn statement(user: &Facts<'_>, standing: &Standing, status: Status, rules: &Rules<'_>) -> Statement {
    let name = &user.row.name;
    let limit = rules.limit_days;
    let age = standing.changed.map(|at| Age::between(at, rules.now).whole_days());
    let title = match status {
        _ if user.is_begun => format!("The reset of the console password of IAM user {name} has not come to its end"),
        Status::Warning => format!("The console password of IAM user {name} will soon be too old"),
        Status::Failed => format!("The console password of IAM user {name} is too old"),
        Status::Passed => format!("The console password of IAM user {name} was changed"),
    };
    let day = |at: OffsetDateTime| at.to_offset(UtcOffset::UTC).date().to_string();
    let mut description = format!(
        "The password was set on {}. In this account it may be at most {limit} days old.",
        standing.changed.map_or_else(|| "an unknown day".to_owned(), day)
    );
    match (standing.state, standing.due) {
        (State::Expiring, Some(due)) => description += &format!(" It will be too old on {}.", day(due)),
        (State::InGrace, Some(due)) => description += &format!(" The user has until {} to change it.", day(due)),
        (State::Held, _) => {
            description += " Too many passwords of the account are too old to be replaced without approval.";
        }
        _ => {}
    }
    if !user.row.mfa_active {
        description += " The user has no MFA device.";
    }
    let mut fields = BTreeMap::from([(STATE, standing.state.as_str().to_owned()), (LIMIT, limit.to_string())]);
    fields.extend(age.map(|days| (AGE, days.to_string())));
    fields.extend(standing.due.and_then(rfc3339).map(|due| (DUE, due)));
    fields.extend(user.row.last_sign_in.and_then(rfc3339).map(|at| (SIGN_IN, at)));
    let severity = if status == Status::Passed { "INFORMATIONAL" } else { standing.severity.as_str() };
    let created_at = user.raised.and_then(|raised| raised.created_at);
    Statement { status, is_archived: false, severity, title, description, fields, created_at }
}

/// The warning that is due: how many days before the password is too old. The
/// smallest step that is reached, unless the user was told of it, or of a
/// smaller one.
pub(crate) fn warning(standing: &Standing, told: &Told, rules: &Rules<'_>) -> Option<Warning> {
    if standing.state != State::Expiring {
        return None;
    }
    let (changed, due) = standing.changed.zip(standing.due)?;
    let step =
        rules.warn_days.iter().copied().filter(|days| due - rules.now <= Duration::days((*days).into())).min()?;
    let is_new = told.warned.is_none_or(|warned| warned.changed < changed || warned.step > step);
    is_new.then_some(Warning { changed, step })
}

/// That a user was told, of this password, that it will be too old in so many
/// days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Warning {
    /// When the password was set.
    pub(crate) changed: OffsetDateTime,
    /// One of `WARN_DAYS`.
    pub(crate) step: u16,
}

/// When the password was stored that the user is to be reminded of.
pub(crate) fn reminder(standing: &Standing, told: &Told, rules: &Rules<'_>) -> Option<OffsetDateTime> {
    let stored_at =
        standing.changed.filter(|_| standing.is_unclaimed && !matches!(standing.state, State::Exempt(_)))?;
    let is_late = rules.now - stored_at >= Duration::days(rules.claim_days.into());
    (is_late && told.reminded_of.is_none_or(|of| of < stored_at)).then_some(stored_at)
}

/// The secret of a user, as the answer shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredSecret {
    pub(crate) arn: SecretArn,
    pub(crate) is_claimed: bool,
    pub(crate) stored_at: Option<OffsetDateTime>,
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::ledger::Grace;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
    const RULES: Rules<'_> = Rules { limit_days: 90, warn_days: &[14, 3], claim_days: 7, now: NOW };

    fn days_ago(days: i64) -> OffsetDateTime {
        NOW - Duration::days(days)
    }

    fn row(age_days: i64) -> Row {
        Row {
            name: "Alice".parse().unwrap(),
            arn: "arn:aws:iam::123456789012:user/Alice".to_owned(),
            password_enabled: true,
            password_last_changed: Some(days_ago(age_days)),
            last_sign_in: None,
            mfa_active: true,
            created: None,
        }
    }

    fn raised(status: Status, workflow: Workflow, severity: &str, state: &str) -> Raised {
        Raised {
            id: "iam-password-remediator/password-age/123456789012/alice".to_owned(),
            created_at: Some(days_ago(50)),
            updated_at: Some(days_ago(5)),
            status: Some(status),
            severity: Some(severity.to_owned()),
            workflow,
            fields: BTreeMap::from([(STATE.to_owned(), state.to_owned()), (LIMIT.to_owned(), "90".to_owned())]),
        }
    }

    fn facts<'a>(row: &'a Row, entry: &'a Entry) -> Facts<'a> {
        Facts { row, entry, exemption: None, raised: None, is_held: false, has_secret: false, is_begun: false }
    }

    /// The state, and what would become of the finding, in words.
    fn outcome(facts: &Facts<'_>) -> (State, Vec<String>) {
        let standing = stand(facts, &RULES);
        let changes = changes(facts, &standing, &RULES).into_iter().map(|change| match change {
            Change::Import(it) if it.is_archived => "archive".to_owned(),
            Change::Import(it) => format!("{} {}", it.status.as_str(), it.severity),
            Change::SetWorkflow(workflow, _) => workflow.as_str().to_owned(),
        });
        (standing.state, changes.collect())
    }

    #[test]
    fn each_state_follows_from_what_is_known_and_says_what_the_finding_says() {
        let reset = |days| Entry { changed_at: Some(days_ago(days)), ..Entry::default() };
        let grace = |due_in: i64| Entry {
            grace: Some(Grace { demanded_at: days_ago(13), due_at: NOW + Duration::days(due_in) }),
            ..Entry::default()
        };
        let none = Entry::default();
        let failed = |workflow| Some(raised(Status::Failed, workflow, "MEDIUM", "stale"));
        let (new, notified) = (failed(Workflow::New), failed(Workflow::Notified));
        let suppressed = failed(Workflow::Suppressed);
        let warning = Some(Raised {
            fields: BTreeMap::from([
                (STATE.to_owned(), "expiring".to_owned()),
                (LIMIT.to_owned(), "90".to_owned()),
                (DUE.to_owned(), "2026-11-30T12:00:00Z".to_owned()),
            ]),
            ..raised(Status::Warning, Workflow::New, "LOW", "expiring")
        });
        let passed = Some(raised(Status::Passed, Workflow::Resolved, "INFORMATIONAL", "fresh"));
        #[expect(clippy::type_complexity, reason = "a table")]
        let table: [(&str, i64, &Entry, &Option<Raised>, State, &[&str]); 18] = [
            ("young", 30, &none, &None, State::Fresh, &[]),
            ("young, and said so", 30, &none, &passed, State::Fresh, &[]),
            ("young again", 30, &none, &notified, State::Fresh, &["PASSED INFORMATIONAL", "RESOLVED"]),
            ("15 days left", 75, &none, &None, State::Fresh, &[]),
            ("10 days left", 80, &none, &None, State::Expiring, &["WARNING LOW"]),
            ("10 days left, and said so", 80, &none, &warning, State::Expiring, &[]),
            ("too old", 91, &none, &None, State::Stale, &["FAILED MEDIUM"]),
            ("too old, twice over", 181, &none, &None, State::Stale, &["FAILED HIGH"]),
            ("the warning comes true", 91, &none, &warning, State::Stale, &["FAILED MEDIUM"]),
            ("nothing came of it for days", 100, &none, &new, State::Stale, &["FAILED MEDIUM"]),
            ("too old once more", 100, &none, &notified, State::Stale, &["NEW"]),
            ("suppressed", 100, &none, &suppressed, State::Exempt(Exemption::Suppressed), &[]),
            (
                "reset, and the report lags",
                100,
                &reset(0),
                &notified,
                State::Fresh,
                &["PASSED INFORMATIONAL", "RESOLVED"],
            ),
            ("reset long ago, too", 100, &reset(95), &notified, State::Stale, &["NEW"]),
            ("in grace", 100, &grace(1), &None, State::InGrace, &["FAILED MEDIUM"]),
            ("in grace, not said yet", 100, &grace(1), &new, State::InGrace, &["FAILED MEDIUM", "NOTIFIED"]),
            ("grace is over", 100, &grace(0), &notified, State::Stale, &["NEW"]),
            (
                "changed since the grace began",
                5,
                &grace(1),
                &notified,
                State::Fresh,
                &["PASSED INFORMATIONAL", "RESOLVED"],
            ),
        ];
        for (case, age, entry, raised, state, changes) in table {
            let row = row(age);
            let facts = Facts { raised: raised.as_ref(), ..facts(&row, entry) };
            assert_eq!(outcome(&facts), (state, changes.iter().map(|text| (*text).to_owned()).collect()), "{case}");
        }
    }

    #[test]
    fn who_was_reset_and_has_not_signed_in_is_unclaimed_and_notified() {
        let (row, entry) = (row(100), Entry { changed_at: Some(days_ago(1)), ..Entry::default() });
        let new = raised(Status::Failed, Workflow::New, "MEDIUM", "stale");
        let facts = Facts { raised: Some(&new), has_secret: true, ..facts(&row, &entry) };
        assert!(stand(&facts, &RULES).is_unclaimed);
        assert_eq!(outcome(&facts), (State::Fresh, vec!["NOTIFIED".to_owned()]));
    }

    #[test]
    fn exempt_users_have_no_active_finding_and_no_user_is_held_who_is_not_stale() {
        let (old, young, entry) = (row(100), row(10), Entry::default());
        let new = raised(Status::Failed, Workflow::New, "MEDIUM", "stale");
        let exempt = Facts { exemption: Some(Exemption::Tag), ..facts(&old, &entry) };
        assert_eq!(outcome(&exempt), (State::Exempt(Exemption::Tag), Vec::new()));
        let exempt = Facts { raised: Some(&new), ..exempt };
        assert_eq!(outcome(&exempt).1, ["archive"]);
        assert_eq!(stand(&Facts { is_held: true, ..facts(&young, &entry) }, &RULES).state, State::Fresh);
        assert_eq!(stand(&Facts { is_held: true, ..facts(&old, &entry) }, &RULES).state, State::Held);
    }

    #[test]
    fn while_the_tags_cannot_be_read_findings_stay_as_they_are() {
        let (row, entry) = (row(100), Entry::default());
        let new = raised(Status::Failed, Workflow::New, "MEDIUM", "stale");
        let facts = Facts { exemption: Some(Exemption::TagsUnreadable), raised: Some(&new), ..facts(&row, &entry) };
        assert_eq!(outcome(&facts), (State::Exempt(Exemption::TagsUnreadable), Vec::new()));
    }

    #[test]
    fn a_reset_that_was_begun_and_not_ended_is_sent_once_more_whoever_it_is_about() {
        let (row, entry) = (row(0), Entry::default());
        let notified = raised(Status::Failed, Workflow::Notified, "LOW", "stale");
        let suppressed = raised(Status::Failed, Workflow::Suppressed, "LOW", "stale");
        let begun = Facts { is_begun: true, ..facts(&row, &entry) };
        assert_eq!(outcome(&begun), (State::Stale, vec!["FAILED LOW".to_owned()]));
        let exempt = Facts { exemption: Some(Exemption::Tag), ..begun };
        assert_eq!(outcome(&exempt), (State::Stale, vec!["FAILED LOW".to_owned()]));
        assert_eq!(outcome(&Facts { raised: Some(&notified), ..begun }).1, ["NEW"]);
        let suppressed = Facts { raised: Some(&suppressed), ..begun };
        assert_eq!(outcome(&suppressed), (State::Exempt(Exemption::Suppressed), Vec::new()));
    }

    #[test]
    fn a_warning_does_not_stand_once_the_password_was_reset() {
        let (row, entry) = (row(80), Entry { changed_at: Some(days_ago(1)), ..Entry::default() });
        let warning = raised(Status::Warning, Workflow::New, "LOW", "expiring");
        let facts = Facts { raised: Some(&warning), has_secret: true, ..facts(&row, &entry) };
        assert_eq!(outcome(&facts), (State::Fresh, vec!["PASSED INFORMATIONAL".to_owned(), "RESOLVED".to_owned()]));
    }

    #[test]
    fn severity_grows_with_age_and_with_a_missing_mfa_device() {
        for (age, mfa_active, expected) in [
            (100, true, "FAILED MEDIUM"),
            (100, false, "FAILED HIGH"),
            (200, true, "FAILED HIGH"),
            (200, false, "FAILED CRITICAL"),
        ] {
            let (row, entry) = (Row { mfa_active, ..row(age) }, Entry::default());
            assert_eq!(outcome(&facts(&row, &entry)).1, [expected]);
        }
    }

    #[test]
    fn a_finding_is_renewed_once_a_month_and_a_held_one_no_sooner() {
        let (row, entry) = (row(100), Entry::default());
        for (updated, is_held, expected) in [(29, true, false), (30, true, true), (1, false, true)] {
            let mut new = raised(Status::Failed, Workflow::New, "MEDIUM", if is_held { "held" } else { "stale" });
            new.updated_at = Some(days_ago(updated));
            let facts = Facts { raised: Some(&new), is_held, ..facts(&row, &entry) };
            assert_eq!(!outcome(&facts).1.is_empty(), expected, "{updated} {is_held}");
        }
    }

    #[test]
    fn a_warning_is_due_once_for_each_step_and_anew_for_another_password() {
        let entry = Entry::default();
        let due = |age, warned: Option<Warning>| {
            let row = row(age);
            let standing = stand(&facts(&row, &entry), &RULES);
            warning(&standing, &Told { warned, ..Told::default() }, &RULES).map(|warning| warning.step)
        };
        let of = |age, step| Some(Warning { changed: days_ago(age), step });
        assert_eq!(due(75, None), None);
        assert_eq!(due(76, None), Some(14));
        assert_eq!(due(77, of(77, 14)), None);
        assert_eq!(due(88, of(88, 14)), Some(3));
        assert_eq!(due(88, None), Some(3), "one message, not two");
        assert_eq!(due(89, of(89, 3)), None);
        assert_eq!(due(80, of(300, 3)), Some(14), "that was another password");
        assert_eq!(due(91, None), None, "too late for a warning");
    }

    #[test]
    fn a_reminder_is_due_once_for_each_reset() {
        let due = |reset_days: i64, reminded_of: Option<OffsetDateTime>, has_secret| {
            let (row, entry) = (row(100), Entry { changed_at: Some(days_ago(reset_days)), ..Entry::default() });
            let standing = stand(&Facts { has_secret, ..facts(&row, &entry) }, &RULES);
            reminder(&standing, &Told { reminded_of, ..Told::default() }, &RULES)
        };
        assert_eq!(due(6, None, true), None);
        assert_eq!(due(7, None, true), Some(days_ago(7)));
        assert_eq!(due(8, Some(days_ago(8)), true), None);
        assert_eq!(due(8, Some(days_ago(200)), true), Some(days_ago(8)), "of an earlier reset");
        assert_eq!(due(8, None, false), None, "there is nothing to fetch");
    }
}
