//! The account's password policy: what it accepts, and how it is made stricter.
//!
//! The contract of this module:
//!
//! - [`merge`] never weakens a setting, and writes down every setting, because
//!   `UpdateAccountPasswordPolicy` takes no partial updates: what is left out of
//!   the request reverts to its default
//!   ([API reference](https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccountPasswordPolicy.html)).
//! - It never brings about a lockout: `HardExpiry` is never turned on, and while
//!   it is on `MaxPasswordAge` is left as it is.
//! - What a control asks and does not get is in [`Strengthening::withheld`], with
//!   the reason. Where nothing is withheld, the requirement is met.
//! - Merging again changes nothing, and the order in which controls are merged
//!   does not matter.

use std::fmt;
use std::ops::RangeInclusive;

/// The symbols that AWS counts as such, all twenty of them
/// ([`RequireSymbols`](https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccountPasswordPolicy.html)).
/// Other punctuation is allowed in a password and counts for nothing.
pub(crate) const SYMBOLS: &str = "!@#$%^&*()_+-=[]{}|'";

/// What `MinimumPasswordLength` may be, in characters.
pub(crate) const MINIMUM_LENGTHS: RangeInclusive<u8> = 6..=128;

/// What `MaxPasswordAge` may be, in days. "Never" is said by leaving it out.
pub(crate) const MAXIMUM_AGES: RangeInclusive<u16> = 1..=1095;

/// What `PasswordReusePrevention` may be, in passwords. "None" is said by leaving it out.
pub(crate) const REUSE_PREVENTIONS: RangeInclusive<u8> = 1..=24;

/// The most characters that IAM takes as a password, whatever the policy.
pub(crate) const MAXIMUM_LENGTH: u8 = 128;

/// The least characters under AWS's default policy.
const DEFAULT_MINIMUM_LENGTH: u8 = 8;

/// The policy that someone has set for the account, complete.
///
/// The fields are those of
/// [`PasswordPolicy`](https://docs.aws.amazon.com/IAM/latest/APIReference/API_PasswordPolicy.html)
/// in IAM. An age or a reuse prevention of 0 is read as none: IAM does not take
/// a 0, and where one is shown it means that the setting is off.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own in IAM")]
pub struct PasswordPolicy {
    /// `MinimumPasswordLength`, in characters, 6 to 128.
    pub minimum_length: u8,
    /// `RequireSymbols`: at least one of [`SYMBOLS`].
    pub require_symbols: bool,
    /// `RequireNumbers`: at least one of 0 to 9.
    pub require_numbers: bool,
    /// `RequireUppercaseCharacters`: at least one of A to Z.
    pub require_uppercase: bool,
    /// `RequireLowercaseCharacters`: at least one of a to z.
    pub require_lowercase: bool,
    /// `AllowUsersToChangePassword`: every user holds `iam:ChangePassword` for
    /// themselves, without a policy of their own.
    pub allow_users_to_change_password: bool,
    /// `MaxPasswordAge`, in days, 1 to 1095. None: passwords do not expire.
    pub max_age_days: Option<u16>,
    /// `PasswordReusePrevention`, in passwords, 1 to 24. None: any may be reused.
    pub reuse_prevention: Option<u8>,
    /// `HardExpiry`: whoever lets a password expire needs an administrator.
    /// None is IAM's default, which is off.
    pub hard_expiry: Option<bool>,
}

impl PasswordPolicy {
    /// What `UpdateAccountPasswordPolicy` without parameters sets.
    pub(crate) const LAXEST: Self = Self {
        minimum_length: 6,
        require_symbols: false,
        require_numbers: false,
        require_uppercase: false,
        require_lowercase: false,
        allow_users_to_change_password: false,
        max_age_days: None,
        reuse_prevention: None,
        hard_expiry: None,
    };

    /// What an account without a policy is given before a control's requirement
    /// is added, so that no password which AWS's default policy refuses is
    /// accepted afterwards.
    ///
    /// A policy of one's own replaces the default one altogether, and cannot say
    /// "three classes of four". Requiring three particular classes is the least
    /// that is at least as strict; symbols are the one left out, because the
    /// other three are what the mildest control (IAM.10) asks. The three are the
    /// same whatever is asked, so the order of the controls does not matter.
    ///
    /// Users may change their own password, because a reset obliges them to.
    const INSTEAD_OF_DEFAULT: Self = Self {
        minimum_length: DEFAULT_MINIMUM_LENGTH,
        require_numbers: true,
        require_uppercase: true,
        require_lowercase: true,
        allow_users_to_change_password: true,
        ..Self::LAXEST
    };

    /// Whether this policy lets a user have `password`, as far as the password
    /// alone tells: reuse is for IAM to judge.
    #[must_use]
    pub fn accepts(&self, password: &str) -> bool {
        let classes = Classes::of(password);
        is_acceptable_length(password, self.minimum_length)
            && (classes.uppercase || !self.require_uppercase)
            && (classes.lowercase || !self.require_lowercase)
            && (classes.numbers || !self.require_numbers)
            && (classes.symbols || !self.require_symbols)
    }

    /// `ExpirePasswords`: whether passwords expire at all. IAM derives it from
    /// `MaxPasswordAge`; it cannot be set.
    #[must_use]
    pub fn expire_passwords(&self) -> bool {
        self.max_age_days.is_some_and(|days| days > 0)
    }

    pub(super) fn with_zero_as_none(&self) -> Self {
        Self {
            max_age_days: self.max_age_days.filter(|&days| days > 0),
            reuse_prevention: self.reuse_prevention.filter(|&passwords| passwords > 0),
            ..self.clone()
        }
    }
}

/// The policy that is in force, whether someone has set one or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectivePolicy {
    /// No policy is set (`GetAccountPasswordPolicy` answers `NoSuchEntity`):
    /// AWS's default one holds
    /// ([IAM user guide](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html#default-policy-details)).
    AwsDefault,
    /// The account has a policy of its own.
    Custom(PasswordPolicy),
}

impl From<Option<PasswordPolicy>> for EffectivePolicy {
    fn from(policy: Option<PasswordPolicy>) -> Self {
        policy.map_or(Self::AwsDefault, Self::Custom)
    }
}

impl EffectivePolicy {
    /// The policy that the account has set, if it has.
    #[must_use]
    pub fn custom(&self) -> Option<&PasswordPolicy> {
        match self {
            Self::AwsDefault => None,
            Self::Custom(policy) => Some(policy),
        }
    }

    /// Whether a user may have `password`. The default policy also refuses a
    /// password that is the account's name or e-mail address, which is not
    /// known here and which no generated password can be.
    #[must_use]
    pub fn accepts(&self, password: &str) -> bool {
        match self {
            Self::AwsDefault => {
                is_acceptable_length(password, DEFAULT_MINIMUM_LENGTH) && Classes::of(password).count() >= 3
            }
            Self::Custom(policy) => policy.accepts(password),
        }
    }

    /// The least length of a password, in characters.
    #[must_use]
    pub fn minimum_length(&self) -> u8 {
        self.custom().map_or(DEFAULT_MINIMUM_LENGTH, |policy| policy.minimum_length)
    }

    /// Whether every user may change their own password without a policy of
    /// their own. The default policy does not grant it.
    #[must_use]
    pub fn allows_users_to_change_password(&self) -> bool {
        self.custom().is_some_and(|policy| policy.allow_users_to_change_password)
    }

    /// After how many days a password expires, if ever. Under the default
    /// policy it never does.
    #[must_use]
    pub fn max_age_days(&self) -> Option<u16> {
        self.custom().and_then(|policy| policy.max_age_days).filter(|&days| days > 0)
    }
}

/// IAM takes tab, line feed, carriage return and U+0020 to U+00FF in a password
/// ([`UpdateLoginProfile`](https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateLoginProfile.html)).
fn is_acceptable_length(password: &str, minimum: u8) -> bool {
    let length = password.chars().count();
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}');
    length >= usize::from(minimum) && length <= usize::from(MAXIMUM_LENGTH) && password.chars().all(legal)
}

/// Which of the four classes a password has characters of.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "one for each class, and any may be there")]
pub(crate) struct Classes {
    uppercase: bool,
    lowercase: bool,
    numbers: bool,
    symbols: bool,
}

impl Classes {
    pub(crate) fn of(password: &str) -> Self {
        let any = |class: fn(char) -> bool| password.chars().any(class);
        Self {
            uppercase: any(|c| c.is_ascii_uppercase()),
            lowercase: any(|c| c.is_ascii_lowercase()),
            numbers: any(|c| c.is_ascii_digit()),
            symbols: any(|c| SYMBOLS.contains(c)),
        }
    }

    /// 0 to 4.
    pub(crate) fn count(self) -> u8 {
        [self.uppercase, self.lowercase, self.numbers, self.symbols].into_iter().map(u8::from).sum()
    }
}

/// What a control asks of the account's policy. The default asks nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own in IAM")]
pub(crate) struct Requirement {
    /// At least one of A to Z.
    pub uppercase: bool,
    /// At least one of a to z.
    pub lowercase: bool,
    /// At least one of 0 to 9.
    pub numbers: bool,
    /// At least one of [`SYMBOLS`].
    pub symbols: bool,
    /// At least so many characters.
    pub minimum_length: Option<u8>,
    /// At least so many earlier passwords that may not be reused; 0 asks nothing.
    pub reuse_prevention: Option<u8>,
    /// Passwords expire after at most so many days; 0 asks nothing.
    pub max_age_days: Option<u16>,
}

impl Requirement {
    /// Whether `policy` already gives all that is asked.
    #[must_use]
    pub(crate) fn is_met_by(&self, policy: &PasswordPolicy) -> bool {
        let policy = policy.with_zero_as_none();
        (policy.require_uppercase || !self.uppercase)
            && (policy.require_lowercase || !self.lowercase)
            && (policy.require_numbers || !self.numbers)
            && (policy.require_symbols || !self.symbols)
            && self.minimum_length.is_none_or(|asked| policy.minimum_length >= asked)
            && self.asked_reuse().is_none_or(|asked| policy.reuse_prevention >= Some(asked))
            && self.asked_age().is_none_or(|asked| policy.max_age_days.is_some_and(|days| days <= asked))
    }

    /// The stricter of both, setting by setting: what meets it meets either.
    #[must_use]
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self {
            uppercase: self.uppercase || other.uppercase,
            lowercase: self.lowercase || other.lowercase,
            numbers: self.numbers || other.numbers,
            symbols: self.symbols || other.symbols,
            minimum_length: self.minimum_length.max(other.minimum_length),
            reuse_prevention: self.asked_reuse().max(other.asked_reuse()),
            max_age_days: [self.asked_age(), other.asked_age()].into_iter().flatten().min(),
        }
    }

    fn asked_reuse(&self) -> Option<u8> {
        self.reuse_prevention.filter(|&passwords| passwords > 0)
    }

    fn asked_age(&self) -> Option<u16> {
        self.max_age_days.filter(|&days| days > 0)
    }
}

/// A setting of the policy, under the name it has in IAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Setting {
    /// `MinimumPasswordLength`, in characters.
    MinimumPasswordLength,
    /// `RequireSymbols`.
    RequireSymbols,
    /// `RequireNumbers`.
    RequireNumbers,
    /// `RequireUppercaseCharacters`.
    RequireUppercaseCharacters,
    /// `RequireLowercaseCharacters`.
    RequireLowercaseCharacters,
    /// `AllowUsersToChangePassword`.
    AllowUsersToChangePassword,
    /// `MaxPasswordAge`, in days.
    MaxPasswordAge,
    /// `PasswordReusePrevention`, in passwords.
    PasswordReusePrevention,
}

impl Setting {
    /// The name that it has in IAM.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::MinimumPasswordLength => "MinimumPasswordLength",
            Self::RequireSymbols => "RequireSymbols",
            Self::RequireNumbers => "RequireNumbers",
            Self::RequireUppercaseCharacters => "RequireUppercaseCharacters",
            Self::RequireLowercaseCharacters => "RequireLowercaseCharacters",
            Self::AllowUsersToChangePassword => "AllowUsersToChangePassword",
            Self::MaxPasswordAge => "MaxPasswordAge",
            Self::PasswordReusePrevention => "PasswordReusePrevention",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a setting is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// Not set, or no policy to set it in.
    None,
    /// On or off.
    Flag(bool),
    /// In the setting's own unit.
    Number(u16),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Flag(on) => write!(f, "{on}"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl<N: Into<u16>> From<Option<N>> for Value {
    fn from(number: Option<N>) -> Self {
        number.map_or(Self::None, |number| Self::Number(number.into()))
    }
}

/// One setting that is made stricter. Displays as `MinimumPasswordLength 8 -> 14`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// What is changed.
    pub setting: Setting,
    /// What it is now; none where the account has no policy.
    pub before: Value,
    /// What it is to be.
    pub after: Value,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.setting, self.before, self.after)
    }
}

/// Something that a control asks and that is not done. Displays as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// `MaxPasswordAge` was to be introduced or lowered while `HardExpiry` is
    /// on. An expiry period takes effect at once
    /// ([rules for a password policy](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html#password-policy-rules)),
    /// so every user whose password is past the new age could no longer sign in.
    AgeUnderHardExpiry {
        /// The age that is in force, in days.
        current: Option<u16>,
        /// The age that is asked, in days.
        asked: u16,
    },
    /// More is asked than IAM knows; the most that it knows is set.
    BeyondLimit {
        /// What it is asked of.
        setting: Setting,
        /// What is asked, in the setting's own unit.
        asked: u16,
        /// The most there is.
        limit: u16,
    },
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AgeUnderHardExpiry { current, asked } => write!(
                f,
                "MaxPasswordAge {} -> {asked} was left undone because HardExpiry is on: every user whose password is \
                 older than {asked} days would be locked out at once. Turn HardExpiry off, or have those passwords \
                 changed, and then set it.",
                Value::from(*current)
            ),
            Self::BeyondLimit { setting, asked, limit } => {
                write!(f, "{setting} {asked} is asked, but IAM allows no more than {limit}.")
            }
        }
    }
}

/// What becomes of a policy when a control gets what it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Strengthening {
    /// The policy to write, complete.
    pub policy: PasswordPolicy,
    /// What is different in it. Empty: there is nothing to write.
    pub changes: Vec<Change>,
    /// What the control asks and does not get.
    pub withheld: Vec<Withheld>,
}

/// Takes the stricter of what is set and what is asked, setting by setting:
/// length and reuse by maximum, age by minimum, classes by OR.
///
/// `AllowUsersToChangePassword` and `HardExpiry` stay as they are.
///
/// With no current policy, one is made whatever is asked, even if that is
/// nothing. It is at least as strict as the default one that it replaces: 8
/// characters, and uppercase and lowercase letters and numbers. Users may change
/// their own password under it, which the default does not grant.
#[must_use]
pub(crate) fn merge(current: Option<&PasswordPolicy>, requirement: &Requirement) -> Strengthening {
    let start = current.map_or(PasswordPolicy::INSTEAD_OF_DEFAULT, PasswordPolicy::with_zero_as_none);
    let mut withheld = Vec::new();

    let mut at_most = |setting, asked: Option<u8>, limit: u8| match asked {
        Some(asked) if asked > limit => {
            withheld.push(Withheld::BeyondLimit { setting, asked: asked.into(), limit: limit.into() });
            Some(limit)
        }
        asked => asked,
    };
    let length = at_most(Setting::MinimumPasswordLength, requirement.minimum_length, *MINIMUM_LENGTHS.end());
    let reuse = at_most(Setting::PasswordReusePrevention, requirement.asked_reuse(), *REUSE_PREVENTIONS.end());

    let asked_age = requirement.asked_age().map(|days| days.min(*MAXIMUM_AGES.end()));
    let max_age_days = match (start.max_age_days, asked_age) {
        (current, None) => current,
        (Some(current), Some(asked)) if current <= asked => Some(current),
        (current, Some(asked)) if start.hard_expiry == Some(true) => {
            withheld.push(Withheld::AgeUnderHardExpiry { current, asked });
            current
        }
        (_, Some(asked)) => Some(asked),
    };

    let policy = PasswordPolicy {
        minimum_length: start.minimum_length.max(length.unwrap_or_default()).max(*MINIMUM_LENGTHS.start()),
        require_symbols: start.require_symbols || requirement.symbols,
        require_numbers: start.require_numbers || requirement.numbers,
        require_uppercase: start.require_uppercase || requirement.uppercase,
        require_lowercase: start.require_lowercase || requirement.lowercase,
        reuse_prevention: start.reuse_prevention.max(reuse),
        max_age_days,
        ..start
    };
    let changes = changes(current, &policy);
    Strengthening { policy, changes, withheld }
}

/// Where there was no policy, what the new one leaves off is no change.
fn changes(current: Option<&PasswordPolicy>, policy: &PasswordPolicy) -> Vec<Change> {
    let before = current.map(PasswordPolicy::with_zero_as_none).map(|current| values(&current));
    let mut changes = Vec::new();
    for (index, (setting, after)) in values(policy).into_iter().enumerate() {
        let before = before.as_ref().map_or(Value::None, |before| before[index].1);
        let still_off = before == Value::None && after == Value::Flag(false);
        if before != after && !still_off {
            changes.push(Change { setting, before, after });
        }
    }
    changes
}

fn values(policy: &PasswordPolicy) -> [(Setting, Value); 8] {
    [
        (Setting::MinimumPasswordLength, Value::Number(policy.minimum_length.into())),
        (Setting::RequireSymbols, Value::Flag(policy.require_symbols)),
        (Setting::RequireNumbers, Value::Flag(policy.require_numbers)),
        (Setting::RequireUppercaseCharacters, Value::Flag(policy.require_uppercase)),
        (Setting::RequireLowercaseCharacters, Value::Flag(policy.require_lowercase)),
        (Setting::AllowUsersToChangePassword, Value::Flag(policy.allow_users_to_change_password)),
        (Setting::MaxPasswordAge, policy.max_age_days.into()),
        (Setting::PasswordReusePrevention, policy.reuse_prevention.into()),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    const LAX: PasswordPolicy = PasswordPolicy::LAXEST;

    fn iam_7() -> Requirement {
        Requirement {
            uppercase: true,
            lowercase: true,
            numbers: true,
            symbols: true,
            minimum_length: Some(8),
            ..Requirement::default()
        }
    }

    fn age(days: u16) -> Requirement {
        Requirement { max_age_days: Some(days), ..Requirement::default() }
    }

    fn shown<T: fmt::Display>(items: &[T]) -> Vec<String> {
        items.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_symbols_are_the_twenty_that_aws_counts() {
        assert_eq!(SYMBOLS.len(), 20);
        let distinct: std::collections::BTreeSet<char> = SYMBOLS.chars().collect();
        assert_eq!(distinct.len(), 20);
        for not_counted in "~`\\:;\"<>,.?/ €".chars() {
            assert!(!SYMBOLS.contains(not_counted), "{not_counted}");
        }
    }

    #[test]
    fn a_policy_accepts_what_has_the_length_and_the_classes_it_asks() {
        let strict = PasswordPolicy { minimum_length: 10, ..merge(Some(&LAX), &iam_7()).policy };
        for (password, accepted) in [
            ("Abcdef1!gh", true),
            ("Abcdef1!g", false),
            ("abcdef1!gh", false),
            ("ABCDEF1!GH", false),
            ("Abcdefg!gh", false),
            ("Abcdef12gh", false),
            // Punctuation that AWS does not count is no symbol.
            ("Abcdef1.gh", false),
            ("Äbcdef1!gh", false),
            ("Äbcdef1!gH", true),
            ("Abcdef1!g€", false),
        ] {
            assert_eq!(strict.accepts(password), accepted, "{password}");
        }
    }

    #[test]
    fn no_policy_accepts_more_than_128_characters() {
        assert!(LAX.accepts(&"a".repeat(128)));
        assert!(!LAX.accepts(&"a".repeat(129)));
        assert!(!EffectivePolicy::AwsDefault.accepts(&"aA1!".repeat(33)));
    }

    #[test]
    fn length_is_counted_in_characters_not_bytes() {
        let policy = PasswordPolicy { minimum_length: 8, ..LAX };
        assert!(!policy.accepts("ääääaaa"));
        assert!(policy.accepts("ääääaaaa"));
    }

    #[test]
    fn the_default_policy_asks_eight_characters_of_three_classes() {
        for (password, accepted) in [
            ("Abcdefg1", true),
            ("Abcdef1", false),
            ("Abcdefg!", true),
            ("abcdef1!", true),
            ("ABCDEF1!", true),
            ("Abcdefgh", false),
            ("abcdefg1", false),
            ("abcdefg.", false),
        ] {
            assert_eq!(EffectivePolicy::AwsDefault.accepts(password), accepted, "{password}");
        }
    }

    #[test]
    fn the_default_policy_neither_expires_passwords_nor_lets_users_change_them() {
        let default = EffectivePolicy::from(None);
        assert_eq!(default.minimum_length(), 8);
        assert_eq!(default.max_age_days(), None);
        assert!(!default.allows_users_to_change_password());
        assert_eq!(default.custom(), None);
    }

    #[test]
    fn a_policy_of_ones_own_replaces_the_default_altogether() {
        let own = EffectivePolicy::from(Some(PasswordPolicy {
            allow_users_to_change_password: true,
            max_age_days: Some(45),
            ..LAX
        }));
        assert!(own.accepts("aaaaaa"));
        assert_eq!(own.minimum_length(), 6);
        assert_eq!(own.max_age_days(), Some(45));
        assert!(own.allows_users_to_change_password());
    }

    #[test]
    fn an_age_of_zero_means_that_passwords_do_not_expire() {
        let policy = PasswordPolicy { max_age_days: Some(0), reuse_prevention: Some(0), ..LAX };
        assert!(!policy.expire_passwords());
        assert_eq!(EffectivePolicy::Custom(policy.clone()).max_age_days(), None);
        assert!(!age(90).is_met_by(&policy));
        assert!(!Requirement { reuse_prevention: Some(5), ..Requirement::default() }.is_met_by(&policy));
        assert_eq!(shown(&merge(Some(&policy), &age(90)).changes), ["MaxPasswordAge none -> 90"]);
        let untouched = merge(Some(&policy), &Requirement::default());
        assert_eq!(untouched.changes, []);
        assert_eq!((untouched.policy.max_age_days, untouched.policy.reuse_prevention), (None, None));
    }

    #[test]
    fn changes_are_shown_as_before_and_after_under_the_names_of_iam() {
        let all = Requirement { minimum_length: Some(14), reuse_prevention: Some(24), ..iam_7() }.and(&age(90));
        let strengthening = merge(Some(&PasswordPolicy { minimum_length: 8, ..LAX }), &all);
        assert_eq!(
            shown(&strengthening.changes),
            [
                "MinimumPasswordLength 8 -> 14",
                "RequireSymbols false -> true",
                "RequireNumbers false -> true",
                "RequireUppercaseCharacters false -> true",
                "RequireLowercaseCharacters false -> true",
                "MaxPasswordAge none -> 90",
                "PasswordReusePrevention none -> 24",
            ]
        );
        assert_eq!(strengthening.withheld, []);
        assert!(!strengthening.policy.allow_users_to_change_password);
    }

    #[test]
    fn the_stricter_of_each_setting_wins() {
        let current = PasswordPolicy {
            minimum_length: 20,
            require_symbols: true,
            reuse_prevention: Some(10),
            max_age_days: Some(60),
            ..LAX
        };
        let asked = Requirement {
            numbers: true,
            minimum_length: Some(14),
            reuse_prevention: Some(5),
            max_age_days: Some(90),
            ..Requirement::default()
        };
        let strengthening = merge(Some(&current), &asked);
        assert_eq!(shown(&strengthening.changes), ["RequireNumbers false -> true"]);
        assert_eq!(strengthening.policy, PasswordPolicy { require_numbers: true, ..current });
    }

    #[test]
    fn a_policy_that_meets_the_requirement_is_left_alone() {
        let policy = merge(None, &iam_7()).policy;
        assert!(iam_7().is_met_by(&policy));
        assert_eq!(merge(Some(&policy), &iam_7()), Strengthening { policy, changes: vec![], withheld: vec![] });
    }

    #[test]
    fn an_account_without_a_policy_gets_one_as_strict_as_the_default() {
        let asked = Requirement { minimum_length: Some(14), ..Requirement::default() };
        let strengthening = merge(None, &asked);
        assert_eq!(
            shown(&strengthening.changes),
            [
                "MinimumPasswordLength none -> 14",
                "RequireNumbers none -> true",
                "RequireUppercaseCharacters none -> true",
                "RequireLowercaseCharacters none -> true",
                "AllowUsersToChangePassword none -> true",
            ]
        );
        assert_eq!(strengthening.policy.hard_expiry, None);
    }

    #[test]
    fn whether_users_may_change_their_password_is_kept_where_a_policy_exists() {
        for allowed in [false, true] {
            let current = PasswordPolicy { allow_users_to_change_password: allowed, ..LAX };
            assert_eq!(merge(Some(&current), &iam_7()).policy.allow_users_to_change_password, allowed);
        }
    }

    #[test]
    fn an_expiry_is_neither_introduced_nor_lowered_while_hard_expiry_is_on() {
        for (current_age, asked, after, withheld) in [
            (None, 90, None, true),
            (Some(365), 90, Some(365), true),
            (Some(90), 90, Some(90), false),
            (Some(60), 90, Some(60), false),
        ] {
            let current = PasswordPolicy { hard_expiry: Some(true), max_age_days: current_age, ..LAX };
            let strengthening = merge(Some(&current), &age(asked).and(&iam_7()));
            assert_eq!(strengthening.policy.max_age_days, after, "{current_age:?}");
            assert_eq!(strengthening.policy.hard_expiry, Some(true));
            assert_eq!(!strengthening.withheld.is_empty(), withheld, "{current_age:?}");
            assert!(iam_7().is_met_by(&strengthening.policy), "the rest is done");
        }
    }

    #[test]
    fn what_is_withheld_is_said_in_a_sentence() {
        let current = PasswordPolicy { hard_expiry: Some(true), ..LAX };
        let [sentence] = &shown(&merge(Some(&current), &age(90)).withheld)[..] else { panic!("one sentence") };
        assert!(sentence.starts_with("MaxPasswordAge none -> 90 was left undone because HardExpiry is on"));
        let asked = Requirement { reuse_prevention: Some(30), minimum_length: Some(200), ..Requirement::default() };
        let strengthening = merge(Some(&LAX), &asked);
        assert_eq!(
            shown(&strengthening.withheld),
            [
                "MinimumPasswordLength 200 is asked, but IAM allows no more than 128.",
                "PasswordReusePrevention 30 is asked, but IAM allows no more than 24.",
            ]
        );
        assert_eq!((strengthening.policy.minimum_length, strengthening.policy.reuse_prevention), (128, Some(24)));
    }

    #[test]
    fn hard_expiry_is_never_turned_on() {
        for hard_expiry in [None, Some(false)] {
            let current = PasswordPolicy { hard_expiry, ..LAX };
            assert_eq!(merge(Some(&current), &age(90)).policy.hard_expiry, hard_expiry);
        }
    }

    prop_compose! {
        fn policies()(
            minimum_length in MINIMUM_LENGTHS,
            flags: [bool; 5],
            max_age_days in option::of(MAXIMUM_AGES),
            reuse_prevention in option::of(REUSE_PREVENTIONS),
            hard_expiry: Option<bool>,
        ) -> PasswordPolicy {
            let [require_symbols, require_numbers, require_uppercase, require_lowercase, allow] = flags;
            PasswordPolicy {
                minimum_length,
                require_symbols,
                require_numbers,
                require_uppercase,
                require_lowercase,
                allow_users_to_change_password: allow,
                max_age_days,
                reuse_prevention,
                hard_expiry,
            }
        }
    }

    prop_compose! {
        fn requirements()(
            flags: [bool; 4],
            minimum_length: Option<u8>,
            reuse_prevention in option::of(0..40_u8),
            max_age_days in option::of(prop_oneof![0..120_u16, any::<u16>()]),
        ) -> Requirement {
            let [uppercase, lowercase, numbers, symbols] = flags;
            Requirement { uppercase, lowercase, numbers, symbols, minimum_length, reuse_prevention, max_age_days }
        }
    }

    /// Ages the way strictness orders them: never expiring is the laxest.
    fn age_or_never(policy: &PasswordPolicy) -> u16 {
        policy.max_age_days.unwrap_or(u16::MAX)
    }

    proptest! {
        #[test]
        fn no_setting_gets_weaker(current in policies(), requirement in requirements()) {
            let after = merge(Some(&current), &requirement).policy;
            prop_assert!(after.minimum_length >= current.minimum_length);
            prop_assert!(after.require_symbols >= current.require_symbols);
            prop_assert!(after.require_numbers >= current.require_numbers);
            prop_assert!(after.require_uppercase >= current.require_uppercase);
            prop_assert!(after.require_lowercase >= current.require_lowercase);
            prop_assert!(after.reuse_prevention >= current.reuse_prevention);
            prop_assert!(age_or_never(&after) <= age_or_never(&current));
            prop_assert_eq!(after.allow_users_to_change_password, current.allow_users_to_change_password);
            prop_assert_eq!(after.hard_expiry, current.hard_expiry);
        }

        #[test]
        fn the_requirement_is_met_unless_something_is_withheld(
            current in option::of(policies()),
            requirement in requirements(),
        ) {
            let strengthening = merge(current.as_ref(), &requirement);
            prop_assert_eq!(requirement.is_met_by(&strengthening.policy), strengthening.withheld.is_empty());
        }

        #[test]
        fn merging_twice_changes_nothing(current in option::of(policies()), requirement in requirements()) {
            let once = merge(current.as_ref(), &requirement);
            let twice = merge(Some(&once.policy), &requirement);
            prop_assert_eq!(twice.changes, vec![]);
            prop_assert_eq!(twice.policy, once.policy);
            prop_assert_eq!(twice.withheld, once.withheld);
        }

        #[test]
        fn changes_are_empty_exactly_when_the_policy_stays(current in policies(), requirement in requirements()) {
            let strengthening = merge(Some(&current), &requirement);
            prop_assert_eq!(strengthening.changes.is_empty(), strengthening.policy == current);
        }

        #[test]
        fn the_policy_to_write_is_within_what_iam_takes(
            current in option::of(policies()),
            requirement in requirements(),
        ) {
            let after = merge(current.as_ref(), &requirement).policy;
            prop_assert!(MINIMUM_LENGTHS.contains(&after.minimum_length));
            prop_assert!(after.max_age_days.is_none_or(|days| MAXIMUM_AGES.contains(&days)));
            prop_assert!(after.reuse_prevention.is_none_or(|passwords| REUSE_PREVENTIONS.contains(&passwords)));
        }

        #[test]
        fn the_order_of_two_controls_does_not_matter(
            current in option::of(policies()),
            one in requirements(),
            other in requirements(),
        ) {
            let in_turn = |first, second| merge(Some(&merge(current.as_ref(), first).policy), second).policy;
            let together = merge(current.as_ref(), &one.and(&other)).policy;
            prop_assert_eq!(in_turn(&one, &other), together.clone());
            prop_assert_eq!(in_turn(&other, &one), together);
        }

        #[test]
        fn meeting_two_requirements_together_is_meeting_each(
            policy in policies(),
            one in requirements(),
            other in requirements(),
        ) {
            let each = one.is_met_by(&policy) && other.is_met_by(&policy);
            prop_assert_eq!(one.and(&other).is_met_by(&policy), each);
            prop_assert_eq!(other.and(&one).is_met_by(&policy), each);
        }

        #[test]
        fn a_first_policy_accepts_nothing_that_the_default_refuses(
            requirement in requirements(),
            password in prop_oneof![
                "[a-zA-Z]{5,20}", "[a-z0-9]{5,20}", "[a-z!]{5,20}", "[A-Z0-9]{5,20}", "[A-Z|]{5,20}", "[0-9']{5,20}",
                "[A-Za-z0-9]{5,20}", "[A-Za-z0-9!.äé|' ]{5,20}",
            ],
        ) {
            let policy = merge(None, &requirement).policy;
            prop_assert!(!policy.accepts(&password) || EffectivePolicy::AwsDefault.accepts(&password));
        }

        #[test]
        fn any_policy_tells_about_any_text(policy in policies(), text: String) {
            let _ = policy.accepts(&text);
        }
    }
}
