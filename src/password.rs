//! A console password, from where it is made to where it is set and stored.
//!
//! The contract of this module:
//!
//! - [`Password::reveal`] is the only way out. There is no `Display`, `Clone`,
//!   comparison or serialisation, `Debug` shows nothing, and the memory is
//!   wiped when the password is dropped.
//! - A generated password has characters of all four classes, so it satisfies
//!   whatever classes a policy asks, and AWS's default policy.
//! - Every acceptable string of the length is equally likely: whole strings are
//!   drawn and those without all four classes are thrown away. With 24
//!   characters that is 148 bits, with 8 it is 48.
//! - The randomness is the operating system's own.

use std::fmt;

use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use zeroize::{Zeroize, Zeroizing};

use crate::account::password_policy::{Classes, EffectivePolicy, MAXIMUM_LENGTH};

/// What a generated password is made of: 73 characters that a person can read
/// out, type and copy without an accident.
///
/// Left out are the glyphs that are taken for one another (`I`, `l`, `|`, `1`;
/// `O`, `o`, `0`), the apostrophe, which word processors and chats turn into a
/// typographic one, and `^`, which waits for a letter on many keyboards. All
/// symbols are among the twenty that AWS counts as such.
const ALPHABET: &[u8; 73] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789!@#$%&*()_+-=[]{}";

/// The least that is generated: what AWS's default policy asks, and the lower
/// end of `PASSWORD_LENGTH`.
const MINIMUM_LENGTH: u8 = 8;

/// How often a draw may fail. One of 8 characters succeeds with a probability of
/// 0.46, longer ones with more, so a sound source of randomness never gets here
/// (10⁻²⁶⁷), and a broken one ends in an error instead of an endless loop.
const MAXIMUM_DRAWS: u32 = 1_000;

/// The console password of one user.
///
/// Wiped when dropped. Whoever holds one can hand it on, and nothing else:
///
/// - `UpdateLoginProfile` sets it, and the document for Secrets Manager stores
///   it; these two places alone call [`Password::reveal`].
/// - Neither logs nor errors nor notifications can hold it.
pub struct Password(SecretString);

impl Password {
    /// Makes a new one.
    ///
    /// # Errors
    ///
    /// If the operating system gives no randomness, or none that is random.
    pub fn generate(rules: GenerationRules) -> Result<Self, NoRandomness> {
        Self::draw(rules, &mut SysRng)
    }

    fn draw<R: TryRng>(rules: GenerationRules, source: &mut R) -> Result<Self, NoRandomness> {
        // The largest multiple of the alphabet's size that fits a byte: bytes
        // from there on are dropped, so that no character is more likely.
        const LIMIT: usize = 256 / ALPHABET.len() * ALPHABET.len();

        let length = usize::from(rules.length);
        // Twice the longest password: even for that one, too few usable bytes
        // are left less often than once in 10⁴⁰ draws.
        let mut bytes = Zeroizing::new([0_u8; 256]);
        // Never grows, so no copy stays behind in memory that was given back.
        let mut candidate = Zeroizing::new(String::with_capacity(length));
        for _ in 0..MAXIMUM_DRAWS {
            source.try_fill_bytes(bytes.as_mut_slice()).map_err(NoRandomness::new)?;
            candidate.clear();
            let usable = bytes.iter().map(|&byte| usize::from(byte)).filter(|&index| index < LIMIT);
            candidate.extend(usable.take(length).map(|index| char::from(ALPHABET[index % ALPHABET.len()])));
            if candidate.len() == length && Classes::of(&candidate).count() == 4 {
                return Ok(Self::copy_of(&candidate));
            }
        }
        Err(NoRandomness::new(format!("{MAXIMUM_DRAWS} draws gave no acceptable password")))
    }

    /// Takes back a password that was read from the secret it is stored in.
    #[must_use]
    pub fn from_stored(mut text: String) -> Self {
        let password = Self::copy_of(&text);
        text.zeroize();
        password
    }

    /// Copies into exactly as much memory as it takes. To shrink a longer string
    /// could leave its contents behind.
    fn copy_of(text: &str) -> Self {
        Self(SecretBox::new(Box::from(text)))
    }

    /// The password in clear. Only for the call that sets it and for the
    /// document that stores it; whatever is made of it has to be wiped.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether the account's policy lets a user have it, as far as the password
    /// alone tells: whether it was used before is for IAM to judge.
    #[must_use]
    pub fn satisfies(&self, policy: &EffectivePolicy) -> bool {
        policy.accepts(self.reveal())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password([redacted])")
    }
}

/// How a password is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenerationRules {
    length: u8,
}

impl GenerationRules {
    /// The length that is configured (`PASSWORD_LENGTH`), raised to what the
    /// policy asks: 8 to 128 characters. Policies need nothing else, since all
    /// four classes are always there.
    #[must_use]
    pub fn new(configured_length: u8, policy: &EffectivePolicy) -> Self {
        let length = configured_length.max(policy.minimum_length()).clamp(MINIMUM_LENGTH, MAXIMUM_LENGTH);
        Self { length }
    }

    /// In characters, 8 to 128.
    #[must_use]
    pub fn length(self) -> u8 {
        self.length
    }
}

/// The operating system gave no randomness to make something of. Nothing has
/// been changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the operating system gives no usable randomness: {0}")]
pub struct NoRandomness(String);

impl NoRandomness {
    pub(crate) fn new(problem: impl fmt::Display) -> Self {
        Self(problem.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::convert::Infallible;

    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::account::password_policy::{PasswordPolicy, SYMBOLS};

    fn generate(length: u8) -> Password {
        Password::generate(GenerationRules::new(length, &EffectivePolicy::AwsDefault)).unwrap()
    }

    #[test]
    fn the_alphabet_has_no_character_twice_and_none_that_is_confusable() {
        let alphabet: BTreeSet<u8> = ALPHABET.iter().copied().collect();
        assert_eq!(alphabet.len(), ALPHABET.len());
        for confusable in b"0Oo1lI|'^ \"\\`~<>/,.;:?" {
            assert!(!alphabet.contains(confusable), "{}", char::from(*confusable));
        }
    }

    #[test]
    fn the_alphabet_is_letters_digits_and_symbols_that_aws_counts() {
        let count = |class: fn(&u8) -> bool| ALPHABET.iter().filter(|byte| class(byte)).count();
        assert_eq!(count(u8::is_ascii_uppercase), 24);
        assert_eq!(count(u8::is_ascii_lowercase), 24);
        assert_eq!(count(u8::is_ascii_digit), 8);
        assert_eq!(count(|byte| SYMBOLS.contains(char::from(*byte))), 17);
    }

    #[test]
    fn the_length_is_the_configured_one_raised_to_the_policys_minimum() {
        let policy =
            |minimum_length| EffectivePolicy::Custom(PasswordPolicy { minimum_length, ..PasswordPolicy::LAXEST });
        for (configured, minimum, length) in
            [(24, 6, 24), (24, 24, 24), (24, 30, 30), (8, 6, 8), (8, 128, 128), (128, 6, 128), (255, 6, 128), (0, 6, 8)]
        {
            let rules = GenerationRules::new(configured, &policy(minimum));
            assert_eq!(rules.length(), length, "{configured} {minimum}");
            assert_eq!(Password::generate(rules).unwrap().reveal().len(), usize::from(length));
        }
    }

    /// AWS's check, written down once more from the documentation alone.
    fn aws_accepts(password: &str, policy: Option<&PasswordPolicy>) -> bool {
        let has = |set: &str| password.chars().any(|c| set.contains(c));
        let upper = has("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        let lower = has("abcdefghijklmnopqrstuvwxyz");
        let number = has("0123456789");
        let symbol = has("! @ # $ % ^ & * ( ) _ + - = [ ] { } | '".replace(' ', "").as_str());
        let Some(policy) = policy else {
            let classes = [upper, lower, number, symbol].iter().filter(|&&present| present).count();
            return (8..=128).contains(&password.len()) && classes >= 3;
        };
        password.len() >= usize::from(policy.minimum_length)
            && password.len() <= 128
            && (!policy.require_uppercase || upper)
            && (!policy.require_lowercase || lower)
            && (!policy.require_numbers || number)
            && (!policy.require_symbols || symbol)
    }

    prop_compose! {
        fn policies()(minimum_length in 6..=128_u8, flags: [bool; 4]) -> PasswordPolicy {
            let [require_symbols, require_numbers, require_uppercase, require_lowercase] = flags;
            PasswordPolicy {
                minimum_length,
                require_symbols,
                require_numbers,
                require_uppercase,
                require_lowercase,
                ..PasswordPolicy::LAXEST
            }
        }
    }

    proptest! {
        #[test]
        fn a_generated_password_is_accepted_by_any_policy(
            policy in option::of(policies()),
            configured_length in 8..=128_u8,
        ) {
            let effective = EffectivePolicy::from(policy.clone());
            let password = Password::generate(GenerationRules::new(configured_length, &effective)).unwrap();
            prop_assert!(aws_accepts(password.reveal(), policy.as_ref()));
            prop_assert!(password.satisfies(&effective));
            prop_assert!(password.satisfies(&EffectivePolicy::AwsDefault));
            prop_assert!(password.reveal().len() >= usize::from(configured_length));
            prop_assert!(password.reveal().bytes().all(|byte| ALPHABET.contains(&byte)));
        }

        #[test]
        fn this_crate_and_the_documentation_judge_any_password_alike(
            policy in option::of(policies()),
            password in "[A-Za-z0-9!@#$%^&*()_+=\\[\\]{}|'.,~ -]{0,140}",
        ) {
            let accepted = aws_accepts(&password, policy.as_ref());
            prop_assert_eq!(Password::from_stored(password).satisfies(&policy.into()), accepted);
        }

        #[test]
        fn debug_never_shows_the_password(length in 8..=128_u8) {
            #[derive(Debug)]
            struct Holder {
                #[expect(dead_code, reason = "only its Debug is looked at")]
                password: Password,
            }
            let password = generate(length);
            let text = password.reveal().to_owned();
            prop_assert_eq!(format!("{password:?}"), "Password([redacted])");
            let holder = Holder { password };
            let shown = format!("{holder:?}{holder:#?}");
            prop_assert!(!shown.contains(&text));
        }
    }

    /// 4,000 passwords of 16 characters are 64,000 characters. Of each letter 853
    /// are expected, of each symbol 869, of each digit 1,034 (strings without a
    /// digit are thrown away most often), with a standard deviation of 29 to 32.
    /// The bounds are ten of those away.
    #[test]
    fn every_character_is_as_likely_as_the_others_of_its_class() {
        let mut seen: BTreeMap<char, u32> = BTreeMap::new();
        for _ in 0..4_000 {
            for character in generate(16).reveal().chars() {
                *seen.entry(character).or_default() += 1;
            }
        }
        assert_eq!(seen.len(), ALPHABET.len());
        for (character, count) in seen {
            assert!((560..1_360).contains(&count), "{character} came {count} times");
        }
    }

    #[test]
    fn the_shortest_password_has_all_four_classes() {
        let strictest = PasswordPolicy {
            minimum_length: 8,
            require_symbols: true,
            require_numbers: true,
            require_uppercase: true,
            require_lowercase: true,
            ..PasswordPolicy::LAXEST
        };
        for _ in 0..500 {
            assert!(aws_accepts(generate(8).reveal(), Some(&strictest)));
        }
    }

    #[test]
    fn no_place_in_the_password_belongs_to_a_class() {
        let mut classes_at = vec![BTreeSet::new(); 8];
        for _ in 0..2_000 {
            for (place, character) in generate(8).reveal().chars().enumerate() {
                classes_at[place].insert(match character {
                    'A'..='Z' => "upper",
                    'a'..='z' => "lower",
                    '0'..='9' => "number",
                    _ => "symbol",
                });
            }
        }
        assert!(classes_at.iter().all(|classes| classes.len() == 4));
    }

    #[test]
    fn no_password_comes_twice() {
        let passwords: BTreeSet<String> = (0..1_000).map(|_| generate(8).reveal().to_owned()).collect();
        assert_eq!(passwords.len(), 1_000);
    }

    /// Repeats a pattern of bytes.
    struct Broken(&'static [u8]);

    impl TryRng for Broken {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(0)
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(0)
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            bytes.iter_mut().zip(self.0.iter().cycle()).for_each(|(byte, pattern)| *byte = *pattern);
            Ok(())
        }
    }

    #[test]
    fn broken_randomness_ends_in_an_error() {
        let rules = GenerationRules::new(8, &EffectivePolicy::AwsDefault);
        for pattern in [&[0_u8][..], &[255], &[255, 0, 24]] {
            assert!(Password::draw(rules, &mut Broken(pattern)).is_err(), "{pattern:?}");
        }
    }

    #[test]
    fn bytes_that_would_favour_some_characters_are_dropped() {
        let rules = GenerationRules::new(8, &EffectivePolicy::AwsDefault);
        let password = Password::draw(rules, &mut Broken(&[219, 255, 0, 73, 146, 218, 24, 48, 230])).unwrap();
        assert_eq!(password.reveal(), "AAA}a2AA");
    }

    #[test]
    fn a_stored_password_comes_back_as_it_was() {
        for text in ["", "x", "S0me-Password|'\"\\", "ä"] {
            assert_eq!(Password::from_stored(text.to_owned()).reveal(), text);
        }
    }

    /// Fails to compile if `Password` has any of the traits: then there are two
    /// implementations to choose from. They would each be another way out.
    #[test]
    fn a_password_cannot_be_printed_copied_compared_or_serialised() {
        trait Has<Marker> {
            fn it() {}
        }
        struct Trait<const N: usize>;
        impl<T> Has<()> for T {}
        impl<T: fmt::Display> Has<Trait<0>> for T {}
        impl<T: Clone> Has<Trait<1>> for T {}
        impl<T: PartialEq> Has<Trait<2>> for T {}
        impl<T: serde::Serialize> Has<Trait<3>> for T {}
        impl<T: AsRef<str>> Has<Trait<4>> for T {}
        impl<T: Into<String>> Has<Trait<5>> for T {}
        impl<T: std::ops::Deref> Has<Trait<6>> for T {}
        impl<T: Default> Has<Trait<7>> for T {}
        <Password as Has<_>>::it();
    }
}
