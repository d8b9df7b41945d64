"""Runs the function's binary as Lambda does, without Docker: a Runtime API on loopback and the binary beside it.

Two hosts with one interface; `function_host` chooses:

* `LambdaEmulator`: cargo-lambda's emulator, an independent implementation of the Runtime API. A proxy in front of it
  mends two headers: the function ARN, which the emulator sets to `function-arn`, and the deadline, which it sets to
  a moment in 1970.
* `RuntimeApi`: a few lines of Python, where a test sets the request id (and so delivers an event again) and the
  deadline of a single invocation.

Each process of the function has a Runtime API listener of its own, so that it is known which process has which event.
Processes end with the host: by `stop`, at exit, and, when this process is killed, because their listener is gone.
"""

from __future__ import annotations

import atexit
import contextlib
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .sockets import is_open

_API = "/2018-06-01/runtime/"
_LOOPBACK = "127.0.0.1"
_POLL_SECONDS = 0.05
_EMULATOR_START_SECONDS = 30
_EMULATOR_CONCURRENCY = 64


@dataclass(frozen=True)
class Invocation:
    """What came of one event: `result`, or `error` with `errorType` and `errorMessage`."""

    result: Any
    error: dict[str, Any] | None
    log: str
    request_id: str | None
    duration_ms: float


@dataclass(eq=False)
class _Pending:
    """An event on its way."""

    payload: bytes
    request_id: str | None = None
    deadline_ms: int | None = None
    future: Future[Invocation] = field(default_factory=Future)
    submitted: float = field(default_factory=time.monotonic)
    process: _Process | None = None
    log_start: int = 0
    # Set before the process is ended for it: what to answer instead of the plain exit.
    failure: dict[str, Any] | None = None
    timer: threading.Timer | None = None


class _Process:
    """One process of the function, its listener and its log."""

    def __init__(self, host: FunctionHost, command: Sequence[str], environment: Mapping[str, str], log: Path):
        self.in_flight: _Pending | None = None
        self.init_error: dict[str, Any] | None = None
        self.log = log
        self.listener = _Listener(host, self)
        threading.Thread(target=self.listener.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()
        with log.open("ab") as sink:
            self.popen = subprocess.Popen(
                command,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": f"{_LOOPBACK}:{self.listener.server_address[1]}"},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watcher = threading.Thread(target=self._watch, args=(host,), daemon=True)
        self._watcher.start()

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self.popen.poll() is None

    def end(self) -> None:
        """SIGKILL to it and its children; returns when its events have been answered for it."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
        self._watcher.join()

    def _watch(self, host: FunctionHost) -> None:
        self.popen.wait()
        host._on_exit(self)
        self.listener.shutdown()
        self.listener.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: FunctionHost, process: _Process):
        self.host, self.process = host, process
        super().__init__((_LOOPBACK, 0), _RuntimeHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A function that is killed takes its connection along; anything else deserves a traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _RuntimeHandler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path != f"{_API}invocation/next":
            self._send(404, {}, b"")
            return
        event = self.server.host._next(self.server.process, self.connection)
        if event is None:
            self.close_connection = True
        else:
            self._send(200, *event)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        host, process = self.server.host, self.server.process
        parts = self.path.removeprefix(_API).split("/")
        if parts == ["init", "error"]:
            process.init_error = json.loads(body)
            self._send(202, {}, b"")
        elif len(parts) == 3 and parts[0] == "invocation" and parts[2] in ("response", "error"):
            # The kind of answer and the headers matter to the emulator only.
            status = host._answer(process, parts[1], parts[2], body, dict(self.headers.items()))
            self._send(status, {}, b"")
        else:
            self._send(404, {}, b"")

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what matters is in the function's log."""


class FunctionHost(ABC):
    """What both hosts share: processes, environment, timeouts, crashes, logs."""

    def __init__(
        self,
        bootstrap: str | Path | Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        endpoint_url: str | None = None,
        account_id: str = "123456789012",
        region: str = "us-east-1",
        partition: str = "aws",
        function_name: str = "iam-password-remediator",
        timeout_seconds: float = 60,
        processes: int = 1,
    ):
        self._command = [str(bootstrap)] if isinstance(bootstrap, (str, Path)) else list(bootstrap)
        self.function_name = function_name
        self.function_arn = f"arn:{partition}:lambda:{region}:{account_id}:function:{function_name}"
        self.timeout_seconds = timeout_seconds
        self._process_count = processes
        self._processes: list[_Process] = []
        self._changed = threading.Condition()
        # Events that no process has yet.
        self._undelivered: list[_Pending] = []
        self._directory = tempfile.TemporaryDirectory(prefix="function-")
        # Nothing of the caller's environment but PATH: what the function sees is what Lambda gives it.
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "TZ": ":UTC",
            "LANG": "en_US.UTF-8",
            "_HANDLER": "bootstrap",
            "LAMBDA_TASK_ROOT": self._directory.name,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            # The stand-in takes twelve digits for an account's own credentials.
            "AWS_ACCESS_KEY_ID": account_id,
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_SESSION_TOKEN": "none",
            "AWS_LAMBDA_FUNCTION_NAME": function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function_name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]local",
            **({"AWS_ENDPOINT_URL": endpoint_url} if endpoint_url else {}),
            **(environment or {}),
        }

    def start(self) -> FunctionHost:
        """Starts the Runtime API and the processes."""
        atexit.register(self.stop)
        for _ in range(self._process_count):
            self._processes.append(self._spawn(len(self._processes)))
        return self

    def stop(self) -> None:
        """Kills all processes and waits for them. May be called twice."""
        atexit.unregister(self.stop)
        for process in self._processes:
            process.end()
        self._directory.cleanup()

    def __enter__(self) -> FunctionHost:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kill(self, index: int = 0) -> None:
        """`kill -9`. Its invocation ends with `Runtime.ExitError`, as on Lambda."""
        self._processes[index].end()

    def restart(self, index: int = 0) -> None:
        """A fresh process (a cold start) in place of a killed or living one."""
        self.kill(index)
        self._processes[index] = self._spawn(index)

    def pid(self, index: int = 0) -> int:
        """The process's id: what `/proc` knows it by."""
        return self._processes[index].popen.pid

    def invoke(self, event: Any, **delivery: Any) -> Invocation:
        """Sends an event (anything JSON, or bytes as they are) and waits for what comes of it."""
        return self.submit(event, **delivery).result()

    def submit(
        self,
        event: Any,
        *,
        request_id: str | None = None,
        deadline_ms: int | None = None,
    ) -> Future[Invocation]:
        """Sends an event and does not wait. The keywords are for `RuntimeApi` only; deadline in Unix milliseconds."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        pending = _Pending(payload, request_id, deadline_ms)
        with self._changed:
            self._undelivered.append(pending)
            self._send(pending)
            self._changed.notify_all()
        self._fail_without_processes(self._processes[-1])
        return pending.future

    def log(self) -> str:
        """All that the processes have written so far."""
        logs = {process.log: None for process in self._processes}
        return "".join(log.read_text(errors="replace") for log in logs)

    @abstractmethod
    def _send(self, pending: _Pending) -> None:
        """Puts an event on its way."""

    @abstractmethod
    def _next(self, process: _Process, connection: socket.socket) -> tuple[dict[str, str], bytes] | None:
        """The next event for `process`, with its headers; `None` when it is gone."""

    @abstractmethod
    def _answer(self, process: _Process, request_id: str, kind: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The function's answer to an event; the HTTP status it gets for it."""

    def _spawn(self, index: int) -> _Process:
        log = Path(self._directory.name) / f"process-{index}.log"
        return _Process(self, self._command, self._environment, log)

    def _deliver(self, pending: _Pending, process: _Process) -> None:
        """`process` has the event now; its time runs."""
        self._undelivered.remove(pending)
        pending.process = process
        pending.log_start = process.log.stat().st_size
        process.in_flight = pending
        pending.timer = threading.Timer(self.timeout_seconds, self._time_out, (pending,))
        pending.timer.daemon = True
        pending.timer.start()

    def _finish(self, pending: _Pending, result: Any, error: dict[str, Any] | None) -> None:
        with self._changed:
            if pending.future.done():
                return
            if pending.timer:
                pending.timer.cancel()
            if pending in self._undelivered:
                self._undelivered.remove(pending)
            log = ""
            if pending.process:
                log = pending.process.log.read_bytes()[pending.log_start :].decode(errors="replace")
                pending.process.in_flight = None
            duration_ms = round((time.monotonic() - pending.submitted) * 1000, 1)
            pending.future.set_result(Invocation(result, error, log, pending.request_id, duration_ms))

    def _time_out(self, pending: _Pending) -> None:
        with self._changed:
            if pending.future.done():
                return
            message = f"Task timed out after {self.timeout_seconds:.2f} seconds"
            pending.failure = {"errorType": "Sandbox.Timedout", "errorMessage": message}
        # Lambda ends the environment of an invocation that took too long.
        pending.process.end()

    def _on_exit(self, process: _Process) -> None:
        pending = process.in_flight
        if pending:
            self._finish(pending, None, pending.failure or self._exit_error(process))
        self._fail_without_processes(process)

    def _fail_without_processes(self, last: _Process) -> None:
        """Events wait for a free process, but not for one that a test has yet to start."""
        with self._changed:
            if any(process.alive for process in self._processes):
                return
            for pending in list(self._undelivered):
                self._finish(pending, None, self._exit_error(last))

    @staticmethod
    def _exit_error(process: _Process) -> dict[str, Any]:
        status = process.popen.returncode
        ending = f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status: {status}"
        return process.init_error or {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"Runtime exited with error: {ending}",
        }


class RuntimeApi(FunctionHost):
    """The Runtime API itself: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""

    def _send(self, pending: _Pending) -> None:
        pending.request_id = pending.request_id or str(uuid.uuid4())

    def _next(self, process: _Process, connection: socket.socket) -> tuple[dict[str, str], bytes] | None:
        with self._changed:
            while not self._undelivered:
                self._changed.wait(_POLL_SECONDS)
                if not is_open(connection):
                    return None
            pending = self._undelivered[0]
            self._deliver(pending, process)
        deadline_ms = pending.deadline_ms or int((time.time() + self.timeout_seconds) * 1000)
        return {
            "Lambda-Runtime-Aws-Request-Id": pending.request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }, pending.payload

    def _answer(self, process: _Process, request_id: str, kind: str, body: bytes, headers: Mapping[str, str]) -> int:
        pending = process.in_flight
        if pending is None or pending.request_id != request_id:
            return 403
        answer = json.loads(body)
        self._finish(pending, *((answer, None) if kind == "response" else (None, answer)))
        return 202


class LambdaEmulator(FunctionHost):
    """cargo-lambda's emulator behind a proxy that mends its headers."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        beside = Path(sys.executable).with_name("cargo-lambda")
        self._cargo_lambda = str(beside if beside.exists() else shutil.which("cargo-lambda"))
        self._emulator: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self) -> FunctionHost:
        """Also starts the emulator. It wants a Cargo package to look at, and gets an empty one of its own."""
        package = Path(self._directory.name) / "package"
        (package / "src").mkdir(parents=True)
        (package / "src" / "main.rs").write_text("fn main() {}\n")
        (package / "Cargo.toml").write_text(
            f'[package]\nname = "{self.function_name}"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n'
        )
        self._port = _free_port()
        command = [
            self._cargo_lambda,
            "lambda",
            "watch",
            "--only-lambda-apis",
            "--quiet",
            "--disable-cors",
            "--invoke-address",
            _LOOPBACK,
            "--invoke-port",
            str(self._port),
            "--concurrency",
            str(_EMULATOR_CONCURRENCY),
        ]
        log = Path(self._directory.name) / "emulator.log"
        # The shell ends the emulator when its standard input closes, so even if this process is killed.
        guard = '"$@" </dev/null & child=$!; cat >/dev/null; kill $child; wait $child'
        with log.open("wb") as sink:
            self._emulator = subprocess.Popen(
                ["sh", "-c", guard, "sh", *command],
                cwd=package,
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _await_port(self._port, log)
        except RuntimeError:
            self.stop()
            raise
        return super().start()

    def stop(self) -> None:
        """Also ends the emulator."""
        for process in self._processes:
            process.end()
        if self._emulator:
            self._emulator.stdin.close()
            self._emulator.wait()
            self._emulator = None
        super().stop()

    @property
    def endpoint_url(self) -> str:
        """Where `aws lambda invoke --endpoint-url` and `cargo lambda invoke` find the function, too."""
        return f"http://{_LOOPBACK}:{self._port}"

    def _send(self, pending: _Pending) -> None:
        if pending.request_id or pending.deadline_ms:
            self._undelivered.remove(pending)
            raise ValueError("the emulator sets request ids itself, and the deadline holds for all: use RuntimeApi")
        connection = http.client.HTTPConnection(_LOOPBACK, self._port)
        pending.future.add_done_callback(lambda _: _hang_up(connection))
        threading.Thread(target=self._exchange, args=(pending, connection), daemon=True).start()

    def _exchange(self, pending: _Pending, connection: http.client.HTTPConnection) -> None:
        path = f"/2015-03-31/functions/{self.function_name}/invocations"
        with contextlib.closing(connection):
            try:
                connection.request("POST", path, pending.payload, {"Content-Type": "application/json"})
                with connection.getresponse() as reply:
                    body = json.load(reply)
            except (OSError, http.client.HTTPException, ValueError):
                # Abandoned: the process died or took too long, and that has been answered for.
                return
        self._finish(pending, *((body, None) if reply.status == 200 else (None, body)))

    def _next(self, process: _Process, connection: socket.socket) -> tuple[dict[str, str], bytes] | None:
        upstream = http.client.HTTPConnection(_LOOPBACK, self._port)
        try:
            upstream.request("GET", self._runtime_path("invocation/next"))
            # As long as it takes. A function that goes away must take its poll along, or it swallows the next event.
            select.select([upstream.sock, connection], [], [])
            if not is_open(connection):
                return None
            reply = upstream.getresponse()
            payload = reply.read()
        finally:
            upstream.close()
        headers = {name: value for name, value in reply.getheaders() if name.lower().startswith("lambda-runtime-")}
        headers["lambda-runtime-invoked-function-arn"] = self.function_arn
        headers["lambda-runtime-deadline-ms"] = str(int((time.time() + self.timeout_seconds) * 1000))
        with self._changed:
            # The emulator does not say which invocation an event is of, but equal events are as good as each other.
            pending = next((p for p in self._undelivered if p.payload == payload), None)
            if pending:
                pending.request_id = headers["lambda-runtime-aws-request-id"]
                self._deliver(pending, process)
        return headers, payload

    def _answer(self, process: _Process, request_id: str, kind: str, body: bytes, headers: Mapping[str, str]) -> int:
        upstream = http.client.HTTPConnection(_LOOPBACK, self._port)
        passed_on = {name: value for name, value in headers.items() if name.lower() not in ("host", "connection")}
        try:
            upstream.request("POST", self._runtime_path(f"invocation/{request_id}/{kind}"), body, passed_on)
            reply = upstream.getresponse()
            reply.read()
            return reply.status
        finally:
            upstream.close()

    def _runtime_path(self, path: str) -> str:
        return f"/.rt/{self.function_name}{_API}{path}"


_HOSTS = {"builtin": RuntimeApi, "emulator": LambdaEmulator}


def function_host(kind: str, bootstrap: str | Path | Sequence[str], **options: Any) -> FunctionHost:
    """A host of the `kind` "builtin" (RuntimeApi) or "emulator" (LambdaEmulator). Use it in a `with`."""
    return _HOSTS[kind](bootstrap, **options)


def _hang_up(connection: http.client.HTTPConnection) -> None:
    """Wakes the thread that waits for an answer on it, if any; that thread closes it."""
    if connection.sock:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return probe.getsockname()[1]


def _await_port(port: int, log: Path) -> None:
    deadline = time.monotonic() + _EMULATOR_START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection((_LOOPBACK, port), timeout=1).close()
            return
        except OSError:
            time.sleep(_POLL_SECONDS)
    raise RuntimeError(f"the Lambda emulator does not listen:\n{log.read_text(errors='replace')}")
