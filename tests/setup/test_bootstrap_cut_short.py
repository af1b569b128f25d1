"""Set-up that fails, is interrupted or killed, or runs twice at once: the next start finds nothing half done."""

from __future__ import annotations

import signal

import pytest

from tests.setup.checkout import START, Checkout, alive


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
    """Ctrl-C ends set-up at once and takes pip along, also when the signal reaches the script alone."""
    with checkout.start("stress-run", FAKE_PIP_GATE="/nowhere") as script:
        checkout.wait_for_pip(script)
        assert alive(str(checkout.path))
        script.send_signal(number)
        out, _ = script.communicate(timeout=START)
    assert (script.returncode, out) == (128 + number, "")
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
    with checkout.start("stress-run", FAKE_PIP_GATE="/nowhere") as script:
        checkout.wait_for_pip(script)
        script.send_signal(signal.SIGINT)
        script.communicate(timeout=START)
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
