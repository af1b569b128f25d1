"""Instruments that attach to a user's code: where the loader puts them, and that none is forgotten."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from emu.observe import is_instrument
from emu.observe.attach import CALLS, CHAIN, FUNCTIONS, INSTEAD, KEPT, MODULES, READ, WORDS, WRITTEN
from hosts.loader.attach.places import Fields, PlacesOf
from hosts.loader.attach.program import OBSERVED
from hosts.loader.primitives import ACCESSES
from hosts.loader.program import PolicyError, Program, load_program
from hosts.loader.syntax.anf import normalise
from hosts.loader.syntax.names import calls
from tests.unit.loader.patches import patched, replaceable

NOTHING_NEW = """
from emu.machine import Vcpu
from emu.waist import local_read

def kvm_cpu_has_pending_timer(vcpu: Vcpu) -> int:
    return local_read(vcpu.apic.timer_pending)
"""
TRIGGER = """
from emu.policies import always_2021

def kvm_vcpu_trigger_posted_interrupt(vcpu, vec):
    always_2021(vcpu, vec)
"""
TRIGGER_THAT_CLEARS = """
from emu.posted_intr import pi_clear_on

def kvm_vcpu_trigger_posted_interrupt(vcpu, vec):
    pi_clear_on(vcpu.pi_desc)
"""


@pytest.fixture(scope="module")
def emu() -> Program:
    """Load emu."""
    return load_program()


@pytest.fixture(scope="module")
def attached(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Load emu with a patch that changes nothing."""
    return patched(tmp_path_factory.mktemp("nothing"), NOTHING_NEW)


def machine(program: Program) -> dict[str, ast.FunctionDef]:
    """Return the machine's functions."""
    return {name: tree for name, tree in program.trees.items() if program.functions[name].__module__ in MODULES}


def instruments(tree: ast.FunctionDef, program: Program) -> set[str]:
    """Return the instruments that a function calls."""
    return {name for name in calls(tree) if name in program.trees and is_instrument(program.functions[name].__module__)}


def test_every_probe_of_the_machine_has_something_in_its_place(emu: Program) -> None:
    """In the table, or it stays; and the table names no probe that there is not."""
    theirs = set().union(*(instruments(tree, emu) for tree in machine(emu).values()))
    assert theirs == INSTEAD.keys() | KEPT


def test_only_functions_that_are_not_replaced_keep_their_probes(emu: Program) -> None:
    """Nobody would put them back into a user's function."""
    free = replaceable()
    keep = {name for name, tree in machine(emu).items() if instruments(tree, emu) & KEPT}
    assert keep
    assert not keep & free.keys()


def test_what_the_table_names_is_in_the_machine(emu: Program) -> None:
    """Functions, and what is called."""
    assert not FUNCTIONS.keys() - emu.trees.keys()
    assert not {name for name in {*CALLS, *CHAIN} if name not in emu.trees and name not in emu.namespace}
    within = set().union(*(row.within for row in CALLS.values()))
    assert not within - emu.trees.keys()


def test_nothing_is_attached_without_a_users_code(emu: Program) -> None:
    """Not even loaded."""
    assert not [name for name, function in emu.functions.items() if function.__module__ == OBSERVED]


def test_to_replace_the_trigger_alone_attaches_nothing(emu: Program, tmp_path: Path) -> None:
    """The machine's own probes stand around it."""
    program = patched(tmp_path, TRIGGER)
    assert not [name for name, function in program.functions.items() if function.__module__ == OBSERVED]
    for name, tree in machine(emu).items():
        assert instruments(tree, emu) == instruments(program.trees[name], program)


def test_a_trigger_that_touches_the_descriptor_is_watched(tmp_path: Path) -> None:
    """Also if it lets one of emu's functions do it."""
    assert "observed_before_control" in patched(tmp_path, TRIGGER_THAT_CLEARS).source("pi_clear_on")


def test_each_probe_is_attached_to_the_machine_or_called_by_what_is(emu: Program, attached: Program) -> None:
    """Whether a function is a user's or the machine's makes no difference, so that nothing is counted twice."""
    reached = set().union(*(instruments(tree, attached) for tree in machine(attached).values()))
    for name, function in attached.functions.items():
        if function.__module__ == OBSERVED:
            reached |= instruments(attached.trees[name], attached)
    # seen and counted by other means, each in emu.observe.probes.observed
    by_itself = {"probe_before_on", "probe_pir_was_set", "probe_pir_read"}
    assert INSTEAD.keys() - reached == by_itself


def test_the_machine_changes_watched_words_only_where_that_is_seen(emu: Program) -> None:
    """Of each operation of the machine it is known whether its word is watched."""
    fields = Fields(emu.namespace.values(), {*WORDS, *READ, *WRITTEN})
    seen = set()
    for tree in machine(emu).values():
        places = PlacesOf(tree, fields)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ACCESSES:
                found = places.of(node.args[ACCESSES[node.func.id].word])
                assert found is not None, ast.unparse(node)
                seen |= found
    assert seen == {*WORDS, *READ}


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("x = vcpu.pi_desc.pir[i]", {"PiDesc.pir"}),
        ("pir = vcpu.pi_desc.pir\nx = pir[i]", {"PiDesc.pir"}),
        ("desc = vcpu.pi_desc\nx = desc.control if i else desc.pir[0]", {"PiDesc.control", "PiDesc.pir"}),
        ("x = vcpu.apic.vtpr", set()),
        ("a, x = vcpu.apic.vtpr, vcpu.mode", {"Vcpu.mode"}),
        ("x = vcpu.mode\nx = given", None),
        ("x = given", None),
        ("x = somewhere(vcpu)", None),
    ],
)
def test_a_words_place_is_found_through_names(emu: Program, body: str, wanted: set[str] | None) -> None:
    """However it is called on the way; what a function is given, or another one gives, is anybody's guess."""
    text = "def f(vcpu, i, given):\n" + "\n".join(f"    {line}" for line in body.split("\n"))
    (tree,) = ast.parse(text).body
    assert isinstance(tree, ast.FunctionDef)
    places = PlacesOf(normalise(tree, {"BIT"}.__contains__), Fields(emu.namespace.values(), WORDS))
    assert places.of(ast.Name("x", ast.Load())) == wanted


SEVERAL = """
from emu.kvm_main import kvm_request_pending
from emu.lapic import kvm_apic_set_irq
from emu.machine import machine, smp_processor_id
from emu.vectors import SLOT_DEVICE, vector_of
from emu.waist import test_and_set_bit

def turn_on(word, nr):
    return test_and_set_bit(nr, word)

def pi_test_and_set_on(pi_desc):
    return turn_on(pi_desc.control, 0)

def kvm_vcpu_check_block(v):
    v2 = v
    if kvm_request_pending(v2):
        return 1
    return 0

def kvm_vcpu_halt(it):
    it = it
    while True:
        if kvm_request_pending(it):
            return

def vfio_msihandler():
    kvm_apic_set_irq(machine().vcpus[smp_processor_id()], vector_of(SLOT_DEVICE))
"""


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Load a patch of several functions."""
    return patched(tmp_path_factory.mktemp("several"), SEVERAL)


def test_an_operation_in_a_helper_is_watched_by_the_words_address(several: Program) -> None:
    """The helper may be given any word."""
    assert "observed_any_changed(word, BIT(" in several.source("user_turn_on")
    assert "observed" not in several.source("pi_test_and_set_on")


def test_what_belongs_to_the_end_of_a_function_is_before_every_return(several: Program) -> None:
    """With the function's result, and with what it was given, whatever it is called and has become."""
    assert several.source("kvm_vcpu_check_block").count("observed_events_checked(_pirace_result)") == 2
    halt = several.source("kvm_vcpu_halt")
    assert "_pirace_given_it = it" in halt
    assert "trace_kvm_vcpu_wakeup(_pirace_given_it)\n            return" in halt


def test_a_function_that_hands_a_vector_to_the_apic_posts(several: Program) -> None:
    """Though it is none that posts in emu: the call is the post."""
    text = several.source("vfio_msihandler")
    assert text.index("observed_post_begin(") < text.index("kvm_apic_set_irq(") < text.index("observed_post_end(")


HELPER_OF_BOTH = """
from emu.lapic import __apic_accept_irq
from emu.machine import machine

def hand_over(vcpu, vector):
    return __apic_accept_irq(vcpu, vector)

def kvm_apic_set_irq(vcpu, vector):
    return hand_over(vcpu, vector)

def handle_fastpath_set_x2apic_icr(vcpu, qualification):
    hand_over(machine().vcpus[0], 0x61)
    return 1
"""


def test_a_helper_that_is_a_post_and_a_part_of_one_is_refused(tmp_path: Path) -> None:
    """With the line: nobody could say where the post begins."""
    with pytest.raises(PolicyError, match=r"fix\.py:12: hand_over hands a vector to the APIC, here as a post"):
        patched(tmp_path, HELPER_OF_BOTH)


@pytest.mark.parametrize("name", ["detach_task", "hrtimer_interrupt", "vmx_pi_start_assignment"])
def test_effects_stay_marked_in_what_nobody_replaces(attached: Program, name: str) -> None:
    """Where they are, so that a checker sees no gap in the machine's own functions when a user's stand beside them."""
    assert {"probe_effects_begin", "probe_effects_end"} <= instruments(attached.trees[name], attached)
