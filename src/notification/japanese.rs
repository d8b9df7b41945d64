//! Messages in Japanese.

use super::{
    Failed, HeldUser, LISTED_USERS, Notification, PasswordChangeRequired, PasswordExpiring, PasswordReset,
    PasswordUnclaimed, PolicyStrengthened, RemediationFailed, SweepHeld, Text, around_name, changes_age, command,
    indented, settings, subject_around, visible,
};
use crate::account::password_policy::Withheld;
use crate::account::undo;
use crate::secret::SecretArn;

use time::{OffsetDateTime, UtcOffset};

/// One text message in UCS-2, in which all that is not in the GSM alphabet is sent.
const SMS_CHARACTERS: usize = 70;

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
    around_name(parts, "…", SMS_CHARACTERS, |text| text.encode_utf16().count())
}

/// The day, by UTC.
fn day(at: OffsetDateTime) -> String {
    let date = at.to_offset(UtcOffset::UTC).date();
    format!("{} 年 {} 月 {} 日", date.year(), u8::from(date.month()), date.day())
}

/// The day without its year, by UTC.
fn short_day(at: OffsetDateTime) -> String {
    let date = at.to_offset(UtcOffset::UTC).date();
    format!("{} 月 {} 日", u8::from(date.month()), date.day())
}

/// The day and the time, by UTC.
fn moment(at: OffsetDateTime) -> String {
    let time = at.to_offset(UtcOffset::UTC).time();
    format!("{} {:02}:{:02} (UTC)", day(at), time.hour(), time.minute())
}

fn whom_to_ask(support: Option<&str>) -> String {
    match support {
        Some(contact) => format!("次の窓口にお問い合わせください。\n\n    {contact}"),
        None => "お使いの AWS アカウントの管理者にお問い合わせください。".to_owned(),
    }
}

/// What every message to a user ends with.
const NEVER_SEND_A_PASSWORD: &str = "このメールへの返信などでパスワードを送らないでください。\n\
    メールや電話など、どのような方法でもパスワードをお尋ねすることはありません。\n";

/// Why a password is to be changed.
fn over_the_limit(age: u32, limit: u16) -> String {
    format!(
        "現在のパスワードは設定から {age} 日が経過しています。\n\
         このアカウントでは、パスワードの有効期間は {limit} 日までと定められています。"
    )
}

/// From the secret to a password of one's own.
fn fetch_and_sign_in(secret: &SecretArn) -> String {
    format!(
        "\
1. 新しいパスワードを取得します。AWS Secrets Manager に保存されています。

       シークレットの名前:  {secret_name}
       リージョン:          {region}

   AWS CLI を使う場合は、次のコマンドを実行します。
   表示される \"password\" の値が新しいパスワードです。

       {read_secret}

   別の方法でこのアカウントのコンソールにサインインできる場合は、リージョン
   {region} の Secrets Manager を開き、上記のシークレットを選んで
   「シークレットの値を取得する」(Retrieve secret value) を選択します。

2. 上記の URL を開き、アカウント、ユーザー名、新しいパスワードを入力して
   サインインします。

3. サインインすると、ご自身で決めたパスワードへの変更を求められます。
   変更が済むまで、コンソールは使えません。",
        secret_name = secret.name(),
        region = secret.region(),
        read_secret = command::read_secret(secret),
    )
}

/// For those whom only somebody else can give the password.
fn ask_for_the_password(support: Option<&str>) -> String {
    let hand_over = match support {
        Some(_) => "",
        None => "\n管理者がシークレットを参照し、パスワードをお渡しします。",
    };
    format!(
        "このパスワードのほかにアカウントへのアクセス手段がない場合や、アクセスを\n拒否された場合は、{}{hand_over}",
        whom_to_ask(support)
    )
}

fn password_reset(it: &PasswordReset<'_>, support: Option<&str>) -> Text {
    let PasswordReset { account_id, user_name, secret_arn, .. } = it;
    let limit = it.max_password_age_days;
    let why = match (it.forced, it.password_age_days) {
        (true, None) => "管理者の依頼によりリセットしました。".to_owned(),
        (true, Some(age)) => {
            format!("管理者の依頼によりリセットしました。\n(以前のパスワードは設定から {age} 日が経過していました。)")
        }
        (false, Some(age)) => format!(
            "以前のパスワードは設定から {age} 日が経過していました。\n\
             このアカウントでは、パスワードの有効期間は {limit} 日までと定められています。"
        ),
        (false, None) => {
            format!("以前のパスワードは、このアカウントで定められた有効期間の {limit} 日を過ぎていました。")
        }
    };
    let email = format!(
        "\
{user_name} 様

AWS マネジメントコンソールへのサインインに使うパスワードをリセットしました。

    アカウント:      {account_id}
    ユーザー名:      {user_name}
    サインイン URL:  {sign_in_url}

■ 理由
{why}

■ 変わったこと
以前のパスワードは使えなくなりました。
アクセスキーと MFA デバイスはこれまでどおり使えます。

■ 必要な操作
{fetch_and_sign_in}

■ シークレットを参照できない場合
{ask_for_the_password}

■ 心当たりがない場合
すぐにセキュリティ担当者に連絡してください。

{NEVER_SEND_A_PASSWORD}",
        sign_in_url = it.partition.sign_in_url(account_id),
        fetch_and_sign_in = fetch_and_sign_in(secret_arn),
        ask_for_the_password = ask_for_the_password(support),
    );
    Text {
        subject: subject_around([
            "AWS パスワードをリセットしました: ",
            user_name.as_str(),
            &format!(" ({account_id})"),
        ]),
        email,
        sms: sms_around([
            &format!("AWS {account_id}: "),
            user_name.as_str(),
            " のパスワードをリセットしました。詳細はメールをご覧ください。",
        ]),
    }
}

fn password_change_required(it: &PasswordChangeRequired<'_>, support: Option<&str>) -> Text {
    let PasswordChangeRequired { account_id, user_name, .. } = it;
    let limit = it.max_password_age_days;
    let why = match it.password_age_days {
        Some(age) => over_the_limit(age, limit),
        None => format!("現在のパスワードは、このアカウントで定められた有効期間の {limit} 日を過ぎています。"),
    };
    let email = format!(
        "\
{user_name} 様

AWS マネジメントコンソールへのサインインに使うパスワードを、次の期限までに
変更してください。

    期限:            {due}
    アカウント:      {account_id}
    ユーザー名:      {user_name}
    サインイン URL:  {sign_in_url}

■ 理由
{why}

■ 必要な操作
1. 上記の URL を開き、アカウント、ユーザー名、現在のパスワードを入力して
   サインインします。

2. サインインすると、新しいパスワードへの変更を求められます。
   変更が済むまで、コンソールは使えません。

■ 期限までに変更しなかった場合
パスワードは別のものに置き換えられ、新しいパスワードを取得するまで
サインインできなくなります。取得の方法は、そのときにお知らせします。

■ 変わらないこと
現在のパスワードは、変更のためのサインインに使えます。
アクセスキーと MFA デバイスはこれまでどおり使えます。

■ パスワードを他人に知られた可能性がある場合
すぐに変更してください。変更するまでは、そのパスワードを知っている人が、
あなたの代わりに新しいパスワードを設定できます。現在のパスワードで
サインインできない場合は、すぐにセキュリティ担当者に連絡してください。

■ お問い合わせ
ご不明な点は、{whom_to_ask}

{NEVER_SEND_A_PASSWORD}",
        due = moment(it.due_at),
        sign_in_url = it.partition.sign_in_url(account_id),
        whom_to_ask = whom_to_ask(support),
    );
    Text {
        subject: subject_around([
            "AWS パスワードを変更してください: ",
            user_name.as_str(),
            &format!(" ({account_id})"),
        ]),
        email,
        sms: sms_around([
            &format!("AWS {account_id}: "),
            user_name.as_str(),
            &format!(" のパスワードを {}までに変更してください。", short_day(it.due_at)),
        ]),
    }
}

fn password_expiring(it: &PasswordExpiring<'_>, support: Option<&str>) -> Text {
    let PasswordExpiring { account_id, user_name, .. } = it;
    let otherwise = match it.grace_days {
        0 => "\
パスワードは別のものに置き換えられ、新しいパスワードを取得するまで
サインインできなくなります。取得の方法は、そのときにお知らせします。"
            .to_owned(),
        grace => format!(
            "\
サインインするとパスワードの変更を求められ、変更が済むまでコンソールを
使えなくなります。変更の期限は、そのときにあらためてお知らせします。
それから {grace} 日以内に変更しなかった場合、パスワードは別のものに置き換え
られ、新しいパスワードを取得するまでサインインできなくなります。"
        ),
    };
    let email = format!(
        "\
{user_name} 様

AWS マネジメントコンソールへのサインインに使うパスワードの有効期間が、
まもなく終了します。次の期限までにパスワードを変更してください。

    期限:            {due}
    アカウント:      {account_id}
    ユーザー名:      {user_name}
    サインイン URL:  {sign_in_url}

■ 理由
{why}

■ 必要な操作
1. 上記の URL を開き、アカウント、ユーザー名、現在のパスワードを入力して
   サインインします。

2. 画面右上のユーザー名を選び、「セキュリティ認証情報」(Security credentials)
   を選択します。

3. 「パスワードを更新」(Update password) を選択し、新しいパスワードを設定
   します。

■ 期限までに変更しなかった場合
{otherwise}

■ 変更できない場合・お問い合わせ
ご自身で変更できない場合や、ご不明な点がある場合は、
{whom_to_ask}

{NEVER_SEND_A_PASSWORD}",
        due = moment(it.due_at),
        sign_in_url = it.partition.sign_in_url(account_id),
        why = over_the_limit(it.password_age_days, it.max_password_age_days),
        whom_to_ask = whom_to_ask(support),
    );
    Text {
        subject: subject_around([
            "AWS パスワードの期限が近づいています: ",
            user_name.as_str(),
            &format!(" ({account_id})"),
        ]),
        email,
        sms: sms_around([
            &format!("AWS {account_id}: "),
            user_name.as_str(),
            &format!(" のパスワードを {}までに変更してください。", short_day(it.due_at)),
        ]),
    }
}

fn password_unclaimed(it: &PasswordUnclaimed<'_>, support: Option<&str>) -> Text {
    let PasswordUnclaimed { account_id, user_name, .. } = it;
    let email = format!(
        "\
{user_name} 様

AWS マネジメントコンソールの新しいパスワードが、まだ使われていません。
{since}から {waiting} 日間、シークレットに保管されています。
すでに新しいパスワードでサインインし、ご自身で決めたパスワードに変更済みの
場合、操作は必要ありません。

    アカウント:      {account_id}
    ユーザー名:      {user_name}
    サインイン URL:  {sign_in_url}

■ 理由
パスワードはリセットされ、以前のパスワードは使えなくなっています。
新しいパスワードを取得するまで、コンソールにサインインできません。

■ 必要な操作
{fetch_and_sign_in}

■ シークレットを参照できない場合
{ask_for_the_password}

■ コンソールを使う必要がなくなった場合
パスワードを削除できるよう、お使いの AWS アカウントの管理者にお知らせ
ください。

■ 心当たりがない場合
すぐにセキュリティ担当者に連絡してください。

{NEVER_SEND_A_PASSWORD}",
        since = day(it.stored_at),
        waiting = it.days,
        sign_in_url = it.partition.sign_in_url(account_id),
        fetch_and_sign_in = fetch_and_sign_in(it.secret_arn),
        ask_for_the_password = ask_for_the_password(support),
    );
    Text {
        subject: subject_around([
            "AWS の新しいパスワードが未使用です: ",
            user_name.as_str(),
            &format!(" ({account_id})"),
        ]),
        email,
        sms: sms_around([
            &format!("AWS {account_id}: "),
            user_name.as_str(),
            " の新しいパスワードが未使用です。詳細はメールをご覧ください。",
        ]),
    }
}

fn sweep_held(it: &SweepHeld<'_>) -> Text {
    let account_id = it.account_id;
    let count = it.users.len();
    let listed = it.users.iter().take(LISTED_USERS);
    let mut list = indented(listed.map(|HeldUser { user_name, password_age_days }| match password_age_days {
        Some(age) => format!("{user_name}  ({age} 日)"),
        None => user_name.to_string(),
    }));
    if count > LISTED_USERS {
        list += &indented([format!("… ほか {} 名", count - LISTED_USERS)]);
    }
    let email = format!(
        "\
AWS アカウント {account_id} で、コンソールパスワードの有効期間を過ぎた
ユーザーが {count} 名見つかりました。承認なしで一度にリセットできる上限の
{limit} 名を超えているため、いずれのパスワードもリセットしていません。
{finding}
■ 実行した場合の結果を確認するには
    {rehearse}

■ 承認するには
    {approve}

承認すると、対象のユーザーは新しいパスワードを取得するまでサインインでき
なくなります。GRACE_DAYS を設定している場合は、まず本人がその日数以内に変更
します。事前に本人へ知らせ、問い合わせ窓口の体制や時差にも配慮してください。

■ 特定のユーザーを対象から外すには
IAM ユーザーに除外用のタグ (EXEMPT_TAG) を付けるか、名前を EXEMPT_USERS に
追加してください。
{unread}
■ 対象のユーザー
{list}",
        limit = it.max_resets,
        unread = visible(it.tags_unread).map_or_else(String::new, |error| format!(
            "タグを読み取れなかったため、除外用のタグが付いたユーザーも以下に含まれている\n\
             可能性があります。\n    {error}\n"
        )),
        finding = finding(it.finding_id),
        rehearse = command::rehearse(it),
        approve = command::approve(it),
    );
    Text {
        subject: format!("AWS {account_id}: {count} 名のパスワードリセットが承認待ちです"),
        email,
        sms: format!("AWS {account_id}: {count} 名のパスワードリセットが承認待ちです。詳細はメールをご覧ください。"),
    }
}

fn withheld_reason(withheld: &Withheld) -> String {
    match withheld {
        Withheld::AgeUnderHardExpiry { current, asked } => {
            let current = current.map_or("none".to_owned(), |days| days.to_string());
            format!(
                "MaxPasswordAge {current} -> {asked} は適用していません。HardExpiry が有効なため、{asked} 日を超えた\
                 パスワードのユーザーがただちにサインインできなくなります。HardExpiry を無効にするか、該当する\
                 パスワードを変更したうえで設定してください。"
            )
        }
        Withheld::BeyondLimit { setting, asked, limit } => {
            format!("{setting} に {asked} が求められていますが、IAM の上限は {limit} です。")
        }
    }
}

fn policy_strengthened(it: &PolicyStrengthened<'_>) -> Text {
    let account_id = it.account_id;
    let changes = match it.changes {
        [] => "    なし\n".to_owned(),
        changes => indented(changes),
    };
    let withheld = match it.withheld {
        [] => String::new(),
        withheld => {
            let reasons = indented(withheld.iter().map(withheld_reason));
            format!("\n■ 求められたが適用しなかった設定\n{reasons}")
        }
    };
    let email = format!(
        "\
セキュリティコントロールの要件に合わせて、AWS アカウント {account_id} の
パスワードポリシーを強化しました。
{finding}
■ 変更した設定
{changes}{withheld}
■ 影響
多くの設定は、ユーザーが次にパスワードを変更するときから適用されます。
{expiry}
■ 変更前の設定
{previous}
■ 元に戻すには
アカウント {account_id} の認証情報で、次のコマンドを実行します。

    {undo}

元に戻すと、コントロールは再び失敗となり、次の検出結果が届いた時点でポリシー
は再び強化されます。これを避けるには、PASSWORD_POLICY を report に設定するか、
Security Hub でコントロールを無効にするか、検出結果を抑制してください。
",
        expiry = if changes_age(it.changes) {
            "MaxPasswordAge はただちに適用され、期間を過ぎたパスワードのユーザーは、\n\
             次のサインイン時に変更が必要になります。\n"
        } else {
            ""
        },
        finding = finding(it.finding_id),
        previous = settings(it.previous, "アカウント独自のポリシーはなく、AWS の既定のポリシーが適用されていました。"),
        undo = undo::command(it.previous),
    );
    Text {
        subject: format!("AWS {account_id}: パスワードポリシーを強化しました"),
        email,
        sms: format!("AWS {account_id}: パスワードポリシーを強化しました。詳細はメールをご覧ください。"),
    }
}

fn remediation_failed(it: &RemediationFailed<'_>) -> Text {
    let account_id = it.account_id;
    let (what, subject) = match it.failed {
        Failed::Reset { user_name, .. } => (
            format!(
                "IAM ユーザー {user_name} のコンソールパスワードをリセットできなかったか、\n\
                 本人に通知できませんでした。"
            ),
            ["", user_name.as_str(), " のパスワードリセットに失敗"],
        ),
        Failed::Policy => (
            "セキュリティコントロールの要件に合わせてパスワードポリシーを強化することが\nできませんでした。".to_owned(),
            ["パスワードポリシーを強化できませんでした", "", ""],
        ),
        Failed::Sweep => (
            "ユーザーのパスワードの経過日数を確認できませんでした。".to_owned(),
            ["パスワードを確認できませんでした", "", ""],
        ),
        Failed::Account => (
            "次のアカウントにアクセスできません。検出結果は処理されず、そのまま残ります。".to_owned(),
            ["アクセスできず、検出結果を処理できません", "", ""],
        ),
    };
    let state = match it.failed {
        Failed::Reset { secret_arn, .. } => {
            let secret = secret_arn.map_or(String::new(), |arn| format!("\n    {arn}\n"));
            format!(
                "
■ ユーザーはサインインできるか
以前のパスワード、またはシークレット内のパスワードでサインインできます。
後者のラベルは、リセットが中断した場合は AWSPENDING、完了した場合は
AWSCURRENT です。
{secret}"
            )
        }
        Failed::Policy | Failed::Sweep | Failed::Account => String::new(),
    };
    let log =
        visible(it.request_id).map_or(String::new(), |id| format!("\n   ログはリクエスト ID {id} で検索できます。"));
    let what_it_does = match it.failed {
        Failed::Account => "このアカウントのユーザーが確認されます。",
        Failed::Reset { .. } | Failed::Policy | Failed::Sweep => "中断したところから再開します。",
    };
    let again = match command::retry(it) {
        Some(command) => format!("次のコマンドを実行します。{what_it_does}\n\n       {command}"),
        None => "デッドレターキューのイベントを再処理するか、検出結果が再び\n   届くのを待ちます。".to_owned(),
    };
    let todo = match it.failed {
        Failed::Account => format!(
            "\
1. 対象とするアカウントであれば、メンバーロールを作成して関数のロールを
   信頼させ、その名前を MEMBER_ROLE_NAME に設定してください。{log}

   その後、{again}

2. 対象としないアカウントであれば、ACCOUNTS で除外してください
   (例: *,!{account_id})。

この通知は、このアカウントの検出結果が届き続ける間、1 日に 1 回送信されます。"
        ),
        Failed::Reset { .. } | Failed::Policy | Failed::Sweep => format!(
            "\
1. 一時的な原因 (スロットリング、処理中の変更など) であれば、対応は不要です。
   処理は自動的に再試行され、済んだ処理が繰り返されることはありません。

2. この通知が再び届く場合は、原因を調べて取り除いてください。{log}

3. その後、{again}"
        ),
    };
    let email = format!(
        "\
{what}

    アカウント:  {account_id}
    原因:        {reason}
{finding}{state}
■ 対応
{todo}
",
        reason = visible(Some(it.reason)).unwrap_or_else(|| "不明".to_owned()),
        finding = visible(it.finding_id).map_or(String::new(), |id| format!("    検出結果:    {id}\n")),
    );
    let [before, name, after] = subject;
    let before = format!("AWS {account_id}: {before}");
    Text {
        subject: subject_around([&before, name, after]),
        email,
        sms: sms_around([&before, name, &format!("{after}。詳細はメールをご覧ください。")]),
    }
}

fn finding(id: Option<&str>) -> String {
    visible(id).map_or(String::new(), |id| format!("\n検出結果: {id}\n"))
}
