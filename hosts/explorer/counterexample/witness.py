"""A witness: one way to a violation, step by step, as data that can be printed, kept in a file and replayed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from emu.observe.accounting import CHECKS
from hosts.explorer.model.operations import Op
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Agent, Micro, Move, Product, State
from hosts.explorer.model.system import Model
from hosts.explorer.threads.harness import driver_sources
from hosts.loader.user_code import CodeSpec
from hosts.plural import counted
from hosts.sources import source_files
from hosts.word64 import BASE

if TYPE_CHECKING:
    from hosts.explorer.build import Builder  # brings a compiler along; a witness is read without

Int64 = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""A word of the machine, or a small number."""
Offset = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Vector = Annotated[int, Meta(ge=-1, le=255)]
"""As the host numbers it, or -1: none."""
LONGEST_BUFFER: Final = 64


class WitnessError(Exception):
    """A file that is no witness this version can read; the message is for the user."""


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """One operation of a step."""

    kind: str
    """The name of a :class:`hosts.explorer.model.operations.Op`."""
    word: str
    a: Int64
    b: Int64
    answer: Int64
    function: str
    file: str
    line: Int64
    text: str


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """One move: a thread runs (``rows`` say what it did), a store reaches memory, an IPI arrives."""

    agent: Agent
    thread: Int64
    vector: Vector
    """The vector that arrives, as the host numbers it (0xf2); -1 for other moves."""
    answers: tuple[Int64, ...]
    """What the branches of the step are answered (choose, one_in, deadline_passed, run_goes_on), in order."""
    rows: tuple[Row, ...]
    word: str = ""
    value: Int64 = 0
    """Of a drain: which store leaves the buffer."""


class Witness(Struct, frozen=True, forbid_unknown_fields=True):
    """A way to a violation, and all that is needed to take it again."""

    scenario: str
    policy: str
    """A name, or ``file.py:function``."""
    mutation: str
    """A name, or an empty string."""
    scope: str
    model: Literal["tso", "sc"]
    buffer: Annotated[int, Meta(ge=0, le=LONGEST_BUFFER)]
    overtake: bool
    check: str
    """The check that fires, or ``deadlock`` or ``no-progress``."""
    vector: Vector
    """The vector it is about, or -1."""
    threads: tuple[str, ...]
    drivers: Mapping[str, str]
    """The source of ``thread_0`` ..., which are run in the program's namespace."""
    initial: Mapping[Offset, Int64]
    """Words that are not 0 at the start, by byte offset from the machine's beginning."""
    shared: Mapping[Offset, str]
    """The shared words' names by byte offset; operations on other words are no steps."""
    interrupted: tuple[Int64, ...]
    """Threads that take interrupts at every point where their flag is on."""
    interrupted_last: tuple[Int64, ...]
    """Threads that take them only at the end of an open window (see hosts.explorer.threads.machine_words)."""
    eager: bool
    """IPIs of a delivery leave in the step before (see hosts.explorer.threads.machine_words)."""
    steps: tuple[Step, ...]
    states: tuple[Mapping[str, Any], ...]
    """What can be seen before the first step and after each (see hosts.explorer.explanation.table)."""
    sources: Mapping[str, str]
    """The SHA-256 of every source file that decides what is run, by its name."""
    story: str = ""
    """Who owed what to whom, and which step broke it."""
    cycle: Int64 = 0
    """Of a no-progress: so many of the last steps lead back to where they begin; 0: the way round is not told."""
    without_buffers: str = ""
    """Of a witness that would blame a store buffer: what the same scope has come to under sequential consistency.

    ``violates`` (this is that way), ``holds``, or ``unknown``; empty if nobody had to ask.
    """
    fate: str = ""
    """What becomes of it (:class:`hosts.explorer.repair.repair.Fate`); empty if nobody has looked."""
    repaired_by: str = ""
    """What repairs it the soonest."""
    fuse: bool = True
    """Instruments and branches belong to the step of the operation before."""
    alone: Mapping[Offset, Int64] = {}
    """Of the shared words those that one thread alone writes, always by ``local_write``, with that thread: it knows
    what they hold, and to put that there once more is no step."""
    code: CodeSpec | None = None
    """What of the user's is in the machine besides a rule."""
    lines: Mapping[str, str] = {}
    """The user's source lines among those of the steps, by ``file:line``."""

    @property
    def stem(self) -> int:
        """Count the steps before the cycle, or all."""
        return len(self.steps) - self.cycle

    @property
    def round(self) -> str:
        """Name the steps of the cycle."""
        last = len(self.steps)
        return f"steps {self.stem + 1} to {last}" if self.cycle > 1 else f"step {last}"

    @property
    def length(self) -> str:
        """Say how long it is."""
        return f"{counted(self.stem, 'step')}" + (f" and a cycle of {self.cycle}" if self.cycle else "")

    @property
    def memory(self) -> str:
        """Return the memory model that the steps were found in, in words."""
        memory = f"x86-TSO, store buffers of {self.buffer}" if self.buffer else "sequential consistency"
        return f"{memory}{', IPIs may overtake the buffer' if self.overtake else ''}"

    @property
    def delayed_stores(self) -> int:
        """Count the stores that stay in their buffer while anything but draining happens."""
        waiting: dict[int, list[int]] = {}
        """For each thread, when each store that waits was made, counted in steps that drain nothing."""
        now = delayed = 0
        for step in self.steps:
            mine = waiting.setdefault(step.thread, [])
            if step.agent == "drain":
                delayed += mine.pop(0) < now if mine else 0
            else:
                now += 1
                mine += [now for row in step.rows if row.kind == Op.STORE.written] if self.buffer else []
        return delayed + sum(made < now for mine in waiting.values() for made in mine)


def make_witness(
    builder: Builder,
    model: Model,
    options: Options,
    moves: Sequence[Move],
    found: int | str,
    *,
    scenario: str,
    policy: str,
) -> tuple[Witness, list[State]]:
    """Make the witness of a way to what was ``found``: a sighting, or the name of another ending.

    Gives the states on the way too; what they look like, and the story, the caller fills in. ``policy`` is a name, or
    ``file.py:function``.
    """
    steps, states = steps_of(model, options, moves)
    check, vector = check_of(found, builder.program.own.checks) if isinstance(found, int) else (found, -1)
    witness = Witness(
        scenario=scenario,
        policy=policy,
        mutation=builder.mutation.name if builder.mutation is not None else "",
        scope=str(builder.scope),
        model="tso" if options.buffer else "sc",
        buffer=max(options.buffer, *(len(buffer) for state in states for buffer in state.buffers)),
        overtake=options.overtake,
        check=check,
        vector=vector,
        threads=tuple(model.names),
        drivers=driver_sources(builder.scope),
        initial=by_offset(builder.world.words.initial),
        shared=by_offset(dict(zip(builder.world.words.shared, model.words, strict=True))),
        interrupted=builder.world.with_points(last=False),
        eager=builder.world.eager,
        interrupted_last=builder.world.with_points(last=True),
        steps=steps,
        states=(),
        sources=source_hashes(builder.program.files),
        fuse=options.fuse,
        alone=by_offset(builder.world.words.single),
        code=builder.program.patches,
    )
    return witness, states


def steps_of(model: Model, options: Options, moves: Sequence[Move]) -> tuple[tuple[Step, ...], list[State]]:
    """Take the moves one by one; return them in full, with the states before the first and after each."""
    product = Product(model, options)
    states = [product.initial()]
    steps = []
    for move in moves:
        outcome = product.outcome(states[-1], move)
        steps.append(step_of(model, states[-1], move, outcome.micros))
        states.append(outcome.state)
    return tuple(steps), states


def step_of(model: Model, before: State, move: Move, micros: Sequence[Micro]) -> Step:
    """Return a move from a state in full; ``micros``: the operations of its outcome."""
    rows = tuple(_row(model, move.thread, micro) for micro in micros)
    if move.agent == "drain":
        word, value = before.buffers[move.thread][0]
        return Step("drain", move.thread, -1, (), (), model.words[word], value)
    vector = model.vectors[move.vector] if move.agent == "arrive" else -1
    return Step(move.agent, move.thread, vector, move.answers, rows)


def _row(model: Model, thread: int, micro: Micro) -> Row:
    operation = micro.operation
    place = model.threads[thread].place(operation.where)
    word = model.words[operation.word] if operation.word >= 0 else ""
    b = model.vectors[operation.b] if operation.kind == Op.SEND else operation.b
    answer = model.vectors[micro.answer] if operation.kind == Op.ACK else micro.answer
    return Row(operation.kind.written, word, operation.a, b, answer, place.function, place.file, place.line, place.text)


def by_offset(words: Mapping[int, Any]) -> dict[int, Any]:
    """Return words by their offset from the machine's beginning instead of their address."""
    return {address - BASE: value for address, value in words.items() if address >= BASE}


def check_of(sighting: int, names: Sequence[str] = CHECKS) -> tuple[str, int]:
    """Return the check and the vector (-1: none) of a sighting; ``names``: those of all checks, by their numbers."""
    check, vector = divmod(sighting, 256)
    return names[check], -1 if vector == 255 else vector  # noqa: PLR2004 - see hosts.explorer.model.system.Transition


# --- sources ---------------------------------------------------------------------------------------------------


def source_hashes(users: Mapping[str, str]) -> dict[str, str]:
    """Hash what decides what is run: emu, the loader's files and, as they were when they were loaded, the user's."""
    files = source_files("emu", "hosts", "hosts/loader")
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    return hashes | {str(Path(path)): digest for path, digest in users.items()}


def changed_sources(witness: Witness, users: Mapping[str, str]) -> list[str]:
    """Name the source files that are not what they were when the witness was found; ``users``: the user's, by path."""
    now, then = source_hashes(users), witness.sources
    own = {str(Path(path)) for path in users}
    what = "another rule than the witness's" if witness.code is None else "not the witness's"
    changed = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    return [f"{name} ({_another(now, then, name, what)})" if name in own else name for name in changed]


def _another(now: Mapping[str, str], then: Mapping[str, str], name: str, what: str) -> str:
    if name not in then:
        return "of which the witness tells no sha256"
    return f"{what}: sha256 {now[name][:12]}... now, {then[name][:12]}... then"
