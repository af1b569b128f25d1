"""History-keyed threads: the reference for the automata, with no abstraction of local states at all (``--exact``).

The functions of the loaded program run unchanged, in a greenlet; a primitive that suspends switches out of it. A local
state is the list of all answers so far, so two histories are never taken for one state, and nothing is assumed about
what a frame's state consists of. :mod:`hosts.explorer.threads.automaton` is compared with it. To go on from a state in
a second way the thread is run again from its beginning. The meaning of primitives, the data abstraction and private
words are shared with the automaton; how code is run and how states are identified is not.

Histories never repeat: unless every thread ends, a search over such threads ends at a bound and has to say so. A loop
that calls no primitive at all is not noticed here; automata refuse it.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Mapping
from types import CodeType, FrameType, FunctionType
from typing import Any, Final, NamedTuple

from greenlet import getcurrent, greenlet

from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.system import SourceLocation, Transition
from hosts.explorer.model.without_handlers import WithoutHandlers
from hosts.explorer.threads.coverage import Endless
from hosts.explorer.threads.machine_words import World
from hosts.explorer.threads.primitives import ASKED_TWICE, Primitives, direct, now, running
from hosts.explorer.threads.protocol import SUSPENDING, cut_of
from hosts.explorer.threads.resume import LONGEST
from hosts.loader.program import Program
from hosts.loader.syntax.anf import normalise
from hosts.loader.syntax.language import walk
from hosts.loader.syntax.names import PRIMITIVES

LIVE: Final = 4000
"""Threads that are kept waiting in the middle of their code, to go on from there; others are run again."""
_END: Final = Operation(Op.END)


class ExactProtocol:
    """The program's functions, and a scope's drivers, over primitives that suspend."""

    def __init__(self, program: Program, drivers: Mapping[str, ast.FunctionDef], world: World) -> None:
        """Bind every function, its code unchanged, to a namespace in which the primitives are the explorer's."""
        self.program = program
        self.modules: dict[CodeType, str] = {}
        """Of each function of the program the module."""
        suspending = {name: _suspending(name) for name in SUSPENDING | world.suspends}
        self.namespace: dict[str, Any] = {**program.namespace, **direct(world), **suspending}
        for name, function in program.functions.items():
            made = FunctionType(function.__code__, self.namespace, name, function.__defaults__)
            self.namespace[name] = made
            self.modules[function.__code__] = function.__module__
        trees = dict(program.trees)
        pure = cut_of(program).pure.__contains__
        for name, tree in drivers.items():
            normal = normalise(tree, pure)
            exec(compile(ast.Module([normal], []), "<scope>", "exec"), self.namespace)  # noqa: S102 - the scope's acts
            trees[name] = normal
        self.trees: Mapping[str, ast.FunctionDef] = trees

    def text(self, function: str, line: int, primitive: str) -> str:
        """Return a call of a primitive as it is written."""
        for node in walk(*self.trees[function].body):
            if isinstance(node, ast.Call) and node.lineno == line and ast.unparse(node.func) == primitive:
                return ast.unparse(node)
        return primitive


class _Run:
    """A thread in the middle of its code, and the words that are its own, as they are there."""

    def __init__(self, body: greenlet, own: list[int]) -> None:
        self.body = body
        self.own = own


class _State(NamedTuple):
    """A local state: the answer that led to it from the one before."""

    before: int
    answer: int


class ExactThread(Primitives, WithoutHandlers):
    """One thread. See :class:`hosts.explorer.model.system.Thread`."""

    def __init__(self, number: int, exact: ExactProtocol, driver: str, world: World) -> None:
        """Run the driver up to its first operation."""
        super().__init__(number, exact.program, world)
        self.exact = exact
        self.driver = driver
        self.asked = 0
        """Primitives since the last operation that were done at once."""
        self.spotted: dict[tuple[CodeType, int], int] = {}
        self.stands: list[tuple[CodeType, int, str]] = []
        """For each number of :meth:`place` the function, the line and the primitive."""
        self.past: list[_State] = []
        self.operations: list[Operation] = []
        self.edges: dict[tuple[int, int], Transition] = {}
        self.live: dict[int, _Run] = {}
        """Threads that wait in a local state, the longest kept first."""
        self._add(*self._begun(), _State(-1, 0))

    def __len__(self) -> int:
        """Count the local states."""
        return len(self.past)

    def operation(self, local: int) -> Operation:
        """Return what the thread does in a local state."""
        return self.operations[local]

    def step(self, local: int, answer: int) -> Transition:
        """Return the transition that an answer takes."""
        edge = self.edges.get((local, answer))
        if edge is None:
            run = self.live.pop(local, None) or self._again(local)
            self.windows, self.sighting, self.vector = 0, -1, -1
            operation = self._switched(run, answer)
            after = self._add(run, operation, _State(local, answer))
            edge = self.edges[local, answer] = Transition(after, self.windows, self.sighting, round=False)
        return edge

    def history(self, local: int) -> tuple[int, ...]:
        """Return all answers that led to a local state."""
        answers: list[int] = []
        while local:
            local, answer = self.past[local]
            answers.append(answer)
        return tuple(reversed(answers))

    def place(self, where: int) -> SourceLocation:
        """Return where an operation stands in the source."""
        code, line, primitive = self.stands[where]
        return SourceLocation(code.co_name, code.co_filename, line, self.exact.text(code.co_name, line, primitive))

    # --- running -------------------------------------------------------------------------------------------------

    def _add(self, run: _Run, operation: Operation, state: _State) -> int:
        number = len(self.past)
        self.past.append(state)
        self.operations.append(operation)
        if operation.kind != Op.END:
            self.live[number] = run
            if len(self.live) > LIVE:
                del self.live[next(iter(self.live))]
        return number

    def _begun(self) -> tuple[_Run, Operation]:
        initial = self.world.words.initial
        run = _Run(greenlet(self.exact.namespace[self.driver]), [initial.get(word, 0) for word in self.slots])
        return run, self._switched(run)

    def _again(self, local: int) -> _Run:
        """Run a thread from its beginning to a local state."""
        run, _ = self._begun()
        for answer in self.history(local):
            self._switched(run, answer)
        return run

    def _switched(self, run: _Run, *answer: int) -> Operation:
        """Let the thread go on until its next operation."""
        before = now.thread
        now.thread = self
        self.own = run.own
        self.asked = 0
        self.fenced = self.pointed = False
        try:
            run.body.parent = getcurrent()
            operation = run.body.switch(*answer)
        finally:
            now.thread = before
        return _END if run.body.dead else operation

    def perform(self, name: str, arguments: tuple[Any, ...], frame: FrameType) -> Any:
        """Do a primitive in the thread's greenlet; ``frame`` is that of the caller."""
        while True:
            self.asked += 1
            if self.asked > LONGEST:
                code = frame.f_code
                raise Endless(code.co_filename, frame.f_lineno, f"{code.co_name} does not come to an end")
            operation = self.issue[name](*arguments)
            if operation is None:
                return self.done.value
            answer = self._ask(self._located(operation, name, frame))
            if name == "interrupt_point" and (answer or operation.kind == Op.YIELD):
                if answer:
                    self.every = operation.a
                    self.exact.namespace["common_interrupt"]()
                continue
            if name == "run_goes_on" and answer >= 1 - self.world.serving:
                answer = self._ask(self._located(Operation(Op.CHOOSE, a=2), name, frame))
                return self._value(name, ASKED_TWICE, answer)
            return self._value(name, arguments, answer)

    def _ask(self, operation: Operation) -> int:
        parent = getcurrent().parent
        assert parent is not None  # noqa: S101 - a thread's code runs in a greenlet of its own
        answer: int = parent.switch(operation)
        self.pointed = operation.kind == Op.POINT and not answer
        return answer

    def _located(self, operation: Operation, name: str, frame: FrameType) -> Operation:
        """Note where an operation stands."""
        key = (frame.f_code, frame.f_lasti)
        where = self.spotted.get(key)
        if where is None:
            where = self.spotted[key] = len(self.stands)
            self.stands.append((frame.f_code, frame.f_lineno, name))
        return self._stamped(operation, self.exact.modules.get(frame.f_code, ""), where)


def _suspending(name: str) -> Callable[..., Any]:
    """Return a primitive that suspends the thread which calls it."""

    def primitive(*arguments: Any, **keywords: Any) -> Any:
        thread = running()
        assert isinstance(thread, ExactThread)  # noqa: S101 - its namespace has these primitives
        given = inspect.signature(PRIMITIVES[name]).bind(*arguments, **keywords).args if keywords else arguments
        return thread.perform(name, given, sys._getframe(1))  # noqa: SLF001 - who calls is where it stands

    return primitive
