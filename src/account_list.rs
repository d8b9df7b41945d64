//! Lists of accounts as operators write them: `*, !111122223333`.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::identity::AccountId;

/// Comma-separated account ids, or `*` for every account; `!` before an id
/// leaves that account out, wherever in the list it stands.
///
/// A list that names nobody to begin with is none: whether `!111122223333`
/// alone means everyone else is not for this program to guess.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountList {
    is_open: bool,
    named: BTreeSet<AccountId>,
    left_out: BTreeSet<AccountId>,
}

impl AccountList {
    /// Whether the account is on the list.
    #[must_use]
    pub(crate) fn includes(&self, account: &AccountId) -> bool {
        (self.is_open || self.named.contains(account)) && !self.left_out.contains(account)
    }
}

impl FromStr for AccountList {
    type Err = ();

    /// White space around an item is dropped, and empty items are passed over.
    fn from_str(list: &str) -> Result<Self, ()> {
        let mut read = Self { is_open: false, named: BTreeSet::new(), left_out: BTreeSet::new() };
        let id = |text: &str| text.trim().parse::<AccountId>().map_err(|_| ());
        for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match item.strip_prefix('!') {
                Some(left_out) => drop(read.left_out.insert(id(left_out)?)),
                None if item == "*" => read.is_open = true,
                None => drop(read.named.insert(id(item)?)),
            }
        }
        if read.is_open || !read.named.is_empty() { Ok(read) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "111122223333";
    const OTHER: &str = "444455556666";

    fn included(list: &str) -> Option<[bool; 2]> {
        let list: AccountList = list.parse().ok()?;
        Some([ONE, OTHER].map(|account| list.includes(&account.parse().unwrap())))
    }

    #[test]
    fn a_list_names_accounts_or_all_of_them_and_leaves_some_out() {
        for (list, expected) in [
            ("*", [true, true]),
            (ONE, [true, false]),
            ("111122223333,444455556666", [true, true]),
            ("*,!111122223333", [false, true]),
            ("!111122223333,*", [false, true]),
            (" * , ! 111122223333 ,", [false, true]),
            ("111122223333,444455556666,!444455556666", [true, false]),
            ("111122223333,!111122223333", [false, false]),
            ("*,111122223333", [true, true]),
            ("123456789012", [false, false]),
        ] {
            assert_eq!(included(list), Some(expected), "{list}");
        }
    }

    #[test]
    fn what_is_no_account_id_and_a_list_of_nobody_are_refused() {
        for list in [
            "",
            ",",
            "!",
            "!*",
            "!111122223333",
            "*,!*",
            "**",
            "1111*",
            "11112222333",
            "1111222233334",
            "111122223333 444455556666",
            "*,alice",
            "o-0123456789",
        ] {
            assert_eq!(included(list), None, "{list}");
        }
    }
}
