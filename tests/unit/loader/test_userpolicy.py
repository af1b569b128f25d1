"""A user's own rule: taken from its file, checked, and called by the protocol."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from hosts.loader.program import LoaderError, PolicyError, Program, load_program
from hosts.loader.user_code import code_of
from tests.unit.loader.synthetic import run, write

KERNEL = """
    from typing import Final
    from emu.memory import Struct, Word, word

    LIMIT: Final = 3
    IN_GUEST_MODE: Final = 1
    VECTORS = (0x31, 0x3f)
    RULES = ["not a number"]

    class Vcpu(Struct):
        mode = word()
        cpu = word()

    class Limits:
        pass

    def apic_send_IPI(cpu, vector):
        send_IPI(cpu, vector)

    def kick(vcpu):
        send_IPI(READ_ONCE(vcpu.cpu), 9)

    def user_kvm_vcpu_trigger_posted_interrupt(vcpu, vec):
        kick(vcpu)

    def kvm_vcpu_trigger_posted_interrupt(at, vec):
        user_kvm_vcpu_trigger_posted_interrupt(Vcpu(at), vec)
"""

RULE = """
    from __future__ import annotations
    from PACKAGE.kernel import IN_GUEST_MODE as INSIDE, Vcpu, apic_send_IPI, kick as poke
    from PACKAGE.unused import TABLE, UNUSED as N
    from emu.waist import READ_ONCE as load
    import os

    LIMIT = 1 << 5
    SHIFTED: int = -LIMIT + N
    print("never run")

    def kick(vcpu: Vcpu, vec: int) -> int:
        '''Stand under the name of one of the protocol's.'''
        return load(vcpu.cpu) + vec + SHIFTED

    def rule(vcpu: Vcpu, vec: int) -> None:
        '''Say what nobody else says.'''
        if load(vcpu.mode) == INSIDE:
            apic_send_IPI(kick(vcpu, LIMIT), vec)
        else:
            poke(vcpu)

    def other(): return os.getcwd()
"""

UNUSED = "TABLE = (1, 2)\nUNUSED = 1000\n"


def load(folder: Path, rule: str, function: str = "rule") -> Program:
    """Load the small kernel with a rule from a file of its own."""
    kernel, _ = write(folder, kernel=KERNEL, unused=UNUSED)
    package = kernel.partition(".")[0]
    path = folder / "mine.py"
    path.write_text(textwrap.dedent(rule).replace("PACKAGE", package))
    return load_program(code_of(f"{path}:{function}"), modules=[kernel])


def test_a_users_rule_takes_the_place_of_the_stub_with_its_own_names(folder: Path) -> None:
    """Helpers, constants and imports mean in the program what they mean in the user's file, whatever their names."""
    program = load(folder, RULE)
    trigger = program.functions["kvm_vcpu_trigger_posted_interrupt"]
    assert run(trigger, 64, 5, answers=[1, 70])[1] == [("load", 64), ("load", 72), ("send_IPI", 70 + 32 - 32 + 1000, 5)]
    assert run(trigger, 64, 5, answers=[0, 70])[1] == [("load", 64), ("load", 72), ("send_IPI", 70, 9)]


def test_a_users_rule_has_interrupt_points_in_its_own_file(folder: Path) -> None:
    """A user's rule is interruptible like the protocol, and its sites name the user's file and lines."""
    program = load(folder, RULE)
    mine = [site for site in program.sites.values() if site.file.endswith("mine.py")]
    assert [(site.line, site.operation) for site in mine] == [(18, "READ_ONCE"), (14, "READ_ONCE")]


def test_without_a_users_rule_the_stub_stays(folder: Path) -> None:
    """The protocol's own default is called where no rule is given."""
    kernel, _ = write(folder, kernel=KERNEL, unused="")
    trigger = load_program(modules=[kernel]).functions["kvm_vcpu_trigger_posted_interrupt"]
    assert run(trigger, 64, 5)[1] == [("load", 72), ("send_IPI", 0, 9)]


REFUSED = {
    # in the rule
    "@property\ndef rule(vcpu, vec): pass": (1, "rule has a decorator"),
    "async def rule(vcpu, vec): pass": (1, "rule is async"),
    "class rule: pass": (1, "rule is not a plain function"),
    "rule = max": (1, "rule is not a plain function"),
    "def rule(vcpu): pass": (1, "rule does not take exactly two parameters"),
    "def rule(vcpu, vec, more): pass": (1, "rule does not take exactly two parameters"),
    "def rule(vcpu, vec=3): pass": (1, "rule does not take exactly two parameters"),
    "def rule(*both): pass": (1, "parameters other than plain positional ones"),
    "def rule(vcpu, vec):\n    def inner(): pass": (2, "a function inside a function"),
    "def rule(vcpu, vec):\n    x = [v for v in range(vec)]": (2, "a comprehension"),
    "def rule(vcpu, vec):\n    yield vec": (2, "a generator"),
    "def rule(vcpu, vec):\n    try: pass\n    finally: pass": (2, "try is not part"),
    "def rule(vcpu, vec):\n    with vcpu: pass": (2, "with is not part"),
    "def rule(vcpu, vec):\n    global n\n    n = vec": (2, "global (state lives in the machine's memory)"),
    "def rule(vcpu, vec):\n    return f'{vec}'": (2, "an f-string"),
    "def rule(vcpu, vec):\n    x = 'text'": (2, "a string"),
    "def rule(vcpu, vec):\n    for c in (1, 2): pass": (2, "'for' only counts"),
    "def rule(vcpu, vec):\n    x = 1 << vec": (2, "'<<' by a variable amount: use BIT(n)"),
    "def rule(vcpu, vec):\n    print(vec)": (2, "print is neither a local nor a name of the protocol"),
    "def rule(vcpu, vec):\n    if vec:\n        x = 1\n    kick(x)": (4, "x may have no value here"),
    "def rule(vcpu, vec):\n    kick(vcpu, vec)": (2, "kick(): too many positional arguments"),
    "def rule(vcpu, vec):\n    READ_ONCE(vcpu.modee)": (2, "no struct has a field modee"),
    "def rule(vcpu, vec):\n    vcpu.kick()": (2, "vcpu.kick(): only functions are called"),
    "def rule(vcpu, vec):\n    kick(vcpu)\n    kvm_vcpu_trigger_posted_interrupt(vcpu, vec)": (
        3,
        "user_kvm_vcpu_trigger_posted_interrupt -> kvm_vcpu_trigger_posted_interrupt -> user_",
    ),
    "def rule(vcpu, vec):\n    rule(vcpu, vec)": (2, "ends up calling itself"),
    # in what it reaches
    "def help():\n    return lambda: 1\ndef rule(vcpu, vec): help()": (2, "a lambda"),
    "import os\ndef rule(vcpu, vec): kick(os)": (2, "os is not a function, a constant or an import from emu"),
    "from os import getpid\ndef rule(vcpu, vec): getpid()": (
        1,
        "getpid is imported from os: a policy imports from emu",
    ),
    "from hosts.loader.syntax.anf import normalise\ndef rule(vcpu, vec): normalise()": (
        1,
        "a policy imports from emu only",
    ),
    "from . import kick\ndef rule(vcpu, vec): kick()": (1, "a policy imports from emu only"),
    "from emu.waist import READ\ndef rule(vcpu, vec): READ(vcpu)": (1, "emu.waist has no READ"),
    "from emu.waste import READ\ndef rule(vcpu, vec): READ(vcpu)": (1, "emu.waste has no READ"),
    "from emu.waist import set_host\ndef rule(vcpu, vec): set_host(0)": (1, "set_host of emu.waist is no function of"),
    "from PACKAGE.kernel import RULES\ndef rule(vcpu, vec): kick(RULES)": (1, "RULES of PACKAGE.kernel is no function"),
    "N = 0.5\ndef rule(vcpu, vec): kick(N)": (1, "N is not a signed 64-bit number, or a tuple of such"),
    "N = 1 << 63\ndef rule(vcpu, vec): kick(N)": (1, "N is not a signed 64-bit number"),
    "N = int('3')\ndef rule(vcpu, vec): kick(N)": (1, "N is not a constant made of whole numbers"),
    "N = M\ndef rule(vcpu, vec): kick(N)": (1, "N cannot be worked out: name 'M' is not defined"),
    "N = 1 // 0\ndef rule(vcpu, vec): kick(N)": (1, "N cannot be worked out"),
    "N = N\ndef rule(vcpu, vec): kick(N)": (1, "N is not a signed 64-bit number"),
    "N = 1\nN = 2\ndef rule(vcpu, vec): kick(N)": (2, "N has no single, plain definition in this file"),
    "N = 1\nif N:\n    N = 2\ndef rule(vcpu, vec): kick(N)": (2, "N has no single, plain definition"),
    "N, M = 1, 2\ndef rule(vcpu, vec): kick(N)": (1, "N has no single, plain definition"),
    "class C: pass\ndef rule(vcpu, vec): kick(C)": (2, "C is not a function, a constant or an import"),
    # the file
    "def rule(vcpu, vec)\n": (1, "is not Python: expected ':'"),
    "def rule(vcpu, vec):\n    return '\\\n": (2, "is not Python: unterminated string literal"),
    "\0": (1, "is not Python: source code string cannot contain null bytes"),
    "def rules(vcpu, vec): pass": (1, "there is no function rule; functions here: rules"),
    "": (1, "there is no function rule; functions here: none"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_rule_that_cannot_run_is_one_error_with_its_line(folder: Path, text: str) -> None:
    """Whatever is wrong with a user's rule is said once, with file, line and reason, before anything is compiled."""
    line, reason = REFUSED[text]
    with pytest.raises(PolicyError) as error:
        load(folder, text)
    package = next(path.name for path in folder.iterdir() if path.is_dir())
    assert reason.replace("PACKAGE", package) in error.value.reason
    assert str(error.value) == f"{folder / 'mine.py'}:{line}: {error.value.reason}"


@pytest.mark.parametrize("spec", [":", ":rule", "mine.py:"])
def test_a_rule_is_named_by_file_and_function(folder: Path, spec: str) -> None:
    """A name of another form is refused with the form that is wanted."""
    with pytest.raises(PolicyError, match=r"path/to/file\.py:function"):
        load_program(code_of(spec), modules=write(folder, kernel=KERNEL))


@pytest.mark.parametrize(("name", "reason"), [("none.py", "No such file"), ("folder", "Is a directory")])
def test_a_file_that_cannot_be_read_is_a_policy_error(folder: Path, name: str, reason: str) -> None:
    """What the system says about the user's file is part of the one error."""
    (folder / "folder").mkdir()
    with pytest.raises(PolicyError, match=reason):
        load_program(code_of(f"{folder / name}:rule"), modules=write(folder, kernel=KERNEL))


def test_a_policy_error_is_a_loader_error_but_the_protocols_own_are_not_the_users(folder: Path) -> None:
    """Who catches the loader's errors has both; a fault of the protocol is never blamed on the user."""
    assert issubclass(PolicyError, LoaderError)
    with pytest.raises(LoaderError) as error:
        load_program(modules=write(folder, kernel="def f():\n    f()\n"))
    assert not isinstance(error.value, PolicyError)
