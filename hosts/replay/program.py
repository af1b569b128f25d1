"""The program of a replay: the protocol with the witness's policy, and each thread's driver.

A driver is source out of a file, so it is held to the protocol's language and names before it is run, like a policy.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Final

from emu.machine import MAX_PCPUS, Machine
from emu.memory import WORD_BYTES
from hosts.explorer.counterexample.witness import Witness, WitnessError
from hosts.explorer.model.operations import Op
from hosts.explorer.threads.deferrable import deferrable_vectors
from hosts.explorer.threads.machine_words import VECTORS
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.loader.program import Program, load_program
from hosts.loader.syntax.anf import normalise
from hosts.loader.syntax.language import LoaderError, Origin, check_language
from hosts.loader.syntax.names import Scope, pure_functions, struct_fields
from hosts.loader.user_code import code_of
from hosts.replay.operations import UNSCHEDULED
from hosts.replay.setting import ProgramFunction
from hosts.word64 import BASE

DRIVER_FILE: Final = "<scope>"
_UNSCHEDULED: Final = frozenset(kind.written for kind in (*UNSCHEDULED, Op.GHOST_ADD, Op.RESET))


@dataclass(frozen=True)
class ReplayProgram:
    """The program of one witness's processes."""

    drivers: tuple[Callable[[], None], ...]
    interrupt: Callable[[], None]
    functions: dict[CodeType, ProgramFunction]
    last_points: frozenset[int]
    """The interrupt points that end an open window."""
    files: tuple[str, ...]
    """The user's files, of which a fault names one."""
    deferrable: frozenset[int]
    """Deferrable vectors, which only those take (see hosts.explorer.threads.deferrable)."""
    own: Own = NOTHING_OWN
    """What the user's code declares."""
    task: Callable[[], None] | None = None
    """What a vCPU's task runs; None: the scope has no tasks."""
    contexts: tuple[int, ...] = ()
    """The context words of these tasks."""


def replay_program(witness: Witness, program: Program | None = None) -> ReplayProgram:
    """Make a witness's threads; WitnessError, or LoaderError about the user's policy."""
    _check(witness)
    if program is None:
        program = load_program(code_of(witness.policy, witness.code))
    functions = {
        function.__code__: ProgramFunction(name, function.__code__.co_filename, function.__module__)
        for name, function in program.functions.items()
    }
    drivers = tuple(_driver(witness, program, i) for i in range(len(witness.threads)))
    functions |= {driver.__code__: ProgramFunction(driver.__name__, DRIVER_FILE, "scope") for driver in drivers}
    last = frozenset(number for number, site in program.sites.items() if site.operation == "local_irq_disable")
    vectors = {*VECTORS, *(row.b for step in witness.steps for row in step.rows if row.kind == Op.SEND.written)}
    contexts = _contexts(witness)
    # The way back from any interrupt may switch tasks.
    deferrable = deferrable_vectors(program, tuple(sorted(vectors))) if not contexts else frozenset()
    interrupt, files = program.functions["common_interrupt"], tuple(program.files)
    task = program.functions["ret_from_fork"] if contexts else None
    return ReplayProgram(drivers, interrupt, functions, last, files, deferrable, program.own, task, contexts)


def _contexts(witness: Witness) -> tuple[int, ...]:
    """Return the context words of the tasks, if pCPUs run vCPUs as tasks."""
    machine = Machine(BASE)
    if witness.initial.get(machine.config.task_pcpus - BASE, 0) == 0:
        return ()
    vcpus = witness.initial.get(machine.config.vcpus - BASE, 0)
    if not 0 <= vcpus <= MAX_PCPUS:
        raise WitnessError(f"the witness has {vcpus} vCPUs: a machine has up to {MAX_PCPUS}")
    return tuple(machine.vcpus[i].sched.context for i in range(vcpus))


def _check(witness: Witness) -> None:
    """Refuse what no machine has, and steps that no process can take."""
    words = {*witness.initial, *witness.shared}
    if not all(0 <= offset < Machine.nbytes and offset % WORD_BYTES == 0 for offset in words):
        raise WitnessError("the witness names words that lie outside of the machine")
    threads = len(witness.threads)
    used = {step.thread for step in witness.steps} | {*witness.interrupted, *witness.interrupted_last}
    if not 0 < threads <= MAX_PCPUS or not used <= set(range(threads)):
        raise WitnessError("the witness names threads that it does not have")
    machine = Machine(BASE)
    pcpus = witness.initial.get(machine.config.pcpus - BASE)
    if pcpus != threads:
        raise WitnessError(f"the witness has {threads} threads for a machine of {pcpus or 'no'} pCPUs")
    if not witness.fuse:
        raise WitnessError(
            "found with --no-fuse: its steps are parts of what a process does in one go, not to be replayed; "
            "explore without --no-fuse finds one that is"
        )
    inside = {machine.pcpus[i].marks.inside for i in range(threads)}
    marks = {name for offset, name in witness.shared.items() if offset + BASE in inside}
    begun: set[int] = set()
    for number, step in enumerate(witness.steps, 1):
        first = step.rows[0] if step.rows else None
        begins = first is not None and first.kind == Op.GHOST_WRITE.written and first.word in marks and first.a & 1 != 0
        if first is not None and first.kind in _UNSCHEDULED and not begins and step.thread in begun:
            raise WitnessError(
                f"step {number} begins within a step of a process, where none can be stopped: not to be replayed"
            )
        begun |= {step.thread} if step.agent == "run" else set()


def _driver(witness: Witness, program: Program, number: int) -> FunctionType:
    name = f"thread_{number}"
    source = witness.drivers.get(name)
    if source is None:
        raise WitnessError(f"the witness does not say what {name} runs")
    origin = Origin(DRIVER_FILE)
    try:
        body = ast.parse(source).body
        if len(body) != 1 or not isinstance(body[0], ast.FunctionDef) or body[0].name != name:
            raise WitnessError(f"what the witness gives for {name} is not one function of that name")
        tree = body[0]
        check_language(tree, origin)
        fields = struct_fields(program.namespace.values())
        trees = {**program.trees, name: tree}
        values = {key: value for key, value in program.namespace.items() if key not in program.trees}
        Scope(values, trees, fields).check(tree, origin)
    except (SyntaxError, LoaderError) as error:
        raise WitnessError(f"what the witness gives for {name} cannot be run: {error}") from None
    normal = normalise(tree, pure_functions(program.trees, values).__contains__)
    namespace: dict[str, Any] = dict(program.namespace)
    code = compile(ast.fix_missing_locations(ast.Module([normal], [])), DRIVER_FILE, "exec")
    exec(code, namespace)  # noqa: S102 - checked above: it calls the protocol and nothing else
    made = namespace[name]
    assert isinstance(made, FunctionType)  # noqa: S101
    return made
