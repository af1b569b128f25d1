"""Times, sizes and counts on the command line: finite, above zero and within reason, on every command alike."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from bench.__main__ import parser

from emu.machine import MAX_PCPUS
from hosts.cli.commands.numbers import MOST_PCPUS, bytes_of, seconds_of
from hosts.cli.main import cli, main

NO_NUMBERS = ("nan", "inf", "-inf", "1e400", "9" * 400, "-1", "0", "0s", "soon", "")
NUMBERS = ("TIME", "SIZE", "N")


def numbered(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Name every option that takes a time, a size or a count, with the command that it belongs to."""
    for option in command.params:
        if isinstance(option, click.Option) and option.metavar in NUMBERS:
            yield path, option.opts[0]
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from numbered(child, (*path, name))


OPTIONS = sorted(set(numbered()))


def test_the_options_are_found() -> None:
    """Those of old and new."""
    assert {(("stress",), "--seconds"), (("explore",), "--memory"), (("soak",), "--for")} <= set(OPTIONS)
    assert len(OPTIONS) >= 13


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_no_number_is_refused_before_anything_is_run(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...], option: str
) -> None:
    """With exit status 64, the option's name and what is right."""
    for text in NO_NUMBERS:
        assert main([*command, option, text]) == 64
        assert f"Invalid value for '{option}'" in capsys.readouterr().err, text


@pytest.mark.parametrize("command", [("soak", "show"), ("repro",)])
def test_a_run_has_a_number_that_a_campaign_can_hold(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    """Not one that its file takes for none."""
    assert main([*command, str(1 << 63)]) == 64
    assert "Invalid value for 'ID'" in capsys.readouterr().err


def test_a_machine_has_as_many_pcpus_as_the_command_line_says() -> None:
    """--help loads no machine, and names the number by itself."""
    assert MOST_PCPUS == MAX_PCPUS


def test_times_and_sizes_with_their_units() -> None:
    """As people write them."""
    times = {"60s": 60.0, "5m": 300.0, "1h": 3600.0, "2d": 172800.0, "90": 90.0, "0.5s": 0.5, "1e1": 10.0, ".5": 0.5}
    assert {text: seconds_of(text) for text in times} == times
    sizes = {"4GB": 4 * 10**9, "500MB": 5 * 10**8, "2GiB": 2 << 30, "1000": 1000, "1k": 1000, "1T": 10**12}
    assert {text: bytes_of(text) for text in sizes} == sizes
    for text in ("s", "1w", "1.2.3", "1e", "1_000", "2hd", "1001d"):
        with pytest.raises(ValueError, match=text):
            seconds_of(text)
    for text in ("0.4", "MB", "2PB", "1e16"):
        with pytest.raises(ValueError, match=text):
            bytes_of(text)


@pytest.mark.parametrize("text", ["nan", "inf", "1e400", "-1", "0"])
def test_benchmarks_refuse_them_too(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Minutes and repeats."""
    for option in ("--minutes", "--repeats", "--seed"):
        with pytest.raises(SystemExit):
            parser().parse_args(["kills", f"{option}={text}"])
        assert option in capsys.readouterr().err
    assert math.isclose(parser().parse_args(["kills", "--minutes", "0.5"]).minutes, 0.5)


def test_the_naive_loop_refuses_them_too() -> None:
    """It is a file of its own."""
    loop = Path(__file__).parents[3] / "scripts" / "bench" / "naive_loop.py"
    done = subprocess.run([sys.executable, loop, "--seconds", "inf"], capture_output=True, text=True, check=False)
    assert (done.returncode, "inf: not a finite number above zero" in done.stderr) == (2, True)
