"""Makes or refreshes the private .venv, then becomes the command it was given: `_bootstrap.py EXTRAS COMMAND...`.

Called by `_bootstrap.sh` with a Python found fit, once `_stamp.py` has said that the environment is not ready.
Three ways lead to one, so that a Python and either its venv module or any pip are enough: venv with its own pip; venv
without pip and the system's pip; and, where the venv module is missing too, the few files it makes, laid out by hand.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import _stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(_stamp.ROOT)
VENV = Path(_stamp.VENV)
PYTHON = VENV / "bin" / "python"

LACKING = 3  # the exit status for an environment that lacks something
FAULT = 4  # and for a fault of our own
INTERRUPTED = 128 + signal.SIGINT

LAST_LINES = 15  # of what pip said before it failed
OLDEST_PIP = (22, 3)  # the first with --python

WHY = {
    "stamp": "nothing finished there yet",
    "root": "the checkout was moved or copied",
    "python": "its Python changed",
    "asked": "PIRACE_PYTHON names another Python",
    "pyproject": "pyproject.toml changed",
    "extras": "packages that this takes besides are missing",
}
MENDED_BY_PIP_ALONE = {"pyproject", "extras"}

# What would send files, or the choice of Python, elsewhere.
STRAY_VARIABLES = ("PIP_PREFIX", "PIP_PYTHON", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH")


class SetUpError(Exception):
    """Set-up cannot go on; the message is the one line to show, `output` what the failing program said last."""

    def __init__(self, message: str, output: str = "", status: int = LACKING) -> None:
        super().__init__(message)
        self.last_lines = output.rstrip().splitlines()[-LAST_LINES:]
        self.status = status


class Done(NamedTuple):
    """How a program ended and what it said."""

    status: int
    output: str


def say(line: str) -> None:
    """Speak on stderr: stdout belongs to the command that comes after."""
    print(f"pirace: {line}", file=sys.stderr, flush=True)


def version() -> str:
    """Return this Python's version, as people write it."""
    return ".".join(map(str, sys.version_info[:3]))


def run(command: Sequence[str | Path], lock: int | None = None) -> Done:
    """Run a program to its end, quietly, and take it along when this one is interrupted.

    It inherits the lock: if this process is killed outright, the next start still waits until pip has let go of .venv.
    """
    environment = {key: value for key, value in os.environ.items() if key not in STRAY_VARIABLES}
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            pass_fds=() if lock is None else (lock,),
            process_group=0,
        )
    except OSError as error:
        return Done(127, str(error))
    with child:
        try:
            output, _ = child.communicate()
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)  # nothing to save: there is no stamp
            raise
    return Done(child.returncode, output)


def base_python() -> str:
    """Return the Python to build on: the one asked for as it was asked for (it may be a wrapper), never .venv's own."""
    asked = os.environ.get("PIRACE_PYTHON")
    if asked and Path(sys.prefix).resolve() != VENV.resolve():
        return asked
    return str(getattr(sys, "_base_executable", None) or sys.executable)


@contextlib.contextmanager
def locked() -> Iterator[int]:
    """Let one start at a time work on .venv. The lock goes with its holders, however they end; its file stays."""
    with (ROOT / ".venv.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another start is setting up .venv: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def has_venv_and_ensurepip() -> bool:
    """Ask before anything is announced: Debian ships venv without ensurepip, and stripped Pythons have neither."""
    return (
        run([base_python(), "-E", "-s", "-c", "from ensurepip import version; from venv import EnvBuilder"]).status == 0
    )


def system_pip() -> list[str] | None:
    """Find a pip that can install into another environment than its own."""
    for pip in ([base_python(), "-m", "pip"], ["pip3"], ["pip"]):
        done = run([*pip, "--version"])
        found = re.match(r"pip (\d+)\.(\d+)", done.output)
        if done.status == 0 and found and (int(found[1]), int(found[2])) >= OLDEST_PIP:
            return [*pip, "--python", str(PYTHON)]
    return None


def choose_pip(*, refresh: bool) -> list[str] | None:
    """Decide what will install, before anything is announced or touched; None: the pip that venv is going to bring."""
    if refresh and run([*own_pip(), "--version"]).status == 0:
        return own_pip()
    if not refresh and has_venv_and_ensurepip():
        return None
    return system_pip() or nothing_to_install_with()


def nothing_to_install_with() -> NoReturn:
    """Say what is missing, and what cures it."""
    raise SetUpError(
        f"{base_python()} has no venv module with ensurepip and there is no pip >= 22.3: "
        "install one of them (Debian: apt install python3-venv), or name another Python in PIRACE_PYTHON"
    )


def real_venv() -> Path:
    """Return where .venv is, or is to be: the venv module refuses a link."""
    place = Path(os.path.realpath(VENV))
    if os.path.lexists(place) and not place.is_dir():
        what = "a file" if place == VENV else f"a link to {place}, no folder"
        raise SetUpError(f"cannot set up .venv: {VENV} is {what}: remove it")
    return place


def empty() -> None:
    """Remove what is in .venv, not .venv itself: it may be a link to a larger disk, where there is nothing yet."""
    real_venv().mkdir(parents=True, exist_ok=True)
    for entry in VENV.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def lay_out_by_hand() -> None:
    """Make what the venv module would make: a link to the interpreter and the file that tells it where it is."""
    base = Path(getattr(sys, "_base_executable", None) or sys.executable)
    site_packages = VENV / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    site_packages.mkdir(parents=True)
    PYTHON.parent.mkdir()
    PYTHON.symlink_to(base)
    (VENV / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")


def make(lock: int, pip: list[str] | None) -> list[str]:
    """Make .venv from nothing and return the pip that fills it: its own, or the one given."""
    empty()
    if pip is None:
        if run([base_python(), "-E", "-s", "-m", "venv", real_venv()], lock).status == 0:
            return own_pip()
        pip = system_pip() or nothing_to_install_with()
        empty()  # of what the failed venv left
    if run([base_python(), "-E", "-s", "-m", "venv", "--without-pip", real_venv()], lock).status != 0:
        empty()
        lay_out_by_hand()
    return pip


def own_pip() -> list[str]:
    """Return the pip inside .venv, as a command."""
    return [str(PYTHON), "-E", "-s", "-m", "pip"]


def install(lock: int, pip: list[str], extras: set[str]) -> None:
    """Install the project in place and wheels for all it needs: a fresh machine has no compiler."""
    project = f"{ROOT}[{','.join(sorted(extras))}]" if extras else str(ROOT)
    options = ["--only-binary", ":all:", "--no-user", "--no-input", "--disable-pip-version-check"]
    done = run([*pip, "install", *options, "--editable", project], lock)
    if done.status != 0:
        raise SetUpError(
            "pip could not install what pyproject.toml asks for, see above; without a network it cannot, nor without "
            f"wheels for Python {version()} (PIRACE_PYTHON may name another); the next start tries again",
            done.output,
        )


def name_root_in_ascii() -> None:
    """Let any locale find the checkout: Python reads .pth files as the locale writes, and ends over what that has not.

    The path that pip has written becomes an expression with escapes.
    """
    if str(ROOT).isascii():
        return
    for path in VENV.glob("lib/python*/site-packages/*.pth"):
        lines = [os.fsdecode(line) for line in path.read_bytes().splitlines()]
        named = [line if line.isascii() else f"import sys; sys.path.append({line!a})" for line in lines]
        path.write_text("".join(f"{line}\n" for line in named), encoding="ascii")


@contextlib.contextmanager
def stamp_away(*, given_back: bool) -> Iterator[None]:
    """Take the stamp off while .venv changes; give the old one back if a refresh failed.

    A pip that fails undoes what it began, so the next start, with a network perhaps, need not begin from nothing. A pip
    that is interrupted does not.
    """
    stamp = Path(_stamp.STAMP)
    old = stamp.read_bytes() if given_back else b""
    stamp.unlink(missing_ok=True)
    try:
        yield
    except SetUpError:
        if old:
            stamp.write_bytes(old)
        raise


def set_up(extras: set[str], lock: int) -> None:
    """Bring .venv to what is wanted; the stamp goes first and comes last."""
    cause = _stamp.outdated(extras)
    if cause is None:
        return  # another start has done it
    real_venv()
    refresh = cause in MENDED_BY_PIP_ALONE
    if refresh:
        extras = extras | _stamp.extras_of(_stamp.read())  # `stress-run` does not take the tests' tools away
    pip = choose_pip(refresh=refresh)

    size = "" if refresh else " and 400 MB"
    say(f"setting up .venv with Python {version()} ({WHY[cause]}): takes about a minute{size}")
    began = time.monotonic()
    with stamp_away(given_back=refresh):
        if not refresh or pip is None:
            pip = make(lock, pip)
        install(lock, pip, extras)
        name_root_in_ascii()
    _stamp.write(extras)
    confirm(extras)
    say(f".venv is ready ({time.monotonic() - began:.0f} s)")


def confirm(extras: set[str]) -> None:
    """Hold the new environment against the check that the next start makes; a difference would set up for ever."""
    check = run([PYTHON, "-E", "-s", "-S", _stamp.__file__, ",".join(sorted(extras))])
    if check.status != 0:
        raise SetUpError("the finished .venv does not pass its own check", check.output, FAULT)


def terminated(signum: int, _frame: object) -> NoReturn:
    """Turn SIGTERM, or a terminal that is closed, into an exit that takes pip along."""
    sys.exit(128 + signum)


def main(extras: str) -> int:
    """Set up and return the exit status: 0, or why not."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, terminated)
    try:
        with locked() as lock:
            set_up(set(extras.split(",")) - {""}, lock)
    except SetUpError as error:
        for line in error.last_lines:
            print(line, file=sys.stderr)
        say(str(error))
        return error.status
    except OSError as error:
        say(f"cannot set up .venv: {error}")
        return LACKING
    except KeyboardInterrupt:
        say("set-up interrupted; the next start begins anew")
        return INTERRUPTED
    return 0


def become(command: list[str]) -> NoReturn:
    """Hand this process to the command, SIGPIPE included: Python ignores it, and exec would hand that on."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606 - a door of this project, as it was called


if __name__ == "__main__":
    if status := main(sys.argv[1]):
        sys.exit(status)
    become(sys.argv[2:])
