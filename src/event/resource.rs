//! Whom a finding's resources mean.
//!
//! The same user is written in many ways: an ARN with or without a path, a
//! unique id, a bare name, and details beside them that may contradict. The
//! name in an ARN wins over any other, the resource's own id over its details.
//!
//! A name, wherever it stands, wins over a unique id. A finding is only a reason
//! to look, and whom to look at is what a person reads off it: the bearer of
//! that name, as IAM knows them now. The id serves where there is no name.

use crate::identity::{AccountId, Partition, UserId, UserName};

use super::finding::UserRef;
use super::wire::{Misshapen, excerpt};

/// A resource of a finding, as its format has it.
#[derive(Debug, Clone, Default)]
pub(super) struct Resource<'a> {
    /// ASFF `Type`, OCSF `type`.
    pub(super) kind: &'a str,
    /// What identifies it: ASFF `Id`; OCSF `uid_alt` and `uid`.
    pub(super) ids: Vec<&'a str>,
    /// What describes it: `Details.AwsIamUser.UserName`, OCSF `name`.
    pub(super) user_name: Option<&'a str>,
    /// `Details.AwsIamUser.UserId`.
    pub(super) user_id: Option<&'a str>,
}

/// How sure one must be that a resource of no particular type is a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untyped {
    /// The finding is about the age of passwords: whatever it names is a user.
    IsUser,
    /// The finding may be about anything: only the ARN of a user makes a user.
    NeedsUserArn,
}

impl Resource<'_> {
    fn claims_to_be_user(&self, untyped: Untyped) -> bool {
        match self.kind {
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

/// The users among the resources, each once. None at all is no error, but
/// users of whom none can be made out are; and so is an ARN of another account
/// than the finding's.
pub(super) fn users(
    resources: &[Resource<'_>],
    account: Option<&str>,
    untyped: Untyped,
) -> Result<Vec<UserRef>, Misshapen> {
    let mut users: Vec<UserRef> = Vec::new();
    let mut unclear = None;
    for resource in resources.iter().filter(|resource| resource.claims_to_be_user(untyped)) {
        match user(resource, account) {
            Ok(user) if users.iter().any(|known| known.is_same(&user)) => {}
            Ok(user) => users.push(user),
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

fn user(resource: &Resource<'_>, account: Option<&str>) -> Result<UserRef, Unclear> {
    let no_user = |problem: String| Unclear::NoUser(Misshapen(problem));
    let mut arn = None;
    let mut bare = Vec::new();
    for told in &resource.ids {
        if told.starts_with("arn:") {
            let read = IamArn::read(told).ok_or_else(|| no_user(format!("{} is no IAM user's ARN", excerpt(told))))?;
            arn = arn.or(Some(read));
        } else {
            bare.push(told.strip_prefix("user/").map_or(*told, last_segment));
        }
    }

    let account_id = match (&arn, account) {
        (Some(arn), Some(account)) if arn.account_id.as_str() != account => {
            let problem = format!("a user of account {} in a finding of account {}", arn.account_id, excerpt(account));
            return Err(Unclear::OtherAccount(Misshapen(problem)));
        }
        (Some(arn), _) => arn.account_id.clone(),
        (None, Some(account)) => {
            account.parse().map_err(|_| no_user("the finding's account is not 12 digits".to_owned()))?
        }
        (None, None) => return Err(no_user("neither the user's ARN nor the finding tells the account".to_owned())),
    };

    let told: Vec<&str> = match arn.map(|arn| arn.of) {
        Some(Principal::Root) => return Ok(UserRef::Root { account_id }),
        // What an ARN calls the user must be right; no details can mend it.
        Some(Principal::User(told)) if told.parse::<UserName>().is_err() => {
            return Err(no_user(format!("{} is no IAM user's name", excerpt(told))));
        }
        Some(Principal::User(told)) => vec![told],
        None => bare,
    };
    let told = || told.iter().copied().chain(resource.user_name);
    // What has the form of an id is none of the names that people give.
    let is_id = |told: &str| told.parse::<UserId>().is_ok();
    if let Some(name) = told().filter(|told| !is_id(told)).find_map(|told| told.parse().ok()) {
        return Ok(UserRef::Named { account_id, name });
    }
    match told().chain(resource.user_id).find_map(|told| told.parse().ok()) {
        Some(id) => Ok(UserRef::Identified { account_id, id }),
        None => Err(no_user("a resource of an IAM user's type tells neither name nor id".to_owned())),
    }
}

/// The account that the finding is about: the one its account resource names,
/// which must be the finding's own.
pub(super) fn account(resources: &[Resource<'_>], account: Option<&str>) -> Result<AccountId, Misshapen> {
    let mut named = resources
        .iter()
        .filter(|resource| matches!(resource.kind, "AwsAccount" | "AWS::::Account"))
        .filter_map(|resource| resource.ids.iter().find_map(|id| account_of(id)));
    let Some(found) = named.next() else {
        return Err(Misshapen("no resource names the account".to_owned()));
    };
    if let Some(owner) = account
        && owner != found.as_str()
    {
        let owner = excerpt(owner);
        return Err(Misshapen(format!("the resource is account {found}, but the finding is of account {owner}")));
    }
    match named.find(|other| *other != found) {
        Some(other) => Err(Misshapen(format!("the resources are two accounts, {found} and {other}"))),
        None => Ok(found),
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

    fn resource<'a>(kind: &'a str, ids: &[&'a str]) -> Resource<'a> {
        Resource { kind, ids: ids.to_vec(), ..Resource::default() }
    }

    fn read(resource: &Resource<'_>) -> Result<Vec<UserRef>, Misshapen> {
        users(std::slice::from_ref(resource), Some(ACCOUNT), Untyped::IsUser)
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
        described.user_name = Some("bob");
        described.user_id = Some(ID);
        assert_eq!(read(&described), Ok(vec![named("alice")]));
        described.ids = vec!["arn:aws:iam::123456789012:role/alice"];
        assert!(read(&described).is_err(), "a role has no console password, whatever the details say");
    }

    #[test]
    fn the_details_serve_where_the_id_tells_nothing() {
        let mut described = resource("AwsIamUser", &["AWS::IAM::User:?"]);
        described.user_name = Some("alice");
        described.user_id = Some(ID);
        assert_eq!(read(&described), Ok(vec![named("alice")]));
        described.user_name = None;
        assert_eq!(read(&described), Ok(vec![identified()]));
        described.user_id = Some("not an id");
        assert!(read(&described).is_err());
        for id in [ID, "user/AIDACKCEVSQ6C2EXAMPLE", "arn:aws:iam::123456789012:user/AIDACKCEVSQ6C2EXAMPLE"] {
            let mut unnamed = resource("AwsIamUser", &[id]);
            unnamed.user_id = Some(ID);
            assert_eq!(read(&unnamed), Ok(vec![identified()]));
            unnamed.user_name = Some("alice");
            assert_eq!(read(&unnamed), Ok(vec![named("alice")]), "who can be named need not be searched for");
        }
        let mut other = resource("AwsIamUser", &["alice"]);
        other.user_name = Some("bob");
        assert_eq!(read(&other), Ok(vec![named("alice")]));
    }

    #[test]
    fn an_arn_of_another_account_spoils_the_finding() {
        let stranger = resource("AwsIamUser", &["arn:aws:iam::999999999999:user/bob"]);
        let alice = resource("AwsIamUser", &["arn:aws:iam::123456789012:user/alice"]);
        let both = [alice, stranger.clone()];
        let problem = users(&both, Some(ACCOUNT), Untyped::IsUser).unwrap_err();
        assert_eq!(problem.0, "a user of account 999999999999 in a finding of account `123456789012`");
        assert!(users(&both[1..], None, Untyped::IsUser).is_ok(), "without the finding's account the ARN's is taken");
        assert!(users(&both[..1], Some("12345"), Untyped::IsUser).is_err());
    }

    #[test]
    fn without_an_arn_the_account_is_the_findings() {
        let alice = [resource("AwsIamUser", &["alice"])];
        assert!(users(&alice, None, Untyped::IsUser).is_err());
        assert!(users(&alice, Some("12345"), Untyped::IsUser).is_err());
        assert_eq!(users(&alice, Some(ACCOUNT), Untyped::IsUser), Ok(vec![named("alice")]));
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
        let found = users(&resources, Some(ACCOUNT), Untyped::IsUser);
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
            let found = users(&untyped, Some(ACCOUNT), Untyped::NeedsUserArn).unwrap();
            assert_eq!(!found.is_empty(), is_user, "{id}");
        }
    }

    #[test]
    fn the_account_is_the_resource_and_the_findings_own() {
        let of = |kinds: &[(&'static str, &'static str)], owner: Option<&str>| {
            let resources: Vec<_> = kinds.iter().map(|(kind, id)| resource(kind, &[*id])).collect();
            account(&resources, owner).map_err(|problem| problem.0)
        };
        let expected: AccountId = ACCOUNT.parse().unwrap();
        let asff = ("AwsAccount", "AWS::::Account:123456789012");
        let ocsf = ("AWS::::Account", "123456789012");
        for resource in [asff, ocsf, ("AwsAccount", "123456789012"), ("AWS::::Account", "AWS::::Account:123456789012")]
        {
            assert_eq!(of(&[resource], Some(ACCOUNT)), Ok(expected.clone()));
            assert_eq!(of(&[resource], None), Ok(expected.clone()));
            let problem = of(&[resource], Some("999999999999")).unwrap_err();
            assert_eq!(problem, "the resource is account 123456789012, but the finding is of account `999999999999`");
        }
        assert_eq!(of(&[asff, ocsf], Some(ACCOUNT)), Ok(expected));
        for none in [&[][..], &[("AwsIamUser", ACCOUNT)], &[("AwsAccount", "AWS::::Account:12345")]] {
            assert_eq!(of(none, Some(ACCOUNT)), Err("no resource names the account".to_owned()));
        }
        assert_eq!(
            of(&[asff, ("AwsAccount", "999999999999")], Some(ACCOUNT)),
            Err("the resources are two accounts, 123456789012 and 999999999999".to_owned())
        );
    }
}
