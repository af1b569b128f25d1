"""The stamp in .venv: the only sign that set-up ended well, here, with this Python, for this pyproject.toml.

A .venv whose python runs proves nothing: without ensurepip `python3 -m venv` fails and leaves one behind, and a pip cut
short leaves half a library. So the stamp is written last and removed first.

Run as a program by every start (`_stamp.py EXTRAS`, exit status 0: ready), so it imports next to nothing.
"""

from __future__ import annotations

import hashlib
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "pirace-stamp")


def facts() -> dict[str, str]:
    """Return what the environment would be made from if it were made now, and by which Python this is called."""
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        pyproject = hashlib.sha256(file.read()).hexdigest()
    version = ".".join(map(str, sys.version_info[:3]))
    return {
        "root": ROOT,
        "python": f"{version} {os.path.realpath(os.path.join(VENV, 'bin', 'python'))}",
        "asked": os.environ.get("PIRACE_PYTHON", ""),
        "pyproject": pyproject,
    }


def read() -> dict[str, str]:
    """Return what the stamp says; nothing if there is none."""
    try:
        with open(STAMP, encoding="ascii") as file:
            return dict(line.rstrip("\n").split(" ", 1) for line in file)
    except (OSError, ValueError):
        return {}


def write(extras: set[str]) -> None:
    """Declare the environment ready. Values are quoted, so that any path is one line; the rename makes it whole."""
    said = facts() | {"extras": ",".join(sorted(extras))}
    new = STAMP + ".new"
    with open(new, "w", encoding="ascii") as file:
        file.writelines(f"{key} {value!a}\n" for key, value in said.items())
    os.replace(new, STAMP)


def extras_of(stamp: dict[str, str]) -> set[str]:
    """Return the extras that the stamp says are installed."""
    return set(stamp.get("extras", "''")[1:-1].split(",")) - {""}


def outdated(extras: set[str]) -> str | None:
    """Name the first thing that is not as the stamp says, the gravest first; None if the environment is ready."""
    stamp = read()
    if not stamp:
        return "stamp"
    for key, value in facts().items():
        if key == "asked" and not value:
            continue  # whoever asks for no particular Python takes the one that is there
        if stamp.get(key) != ascii(value):
            return key
    return None if extras <= extras_of(stamp) else "extras"


if __name__ == "__main__":
    sys.exit(outdated(set(sys.argv[1].split(",")) - {""}) is not None)
