"""Ctrl-C, SIGTERM and a closed terminal: heard in one way, by every command."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts.cli.main import main
from hosts.signals import (
    STOPPING,
    cancelled_by_interrupts,
    exit_status,
    interrupts_noted,
    interrupts_raised,
    interrupts_told,
)
from tests.unit.cli.test_main import MadeUp


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    """See to it that each test leaves the handlers as they were."""
    before = [signal.getsignal(number) for number in STOPPING]
    yield
    assert [signal.getsignal(number) for number in STOPPING] == before


@pytest.mark.parametrize("number", STOPPING)
def test_each_raises_keyboard_interrupt_and_has_its_status(number: signal.Signals) -> None:
    """128 and the signal's number, as a shell has it."""
    with pytest.raises(KeyboardInterrupt), interrupts_raised():
        signal.raise_signal(number)
    assert exit_status() == 128 + number


def test_what_is_passed_over_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in a destructor is lost: it is noted, and nothing is printed of it."""
    printed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", printed.append)

    class Dying:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with interrupts_raised() as interrupt:
        dying: Dying | None = Dying()
        assert dying is not None
        dying = None
    assert interrupt.noted
    assert printed == []
    assert sys.unraisablehook == printed.append


def test_sigterm_sent_twice_is_one_and_ctrl_c_again_is_not() -> None:
    """The command ``timeout`` sends its signal to its child and to its group; who presses Ctrl-C again is in haste."""
    told: list[int] = []
    with interrupts_told(lambda: told.append(1)):
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGHUP, signal.SIGHUP):
            signal.raise_signal(number)
        assert len(told) == 2
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert len(told) == 4
    assert exit_status() == 143
    with interrupts_told(lambda: told.append(1)):  # another command
        signal.raise_signal(signal.SIGTERM)
    assert len(told) == 5


def test_cancelling_is_asked_for_once_and_ctrl_c_again_is_not_waited_for() -> None:
    """The first one cancels; a second SIGTERM does nothing, a Ctrl-C then interrupts."""
    told: list[int] = []
    with cancelled_by_interrupts(lambda: told.append(1)):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert told == [1]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert told == [1]


def test_what_is_ignored_stays_ignored() -> None:
    """As nohup has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts_raised(), interrupts_noted() as interrupt:
            signal.raise_signal(signal.SIGHUP)
        assert not interrupt.noted
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_would_raise_is_noted_and_what_would_end_the_process_still_does() -> None:
    """A worker process, which has no handler for SIGTERM, is ended by it."""
    with interrupts_noted() as interrupt:
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        signal.raise_signal(signal.SIGINT)
    assert interrupt.noted
    with interrupts_raised(), interrupts_noted() as interrupt:
        signal.raise_signal(signal.SIGTERM)
    assert interrupt.noted


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_every_command_hears_them(
    number: signal.Signals, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From its beginning; one line, and the status that the shell expects."""
    monkeypatch.setattr("hosts.cli.listing.listing", lambda *_: signal.raise_signal(number))
    assert main(["list"]) == status
    by = "" if number == signal.SIGINT else f" by {number.name}"
    assert capsys.readouterr().err.strip() == f"pirace: interrupted{by}"


def test_stress_ended_by_timeout_has_a_record_for_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM, twice, in the second run: rows so far, the others cancelled, exit status 143."""

    def end(number: int) -> None:
        if number == 1:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("hosts.cli.stress.native_host", MadeUp(end))
    path = tmp_path / "out.jsonl"
    assert main(["stress", "--scenario", "timer-slowpath", "--controls", "none", "--json", str(path)]) == 143
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record.get("verdict") for record in records[1:]] == ["PASS", "PASS", "CANCELLED", "CANCELLED"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "4 of 4 rows: 2 PASS, 2 not begun; none against the table"
    assert not [line for line in lines if "CANCELLED" in line]  # a line for each would hide those that there are


HANGING_UP = """
import fcntl, sys, termios, time
fcntl.ioctl(1, termios.TIOCSCTTY, 0)
from hosts.cli.streams import streams_that_may_fail
from hosts.signals import interrupts_told
told = []
with streams_that_may_fail(), interrupts_told(lambda: told.append(1)):
    print("up", flush=True)
    while not told:
        time.sleep(0.01)
    print("rows so far", flush=True)
    open(sys.argv[1], "w").write("records")
"""


def test_a_closed_terminal_lets_the_command_end_in_order(tmp_path: Path) -> None:
    """What is printed then goes nowhere; the files are written."""
    ours, its = pty.openpty()
    path = tmp_path / "records"
    with subprocess.Popen(
        [sys.executable, "-c", HANGING_UP, str(path)], stdin=its, stdout=its, stderr=its, start_new_session=True
    ) as process:
        os.close(its)
        assert os.read(ours, 100).strip() == b"up"
        os.close(ours)
        assert process.wait(60) == 0
    assert path.read_text() == "records"
