"""What each script in `scripts/` runs, and what it installs for that."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.setup.checkout import ROOT, SCRIPTS, START, Checkout


@pytest.mark.timeout(START)
def test_a_script_may_be_reached_by_a_link_and_from_anywhere(checkout: Checkout, tmp_path: Path) -> None:
    """A link in a person's own bin folder finds its way to the checkout."""
    link = tmp_path / "stress-run"
    link.symlink_to(checkout.path / "scripts" / "stress-run")
    done = subprocess.run([link, "x"], env=checkout.environment, cwd="/", capture_output=True, text=True, check=False)
    assert done.stdout == "pirace stress x\n"
    assert checkout.stamp.exists()


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


RUFF_AND_MYPY = ["ruff check .", "ruff format --check .", "mypy"]
PARALLEL = "-n 2 --dist worksteal"


def ran(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return what a script has run, and what it said besides."""
    return [line for line in done.stdout.splitlines() if not line.startswith("==")]


@pytest.mark.timeout(3 * START)
def test_test_runs_every_check_even_after_one_has_failed(checkout: Checkout) -> None:
    """All checks are reported in one go, pytest's among them, and any failure fails the whole."""
    left_out = "the slow tests were left out: ./scripts/test --all runs everything"
    checks = [*RUFF_AND_MYPY, f"pytest {PARALLEL} -m not alone", "pytest -m alone"]
    done = checkout.run("test", FAKE_FAILING="mypy")
    assert ran(done) == [*checks, "failed: mypy", left_out]
    assert done.returncode == 1
    done = checkout.run("test")
    assert ran(done) == [*checks, left_out]
    assert done.returncode == 0
    assert ran(checkout.run("test", "--all")) == [*RUFF_AND_MYPY, *(f"{check} --all" for check in checks[3:])]


@pytest.mark.timeout(2 * START)
def test_check_runs_the_unit_tests(checkout: Checkout) -> None:
    """Without those that search, and nothing after what has failed."""
    done = checkout.run("check", "-x")
    without = "--ignore tests/unit/audit --ignore tests/unit/explore_cli"
    assert ran(done) == [*RUFF_AND_MYPY, f"pytest {PARALLEL} {without} tests/unit -x"]
    failed = checkout.run("check", FAKE_FAILING="mypy")
    assert ran(failed) == RUFF_AND_MYPY
    assert failed.returncode == 1


def test_ci_is_the_test_script_in_full_and_nothing_cleverer() -> None:
    """What passes for a person passes in a clean clone, and the other way round."""
    ci = (ROOT / ".ci" / "run").read_text().splitlines()
    assert ci[-1] == 'exec "$(dirname -- "$0")/../scripts/test" --all'
    assert all(os.access(ROOT / script, os.X_OK) for script in SCRIPTS)
