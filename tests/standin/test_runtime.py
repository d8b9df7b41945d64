"""The two Lambda hosts, with a function that does what its event says."""

from __future__ import annotations

import shutil
import sys
import time
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from standin.runtime import FunctionHost, Invocation, function_host

_OBEDIENT_FUNCTION = """
import http.client, json, os, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/" + path, json.dumps(body) if body else None)
    reply = api.getresponse()
    return reply.headers, reply.read(), reply.status
if "REFUSE" in os.environ:
    call("POST", "init/error", {"errorType": "BadConfig", "errorMessage": os.environ["REFUSE"]})
    sys.exit(1)
print("cold start", flush=True)
while True:
    headers, body, _ = call("GET", "invocation/next")
    event, request = json.loads(body), headers["lambda-runtime-aws-request-id"]
    print("event", event, flush=True)
    began = time.time()
    time.sleep(event.get("sleep", 0))
    if "exit" in event:
        os._exit(event["exit"])
    if "error" in event:
        call("POST", f"invocation/{request}/error", {"errorType": event["error"], "errorMessage": "as told"})
    else:
        answer = {"pid": os.getpid(), "worked": [began, time.time()], "env": dict(os.environ), "request": request,
                  "arn": headers["lambda-runtime-invoked-function-arn"],
                  "deadline_ms": int(headers["lambda-runtime-deadline-ms"])}
        call("POST", f"invocation/{request}/response", answer)
"""
_KINDS = ["builtin"] + (["emulator"] if shutil.which("cargo") else [])


class HostsTest(unittest.TestCase):
    def host(self, kind: str = "builtin", **options: Any) -> FunctionHost:
        host = function_host(kind, [sys.executable, "-c", _OBEDIENT_FUNCTION], **options)
        self.addCleanup(host.stop)
        return host.start()

    def assert_error(self, invocation: Invocation, error_type: str) -> None:
        self.assertIsNone(invocation.result)
        self.assertEqual(invocation.error["errorType"], error_type, invocation)

    def test_the_function_sees_what_lambda_shows_it(self) -> None:
        for kind in _KINDS:
            with self.subTest(kind):
                host = self.host(
                    kind,
                    account_id="210987654321",
                    region="cn-north-1",
                    partition="aws-cn",
                    timeout_seconds=30,
                    environment={"MODE": "dry-run"},
                    endpoint_url="http://127.0.0.1:1",
                )
                before = time.time()
                invocation = host.invoke({"n": 1})
                self.assertIsNone(invocation.error)
                seen = invocation.result
                self.assertEqual(
                    seen["arn"], "arn:aws-cn:lambda:cn-north-1:210987654321:function:iam-password-remediator"
                )
                self.assertAlmostEqual(seen["deadline_ms"] / 1000, before + 30, delta=5)
                self.assertEqual(seen["request"], invocation.request_id)
                environment = seen["env"]
                self.assertEqual(
                    [environment[name] for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "MODE")],
                    ["cn-north-1", "210987654321", "http://127.0.0.1:1", "dry-run"],
                )
                self.assertNotIn("HOME", environment)
                self.assertEqual(invocation.log, "event {'n': 1}\n")
                self.assertTrue(host.log().startswith("cold start\n"))

    def test_errors_are_told_apart_from_results(self) -> None:
        for kind in _KINDS:
            with self.subTest(kind):
                invocation = self.host(kind).invoke({"error": "RemediationFailed"})
                self.assert_error(invocation, "RemediationFailed")
                self.assertEqual(invocation.error["errorMessage"], "as told")

    def test_processes_work_side_by_side(self) -> None:
        for kind in _KINDS:
            with self.subTest(kind):
                host = self.host(kind, processes=2)
                host.invoke({})
                futures = [host.submit({"sleep": 0.5, "n": n}) for n in range(2)]
                first, second = (future.result().result for future in futures)
                self.assertNotEqual(first["pid"], second["pid"])
                self.assertLess(
                    max(first["worked"][0], second["worked"][0]), min(first["worked"][1], second["worked"][1])
                )

    def test_a_killed_process_fails_its_invocation_and_a_new_one_takes_over(self) -> None:
        for kind in _KINDS:
            with self.subTest(kind):
                host = self.host(kind)
                future = host.submit({"sleep": 30})
                while "event" not in host.log():
                    time.sleep(0.01)
                host.kill()
                self.assert_error(future.result(timeout=5), "Runtime.ExitError")
                self.assert_error(host.invoke({}), "Runtime.ExitError")
                host.restart()
                self.assertIsNone(host.invoke({"n": 2}).error)
                self.assert_error(host.invoke({"exit": 7}), "Runtime.ExitError")

    def test_an_idle_process_that_is_killed_takes_no_event_with_it(self) -> None:
        for kind in _KINDS:
            with self.subTest(kind):
                host = self.host(kind)
                host.invoke({})
                time.sleep(0.1)
                host.restart()
                self.assertIsNone(host.submit({"n": 1}).result(timeout=5).error)

    def test_an_invocation_that_takes_too_long_ends_the_process(self) -> None:
        for kind in _KINDS:
            with self.subTest(kind):
                host = self.host(kind, timeout_seconds=0.5)
                self.assert_error(host.submit({"sleep": 30}).result(timeout=5), "Sandbox.Timedout")
                self.assert_error(host.invoke({}), "Runtime.ExitError")

    def test_a_function_that_does_not_start_says_why(self) -> None:
        for kind in _KINDS:
            with self.subTest(kind):
                invocation = self.host(kind, environment={"REFUSE": "MODE is wrong"}).invoke({})
                self.assert_error(invocation, "BadConfig")
                self.assertEqual(invocation.error["errorMessage"], "MODE is wrong")

    def test_an_event_can_be_delivered_again_with_its_request_id(self) -> None:
        host = self.host()
        for invocation in [host.invoke({}, request_id="again", deadline_ms=5) for _ in range(2)]:
            seen = invocation.result
            self.assertEqual((seen["request"], seen["deadline_ms"]), ("again", 5))

    def test_the_emulator_says_what_it_cannot_do(self) -> None:
        if "emulator" not in _KINDS:
            self.skipTest("the emulator needs cargo")
        with self.assertRaises(ValueError):
            self.host("emulator").submit({}, request_id="mine")


if __name__ == "__main__":
    unittest.main()
