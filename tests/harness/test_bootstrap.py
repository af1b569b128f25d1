"""From a fresh machine to a running command: what the doors in `scripts/` promise, without a network.

The doors run as a person starts them, in a copy of the checkout. Only the Python they find is a stand-in: it makes real
environments, but its pip installs scripts of one line, and everything asked of either is noted.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("pyproject.toml", "scripts/_bootstrap.py", "scripts/_bootstrap.sh", "scripts/_stamp.py")
DOORS = ("scripts/stress-run", "scripts/soak", "scripts/test")
TOOLS = ("sh", "dirname", "readlink", "uname")
BASE = getattr(sys, "_base_executable", sys.executable)

START = 30  # seconds that one start of a door may take on a slow machine; some 0.3 on an idle one

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

    def start(self, door: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a door and leave it running."""
        command = [sys.executable, "-c", HEED_SIGINT, str(self.path / "scripts" / door), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environment | environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, door: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Start a door and wait for its end."""
        with self.start(door, *arguments, **environment) as process:
            out, err = process.communicate(timeout=START)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def calls(self) -> list[str]:
        """Return what was asked of venv and pip since the last look, without pip's options."""
        notes = self.machine / "calls"
        lines = notes.read_text().splitlines() if notes.exists() else []
        notes.unlink(missing_ok=True)
        return [f"pip {line.rpartition('/')[2]}" if line.startswith("pip") else line for line in lines]

    def wait_for_pip(self, door: subprocess.Popen[str]) -> None:
        """Wait until the door has called pip."""
        notes = self.machine / "calls"
        while not notes.exists() or "pip " not in notes.read_text():
            assert door.poll() is None, "the door ended before it called pip"
            time.sleep(0.01)

    def copy(self, name: str) -> Checkout:
        """Copy the whole checkout, .venv included, as a person does."""
        path = self.path.parent / name
        shutil.copytree(self.path, path, symlinks=True)
        return Checkout(path, self.machine, self.environment)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Lay out a fresh checkout, a space in its path, on a machine with little more than a shell and a Python."""
    path, machine = tmp_path / "a checkout", tmp_path / "machine"
    (path / "scripts").mkdir(parents=True)
    for name in FILES + DOORS:
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


@pytest.mark.timeout(2 * START)
def test_first_start_sets_up_and_runs_and_second_only_runs(checkout: Checkout) -> None:
    """The first start says in a line what it does and ends as the command; the second adds no call and no word."""
    first = checkout.run("stress-run", "--seconds", "1 0")
    assert (first.returncode, first.stdout) == (0, "pirace stress --seconds 1 0\n")
    assert checkout.calls() == ["venv", "pip a checkout"]
    announced, ready = first.stderr.splitlines()
    assert "setting up .venv" in announced
    assert "about a minute" in announced
    assert "ready" in ready
    assert sorted(p.name for p in checkout.path.iterdir()) == [".venv", ".venv.lock", "pyproject.toml", "scripts"]

    second = checkout.run("stress-run")
    assert (second.returncode, second.stdout, second.stderr) == (0, "pirace stress\n", "")
    assert checkout.calls() == []


@pytest.mark.timeout(START)
def test_a_door_may_be_reached_by_a_link_and_from_anywhere(checkout: Checkout, tmp_path: Path) -> None:
    """A link in a person's own bin folder finds its way to the checkout."""
    link = tmp_path / "stress-run"
    link.symlink_to(checkout.path / "scripts" / "stress-run")
    done = subprocess.run([link, "x"], env=checkout.environment, cwd="/", capture_output=True, text=True, check=False)
    assert done.stdout == "pirace stress x\n"
    assert checkout.stamp.exists()


@pytest.mark.timeout(3 * START)
def test_a_venv_that_is_a_link_stays_one(checkout: Checkout, tmp_path: Path) -> None:
    """To a folder on a larger disk, which is made if it is not there; to anything else it is refused in a line."""
    venv, disk = checkout.path / ".venv", tmp_path / "large disk" / "venv"
    venv.symlink_to(disk)  # dangling
    for _ in range(2):
        done = checkout.run("stress-run")
        assert (done.returncode, done.stdout) == (0, "pirace stress\n"), done.stderr
    assert checkout.calls() == ["venv", "pip a checkout"]
    assert venv.is_symlink()
    assert (disk / "pirace-stamp").exists()
    shutil.rmtree(disk)
    disk.touch()
    done = checkout.run("stress-run")
    assert (done.returncode, done.stderr) == (
        3,
        f"pirace: cannot set up .venv: {venv} is a link to {disk}, no folder: remove it\n",
    )


@pytest.mark.timeout(2 * START)
def test_a_checkout_whose_path_is_not_ascii_starts_in_the_c_locale(checkout: Checkout) -> None:
    """A path that pip has written in UTF-8 would end Python before its first line."""
    copy = checkout.copy("ein Verzeichnis für Prüfungen")
    done = copy.run("stress-run", LC_ALL="C")
    assert (done.returncode, done.stdout) == (0, "pirace stress\n"), done.stderr
    python = copy.path / ".venv" / "bin" / "python"
    said = [python, "-c", "import os, sys; print(os.fsencode(sys.path[-1]) == os.fsencode(sys.argv[1]))", copy.path]
    for locale in ("C", "C.UTF-8"):
        found = subprocess.run(said, env={"LC_ALL": locale}, capture_output=True, text=True, check=False)
        assert (found.stdout, found.stderr) == ("True\n", "")


@pytest.mark.timeout(3 * START)
def test_a_changed_pyproject_is_installed_over_the_old(checkout: Checkout) -> None:
    """The old environment is kept and pip brings it up to date, once."""
    checkout.run("stress-run")
    checkout.calls()
    with (checkout.path / "pyproject.toml").open("a") as file:
        file.write("# another line\n")
    assert "pyproject.toml changed" in checkout.run("stress-run").stderr
    assert checkout.calls() == ["pip a checkout"]
    checkout.run("stress-run")
    assert checkout.calls() == []


@pytest.mark.timeout(3 * START)
def test_a_copied_checkout_makes_its_own(checkout: Checkout) -> None:
    """Programs in a copied .venv would start the original's Python; the original stays as it was."""
    checkout.run("stress-run")
    checkout.calls()
    copy = checkout.copy("b checkout")
    done = copy.run("stress-run")
    assert (done.returncode, done.stdout) == (0, "pirace stress\n")
    assert "moved or copied" in done.stderr
    assert copy.calls() == ["venv", "pip b checkout"]
    checkout.run("stress-run")
    assert checkout.calls() == []


@pytest.mark.timeout(2 * START)
def test_another_python_makes_another_environment(checkout: Checkout) -> None:
    """A Python that was upgraded in place is seen by its version."""
    checkout.run("stress-run")
    checkout.calls()
    version = ".".join(map(str, sys.version_info[:3]))
    checkout.stamp.write_text(checkout.stamp.read_text().replace(f"'{version} ", "'3.11.0rc1 "))
    assert "its Python changed" in checkout.run("stress-run").stderr
    assert checkout.calls() == ["venv", "pip a checkout"]


@pytest.mark.timeout(3 * START)
def test_pirace_python_is_honoured_and_its_absence_is_content(checkout: Checkout) -> None:
    """Naming another Python makes .venv anew with it; naming none takes the .venv that is there."""
    checkout.run("stress-run")
    checkout.calls()
    other = checkout.machine / "other"
    shutil.copy(checkout.machine / "python3", other)
    assert "names another Python" in checkout.run("stress-run", PIRACE_PYTHON=str(other)).stderr
    assert checkout.calls() == ["venv", "pip a checkout"]
    del checkout.environment["PIRACE_PYTHON"]
    assert checkout.run("stress-run").stderr == ""


@pytest.mark.timeout(3 * START)
def test_the_tests_tools_are_added_and_stay(checkout: Checkout) -> None:
    """`test` after `stress-run` adds its tools; a refresh by `stress-run` does not take them away."""
    checkout.run("stress-run")
    checkout.calls()
    done = checkout.run("test", "-k", "some test")
    assert (done.returncode, done.stdout) == (0, "pytest -k some test\n")
    assert checkout.calls() == ["pip a checkout[test]"]
    with (checkout.path / "pyproject.toml").open("a") as file:
        file.write("# another line\n")
    checkout.run("stress-run")
    assert checkout.calls() == ["pip a checkout[test]"]


@pytest.mark.timeout(4 * START)
def test_dask_is_added_when_it_is_asked_for(checkout: Checkout) -> None:
    """`soak` takes what `stress-run` takes; with `--dask` it adds the extra, and does not take it away again."""
    assert checkout.run("soak", "--for", "8h").stdout == "pirace soak --for 8h\n"
    assert checkout.calls() == ["venv", "pip a checkout"]
    assert checkout.run("soak", "--dask", "tcp://head:8786").stdout == "pirace soak --dask tcp://head:8786\n"
    assert checkout.calls() == ["pip a checkout[dask]"]
    checkout.run("soak", "--dask=tcp://head:8786")
    checkout.run("soak")
    assert checkout.calls() == []


@pytest.mark.timeout(2 * START)
def test_test_runs_every_check_even_after_one_has_failed(checkout: Checkout) -> None:
    """All checks are reported in one go, pytest's among them, and any failure fails the whole."""
    done = checkout.run("test", FAKE_FAILING="mypy")
    said = [line for line in done.stdout.splitlines() if not line.startswith("==")]
    assert said == ["ruff check .", "ruff format --check .", "mypy", "pytest", "failed: mypy"]
    assert done.returncode == 1
    assert checkout.run("test").returncode == 0


@pytest.mark.timeout(2 * START)
def test_a_failing_pip_is_quoted_and_leaves_no_stamp(checkout: Checkout) -> None:
    """The user sees pip's last lines, one clear line and exit status 3; the next start begins anew."""
    done = checkout.run("stress-run", FAKE_PIP_FAILS="")
    *_, quoted, last = done.stderr.splitlines()
    assert (done.returncode, done.stdout, quoted) == (3, "", "ERROR: no route to host")
    assert last.startswith("pirace: pip could not install")
    assert len(done.stderr.splitlines()) < 20
    assert not checkout.stamp.exists()
    assert checkout.run("stress-run").returncode == 0
    assert checkout.calls() == ["venv", "pip a checkout"] * 2


@pytest.mark.timeout(4 * START)
def test_a_refresh_that_fails_does_not_cost_the_environment(checkout: Checkout) -> None:
    """A start without a network fails, and the next one with a network refreshes; nothing is made from nothing."""
    checkout.run("stress-run")
    before = checkout.stamp.read_text()
    with (checkout.path / "pyproject.toml").open("a") as file:
        file.write("# another line\n")
    assert checkout.run("stress-run", FAKE_PIP_FAILS="").returncode == 3
    assert checkout.stamp.read_text() == before
    checkout.calls()
    assert checkout.run("stress-run").returncode == 0
    assert checkout.calls() == ["pip a checkout"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.timeout(2 * START)
def test_an_interrupted_set_up_leaves_neither_stamp_nor_pip(checkout: Checkout, number: signal.Signals) -> None:
    """Ctrl-C ends set-up at once and takes pip along, also when the signal reaches the door alone."""
    with checkout.start("stress-run", FAKE_PIP_GATE="/nowhere") as door:
        checkout.wait_for_pip(door)
        assert alive(str(checkout.path))
        door.send_signal(number)
        out, _ = door.communicate(timeout=START)
    assert (door.returncode, out) == (128 + number, "")
    assert not checkout.stamp.exists()
    assert alive(str(checkout.path)) == []
    assert checkout.run("stress-run").returncode == 0


@pytest.mark.timeout(3 * START)
def test_an_interrupted_refresh_counts_as_nothing(checkout: Checkout) -> None:
    """A library may be half there, so the next start begins from nothing."""
    checkout.run("stress-run")
    checkout.calls()
    with (checkout.path / "pyproject.toml").open("a") as file:
        file.write("# another line\n")
    with checkout.start("stress-run", FAKE_PIP_GATE="/nowhere") as door:
        checkout.wait_for_pip(door)
        door.send_signal(signal.SIGINT)
        door.communicate(timeout=START)
    checkout.calls()
    assert checkout.run("stress-run").returncode == 0
    assert checkout.calls() == ["venv", "pip a checkout"]


@pytest.mark.timeout(3 * START)
def test_two_starts_at_once_set_up_once(checkout: Checkout) -> None:
    """The second says that it waits, then runs in what the first has made."""
    gate = checkout.machine / "gate"
    with checkout.start("stress-run", "1", FAKE_PIP_GATE=str(gate)) as first:
        checkout.wait_for_pip(first)
        with checkout.start("stress-run", "2") as second:
            assert second.stderr is not None
            assert "waiting" in second.stderr.readline()
            gate.touch()
            assert second.communicate(timeout=START) == ("pirace stress 2\n", "")
        assert first.communicate(timeout=START)[0] == "pirace stress 1\n"
    assert checkout.calls() == ["venv", "pip a checkout"]


@pytest.mark.timeout(3 * START)
def test_the_lock_outlives_a_killed_set_up_until_its_pip_ends(checkout: Checkout) -> None:
    """After kill -9 pip still writes into .venv: the next start waits for it, then makes .venv anew."""
    gate = checkout.machine / "gate"
    with checkout.start("stress-run", FAKE_PIP_GATE=str(gate)) as first:
        checkout.wait_for_pip(first)
        first.kill()
        first.wait(START)
        with checkout.start("stress-run") as second:
            assert second.stderr is not None
            assert "waiting" in second.stderr.readline()
            gate.touch()
            assert second.communicate(timeout=START)[0] == "pirace stress\n"
    assert checkout.calls() == ["venv", "pip a checkout"] * 2


@pytest.mark.parametrize("lacking", ["bundle", "bundle venv"])
@pytest.mark.timeout(2 * START)
def test_without_ensurepip_or_venv_the_systems_pip_does_it(checkout: Checkout, lacking: str) -> None:
    """A pip outside .venv is enough, even where the few files that make an environment are laid out by hand."""
    done = checkout.run("stress-run", LACKS=lacking)
    assert (done.returncode, done.stdout) == (0, "pirace stress\n")
    venv, pip = checkout.calls()
    assert (venv, pip) == ("venv --without-pip", "pip a checkout")
    prefix = "import sys; print(sys.prefix, sys.prefix != sys.base_prefix)"
    python = checkout.path / ".venv" / "bin" / "python"
    said = subprocess.run([python, "-c", prefix], capture_output=True, text=True, check=True).stdout
    assert said == f"{checkout.path / '.venv'} True\n"
    assert checkout.run("stress-run").stderr == ""


@pytest.mark.timeout(START)
def test_a_pip_on_the_path_will_do_when_python_has_none(checkout: Checkout) -> None:
    """The pip that is found need not belong to the Python that is used."""
    pip = checkout.machine / "pip3"
    pip.write_text(f'#!/bin/sh\nexec {BASE} "$FAKE_PIP_SOURCE" "$@"\n')
    pip.chmod(0o755)
    assert checkout.run("stress-run", LACKS="bundle venv pip").stdout == "pirace stress\n"


@pytest.mark.parametrize("lacking", [{"LACKS": "venv and pip"}, {"LACKS": "venv", "FAKE_PIP_VERSION": "22.2"}])
@pytest.mark.timeout(START)
def test_without_venv_and_pip_one_line_says_so(checkout: Checkout, lacking: dict[str, str]) -> None:
    """Nothing is announced, nothing touched; the line names what to install."""
    done = checkout.run("stress-run", **lacking)
    assert (done.returncode, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    assert "no pip >= 22.3" in line
    assert "python3-venv" in line
    assert not (checkout.path / ".venv").exists()


def stand_in(checkout: Checkout, name: str, text: str) -> None:
    """Put a program of our own on the machine's PATH."""
    path = checkout.machine / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.timeout(3 * START)
def test_too_old_a_python_or_none_is_one_line(checkout: Checkout) -> None:
    """Whatever Python is lacking, the line says which was found and how to get another."""
    old = '[ "$1" = --version ] && echo "Python 3.9.2"'
    stand_in(checkout, "python3", old)
    named = checkout.run("stress-run")
    del checkout.environment["PIRACE_PYTHON"]
    found = checkout.run("stress-run")
    (checkout.machine / "python3").unlink()
    none = checkout.run("stress-run")
    for done, words in ((named, "PIRACE_PYTHON="), (found, "found Python 3.9.2"), (none, "python3-venv")):
        assert (done.returncode, done.stdout) == (3, "")
        (line,) = done.stderr.splitlines()
        assert words in line
        assert "3.11 or newer" in line


@pytest.mark.timeout(START)
def test_a_later_name_is_tried_when_python3_is_too_old(checkout: Checkout) -> None:
    """Many machines keep an old python3 and have a newer one beside it."""
    del checkout.environment["PIRACE_PYTHON"]
    stand_in(checkout, "python3", "exit 1")
    stand_in(checkout, "python3.13", f'case "$*" in *_bootstrap.py*) echo "${{0##*/}}" ;; *) exec {BASE} "$@" ;; esac')
    assert checkout.run("stress-run").stdout == "python3.13\n"


@pytest.mark.parametrize("machine", ["Linux aarch64", "Darwin x86_64"])
@pytest.mark.timeout(START)
def test_another_kind_of_machine_is_one_line(checkout: Checkout, machine: str) -> None:
    """The atomics are x86-64's and the memory is Linux's."""
    system, processor = machine.split()
    stand_in(checkout, "uname", f'[ "$1" = -s ] && echo {system} || echo {processor}')
    done = checkout.run("stress-run")
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 1)
    assert f"{system} on {processor}" in done.stderr


@pytest.mark.timeout(START)
def test_a_checkout_that_cannot_be_written_is_one_line(checkout: Checkout) -> None:
    """An error of the file system names the file."""
    (checkout.path / ".venv").write_text("in the way")
    done = checkout.run("stress-run")
    assert done.returncode == 3
    assert "cannot set up .venv" in done.stderr.splitlines()[-1]
    assert ".venv" in done.stderr.splitlines()[-1]


@pytest.mark.timeout(2 * START)
def test_variables_that_would_lead_pip_astray_do_not(checkout: Checkout) -> None:
    """A person's settings for other projects must not send this one's libraries elsewhere."""
    stray = {"PIP_TARGET": "/nowhere", "PIP_USER": "1", "PYTHONPATH": "/nowhere"}
    pip = checkout.machine / "pip.py"
    pip.write_text(f"{PIP}\nsys.exit(any(name in os.environ for name in {list(stray)}))\n")
    assert checkout.run("stress-run", **stray).returncode == 0


def test_ci_is_the_test_door_and_nothing_cleverer() -> None:
    """What passes for a person passes in a clean clone, and the other way round."""
    ci = (ROOT / ".ci" / "run").read_text().splitlines()
    assert ci[-1] == 'exec "$(dirname -- "$0")/../scripts/test"'
    assert all(os.access(ROOT / door, os.X_OK) for door in DOORS)
