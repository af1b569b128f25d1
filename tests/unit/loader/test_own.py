"""What a patch declares besides functions: read without being run, given its place, refused with its line."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import FunctionType

import pytest

from emu.machine import OWN_CHECKS, OWN_WINDOWS, OWN_WORDS, Machine
from emu.observe import is_instrument
from emu.observe.accounting import CHECKS, WINDOWS
from hosts.explorer.audit.relax import sites
from hosts.explorer.model.entered import check_bit, window_bit
from hosts.loader.own.declared import Each, Use
from hosts.loader.own.read import declared_in
from hosts.loader.program import PolicyError, Program, load_program
from hosts.loader.rule.faults import RuleFault
from hosts.loader.rule.userpolicy import PATCH_UNPROMISED
from tests.unit.loader.patches import code_of, patched

DOORBELL = Path(__file__).parents[2] / "doorbell.py"
HEAD = """
from emu.machine import Vcpu, this_pcpu
from emu.own import ForAll, PerPcpu, PerVcpu, Scenario, check, enter, window, word, words
from emu.waist import READ_ONCE, WRITE_ONCE, local_read, local_write, mark, peek, xchg
from emu.workload.actors import ACT_KICK, ACT_POST, post, request
from emu.workload.program import GUEST_CPUID, GUEST_HLT
class Bell(PerVcpu):
    rung = word()
    mine = word(private=True)
    note = word(mark=True)
    many = words(4)
"""
FIRST = HEAD.count("\n")


def loaded(folder: Path, text: str) -> Program:
    """Load a patch that begins with the imports and the struct above."""
    return patched(folder, HEAD + text)


def body(program: Program, function: str) -> str:
    """Return a function without its interrupt points, in one line."""
    lines = program.source(function).splitlines()[1:]
    return "; ".join(line.strip() for line in lines if "interrupt_point" not in line)


ACT = "def act_it(vcpu: Vcpu) -> None:\n    {}\n"


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("xchg(Bell(vcpu).rung, 1)", "xchg(own_of_vcpu(vcpu).words[0], 1)"),
        ("WRITE_ONCE(Bell(vcpu).rung, Bell(vcpu).rung + 1)", "READ_ONCE(own_of_vcpu(vcpu).words[0])"),
        ("local_write(Bell(vcpu).mine, Bell(vcpu).mine + 1)", "local_read(own_of_vcpu(vcpu).words[1])"),
        ("mark(Bell(vcpu).note, Bell(vcpu).note + 1)", "peek(own_of_vcpu(vcpu).words[2])"),
        ("mark(Bell(vcpu).note, peek(Bell(vcpu).note) + 1)", "peek(own_of_vcpu(vcpu).words[2])"),
        ("bell = Bell(vcpu)\n    xchg(bell.many[2], 1)", "xchg(Words(bell.words[3])[2], 1)"),
        ("i = Bell(vcpu).rung\n    xchg(Bell(vcpu).many[i], 1)", "checked_below("),
        ("post(vcpu, 2)", "post(vcpu, 2)"),
        ("request(vcpu)", "request(vcpu)"),
    ],
)
def test_words_of_its_own_are_used_as_emus_are(tmp_path: Path, written: str, becomes: str) -> None:
    """By the access that goes with what they are declared to be; a word where a number belongs is read so, too."""
    assert becomes in body(loaded(tmp_path, ACT.format(written)), "user_act_it")


def test_each_struct_has_its_place_and_its_first_values(tmp_path: Path) -> None:
    """One for each vCPU, for each pCPU, or for all; those of one kind lie behind each other, a line apart."""
    more = (
        "class Other(PerVcpu):\n    x = word(start=7)\n"
        "class Here(PerPcpu):\n    y = words(3, start=(1, 0, -2), line=True)\n"
        "class All(ForAll):\n    z = words(2, start=5)\n"
    )
    use = "xchg(Other(vcpu).x, Here(this_pcpu()).y[0] + All().z[1])"
    program = loaded(tmp_path, more + ACT.format(use))
    machine = Machine(1 << 20)
    first = dict(program.own.first_words(machine, 2, 1))
    vcpu, one, two = machine.own_vcpus[0], machine.own_pcpus[0], machine.own_pcpus[1]
    assert first == {
        vcpu.words[8]: 7,
        **{each.words[0]: 1 for each in (one, two)},
        **{each.words[2]: -2 for each in (one, two)},
        machine.own_shared.words[0]: 5,
        machine.own_shared.words[1]: 5,
    }
    names = [program.own.word_name(machine, word) for word in first]
    assert names[:3] == ["vcpu0.Other.x", "pcpu0.Here.y[0]", "pcpu0.Here.y[2]"]
    assert program.own.word_name(machine, machine.vcpus[0].mode) is None
    assert [each.each for each in program.own.structs] == [Each.VCPU, Each.VCPU, Each.PCPU, Each.ALL]
    assert {each.use for each in program.own.structs[0].fields} == {Use.SHARED, Use.PRIVATE, Use.MARK}


def test_without_declarations_nothing_is_loaded_for_them(tmp_path: Path) -> None:
    """A program of a user's code has those functions of the modules for it that the code needs."""
    text = "from emu.kvm_main import kvm_vcpu_wake_up\ndef kvm_vcpu_kick(vcpu): kvm_vcpu_wake_up(vcpu)\n"
    names = patched(tmp_path, text).functions
    assert not [name for name in names if name.startswith("own_") or name == "enter"]
    assert not [name for name in load_program().functions if name.startswith("own_") or name == "enter"]


def test_the_example_is_a_module_that_can_be_imported() -> None:
    """An editor, or a type checker, knows all names in it."""
    module = importlib.import_module("tests.doorbell")
    assert isinstance(module.act_ring, FunctionType)
    assert module.RINGING.name == "doorbell"


def test_the_example_brings_one_of_each(tmp_path: Path) -> None:
    """Its scenario names its act by its number, behind emu's own, and its check is an instrument."""
    program = patched(tmp_path, DOORBELL.read_text())
    own = program.own
    assert own.windows == (*WINDOWS, "doorbell-answered")
    assert own.checks == (*CHECKS, "bell_is_answered")
    assert own.act_numbers == {"ring": 8}
    (scenario,) = own.scenarios
    assert (scenario.name, scenario.guest_menu, scenario.actor_menu) == ("doorbell", (0,) * 8 + (1,), (8, 0))
    assert is_instrument(program.functions["user_bell_is_answered"].__module__)
    assert not is_instrument(program.functions["user_act_ring"].__module__)
    assert body(program, "own_act_ring") == "begin_effects(); user_act_ring(vcpu); end_effects()"


CHECK = "@check('stay')\ndef fine(vcpu: Vcpu) -> bool:\n    {}\n"


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("return Bell(vcpu).rung == 0", "peek(own_of_vcpu(vcpu).words[0])"),
        ("return vcpu.requests == 0", "peek(vcpu.requests)"),
        ("return vcpu.vmcs.rvi == vcpu.delivered[0]", "peek(vcpu.delivered[0])"),
        ("from_emu = highest_pir(vcpu)\n    return from_emu < 0", "highest_pir(vcpu)"),
    ],
)
def test_a_check_looks_at_all_words(tmp_path: Path, written: str, becomes: str) -> None:
    """At instruments' words, too, and always as an instrument: no step of the machine lies in between."""
    program = loaded(tmp_path, "from emu.observe.snapshot import highest_pir\n" + CHECK.format(written))
    assert becomes in body(program, "user_fine")


SCENARIO = "X = Scenario('mine', 'about', 'origin', (GUEST_CPUID,), (ACT_POST,){})\n"

DECLARATIONS = {
    # words
    "class X(PerVcpu):\n    pass": (1, "X has no words"),
    "class X:\n    a = word()": (1, "X does not say what there is one of it for"),
    "from emu.memory import Struct\nclass X(Struct):\n    a = word()": (2, "does not say what there is one of it for"),
    "class X(PerVcpu):\n    a: int = 0": (2, "a struct has words, each in a line"),
    "class X(PerVcpu):\n    def f(self): ...": (2, "a struct has words, each in a line"),
    "class X(PerVcpu):\n    a = word(1)": (2, "a struct's words are declared as"),
    "class X(PerVcpu):\n    a = words()": (2, "a struct's words are declared as"),
    "class X(PerVcpu):\n    a = word(begin=1)": (2, "what is said of words is start="),
    "class X(PerVcpu):\n    a = word(private=True, mark=True)": (2, "a is private and a mark"),
    "class X(PerVcpu):\n    a = words(3, start=(1, 2))": (2, "a starts with a number, or 3 of them"),
    "class X(PerVcpu):\n    a = word(start=1 << 70)": (2, "a word is a signed 64-bit number"),
    "class X(PerVcpu):\n    a = word(start=f())": (2, "f() is not spelled out"),
    f"class X(PerVcpu):\n    a = words({OWN_WORDS + 1})": (2, f"there is room for 1 to {OWN_WORDS}"),
    f"class X(PerVcpu):\n    a = words({OWN_WORDS})": (1, f"there is room for {OWN_WORDS}: 8 are taken before it"),
    "class Vcpu(PerVcpu):\n    a = word()": (1, "Vcpu"),
    "class X(PerVcpu):\n    a = word()\nclass X(PerVcpu):\n    b = word()": (3, "X has no single, plain definition"),
    # windows
    "A = window()": (1, 'a window is declared as A = window("its-name")'),
    "A = window('A B')": (1, "'A B' is no name for a window"),
    "A = window('kick-ends-stay')": (1, "there is a window 'kick-ends-stay' already: a built-in one"),
    "A = window('x')\nB = window('x')": (2, "there is a window 'x' already"),
    "A = (window('x'), 1)": (1, "window(...) is declared by itself"),
    "\n".join(f"A{i} = window('w{i}')" for i in range(OWN_WINDOWS + 1)): (OWN_WINDOWS + 1, "one too many"),
    # checks
    "@check\ndef fine(vcpu): return True": (2, "a check is def fine(vcpu: Vcpu) -> bool"),
    "@check\ndef fine(vcpu, x) -> bool: return True": (2, "a check is def fine(vcpu: Vcpu) -> bool"),
    "@check('soon')\ndef fine(vcpu) -> bool: return True": (1, "a check is made at some of these points"),
    "@check\ndef C1(vcpu) -> bool: return True": (2, "C1 is no name for a check: there is one already, a built-in one"),
    "\n".join(f"@check\ndef f{i}(vcpu) -> bool: return True" for i in range(OWN_CHECKS + 1)): (
        2 * OWN_CHECKS + 2,
        "one too many",
    ),
    # acts
    "def act_it(vcpu, x): post(vcpu, x)": (1, "an act is def act_it(vcpu: Vcpu) -> None"),
    "def act_kick(vcpu): request(vcpu)": (1, "act_kick is no act: built in"),
    "def act_(vcpu): request(vcpu)": (1, "act_ is no act"),
    # scenarios
    "X = Scenario()": (1, "a scenario has a name"),
    SCENARIO.format(", wrong=1"): (1, "wrong=: a scenario has, each once, name"),
    SCENARIO.format(", windows=('post-sees-in-gest',)"): (1, "did you mean post-sees-in-guest"),
    SCENARIO.format(", pcpus=65"): (1, "pcpus is 1 to 64"),
    SCENARIO.replace("'mine'", "'kick'").format(""): (1, "'kick' is no name for a scenario: there is one"),
    SCENARIO.replace("'mine'", "'My Own'").format(""): (1, "'My Own' is no name for a scenario"),
    SCENARIO.replace("(ACT_POST,)", "(5,)").format(""): (1, "actor_menu lists up to 64 of ACT_"),
    SCENARIO.replace("(ACT_POST,)", "()").format(""): (1, "the other pCPUs have nothing to do"),
    SCENARIO.replace("(GUEST_CPUID,)", "(GUEST_CPUID,) * 65").format(""): (1, "guest_menu lists up to 64"),
    SCENARIO.replace("(GUEST_CPUID,)", "GUEST_CPUID").format(""): (1, "guest_menu is a tuple"),
    SCENARIO.replace("(GUEST_CPUID,)", "tuple(range(2))").format(""): (1, "tuple(range(2)) is not spelled out"),
    SCENARIO.format("") + SCENARIO.replace("X =", "Y =").format(""): (2, "there is another scenario 'mine'"),
}


USES = {
    ACT.format("local_write(Bell(vcpu).rung, 1)"): (2, "is shared: WRITE_ONCE(word, value) is for it"),
    ACT.format("xchg(Bell(vcpu).mine, 1)"): (2, "is private: local_read(word) and local_write(word, value) are for it"),
    ACT.format("WRITE_ONCE(Bell(vcpu).note, 1)"): (2, "is a mark: mark(word, value) is for it, not WRITE_ONCE()"),
    ACT.format("xchg(Bell(vcpu).rung, Bell(vcpu).note)"): (2, "is a mark, by which no machine goes"),
    ACT.format("if Bell(vcpu).note: post(vcpu, 2)"): (2, "is a mark, by which no machine goes"),
    ACT.format("x = peek(Bell(vcpu).note)"): (2, "is a mark, by which no machine goes"),
    ACT.format("mark(vcpu.mode, 1)"): (2, "mark() is not a rule's to call"),
    ACT.format("xchg(Bell(vcpu).none, 1)"): (2, "no struct has a field none"),
    ACT.format("xchg(Bell().rung, 1)"): (2, "missing a required argument: 'vcpu'"),
    ACT.format("xchg(Bell(this_pcpu()).rung, 1)"): (2, "Bell() takes a Vcpu; this_pcpu() is a Pcpu"),
    ACT.format("enter(1)"): (2, "enter() takes one window of this file"),
    ACT.format("xchg(this_pcpu().marks.inside, 1)"): (2, "an instrument's"),
    CHECK.format("if vcpu.requests == 0: return True"): (3, "fine ends here without a result"),
    CHECK.format("WRITE_ONCE(Bell(vcpu).rung, 1)\n    return True"): (3, "WRITE_ONCE() is not for a check"),
    CHECK.format("x = READ_ONCE(Bell(vcpu).rung)\n    return x == 0"): (3, "READ_ONCE() is not for a check"),
    "from emu.posted_intr import pi_test_on\n" + CHECK.format("return pi_test_on(vcpu.pi_desc) == 0"): (
        4,
        "pi_test_on() is not for a check: it does READ_ONCE()",
    ),
    CHECK.format("return helper(vcpu) == 0")
    + "def helper(vcpu): return Bell(vcpu).rung\n"
    + ACT.format("helper(vcpu)"): (3, "helper() is not for a check alone"),
}


@pytest.mark.parametrize("text", DECLARATIONS)
def test_a_declaration_that_does_not_fit_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    """In one sentence, which says what is expected; nothing has to be loaded for it."""
    code = code_of(tmp_path, HEAD + text + "\n")
    with pytest.raises(PolicyError) as error:
        declared_in(code.patches)
    refused(error.value, tmp_path, *DECLARATIONS[text])


def test_every_window_and_check_has_a_bit_of_its_own() -> None:
    """The user's are at most as many as there are bits left, none of which is another's."""
    bits = [window_bit(each) for each in range(len(WINDOWS) + OWN_WINDOWS)]
    bits += [check_bit(each) for each in range(len(CHECKS) + OWN_CHECKS)]
    assert len(set(bits)) == len(bits)


@pytest.mark.parametrize("text", USES)
def test_a_use_that_does_not_fit_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    """Where a word is used as it is not meant to be, and where a check does more than look."""
    with pytest.raises(PolicyError) as error:
        loaded(tmp_path, text + "\n")
    refused(error.value, tmp_path, *USES[text])


def refused(error: PolicyError, folder: Path, line: int, reason: str) -> None:
    """Hold a refusal against what is expected."""
    assert reason in error.reason
    assert (error.file, error.line) == (str(folder / "fix.py"), FIRST + line)


def test_two_patches_share_their_room(tmp_path: Path) -> None:
    """Words of the second lie behind those of the first, and it cannot take their names."""
    text = (
        "from emu.own import PerVcpu, word\nfrom emu.waist import xchg\nclass {0}(PerVcpu):\n    a = word()\n"
        "def act_{1}(vcpu):\n    xchg({0}(vcpu).a, 1)\n"
    )
    program = patched(tmp_path, text.format("A", "a"), text.format("B", "b"))
    assert "words[0]" in program.source("user_act_a")
    assert "words[8]" in program.source("user_act_b")
    again = code_of(tmp_path, text.format("A", "a"), text.format("A", "b"))
    with pytest.raises(PolicyError, match=r"fix1.py:3: there is a struct A already, .*fix.py:3"):
        declared_in(again.patches)


def test_what_a_patch_does_not_promise_is_not_checked(tmp_path: Path) -> None:
    """CHECKS names those that hold, its own among them; under any rule."""
    text = DOORBELL.read_text().replace(
        "\n\nclass", "\n\nCHECKS = 'C1 C2 C3 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 bell_is_answered'\n\n\nclass", 1
    )
    program = patched(tmp_path, text)
    assert program.own.unpromised == ("C4",)
    assert program.namespace[PATCH_UNPROMISED] == 1 << CHECKS.index("C4")
    assert "if PATCH_UNPROMISED & BIT(check) != 0" in program.source("promised")
    with pytest.raises(PolicyError, match="there is no check C99"):
        declared_in(code_of(tmp_path, "CHECKS = 'C99'\n").patches)


def test_a_vector_that_is_none_is_a_fault_with_file_and_line(tmp_path: Path) -> None:
    """Of the check that gives it, whichever patch that is in."""
    check = "from emu.own import check\n@check\ndef wild(vcpu) -> int:\n    return 300\n"
    program = patched(tmp_path, HEAD + ACT.format("post(vcpu, 2)"), check)
    (text,) = re.findall(r"checked_below\((\d+), says, 256\)", program.source("own_check_0"))
    files = [str(tmp_path / name) for name in ("fix.py", "fix1.py")]
    fault = RuleFault(int(text), 300, 256)
    assert fault.told(files) == f"{files[1]}:3: uses vector 300; a vector is 0 to 255"


def test_the_audit_shows_words_as_they_are_written(tmp_path: Path) -> None:
    """Not as the loaded program has them."""
    program = patched(tmp_path, HEAD + ACT.format("xchg(Bell(vcpu).rung, 1)\n    xchg(Bell(vcpu).many[0], 1)"))
    texts = {site.text for site in sites(program) if site.function == "user_act_it"}
    assert "xchg(Bell(vcpu).rung, 1)" in texts
    assert "xchg(Words(own_of_vcpu(vcpu).words[3])[0], 1)" in texts
