"""The files that a command writes: opened before the work, and no failure to write hides what the work has come to."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hosts.cli.main import main
from hosts.cli.outputs import opened
from hosts.cli.records import records_to
from hosts.errors import Failure
from tests.unit.cli.test_main import MadeUp

STRESS = ["stress", "--scenario", "kick", "--controls", "none"]


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    """Have nothing raced."""
    made_up = MadeUp()
    monkeypatch.setattr("hosts.cli.stress.native_host", made_up)
    return made_up


def test_a_full_disk_hides_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """All rows are run and told; what would be exit status 0 is 3, and 2 is 2."""
    assert main([*STRESS, "--json", "/dev/full"]) == 3
    told = capsys.readouterr()
    assert told.out.endswith("4 of 4 rows: 4 PASS; none against the table\n")
    assert told.err == "pirace: --json /dev/full: No space left on device: what it has is not all\n"
    unproven = ["stress", "--scenario", "device-irq", "--policy", "skip-running-2020", "--controls", "none"]
    assert main([*unproven, "--json", "/dev/full"]) == 2
    assert "No space left" in capsys.readouterr().err


def test_a_disk_that_fills_meanwhile_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was begun of a line is taken back, and nothing comes behind the gap."""
    real, path = os.pwrite, tmp_path / "out.jsonl"
    calls = 0

    def full(fd: int, data: bytes, offset: int) -> int:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data[: len(data) // 2] if calls == 3 else data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    assert main([*STRESS, "--json", str(path)]) == 3
    assert [json.loads(line)["record"] for line in path.read_text().splitlines()] == ["environment", "result"]
    assert path.read_text().endswith("}\n")
    assert "No space left" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, host: MadeUp, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder, a path that leads nowhere, one that another run writes."""
    with records_to(str(tmp_path / "taken")) as records:
        assert records.wanted
        for path, why in [
            (tmp_path, "Is a directory"),
            (tmp_path / "no" / "where", "No such file or directory"),
            (tmp_path / "taken", "another run writes it, or it is given twice"),
        ]:
            assert main([*STRESS, "--json", str(path)]) == 64
            assert capsys.readouterr() == ("", f"pirace: --json {path}: {why}\n")
    assert not host.requests


def test_what_is_there_stays_until_there_is_something_to_write(tmp_path: Path) -> None:
    """And what was made and not used is taken away."""
    (tmp_path / "old").write_text("before\n")
    (tmp_path / "empty").touch()
    for name in ("old", "empty", "new"):
        with opened("--witness", str(tmp_path / name)):
            assert (tmp_path / name).exists()
    assert (tmp_path / "old").read_text() == "before\n"
    assert (tmp_path / "empty").exists()
    assert not (tmp_path / "new").exists()
    with opened("--witness", str(tmp_path / "old")) as output:
        output.write("now")
    assert (tmp_path / "old").read_text() == "now"


def test_no_room_for_the_new_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A witness is lost only when another takes its place."""

    def full(_fd: int, _offset: int, _length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    (tmp_path / "old").write_text("before\n")
    with opened("--witness", str(tmp_path / "old")) as output:
        output.write("something longer than that")
        assert output.failed
    assert (tmp_path / "old").read_text() == "before\n"


def test_records_on_the_standard_output_leave_it_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """What people read goes to the standard error; two cannot have it."""
    assert main([*STRESS, "--json", "-"]) == 0
    told = capsys.readouterr()
    assert [json.loads(line)["record"] for line in told.out.splitlines()] == ["environment", *["result"] * 4]
    assert told.err.endswith("4 of 4 rows: 4 PASS; none against the table\n")
    with opened("--json", "-"), pytest.raises(Failure, match="the standard output is taken by another option"):
        opened("--witness", "-").__enter__()


def test_what_is_read_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule, a litmus test, a witness: whatever it is called."""
    rule = tmp_path / "rule.py"
    rule.write_text("def rule(vcpu, vec):\n    pass\n")
    (tmp_path / "link").symlink_to(rule)
    before = rule.read_bytes()
    assert main([*STRESS, "--policy", f"{rule}:rule", "--json", str(tmp_path / "link")]) == 64
    assert main(["litmus", str(rule), "--json", str(rule)]) == 64
    assert main(["explore", "--policy", f"{rule}:rule", "--witness", str(rule)]) == 64
    assert capsys.readouterr().err.count("this command reads it; choose another file") == 3
    assert rule.read_bytes() == before


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_standard_output_is_told(unbuffered: str) -> None:
    """In one line, and with the exit status of an environment that lacks something."""
    code = "import sys; from hosts.cli.main import main; sys.exit(main(['list']))"
    environment: Any = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, env=environment, check=False
        )
    assert (done.returncode, done.stderr) == (3, b"pirace: the standard output: No space left on device\n")
