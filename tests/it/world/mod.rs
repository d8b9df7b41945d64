//! A small AWS inside the process, behind the SDK's own HTTP client: requests
//! are built, signed, sent, retried and answered as on the wire, and every one
//! of them can be made to fail in every way a network knows.
//!
//! After each call that changes anything it checks what must never break: the
//! password that works is known to the user, or stands labelled in the secret.

mod dynamodb;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};
use std::{fmt, io};

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use iam_password_remediator::aws::Aws;
use iam_password_remediator::config::Config;
use iam_password_remediator::handler::App;
use iam_password_remediator::telemetry::Metrics;
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::dynamodb::{TABLE, Table};

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:passwords";
pub(crate) const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:iam-password-remediator";

/// What goes wrong, and at which call, counted from 0 over all services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is killed before the call reaches AWS.
    CrashBefore(usize),
    /// The process is killed after AWS carried the call out.
    CrashAfter(usize),
    /// AWS carries the call out, and the connection breaks before the answer.
    LostAnswer(usize),
    /// The connection breaks before the call reaches AWS.
    LostRequest(usize),
    /// AWS answers with this status and code, once, and repeats the request's
    /// body in the message.
    Error(usize, u16, &'static str),
    /// AWS answers so to every call of that operation.
    Always(&'static str, u16, &'static str),
    /// An answer that is none: the request's body as HTML.
    Html(usize),
}

/// One IAM user.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) login: Option<Login>,
    pub(crate) attached: BTreeSet<String>,
    pub(crate) has_mfa: bool,
    /// How a simulation of `iam:ChangePassword` ends without attached policies.
    pub(crate) simulated: &'static str,
}

/// A login profile.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) password: String,
    pub(crate) known_to_user: BTreeSet<String>,
    pub(crate) history: Vec<String>,
    pub(crate) created: OffsetDateTime,
    pub(crate) changed: OffsetDateTime,
    pub(crate) reset_required: bool,
}

/// An account password policy.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "IAM has them")]
pub(crate) struct Policy {
    pub(crate) minimum_length: usize,
    pub(crate) symbols: bool,
    pub(crate) numbers: bool,
    pub(crate) uppercase: bool,
    pub(crate) lowercase: bool,
    pub(crate) reuse_prevention: usize,
    pub(crate) max_age: Option<u32>,
    pub(crate) allow_change: bool,
    pub(crate) hard_expiry: bool,
}

impl Default for Policy {
    /// What AWS makes of an update without parameters.
    fn default() -> Self {
        Self {
            minimum_length: 6,
            symbols: false,
            numbers: false,
            uppercase: false,
            lowercase: false,
            reuse_prevention: 0,
            max_age: None,
            allow_change: false,
            hard_expiry: false,
        }
    }
}

/// A secret.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secret {
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) deleted: bool,
    pub(crate) versions: BTreeMap<String, Version>,
}

impl Secret {
    /// The version to use.
    pub(crate) fn current(&self) -> &Version {
        self.versions.values().find(|version| version.labels.contains("AWSCURRENT")).unwrap()
    }
}

/// A role in another account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Role {
    /// How long it takes to be assumed.
    pub(crate) takes: Duration,
    /// What keeps it from being assumed.
    pub(crate) refusal: Option<Refusal>,
}

/// A version of a secret.
#[derive(Debug, Clone, Default)]
pub(crate) struct Version {
    pub(crate) value: String,
    pub(crate) labels: BTreeSet<String>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) policy: Option<Policy>,
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) ledger: Table,
    /// The id of the next invocations.
    pub(crate) request_id: String,
    pub(crate) messages: Vec<Value>,
    pub(crate) updates: Vec<Value>,
    /// What Security Hub has, by id; none if it is off.
    pub(crate) findings: Option<BTreeMap<String, Value>>,
    /// What Security Hub has sent to EventBridge.
    pub(crate) events: Vec<Value>,
    /// By address: ARN and filter policy.
    pub(crate) subscriptions: BTreeMap<String, (String, String)>,
    pub(crate) most_subscriptions: usize,
    /// The accounts whose findings are gathered here.
    pub(crate) members: Vec<String>,
    /// The bodies on the work queue.
    pub(crate) queue: Vec<String>,
    /// The receipts of messages that are to be delivered again, and in how many seconds.
    pub(crate) visibility: Vec<(String, u64)>,
    /// How many of the next messages to the queue are refused.
    pub(crate) queue_refuses: usize,
    pub(crate) metrics: Vec<u8>,
    pub(crate) report: Option<(String, OffsetDateTime)>,
    /// How often a new report still is in progress when asked for.
    pub(crate) report_polls: usize,
    pub(crate) calls: Vec<String>,
    pub(crate) fault: Option<Fault>,
    pub(crate) violations: Vec<String>,
    pub(crate) passwords_set: BTreeSet<String>,
    /// The roles in other accounts, by account.
    pub(crate) roles: BTreeMap<String, Role>,
    /// How many of the next `UpdateLoginProfile` meet a user who is being changed
    /// elsewhere.
    pub(crate) unmodifiable: usize,
    /// The user for whom `UpdateLoginProfile` fails.
    pub(crate) fail_for: Option<String>,
    /// Every so many calls, AWS asks to slow down.
    pub(crate) throttle_every: usize,
    pub(crate) resets: usize,
    /// How long each call takes, at most, in milliseconds of virtual time.
    pub(crate) latency: u64,
    /// How long each call takes exactly, in milliseconds of virtual time.
    pub(crate) round_trip: u64,
    /// Every password that any request held, whether or not it was carried out.
    pub(crate) passwords_sent: BTreeSet<String>,
    seed: u64,
}

/// Handles on one AWS; clones share it.
#[derive(Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    killed: Arc<Notify>,
    started: Instant,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// What the program writes as metrics.
impl io::Write for World {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.state().metrics.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TimeSource for World {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(500_000) + self.started.elapsed()
    }
}

/// The end of a process that is killed: nothing after it happens.
#[derive(Debug)]
pub(crate) struct Killed;

impl World {
    /// An account whose policy lets users change their passwords, with one
    /// user, `alice`, whose password is 120 days old.
    pub(crate) fn new() -> Self {
        let state = State {
            users: BTreeMap::new(),
            policy: Some(Policy { minimum_length: 8, reuse_prevention: 24, allow_change: true, ..Policy::default() }),
            secrets: BTreeMap::new(),
            ledger: Table::default(),
            request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned(),
            messages: Vec::new(),
            updates: Vec::new(),
            findings: Some(BTreeMap::new()),
            events: Vec::new(),
            subscriptions: BTreeMap::new(),
            most_subscriptions: 200,
            members: Vec::new(),
            queue: Vec::new(),
            visibility: Vec::new(),
            queue_refuses: 0,
            metrics: Vec::new(),
            report: None,
            report_polls: 0,
            calls: Vec::new(),
            fault: None,
            violations: Vec::new(),
            passwords_set: BTreeSet::new(),
            roles: BTreeMap::new(),
            unmodifiable: 0,
            fail_for: None,
            throttle_every: 0,
            resets: 0,
            latency: 0,
            round_trip: 0,
            passwords_sent: BTreeSet::new(),
            seed: 1,
        };
        let world =
            Self { state: Arc::new(Mutex::new(state)), killed: Arc::new(Notify::new()), started: Instant::now() };
        world.add_user("alice", 120);
        world
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn add_user(&self, name: &str, age_days: i64) {
        let changed = OffsetDateTime::now_utc() - time::Duration::days(age_days);
        let password = format!("Old-Password-of-{name}-1");
        let login = Login {
            known_to_user: BTreeSet::from([password.clone()]),
            history: vec![password.clone()],
            password,
            created: changed - time::Duration::days(10),
            changed,
            reset_required: false,
        };
        let id: String =
            format!("AIDA{}EXAMPLE00000000", name.to_uppercase().replace(|c: char| !c.is_alphanumeric(), "9"))
                .chars()
                .take(21)
                .collect();
        self.state().users.insert(
            name.to_owned(),
            User {
                id,
                path: "/".to_owned(),
                tags: BTreeMap::new(),
                login: Some(login),
                attached: BTreeSet::new(),
                has_mfa: false,
                simulated: "implicitDeny",
            },
        );
    }

    pub(crate) fn edit_user(&self, name: &str, edit: impl FnOnce(&mut User)) {
        edit(self.state().users.get_mut(name).unwrap());
    }

    /// Lets time pass for everything that has a date.
    pub(crate) fn let_pass(&self, time: Duration) {
        let mut state = self.state();
        for user in state.users.values_mut() {
            if let Some(login) = &mut user.login {
                login.changed -= time;
                login.created -= time;
            }
        }
        let milliseconds = i128::try_from(time.as_millis()).unwrap();
        for item in state.ledger.items.values_mut() {
            for attribute in [
                "lease_until",
                "reserved_at",
                "changed_at",
                "demanded_at",
                "due_at",
                "claimed_until",
                "warned_of",
                "reminded_of",
            ] {
                if let Some(at) = item.get_mut(attribute) {
                    let earlier = at["N"].as_str().unwrap().parse::<i128>().unwrap() - milliseconds;
                    *at = json!({"N": earlier.to_string()});
                }
            }
        }
        let days = i64::try_from(time.as_secs() / (24 * 60 * 60)).unwrap();
        let told = |id: &String| id.starts_with("message#") || id.starts_with("note#");
        for (id, item) in state.ledger.items.extract_if(.., |id, _| told(id)).collect::<Vec<_>>() {
            let (message, day) = id.rsplit_once('#').unwrap();
            let format = time::macros::format_description!("[year]-[month]-[day]");
            let earlier = time::Date::parse(day, format).unwrap() - time::Duration::days(days);
            state.ledger.items.insert(format!("{message}#{earlier}"), item);
        }
        for finding in state.findings.iter_mut().flat_map(BTreeMap::values_mut) {
            let due = "/ProductFields/iam-password-remediator~1due";
            for path in ["/CreatedAt", "/UpdatedAt", due] {
                if let Some(at) = finding.pointer_mut(path) {
                    let earlier = OffsetDateTime::parse(at.as_str().unwrap(), &Rfc3339).unwrap() - time;
                    *at = json!(earlier.format(&Rfc3339).unwrap());
                }
            }
        }
        let expired = state.report.as_mut().is_some_and(|(_, at)| {
            *at -= time;
            OffsetDateTime::now_utc() - *at >= time::Duration::hours(4)
        });
        if expired {
            state.report = None;
        }
    }

    /// The user signs in and chooses a password of their own.
    pub(crate) fn user_changes_password(&self, name: &str, to: &str) {
        self.edit_user(name, |user| {
            let login = user.login.as_mut().unwrap();
            to.clone_into(&mut login.password);
            login.known_to_user.insert(to.to_owned());
            login.history.push(to.to_owned());
            login.reset_required = false;
            login.changed = OffsetDateTime::now_utc();
        });
    }

    /// The configuration that tests start from, with changes.
    pub(crate) fn config(changes: &[(&str, &str)]) -> Config {
        Config::from_lookup(|name| {
            let changed = changes.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            changed.or_else(|| match name {
                "NOTIFICATION_TOPIC_ARN" => Some(TOPIC.to_owned()),
                "LEDGER_TABLE" => Some(TABLE.to_owned()),
                _ => None,
            })
        })
        .unwrap()
    }

    /// A fresh process.
    pub(crate) async fn app(&self, config: Config) -> App {
        let aws = self.aws(&config).await;
        App::new(config, aws, Metrics::to(self.clone()))
    }

    pub(crate) async fn aws(&self, config: &Config) -> Aws {
        let sdk = Aws::sdk_config()
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("AKIA", "secret", None, None, "test"))
            .endpoint_url("http://aws.invalid")
            .http_client(self.clone())
            .time_source(self.clone())
            .load()
            .await;
        Aws::new(sdk, config)
    }

    /// Delivers an event to a fresh process, which a fault may kill.
    pub(crate) async fn deliver(&self, event: &Value) -> Result<Result<Value, Diagnostic>, Killed> {
        self.deliver_to(&self.app(Self::config(&[])).await, event).await
    }

    pub(crate) async fn deliver_to(&self, app: &App, event: &Value) -> Result<Result<Value, Diagnostic>, Killed> {
        let mut context = context();
        context.request_id.clone_from(&self.state().request_id);
        let event = LambdaEvent::new(event.clone(), context);
        let killed = self.killed.notified();
        tokio::select! {
            biased;
            () = killed => Err(Killed),
            answer = app.handle(event) => Ok(answer.map_err(Diagnostic::from)),
        }
    }

    /// What a sound end looks like: one new password, which works, is stored as
    /// the current one and was announced once; and nobody was ever locked out.
    pub(crate) fn assert_reset(&self, name: &str, context: &str) {
        let state = self.state();
        assert!(state.violations.is_empty(), "{context}: {:?}", state.violations);
        let login = state.users[name].login.as_ref().unwrap();
        assert!(login.reset_required, "{context}: a change must be required");
        let secret = &state.secrets[&secret_name(name)];
        let current: Vec<&Version> =
            secret.versions.values().filter(|version| version.labels.contains("AWSCURRENT")).collect();
        assert_eq!(current.len(), 1, "{context}: one current version");
        assert_eq!(current[0].labels.len(), 1, "{context}: the current version is settled: {:?}", current[0].labels);
        let document: Value = serde_json::from_str(&current[0].value).unwrap();
        assert!(document["password"] == login.password.as_str(), "{context}: the stored password works");
        for other in secret.versions.values().filter(|version| !version.labels.contains("AWSCURRENT")) {
            assert!(!other.labels.contains("AWSPENDING"), "{context}: nothing is left pending");
        }
    }

    pub(crate) fn next_random(&self) -> u64 {
        let mut state = self.state();
        state.seed = state.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.seed >> 33
    }

    pub(crate) fn set_seed(&self, seed: u64) {
        self.state().seed = seed.wrapping_mul(2).wrapping_add(1);
    }

    fn kill(&self) {
        self.killed.notify_waiters();
    }
}

pub(crate) fn secret_name(user: &str) -> String {
    format!("iam-console-password/{ACCOUNT}/{user}")
}

pub(crate) fn context() -> Context {
    let mut context = Context::default();
    context.request_id = String::from("8476a536-e9f4-11e8-9739-2dfe598c3fcd");
    context.invoked_function_arn = String::from(FUNCTION);
    let deadline = SystemTime::now() + Duration::from_mins(15);
    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    context.deadline = u64::try_from(deadline.as_millis()).unwrap();
    context
}

impl HttpClient for World {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for World {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let world = self.clone();
        HttpConnectorFuture::new(async move { world.answer(&request).await })
    }
}

/// Never answers: what a dead process sees.
async fn dead() -> Result<HttpResponse, ConnectorError> {
    std::future::pending().await
}

impl World {
    async fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let latency = self.state().latency;
        if latency > 0 {
            tokio::time::sleep(Duration::from_millis(self.next_random() % latency)).await;
        }
        let round_trip = self.state().round_trip;
        if round_trip > 0 {
            tokio::time::sleep(Duration::from_millis(round_trip)).await;
        }
        let call = Call::read(request);
        if let Some(role) = call.role().and_then(|(account, _)| self.state().roles.get(account).cloned()) {
            tokio::time::sleep(role.takes).await;
        }
        self.state().passwords_sent.extend(call.password());
        let (fault, number) = {
            let mut state = self.state();
            state.calls.push(call.operation.clone());
            (state.fault.clone(), state.calls.len() - 1)
        };
        let every = self.state().throttle_every;
        if every > 0 && number % every == 0 {
            return Ok(call.error(400, "Throttling", "slow down"));
        }
        let broken = || ConnectorError::io("the connection was closed".into());
        match fault {
            Some(Fault::CrashBefore(at)) if at == number => {
                self.kill();
                return dead().await;
            }
            Some(Fault::CrashAfter(at)) if at == number => {
                self.carry_out(&call);
                self.kill();
                return dead().await;
            }
            Some(Fault::LostAnswer(at)) if at == number => {
                self.carry_out(&call);
                return Err(broken());
            }
            Some(Fault::LostRequest(at)) if at == number => return Err(broken()),
            Some(Fault::Error(at, status, code)) if at == number => return Ok(call.error(status, code, &call.body)),
            Some(Fault::Always(operation, status, code)) if call.operation == operation => {
                return Ok(call.error(status, code, &call.body));
            }
            Some(Fault::Html(at)) if at == number => {
                return Ok(response(500, "text/html", format!("<html><body>{}</body></html>", call.body)));
            }
            _ => {}
        }
        let answer = self.carry_out(&call);
        if latency > 0 {
            tokio::time::sleep(Duration::from_millis(self.next_random() % latency)).await;
        }
        Ok(answer)
    }

    fn carry_out(&self, call: &Call) -> HttpResponse {
        let mut state = self.state();
        let answer = state.carry_out(call);
        state.check(&call.operation);
        match answer {
            Ok(answer) => call.success(&answer),
            Err((status, code)) => call.error(status, code, "no"),
        }
    }
}

/// A request, read as far as all services share it.
struct Call {
    operation: String,
    protocol: Protocol,
    query: BTreeMap<String, String>,
    json: Value,
    body: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Query,
    Json,
}

impl Call {
    fn read(request: &HttpRequest) -> Self {
        let body = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap();
        if let Some(target) = request.headers().get("x-amz-target") {
            let operation = target.rsplit('.').next().unwrap().to_owned();
            let json = serde_json::from_str(&body).unwrap();
            return Self { operation, protocol: Protocol::Json, query: BTreeMap::new(), json, body };
        }
        let path = request.uri().split(".invalid").last().unwrap().split('?').next().unwrap();
        let rest = match (request.method(), path) {
            ("PATCH", "/findings/batchupdate") => Some("BatchUpdateFindings"),
            ("PATCH", "/findingsv2/batchupdatev2") => Some("BatchUpdateFindingsV2"),
            ("POST", "/findings/import") => Some("BatchImportFindings"),
            ("POST", "/findings") => Some("GetFindings"),
            ("GET", "/members") => Some("ListMembers"),
            _ => None,
        };
        if let Some(operation) = rest {
            let json = serde_json::from_str(&body).unwrap_or_default();
            return Self {
                operation: operation.to_owned(),
                protocol: Protocol::Json,
                query: BTreeMap::new(),
                json,
                body,
            };
        }
        let query: BTreeMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let operation = query["Action"].clone();
        Self { operation, protocol: Protocol::Query, query, json: Value::Null, body }
    }

    fn success(&self, answer: &Answer) -> HttpResponse {
        match answer {
            Answer::Json(value) => response(200, "application/x-amz-json-1.1", value.to_string()),
            Answer::Xml(inner) => {
                let name = &self.operation;
                let metadata = "<ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata>";
                let xml = format!("<{name}Response><{name}Result>{inner}</{name}Result>{metadata}</{name}Response>");
                response(200, "text/xml", xml)
            }
        }
    }

    fn error(&self, status: u16, code: &str, message: &str) -> HttpResponse {
        match self.protocol {
            Protocol::Json => {
                let body = json!({"__type": code, "message": message}).to_string();
                let mut response = response(status, "application/x-amz-json-1.1", body);
                response.headers_mut().insert("x-amzn-errortype", code.to_owned());
                response
            }
            Protocol::Query => {
                let message = message.replace('&', "&amp;").replace('<', "&lt;");
                let error =
                    format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
                let body = format!("<ErrorResponse>{error}<RequestId>req-2</RequestId></ErrorResponse>");
                response(status, "text/xml", body)
            }
        }
    }

    fn password(&self) -> Option<String> {
        match self.operation.as_str() {
            "UpdateLoginProfile" => self.query.get("Password").cloned(),
            "PutSecretValue" | "CreateSecret" => {
                let document: Value = serde_json::from_str(&self.text("SecretString")).unwrap();
                document["password"].as_str().map(str::to_owned)
            }
            _ => None,
        }
    }

    /// The account and the name of the role that is to be assumed.
    fn role(&self) -> Option<(&str, &str)> {
        self.query.get("RoleArn")?.strip_prefix("arn:aws:iam::")?.split_once(":role/")
    }

    fn text(&self, key: &str) -> String {
        match self.protocol {
            Protocol::Query => self.query.get(key).cloned().unwrap_or_default(),
            Protocol::Json => self.json[key].as_str().unwrap_or_default().to_owned(),
        }
    }
}

enum Answer {
    Json(Value),
    Xml(String),
}

fn response(status: u16, content_type: &str, body: String) -> HttpResponse {
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    response.headers_mut().insert("content-type", content_type.to_owned());
    response
}

pub(crate) type Refusal = (u16, &'static str);

impl State {
    /// Everyone's working password is known to them, or stands labelled.
    fn check(&mut self, after: &str) {
        for (name, user) in &self.users {
            let Some(login) = &user.login else { continue };
            if login.known_to_user.contains(&login.password) {
                continue;
            }
            let stands = self.secrets.get(&secret_name(name)).is_some_and(|secret| {
                !secret.deleted
                    && secret.versions.values().any(|version| {
                        !version.labels.is_empty()
                            && serde_json::from_str::<Value>(&version.value).unwrap()["password"]
                                == login.password.as_str()
                    })
            });
            if !stands {
                self.violations.push(format!("{name} is locked out after {after}"));
            }
        }
    }

    fn carry_out(&mut self, call: &Call) -> Result<Answer, Refusal> {
        match call.operation.as_str() {
            "AssumeRole" => self.assume_role(call),
            "GetUser" => self.get_user(call),
            "ListUsers" => Ok(self.list_users()),
            "ListUserTags" => self.list_user_tags(call),
            "GetAccountAuthorizationDetails" => Ok(self.user_details(call)),
            "GetLoginProfile" => self.get_login_profile(call),
            "UpdateLoginProfile" => self.update_login_profile(call),
            "GetAccountPasswordPolicy" => self.get_policy(),
            "UpdateAccountPasswordPolicy" => self.set_policy(call),
            "SendMessageBatch" => Ok(self.send_messages(call)),
            "ChangeMessageVisibility" => {
                self.visibility.push((call.text("ReceiptHandle"), call.json["VisibilityTimeout"].as_u64().unwrap()));
                Ok(Answer::Json(json!({})))
            }
            "SimulatePrincipalPolicy" => self.simulate(call),
            "AttachUserPolicy" => self.attach(call),
            "GetCredentialReport" => self.get_report(),
            "GenerateCredentialReport" => Ok(self.generate_report()),
            "DescribeSecret" => self.describe_secret(call),
            "CreateSecret" => self.create_secret(call),
            "PutSecretValue" => self.put_secret_value(call),
            "GetSecretValue" => self.get_secret_value(call),
            "UpdateSecretVersionStage" => self.update_stage(call),
            "RestoreSecret" => self.restore_secret(call),
            "TagResource" => self.tag_secret(call),
            "UpdateItem" => self.ledger.update(&call.json).map(Answer::Json),
            "BatchGetItem" => Ok(Answer::Json(self.ledger.batch_get(&call.json))),
            "Query" => Ok(Answer::Json(self.ledger.query(&call.json))),
            "ListSecrets" => Ok(self.list_secrets()),
            "Publish" => {
                self.messages.push(json!(call.query));
                Ok(Answer::Xml("<MessageId>m-1</MessageId>".to_owned()))
            }
            "BatchImportFindings" => self.import_findings(&call.json),
            "GetFindings" => self.get_findings(&call.json),
            "ListMembers" => {
                let member = |id: &String| json!({"AccountId": id, "MemberStatus": "Enabled"});
                Ok(Answer::Json(json!({"Members": self.members.iter().map(member).collect::<Vec<_>>()})))
            }
            "Subscribe" => self.subscribe(call),
            "Unsubscribe" => {
                let arn = call.text("SubscriptionArn");
                self.subscriptions.retain(|_, (known, _)| *known != arn);
                Ok(Answer::Xml(String::new()))
            }
            "DeleteSecret" => self.delete_secret(call),
            "BatchUpdateFindings" | "BatchUpdateFindingsV2" => {
                self.updates.push(call.json.clone());
                self.update_finding(&call.json);
                Ok(Answer::Json(json!({"ProcessedFindings": [], "UnprocessedFindings": []})))
            }
            other => panic!("the program called {other}, which nobody expected"),
        }
    }

    /// AWS does not tell a role that is missing from one that does not trust.
    fn assume_role(&self, call: &Call) -> Result<Answer, Refusal> {
        let (account, _) = call.role().unwrap();
        match self.roles.get(account) {
            None => Err((403, "AccessDenied")),
            Some(Role { refusal: Some(refusal), .. }) => Err(*refusal),
            Some(_) => Ok(Answer::Xml(
                "<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
                 <SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>"
                    .to_owned(),
            )),
        }
    }

    fn user(&mut self, call: &Call) -> Result<(String, &mut User), Refusal> {
        let wanted = call.text("UserName").to_lowercase();
        let found = self.users.iter_mut().find(|(name, _)| name.to_lowercase() == wanted);
        found.map(|(name, user)| (name.clone(), user)).ok_or((404, "NoSuchEntity"))
    }

    fn get_user(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let (name, user) = self.user(call)?;
        Ok(Answer::Xml(format!("<User>{}</User>", user_xml(&name, user))))
    }

    fn list_users(&self) -> Answer {
        let users: String =
            self.users.iter().map(|(name, user)| format!("<member>{}</member>", user_xml(name, user))).collect();
        Answer::Xml(format!("<IsTruncated>false</IsTruncated><Users>{users}</Users>"))
    }

    fn list_user_tags(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let (_, user) = self.user(call)?;
        Ok(Answer::Xml(format!("<IsTruncated>false</IsTruncated>{}", tags_xml(user))))
    }

    /// In pages of fewer users than are asked for, as IAM may.
    fn user_details(&self, call: &Call) -> Answer {
        const PAGE: usize = 90;
        assert_eq!(call.text("Filter.member.1"), "User");
        assert_eq!(call.text("MaxItems"), "1000");
        let start: usize = call.query.get("Marker").map_or(0, |marker| marker.parse().unwrap());
        let users = self.users.iter().skip(start).take(PAGE);
        let details: String =
            users.map(|(name, user)| format!("<member>{}{}</member>", user_xml(name, user), tags_xml(user))).collect();
        let next = start + PAGE;
        let more = if next < self.users.len() { format!("<Marker>{next}</Marker>") } else { String::new() };
        Answer::Xml(format!(
            "<IsTruncated>{}</IsTruncated>{more}<UserDetailList>{details}</UserDetailList>",
            !more.is_empty()
        ))
    }

    fn get_login_profile(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let (name, user) = self.user(call)?;
        let login = user.login.as_ref().ok_or((404, "NoSuchEntity"))?;
        Ok(Answer::Xml(format!(
            "<LoginProfile><UserName>{name}</UserName><CreateDate>{}</CreateDate>\
             <PasswordResetRequired>{}</PasswordResetRequired></LoginProfile>",
            date(login.created),
            login.reset_required
        )))
    }

    fn update_login_profile(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let policy = self.policy.clone();
        if self.fail_for.as_ref() == Some(&call.text("UserName")) {
            return Err((409, "EntityTemporarilyUnmodifiable"));
        }
        if self.unmodifiable > 0 {
            self.unmodifiable -= 1;
            return Err((409, "EntityTemporarilyUnmodifiable"));
        }
        let (_, user) = self.user(call)?;
        let login = user.login.as_mut().ok_or((404, "NoSuchEntity"))?;
        let is_demanded = call.query.get("PasswordResetRequired").map(|value| value == "true");
        login.reset_required = match is_demanded {
            Some(is_demanded) if !call.query.contains_key("Password") => is_demanded,
            _ => login.reset_required,
        };
        let Some(password) = call.query.get("Password").cloned() else { return Ok(Answer::Xml(String::new())) };
        let policy = policy.unwrap_or(Policy { minimum_length: 8, ..Policy::default() });
        let used = login.history.iter().rev().take(policy.reuse_prevention).any(|used| *used == password);
        let symbols = !policy.symbols || password.chars().any(|c| "!@#$%^&*()_+-=[]{}|'".contains(c));
        if used || !symbols || password.len() < policy.minimum_length || password.len() > 128 {
            return Err((400, "PasswordPolicyViolation"));
        }
        login.password.clone_from(&password);
        login.history.push(password.clone());
        login.reset_required = is_demanded.unwrap_or(login.reset_required);
        login.changed = OffsetDateTime::now_utc();
        self.passwords_set.insert(password);
        self.resets += 1;
        Ok(Answer::Xml(String::new()))
    }

    fn get_policy(&self) -> Result<Answer, Refusal> {
        let policy = self.policy.as_ref().ok_or((404, "NoSuchEntity"))?;
        let flag = |name: &str, value: bool| format!("<{name}>{value}</{name}>");
        let number =
            |name: &str, value: usize| if value == 0 { String::new() } else { format!("<{name}>{value}</{name}>") };
        let settings = [
            number("MinimumPasswordLength", policy.minimum_length),
            flag("RequireSymbols", policy.symbols),
            flag("RequireNumbers", policy.numbers),
            flag("RequireUppercaseCharacters", policy.uppercase),
            flag("RequireLowercaseCharacters", policy.lowercase),
            flag("AllowUsersToChangePassword", policy.allow_change),
            flag("HardExpiry", policy.hard_expiry),
            number("MaxPasswordAge", policy.max_age.unwrap_or_default() as usize),
            number("PasswordReusePrevention", policy.reuse_prevention),
        ];
        Ok(Answer::Xml(format!("<PasswordPolicy>{}</PasswordPolicy>", settings.concat())))
    }

    /// What is left out falls back to its default.
    fn set_policy(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let flag = |name: &str| call.text(name) == "true";
        let number = |name: &str| call.query.get(name).map(|value| value.parse::<usize>().unwrap());
        if number("MaxPasswordAge") == Some(0) || number("PasswordReusePrevention") == Some(0) {
            return Err((400, "ValidationError"));
        }
        self.policy = Some(Policy {
            minimum_length: number("MinimumPasswordLength").unwrap_or(6),
            symbols: flag("RequireSymbols"),
            numbers: flag("RequireNumbers"),
            uppercase: flag("RequireUppercaseCharacters"),
            lowercase: flag("RequireLowercaseCharacters"),
            reuse_prevention: number("PasswordReusePrevention").unwrap_or_default(),
            max_age: number("MaxPasswordAge").map(|age| u32::try_from(age).unwrap()),
            allow_change: flag("AllowUsersToChangePassword"),
            hard_expiry: flag("HardExpiry"),
        });
        Ok(Answer::Xml(String::new()))
    }

    fn send_messages(&mut self, call: &Call) -> Answer {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in call.json["Entries"].as_array().unwrap() {
            if self.queue_refuses > 0 {
                self.queue_refuses -= 1;
                failed.push(json!({"Id": entry["Id"], "Code": "InternalError", "SenderFault": false}));
            } else {
                self.queue.push(entry["MessageBody"].as_str().unwrap().to_owned());
                successful.push(json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "00000000000000000000000000000000"}));
            }
        }
        Answer::Json(json!({"Successful": successful, "Failed": failed}))
    }

    fn simulate(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let arn = call.text("PolicySourceArn");
        let user = self.users.iter().find(|(name, user)| arn_of(name, user) == arn);
        let (_, user) = user.ok_or((404, "NoSuchEntity"))?;
        let decision = match user.simulated {
            "implicitDeny" if !user.attached.is_empty() => "allowed",
            other => other,
        };
        let (decision, boundary) = match decision {
            "outsideBoundary" => (
                "implicitDeny",
                "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>false</AllowedByPermissionsBoundary>\
                 </PermissionsBoundaryDecisionDetail>",
            ),
            other => (other, ""),
        };
        Ok(Answer::Xml(format!(
            "<EvaluationResults><member><EvalActionName>iam:ChangePassword</EvalActionName>\
             <EvalDecision>{decision}</EvalDecision>{boundary}</member></EvaluationResults>"
        )))
    }

    fn attach(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let arn = call.text("PolicyArn");
        self.user(call)?.1.attached.insert(arn);
        Ok(Answer::Xml(String::new()))
    }

    fn get_report(&mut self) -> Result<Answer, Refusal> {
        if self.report_polls > 0 && self.report.is_some() {
            self.report_polls -= 1;
            return Err((404, "ReportInProgress"));
        }
        let (content, at) = self.report.as_ref().ok_or((410, "ReportNotPresent"))?;
        let content = aws_smithy_types::base64::encode(content);
        Ok(Answer::Xml(format!(
            "<Content>{content}</Content><ReportFormat>text/csv</ReportFormat><GeneratedTime>{}</GeneratedTime>",
            date(*at)
        )))
    }

    fn generate_report(&mut self) -> Answer {
        if self.report.is_some() {
            return Answer::Xml("<State>COMPLETE</State>".to_owned());
        }
        let mut report =
            "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,mfa_active\n"
                .to_owned();
        report += &format!(
            "<root_account>,arn:aws:iam::{ACCOUNT}:root,2020-01-01T00:00:00+00:00,not_supported,no_information,not_supported,true\n"
        );
        for (name, user) in &self.users {
            let arn = arn_of(name, user);
            let (enabled, changed) =
                user.login.as_ref().map_or((false, "N/A".to_owned()), |login| (true, date(login.changed)));
            report += &format!(
                "\"{name}\",\"{arn}\",2020-01-01T00:00:00+00:00,{enabled},no_information,{changed},{}\n",
                user.has_mfa
            );
        }
        self.report = Some((report, OffsetDateTime::now_utc()));
        Answer::Xml("<State>STARTED</State>".to_owned())
    }

    fn secret(&mut self, call: &Call) -> Result<&mut Secret, Refusal> {
        let id = call.text("SecretId");
        self.secrets.get_mut(name_in(&id)).ok_or((400, "ResourceNotFoundException"))
    }

    fn describe_secret(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let secret = self.secret(call)?;
        let stages: BTreeMap<&String, &BTreeSet<String>> = secret
            .versions
            .iter()
            .filter(|(_, version)| !version.labels.is_empty())
            .map(|(id, version)| (id, &version.labels))
            .collect();
        let tags: Vec<Value> = secret.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        let arn = secret_arn(name_in(&call.text("SecretId")));
        let mut answer = json!({"ARN": arn, "Tags": tags, "VersionIdsToStages": stages});
        if secret.deleted {
            answer["DeletedDate"] = json!(OffsetDateTime::now_utc().unix_timestamp());
        }
        Ok(Answer::Json(answer))
    }

    fn create_secret(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let name = call.text("Name");
        if let Some(secret) = self.secrets.get(&name) {
            return Err((400, if secret.deleted { "InvalidRequestException" } else { "ResourceExistsException" }));
        }
        let mut secret = Secret { tags: tags_in(&call.json), ..Secret::default() };
        let labels = BTreeSet::from(["AWSCURRENT".to_owned()]);
        let first = Version { value: call.text("SecretString"), labels };
        secret.versions.insert(call.text("ClientRequestToken"), first);
        self.secrets.insert(name.clone(), secret);
        Ok(Answer::Json(json!({"ARN": secret_arn(&name), "Name": name})))
    }

    fn put_secret_value(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let secret = self.secret(call)?;
        if secret.deleted {
            return Err((400, "InvalidRequestException"));
        }
        let token = call.text("ClientRequestToken");
        let value = call.text("SecretString");
        if let Some(version) = secret.versions.get(&token) {
            return if version.value == value {
                Ok(Answer::Json(json!({"VersionId": token, "VersionStages": version.labels})))
            } else {
                Err((400, "ResourceExistsException"))
            };
        }
        let mut labels: BTreeSet<String> =
            call.json["VersionStages"].as_array().unwrap().iter().map(|l| l.as_str().unwrap().to_owned()).collect();
        if secret.versions.is_empty() {
            labels.insert("AWSCURRENT".to_owned());
        }
        for version in secret.versions.values_mut() {
            version.labels.retain(|label| !labels.contains(label));
        }
        let answer = json!({"VersionId": token, "VersionStages": labels});
        secret.versions.insert(token, Version { value, labels });
        Ok(Answer::Json(answer))
    }

    fn get_secret_value(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let secret = self.secret(call)?;
        let version = secret.versions.get(&call.text("VersionId")).ok_or((400, "ResourceNotFoundException"))?;
        Ok(Answer::Json(json!({"SecretString": version.value, "VersionStages": version.labels})))
    }

    fn update_stage(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let secret = self.secret(call)?;
        let label = call.text("VersionStage");
        let (from, to) = (call.text("RemoveFromVersionId"), call.text("MoveToVersionId"));
        let holder = secret.versions.iter().find(|(_, version)| version.labels.contains(&label));
        let holder = holder.map(|(id, _)| id.clone()).unwrap_or_default();
        if holder != from && holder != to || (holder == to && !from.is_empty() && from != to) {
            return Err((400, "InvalidParameterException"));
        }
        if let Some(version) = secret.versions.get_mut(&holder) {
            version.labels.remove(&label);
        }
        if !to.is_empty() {
            secret.versions.get_mut(&to).ok_or((400, "ResourceNotFoundException"))?.labels.insert(label.clone());
        }
        if label == "AWSCURRENT" {
            for version in secret.versions.values_mut() {
                version.labels.remove("AWSPREVIOUS");
            }
            if let Some(version) = secret.versions.get_mut(&holder).filter(|_| holder != to) {
                version.labels.insert("AWSPREVIOUS".to_owned());
            }
        }
        Ok(Answer::Json(json!({})))
    }

    fn list_secrets(&self) -> Answer {
        let list = self.secrets.iter().map(|(name, secret)| {
            let tags = secret.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
            let labelled = secret.versions.iter().filter(|(_, version)| !version.labels.is_empty());
            let stages: BTreeMap<_, _> = labelled.map(|(id, version)| (id, &version.labels)).collect();
            let mut listed = json!({
                "Name": name,
                "ARN": secret_arn(name),
                "Tags": tags.collect::<Vec<_>>(),
                "SecretVersionsToStages": stages,
            });
            if secret.deleted {
                listed["DeletedDate"] = json!(OffsetDateTime::now_utc().unix_timestamp());
            }
            listed
        });
        Answer::Json(json!({"SecretList": list.collect::<Vec<_>>()}))
    }

    /// An address once for a topic; another filter policy is refused.
    fn subscribe(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let entries: BTreeMap<String, String> = (1..=2)
            .map(|place| (format!("Attributes.entry.{place}.key"), format!("Attributes.entry.{place}.value")))
            .map(|(key, value)| (call.text(&key), call.text(&value)))
            .collect();
        let (address, policy) = (call.text("Endpoint"), entries["FilterPolicy"].clone());
        let arn = format!("{TOPIC}:{}", self.subscriptions.len() + self.calls.len());
        if self.subscriptions.len() >= self.most_subscriptions && !self.subscriptions.contains_key(&address) {
            return Err((403, "FilterPolicyLimitExceeded"));
        }
        let (arn, known) = self.subscriptions.entry(address).or_insert((arn, policy.clone())).clone();
        if known != policy {
            return Err((400, "InvalidParameter"));
        }
        Ok(Answer::Xml(format!("<SubscriptionArn>{arn}</SubscriptionArn>")))
    }

    /// Only a secret that can be restored for a week at least is deleted.
    fn delete_secret(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let days = call.json["RecoveryWindowInDays"].as_i64().unwrap_or(30);
        assert!((7..=30).contains(&days) && call.json["ForceDeleteWithoutRecovery"] != true);
        self.secret(call)?.deleted = true;
        Ok(Answer::Json(json!({})))
    }

    /// A finding keeps its workflow, but for one that fails or comes back after it
    /// had passed or was archived.
    fn import_findings(&mut self, json: &Value) -> Result<Answer, Refusal> {
        let hub = self.findings.as_mut().ok_or((401, "InvalidAccessException"))?;
        let imported = json["Findings"].as_array().unwrap();
        assert!(imported.len() <= 100, "BatchImportFindings takes 100 findings");
        for finding in imported {
            assert_eq!(
                finding["ProductArn"],
                format!("arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default")
            );
            let id = finding["Id"].as_str().unwrap().to_owned();
            let mut finding = finding.clone();
            let known = hub.get(&id);
            let status = |finding: &Value| finding["Compliance"]["Status"].as_str().unwrap().to_owned();
            let workflow = match known {
                None => json!("NEW"),
                Some(known) => {
                    let is_back = known["RecordState"] == "ARCHIVED" && finding["RecordState"] == "ACTIVE";
                    let fails = status(known) == "PASSED" && status(&finding) != "PASSED";
                    let was = &known["Workflow"]["Status"];
                    if (is_back || fails) && was != "SUPPRESSED" { json!("NEW") } else { was.clone() }
                }
            };
            finding["Workflow"] = json!({"Status": workflow});
            finding["FindingProviderFields"] = json!({"Severity": finding["Severity"]});
            if let Some(note) = known.and_then(|known| known.get("Note")) {
                finding["Note"] = note.clone();
            }
            self.events.push(imported_event(&finding));
            hub.insert(id, finding);
        }
        Ok(Answer::Json(json!({"SuccessCount": imported.len(), "FailedCount": 0, "FailedFindings": []})))
    }

    fn get_findings(&self, json: &Value) -> Result<Answer, Refusal> {
        let hub = self.findings.as_ref().ok_or((401, "InvalidAccessException"))?;
        let wanted = |finding: &&Value| {
            ["GeneratorId", "AwsAccountId", "RecordState"]
                .iter()
                .all(|name| json["Filters"][name][0]["Value"] == finding[name])
        };
        let found: Vec<&Value> = hub.values().filter(wanted).collect();
        let most = usize::try_from(json["MaxResults"].as_u64().unwrap()).unwrap();
        let from = json["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let page: Vec<&&Value> = found.iter().skip(from).take(most).collect();
        let next = (from + most < found.len()).then(|| (from + most).to_string());
        Ok(Answer::Json(json!({"Findings": page, "NextToken": next})))
    }

    fn update_finding(&mut self, json: &Value) {
        for identifier in json["FindingIdentifiers"].as_array().into_iter().flatten() {
            let id = identifier["Id"].as_str().unwrap_or_default();
            let Some(finding) = self.findings.as_mut().and_then(|hub| hub.get_mut(id)) else { continue };
            if json.get("Workflow").is_some() {
                finding["Workflow"] = json["Workflow"].clone();
            }
            finding["Note"] = json["Note"].clone();
            let event = imported_event(finding);
            self.events.push(event);
        }
    }

    fn restore_secret(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let secret = self.secret(call)?;
        secret.deleted = false;
        Ok(Answer::Json(json!({})))
    }

    fn tag_secret(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let tags = tags_in(&call.json);
        let secret = self.secret(call)?;
        secret.tags.extend(tags);
        Ok(Answer::Json(json!({})))
    }
}

/// What EventBridge gets of a finding that was imported or updated.
fn imported_event(finding: &Value) -> Value {
    json!({
        "version": "0",
        "id": format!("event-of-{}", finding["Id"].as_str().unwrap()),
        "detail-type": "Security Hub Findings - Imported",
        "source": "aws.securityhub",
        "account": ACCOUNT,
        "region": REGION,
        "detail": {"findings": [finding]},
    })
}

fn user_xml(name: &str, user: &User) -> String {
    format!(
        "<Path>{}</Path><UserName>{name}</UserName><UserId>{}</UserId><Arn>{}</Arn>\
         <CreateDate>2020-01-01T00:00:00Z</CreateDate>",
        user.path,
        user.id,
        arn_of(name, user)
    )
}

fn tags_xml(user: &User) -> String {
    let tag = |(key, value): (&String, &String)| format!("<member><Key>{key}</Key><Value>{value}</Value></member>");
    format!("<Tags>{}</Tags>", user.tags.iter().map(tag).collect::<String>())
}

pub(crate) fn arn_of(name: &str, user: &User) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user{}{name}", user.path)
}

fn secret_arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf")
}

/// The name in a secret's ARN; a name is itself.
fn name_in(id: &str) -> &str {
    match id.split_once(":secret:") {
        Some((_, resource)) => &resource[..resource.len() - 7],
        None => id,
    }
}

fn tags_in(json: &Value) -> BTreeMap<String, String> {
    let tags = json["Tags"].as_array().cloned().unwrap_or_default();
    tags.iter()
        .map(|tag| (tag["Key"].as_str().unwrap().to_owned(), tag["Value"].as_str().unwrap().to_owned()))
        .collect()
}

fn date(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap()
}
