"""Facts about the translated template, the contract's variables first."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cfnlint.helpers import REGIONS
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from .cfn import MEMBER_ROLE, PLACES, ROOT, TEMPLATE, Stack, document, load, main_stack, member_stack, statements

CONFIG = (ROOT / "src" / "config.rs").read_text().partition("#[cfg(test)]")[0]
TELEMETRY = (ROOT / "src" / "telemetry.rs").read_text()
PARAMETERS = load(TEMPLATE)["Parameters"]

# The parameter for each of the contract's variables, where it is not one parameter of the same name.
NO_PARAMETER = {"NOTIFICATION_TOPIC_ARN", "LEDGER_TABLE"}
RENAMED = {
    "EXEMPT_TAG": "ExemptTagKey",
    "SECRET_KMS_KEY_ID": "SecretKmsKeyArn",
    "WORK_QUEUE_URL": "WorkQueue",
    "RUST_LOG": "LogLevel",
}


def parameter(variable: str) -> str:
    return RENAMED.get(variable) or variable.title().replace("_", "")


VARIABLES = sorted(set(re.findall(r'(?:\benv\s*\.\s*\w+\(\s*|\bVARIABLE: &str = )"([A-Z_]+)"', CONFIG)))
CHOICES = re.findall(r'\.choice\(\s*"([A-Z_]+)",\s*&\[(.*?)\]\s*,?\s*\)', CONFIG, re.DOTALL)
NUMBERS = re.findall(r'\.number\("([A-Z_]+)", (\d+), (\d+), (\d+)\)', CONFIG)


# The namespace, and the dimension of src/telemetry.rs, whose value is the program's name.
OWN_METRICS = (
    re.findall(r'NAMESPACE: &str = "(\w+)"', TELEMETRY)[0],
    re.findall(r'"Dimensions": \[\["(\w+)"', TELEMETRY)[0],
)


FUNCTIONS = ("Function", "AuditFunction")


def variables(function: str = "Function", **parameters: str) -> dict[str, str]:
    return main_stack(**parameters).properties(function)["Environment"]["Variables"]


# The contract's variables --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_given_every_variable_that_the_program_reads_and_no_other(function: str) -> None:
    read = (len(VARIABLES), len(CHOICES), len(NUMBERS))
    assert read >= (19, 5, 3), "src/config.rs reads its variables otherwise now"
    assert sorted(variables(function)) == VARIABLES


def test_the_two_functions_differ_in_their_queue_and_member_role_alone() -> None:
    parameters = {"MemberRoleName": "member", "EmailTag": "email", "WarnDays": "7", "Mode": "dry-run"}
    function, audit = (variables(name, **parameters) for name in FUNCTIONS)
    assert {name for name, value in function.items() if audit[name] != value} == {"WORK_QUEUE_URL", "MEMBER_ROLE_NAME"}
    stack = main_stack(**parameters)
    assert (function["WORK_QUEUE_URL"], audit["WORK_QUEUE_URL"]) == (stack.ref("Jobs"), stack.ref("AuditJobs"))
    assert (function["MEMBER_ROLE_NAME"], audit["MEMBER_ROLE_NAME"]) == ("member", "member-audit")
    # Without members there is nothing to queue, and no role to assume.
    assert variables("AuditFunction")["WORK_QUEUE_URL"] == variables("AuditFunction")["MEMBER_ROLE_NAME"] == ""
    assert variables("AuditFunction", MemberRoleName="member", WorkQueue="none")["WORK_QUEUE_URL"] == ""


@pytest.mark.parametrize("variable", [name for name in VARIABLES if name not in NO_PARAMETER])
def test_every_variable_is_a_parameter_that_describes_itself_by_that_name(variable: str) -> None:
    assert variable in PARAMETERS[parameter(variable)]["Description"]


@pytest.mark.parametrize(("variable", "written"), CHOICES)
def test_choices_are_the_programs(variable: str, written: str) -> None:
    choices = re.findall(r'\("([^"]+)", ', written)
    found = PARAMETERS[parameter(variable)]
    assert (found["AllowedValues"], found["Default"]) == (choices, choices[0])


@pytest.mark.parametrize(("variable", "default", "least", "most"), NUMBERS)
def test_numbers_have_the_programs_limits(variable: str, default: str, least: str, most: str) -> None:
    found = PARAMETERS[parameter(variable)]
    assert (found["Default"], found["MinValue"], found["MaxValue"]) == (int(default), int(least), int(most))


def test_the_other_defaults_are_the_contracts() -> None:
    found = variables()
    assert found["EXEMPT_TAG"] == "password-remediation=exempt"
    assert found["SECRET_PREFIX"] == "iam-console-password"
    assert found["PASSWORD_AGE_FINDINGS"].split(",") == [
        "*password-age*",
        "*password_age*",
        "*passwordage*",
        "*password-max-age*",
        "*password-expir*",
        "*password_expir*",
        "*old-password*",
        "*old_password*",
        "*password*older*",
    ]
    assert found["RUST_LOG"] == "info"
    assert found["ACCOUNTS"] == "*"
    assert found["WARN_DAYS"] == "14,3"
    empty = (
        "EMAIL_TAG",
        "EXEMPT_USERS",
        "SECRET_KMS_KEY_ID",
        "TRUSTED_PRODUCTS",
        "MEMBER_ROLE_NAME",
        "SUPPORT_CONTACT",
    )
    for variable in empty:
        assert found[variable] == "", variable
    stack = main_stack()
    assert found["NOTIFICATION_TOPIC_ARN"] == stack.ref("NotificationTopic")
    assert found["LEDGER_TABLE"] == stack.ref("Ledger")
    assert found["WORK_QUEUE_URL"] == stack.ref("Jobs")
    assert variables(WorkQueue="none")["WORK_QUEUE_URL"] == ""


def test_lists_reach_the_function_as_it_reads_them() -> None:
    found = variables(
        PasswordAgeFindings="*password-age*, *kennwort*", TrustedProducts="a,b", Accounts="*, !111122223333"
    )
    assert (found["PASSWORD_AGE_FINDINGS"], found["TRUSTED_PRODUCTS"]) == ("*password-age*,*kennwort*", "a,b")
    assert found["ACCOUNTS"] == "*,!111122223333"
    assert variables(WarnDays="30, 14,3")["WARN_DAYS"] == "30,14,3"
    assert variables(WarnDays="")["WARN_DAYS"] == "", "nothing to warn of"


BOUNDARY = "arn:aws:iam::123456789012:policy/team/boundary"
KEY = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("Accounts", ["*", "111122223333", "!111122223333"], ["", "1", "!", "!*", "! 111122223333", "all", '"']),
        ("WarnDays", ["", "1", "14", "99", "100", "365"], ["0", "-1", "366", "1000", "3 days", "1.5", "03"]),
        ("EmailTag", ["", "email", "Mail Of", "a=b"], [" a", 'a"', "a,b", "${x}", "x" * 129]),
        ("FunctionRoleName", ["", "role+=,.@_-", "x" * 58], ["team/role", "a*", "x" * 59]),
        ("RolePath", ["/", "/security/", "/a/b/"], ["", "security", "/security", "//", "/a*/", '/"/']),
        ("PermissionsBoundaryArn", ["", BOUNDARY, "arn:aws-cn:iam::aws:policy/PowerUserAccess"], ["boundary", "*"]),
        ("LogKmsKeyArn", ["", KEY], ["alias/aws/logs", KEY.replace("key/", "alias/")]),
        ("OperatorEmail", ["ops@example.com"], ["", "ops", "a b@c", "a@b@c"]),
        ("ExemptTagKey", ["password-remediation", "Team Of"], ["", "a=b", ' "', 'a"b', "a,b", " a", "x" * 129]),
        ("ExemptTagValue", ["exempt", "", "a=b"], ['a"b', "a\\b", "${x}", "x" * 257]),
        ("SecretPrefix", ["p", "a/b", "x" * 128], ["", "/a", "a/", "a b", "a*", "a?", "x" * 129]),
        ("SecretKmsKeyArn", ["", KEY], ["alias/aws/secretsmanager", "1234abcd", KEY.replace("key/", "alias/")]),
        ("LedgerKmsKeyArn", ["", KEY], ["alias/aws/dynamodb", "1234abcd", KEY.replace("key/", "alias/")]),
        ("PasswordAgeFindings", ["*password?age*", "x"], ["", 'a"b', "a\\b"]),
        ("TrustedProducts", ["", "arn:aws:securityhub:*:?:product/1/default"], ['a"', "a b"]),
        ("MemberRoleName", ["", "role+=,.@_-", "x" * 58], ["team/role", "a*", "x" * 59]),
        ("LogLevel", ["info", "warn,iam_password_remediator=debug"], ["", "loud very", '"']),
        ("SweepSchedule", ["", "rate(1 day)", "cron(0 3 * * ? *)"], ["1 day", "rate()", "every(1)"]),
        ("AuditSchedule", ["", "rate(1 day)", "cron(0 3 * * ? *)"], ["1 day", "rate()", "every(1)"]),
    ],
)
def test_what_could_break_out_of_a_pattern_or_policy_is_refused(name: str, good: list[str], bad: list[str]) -> None:
    pattern = PARAMETERS[name]["AllowedPattern"]
    # CloudFormation matches the whole value; the anchors say so to readers, and to what does not.
    assert pattern.startswith("^")
    assert pattern.endswith("$")
    for value in good:
        assert re.fullmatch(pattern, value), value
    for value in bad:
        assert not re.fullmatch(pattern, value), value


def test_both_templates_take_the_shared_parameters_alike() -> None:
    for name, theirs in load(MEMBER_ROLE)["Parameters"].items():
        if name in PARAMETERS and name != "MemberRoleName":
            own = PARAMETERS[name]
            for key in ("Type", "AllowedPattern", "AllowedValues", "Default"):
                assert theirs.get(key) == own.get(key), f"{name} {key}"


# Every path ends somewhere ------------------------------------------------------------------------------------------


EVERYTHING = {"SweepSchedule": "rate(1 day)", "CustomAction": "create", "MemberRoleName": "member", "EmailTag": "email"}


@pytest.fixture
def stack() -> Stack:
    return main_stack(**EVERYTHING)


def test_every_rule_tries_for_a_day_and_then_gives_up_into_the_dead_letters(stack: Stack) -> None:
    rules = stack.of_type("AWS::Events::Rule")
    assert len(rules) == 6
    for name, rule in rules.items():
        [target] = rule["Targets"]
        assert target["Arn"] == stack.attribute("Function", "Arn"), name
        assert target["DeadLetterConfig"] == {"Arn": stack.attribute("DeadLetters", "Arn")}, name
        # src/reset.rs counts on no more than a day.
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}, name
        permission = stack.properties(f"{name}Permission")
        assert permission["SourceArn"] == stack.attribute(name, "Arn")
        assert (permission["Principal"], permission["Action"]) == ("events.amazonaws.com", "lambda:InvokeFunction")


def test_the_dead_letters_take_from_these_rules_and_no_other(stack: Stack) -> None:
    policy = stack.properties("DeadLettersPolicy")
    [allow] = [part for part in statements(policy["PolicyDocument"]) if part["Effect"] == "Allow"]
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
    rules = [stack.attribute(name, "Arn") for name in stack.of_type("AWS::Events::Rule")]
    assert sorted(allow["Condition"]["ArnEquals"]["aws:SourceArn"]) == sorted(rules)
    assert policy["Queues"] == [stack.ref("DeadLetters")]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_asynchronous_invocations_that_fail_end_in_the_dead_letters(function: str, stack: Stack) -> None:
    config = stack.properties(f"{function}EventInvokeConfig")
    assert config["FunctionName"] == stack.ref(function)
    assert config["DestinationConfig"] == {"OnFailure": {"Destination": stack.attribute("DeadLetters", "Arn")}}
    assert config["MaximumRetryAttempts"] == 2


@pytest.mark.parametrize(("queue", "name"), [("Jobs", "Function"), ("AuditJobs", "AuditFunction")])
def test_jobs_are_answered_one_by_one_and_end_in_the_dead_letters(queue: str, name: str, stack: Stack) -> None:
    jobs = stack.properties(queue)
    assert jobs["RedrivePolicy"] == {"deadLetterTargetArn": stack.attribute("DeadLetters", "Arn"), "maxReceiveCount": 5}
    mapping = stack.properties(f"{queue}Mapping")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["EventSourceArn"] == stack.attribute(queue, "Arn")
    assert mapping["FunctionName"] == stack.ref(name)
    function = stack.properties(name)
    assert jobs["VisibilityTimeout"] >= 6 * function["Timeout"]
    # A message is in the queue for long enough to be tried as often as it may be.
    assert jobs["MessageRetentionPeriod"] > 5 * jobs["VisibilityTimeout"]
    assert stack.properties("DeadLetters")["MessageRetentionPeriod"] == 14 * 86400


def test_an_account_is_audited_in_an_invocation_of_its_own_and_leaves_the_function_its_share(stack: Stack) -> None:
    audits, jobs = stack.properties("AuditJobsMapping"), stack.properties("JobsMapping")
    assert audits["BatchSize"] == 1
    # A new account has ten concurrent executions.
    taken = sum(mapping["ScalingConfig"]["MaximumConcurrency"] for mapping in (audits, jobs))
    assert taken <= 6


@pytest.mark.parametrize(
    ("action", "timer", "function"), [("sweep", "SweepTimer", "Function"), ("audit", "AuditTimer", "AuditFunction")]
)
def test_a_schedule_asks_its_function_for_all_accounts_and_ends_in_the_dead_letters(
    action: str, timer: str, function: str, stack: Stack
) -> None:
    parameter = f"{action.title()}Schedule"
    found = stack.properties(timer)
    target = found["Target"]
    assert found["ScheduleExpression"] == "rate(1 day)"
    assert target["Arn"] == stack.attribute(function, "Arn")
    assert json.loads(target["Input"]) == {"action": action, "account_id": "*"}
    assert target["DeadLetterConfig"] == {"Arn": stack.attribute("DeadLetters", "Arn")}
    assert target["RoleArn"] == stack.attribute(f"{timer}Role", "Arn")
    assert found["GroupName"] == stack.ref(f"{timer}s")
    # Without members or a queue, the own account.
    for other in ({"MemberRoleName": ""}, {"WorkQueue": "none"}):
        alone = main_stack(**{**EVERYTHING, **other}).properties(timer)["Target"]
        assert json.loads(alone["Input"]) == {"action": action}
    never = main_stack(**{**EVERYTHING, parameter: ""}).resources
    assert not {timer, f"{timer}s", f"{timer}Role"} & never.keys()


def test_audits_are_scheduled_unless_told_otherwise_and_sweeps_are_not() -> None:
    assert main_stack().properties("AuditTimer")["ScheduleExpression"] == "rate(1 day)"
    assert "SweepTimer" not in main_stack().resources


def test_without_a_queue_there_is_nothing_of_it() -> None:
    audits = {"AuditJobs", "AuditJobsMapping", "AuditJobsPolicy"}
    assert not audits & main_stack().resources.keys(), "there is one account"
    resources = main_stack(WorkQueue="none", MemberRoleName="member").resources
    assert not {"Jobs", "JobsMapping", "JobsPolicy", "OldJobsAlarm", *audits} & resources.keys()
    # What refers to it still evaluates.
    document(resources["Dashboard"]["Properties"]["DashboardBody"])


# The functions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_runs_as_documented(name: str, stack: Stack) -> None:
    function = stack.properties(name)
    assert (function["Runtime"], function["Handler"]) == ("provided.al2023", "bootstrap")
    assert function["Architectures"] == ["x86_64"]
    assert main_stack(Architecture="arm64").properties(name)["Architectures"] == ["arm64"]
    assert (function["MemorySize"], function["Timeout"]) == (512, 900)
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["LoggingConfig"] == {"LogGroup": stack.ref("LogGroup")}
    assert function["Role"] == stack.attribute(f"{name}Role", "Arn")
    assert "ReservedConcurrentExecutions" not in function, "a new account has none to reserve"


def test_concurrency_is_set_aside_for_what_resets_passwords() -> None:
    reserving = main_stack(ReservedConcurrency="5")
    assert reserving.properties("Function")["ReservedConcurrentExecutions"] == "5"
    assert "ReservedConcurrentExecutions" not in reserving.properties("AuditFunction")


def test_the_functions_are_of_the_same_code_which_is_what_was_built() -> None:
    assert main_stack().properties("Function")["Code"] == main_stack().properties("AuditFunction")["Code"]
    written = load(TEMPLATE)["Globals"]["Function"]["CodeUri"]
    assert (TEMPLATE.parent / written).resolve() == ROOT / "target" / "lambda" / "iam-password-remediator"


def test_no_key_is_made_and_nothing_is_unencrypted_that_need_not_be(stack: Stack) -> None:
    assert not stack.of_type("AWS::KMS::Key")
    for name, queue in stack.of_type("AWS::SQS::Queue").items():
        assert queue["SqsManagedSseEnabled"] is True, name
    assert stack.properties("NotificationTopic")["KmsMasterKeyId"] == "alias/aws/sns"
    # CloudWatch cannot use AWS's key.
    assert "KmsMasterKeyId" not in stack.properties("AlarmTopic")


def test_nobody_but_the_functions_publishes_to_users(stack: Stack) -> None:
    [deny, _] = statements(stack.properties("NotificationTopicPolicy")["PolicyDocument"])
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "sns:Publish")
    roles = [stack.attribute(f"{name}Role", "Arn") for name in FUNCTIONS]
    assert deny["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": roles}}


def test_the_operator_gets_alarms_and_what_is_meant_for_operators(stack: Stack) -> None:
    notifications = stack.properties("OperatorNotifications")
    assert notifications["TopicArn"] == stack.ref("NotificationTopic")
    assert notifications["FilterPolicy"] == {"audience": ["operator"]}
    assert stack.properties("OperatorAlarms")["TopicArn"] == stack.ref("AlarmTopic")
    for name in ("OperatorNotifications", "OperatorAlarms"):
        assert stack.properties(name)["Endpoint"] == "operator@example.com"


# The ledger ----------------------------------------------------------------------------------------------------------


def test_the_ledger_outlives_the_stack_and_can_be_put_back(stack: Stack) -> None:
    written = load(TEMPLATE)["Resources"]["Ledger"]
    assert (written["DeletionPolicy"], written["UpdateReplacePolicy"]) == ("Retain", "Retain")
    ledger = stack.properties("Ledger")
    assert ledger["DeletionProtectionEnabled"] is True
    assert ledger["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert ledger["BillingMode"] == "PAY_PER_REQUEST"
    assert "TableName" not in ledger, "the stack can stand twice in an account"
    assert stack.value(stack.template["Outputs"]["LedgerTableName"]["Value"]) == stack.ref("Ledger")


def test_the_ledger_is_encrypted_with_the_customers_key_if_there_is_one(stack: Stack) -> None:
    assert "SSESpecification" not in stack.properties("Ledger"), "DynamoDB's own key costs nothing"
    found = main_stack(LedgerKmsKeyArn=KEY).properties("Ledger")["SSESpecification"]
    assert found == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}


# What an operator sees -----------------------------------------------------------------------------------------------


def test_alarms_look_at_this_stack_and_tell_the_operator(stack: Stack) -> None:
    function, dead, jobs = (stack.ref("Function"), stack.physical("DeadLetters"), stack.physical("Jobs"))
    own = "iam-password-remediator"
    looks_at = {
        "ErrorsAlarm": ("Errors", function),
        "AuditErrorsAlarm": ("Errors", stack.ref("AuditFunction")),
        "ThrottlesAlarm": ("Throttles", function),
        "DeadLettersAlarm": ("ApproximateNumberOfMessagesVisible", dead),
        "OldJobsAlarm": ("ApproximateAgeOfOldestMessage", jobs),
        "FailuresAlarm": ("Failures", own),
        "HeldAlarm": ("Held", own),
        "OutOfReachAlarm": ("OutOfReach", own),
    }
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    assert alarms.keys() == {*looks_at, "LedgerErrorsAlarm", "LedgerThrottlesAlarm", "NoSuccessAlarm", "NoAuditAlarm"}
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [stack.ref("AlarmTopic")], name
        if name in looks_at:
            [dimension] = alarm["Dimensions"]
            assert (alarm["MetricName"], dimension["Value"]) == looks_at[name]
            assert alarm["TreatMissingData"] == "notBreaching", name
        if looks_at.get(name, ("", ""))[1] == own:
            assert (alarm["Namespace"], dimension["Name"]) == OWN_METRICS, name
    [allow] = statements(stack.properties("AlarmTopicPolicy")["PolicyDocument"])
    assert (allow["Principal"], allow["Action"]) == ({"Service": "cloudwatch.amazonaws.com"}, "sns:Publish")


def test_alarms_of_the_ledger_look_at_what_dynamodb_counts_for_the_table(stack: Stack) -> None:
    """Each metric has the dimensions that DynamoDB documents for it: with others there would be no data."""
    operations = [{"Operation": operation} for operation in ("UpdateItem", "BatchGetItem", "Query")]
    places: list[dict[str, str]] = [{}, {"GlobalSecondaryIndexName": "open"}]
    looks_at = {
        "LedgerErrorsAlarm": [("SystemErrors", operation) for operation in operations],
        "LedgerThrottlesAlarm": [(f"{kind}ThrottleEvents", place) for place in places for kind in ("Read", "Write")],
    }
    for name, expected in looks_at.items():
        alarm = stack.properties(name)
        shown, *metrics = alarm["Metrics"]
        found = []
        for metric in metrics:
            assert not metric["ReturnData"]
            looked_at = metric["MetricStat"]["Metric"]
            dimensions = {dimension["Name"]: dimension["Value"] for dimension in looked_at["Dimensions"]}
            assert (looked_at["Namespace"], dimensions.pop("TableName")) == ("AWS/DynamoDB", stack.ref("Ledger"))
            found.append((looked_at["MetricName"], dimensions))
        assert found == expected, name
        # All are added up, each absent one as 0.
        assert sorted(shown["Expression"].split(" + ")) == sorted(f"FILL({metric['Id']}, 0)" for metric in metrics)
        assert shown["ReturnData"]
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
        assert alarm["TreatMissingData"] == "notBreaching"
    [index] = stack.properties("Ledger")["GlobalSecondaryIndexes"]
    assert index["IndexName"] == places[1]["GlobalSecondaryIndexName"]


def test_a_job_that_hangs_is_told_of_but_not_one_that_is_tried_again(stack: Stack) -> None:
    jobs, function = stack.properties("Jobs"), stack.properties("Function")
    tries = jobs["RedrivePolicy"]["maxReceiveCount"]
    pauses = sum(60 * 2**failed for failed in range(tries - 1))
    # A job that fails takes seconds: it is its invocation that may take as long as the function's timeout.
    assert pauses + function["Timeout"] < stack.properties("OldJobsAlarm")["Threshold"] < jobs["VisibilityTimeout"]


def test_the_dashboard_shows_metrics_that_the_program_writes(stack: Stack) -> None:
    body = document(stack.properties("Dashboard")["DashboardBody"])
    namespace, _ = OWN_METRICS
    written = set(re.findall(r'\("(\w+)", "(?:Count|None)"', TELEMETRY))
    shown: set[str] = set()
    queries = []
    for widget in body["widgets"]:
        properties = widget["properties"]
        assert properties["region"] == stack.place.region
        if widget["type"] == "log":
            queries.append(properties["query"])
        shown |= {metric[1] for metric in properties.get("metrics", []) if metric[0] == namespace}
    counted = {"Resets", "ChangeRequired", "WouldReset", "WouldRequireChange", "Held", "Failures", "OutOfReach"}
    audited = {"Stale", "InGrace", "HeldUsers", "Unclaimed", "Exempt", "OldestPasswordAgeDays"}
    assert counted | audited <= shown
    assert shown | {"Sweeps", "Audits"} <= written
    [query] = queries
    assert query.startswith(f"SOURCE '{stack.ref('LogGroup')}' | filter decision = 'failed' or level = 'ERROR' |")
    audit = "".join(path.read_text() for path in (ROOT / "src" / "handler").rglob("*.rs"))
    assert re.search(r"tracing::\w+!\([^;]*\bdecision\b", audit), "the query filters by a field of the audit lines"


@pytest.mark.parametrize(
    ("parameters", "stat"),
    [({}, "Maximum"), ({"MemberRoleName": "m", "WorkQueue": "none"}, "Maximum"), ({"MemberRoleName": "m"}, "Sum")],
)
def test_the_dashboard_adds_up_the_audits_of_several_accounts_and_of_one_takes_the_most(
    parameters: dict[str, str], stat: str
) -> None:
    widgets = document(main_stack(**parameters).properties("Dashboard")["DashboardBody"])["widgets"]
    glance, states = (
        widget["properties"] for widget in widgets if widget["properties"]["title"].startswith("Users at ")
    )
    found = {metric[1]: (metric[4].get("stat") or glance["stat"]) for metric in glance["metrics"]}
    assert found.pop("OutOfReach") == "Sum", "each time counts"
    assert found.pop("OldestPasswordAgeDays") == "Maximum", "ages do not add up"
    assert set(found.values()) == {stat} == {states["stat"]}
    assert glance["period"] == states["period"] == 86400, "audits are of a day"


def test_no_widget_of_the_dashboard_lies_on_another(stack: Stack) -> None:
    taken = set()
    for widget in document(stack.properties("Dashboard")["DashboardBody"])["widgets"]:
        x, y, width, height = (widget[key] for key in ("x", "y", "width", "height"))
        assert x + width <= 24
        cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        assert not cells & taken, widget["properties"]["title"]
        taken |= cells


def test_a_log_is_kept_for_as_long_as_is_asked() -> None:
    assert main_stack().properties("LogGroup")["RetentionInDays"] == "365"
    assert main_stack(LogRetentionDays="30").properties("LogGroup")["RetentionInDays"] == "30"
    assert "KmsKeyId" not in main_stack().properties("LogGroup")
    assert main_stack(LogKmsKeyArn=KEY).properties("LogGroup")["KmsKeyId"] == KEY


@pytest.mark.parametrize(
    ("path", "retained"),
    [
        (TEMPLATE, {"Ledger", "LogGroup", "ReadOwnPassword", "ReadAllPasswords"}),
        (MEMBER_ROLE, {"ReadOwnPassword", "ReadAllPasswords"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_outlives_the_stack_is_in_the_way_of_no_new_one(path: Any, retained: set[str]) -> None:
    resources = load(path)["Resources"]
    kept = {name for name, resource in resources.items() if resource.get("DeletionPolicy") == "Retain"}
    # An attached policy could not be deleted, and would keep the stack from being deleted.
    assert kept == retained
    for name in kept:
        assert resources[name]["UpdateReplacePolicy"] == "Retain"
        named = [key for key in resources[name]["Properties"] if key.endswith("Name")]
        assert not named, f"{name} would be there already"


# The roles -----------------------------------------------------------------------------------------------------------


def test_every_role_is_bounded_if_there_is_a_boundary_and_lies_where_it_is_told() -> None:
    bounded = main_stack(**EVERYTHING, PermissionsBoundaryArn=BOUNDARY, RolePath="/security/")
    roles = bounded.of_type("AWS::IAM::Role")
    assert roles.keys() == {"FunctionRole", "AuditFunctionRole", "SweepTimerRole", "AuditTimerRole"}
    for name, role in roles.items():
        assert (role["PermissionsBoundary"], role["Path"]) == (BOUNDARY, "/security/"), name
        assert ":role/security/" in bounded.attribute(name, "Arn")
    members = member_stack(PermissionsBoundaryArn=BOUNDARY).of_type("AWS::IAM::Role")
    assert members.keys() == {"MemberRole", "AuditRole"}
    for member in members.values():
        assert member["PermissionsBoundary"] == BOUNDARY
        # src/aws/mod.rs assumes it by its name alone.
        assert "Path" not in member
    unbounded = [stack.of_type("AWS::IAM::Role").values() for stack in (main_stack(**EVERYTHING), member_stack())]
    for role in (role for found in unbounded for role in found):
        assert "PermissionsBoundary" not in role
        assert role.get("Path", "/") == "/"


# Security Hub's custom action ---------------------------------------------------------------------------------------


def test_the_custom_action_is_the_one_that_the_rule_waits_for(stack: Stack) -> None:
    action = stack.properties("ResetPasswordAction")
    pattern = document(stack.properties("FunctionSelectedFindings")["EventPattern"])
    assert pattern["resources"] == [f"arn:aws:securityhub:us-east-1:123456789012:action/custom/{action['Id']}"]
    sample = json.loads((ROOT / "events" / "custom-action.json").read_text())
    assert sample["resources"] == pattern["resources"]
    # Security Hub's limits.
    assert re.fullmatch(r"[A-Za-z0-9]{1,20}", action["Id"])
    assert len(action["Name"]) <= 20


def test_cloudformation_is_asked_for_the_custom_action_only_where_it_knows_it() -> None:
    [_, regions] = load(TEMPLATE)["Conditions"]["CreatesCustomAction"]["Fn::And"]
    listed = {region["Fn::Equals"][1] for region in regions["Fn::Or"]}
    ours = [region for region in REGIONS if not region.startswith(("us-iso", "eu-iso", "eusc"))]
    known = {
        region
        for region in ours
        if "AWS::SecurityHub::ActionTarget" in PROVIDER_SCHEMA_MANAGER.get_resource_types(region)
    }
    assert listed == known
    assert "ResetPasswordAction" not in main_stack("aws-cn", CustomAction="create").resources


# The text itself -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [TEMPLATE, MEMBER_ROLE], ids=lambda path: path.name)
def test_no_partition_region_or_account_is_written_down(path: Any) -> None:
    text = path.read_text()
    assert not re.findall(r"arn:aws:", text)
    assert not re.findall(r"\b\d{12}\b", text)


@pytest.mark.parametrize("partition", PLACES)
def test_every_arn_is_of_the_partition_it_is_deployed_to(partition: str) -> None:
    stack = main_stack(partition, **EVERYTHING)
    found = set(re.findall(r"arn:([a-z-]+):", json.dumps(stack.resources)))
    assert found == {partition}


def test_queues_and_the_users_topic_are_reached_over_tls_only(stack: Stack) -> None:
    for name in ("JobsPolicy", "AuditJobsPolicy", "DeadLettersPolicy", "NotificationTopicPolicy"):
        parts = statements(stack.properties(name)["PolicyDocument"])
        denied = [part for part in parts if part.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}]
        assert [(part["Effect"], part["Principal"]) for part in denied] == [("Deny", "*")], name
