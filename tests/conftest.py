"""What tests of several folders need, and the choice between the fast tests and all of them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# A shell script's background jobs ignore Ctrl-C, and nohup's SIGHUP; so would whatever the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
for each in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, signal.SIG_DFL)
# What commands print must not depend on a terminal: in a worker of pytest-xdist there is this variable, and says 80.
os.environ.pop("COLUMNS", None)
# Hundreds of commands are started, each of which would compile the project's modules if no bytecode were kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

TESTS = Path(__file__).parent
ALONE = (
    "conformance/test_store_buffering.py",
    "harness/test_beside_strangers.py",
    "harness/test_forkserver_killed.py",
    "harness/test_soak_kills.py",
    "harness/test_soak_leaks.py",
    "harness/test_soak_strangers.py",
    "race",
    "soak/test_affinity.py",
    "soak/test_canaries.py",
)
"""Files and folders whose tests need both processors, or a process to themselves: nothing else runs beside them."""
LEFT_OUT = pytest.StashKey[int]()
"""How many slow tests were not selected."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that selects the slow tests, too."""
    parser.addoption("--all", action="store_true", dest="all_tests", help="run the slow tests, too")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the files unread of which -m wants no test."""
    wanted = config.getoption("markexpr")
    if wanted not in ("alone", "not alone") or collection_path.suffix != ".py":
        return None
    return (wanted == "alone") != _is_alone(collection_path) or None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test as one that needs the machine to itself, by its file."""
    if _is_alone(item.path):
        item.add_marker("alone")


def _is_alone(file: Path) -> bool:
    return any(file.is_relative_to(TESTS / each) for each in ALONE)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests out, unless all are asked for, -m speaks of them, or they are named by their ids."""
    if config.getoption("all_tests") or "slow" in config.getoption("markexpr"):
        return
    named = [_named(config, argument) for argument in config.args if "::" in argument]
    slow = [item for item in items if item.get_closest_marker("slow") and not item.nodeid.startswith(tuple(named))]
    if slow:
        left_out = set(slow)
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=slow)
        config.stash[LEFT_OUT] = len(slow)


def _named(config: pytest.Config, argument: str) -> str:
    """Return how the node ids begin that an argument names, which is relative to where pytest was started."""
    path, _, name = argument.partition("::")
    return f"{(config.invocation_params.dir / path).relative_to(config.rootpath)}::{name}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a worker of pytest-xdist report to its controller, which collects nothing itself."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = session.config.stash.get(LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Note what a worker of pytest-xdist has left out: each of them collects all tests."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Print in the last line what was left out."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    left_out = config.stash.get(LEFT_OUT, 0)
    if left_out and reporter is not None:
        tests = "slow test was" if left_out == 1 else "slow tests were"
        reporter.write_line(f"{left_out} {tests} left out: --all runs them, too (everything: ./scripts/test --all)")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder from which packages are imported, and forget them afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.startswith("protocol"):
            del sys.modules[name]
