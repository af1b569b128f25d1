"""A user's patch in Python: its functions stand in the place of the protocol's, and nothing is left out silently."""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
from pathlib import Path

import pytest

from emu import reach
from emu.mutations import MUTATIONS
from hosts.loader import users
from hosts.loader.program import PolicyError, load_program
from hosts.loader.rule.bindings import Bindings
from hosts.loader.rule.former import PREFIX
from hosts.loader.rule.inference import with_values
from hosts.loader.rule.instruments import WithoutInstruments, imported_instruments
from hosts.loader.syntax.language import Origin, without_docstring
from hosts.loader.syntax.names import calls
from hosts.loader.user_code import CodeSpec, read_code
from tests.choice import slow_but
from tests.unit.loader.patches import patched, replaceable, verbatim

ALL = replaceable()
KICK = """
from emu.kvm_main import kvm_vcpu_wake_up
from emu.machine import Vcpu

def kvm_vcpu_kick(vcpu: Vcpu) -> None:
    kvm_vcpu_wake_up(vcpu)
"""
HARVEST = """
from emu.lapic_regs import apic_find_highest_irr
from emu.waist import xchg

def kvm_apic_update_irr(vcpu):
    xchg(vcpu.pi_desc.pir[0], 0)
    return apic_find_highest_irr(vcpu)
"""


class Plain(ast.NodeTransformer):
    """Takes the checks of a user's code out of a function, and what only people read."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Put what is checked in the place of the check."""
        self.generic_visit(node)
        checked = isinstance(node.func, ast.Name) and node.func.id.startswith("checked_")
        return node.args[1] if checked else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Take the docstring and annotations out."""
        node.body = without_docstring(node) or [ast.Pass()]
        node.returns = None
        for each in node.args.args:
            each.annotation = None
        return self.generic_visit(node)


def plain(tree: ast.FunctionDef) -> str:
    """Return the text of a function without its checks."""
    return ast.unparse(Plain().visit(copy.deepcopy(tree)))


def of_emu(name: str) -> str:
    """Return the text of one of emu's functions without its instruments."""
    origin = Origin("emu")
    file = Bindings(ast.parse(inspect.getsource(importlib.import_module(ALL[name]))), origin)
    tree = file.get(name)
    assert isinstance(tree, ast.FunctionDef)
    WithoutInstruments(imported_instruments(file), {"vector_of"}.__contains__, origin).strip(tree)
    return plain(tree)


def test_a_copy_of_every_replaceable_function_is_taken_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once, each module a file: what they become is what emu has, apart from instruments and checks."""
    seen: dict[str, ast.FunctionDef] = {}
    monkeypatch.setattr(users, "with_values", lambda *given: seen.update(with_values(*given)) or seen)
    modules = list(dict.fromkeys(ALL.values()))
    texts = [verbatim([name for name in ALL if ALL[name] == module], module) for module in modules]
    program = patched(tmp_path, *texts)
    assert program.replaced.keys() == ALL.keys()
    assert {name: plain(seen[name]) for name in ALL} == {name: of_emu(name) for name in ALL}
    assert not [name for name, tree in seen.items() if "checked_vcpu" in calls(tree)]  # emu's are always there


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_a_copy_of_a_function_is_taken_by_itself(tmp_path: Path, name: str) -> None:
    """What it calls is emu's then."""
    assert patched(tmp_path, verbatim([name], ALL[name])).replaced.keys() == {name}


def test_a_function_replaces_by_name_and_is_called_by_the_protocol(tmp_path: Path) -> None:
    """Where it stands, and where the former one stood, is in the program."""
    program = patched(tmp_path, KICK)
    (place,) = program.replaced.values()
    assert Path(place.file) == tmp_path / "fix.py"
    assert Path(place.former_file).name == "kvm_main.py"
    assert program.functions["kvm_vcpu_kick"].__code__.co_filename == place.file
    assert "kvm_vcpu_wake_up" in program.source("kvm_vcpu_kick")


def test_mutations_of_a_replaced_function_do_not_exist_in_its_program(tmp_path: Path) -> None:
    """The others do: what a replaced function called is still called by the processor."""
    program = patched(tmp_path, HARVEST)
    edited = {each.name for each in MUTATIONS if "kvm_apic_update_irr" in {edit.function for edit in each.edits}}
    assert edited
    assert edited == set(program.lost_mutations)


def test_the_processor_keeps_what_it_shares_with_kvm(tmp_path: Path) -> None:
    """A patched harvest is KVM's, not that of posted-interrupt processing."""
    program = patched(tmp_path, verbatim(["harvest"], "emu.lapic_irr"))
    assert f"{PREFIX}harvest(" in program.source("posted_interrupt_processing")
    assert f"{PREFIX}harvest(" not in program.source("kvm_apic_update_irr")
    assert f"{PREFIX}vmx_sync_pir_to_irr(" in program.source("put_right")


NONE_HERE = "no function here has the name of one that can be replaced"
LOCAL_READ = "from emu.waist import local_read\n"
PROBES = "from emu.observe.probes.wake import probe_kick, probe_waking\nfrom emu.waist import READ_ONCE\n"


def kick(body: str, parameters: str = "vcpu") -> str:
    """Return the text of a function that is called as kvm_vcpu_kick is."""
    return f"def kvm_vcpu_kick({parameters}):\n    {body}\n"


def wake_up(body: str) -> str:
    """Return the text of a function that is called as kvm_vcpu_wake_up is."""
    return f"def kvm_vcpu_wake_up(vcpu):\n    {body}\n"


REFUSED = {
    "def kvm_vcpu_kik(vcpu):\n    return\n": f"{NONE_HERE} (near: kvm_vcpu_kick",
    "x = 1\n": f"{NONE_HERE} ('pirace list' names them)",
    KICK + "def helper(vcpu):\n    return\n": "nothing calls helper, and no function of this name can be replaced",
    "def guest_step(vcpu):\n    return 0\n": "guest_step is the workload's: it is not replaced",
    "def vm_entry(vcpu):\n    return\n": "vm_entry is the processor's: it is not replaced",
    "def probe_sync():\n    return\n": "probe_sync is an instrument's: it is not replaced",
    "def kick_2016(vcpu, vec):\n    return\n": "kick_2016 is a historic rule",
    kick("return", ""): "takes 0 parameters; the function that it replaces is called as kvm_vcpu_kick(vcpu)",
    kick("return", "vcpu, x=1"): "kvm_vcpu_kick has defaults",
    "async " + kick("return"): "kvm_vcpu_kick is async",
    wake_up("if vcpu.mode == 1:\n        return 1"): "kvm_vcpu_wake_up ends here without a result",
    wake_up("return"): "kvm_vcpu_wake_up ends here without a result",
    wake_up("return vcpu"): "kvm_vcpu_wake_up() gives a Vcpu, and the machine takes a number from it",
    wake_up("return (1, 2)"): "kvm_vcpu_wake_up() gives a tuple, and the machine takes a number from it",
    "if 1:\n    def kvm_vcpu_kick(vcpu):\n        return\n": "kvm_vcpu_kick has no single, plain definition",
    "kvm_vcpu_kick = 7\n": "kvm_vcpu_kick is no function here",
    "from emu.nonroot import vm_entry\n" + kick("vm_entry(vcpu)"): "vm_entry() is the processor's",
    LOCAL_READ + kick("local_read(vcpu.mode)"): "Vcpu.mode is shared with other pCPUs: use READ_ONCE",
    PROBES + kick("if probe_kick():\n        return"): "probe_kick() is an instrument's",
    PROBES + kick("probe_waking(READ_ONCE(vcpu.mode))"): "is done for an instrument alone",
}


@pytest.mark.parametrize("text", slow_but(list(REFUSED)[::4], REFUSED))
def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    """The file is named, and what to do."""
    with pytest.raises(PolicyError) as error:
        patched(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 'fix.py'}:")
    assert REFUSED[text] in str(error.value)
    assert "\n" not in str(error.value)


def test_a_patch_in_c_is_told_where_it_belongs(tmp_path: Path) -> None:
    """It is not read as bad Python."""
    (tmp_path / "fix.c").write_text("int f(void) { return 1; }")
    with pytest.raises(PolicyError, match=r"fix\.c:1: is C: --kernel takes it"):
        load_program(read_code(CodeSpec(patches=(str(tmp_path / "fix.c"),))))


def test_two_patches_do_not_replace_one_function(tmp_path: Path) -> None:
    """The second file is told, with the name of the first."""
    with pytest.raises(PolicyError, match=r"fix1.py:5: kvm_vcpu_kick is replaced by .*fix.py already"):
        patched(tmp_path, KICK, KICK)


def test_helpers_of_two_files_are_kept_apart(tmp_path: Path) -> None:
    """Both may be called the same."""
    helper = "\ndef helper(vcpu):\n    return vcpu.mode\n"
    wake = "\ndef kvm_vcpu_exit_request(vcpu):\n    return helper(vcpu)\n"
    program = patched(
        tmp_path, KICK + helper + "    \ndef kvm_request_pending(vcpu):\n    return helper(vcpu)\n", helper + wake
    )
    assert {"user_helper", "user_helper_"} <= program.functions.keys()
    assert "user_helper_(" in program.source("kvm_vcpu_exit_request")


def test_without_code_the_program_is_as_ever() -> None:
    """Nothing is replaced, and every mutation is there."""
    program = load_program()
    assert not program.replaced
    assert not program.lost_mutations
    assert not [name for name in program.functions if name.startswith(PREFIX)]


def test_what_is_not_replaced_is_said_of_each_function() -> None:
    """The table names functions that there are."""
    assert not reach._KEPT_FUNCTIONS.keys() - load_program().functions.keys()
