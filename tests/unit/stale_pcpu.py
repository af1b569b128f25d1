"""A search for locals that know a pCPU and are used after their task may have gone on with another.

The functions of a loaded program are followed from where a task begins and from where it takes an interrupt, through
all calls, with what is known of the interrupt flag and the preempt count. A task may migrate at an interrupt point with
interrupts on and preemption allowed, and in ``switch_to`` always. What ``this_pcpu()`` and its like give, and what is
computed from that, is stale from then on; what was read from memory at such an address is not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

SOURCES = frozenset({"this_cpu_ptr", "this_pcpu", "smp_processor_id"})
LOADS = frozenset({"local_read", "READ_ONCE", "smp_load_acquire", "peek", "xchg", "cmpxchg", "take_half"}) | {
    "test_and_set_bit",
    "test_and_clear_bit",
}
"""What gives a number from memory."""


@dataclass(frozen=True)
class State:
    """What is known at a place of a function."""

    enabled: bool
    """Interrupts may be on."""
    disabled: int
    """How often preemption is disabled, at least; effects of a delivery that are under way count, too."""
    saved: tuple[bool, ...] = ()
    """What ``local_irq_save`` has found."""
    fresh: frozenset[str] = frozenset()
    """Locals that know the pCPU."""
    stale: frozenset[str] = frozenset()
    """Locals that know one on which the task may not be any more."""

    def joined(self, other: State | None) -> State:
        """Return what is known where two ways meet."""
        if other is None:
            return self
        return State(
            self.enabled or other.enabled,
            min(self.disabled, other.disabled),
            self.saved,
            self.fresh | other.fresh,
            self.stale | other.stale,
        )


@dataclass(frozen=True)
class Summary:
    """What a call comes to."""

    enabled: bool
    disabled: int
    saved: tuple[bool, ...]
    migrates: bool
    known: bool
    """Its result knows the pCPU."""


@dataclass
class Search:
    """The search through one program."""

    trees: Mapping[str, ast.FunctionDef]
    found: set[str] = field(default_factory=set)
    """``function: local`` for each use of what is stale."""
    visited: set[str] = field(default_factory=set)
    _done: dict[tuple[object, ...], Summary] = field(default_factory=dict)

    def call(self, name: str, state: State, known: tuple[bool, ...]) -> Summary:
        """Follow one call; ``known``: which arguments know the pCPU."""
        key = (name, state.enabled, state.disabled, state.saved, known)
        if key not in self._done:
            self.visited.add(name)
            tree = self.trees[name]
            names = [argument.arg for argument in tree.args.args]
            fresh = frozenset(name for name, is_known in zip(names, known, strict=False) if is_known)
            walk = Walk(self, name)
            end = walk.block(tree.body, replace(state, fresh=fresh, stale=frozenset()))
            for each in walk.returned:
                end = each.joined(end)
            end = end or state
            self._done[key] = Summary(end.enabled, end.disabled, end.saved, walk.migrates, walk.gives)
        return self._done[key]


@dataclass
class Walk:
    """One function on its way through a call."""

    search: Search
    name: str
    migrates: bool = False
    gives: bool = False
    returned: list[State] = field(default_factory=list)
    leaving: list[list[State]] = field(default_factory=list)

    def block(self, statements: Iterable[ast.stmt], state: State | None) -> State | None:
        """Follow statements; None: their end is not reached."""
        for statement in statements:
            if state is None:
                return None
            state = self.statement(statement, state)
        return state

    def statement(self, statement: ast.stmt, state: State) -> State | None:  # noqa: C901, PLR0911 - one for each kind
        """Follow one."""
        match statement:
            case ast.If(test=test, body=body, orelse=orelse):
                _, state = self.value(test, state)
                ends = [self.block(body, state), self.block(orelse, state)]
                return _met(ends)
            case ast.While(test=test, body=body):
                return self.loop([ast.Expr(test), *body], state)
            case ast.For(target=target, iter=counted, body=body):
                known, state = self.value(counted, state)
                return self.loop([ast.Assign([target], ast.Constant(0)), *body], self.bound(target, state, known=known))
            case ast.Match(subject=subject, cases=cases):
                _, state = self.value(subject, state)
                return _met([state, *(self.block(case.body, state) for case in cases)])
            case ast.Break() | ast.Continue():
                self.leaving[-1].append(state)
                return None
            case ast.Return(value=value):
                if value is not None:
                    known, state = self.value(value, state)
                    self.gives |= known
                self.returned.append(state)
                return None
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                known, state = self.value(value, state)
                return self.bound(target, state, known=known)
            case ast.AugAssign(target=ast.Name(id=name) as target, value=value):
                known, state = self.value(value, state)
                was, state = self.value(ast.Name(name, ast.Load()), state)
                return self.bound(target, state, known=known or was)
            case ast.Expr(value=value):
                return self.value(value, state)[1]
        return state

    def loop(self, body: list[ast.stmt], state: State) -> State:
        """Follow a loop until nothing new is known."""
        self.leaving.append([])
        while True:
            left = _met([state, self.block(body, state), *self.leaving[-1]])
            assert left is not None
            if left == state:
                break
            state = left
        self.leaving.pop()
        return state

    def bound(self, target: ast.expr, state: State, *, known: bool) -> State:
        """Bind a local."""
        names = frozenset(node.id for node in ast.walk(target) if isinstance(node, ast.Name))
        fresh = state.fresh | names if known else state.fresh - names
        return replace(state, fresh=fresh, stale=state.stale - names)

    def value(self, expression: ast.expr, state: State) -> tuple[bool, State]:
        """Follow an expression; say whether its value knows the pCPU."""
        match expression:
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
                known = []
                for argument in (*arguments, *(keyword.value for keyword in keywords)):
                    is_known, state = self.value(argument, state)
                    known.append(is_known)
                return self.called(name, expression, known, state)
            case ast.Name(id=name):
                if name in state.stale:
                    self.search.found.add(f"{self.name}: {name}")
                return name in state.fresh, state
            case ast.Compare() | ast.UnaryOp(op=ast.Not()):
                for child in ast.iter_child_nodes(expression):
                    if isinstance(child, ast.expr):
                        _, state = self.value(child, state)
                return False, state
        known_in_all = False
        for child in ast.iter_child_nodes(expression):
            if isinstance(child, ast.expr):
                is_known, state = self.value(child, state)
                known_in_all |= is_known
        return known_in_all, state

    def called(  # noqa: C901, PLR0911 - one for each kind
        self, name: str, call: ast.Call, known: list[bool], state: State
    ) -> tuple[bool, State]:
        """Follow a call whose arguments have been followed."""
        match name:
            case "preempt_disable" | "begin_effects":
                return False, replace(state, disabled=state.disabled + 1)
            case "preempt_enable_no_resched" | "end_effects":
                return False, replace(state, disabled=max(0, state.disabled - 1))
            case "preempt_enable":
                state = replace(state, disabled=max(0, state.disabled - 1))
                return self.called("preempt_schedule", call, [], state) if state.enabled else (False, state)
            case "preempt_schedule" if state.disabled != 0 or name not in self.search.trees:
                return False, state  # its callers have asked whether it may
            case "local_irq_save":
                return False, replace(state, enabled=False, saved=(*state.saved, state.enabled))
            case "local_irq_restore":
                return False, replace(state, enabled=state.saved[-1], saved=state.saved[:-1])
            case "interrupt_point":
                return False, self.migrated(state) if state.enabled and state.disabled == 0 else state
            case "switch_to":
                return False, self.migrated(state)
            case "local_write" if ast.unparse(call.args[0]).endswith("irq.enabled"):
                return False, replace(state, enabled=ast.unparse(call.args[1]) != "0")
        if name in SOURCES:
            return True, state
        if name not in self.search.trees:
            return any(known) and name not in LOADS, state
        summary = self.search.call(name, state, tuple(known))
        state = replace(state, enabled=summary.enabled, disabled=summary.disabled, saved=summary.saved)
        return summary.known, self.migrated(state) if summary.migrates else state

    def migrated(self, state: State) -> State:
        """The task may be on another pCPU now."""
        self.migrates = True
        return replace(state, fresh=frozenset(), stale=state.stale | state.fresh)


def _met(ends: Iterable[State | None]) -> State | None:
    met: State | None = None
    for end in ends:
        met = end.joined(met) if end is not None else met
    return met


def stale_uses(trees: Mapping[str, ast.FunctionDef], roots: Mapping[str, State]) -> Search:
    """Search a program from some functions, each with what is known where it begins."""
    search = Search(trees)
    for name, state in roots.items():
        search.call(name, state, ())
    return search
