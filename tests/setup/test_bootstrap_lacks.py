"""Set-up on machines that lack something: it uses what there is, or names in one line what is missing."""

from __future__ import annotations

import subprocess

import pytest

from tests.setup.checkout import BASE, START, Checkout


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
