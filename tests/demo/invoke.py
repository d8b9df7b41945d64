"""One event through the local function, against the stand-in for AWS: the answer, what changed, the log.

    .venv/bin/python tests/demo/invoke.py events/password-age-imported.json
    .venv/bin/python tests/demo/invoke.py --serve

Exits with 1 when the function answers with an error. With `--serve` it keeps running, for clients of one's own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, NoReturn

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from demo.account import AGES, FUNCTION, assumed, environment, fill, find_binary, password_policy  # noqa: E402
from demo.terminal import Terminal, show_finding_updates, show_message, show_secrets  # noqa: E402
from standin.client import Standin  # noqa: E402
from standin.runtime import FunctionHost, function_host  # noqa: E402

_LOG_POLL_SECONDS = 0.3


def invoke(aws: Standin, function: FunctionHost, event: Any, answer: Path | None = None) -> bool:
    """Sends the event and shows what comes of it. Whether the function answered without an error."""
    out = Terminal()
    secrets_before, policy_before = aws.secrets(), password_policy(aws)
    invocation = function.invoke(event)
    if answer:
        answer.parent.mkdir(parents=True, exist_ok=True)
        # As Lambda would hand it out: an error takes the answer's place.
        answer.write_text(json.dumps(invocation.result if invocation.error is None else invocation.error) + "\n")
    out.heading("The answer" if invocation.error is None else "The function's error")
    out.json(invocation.result if invocation.error is None else _readable(invocation.error))
    out.heading("What changed")
    policy = password_policy(aws)
    changed = [name for name in policy if policy[name] != policy_before[name]]
    settings = {name: f"{policy_before[name]} -> {policy[name]}" for name in changed}
    if settings:
        out.title("Password policy")
        out.facts(settings)
    secrets = [secret for secret in aws.secrets() if secret not in secrets_before]
    show_secrets(out, secrets)
    messages = aws.messages()
    shown = set()
    for message in messages:
        kind = message["attributes"]["kind"]
        show_message(out, message, in_full=kind not in shown)
        shown.add(kind)
    updates = aws.finding_updates()
    show_finding_updates(out, updates)
    if not (settings or secrets or messages or updates):
        out.line("  nothing")
    out.heading("The function's log")
    out.line(invocation.log.rstrip())
    return invocation.error is None


def serve(aws: Standin, function: FunctionHost, binary: Path) -> NoReturn:
    """Keeps both running and shows the function's log, until Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    out = Terminal()
    address, port = function.endpoint_url.removeprefix("http://").split(":")
    out.heading(f"{FUNCTION} is ready", f"{binary}, with {', '.join(AGES)} in the account. Ctrl-C ends it.")
    out.title("With the AWS CLI (any credentials will do)")
    out.line(
        f"    AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any aws lambda invoke --endpoint-url {function.endpoint_url}"
        f" --region us-east-1 --function-name {FUNCTION}"
        " --payload fileb://events/password-age-imported.json /dev/stdout"
    )
    out.title("With cargo-lambda (.venv/bin has it)")
    out.line(
        f"    cargo lambda invoke {FUNCTION} --invoke-address {address} --invoke-port {port} "
        "--data-file events/password-age-imported.json"
    )
    out.title("What the stand-in knows, passwords included (tests/standin/README.md)")
    out.line(f"    curl {aws.url}/_standin/secrets")
    out.heading("The function's log")
    shown = 0
    while True:
        log = function.log()
        sys.stdout.write(log[shown:])
        sys.stdout.flush()
        shown = len(log)
        time.sleep(_LOG_POLL_SECONDS)


def _readable(error: dict[str, Any]) -> dict[str, Any]:
    """The message of a failure is the answer as JSON; indented it can be read."""
    try:
        return {**error, "errorMessage": json.loads(error["errorMessage"])}
    except ValueError:
        return error


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Reads the arguments, sets the stage, ends with the shell's status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("event", nargs="?", type=Path, help="a file with the event, such as those in events/")
    parser.add_argument("--binary", help="the function's binary; the one that was built last if left out")
    parser.add_argument("--answer", type=Path, help="a file that gets the answer", metavar="FILE")
    parser.add_argument("--serve", action="store_true", help="keep the function running for other clients")
    arguments = parser.parse_args()
    if arguments.serve == bool(arguments.event):
        parser.error("name an event, or say --serve")
    event = None
    if arguments.event:
        try:
            event = json.loads(arguments.event.read_bytes())
        except (OSError, ValueError) as error:
            parser.error(f"{arguments.event} is no event: {error}")
    binary = find_binary(arguments.binary)
    variables = environment() | (assumed(arguments.event) if arguments.event else {})
    with Standin.start() as aws, TemporaryDirectory(prefix="binary-") as directory:
        fill(aws)
        # No build can write to a file that runs, and `make invoke` builds while `make serve` runs.
        running = shutil.copy2(binary, directory)
        with function_host("emulator", running, endpoint_url=aws.url, environment=variables) as function:
            try:
                if arguments.serve:
                    serve(aws, function, binary)
                is_well = invoke(aws, function, event, arguments.answer)
            except KeyboardInterrupt:
                is_well = True
    if not is_well:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
