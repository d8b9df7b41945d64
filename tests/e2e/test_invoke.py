"""`make serve` and `make invoke`, side by side."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo.account import ACCOUNT_ID, AGES, EVENTS, ROOT


@pytest.fixture
def served(binary: Path, tmp_path: Path) -> Iterator[Path]:
    """A binary that `make serve` runs."""
    built = Path(shutil.copy2(binary, tmp_path / "bootstrap"))
    command = [sys.executable, ROOT / "tests/demo/invoke.py", "--binary", built, "--serve"]
    variables = {**os.environ, "PYTHONUNBUFFERED": "1"}
    serving = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)
    assert any("is ready" in line for line in serving.stdout)
    yield built
    serving.send_signal(signal.SIGINT)
    serving.communicate()
    assert serving.returncode == 0


def test_a_build_can_write_the_binary_while_it_is_served(served: Path) -> None:
    with served.open("r+b"):
        pass


def test_the_answer_of_an_audit_is_kept_for_the_report(binary: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "answers.jsonl"
    command = [sys.executable, ROOT / "tests/demo/invoke.py", "--binary", binary, "--answer", kept]
    subprocess.run([*command, EVENTS / "audit-dry-run.json"], check=True, capture_output=True)
    (line,) = kept.read_text().splitlines()
    (account,) = json.loads(line)["accounts"]
    assert account["account_id"] == ACCOUNT_ID
    assert {user["user_name"]: user["password_age_days"] for user in account["users"]} == AGES
