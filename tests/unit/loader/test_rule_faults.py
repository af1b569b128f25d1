"""What a user's rule does wrong at run time ends the run: told as the rule's, with its line, in one wording."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.rulechecks import MOST_TURNS
from emu.workload.setup import power_on
from hosts.loader.program import Program, load_program
from hosts.loader.rule.faults import RuleFault
from hosts.sequential import SequentialHost
from tests.unit.loader.rules import helpers, loaded

FAULTS = {
    "apic_send_IPI(99, vec)": "sends an IPI to pCPU 99; this machine has 0 to 1",
    "apic_send_IPI(-1, vec)": "sends an IPI to pCPU -1; this machine has 0 to 1",
    "apic_send_IPI(vcpu.cpu, 99999)": "uses vector 99999; a vector is 0 to 255",
    "apic_send_IPI(vec, vcpu.cpu)": "sends an IPI to pCPU 242; this machine has 0 to 1",
    "elide_self_2022(vcpu, 256)": "uses vector 256; a vector is 0 to 255",
    "pi_test_and_set_pir(-1, vcpu.pi_desc)": "uses vector -1; a vector is 0 to 255",
    "kvm_make_request(64, vcpu)": "uses bit 64; a word has bits 0 to 63",
    "set_bit(vec, vcpu.requests)": "uses bit 242; a word has bits 0 to 63",
    "x = BIT(64)": "uses bit 64; a word has bits 0 to 63",
    "x = vec >> 64": "shifts by 64; a word is shifted by 0 to 63",
    "x = vec >> -1": "shifts by -1; a word is shifted by 0 to 63",
    "x = 1 << 64": "shifts by 64; a word is shifted by 0 to 63",
    "x = 7\nx >>= vec": "shifts by 242; a word is shifted by 0 to 63",
    "x = vec // vcpu.mode": "divides by zero",
    "x = vec % 0": "divides by zero",
    "x = 7\nx //= vcpu.mode": "divides by zero",
    "x = vcpu.pi_desc.pir[4]": "has index 4; what it indexes has 0 to 3",
    "x = vcpu.pi_desc.pir[-1]": "has index -1; what it indexes has 0 to 3",
    "x = machine().vcpus[vec].mode": "has index 242; what it indexes has 0 to 63",
    "x = (1, 2)[vec]": "has index 242; what it indexes has 0 to 1",
    "WRITE_ONCE(vcpu.mode, 7)": "writes 7 into vcpu.mode; a mode is 0 to 2",
    "cmpxchg(vcpu.mode, 0, vec)": "writes 242 into vcpu.mode; a mode is 0 to 2",
    "w = vcpu.mode\nxchg(w, -1)": "writes -1 into vcpu.mode; a mode is 0 to 2",
    "WRITE_ONCE(vcpu.wait.state, 3)": "writes 3 into a word that holds 0 to 2",
    "x = kvm_get_running_vcpu().mode": "uses a vCPU that is not there",
    "kvm_vcpu_kick(kvm_get_running_vcpu())": "uses a vCPU that is not there",
    "while True: pass": "goes round a loop 100,000 times and does nothing: it does not come to an end",
    "while vec: x = kvm_get_running_vcpu()": "goes round a loop 100,000 times and does nothing",
    "for i in range(1 << 40): pass": "goes round a loop 100,000 times and does nothing",
}

RIGHT = [
    "apic_send_IPI(1, 0)",
    "apic_send_IPI(vcpu.cpu, 255)",
    "set_bit(63, vcpu.requests)",
    "x = (1, 2)[vcpu.mode]",
    "x = vec // 7 + vec % 3",
    "WRITE_ONCE(vcpu.mode, 2)",
    f"for i in range({MOST_TURNS}): pass",
    "i = 0\nwhile i < 1000: i += 1",
    "x = machine().vcpus[63].mode",
    "x = kvm_get_running_vcpu() == vcpu",
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Load all of them at once, each as a helper of one rule."""
    return loaded(tmp_path_factory.mktemp("rules"), helpers([*FAULTS, *RIGHT]))


@pytest.fixture
def host() -> SequentialHost:
    """Return a machine of two pCPUs, on none of which a vCPU runs."""
    host = SequentialHost()
    power_on(host.machine, 2, 1, host.poke)
    return host


@pytest.mark.parametrize("text", FAULTS)
def test_what_no_machine_can_do_ends_the_run_with_the_line(program: Program, host: SequentialHost, text: str) -> None:
    """A fault of the rule, told with its line; nothing outside of the machine is touched."""
    function = program.functions[f"user_case{list(FAULTS).index(text)}"]
    with host, pytest.raises(RuleFault) as error:
        function(host.machine.vcpus[0], 0xF2)
    assert FAULTS[text] in error.value.reason
    line = function.__code__.co_firstlineno + 1 + text.count("\n")
    assert error.value.told(["mine.py"]) == f"mine.py:{line}: {error.value.reason}"


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_is_not_held_up(program: Program, host: SequentialHost, text: str) -> None:
    """Numbers at both ends of what is allowed, and loops that end."""
    function = program.functions[f"user_case{len(FAULTS) + RIGHT.index(text)}"]
    with host:
        assert function(host.machine.vcpus[0], 0xF2) is None


def test_a_loop_that_waits_for_others_is_not_counted(tmp_path: Path) -> None:
    """Others may end it: how long it lasts is no fault of the rule."""
    program = loaded(
        tmp_path,
        """
        def look(one): return one.mode
        def rule(vcpu, vec):
            while look(vcpu) == 1: pass
            while vcpu.requests == 0: pass
        """,
    )
    assert "checked_turn" not in program.source("user_kvm_vcpu_trigger_posted_interrupt")


def test_the_emulated_kernel_itself_is_not_checked() -> None:
    """It costs nothing where there is no user's rule, and little where there is one."""
    program = load_program()
    assert not any(name.startswith("checked_") for name in program.functions)
    assert not any("checked_" in program.source(name) or "rule_fault" in program.source(name) for name in program.trees)
