"""Programs that write a campaign, for tests to kill, to starve and to read behind.

``python -m tests.soak.campaign_writer WHAT FOLDER [NUMBER]``. What run number n is, does and comes to follows from n,
so that a test can tell from outside what the file has to say of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from hosts.soak.errors import CampaignError
from hosts.soak.store.folders import Folders
from hosts.soak.store.schema import DATABASE
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Result, Task

KEEPS, INTERRUPTS, DIES = 7, 11, 13
"""Each seventh run has something to keep, each eleventh is interrupted, each thirteenth outlives a worker."""


def task_of(number: int) -> Task:
    """Return what run number n is."""
    scenario, policy = ("device-irq", "remote-post")[number % 2], ("always-2021", "elide-self-2022")[number % 3 == 0]
    return Task(scenario=scenario, policy=policy, seed=number, canary=number % 5 == 0, pcpus=2)


def result_of(number: int) -> Result:
    """Return what run number n comes to; durations are sums of powers of two, so that they add up exactly."""
    seen = number % 4
    record = {
        "violations": [{"check": "C1", "count": seen, "first": {"turn": number}}] if seen else [],
        "windows": {"post-sees-in-guest": number % 9, "post-sees-outside": 0},
        "counts": {"posts": number},
    }
    verdict = "VIOLATION" if seen else "PASS"
    # Each run that is kept is an unexpected one, so that there is room for it.
    expected = False if number % KEEPS == 0 else None
    return Result(verdict=verdict, as_expected=expected, seconds=number / 4, record=record, files=files_of(number))


def files_of(number: int) -> dict[str, bytes]:
    """Return what is to be kept of run number n."""
    return {"events.txt": b"events of %d\n" % number * 500} if number % KEEPS == 0 else {}


def is_interrupted(number: int) -> bool:
    """Return whether run number n is interrupted, as by Ctrl-C."""
    return number % INTERRUPTS == 0


def opened(folder: Path) -> Campaign:
    """Begin a campaign, or go on with it."""
    return Campaign.resume(folder) if (folder / DATABASE).exists() else Campaign.create(folder, {"each": 2.0})


def write(folder: Path, say: Callable[[str, int], None], runs: int | None = None) -> None:
    """Write runs until killed, or so many; say what the file has to have from then on."""
    with opened(folder) as campaign:
        for number in campaign.interrupted:
            say("cut off", number)
        done = 0
        while runs is None or done < runs:
            done += 1
            one_run(campaign, say)


def one_run(campaign: Campaign, say: Callable[[str, int], None]) -> None:
    """Write a run, from its beginning to its end."""
    last = max((row.id for row in campaign.rows(newest=True, limit=1)), default=0)
    number = campaign.begin(task_of(last + 1))
    say("begun", number)
    (campaign.live(number) / "machine").write_bytes(b"%d" % number)
    if number % DIES == 0:
        campaign.retry(number, "worker killed by SIGKILL")
        say("tried again", number)
        (campaign.live(number) / "machine").write_bytes(b"%d" % number)
    if is_interrupted(number):
        campaign.interrupt(number, "Ctrl-C")
        say("interrupted", number)
    else:
        campaign.finish(number, result_of(number))
        say("finished", number)


# --- programs ----------------------------------------------------------------------------------------------------


def tell(**what: Any) -> None:
    """Write one line."""
    print(json.dumps(what), flush=True)


def killed(folder: Path) -> None:
    """For each line of input, start a writer and kill it: after so many words of it, and so many microseconds more."""
    for line in sys.stdin:
        order = json.loads(line)
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            victim(folder, order.get("at", ""), theirs)
        os.close(theirs)
        with os.fdopen(ours, "rb") as words:
            heard = [word for _ in range(order["words"]) if (word := words.readline())]
            until = time.perf_counter_ns() + order["microseconds"] * 1000
            while time.perf_counter_ns() < until:
                pass
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            heard += words.readlines()  # ends when the writer has ended
        status = os.waitpid(pid, 0)[1]
        said = [word.decode().rstrip().split("\t") for word in heard if word.endswith(b"\n")]
        tell(signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, said=[[word, int(n)] for word, n in said])


def victim(folder: Path, at: str, to: int) -> NoReturn:
    """Write until killed."""
    try:
        murder(at)
        with os.fdopen(to, "w", buffering=1) as words:
            write(folder, lambda word, number: print(word, number, sep="\t", file=words))
    finally:
        os._exit(1)


def murder(at: str) -> None:
    """Have this process killed at a certain place in the middle of a step."""

    def fatal(of: Any, name: str) -> None:
        real = getattr(of, name)

        def last(*arguments: Any, **named: Any) -> None:
            real(*arguments, **named)
            if name != "_move" or "events.txt" in {each.name for each in arguments[2].iterdir()}:
                os.kill(os.getpid(), signal.SIGKILL)

        setattr(of, name, last)

    match at:
        case "kept, not entered":
            fatal(Folders, "_move")
        case "begun, not committed":
            fatal(Folders, "begin")
        case "entered, not tidied":
            Folders.drop = lambda _self, _number: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]


def full(folder: Path, size: int) -> None:
    """Write until no file may grow any more."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    until_error(folder)


CLONE_NEWNS, CLONE_NEWUSER, MS_REC, MS_PRIVATE = 0x00020000, 0x10000000, 0x4000, 1 << 18


def tiny(folder: Path, size: int) -> None:
    """Write on a disk of that size until it is full, then look at what is there; the disk goes with this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    spaces = CLONE_NEWNS if os.geteuid() == 0 else CLONE_NEWNS | CLONE_NEWUSER
    if (
        libc.unshare(spaces) != 0
        or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0
        or libc.mount(b"none", os.fsencode(folder), b"tmpfs", 0, b"size=%d" % size) != 0
    ):
        tell(refused=os.strerror(ctypes.get_errno()))
        return
    said = until_error(folder / "soak")
    with Campaign.read(folder / "soak") as campaign:
        tell(states={row.id: row.state for row in campaign.rows()}, said=said)
    with contextlib.suppress(CampaignError):
        opened(folder / "soak")
    free(folder / "soak" / "kept")
    with Campaign.resume(folder / "soak") as campaign:
        tell(resumed={row.id: row.state for row in campaign.rows()})


def free(folder: Path) -> None:
    """Make room."""
    for each in folder.rglob("events.txt"):
        each.unlink()


def until_error(folder: Path) -> dict[str, list[int]]:
    """Write until it cannot go on; say why, and what it had been told was done."""
    said: dict[str, list[int]] = {}
    try:
        write(folder, lambda word, number: said.setdefault(word, []).append(number), runs=100_000)
    except CampaignError as error:
        tell(error=str(error), kind=type(error).__name__, exit_code=error.exit_code, said=said)
    return said


def held(folder: Path) -> None:
    """Have the campaign until the input ends."""
    with opened(folder):
        tell(up=os.getpid())
        sys.stdin.read()


class Capabilities(ctypes.Structure):
    """What capset() takes."""

    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def bare(folder: Path) -> None:
    """Try everything in a folder without root's right to write anywhere."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none = (Capabilities * 2)()
    ctypes.CDLL(None).capset(header, none)
    for way in (lambda: Campaign.create(folder, {}), lambda: Campaign.resume(folder), lambda: Campaign.read(folder)):
        try:
            with way() as campaign:
                tell(rows=[row.id for row in campaign.rows()])
        except CampaignError as error:
            tell(error=str(error), kind=type(error).__name__, exit_code=error.exit_code)


def main(what: str, folder: str, number: str = "0") -> None:
    """Run one of them."""
    match what:
        case "killed":
            killed(Path(folder))
        case "full":
            full(Path(folder), int(number))
        case "tiny":
            tiny(Path(folder), int(number))
        case "held":
            held(Path(folder))
        case "bare":
            bare(Path(folder))
        case "write":
            write(Path(folder), lambda word, number: tell(word=word, number=number), int(number))


if __name__ == "__main__":
    main(*sys.argv[1:])
