"""A word used as a value is a read, as in C; whatever has no meaning is refused with its line and what to write."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from emu import reach
from emu.machine import Machine
from emu.memory import Struct
from emu.rulechecks import FAULT_INDEX
from hosts.loader.program import Program, load_program
from hosts.loader.rule.bounds import Bounds
from hosts.loader.rule.guards import Guards
from hosts.loader.syntax.language import PolicyError
from hosts.loader.syntax.names import PRIMITIVES, calls
from tests.unit.loader.rules import FIRST, helpers, loaded
from tests.unit.loader.synthetic import same


def body(program: Program, function: str = "user_kvm_vcpu_trigger_posted_interrupt") -> str:
    """Return what became of a function, without interrupt points and names of results."""
    lines = program.source(function).splitlines()[1:]
    return textwrap.dedent("\n".join(line for line in lines if "interrupt_point" not in line))


RULES = {
    "a comparison": ("if vcpu.mode == IN_GUEST_MODE: pass", "t1 = READ_ONCE(vcpu.mode)\nif t1 == IN_GUEST_MODE: pass"),
    "on the right": ("if IN_GUEST_MODE == vcpu.mode: pass", "t1 = READ_ONCE(vcpu.mode)\nif IN_GUEST_MODE == t1: pass"),
    "both sides": (
        "if vcpu.mode < vcpu.cpu: pass",
        "t1 = READ_ONCE(vcpu.mode)\nt2 = READ_ONCE(vcpu.cpu)\nif t1 < t2: pass",
    ),
    "a chain, whose middle is read once": (
        "if 0 < vcpu.mode < 2: pass",
        "t1 = READ_ONCE(vcpu.mode)\nif 0 < t1 < 2: pass",
    ),
    "arithmetic": ("x = vcpu.requests & 4 | vec", "t1 = READ_ONCE(vcpu.requests)\nx = t1 & 4 | vec"),
    "a sign": ("x = -vcpu.mode", "t1 = READ_ONCE(vcpu.mode)\nx = -t1"),
    "truth": ("if vcpu.requests: pass", "t1 = READ_ONCE(vcpu.requests)\nif t1: pass"),
    "not": ("if not vcpu.requests: pass", "t1 = READ_ONCE(vcpu.requests)\nif not t1: pass"),
    "and": (
        "if vec and vcpu.mode: pass",
        "t1 = bool(vec)\nif t1:\n    t2 = READ_ONCE(vcpu.mode)\n    t1 = bool(t2)\nif t1: pass",
    ),
    "a choice": (
        "x = vcpu.mode if vec else 3",
        "if vec:\n    t2 = READ_ONCE(vcpu.mode)\n    t1 = t2\nelse:\n    t1 = 3\nx = t1",
    ),
    "while": (
        "while vcpu.mode == 2: smp_mb()",
        "while True:\n    t1 = READ_ONCE(vcpu.mode)\n    if not t1 == 2: break\n    smp_mb()",
    ),
    "match": (
        "match vcpu.mode:\n    case 1: pass",
        "t1 = READ_ONCE(vcpu.mode)\nmatch t1:\n    case 1: pass",
    ),
    "the value of a store": (
        "WRITE_ONCE(vcpu.requests, vcpu.mode)",
        "t1 = READ_ONCE(vcpu.mode)\nWRITE_ONCE(vcpu.requests, t1)",
    ),
    "by the parameter's name": (
        "WRITE_ONCE(value=vcpu.mode, word=vcpu.requests)",
        "t1 = READ_ONCE(vcpu.mode)\nWRITE_ONCE(value=t1, word=vcpu.requests)",
    ),
    "a local is read where it is assigned": (
        "x = vcpu.mode\nif x == 1 or x == 2: pass",
        "x = READ_ONCE(vcpu.mode)\nif x == 1 or x == 2: pass",
    ),
    "a local that is a number at other times": (
        "x = 0\nif vec: x = vcpu.mode\nif x: pass",
        "x = 0\nif vec: x = READ_ONCE(vcpu.mode)\nif x: pass",
    ),
    "a local that is used as a word stays one": (
        "x = vcpu.requests\nWRITE_ONCE(x, READ_ONCE(x) | 1)",
        "x = vcpu.requests\nt1 = READ_ONCE(x)\nWRITE_ONCE(x, t1 | 1)",
    ),
    "so does one that it is handed on to": (
        "x = vcpu.requests\ny = x\nset_bit(3, y)",
        "x = vcpu.requests\ny = x\nset_bit(3, y)",
    ),
    "one of two words": (
        "x = vcpu.requests if vec else vcpu.apic.vtpr\nset_bit(3, x)",
        "x = vcpu.requests if vec else vcpu.apic.vtpr\nset_bit(3, x)",
    ),
    "an addition": ("x = 1\nx += vcpu.mode", "x = 1\nt1 = READ_ONCE(vcpu.mode)\nx += t1"),
    "several at once": (
        "x, y = vcpu.mode, vcpu.cpu\nif x < y: pass",
        "t1 = READ_ONCE(vcpu.mode)\nt2 = READ_ONCE(vcpu.cpu)\nx, y = (t1, t2)\nif x < y: pass",
    ),
    "one of several words": (
        "if vcpu.pi_desc.pir[3] != 0: pass",
        "t1 = READ_ONCE(vcpu.pi_desc.pir[3])\nif t1 != 0: pass",
    ),
    "an index": (
        "x = READ_ONCE(vcpu.pi_desc.pir[vcpu.mode])",
        "t1 = READ_ONCE(vcpu.mode)\nt2 = checked_below(WHERE, t1, 4)\nx = READ_ONCE(vcpu.pi_desc.pir[t2])",
    ),
    "through other structs": (
        "other = machine().vcpus[0]\nif other.apic.vtpr > 0: pass",
        "other = machine().vcpus[0]\nt1 = READ_ONCE(other.apic.vtpr)\nif t1 > 0: pass",
    ),
    "what is read already": ("if READ_ONCE(vcpu.mode): pass", "t1 = READ_ONCE(vcpu.mode)\nif t1: pass"),
    "two of one kind": (
        "if vcpu != kvm_get_running_vcpu(): pass",
        "t1 = kvm_get_running_vcpu()\nif vcpu != t1: pass",
    ),
    "whether there is one": ("if not kvm_get_running_vcpu(): pass", "t1 = kvm_get_running_vcpu()\nif not t1: pass"),
}


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Load all of them at once, each as a helper of one rule."""
    return loaded(tmp_path_factory.mktemp("rules"), helpers([before for before, _ in RULES.values()]))


@pytest.mark.parametrize("case", RULES)
def test_a_word_is_read_where_a_number_belongs(rules: Program, case: str) -> None:
    """Once, where it stands; where a word belongs it stays what it is."""
    _, after = RULES[case]
    name = f"user_case{list(RULES).index(case)}"
    for number in range(1, 4):
        after = after.replace(f"t{number}", f"_pirace_{number}")
    where = rules.functions[name].__code__.co_firstlineno + 1 << 8 | FAULT_INDEX
    assert same(body(rules, name)) == same(after.replace("WHERE", str(where)))


def test_helpers_take_and_give_what_they_are_used_for(tmp_path: Path) -> None:
    """A parameter is read by the caller unless it is used as a word; a result is a value unless it is annotated."""
    program = loaded(
        tmp_path,
        """
        def is_in(mode): return mode == IN_GUEST_MODE
        def clear(word): WRITE_ONCE(word, 0)
        def mode_of(one): return one.mode
        def word_of(one) -> Word: return one.requests
        def rule(vcpu, vec):
            if is_in(vcpu.mode): clear(vcpu.requests)
            if mode_of(vcpu) == 1: set_bit(2, word_of(vcpu))
        """,
    )
    assert "is_in(_pirace_1)" in body(program).replace("user_", "")
    assert "clear(vcpu.requests)" in body(program).replace("user_", "")
    assert same(body(program, "user_is_in")) == "return mode == IN_GUEST_MODE"
    assert same(body(program, "user_mode_of")).startswith("_pirace_1 = READ_ONCE(one.mode)")
    assert same(body(program, "user_word_of")) == "return one.requests"


REFUSED = {
    "if vcpu == 1: pass": "compared (== or !=) with one of its kind; vcpu is a Vcpu and 1 is a number",
    "if vcpu == None: pass": "a vCPU that is not there is false",
    "if vcpu.pi_desc == vcpu: pass": "vcpu.pi_desc is a PiDesc and vcpu is a Vcpu",
    "if vcpu.pi_desc.pir: pass": "several words, and a number belongs here: name one of them, as vcpu.pi_desc.pir[0]",
    "x = vcpu + 1": "vcpu is a Vcpu, and a number belongs here: name one of its words, as vcpu.mode",
    "x = machine().vcpus == 3": "an array of Vcpu, and a number belongs here",
    "READ_ONCE(vcpu)": "READ_ONCE() takes a word, as READ_ONCE(vcpu.mode) does; vcpu is a Vcpu",
    "READ_ONCE(3)": "READ_ONCE() takes a word, as READ_ONCE(vcpu.mode) does; 3 is a number",
    "READ_ONCE(READ_ONCE(vcpu.mode))": "READ_ONCE(vcpu.mode) is a number",
    "READ_ONCE(vcpu.mode + 8)": "vcpu.mode + 8 is a number",
    "READ_ONCE(vcpu.pi_desc.pir)": "vcpu.pi_desc.pir is several words",
    "set_bit(vcpu.requests, 3)": "set_bit() takes a word, as READ_ONCE(vcpu.mode) does; 3 is a number",
    "kvm_vcpu_kick(vec)": "kvm_vcpu_kick() takes a Vcpu; vec is a number",
    "kvm_vcpu_kick(vcpu.mode)": "kvm_vcpu_kick() takes a Vcpu; vcpu.mode is a word",
    "pi_test_on(vcpu)": "pi_test_on() takes a PiDesc; vcpu is a Vcpu",
    "x = vcpu.mode\n    xchg(x, 1)\n    x + 1": "x is a word, as line 10 uses it as one; its value is READ_ONCE(x)",
    "x = 0\n    x = vcpu.mode\n    READ_ONCE(x)": "x is a number",
    "x = vcpu\n    x = vec": "x is a Vcpu here and something else elsewhere: use two names",
    "x = vcpu if vec else 3": "vcpu if vec else 3 is a Vcpu or a number",
    "x = kvm_vcpu_kick(vcpu)": "kvm_vcpu_kick(vcpu) gives nothing to be kept",
    "if kvm_vcpu_kick(vcpu): pass": "kvm_vcpu_kick(vcpu) gives nothing, and a number belongs here",
    "vcpu.mode = EXITING_GUEST_MODE": "written by WRITE_ONCE(vcpu.mode, EXITING_GUEST_MODE) or its like",
    "vcpu.requests |= 1": "written by WRITE_ONCE(vcpu.requests, vcpu.requests | 1) or its like",
    "vcpu.pi_desc.pir[0] = 1": "written by WRITE_ONCE(vcpu.pi_desc.pir[0], 1) or its like",
    "x = vcpu.vppr": "a Vcpu has no field vppr; it has pi_desc, mode, cpu",
    "x = vec.mode": "vec is a number: it has no field mode",
    "x = vec[0]": "vec is a number: it has no parts",
    "x = Vcpu(4096)": "a rule makes no address",
    "READ_ONCE(Word(4096))": "a rule makes no address",
    # what is not a rule's
    "WRITE_ONCE(vcpu.pi_desc.software[0], 7)": "software[0] is an instrument's",
    "x = vcpu.pi_desc.software[0]": "software[0] is an instrument's",
    "x = vcpu.pi_desc.software[vec]": "software[0] is an instrument's",
    "s = vcpu.pi_desc.software\n    x = s[0]": "software[0] is an instrument's",
    "x = vcpu.untold[0]": "vcpu.untold is an instrument's: a rule neither reads nor writes it",
    "x = this_pcpu().told": "this_pcpu().told is an instrument's",
    "x = this_pcpu().marks": "this_pcpu().marks is an instrument's",
    "x = vcpu.guest.turn": "vcpu.guest.turn is the workload's",
    "x = config()": "config() is the workload's: a rule does not call it",
    "x = machine().config": "machine().config is the workload's",
    "WRITE_ONCE(vcpu.cpu, 1)": "Vcpu.cpu is the machine's to write: a rule only reads it",
    "w = vcpu.cpu\n    xchg(w, 1)": "Vcpu.cpu is the machine's to write",
    "set_bit(1, vcpu.mode)": "Vcpu.mode is written by WRITE_ONCE, xchg or cmpxchg",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_has_no_meaning_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    """And says what to write instead, where there is something."""
    with pytest.raises(PolicyError) as error:
        loaded(tmp_path, f"def rule(vcpu, vec):\n    {text}\n")
    assert REFUSED[text] in error.value.reason
    assert error.value.line in range(FIRST + 1, FIRST + 2 + text.count("\n"))


@pytest.mark.parametrize("name", ["peek", "mark", "send_IPI", "local_read", "apic_ack", "memory", "rule_fault"])
def test_other_primitives_are_not_a_rules_to_call(tmp_path: Path, name: str) -> None:
    """What instruments, hosts and the run's course are made of."""
    arguments = ", ".join(["1"] * PRIMITIVES[name].__code__.co_argcount)
    with pytest.raises(PolicyError, match=f"{name}.. is not a rule's to call"):
        loaded(tmp_path, f"from emu.waist import {name}\ndef rule(vcpu, vec): {name}({arguments})\n")


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("observe.ghost", "count(1)"),
        ("observe.checkers", "check_stay(vcpu)"),
        ("observe.tracepoints", "trace_kvm_entry(vcpu)"),
        ("rulechecks", "checked_cpu(1, 1)"),
        ("guest", "guest_eoi_due(vcpu)"),
        ("workload.program", "guest_step(vcpu)"),
        ("observe.probes.post", "probe_trigger_begin(vcpu, 1)"),
        ("observe.probes.sync", "probe_before_on_cleared(vcpu)"),
    ],
)
def test_functions_of_instruments_and_workload_are_not_a_rules_to_call(tmp_path: Path, module: str, call: str) -> None:
    """A rule that counts, marks or acts for the guest would deceive whoever looks on."""
    with pytest.raises(PolicyError, match="a rule does not call it"):
        loaded(tmp_path, f"from emu.{module} import {call.partition('(')[0]}\ndef rule(vcpu, vec): {call}\n")


def test_a_rule_may_keep_a_note_in_the_descriptors_free_words(tmp_path: Path) -> None:
    """Two of the three words for software are nobody's."""
    program = loaded(tmp_path, "def rule(vcpu, vec): WRITE_ONCE(vcpu.pi_desc.software[1], 7)\n")
    assert "WRITE_ONCE(vcpu.pi_desc.software[1], 7)" in body(program)


def structs(of: type[Struct]) -> Iterator[type[Struct]]:
    """Return a struct's class and those of all inside it."""
    yield of
    for each in of.fields.values():
        if isinstance(each.of, type) and issubclass(each.of, Struct):
            yield from structs(each.of)


def test_what_is_out_of_reach_is_there() -> None:
    """Each word, function, module and primitive that is named exists: a renamed one would be free for all."""
    fields = {f"{struct.__name__}.{name}" for struct in structs(Machine) for name in struct.fields}
    program = load_program()
    modules = {function.__module__ for function in program.functions.values()}
    assert fields >= {*reach.WORDS, *reach.READ_ONLY, *reach.BELOW, reach.SOFTWARE}
    assert set(program.functions) >= set(reach.FUNCTIONS)
    assert modules | {"emu.rulechecks"} >= set(reach.MODULES)
    owners = {reach.owner("f", module) for module in modules}
    assert owners == {"", reach.INSTRUMENT, reach.WORKLOAD, reach.PROCESSOR, reach.SCHEDULER, reach.DEVICE}
    assert set(PRIMITIVES) >= reach.PRIMITIVES


UNCHECKED = {
    *("value", "old", "new", "word", "word0", "word1", "word2", "word3", "bits", "destination"),
    *("on_was_set", "from_timer_fn", "deadline", "control", "flags"),
}
"""Parameters that may be any number: nothing is looked up by them."""


def test_every_number_that_a_rule_hands_on_is_checked_or_may_be_any() -> None:
    """A new parameter of the emulated kernel has to be thought about."""
    program = load_program()
    reached = {
        name for name, function in program.functions.items() if not reach.owner(name, function.__module__)
    } - leading_back(program)
    numbers = {
        (name, parameter)
        for name in reached
        for parameter, hint in program.functions[name].__annotations__.items()
        if hint == "int" and parameter != "return"
    }
    guards = Guards(Bounds(), active=True)
    like = ast.parse("x").body[0]
    asked = ast.Name("x", ast.Load())
    free = {(name, each) for name, each in numbers if guards.argument(name, each, asked, like) is asked}
    assert {each for _, each in free} <= UNCHECKED
    assert Bounds().fixed(ast.Constant(7)) == 7


def leading_back(program: Program) -> set[str]:
    """Name the functions that come to the rule itself, which are refused as recursion."""
    found = {"user_kvm_vcpu_trigger_posted_interrupt"}
    while more := {name for name, tree in program.trees.items() if name not in found and found & set(calls(tree))}:
        found |= more
    return found
