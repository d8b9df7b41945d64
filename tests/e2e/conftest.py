"""One stand-in for the session, emptied for each test; worlds that end with their test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from demo.account import ROOT, find_binary  # noqa: E402
from recorder import Recorder  # noqa: E402
from standin.client import Standin  # noqa: E402
from world import World  # noqa: E402


@pytest.fixture(scope="session")
def binary() -> Path:
    """The function's binary: `BINARY`, else the one that was built."""
    return find_binary()


@pytest.fixture(scope="session")
def session_standin() -> Iterator[Standin]:
    with Standin.start() as aws:
        yield aws


@pytest.fixture(scope="session")
def recorder() -> Recorder:
    return Recorder(ROOT / "target" / "recorded-calls.jsonl")


@pytest.fixture
def aws(session_standin: Standin, recorder: Recorder) -> Iterator[Standin]:
    """An empty AWS in which every call is checked for locking someone out."""
    session_standin.reset()
    session_standin.settings(watch=True)
    yield session_standin
    recorder.take(session_standin)


@pytest.fixture
def world(aws: Standin, binary: Path) -> Iterator[Callable[..., World]]:
    """Makes worlds."""
    worlds: list[World] = []

    def make(**options: Any) -> World:
        worlds.append(World(aws, binary, **options))
        return worlds[-1]

    yield make
    with ThreadPoolExecutor(8) as closing:
        list(closing.map(World.close, worlds))
