//! Whom a finding's resources mean.
//!
//! The same user is written in many ways: an ARN with or without a path, a
//! unique id, a bare name, and details beside them that may contradict. The
//! name in an ARN wins over any other, the resource's own id over its details.
//!
//! A name, wherever it stands, wins over a unique id. A finding is only a reason
//! to look, and whom to look at is what a person reads off it: the bearer of
//! that name, as IAM knows them now. The id serves where there is no name.

use std::collections::HashSet;

use crate::identity::{AccountId, Partition, UserId, UserName};

use super::finding::UserRef;
use super::wire::Misshapen;

/// A resource of a finding, as its format has it.
#[derive(Debug, Clone, Default)]
pub(super) struct Resource {
    /// ASFF `Type`, OCSF `type`.
    pub(super) kind: String,
    /// What identifies it: ASFF `Id`; OCSF `uid_alt` and `uid`.
    pub(super) ids: Vec<String>,
    /// What describes it: `Details.AwsIamUser.UserName`, OCSF `name`.
    pub(super) user_name: Option<String>,
    /// `Details.AwsIamUser.UserId`.
    pub(super) user_id: Option<String>,
    /// The account that owns it, where the format says so: OCSF
    /// `owner.account.uid`.
    pub(super) owner: Option<String>,
}

/// How sure one must be that a resource of no particular type is a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untyped {
    /// The finding is about the age of passwords: whatever it names is a user.
    IsUser,
    /// The finding may be about anything: only the ARN of a user makes a user.
    NeedsUserArn,
}

impl Resource {
    fn claims_to_be_user(&self, untyped: Untyped) -> bool {
        match &*self.kind {
            "AwsIamUser" | "AWS::IAM::User" => true,
            "Other" => match untyped {
                Untyped::IsUser => true,
                Untyped::NeedsUserArn => {
                    self.ids.iter().any(|id| matches!(IamArn::read(id), Some(IamArn { of: Principal::User(_), .. })))
                }
            },
            _ => false,
        }
    }
}

/// The users among the resources, each once, all of the finding's `account`.
/// None at all is no error, but users of whom none can be made out are; and so
/// is one of another account.
pub(super) fn users(resources: &[Resource], account: &AccountId, untyped: Untyped) -> Result<Vec<UserRef>, Misshapen> {
    let mut users: Vec<UserRef> = Vec::new();
    let mut known = HashSet::new();
    let mut unclear = None;
    for resource in resources.iter().filter(|resource| resource.claims_to_be_user(untyped)) {
        match user(resource, account) {
            Ok(user) => {
                if known.insert(user.key()) {
                    users.push(user);
                }
            }
            Err(Unclear::OtherAccount(problem)) => return Err(problem),
            // No IAM user has such a name or id, so nobody is left out by going on.
            Err(Unclear::NoUser(problem)) => unclear = unclear.or(Some(problem)),
        }
    }
    match unclear {
        Some(problem) if users.is_empty() => Err(problem),
        _ => Ok(users),
    }
}

enum Unclear {
    OtherAccount(Misshapen),
    NoUser(Misshapen),
}

fn user(resource: &Resource, account: &AccountId) -> Result<UserRef, Unclear> {
    let no_user = |problem: &str| Unclear::NoUser(Misshapen(problem.to_owned()));
    if resource.owner.as_deref().is_some_and(|owner| owner != account.as_str()) {
        let problem = format!("a user of another account in a finding of account {account}");
        return Err(Unclear::OtherAccount(Misshapen(problem)));
    }
    let mut arn = None;
    let mut bare = Vec::new();
    for told in &resource.ids {
        if told.starts_with("arn:") {
            let read = IamArn::read(told).ok_or_else(|| no_user("the ARN of a user is no IAM user's"))?;
            if read.account_id != *account {
                let problem = format!("a user of account {} in a finding of account {account}", read.account_id);
                return Err(Unclear::OtherAccount(Misshapen(problem)));
            }
            arn = arn.or(Some(read));
        } else {
            bare.push(told.strip_prefix("user/").map_or(&**told, last_segment));
        }
    }

    let account_id = account.clone();
    let told: Vec<&str> = match arn.map(|arn| arn.of) {
        Some(Principal::Root) => return Ok(UserRef::Root { account_id }),
        // What an ARN calls the user must be right; no details can mend it.
        Some(Principal::User(told)) if told.parse::<UserName>().is_err() => {
            return Err(no_user("the ARN of a user has no IAM user's name"));
        }
        Some(Principal::User(told)) => vec![told],
        None => bare,
    };
    let told = || told.iter().copied().chain(resource.user_name.as_deref());
    // What has the form of an id is none of the names that people give.
    let is_id = |told: &str| told.parse::<UserId>().is_ok();
    if let Some(name) = told().filter(|told| !is_id(told)).find_map(|told| told.parse().ok()) {
        return Ok(UserRef::Named { account_id, name });
    }
    match told().chain(resource.user_id.as_deref()).find_map(|told| told.parse().ok()) {
        Some(id) => Ok(UserRef::Identified { account_id, id }),
        None => Err(no_user("a resource of an IAM user's type tells neither name nor id")),
    }
}

/// The account that the finding is about: the one its account resource names,
/// which must be the finding's own.
pub(super) fn account(resources: &[Resource], account: &AccountId) -> Result<AccountId, Misshapen> {
    let mut named = resources
        .iter()
        .filter(|resource| matches!(&*resource.kind, "AwsAccount" | "AWS::::Account"))
        .filter_map(|resource| resource.ids.iter().find_map(|id| account_of(id)))
        .peekable();
    if named.peek().is_none() {
        return Err(Misshapen("no resource names the account".to_owned()));
    }
    match named.find(|found| found != account) {
        Some(other) => {
            Err(Misshapen(format!("the resource is account {other}, but the finding is of account {account}")))
        }
        None => Ok(account.clone()),
    }
}

/// `AWS::::Account:123456789012`, or in OCSF the digits alone.
fn account_of(id: &str) -> Option<AccountId> {
    id.strip_prefix("AWS::::Account:").unwrap_or(id).parse().ok()
}

/// `arn:PARTITION:iam::ACCOUNT:` and a user or the root user
/// ([IAM ARNs](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns)).
struct IamArn<'a> {
    account_id: AccountId,
    of: Principal<'a>,
}

enum Principal<'a> {
    Root,
    /// The last segment after the path.
    User(&'a str),
}

impl<'a> IamArn<'a> {
    fn read(arn: &'a str) -> Option<Self> {
        // A user's path may hold colons: at most five separate the parts.
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts[..] else { return None };
        partition.parse::<Partition>().ok()?;
        let of = match resource {
            "root" => Principal::Root,
            user => Principal::User(last_segment(user.strip_prefix("user/")?)),
        };
        Some(Self { account_id: account.parse().ok()?, of })
    }
}

fn last_segment(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "123456789012";
    const ID: &str = "AIDACKCEVSQ6C2EXAMPLE";

    fn named(name: &str) -> UserRef {
        UserRef::Named { account_id: ACCOUNT.parse().unwrap(), name: name.parse().unwrap() }
    }

    fn identified() -> UserRef {
        UserRef::Identified { account_id: ACCOUNT.parse().unwrap(), id: ID.parse().unwrap() }
    }

    fn root() -> UserRef {
        UserRef::Root { account_id: ACCOUNT.parse().unwrap() }
    }

    fn finding_account() -> AccountId {
        ACCOUNT.parse().unwrap()
    }

    fn resource(kind: &str, ids: &[&str]) -> Resource {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Resource { kind: kind.to_owned(), ids, ..Resource::default() }
    }

    fn read(resource: &Resource) -> Result<Vec<UserRef>, Misshapen> {
        users(std::slice::from_ref(resource), &finding_account(), Untyped::IsUser)
    }

    #[test]
    fn a_user_is_recognised_in_every_form() {
        for (ids, expected) in [
            (vec!["arn:aws:iam::123456789012:user/alice"], named("alice")),
            (vec!["arn:aws-cn:iam::123456789012:user/alice"], named("alice")),
            (vec!["arn:aws-us-gov:iam::123456789012:user/alice"], named("alice")),
            (vec!["arn:aws:iam::123456789012:user/division/sub:division/alice"], named("alice")),
            (vec!["arn:aws:iam::123456789012:user/Alice+x=1,a.b@c_d-e"], named("Alice+x=1,a.b@c_d-e")),
            (vec!["arn:aws:iam::123456789012:user/AIDACKCEVSQ6C2EXAMPLE"], identified()),
            (vec!["user/AIDACKCEVSQ6C2EXAMPLE"], identified()),
            (vec!["AIDACKCEVSQ6C2EXAMPLE"], identified()),
            (vec!["user/alice"], named("alice")),
            (vec!["user/division/alice"], named("alice")),
            (vec!["alice"], named("alice")),
            (vec!["AIDA"], named("AIDA")),
            (vec!["arn:aws:iam::123456789012:user/alice", ID], named("alice")),
            (vec![ID, "arn:aws:iam::123456789012:user/alice"], named("alice")),
            (vec!["arn:aws:iam::123456789012:root"], root()),
        ] {
            for kind in ["AwsIamUser", "AWS::IAM::User", "Other"] {
                assert_eq!(read(&resource(kind, &ids)), Ok(vec![expected.clone()]), "{kind} {ids:?}");
            }
        }
    }

    #[test]
    fn what_is_no_user_is_not_taken_for_one() {
        for id in [
            "arn:aws:iam::123456789012:role/alice",
            "arn:aws:iam::123456789012:user/",
            "arn:aws:iam::123456789012:user",
            "arn:aws:iam::123456789012:rooted",
            "arn:aws:iam::12345678901:user/alice",
            "arn:aws:iam:us-east-1:123456789012:user/alice",
            "arn:aws-iso:iam::123456789012:user/alice",
            "arn:aws:sts::123456789012:user/alice",
            "arn:aws:iam::123456789012:user/a lice",
            "role/alice",
            "division/alice",
            "AWS::::Account:123456789012",
            "a b",
            "",
        ] {
            assert!(read(&resource("AwsIamUser", &[id])).is_err(), "{id}");
        }
        for kind in ["AwsIamRole", "AwsIamAccessKey", "AwsAccount", "", "awsiamuser"] {
            assert_eq!(read(&resource(kind, &["alice"])), Ok(vec![]), "{kind}");
        }
    }

    #[test]
    fn the_arn_wins_over_the_details() {
        let arn = "arn:aws:iam::123456789012:user/alice";
        let mut described = resource("AwsIamUser", &[arn]);
        described.user_name = Some("bob".to_owned());
        described.user_id = Some(ID.to_owned());
        assert_eq!(read(&described), Ok(vec![named("alice")]));
        described.ids = vec!["arn:aws:iam::123456789012:role/alice".to_owned()];
        assert!(read(&described).is_err(), "a role has no console password, whatever the details say");
    }

    #[test]
    fn the_details_serve_where_the_id_tells_nothing() {
        let mut described = resource("AwsIamUser", &["AWS::IAM::User:?"]);
        described.user_name = Some("alice".to_owned());
        described.user_id = Some(ID.to_owned());
        assert_eq!(read(&described), Ok(vec![named("alice")]));
        described.user_name = None;
        assert_eq!(read(&described), Ok(vec![identified()]));
        described.user_id = Some("not an id".to_owned());
        assert!(read(&described).is_err());
        for id in [ID, "user/AIDACKCEVSQ6C2EXAMPLE", "arn:aws:iam::123456789012:user/AIDACKCEVSQ6C2EXAMPLE"] {
            let mut unnamed = resource("AwsIamUser", &[id]);
            unnamed.user_id = Some(ID.to_owned());
            assert_eq!(read(&unnamed), Ok(vec![identified()]));
            unnamed.user_name = Some("alice".to_owned());
            assert_eq!(read(&unnamed), Ok(vec![named("alice")]), "who can be named need not be searched for");
        }
        let mut other = resource("AwsIamUser", &["alice"]);
        other.user_name = Some("bob".to_owned());
        assert_eq!(read(&other), Ok(vec![named("alice")]));
    }

    #[test]
    fn an_arn_of_another_account_spoils_the_finding() {
        let alice = resource("AwsIamUser", &["arn:aws:iam::123456789012:user/alice"]);
        let told = "a user of account 999999999999 in a finding of account 123456789012";
        for stranger in [
            resource("AwsIamUser", &["arn:aws:iam::999999999999:user/bob"]),
            resource("AwsIamUser", &["arn:aws:iam::999999999999:root"]),
            resource("AWS::IAM::User", &["arn:aws:iam::123456789012:user/bob", "arn:aws:iam::999999999999:user/bob"]),
        ] {
            let both = [alice.clone(), stranger];
            assert_eq!(users(&both, &finding_account(), Untyped::IsUser), Err(Misshapen(told.to_owned())));
        }
        let owned = |owner: &str| Resource { owner: Some(owner.to_owned()), ..resource("AWS::IAM::User", &["bob"]) };
        assert_eq!(read(&owned(ACCOUNT)), Ok(vec![named("bob")]));
        assert!(read(&owned("999999999999")).is_err());
    }

    #[test]
    fn several_users_are_taken_each_once_and_without_those_that_cannot_be() {
        let resources = [
            resource("AwsIamUser", &["arn:aws:iam::123456789012:user/alice"]),
            resource("AwsS3Bucket", &["arn:aws:s3:::bucket"]),
            resource("AwsIamUser", &["ALICE"]),
            resource("AwsIamUser", &["a b"]),
            resource("AwsIamUser", &["bob"]),
            resource("AwsIamUser", &[ID]),
            resource("AwsIamUser", &["arn:aws:iam::123456789012:root"]),
            resource("AwsIamUser", &["user/AIDACKCEVSQ6C2EXAMPLE"]),
            resource("AwsIamUser", &["arn:aws-cn:iam::123456789012:root"]),
        ];
        let found = users(&resources, &finding_account(), Untyped::IsUser);
        assert_eq!(found, Ok(vec![named("alice"), named("bob"), identified(), root()]));
    }

    #[test]
    fn untyped_resources_need_a_users_arn_unless_the_finding_is_about_users() {
        for (id, is_user) in [
            ("arn:aws:iam::123456789012:user/alice", true),
            ("alice", false),
            ("arn:aws:iam::123456789012:root", false),
            ("arn:aws:s3:::alice", false),
        ] {
            let untyped = [resource("Other", &[id])];
            let found = users(&untyped, &finding_account(), Untyped::NeedsUserArn).unwrap();
            assert_eq!(!found.is_empty(), is_user, "{id}");
        }
    }

    #[test]
    fn the_account_is_the_resource_and_the_findings_own() {
        let of = |kinds: &[(&str, &str)], owner: &str| {
            let resources: Vec<_> = kinds.iter().map(|(kind, id)| resource(kind, &[*id])).collect();
            account(&resources, &owner.parse().unwrap()).map_err(|problem| problem.0)
        };
        let expected: AccountId = ACCOUNT.parse().unwrap();
        let asff = ("AwsAccount", "AWS::::Account:123456789012");
        let ocsf = ("AWS::::Account", "123456789012");
        for resource in [asff, ocsf, ("AwsAccount", "123456789012"), ("AWS::::Account", "AWS::::Account:123456789012")]
        {
            assert_eq!(of(&[resource], ACCOUNT), Ok(expected.clone()));
            let problem = of(&[resource], "999999999999").unwrap_err();
            assert_eq!(problem, "the resource is account 123456789012, but the finding is of account 999999999999");
        }
        assert_eq!(of(&[asff, ocsf], ACCOUNT), Ok(expected));
        for none in [&[][..], &[("AwsIamUser", ACCOUNT)], &[("AwsAccount", "AWS::::Account:12345")]] {
            assert_eq!(of(none, ACCOUNT), Err("no resource names the account".to_owned()));
        }
        assert_eq!(
            of(&[asff, ("AwsAccount", "999999999999")], ACCOUNT),
            Err("the resource is account 999999999999, but the finding is of account 123456789012".to_owned())
        );
    }
}
