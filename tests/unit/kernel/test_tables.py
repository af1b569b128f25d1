"""The tables of the kernel agree with the machine: a name in them is something there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from emu import machine, reach
from emu.memory import Struct, Words
from hosts.loader.c.operations import OPERATIONS
from hosts.loader.c.rules import Bank, Constant, EmuCall, Instead, PageField, ViewField, WordField, WordsField
from hosts.loader.kernel import bring, calls, dropped, names, structs
from hosts.loader.kernel.environment import KvmEnvironment
from hosts.loader.kernel.signatures import Signature, signatures
from hosts.loader.kernel.taken import INSIDE, NOT_TAKEN, TAKEN
from hosts.loader.program import protocol_scope
from hosts.loader.syntax.names import PRIMITIVES

ADAPTERS = Path(bring.__file__).parent / "adapters"
DEFINED = signatures((path.name, path.read_bytes()) for path in sorted(ADAPTERS.glob("*.c")))
SCOPE, MODULES = protocol_scope()
TABLES = (
    {"BLOCK": calls.BLOCK, "DELIVER": calls.DELIVER, "TRIGGER": calls.TRIGGER, "RUN": calls.RUN_REENTERING},
    *(calls.LIBRARY, calls.SAME, calls.OTHER, calls.VIEWS, calls.LIBRARY_ONLY, dropped.CALLS),
    *(names.PER_CPU, names.OF_PCPU, names.OF_THIS_PCPU),
)


def emu_calls() -> Iterator[tuple[str, EmuCall]]:
    """Return every call of a function of emu."""
    for table in TABLES:
        yield from ((name, rule) for name, rule in table.items() if isinstance(rule, EmuCall))


@pytest.mark.parametrize(("name", "rule"), [*emu_calls()], ids=[name for name, _ in emu_calls()])
def test_each_call_is_one_of_a_function_with_so_many_parameters(name: str, rule: EmuCall) -> None:
    """In an expression that the loader can read; arguments that are not evaluated are not used."""
    for call in (node for node in ast.walk(ast.parse(rule.expression)) if isinstance(node, ast.Call)):
        assert isinstance(call.func, ast.Name)
        if call.func.id in SCOPE.functions:
            assert len(call.args) == len(SCOPE.functions[call.func.id].args.args)
        else:
            assert call.func.id in PRIMITIVES
    used = {int(number) for number in re.findall(r"\b_(\d)\b", rule.expression)}
    assert used == {number for number, kind in enumerate(rule.parameters) if kind != "..."}


def test_what_the_adapters_call_is_there() -> None:
    """A function of the machine, one of the kernel's, or what the tables say of the end of the machine."""
    environment = KvmEnvironment()
    for function in DEFINED.values():
        body = function.body.decode().partition("{")[2]
        for name in set(re.findall(r"\b([a-z_]\w*)\(", body)) - {"if", "for", "sizeof"}:
            known = environment.call(name) is not None or name in DEFINED or name in OPERATIONS
            assert known, f"{function.name} calls {name}"


def test_what_stands_in_for_a_function_is_in_the_adapters() -> None:
    """Each function of the library by its name, and each wrapper of a form."""
    instead = [rule.function for table in TABLES for rule in table.values() if isinstance(rule, Instead)]
    wrappers = [form.wrapper for forms in TAKEN.values() for form in forms if form.wrapper]
    assert {*instead, *wrappers} <= DEFINED.keys()
    unused = {name for name in DEFINED if name.startswith("wrap_")} - set(wrappers)
    assert not unused


def place(owner: type[Struct], path: str) -> object:
    """Return what a path of attributes from a struct of the machine leads to."""
    at: object = owner(64)
    for name in path.split(".") if path else ():
        at = getattr(at, name)
    return at


@pytest.mark.parametrize("tag", structs.FIELDS)
def test_each_field_is_a_place_of_the_machine(tag: str) -> None:
    """A word where a word is said to be, words where words; a view is of a struct that has a table."""
    owner = getattr(machine, structs.STRUCTS[tag].runtime)
    for name, rule in structs.FIELDS[tag].items():
        if isinstance(rule, WordField):
            assert isinstance(place(owner, rule.path), int), name
            assert rule.shift + rule.bits <= 64
        elif isinstance(rule, WordsField):
            assert isinstance(place(owner, rule.path), Words), name
        elif isinstance(rule, ViewField):
            assert rule.tag in structs.STRUCTS, name
            runtime = getattr(machine, structs.STRUCTS[rule.tag].runtime)
            assert isinstance(place(owner, rule.path), runtime), name
        elif isinstance(rule, PageField):
            check_page(owner, rule)


def check_page(owner: type[Struct], page: PageField) -> None:
    """The banks of a page lie apart, and each is words or a constant."""
    taken: list[range] = []
    for bank in page.banks:
        assert isinstance(bank, Bank)
        if bank.constant is None:
            assert isinstance(place(owner, bank.path), Words)
        registers = range(bank.first, bank.first + bank.stride * bank.count)
        assert not [other for other in taken if set(other) & set(registers)]
        taken.append(registers)
    assert not [at for at in page.words for registers in taken if at in registers]


def test_what_is_taken_can_be_replaced() -> None:
    """And what is never taken is a function of the machine, too, so that something is said of each."""
    for name in TAKEN:
        assert not reach.not_replaceable(name, MODULES[name]), name
    assert NOT_TAKEN.keys() <= MODULES.keys()
    assert not NOT_TAKEN.keys() & TAKEN.keys()
    assert set(INSIDE.values()) <= TAKEN.keys()
    assert {form.together for forms in TAKEN.values() for form in forms} - {""} <= TAKEN.keys()


def test_each_dropped_call_and_each_answer_has_a_reason() -> None:
    """It is shown to whoever asks what was left out."""
    for name, rule in {**dropped.CALLS, **names.NAMES}.items():
        assert getattr(rule, "reason", ""), name
    doubled = [name for name in dropped.CALLS if name in calls.SAME or name in calls.OTHER or name in calls.LIBRARY]
    assert not doubled


def test_constants_are_those_of_the_machine() -> None:
    """A request that nobody makes has a number that no word of requests has a bit for."""
    rule = names.NAMES["KVM_REQ_SMI"]
    assert isinstance(rule, Constant)
    assert rule.value == names.NEVER_MADE > 63
    assert not names.CONFIG.keys() & {name for name in names.CONFIG if not names.CONFIG[name]}


def old_and_new() -> tuple[KvmEnvironment, KvmEnvironment]:
    """Return what a kernel before v5.17 is told, and one since."""
    old = b"static bool kvm_vcpu_trigger_posted_interrupt(struct kvm_vcpu *v, bool n)\n{\n}\n"
    old += b"static int vcpu_block(struct kvm *kvm, struct kvm_vcpu *vcpu)\n{\n}\n"
    old += b"int vmx_vcpu_run(struct kvm_vcpu *v)\n{\n\tr = EXIT_FASTPATH_REENTER_GUEST;\n}\n"
    new = b"static void kvm_vcpu_trigger_posted_interrupt(struct kvm_vcpu *v, int vec)\n{\n}\n"
    new += b"static int vcpu_block(struct kvm_vcpu *vcpu)\n{\n}\n"
    first, second = (KvmEnvironment(signatures([("a.c", text)])) for text in (old, new))
    return first, second


def test_calls_are_told_by_the_kernels_version() -> None:
    """By the parameters and the result that its functions have, and by where its loop of re-entries is."""
    old, new = old_and_new()
    assert new.call("kvm_vcpu_trigger_posted_interrupt") == calls.TRIGGER
    assert "take kvm_vcpu_trigger_posted_interrupt, too" in str(old.call("kvm_vcpu_trigger_posted_interrupt"))
    taken = KvmEnvironment(old.signatures, frozenset({"kvm_vcpu_trigger_posted_interrupt"}))
    assert taken.call("kvm_vcpu_trigger_posted_interrupt") == Instead("lib_trigger_v5")
    assert old.call("vcpu_block") == Instead("lib_vcpu_block_v5")
    assert new.call("vcpu_block") == calls.OTHER["emu_vcpu_block"]
    assert old.call("kvm_x86_ops.run") == calls.RUN_REENTERING
    assert new.call("kvm_x86_ops.run") == calls.OTHER["kvm_x86_ops.run"]


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("static_call(kvm_x86_deliver_interrupt)", "kvm_x86_ops.deliver_interrupt"),
        ("static_call_cond(kvm_x86_sync_pir_to_irr)", "kvm_x86_ops.sync_pir_to_irr"),
        ("kvm_x86_call(vcpu_run)", "kvm_x86_ops.vcpu_run"),
        ("kvm_x86_ops.run", "kvm_x86_ops.run"),
        ("kvm_x86_ops.nested_ops->check_events", "kvm_x86_ops.nested_ops.check_events"),
        ("apic->send_IPI_mask", "apic.send_IPI_mask"),
        ("vcpu->ops->go", None),
    ],
)
def test_a_call_through_a_table_of_functions_has_one_name(text: str, function: str | None) -> None:
    """However the version spells it; any other pointer to a function is nobody's."""
    assert KvmEnvironment().callee(text) == function


def test_a_stub_comes_before_everything() -> None:
    """Whatever the tables say of the name."""
    environment = KvmEnvironment(stubs={"kvm_vcpu_kick": 0, "kvm_foo": -1})
    for name, value in environment.stubs.items():
        rule = environment.call(name)
        assert isinstance(rule, Constant)
        assert rule.value == value


def test_signatures_are_read_as_they_are_written() -> None:
    """Over several lines, with comments, of any linkage; not of declarations."""
    text = b"""int declared(int a);
static __always_inline bool
first(struct kvm_vcpu *vcpu, /* who */
      unsigned long *pir)
{
}
void second(void)
{
}
"""
    found = signatures([("a.c", text)])
    assert found == {
        "first": Signature(
            "first",
            "a.c",
            3,
            ("struct kvm_vcpu *vcpu", "unsigned long *pir"),
            "static __always_inline bool",
            found["first"].body,
        ),
        "second": Signature("second", "a.c", 7, (), "void", b"void second(void)\n{"),
    }
    assert [each.gives for each in found.values()] == [True, False]
