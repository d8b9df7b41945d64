//! Orders by hand or by a schedule: `{"action":"reset",…}`,
//! `{"action":"sweep",…}`, `{"action":"audit",…}` and `{"action":"adopt",…}`.
//!
//! A field that is not known is refused rather than passed over: a `dryrun` that
//! went unread would change passwords.

use serde_json::{Map, Value};

use crate::identity::{AccountId, Home};

use super::finding::UserRef;
use super::wire::{kind, name};
use super::{AdoptOrder, AuditOrder, Request, ResetOrder, Rules, SweepOrder, Unsupported};

/// The name that the credential report gives the root user.
const ROOT: &str = "<root_account>";

/// What an `action` may be, in words for a message.
pub(super) const ACTIONS: &str = "`reset`, `sweep`, `audit` or `adopt`";

/// Reads an order, which is an object with an `action`.
pub(super) fn order(fields: &Map<String, Value>, home: &Home, rules: &Rules) -> Result<Request, Unsupported> {
    let refused = |found: &str| Err(Unsupported::new(format!("an `action` of {ACTIONS}"), found));
    match fields.get("action") {
        Some(Value::String(action)) => match &**action {
            "reset" => reset(fields, home).map(Request::Reset),
            "sweep" => sweep(fields, home, rules),
            "audit" => audit(fields, home, rules),
            "adopt" => adopt(fields, home).map(Request::Adopt),
            _ => refused("another"),
        },
        Some(other) => refused(kind(other)),
        None => refused("nothing"),
    }
}

fn reset(fields: &Map<String, Value>, home: &Home) -> Result<ResetOrder, Unsupported> {
    let fields = Fields::of("a reset", fields, &["user_name", "account_id", "force", "dry_run"])?;
    let account_id = fields.account(home)?;
    let user = match fields.text("user_name")? {
        None => return Err(Unsupported::new("a `user_name` in a reset", "none")),
        Some(ROOT) => UserRef::Root { account_id },
        Some(name) => {
            let name = name.parse().map_err(|_| {
                Unsupported::new(
                    "`user_name` to be the name of an IAM user (1 to 64 letters, digits and + = , . @ _ -), without its path",
                    "something else",
                )
            })?;
            UserRef::Named { account_id, name }
        }
    };
    Ok(ResetOrder { user, force: fields.flag("force")?, dry_run: fields.flag("dry_run")?, max_age_days: None })
}

fn sweep(fields: &Map<String, Value>, home: &Home, rules: &Rules) -> Result<Request, Unsupported> {
    let fields = Fields::of("a sweep", fields, &["account_id", "max_resets", "dry_run"])?;
    let (max_resets, dry_run) = (fields.count("max_resets")?, fields.flag("dry_run")?);
    Ok(match fields.accounts(home, rules)? {
        Accounts::All => Request::Everywhere(fields.0.clone()),
        Accounts::One(account_id) => Request::Sweep(SweepOrder { account_id, max_resets, dry_run }),
    })
}

fn audit(fields: &Map<String, Value>, home: &Home, rules: &Rules) -> Result<Request, Unsupported> {
    let fields = Fields::of("an audit", fields, &["account_id", "dry_run"])?;
    let dry_run = fields.flag("dry_run")?;
    Ok(match fields.accounts(home, rules)? {
        Accounts::All => Request::Everywhere(fields.0.clone()),
        Accounts::One(account_id) => Request::Audit(AuditOrder { account_id, dry_run }),
    })
}

fn adopt(fields: &Map<String, Value>, home: &Home) -> Result<AdoptOrder, Unsupported> {
    let fields = Fields::of("an adoption", fields, &["account_id", "dry_run"])?;
    Ok(AdoptOrder { account_id: fields.account(home)?, dry_run: fields.flag("dry_run")? })
}

/// The accounts that an order is about.
enum Accounts {
    /// This one.
    One(AccountId),
    /// The function's own and those of its members.
    All,
}

/// The fields of an order, none of them unknown. `null` counts as not given.
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn of(order: &str, fields: &'a Map<String, Value>, known: &[&str]) -> Result<Self, Unsupported> {
        match fields.keys().find(|field| *field != "action" && !known.contains(&field.as_str())) {
            None => Ok(Self(fields)),
            Some(unknown) => {
                let expected = format!("only `action`, `{}` in {order}", known.join("`, `"));
                Err(Unsupported::new(expected, name(unknown)))
            }
        }
    }

    fn given(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, Unsupported> {
        match self.given(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Unsupported::new(format!("`{name}` to be a string"), kind(other))),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, Unsupported> {
        match self.given(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(Unsupported::new(format!("`{name}` to be true or false"), kind(other))),
        }
    }

    fn count(&self, name: &str) -> Result<Option<u32>, Unsupported> {
        let expected = || format!("`{name}` to be a whole number from 0 to {}", u32::MAX);
        match self.given(name) {
            None => Ok(None),
            Some(Value::Number(number)) => match number.as_u64().and_then(|number| number.try_into().ok()) {
                Some(count) => Ok(Some(count)),
                None => Err(Unsupported::new(expected(), "another number")),
            },
            Some(other) => Err(Unsupported::new(expected(), kind(other))),
        }
    }

    /// `account_id`, where `*` stands for all accounts.
    fn accounts(&self, home: &Home, rules: &Rules) -> Result<Accounts, Unsupported> {
        match self.text("account_id")? {
            Some("*") if rules.has_queue => Ok(Accounts::All),
            Some("*") => Err(Unsupported::new(
                "`account_id` to be 12 digits, as there is no WORK_QUEUE_URL",
                "that of all accounts",
            )),
            _ => self.account(home).map(Accounts::One),
        }
    }

    /// `account_id`, or the function's own account.
    fn account(&self, home: &Home) -> Result<AccountId, Unsupported> {
        match self.text("account_id")? {
            None => Ok(home.account_id.clone()),
            Some(account) => {
                account.parse().map_err(|_| Unsupported::new("`account_id` to be 12 digits", "something else"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::rules;
    use super::*;

    fn home() -> Home {
        "arn:aws:lambda:us-east-1:123456789012:function:f".parse().unwrap()
    }

    fn read(event: &Value) -> Result<Request, String> {
        order(event.as_object().unwrap(), &home(), &rules()).map_err(|problem| problem.to_string())
    }

    fn user(account: &str, name: &str) -> UserRef {
        UserRef::Named { account_id: account.parse().unwrap(), name: name.parse().unwrap() }
    }

    fn plain_reset(user: UserRef) -> ResetOrder {
        ResetOrder { user, force: false, dry_run: false, max_age_days: None }
    }

    #[test]
    fn a_reset_names_a_user_of_the_functions_account_unless_it_says_another() {
        let alice = plain_reset(user("123456789012", "alice"));
        for (event, order) in [
            (json!({ "action": "reset", "user_name": "alice" }), alice.clone()),
            (
                json!({ "action": "reset", "user_name": "alice", "account_id": null, "force": null, "dry_run": null }),
                alice.clone(),
            ),
            (
                json!({ "action": "reset", "user_name": "alice", "account_id": "111122223333" }),
                plain_reset(user("111122223333", "alice")),
            ),
            (
                json!({ "action": "reset", "user_name": "Alice+1@example.com", "force": true }),
                ResetOrder { force: true, ..plain_reset(user("123456789012", "Alice+1@example.com")) },
            ),
            (
                json!({ "action": "reset", "user_name": "alice", "dry_run": true }),
                ResetOrder { dry_run: true, ..alice },
            ),
            (
                json!({ "action": "reset", "user_name": "<root_account>" }),
                plain_reset(UserRef::Root { account_id: "123456789012".parse().unwrap() }),
            ),
        ] {
            assert_eq!(read(&event), Ok(Request::Reset(order)), "{event}");
        }
    }

    #[test]
    fn a_sweep_is_of_an_account_and_may_be_limited() {
        let home: AccountId = "123456789012".parse().unwrap();
        let plain = SweepOrder { account_id: home, max_resets: None, dry_run: false };
        for (event, order) in [
            (json!({ "action": "sweep" }), plain.clone()),
            (json!({ "action": "sweep", "max_resets": 0 }), SweepOrder { max_resets: Some(0), ..plain.clone() }),
            (
                json!({ "action": "sweep", "max_resets": 5, "dry_run": true }),
                SweepOrder { max_resets: Some(5), dry_run: true, ..plain.clone() },
            ),
            (
                json!({ "action": "sweep", "account_id": "111122223333" }),
                SweepOrder { account_id: "111122223333".parse().unwrap(), ..plain },
            ),
        ] {
            assert_eq!(read(&event), Ok(Request::Sweep(order)), "{event}");
        }
    }

    #[test]
    fn an_audit_is_of_an_account() {
        let plain = AuditOrder { account_id: "123456789012".parse().unwrap(), dry_run: false };
        for (event, order) in [
            (json!({ "action": "audit" }), plain.clone()),
            (json!({ "action": "audit", "dry_run": true }), AuditOrder { dry_run: true, ..plain.clone() }),
            (
                json!({ "action": "audit", "account_id": "111122223333" }),
                AuditOrder { account_id: "111122223333".parse().unwrap(), ..plain },
            ),
        ] {
            assert_eq!(read(&event), Ok(Request::Audit(order)), "{event}");
        }
    }

    #[test]
    fn a_sweep_or_an_audit_of_all_accounts_takes_a_queue() {
        for event in [
            json!({ "action": "sweep", "account_id": "*", "max_resets": 5 }),
            json!({ "action": "audit", "account_id": "*" }),
        ] {
            let fields = event.as_object().unwrap();
            let with_queue = Rules { has_queue: true, ..rules() };
            assert_eq!(order(fields, &home(), &with_queue), Ok(Request::Everywhere(fields.clone())));
            let refused = read(&event).unwrap_err();
            assert!(refused.contains("there is no WORK_QUEUE_URL"), "{refused}");
        }
        let mistyped = json!({ "action": "audit", "account_id": "*", "dryrun": true });
        assert!(order(mistyped.as_object().unwrap(), &home(), &Rules { has_queue: true, ..rules() }).is_err());
    }

    #[test]
    fn an_adoption_is_of_an_account() {
        let plain = AdoptOrder { account_id: "123456789012".parse().unwrap(), dry_run: false };
        for (event, order) in [
            (json!({ "action": "adopt" }), plain.clone()),
            (json!({ "action": "adopt", "account_id": null, "dry_run": false }), plain.clone()),
            (json!({ "action": "adopt", "dry_run": true }), AdoptOrder { dry_run: true, ..plain.clone() }),
            (
                json!({ "action": "adopt", "account_id": "111122223333" }),
                AdoptOrder { account_id: "111122223333".parse().unwrap(), ..plain },
            ),
        ] {
            assert_eq!(read(&event), Ok(Request::Adopt(order)), "{event}");
        }
    }

    #[test]
    fn what_is_unknown_missing_or_of_the_wrong_type_is_refused_by_name_and_kind() {
        for (event, problem) in [
            (
                json!({ "action": "delete" }),
                "expected an `action` of `reset`, `sweep`, `audit` or `adopt`, found another",
            ),
            (
                json!({ "action": "Reset" }),
                "expected an `action` of `reset`, `sweep`, `audit` or `adopt`, found another",
            ),
            (json!({ "action": 1 }), "expected an `action` of `reset`, `sweep`, `audit` or `adopt`, found a number"),
            (json!({ "action": "reset" }), "expected a `user_name` in a reset, found none"),
            (
                json!({ "action": "reset", "user_name": "alice", "dryrun": true }),
                "expected only `action`, `user_name`, `account_id`, `force`, `dry_run` in a reset, found `dryrun`",
            ),
            (
                json!({ "action": "reset", "user_name": "alice", "password": "hunter2" }),
                "expected only `action`, `user_name`, `account_id`, `force`, `dry_run` in a reset, found `password`",
            ),
            (
                json!({ "action": "sweep", "user_name": "alice" }),
                "expected only `action`, `account_id`, `max_resets`, `dry_run` in a sweep, found `user_name`",
            ),
            (
                json!({ "action": "adopt", "dryrun": true }),
                "expected only `action`, `account_id`, `dry_run` in an adoption, found `dryrun`",
            ),
            (
                json!({ "action": "adopt", "max_resets": 1 }),
                "expected only `action`, `account_id`, `dry_run` in an adoption, found `max_resets`",
            ),
            (
                json!({ "action": "adopt", "account_id": "*" }),
                "expected `account_id` to be 12 digits, found something else",
            ),
            (
                json!({ "action": "reset", "user_name": "alice", "force": "hunter2" }),
                "expected `force` to be true or false, found a string",
            ),
            (
                json!({ "action": "reset", "user_name": "alice", "dry_run": 1 }),
                "expected `dry_run` to be true or false, found a number",
            ),
            (json!({ "action": "reset", "user_name": ["alice"] }), "expected `user_name` to be a string, found a list"),
            (
                json!({ "action": "reset", "user_name": "alice", "account_id": 123_456_789_012_u64 }),
                "expected `account_id` to be a string, found a number",
            ),
            (
                json!({ "action": "sweep", "account_id": "12345" }),
                "expected `account_id` to be 12 digits, found something else",
            ),
            (
                json!({ "action": "sweep", "max_resets": -1 }),
                "expected `max_resets` to be a whole number from 0 to 4294967295, found another number",
            ),
            (
                json!({ "action": "sweep", "max_resets": 1.5 }),
                "expected `max_resets` to be a whole number from 0 to 4294967295, found another number",
            ),
            (
                json!({ "action": "sweep", "max_resets": "5" }),
                "expected `max_resets` to be a whole number from 0 to 4294967295, found a string",
            ),
        ] {
            assert_eq!(read(&event), Err(problem.to_owned()), "{event}");
        }
    }

    #[test]
    fn a_name_that_no_iam_user_can_have_is_refused_with_the_rule() {
        let long = "a".repeat(65);
        for name in ["", " alice", "a b", "division/alice", "élise", "<root>", "alice;", &*long] {
            let problem = read(&json!({ "action": "reset", "user_name": name })).unwrap_err();
            assert!(problem.contains("1 to 64 letters, digits and + = , . @ _ -"), "{name}: {problem}");
        }
    }
}
