"""A copy of the checkout on a machine of its own: what the scripts in `scripts/` promise is tested in it.

The scripts run as a person starts them. Only the Python they find is a stand-in: it makes real environments, but its
pip installs scripts of one line, and everything asked of either is noted.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HELPERS = ("_bootstrap.py", "_bootstrap.sh", "_environment.py", "_stamp.py")
FILES = ("pyproject.toml", *(f"scripts/{name}" for name in HELPERS))
SCRIPTS = ("scripts/stress-run", "scripts/soak", "scripts/test", "scripts/check")
TOOLS = ("sh", "dirname", "readlink", "uname")
BASE = getattr(sys, "_base_executable", sys.executable)

START = 30  # seconds that one start of a script may take on a slow machine; some 0.3 on an idle one

PYTHON = """#!/bin/sh
# LACKS says what this one does not have: nothing, bundle (ensurepip), venv, pip.
case "$*" in
*"from ensurepip import"*) [ -z "$LACKS" ]; exit ;;
*"-m venv --without-pip"*)
    echo "venv --without-pip" >> "$CALLS"
    case $LACKS in *venv*) echo "No module named venv"; exit 1 ;; esac ;;
*"-m venv"*)
    echo "venv" >> "$CALLS"
    for last; do :; done
    @BASE@ -m venv --without-pip "$last" || exit
    [ -z "$LACKS" ] || { echo "ensurepip is not available"; exit 1; }
    cd "$last"/lib/python*/site-packages && mkdir pip && exec cp "$FAKE_PIP_SOURCE" pip/__main__.py ;;
"-m pip"*)
    case $LACKS in *pip*) echo "No module named pip"; exit 1 ;; esac
    shift 2
    exec @BASE@ "$FAKE_PIP_SOURCE" "$@" ;;
esac
exec @BASE@ "$@"
"""

PIP = """
import os, pathlib, sys, time
words = sys.argv[1:]
if words == ["--version"]:
    print("pip", os.environ.get("FAKE_PIP_VERSION", "23.0.1"), "from here")
    sys.exit()
with open(os.environ["CALLS"], "a") as calls:
    print("pip", *words, file=calls)
project = words[words.index("--editable") + 1]
venv = pathlib.Path(project.partition("[")[0], ".venv")
gate = os.environ.get("FAKE_PIP_GATE")
patience = time.monotonic() + 30
while gate and not os.path.exists(gate) and time.monotonic() < patience:
    time.sleep(0.01)
if "FAKE_PIP_FAILS" in os.environ:
    print(*(f"line {n}" for n in range(100)), "ERROR: no route to host", sep="\\n")
    sys.exit(1)
(command := venv / "bin" / "pirace").write_text('#!/bin/sh\\necho pirace "$@"\\n')
command.chmod(0o755)
packages, = venv.glob("lib/python*/site-packages")
(packages / "_editable.pth").write_text(project.partition("[")[0] + "\\n", encoding="utf-8")
for tool in ("ruff", "mypy", "pytest") if "[test]" in project else ():
    says = f"import os, sys; print('{tool}', *sys.argv[1:]); sys.exit('{tool}' in os.environ.get('FAKE_FAILING', ''))"
    (packages / f"{tool}.py").write_text(says)
"""

# Whoever started pytest may have SIGINT ignored, and children inherit that.
HEED_SIGINT = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


@dataclass
class Checkout:
    """A copy of the checkout on a machine of its own: its PATH, its Python, and the notes of what was asked of it."""

    path: Path
    machine: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def stamp(self) -> Path:
        """The sign of success."""
        return self.path / ".venv" / "pirace-stamp"

    def start(self, script: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a script and leave it running."""
        command = [sys.executable, "-c", HEED_SIGINT, str(self.path / "scripts" / script), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environment | environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Start a script and wait for its end."""
        with self.start(script, *arguments, **environment) as process:
            out, err = process.communicate(timeout=START)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def calls(self) -> list[str]:
        """Return what was asked of venv and pip since the last look, without pip's options."""
        notes = self.machine / "calls"
        lines = notes.read_text().splitlines() if notes.exists() else []
        notes.unlink(missing_ok=True)
        return [f"pip {line.rpartition('/')[2]}" if line.startswith("pip") else line for line in lines]

    def wait_for_pip(self, script: subprocess.Popen[str]) -> None:
        """Wait until the script has called pip."""
        notes = self.machine / "calls"
        while not notes.exists() or "pip " not in notes.read_text():
            assert script.poll() is None, "the script ended before it called pip"
            time.sleep(0.01)

    def copy(self, name: str) -> Checkout:
        """Copy the whole checkout, .venv included, as a person does."""
        path = self.path.parent / name
        shutil.copytree(self.path, path, symlinks=True)
        return Checkout(path, self.machine, self.environment)


def fresh_checkout(tmp_path: Path) -> Checkout:
    """Lay out a fresh checkout, a space in its path, on a machine with little more than a shell and a Python."""
    path, machine = tmp_path / "a checkout", tmp_path / "machine"
    (path / "scripts").mkdir(parents=True)
    for name in FILES + SCRIPTS:
        shutil.copy(ROOT / name, path / name)
    machine.mkdir()
    for tool in (*TOOLS, "cp", "mkdir"):
        (machine / tool).symlink_to(shutil.which(tool) or tool)
    python = machine / "python3"
    python.write_text(PYTHON.replace("@BASE@", BASE))
    python.chmod(0o755)
    (machine / "pip.py").write_text(PIP)
    environment = {
        "PATH": str(machine),
        "PIRACE_PYTHON": str(python),
        "LACKS": "",
        "FAKE_PIP_SOURCE": str(machine / "pip.py"),
        "CALLS": str(machine / "calls"),
    }
    return Checkout(path, machine, environment)


def alive(text: str) -> list[str]:
    """Name the processes with this text in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes()
        except OSError:
            continue
        if text.encode() in words:
            found.append(entry.parent.name)
    return found
