//! Resetting one user's password, so that nobody is ever locked out.
//!
//! The old password cannot be had back, so recovery only ever goes forward.
//! A [`Machine`] decides, one step after the other; the driver makes the calls.
//!
//! | step | working password after a crash here | how a later run goes on |
//! | --- | --- | --- |
//! | take the lease, choose a version | the one the user knows | uses the version that was chosen |
//! | look, grant, demand a change, create the secret | the one the user knows | does it again |
//! | store the password: `AWSPENDING` | the one the user knows | sets the stored password |
//! | set it | the pending version | sets it again |
//! | make it current: `AWSCURRENT` | the current version | sets it again |
//! | announce, take `AWSPENDING` off | the current version | sets and announces it again |
//! | close: the ledger forgets the attempt | the current version | finds nothing to do |
//!
//! What carries the argument:
//!
//! 1. **One run a user.** IAM has no compare-and-set. So a run works on a user
//!    only while it holds the lease in the ledger, and makes a change only if
//!    the lease outlasts that call. A run to which AWS did not answer leaves its
//!    lease to end by itself: the call may yet be carried out.
//! 2. **Labelled before applied.** A password is set only after its version
//!    stands under `AWSPENDING`. That label moves to another version only after
//!    a label of its own keeps the first in sight.
//! 3. **Demanded before stored.** Before a version is stored, a change of
//!    password is demanded, and IAM has said so. A demand ends only when somebody
//!    sets a password without one. So where a version of ours is stored and no
//!    change is demanded, somebody has chosen a password since: it stays.
//! 4. **Set again before announced.** A later run cannot know which password
//!    works. It sets the stored one again. If IAM refuses it, because it
//!    was used before or the policy changed, a new one takes its place. So
//!    nobody is told of a password that was not set by the run that tells.
//! 5. **Chosen before stored.** The ledger knows the random id of a version
//!    before the version is stored, and of a secret before it is created. What
//!    it does not know is not ours and is not used.
//! 6. **Open until told.** The ledger shows an attempt as open until its user
//!    was told. Every sweep looks for open attempts and brings them to their end.
//!
//! A grace period comes before all that, if one is configured: lease, look,
//! grant, demand, tell, close. It stores nothing, and the password stays the
//! one the user knows. A crash repeats it, and so at most the message; the date
//! stands once the ledger has it. Until then, and after, one thing of it matters
//! to the rest: **a demand is evidence.** Where the ledger knows a grace period
//! and IAM shows no demand, somebody has set a password since. A reset demands
//! anew and so destroys that evidence; before it does, the ledger is told.
//!
//! What no order of calls can give: a password that somebody sets between the
//! deciding reads and the call that sets ours is replaced, as is one that an
//! administrator sets *with* a demand while an attempt is open. IAM shows
//! neither. An administrator who takes a demand back *without* setting a
//! password, while an attempt is open, is taken for somebody who set one.
//!
//! `tests/it/model.rs` runs the machine through every order in which calls,
//! crashes, lost answers and people can follow one another, and checks this.

mod driver;
mod machine;

use std::sync::Arc;

use time::OffsetDateTime;

use crate::aws::CallError;
use crate::password::NoRandomness;
use crate::secret::SecretArn;
use crate::survey::SurveyError;

pub(crate) use self::driver::{News, Reset, Seen, Subject};
pub use self::machine::{
    Call, ChangePassword, Changed, ConsoleUser, Decision, Ending, Look, Machine, NEEDED, Outcome, Standing, Step, Wish,
    decide,
};

/// Why a user is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// `EXEMPT_TAG` or `EXEMPT_USERS` says so, or the tags cannot be read.
    Exempt,
    /// The user cannot sign in to the console.
    NoConsolePassword,
    /// There is no such user.
    UserNotFound,
    /// The password is not too old.
    PasswordFresh,
    /// It was reset already.
    AlreadyReset,
    /// The user could not choose a password of their own, and so not sign in.
    CannotChangePassword,
    /// Nobody but the root user can change the root user's password.
    Root,
    /// The user has until this time to change it.
    InGrace(OffsetDateTime),
}

impl SkipReason {
    /// The word in the answer.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exempt => "exempt",
            Self::NoConsolePassword => "no-console-password",
            Self::UserNotFound => "user-not-found",
            Self::PasswordFresh => "password-fresh",
            Self::AlreadyReset => "already-reset",
            Self::CannotChangePassword => "cannot-change-password",
            Self::Root => "root",
            Self::InGrace(_) => "in-grace",
        }
    }
}

/// Why a reset did not come to its end. What was done stays done, and a later
/// run goes on from there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A call failed after the user was told.
    #[error("reset and announced, but not closed: {0}")]
    NotClosed(CallError),
    /// The credential report is not what IAM documents it to be.
    #[error("the credential report cannot be read: {0}")]
    Report(String),
    /// The system gave no random numbers.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// IAM refused every password.
    #[error(
        "IAM refused several passwords that satisfy the account's policy: look at the policy, then run the reset \
         again; or set a password for the user by hand without demanding a change, and the next run lets it be"
    )]
    Refused,
    /// The secret of the user's name is not one that this function made.
    #[error(
        "the secret {0} is in the way: this function did not make it, going by its ledger. Find out who did. Then \
         delete it or, if the ledger was lost, take it over with {{\"action\":\"adopt\"}}"
    )]
    NotOurSecret(SecretArn),
    /// IAM does not tell how old the password is.
    #[error("the credential report does not know the user yet: ask again when it is renewed, after four hours")]
    UnknownAge,
    /// Another run has the lease.
    #[error("another run is at work on this user; a later delivery looks again")]
    Busy,
    /// The calls took so long that the lease would not outlast the next one.
    #[error("the calls took too long for one run; the next one goes on from here")]
    LeaseTooShort,
    /// The lease ended before the run did.
    #[error("the run took too long and another one may have taken over; the next delivery looks again")]
    LostLease,
    /// The secret kept changing.
    #[error("the secret kept changing while it was worked on; the next run goes on from where it is")]
    Unsettled,
}

impl From<Arc<SurveyError>> for Failure {
    fn from(error: Arc<SurveyError>) -> Self {
        match &*error {
            SurveyError::Call(error) => Self::Call(error.clone()),
            SurveyError::Report(error) => Self::Report(error.to_string()),
        }
    }
}

impl Failure {
    /// Whether AWS may have carried out the call that failed, or yet do so.
    fn is_unanswered(&self) -> bool {
        match self {
            Self::Call(error) => error.is_unanswered,
            Self::LeaseTooShort => true,
            _ => false,
        }
    }

    /// Whether no retry mends it: a person has to act, and should be told so.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Call(error) | Self::NotClosed(error) => error.needs_a_person,
            Self::Report(_) | Self::Refused | Self::NotOurSecret(_) => true,
            Self::NoRandomness(_)
            | Self::UnknownAge
            | Self::Busy
            | Self::LeaseTooShort
            | Self::LostLease
            | Self::Unsettled => false,
        }
    }
}
