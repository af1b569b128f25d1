"""A machine that has not what a soak takes: one clear line, a sensible exit status, and the results so far.

Seen to fail with an error of the system that nobody translates, and with a worker that cannot begin and is begun anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from bench.soaking import PATIENCE, TOP, Soaking

from hosts.soak.store.writer import Campaign
from tests.choice import slow_but

SHORT = ("--each", "0.2s", "--scenario", "remote-post", "--place", "unpinned", "--seed", "1", "--quiet")
"""A soak whose first run is a canary, which is kept with its machine of two megabytes."""
ENDLESS = ("--for", "600s")
"""It has to end by itself before, for want of something."""

pytestmark = pytest.mark.timeout(4 * PATIENCE)


def run(soak: Soaking, *before: str, options: Sequence[str] = (*SHORT, *ENDLESS)) -> tuple[int, str, str]:
    """Run a soak behind other commands to its end; return exit status, output and errors."""
    command = [*before, *soak.command("soak", "--campaign", str(soak.folder), *options)]
    done = subprocess.run(
        command, env=soak.environment(), capture_output=True, text=True, timeout=3 * PATIENCE, check=False
    )
    return done.returncode, done.stdout, done.stderr


def last_line(errors: str) -> str:
    """Return the one line that tells why it ended; before it, only runs that went wrong and fork servers that died."""
    *others, last = errors.splitlines()
    assert last.startswith("pirace: "), errors
    assert "Traceback" not in errors
    assert "internal error" not in errors
    told = (": CRASH: ", "; it is done again", "; the next machine gets a new one")
    assert all(any(each in line for each in told) for line in others), errors
    return last


def states(folder: Path) -> list[str]:
    """Read what there is."""
    with Campaign.read(folder) as campaign:
        return [row.state for row in campaign.rows()]


@pytest.mark.parametrize("limit", slow_but([16], [8, 12, 16, 20]))
def test_too_few_descriptors(limit: int) -> None:
    """Whichever part it is that wants one more: coordinator, worker, supervisor, or libzmq in a pCPU."""
    with Soaking() as soak:
        status, _, errors = run(soak, "prlimit", f"--nofile={limit}")
        assert status == 3, errors
        assert "Too many open files" in last_line(errors) or "cannot start a machine" in last_line(errors)
        if (soak.folder / "campaign.sqlite").exists():
            assert "running" not in states(soak.folder)
        assert soak.left() == []


OTHER_USERS = 54_321


def as_nobody(number: int) -> list[str]:
    """Return what runs a command under a limit of processes: root has none, so as a user who has nothing else.

    Each ``number`` is another user: tests that run side by side are not counted together.
    """
    if os.getuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv, and root has no limit of processes")
    reads = "+dac_override,+dac_read_search"  # the interpreter may lie in root's own folder
    given = [f"--inh-caps={reads}", f"--ambient-caps={reads}", f"--bounding-set=-all,{reads}"]
    return ["setpriv", f"--reuid={OTHER_USERS + number}", "--clear-groups", *given]


@pytest.mark.parametrize("limit", slow_but([4], [1, 2, 4, 7, 10]))
def test_too_few_processes(limit: int) -> None:
    """Whether the one too many is the coordinator's thread, the worker, its fork server, a pCPU or a libzmq thread."""
    with Soaking() as soak:
        status, _, errors = run(soak, *as_nobody(limit), "prlimit", f"--nproc={limit}")
        assert status == 3, errors
        assert last_line(errors)
        if (soak.folder / "campaign.sqlite").exists():
            assert "running" not in states(soak.folder)
        assert soak.left() == []


@pytest.mark.parametrize(
    "place", slow_but(["/proc/soak", "/dev/null"], ["/proc/soak", "/sys/soak", "/dev/null/soak", "/dev/null"])
)
def test_a_folder_that_cannot_be_written_to(place: str) -> None:
    """For root too; nothing is begun."""
    command = [sys.executable, "-m", "hosts.cli.main", "soak", "--campaign", place, *SHORT, *ENDLESS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=TOP)
    assert (done.returncode, done.stdout) == (3, "")
    assert place in last_line(done.stderr)
    assert done.stderr.count("\n") == 1


def mounted(script: str) -> list[str]:
    """Return what runs a script, and then a command, where mounts are its own; skip if that is not to be had."""
    own = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
    if shutil.which("unshare") is None or subprocess.run([*own, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no mounts of one's own here")
    return [*own, "sh", "-ec", f'{script}; "$@"', "sh"]


@pytest.mark.parametrize(
    ("kibibytes", "told", "readable"),
    [
        pytest.param(64, "the disk is full", r"^pirace: .*: no campaign there$", marks=pytest.mark.slow),
        (1024, "no room for a machine", r"^NOT PROVEN: .* 0 runs, .* 1 interrupted$"),
        pytest.param(5 * 1024, "no room for a machine", r"; [1-9] runs?, .* 1 interrupted$", marks=pytest.mark.slow),
    ],
)
def test_a_full_disk(kibibytes: int, told: str, readable: str) -> None:
    """The campaign's own disk: no room for a file, a machine, or a further one; what is done can be read meanwhile."""
    with Soaking() as soak:
        soak.folder.mkdir()
        mount = f"mount -t tmpfs -o size={kibibytes}k none {soak.folder}"
        status_of = f"{sys.executable} -m hosts.cli.main soak status --campaign {soak.folder}"
        canaries = ("--mutation", "no-entry-sync", "--policy", "always-2021")  # each is kept, up to three of a kind
        script = [*mounted(mount), "sh", "-c", f'"$@"; echo "status $?"; {status_of} 2>&1', "sh"]
        command = [*script, *soak.command("soak", "--campaign", str(soak.folder), *SHORT, *ENDLESS, *canaries)]
        done = subprocess.run(
            command, env=soak.environment(), capture_output=True, text=True, timeout=3 * PATIENCE, check=False
        )
        assert done.stdout.startswith("status 3\n"), done.stderr
        assert told in last_line(done.stderr)
        assert re.search(readable, done.stdout, re.MULTILINE), done.stdout
        assert soak.left() == []


@pytest.mark.parametrize(
    "mount",
    [
        pytest.param("umount -l /dev/shm; mount -t tmpfs -o ro none /dev/shm", id="missing"),
        pytest.param(
            "mount -t tmpfs -o size=4k none /dev/shm; head -c 4096 /dev/zero >/dev/shm/full",
            id="full",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_dev_shm_is_not_needed(mount: str) -> None:
    """Nothing of a soak lies there, so it does not matter what becomes of it."""
    with Soaking() as soak:
        soak_until_two = (*SHORT, "--for", "4s")
        status, output, errors = run(soak, *mounted(mount), options=soak_until_two)
        assert status in (0, 2), errors  # on a busy machine a race may have entered no window
        assert "CRASH" not in output + errors
        assert "finished" in states(soak.folder)
        assert soak.left() == []


@pytest.mark.slow
def test_a_file_that_may_not_grow() -> None:
    """A limit on the size of files, as a batch system sets it: there is no room for a machine."""
    with Soaking() as soak:
        status, _, errors = run(soak, "prlimit", "--fsize=1000000")
        assert (status, errors.count("\n")) == (3, 1)
        assert "no room for a machine" in last_line(errors)
        assert states(soak.folder) == ["interrupted"]
        assert soak.left() == []
