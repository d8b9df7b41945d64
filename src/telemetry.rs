//! Logs and metrics, both as lines of JSON on standard output, where Lambda
//! collects them.
//!
//! The names are those of Powertools for AWS Lambda, so that dashboards and
//! queries made for it work: `service`, `cold_start`, `function_request_id`.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use time::OffsetDateTime;
use tracing::Level;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use crate::NAME;
use crate::answer::{Answer, AuditTotals, PolicyOutcome, UserAnswer, UserOutcome};
use crate::audit::State;
use crate::reset::SkipReason;

/// The targets of this crate's own log lines.
const OWN_TARGET: &str = "iam_password_remediator";

/// The CloudWatch namespace of the metrics.
pub const NAMESPACE: &str = "IamPasswordRemediator";

/// Makes the subscriber that writes the log to `writer`.
///
/// `wanted` is what `RUST_LOG` asks for. Lines of other crates are never
/// written below `INFO`, whatever it says: at `DEBUG` and `TRACE` the SDK and
/// its HTTP client print the bodies of requests, and so the passwords in them.
pub fn subscriber<W>(wanted: Targets, writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let capped = filter_fn(|line| *line.level() <= Level::INFO || line.target().split("::").next() == Some(OWN_TARGET));
    let mut lines = json_subscriber::JsonLayer::<Registry>::stdout().with_writer(writer);
    lines.with_timer("timestamp", tracing_subscriber::fmt::time::SystemTime);
    lines.with_level("level");
    lines.with_target("logger");
    lines.with_flattened_event();
    lines.with_top_level_flattened_span_list();
    lines.add_static_field("service", json!(NAME));
    tracing_subscriber::registry().with(lines.with_filter(wanted.and(capped)))
}

/// Where the metrics of each invocation go, one line of JSON for each, in
/// CloudWatch's embedded metric format
/// ([specification](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html)).
///
/// The crate `metrics_cloudwatch_embedded` would bring a global recorder and
/// its own flush cycle for what is one JSON object an invocation.
pub struct Metrics(Mutex<Box<dyn Write + Send>>);

impl Metrics {
    /// Metrics that are written to `out`; Lambda reads standard output.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(out)))
    }

    /// Writes what an invocation did.
    pub(crate) fn emit(&self, answer: &Answer, now: OffsetDateTime) {
        let line = metrics(answer, now);
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writeln!(out, "{line}") {
            tracing::error!(%error, "the metrics could not be written");
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// What audits counted. `Audits` are those that came to their end without a
/// failure.
fn audited(answer: &Answer) -> Vec<(&'static str, &'static str, usize)> {
    let accounts = || answer.accounts.iter().flatten();
    if accounts().next().is_none() {
        return Vec::new();
    }
    let totals = || accounts().filter_map(|account| account.totals);
    let sum = |count: fn(AuditTotals) -> usize| totals().map(count).sum();
    let mut values = vec![
        ("Audits", "Count", accounts().filter(|account| account.totals.is_some() && account.problem.is_none()).count()),
        ("AuditedUsers", "Count", sum(|totals| totals.users)),
        ("Stale", "Count", sum(|totals| totals.stale)),
        ("Expiring", "Count", sum(|totals| totals.expiring)),
        ("InGrace", "Count", sum(|totals| totals.in_grace)),
        ("HeldUsers", "Count", sum(|totals| totals.held)),
        ("Exempt", "Count", sum(|totals| totals.exempt)),
        ("Unclaimed", "Count", sum(|totals| totals.unclaimed)),
        ("WithoutMfa", "Count", sum(|totals| totals.without_mfa)),
    ];
    let users = accounts().flat_map(|account| &account.users);
    let others = users.filter(|user| !matches!(user.state, State::Exempt(_)));
    let oldest = others.filter_map(|user| user.password_age_days).max();
    values.extend(oldest.map(|days| ("OldestPasswordAgeDays", "None", days as usize)));
    values
}

fn accounts_out_of_reach(answer: &Answer) -> usize {
    answer.accounts.iter().flatten().filter(|account| account.is_out_of_reach).count()
}

fn metrics(answer: &Answer, now: OffsetDateTime) -> Value {
    let totals = answer.totals();
    let mut values = vec![
        ("Resets", "Count", totals.reset),
        ("WouldReset", "Count", answer.count(|outcome| matches!(outcome, UserOutcome::WouldReset))),
        ("ChangeRequired", "Count", totals.change_required),
        ("WouldRequireChange", "Count", answer.count(|outcome| matches!(outcome, UserOutcome::WouldRequireChange))),
        ("Skips", "Count", totals.skipped),
        ("Held", "Count", totals.held),
        ("Queued", "Count", totals.queued),
        ("Failures", "Count", totals.failed),
        ("IgnoredFindings", "Count", answer.ignored_findings()),
        ("OutOfReach", "Count", answer.findings_out_of_reach() + accounts_out_of_reach(answer)),
        ("Sweeps", "Count", usize::from(answer.is_sweep && totals.failed == 0)),
    ];
    let policies = answer.policies.iter();
    let strengthened = policies.filter(|policy| matches!(policy.outcome, PolicyOutcome::Strengthened)).count();
    values.push(("PoliciesStrengthened", "Count", strengthened));
    let is_exempt = |user: &&UserAnswer| matches!(user.outcome, UserOutcome::Skipped(SkipReason::Exempt));
    let others = answer.users.iter().filter(|user| !is_exempt(user));
    let oldest = others.filter_map(|user| user.password_age_days).max();
    if let Some(days) = oldest {
        values.push(("OldestPasswordAgeDays", "None", days as usize));
    }
    values.extend(audited(answer));
    let definitions: Vec<Value> = values.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": now.unix_timestamp() * 1000 + i64::from(now.millisecond()),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["service"]],
                "Metrics": definitions,
            }],
        },
        "service": NAME,
        "mode": answer.mode(),
    });
    for (name, _, value) in values {
        line[name] = json!(value);
    }
    line
}
