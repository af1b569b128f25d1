"""The program: one flat namespace, its digest, and lines that stay those of the source."""

from __future__ import annotations

import pickle
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from emu.waist import set_host
from hosts.loader.program import LoaderError, load_program
from hosts.loader.syntax.names import PRIMITIVES
from hosts.loader.user_code import code_of
from tests.unit.loader.synthetic import Load, run, write


def test_all_modules_share_one_namespace(load: Load) -> None:
    """Functions call each other, across modules, as the pass has made them; the rest is what was imported."""
    program = load(
        first="from emu.memory import Struct\nN = 3\nclass S(Struct): pass\ndef g(x): return READ_ONCE(x) + N\n",
        second="from PACKAGE.first import N, S, g\ndef f(x):\n    return g(S(x).at)\n",
    )
    package = next(name for name in sys.modules if name.startswith("protocol") and name.endswith(".first"))
    assert list(program.functions) == ["g", "f"]
    assert all(program.functions[name].__globals__ is program.namespace for name in program.functions)
    assert program.namespace["g"] is program.functions["g"] is not sys.modules[package].g
    assert program.namespace["S"] is sys.modules[package].S
    assert all(program.namespace[name] is primitive for name, primitive in PRIMITIVES.items())
    assert run(program.functions["f"], 8, answers=[4], points=True) == (7, [("interrupt_point", 1), ("load", 8)])


CLASHES = {
    "two functions": (("def f(): pass", "def f(): pass"), "f is a function of"),
    "two constants": (("N = 3", "N = 4"), "N is something else in"),
    "two classes": (("class C: pass", "class C: pass"), "C is something else in"),
    "a function and a constant": (("def f(): pass", "f = 3"), "f is something else in"),
    "a function and a primitive": (("def g(): pass", "def xchg(): pass"), "xchg is a function of emu.waist or Python"),
    "a function and a builtin": (("def g(): pass", "def range(): pass"), "range is a function of emu.waist or Python"),
    "a primitive by another name": (("load = READ_ONCE", ""), "load is another name for READ_ONCE"),
    "a function by another name": (("def f(): pass", "from PACKAGE.first import f as g"), "g is another name for f"),
}


@pytest.mark.parametrize("case", CLASHES)
def test_a_name_that_means_two_things_is_an_error(load: Load, case: str) -> None:
    """One name for each thing and one thing for each name, or the flat namespace would change what code means."""
    (first, second), reason = CLASHES[case]
    with pytest.raises(LoaderError) as error:
        load(first=f"{first}\n", second=f"{second}\n")
    assert reason in error.value.reason


def test_equal_constants_may_be_defined_twice(load: Load) -> None:
    """The same number under the same name is one thing."""
    assert load(first="N = 70000\nT = (1, 2)\n", second="N = 70000\nT = (1, 2)\n").namespace["N"] == 70000


PYTHON = """
def f(a):
    x = 1
    while x and (
        local_read(a) or
        READ_ONCE(a)
    ):
        x = 0
    local_write(
        a,
        xchg(a, 0)
    )
    smp_mb()
"""


@pytest.mark.parametrize(("operation", "line"), [("peek", 6), ("load", 7), ("xchg", 12), ("poke", 10), ("fence", 14)])
def test_a_traceback_shows_the_line_of_the_source(folder: Path, operation: str, line: int) -> None:
    """Each operation keeps the line it was written on, wherever the pass has moved it."""

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return lambda *_: 1 // (name != operation) - 1

    (name,) = write(folder, one=PYTHON)
    program = load_program(modules=[name], mutations=())
    before = set_host(Failing())  # type: ignore[arg-type]
    try:
        with pytest.raises(ZeroDivisionError) as error:
            program.functions["f"](8)
    finally:
        set_host(before)
    frame = next(frame for frame in traceback.extract_tb(error.value.__traceback__) if frame.name == "f")
    assert (frame.filename, frame.lineno) == (sys.modules[name].__file__, line)


def test_functions_keep_their_docstring_defaults_and_module(load: Load) -> None:
    """What a person asks a function about itself is answered as before."""
    function = load("def f(a, b=3):\n    '''Say.'''\n    return a + b\n").functions["f"]
    assert (function.__doc__, function(1), function.__module__.rpartition(".")[2]) == ("Say.", 4, "one")


def test_the_digest_changes_with_every_source(folder: Path) -> None:
    """A byte in a protocol module, in a module beside it, in the user's file, or another mutation: another digest."""
    (name,) = write(folder, one="def user_kvm_vcpu_trigger_posted_interrupt(v, c): pass\n")
    module, beside, mine = folder / name.replace(".", "/"), folder / name.partition(".")[0] / "x.py", folder / "mine.py"
    module = module.with_suffix(".py")
    mine.write_text("def rule(vcpu, vec): pass\n")
    digests = [load_program(modules=[name]).digest, load_program(code_of(f"{mine}:rule"), modules=[name]).digest]
    assert digests[0] == load_program(modules=[name]).digest
    for path in (module, beside, mine):
        with path.open("a") as file:
            file.write("# more\n")
        digests.append(load_program(code_of(f"{mine}:rule"), modules=[name]).digest)
    assert len(set(digests)) == len(digests)


def test_the_digest_does_not_depend_on_where_the_sources_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two checkouts of the same sources share what was compiled from them."""
    digests = set()
    for place in ("here", "there"):
        package = tmp_path / place / "protocol_somewhere"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "one.py").write_text("def f(): pass\n")
        with monkeypatch.context() as context:
            context.syspath_prepend(str(tmp_path / place))
            digests.add(load_program(modules=["protocol_somewhere.one"]).digest)
        for name in ("protocol_somewhere.one", "protocol_somewhere"):
            del sys.modules[name]
    assert len(digests) == 1


def test_errors_survive_the_way_between_processes(load: Load) -> None:
    """A loader's error raised in a child process arrives as it was."""
    with pytest.raises(LoaderError) as error:
        load("def f():\n    return 1 / 2\n")
    again = pickle.loads(pickle.dumps(error.value))  # noqa: S301 - our own bytes
    assert (str(again), again.line) == (str(error.value), 3)


def test_the_protocol_itself_loads() -> None:
    """Every function of the seed's call chain is in the program, with points and the mutations that edit it."""
    program = load_program()
    chain = ["vcpu_enter_guest", "vmx_vcpu_run", "vmx_deliver_posted_interrupt", "kvm_vcpu_trigger_posted_interrupt"]
    assert set(chain) <= set(program.functions)
    assert "mutated(" in program.source("vcpu_enter_guest")
    assert {"READ_ONCE", "xchg", "smp_mb", "send_IPI", "local_irq_disable"} <= {
        site.operation for site in program.sites.values()
    }
