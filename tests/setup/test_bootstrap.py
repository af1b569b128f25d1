"""From a fresh machine to a running command: when .venv is made, refreshed, or left as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.setup.checkout import PIP, START, Checkout


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


@pytest.mark.timeout(2 * START)
def test_variables_that_would_lead_pip_astray_do_not(checkout: Checkout) -> None:
    """A person's settings for other projects must not send this one's libraries elsewhere."""
    stray = {"PIP_TARGET": "/nowhere", "PIP_USER": "1", "PYTHONPATH": "/nowhere"}
    pip = checkout.machine / "pip.py"
    pip.write_text(f"{PIP}\nsys.exit(any(name in os.environ for name in {list(stray)}))\n")
    assert checkout.run("stress-run", **stray).returncode == 0
