"""Makes the private .venv and fills it: with its own pip, with the system's, or laid out by hand."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import _stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(_stamp.ROOT)
VENV = Path(_stamp.VENV)
PYTHON = VENV / "bin" / "python"

LACKING = 3  # the exit status for an environment that lacks something
FAULT = 4  # and for a fault of our own

LAST_LINES = 15  # of what pip said before it failed
OLDEST_PIP = (22, 3)  # the first with --python

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
    """Raise SetUpError: it names what is missing, and the remedy."""
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
    """Make the checkout importable in any locale: Python decodes .pth files as the locale says, and fails otherwise.

    The path that pip has written becomes an expression with escapes.
    """
    if str(ROOT).isascii():
        return
    for path in VENV.glob("lib/python*/site-packages/*.pth"):
        lines = [os.fsdecode(line) for line in path.read_bytes().splitlines()]
        named = [line if line.isascii() else f"import sys; sys.path.append({line!a})" for line in lines]
        path.write_text("".join(f"{line}\n" for line in named), encoding="ascii")
