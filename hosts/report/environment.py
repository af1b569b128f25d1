"""The environment of a run, as needed to judge its numbers or to repeat it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hosts import procfs

PACKAGES: Final = ("numba", "llvmlite", "numpy", "pyzmq", "msgpack", "multiprocess")
_TOP: Final = Path(__file__).resolve().parents[2]
_GIT_SECONDS: Final = 2.0


def processors() -> int:
    """Return the number of processors that this process may run on."""
    return len(os.sched_getaffinity(0))


def version() -> str:
    """Return the version of this package: of the checkout that this is, or as it was installed."""
    with contextlib.suppress(OSError, KeyError, tomllib.TOMLDecodeError):
        project = tomllib.loads((_TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        if project["name"] == "pirace":
            return str(project["version"])
    try:
        return importlib.metadata.version("pirace")
    except importlib.metadata.PackageNotFoundError:
        return "0 (not installed)"


def versions() -> dict[str, str | None]:
    """Return the versions of Python, packages, libzmq and kernel."""
    import zmq

    found: dict[str, str | None] = {"pirace": version(), "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found | {"libzmq": zmq.zmq_version(), "kernel": platform.release()}


def commit(folder: Path) -> str | None:
    """Return the git commit of a checkout, with a ``+`` if files differ from it; None if it is none."""
    head = _git(folder, "rev-parse", "--verify", "HEAD")
    top = _git(folder, "rev-parse", "--show-toplevel")
    if head is None or top is None or Path(top).resolve() != folder.resolve():
        return None
    return head + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def commit_here() -> str | None:
    """Return the commit of the checkout that this is."""
    return commit(_TOP)


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def environment(seed: int, seconds: float, placement: str, command: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the facts of an ``environment`` record."""
    return {
        "versions": versions(),
        "cpu_model": procfs.cpu_model() or platform.processor() or "unknown",
        "machine": platform.machine(),
        "processors": processors(),
        "placement": placement,
        "command": shlex.join(sys.argv if command is None else command),
        "commit": commit_here(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seed": seed,
        "budget_seconds": seconds,
    }
