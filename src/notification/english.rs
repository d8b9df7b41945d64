//! Messages in English.

use super::{
    Failed, HeldUser, LISTED_USERS, Notification, PasswordChangeRequired, PasswordExpiring, PasswordReset,
    PasswordUnclaimed, PolicyStrengthened, RemediationFailed, SweepHeld, Text, around_name, changes_age, command,
    indented, settings, subject_around, visible,
};
use crate::account::undo;
use crate::secret::SecretArn;

use time::{OffsetDateTime, UtcOffset};

/// 140 characters of the GSM alphabet: one text message, with room to spare.
const SMS_CHARACTERS: usize = 140;

pub(super) fn text(notification: &Notification<'_>, support: Option<&str>) -> Text {
    match notification {
        Notification::PasswordReset(it) => password_reset(it, support),
        Notification::PasswordChangeRequired(it) => password_change_required(it, support),
        Notification::PasswordExpiring(it) => password_expiring(it, support),
        Notification::PasswordUnclaimed(it) => password_unclaimed(it, support),
        Notification::SweepHeld(it) => sweep_held(it),
        Notification::PolicyStrengthened(it) => policy_strengthened(it),
        Notification::RemediationFailed(it) => remediation_failed(it),
    }
}

fn sms_around(parts: [&str; 3]) -> String {
    around_name(parts, "...", SMS_CHARACTERS, str::len)
}

fn days(count: u32) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}

/// The day, by UTC.
fn day(at: OffsetDateTime) -> String {
    let date = at.to_offset(UtcOffset::UTC).date();
    format!("{} {} {}", date.day(), date.month(), date.year())
}

/// The day and the time, by UTC.
fn moment(at: OffsetDateTime) -> String {
    let time = at.to_offset(UtcOffset::UTC).time();
    format!("{}, {:02}:{:02} UTC", day(at), time.hour(), time.minute())
}

/// What every message to a user ends with.
const NEVER_SEND_A_PASSWORD: &str = "\
Do not reply to this message with a password. We never ask you for one, not
by e-mail, not by phone, nowhere.
";

/// From the secret to a password of one's own.
fn fetch_and_sign_in(secret: &SecretArn) -> String {
    format!(
        "\
1. Fetch the new password. It is kept in AWS Secrets Manager:

       Secret:  {secret_name}
       Region:  {region}

   With the AWS CLI, run this command; the new password is what stands
   behind \"password\" in its answer:

       {read_secret}

   In the console, if you can sign in to the account in another way: open
   Secrets Manager, choose the region {region}, open the secret named
   above and choose \"Retrieve secret value\".

2. Sign in at the address above with the account, your user name and the
   new password.

3. AWS then asks you to choose a password of your own. You have to do that
   before you can go on.",
        secret_name = secret.name(),
        region = secret.region(),
        read_secret = command::read_secret(secret),
    )
}

/// For those whom only somebody else can give the password.
fn ask_for_the_password(support: Option<&str>) -> String {
    let whom = match support {
        Some(contact) => format!("ask here:\n\n    {contact}"),
        None => {
            "ask the administrators of your AWS account. They can read it and\nhand the password to you.".to_owned()
        }
    };
    format!("If you have no other way into the account than this password, or if access\nis denied, {whom}")
}

fn ask(support: Option<&str>) -> String {
    match support {
        Some(contact) => format!("Ask here:\n\n    {contact}"),
        None => "Ask the administrators of your AWS account.".to_owned(),
    }
}

fn password_reset(it: &PasswordReset<'_>, support: Option<&str>) -> Text {
    let PasswordReset { account_id, user_name, secret_arn, .. } = it;
    let sign_in_url = it.partition.sign_in_url(account_id);
    let limit = days(it.max_password_age_days.into());
    let why = match (it.forced, it.password_age_days) {
        (true, None) => "An administrator asked for this reset.".to_owned(),
        (true, Some(age)) => {
            format!("An administrator asked for this reset. Your old password was {} old.", days(age))
        }
        (false, Some(age)) => {
            format!("Your old password was {} old. In this account a password may be\nat most {limit} old.", days(age))
        }
        (false, None) => format!("In this account a password may be at most {limit} old, and yours was older."),
    };
    let email = format!(
        "\
Hello {user_name},

The password with which you sign in to the AWS console has been reset.

    Account:  {account_id}
    User:     {user_name}
    Sign in:  {sign_in_url}

WHY
{why}

WHAT HAS CHANGED
Your old password no longer works. Your access keys and MFA devices are as
they were.

WHAT TO DO NOW
{fetch_and_sign_in}

IF YOU CANNOT READ THE SECRET
{ask_for_the_password}

IF YOU DID NOT EXPECT THIS
Tell your security team at once.

{NEVER_SEND_A_PASSWORD}",
        fetch_and_sign_in = fetch_and_sign_in(secret_arn),
        ask_for_the_password = ask_for_the_password(support),
    );
    let account = account_id.as_str();
    Text {
        subject: subject_around([
            "Your AWS console password was reset (",
            user_name.as_str(),
            &format!(", account {account})"),
        ]),
        email,
        sms: sms_around([
            &format!("AWS account {account}: the console password of "),
            user_name.as_str(),
            " was reset. An e-mail says how to get the new one.",
        ]),
    }
}

fn password_change_required(it: &PasswordChangeRequired<'_>, support: Option<&str>) -> Text {
    let PasswordChangeRequired { account_id, user_name, .. } = it;
    let sign_in_url = it.partition.sign_in_url(account_id);
    let limit = days(it.max_password_age_days.into());
    let why = match it.password_age_days {
        Some(age) => {
            format!("Your password is {} old. In this account a password may be at most\n{limit} old.", days(age))
        }
        None => format!("In this account a password may be at most {limit} old, and yours is older."),
    };
    let email = format!(
        "\
Hello {user_name},

Please change the password with which you sign in to the AWS console,
by {due}.

    Account:  {account_id}
    User:     {user_name}
    Sign in:  {sign_in_url}

WHY
{why}

WHAT TO DO NOW
1. Sign in at the address above with the account, your user name and the
   password that you have.

2. AWS then asks you to choose a new password. You have to do that before
   you can go on.

WHAT HAPPENS IF YOU DO NOT
From that time on your password is replaced by one that you do not know. You
then have to fetch it before you can sign in again; a message will say how.

WHAT HAS NOT CHANGED
Your password still opens the console, once, to be changed there. Your access
keys and MFA devices are as they were.

IF SOMEBODY ELSE MAY KNOW YOUR PASSWORD
Change it at once: until you have, whoever knows it can choose the new one in
your place. If you cannot sign in with your password, somebody may have done
so. Tell your security team.

IF YOU HAVE QUESTIONS
{questions}

{NEVER_SEND_A_PASSWORD}",
        due = moment(it.due_at),
        questions = ask(support),
    );
    let account = account_id.as_str();
    Text {
        subject: subject_around([
            "Please change your AWS console password (",
            user_name.as_str(),
            &format!(", account {account})"),
        ]),
        email,
        sms: sms_around([
            &format!("AWS account {account}: please change the console password of "),
            user_name.as_str(),
            &format!(" by {}. Details by e-mail.", day(it.due_at)),
        ]),
    }
}

fn password_expiring(it: &PasswordExpiring<'_>, support: Option<&str>) -> Text {
    let PasswordExpiring { account_id, user_name, .. } = it;
    let otherwise = match it.grace_days {
        0 => "\
From that time on your password is replaced by one that you do not know. You
then have to fetch it before you can sign in again; a message will say how."
            .to_owned(),
        grace => format!(
            "\
AWS then asks you for a new password when you sign in, and lets you do
nothing else before. You have {grace} for that; a message will say until when.
After that your password is replaced by one that you do not know, and you have
to fetch it before you can sign in again.",
            grace = days(grace.into()),
        ),
    };
    let email = format!(
        "\
Hello {user_name},

The password with which you sign in to the AWS console will soon be too old.
Please change it by {due}.

    Account:  {account_id}
    User:     {user_name}
    Sign in:  {sign_in_url}

WHY
Your password is {age} old. In this account a password may be at most
{limit} old.

WHAT TO DO NOW
1. Sign in at the address above with the account, your user name and the
   password that you have.

2. At the upper right, choose your user name, then \"Security credentials\".

3. Choose \"Update password\", and choose a new one.

WHAT HAPPENS IF YOU DO NOT
{otherwise}

IF YOU CANNOT CHANGE IT OR HAVE QUESTIONS
{questions}

{NEVER_SEND_A_PASSWORD}",
        due = moment(it.due_at),
        sign_in_url = it.partition.sign_in_url(account_id),
        age = days(it.password_age_days),
        limit = days(it.max_password_age_days.into()),
        questions = ask(support),
    );
    let account = account_id.as_str();
    Text {
        subject: subject_around([
            "Your AWS console password will soon be too old (",
            user_name.as_str(),
            &format!(", account {account})"),
        ]),
        email,
        sms: sms_around([
            &format!("AWS account {account}: the console password of "),
            user_name.as_str(),
            &format!(" is too old from {} on. Please change it.", day(it.due_at)),
        ]),
    }
}

fn password_unclaimed(it: &PasswordUnclaimed<'_>, support: Option<&str>) -> Text {
    let PasswordUnclaimed { account_id, user_name, .. } = it;
    let email = format!(
        "\
Hello {user_name},

A new password for the AWS console has been waiting for you for {waiting},
since {since}. It has not been used yet. If you have signed in with
it by now and chosen a password of your own, there is nothing to do.

    Account:  {account_id}
    User:     {user_name}
    Sign in:  {sign_in_url}

WHY
Your password was reset. The one you had before no longer works, so you
cannot sign in to the console until you fetch the new one.

WHAT TO DO NOW
{fetch_and_sign_in}

IF YOU CANNOT READ THE SECRET
{ask_for_the_password}

IF YOU DO NOT NEED THE CONSOLE ANY MORE
Tell the administrators of your AWS account, so that they can remove your
password.

IF YOU DID NOT EXPECT THIS
Tell your security team at once.

{NEVER_SEND_A_PASSWORD}",
        waiting = days(it.days),
        since = day(it.stored_at),
        sign_in_url = it.partition.sign_in_url(account_id),
        fetch_and_sign_in = fetch_and_sign_in(it.secret_arn),
        ask_for_the_password = ask_for_the_password(support),
    );
    let account = account_id.as_str();
    Text {
        subject: subject_around([
            "Your new AWS console password has not been used yet (",
            user_name.as_str(),
            &format!(", account {account})"),
        ]),
        email,
        sms: sms_around([
            &format!("AWS account {account}: the new console password of "),
            user_name.as_str(),
            " is waiting. An e-mail says how to get it.",
        ]),
    }
}

fn sweep_held(it: &SweepHeld<'_>) -> Text {
    let account_id = it.account_id;
    let count = it.users.len();
    let (users, have) = if count == 1 { ("1 user".to_owned(), "has") } else { (format!("{count} users"), "have") };
    let listed = it.users.iter().take(LISTED_USERS);
    let mut list = indented(listed.map(|HeldUser { user_name, password_age_days }| match password_age_days {
        Some(age) => format!("{user_name}  ({})", days(*age)),
        None => user_name.to_string(),
    }));
    if count > LISTED_USERS {
        list += &indented([format!("... and {} more", count - LISTED_USERS)]);
    }
    let email = format!(
        "\
In the AWS account {account_id}, {users} {have} a console password that
is too old. No more than {limit} may be reset at once without approval, so none
was.
{finding}
TO SEE WHAT WOULD HAPPEN
    {rehearse}

TO APPROVE IT
    {approve}

Each of these users then has to fetch a new password before signing in
again; with GRACE_DAYS, they have that long to change it themselves first.
Tell them before, and mind service desks and time zones.

TO LEAVE SOMEBODY OUT
Tag the IAM user as exempt (EXEMPT_TAG), or add the name to EXEMPT_USERS.
{unread}
USERS WHOSE PASSWORD IS TOO OLD
{list}",
        limit = it.max_resets,
        unread = visible(it.tags_unread).map_or_else(String::new, |error| format!(
            "Users with that tag may be among those below, for it could not be read:\n    {error}\n"
        )),
        finding = finding(it.finding_id),
        rehearse = command::rehearse(it),
        approve = command::approve(it),
    );
    Text {
        subject: format!("AWS account {account_id}: password resets of {users} wait for your approval"),
        email,
        sms: format!(
            "AWS account {account_id}: password resets of {users} wait for approval. An e-mail says how to approve."
        ),
    }
}

fn policy_strengthened(it: &PolicyStrengthened<'_>) -> Text {
    let account_id = it.account_id;
    let changes = match it.changes {
        [] => "    nothing\n".to_owned(),
        changes => indented(changes),
    };
    let withheld = match it.withheld {
        [] => String::new(),
        withheld => {
            let reasons = indented(withheld);
            format!("\nWHAT WAS ASKED AND NOT DONE\n{reasons}")
        }
    };
    let email = format!(
        "\
The password policy of the AWS account {account_id} was made stricter,
because a security control asks for it.
{finding}
WHAT HAS CHANGED
{changes}{withheld}
WHAT THAT MEANS
Most settings count from the next time a user changes the password.
{expiry}
WHAT IT WAS BEFORE
{previous}
TO UNDO IT
Run this with credentials of the account {account_id}:

    {undo}

The control then fails again. Its next finding makes the policy stricter once
more, unless PASSWORD_POLICY is set to report, or the control is disabled or
the finding suppressed in Security Hub.
",
        expiry = if changes_age(it.changes) {
            "MaxPasswordAge counts at once: whoever has an older password has to change it\nat the next sign-in.\n"
        } else {
            ""
        },
        finding = finding(it.finding_id),
        previous = settings(it.previous, "The account had no policy of its own; AWS's default one held."),
        undo = undo::command(it.previous),
    );
    Text {
        subject: format!("AWS account {account_id}: the IAM password policy was made stricter"),
        email,
        sms: format!("AWS account {account_id}: the IAM password policy was made stricter. Details by e-mail."),
    }
}

fn remediation_failed(it: &RemediationFailed<'_>) -> Text {
    let account_id = it.account_id;
    let (what, subject) = match it.failed {
        Failed::Reset { user_name, .. } => (
            format!(
                "The console password of the IAM user {user_name}\ncould not be reset, or the user could not be told."
            ),
            [": the password reset of ", user_name.as_str(), " failed"],
        ),
        Failed::Policy => (
            "The password policy could not be made as strict as a security control asks.".to_owned(),
            [": the IAM password policy could not be strengthened", "", ""],
        ),
        Failed::Sweep => (
            "The ages of the users' passwords could not be checked.".to_owned(),
            [": the users' passwords could not be checked", "", ""],
        ),
        Failed::Account => (
            "The account is out of reach. Findings about it are passed over and stay as\nthey are.".to_owned(),
            [": out of reach, its findings are passed over", "", ""],
        ),
    };
    let state = match it.failed {
        Failed::Reset { secret_arn, .. } => {
            let secret = secret_arn.map_or(String::new(), |arn| format!("\n    {arn}\n"));
            format!(
                "
CAN THE USER SIGN IN?
With the old password, or with the one in the user's secret, which is labelled
AWSPENDING if the reset was interrupted and AWSCURRENT if it was done.
{secret}"
            )
        }
        Failed::Policy | Failed::Sweep | Failed::Account => String::new(),
    };
    let log =
        visible(it.request_id).map_or(String::new(), |id| format!("\n   In the log, look for the request id {id}."));
    let what_it_does = match it.failed {
        Failed::Account => " to have the account's users checked",
        Failed::Reset { .. } | Failed::Policy | Failed::Sweep => "; it goes on where it stopped",
    };
    let again = match command::retry(it) {
        Some(command) => format!("run this{what_it_does}:\n\n       {command}"),
        None => "redrive the event from the dead-letter queue, or wait for the\n   finding to come again.".to_owned(),
    };
    let todo = match it.failed {
        Failed::Account => format!(
            "\
1. If the account is to be looked after: give it the member role, let the
   role trust the function's, and name it in MEMBER_ROLE_NAME.{log}

   Then {again}

2. If it is not: leave it out in ACCOUNTS, for instance with *,!{account_id}.

This message comes once a day while there are findings about the account."
        ),
        Failed::Reset { .. } | Failed::Policy | Failed::Sweep => format!(
            "\
1. If the cause passes by itself (throttling, a change that is still going
   on), do nothing. The invocation is repeated automatically, and what was
   done is not done twice.

2. If this message comes again, find the cause and remove it.{log}

3. Then {again}"
        ),
    };
    let email = format!(
        "\
{what}

    Account:  {account_id}
    Why:      {reason}
{finding}{state}
WHAT TO DO
{todo}
",
        reason = visible(Some(it.reason)).unwrap_or_else(|| "unknown".to_owned()),
        finding = visible(it.finding_id).map_or(String::new(), |id| format!("    Finding:  {id}\n")),
    );
    let [before, name, after] = subject;
    let before = format!("AWS account {account_id}{before}");
    Text {
        subject: subject_around([&before, name, after]),
        email,
        sms: sms_around([&before, name, &format!("{after}. Details by e-mail.")]),
    }
}

fn finding(id: Option<&str>) -> String {
    visible(id).map_or(String::new(), |id| format!("\nFinding:  {id}\n"))
}
