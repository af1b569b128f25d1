"""Random C statements that come to an end on every input."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.c_semantics.generator.expressions import Draw, Expr
from tests.c_semantics.generator.widths import NAMED, Width

LOOPS: Final = ("for_fixed", "for_given", "while_down", "do_down", "shifted_out")
PLAIN: Final = ("assign", "assign", "assign", "declare", "if_", "if_", "block")


@dataclass
class Body:
    """Writes the statements of one function."""

    rng: random.Random
    draw: Draw
    result: Width
    kinds: Sequence[str] = PLAIN
    depth: int = 2
    """Of expressions."""
    loops: int = 0
    """Loops around what is being written."""
    breakable: int = 0
    """Loops and switches around it."""
    names: int = 0
    labels: list[str] = field(default_factory=list)
    """Labels at the end of the function, to be jumped to from anywhere."""
    budget: int = 14
    """Statements that may still be written."""

    def new_name(self, prefix: str) -> str:
        """Return a name that is not in use."""
        self.names += 1
        return f"{prefix}{self.names}"

    def text(self, depth: int | None = None) -> str:
        """Return the text of an expression."""
        return self.draw.expr(self.depth if depth is None else depth).at(1)

    def condition(self) -> str:
        """Return the text of an expression that is mostly a comparison."""
        if self.rng.random() < 0.3:
            return self.text()
        left, right = self.draw.expr(1), self.draw.leaf()
        if left.writes & right.reads:
            return left.at(0)
        return self.draw.joined(left, self.rng.choice(("==", "!=", "<", "<=", ">", ">=", "&")), right).text

    def statements(self, most: int, nesting: int) -> list[str]:
        """Return one to ``most`` statements."""
        return [line for _ in range(self.rng.randint(1, most)) for line in self.statement(nesting)]

    def statement(self, nesting: int) -> list[str]:
        """Return the lines of one statement."""
        self.budget -= 1
        kinds = list(self.kinds) if self.budget > 0 and nesting > 0 else ["assign", "declare"]
        if self.loops:
            kinds += ["leave"]
        if self.labels and nesting > 0:
            kinds += ["jump"]
        return getattr(self, self.rng.choice(kinds))(nesting)

    def scoped(self, write: Callable[[], list[str]]) -> list[str]:
        """Return indented lines whose declarations end with them."""
        before, arrays = dict(self.draw.variables), dict(self.draw.arrays)
        lines = write()
        self.draw.variables.clear()
        self.draw.variables.update(before)
        self.draw.arrays.clear()
        self.draw.arrays.update(arrays)
        return indented(lines)

    def inner(self, nesting: int) -> list[str]:
        """Return a block's lines."""
        return self.scoped(lambda: self.statements(3, nesting - 1))

    # --- plain ones ----------------------------------------------------------------------------------------------

    def assign(self, _nesting: int) -> list[str]:
        """Write an assignment."""
        if self.draw.arrays and self.rng.random() < 0.4:
            return [f"{self.element_assigned()};"]
        names = self.draw.changeable()
        if not names:
            return [";"]
        return [f"{self.draw.change(self.rng.choice(names), self.depth).text};"]

    def element_assigned(self) -> str:
        """Return an assignment to an element of an array."""
        name = self.rng.choice(list(self.draw.arrays))
        width, size = self.draw.arrays[name]
        reads = frozenset({name})
        target = Expr(f"{name}[{self.rng.randrange(size)}]", width, 15, reads)
        value = self.draw.expr(self.depth, no_writes=reads)
        return self.draw.assigned(target, self.rng.choice(("=", "=", "+=", "|=", "^=", "-=", ">>=")), value).text

    def declare(self, nesting: int) -> list[str]:
        """Write a declaration."""
        width = self.rng.choice(NAMED)
        value = self.text()
        name = self.new_name("v")
        if self.rng.random() < 0.15 and len(self.draw.variables) > 1 and nesting >= 0:
            other = self.new_name("v")
            line = f"{width.name} {name} = {value}, {other} = {self.text(1)};"
            self.draw.variables[other] = width
        else:
            line = f"{width.name} {name} = {value};"
        self.draw.variables[name] = width
        return [line]

    def if_(self, nesting: int) -> list[str]:
        """Write an ``if``."""
        condition = self.condition()
        if self.rng.random() < 0.2:
            lines = [f"if ({condition})", *indented(self.assign(0))]
            return [*lines, "else", *indented(self.assign(0))] if self.rng.random() < 0.5 else lines
        lines = [f"if ({condition}) {{", *self.inner(nesting)]
        if self.rng.random() < 0.3:
            lines += [f"}} else if ({self.condition()}) {{", *self.inner(nesting)]
        if self.rng.random() < 0.5:
            lines += ["} else {", *self.inner(nesting)]
        return [*lines, "}"]

    def block(self, nesting: int) -> list[str]:
        """Write a block, which may hide a name."""
        names = [name for name in self.draw.variables if name not in self.draw.fixed]
        if not names or self.rng.random() < 0.5:
            return ["{", *self.inner(nesting), "}"]
        name, width, value = self.rng.choice(names), self.rng.choice(NAMED), self.rng.choice(("0", "1", "-1", "200"))

        def shadowing() -> list[str]:
            self.draw.variables[name] = width
            return [f"{width.name} {name} = {value};", *self.statements(3, nesting - 1)]

        return ["{", *self.scoped(shadowing), "}"]

    # --- loops ---------------------------------------------------------------------------------------------------

    def looped(self, head: str, nesting: int, tail: str, *, fixed: str, first: Sequence[str] = ()) -> list[str]:
        """Return a loop; ``fixed`` is what it counts with."""
        self.loops += 1
        self.breakable += 1
        self.draw.fixed.add(fixed)
        lines = [head, *indented(first), *self.inner(nesting), tail]
        self.draw.fixed.discard(fixed)
        self.loops -= 1
        self.breakable -= 1
        return lines

    def for_fixed(self, nesting: int) -> list[str]:
        """Write a loop that goes round a fixed number of times."""
        name, width, n = self.new_name("i"), self.rng.choice(NAMED[1:]), self.rng.randint(1, 5)
        step = self.rng.choice((f"{name}++", f"++{name}", f"{name} += 2"))

        def write() -> list[str]:
            self.draw.variables[name] = width
            return self.looped(f"for ({width.name} {name} = 0; {name} < {n}; {step}) {{", nesting, "}", fixed=name)

        return ["{", *self.scoped(write), "}"]

    def for_given(self, nesting: int) -> list[str]:
        """Write one that counts down from what is computed."""
        name, width, n = self.new_name("i"), self.rng.choice(NAMED[1:]), self.new_name("n")
        until = f"int {n} = ({self.text(1)}) & 7;"
        self.draw.variables[n] = self.draw.variables[name] = width
        self.draw.fixed.add(n)
        lines = self.looped(f"for ({name} = {n}; {name} > 0; {name}--) {{", nesting, "}", fixed=name)
        return [f"{width.name} {name};", until, *lines]

    def while_down(self, nesting: int) -> list[str]:
        """Write one that counts down in its condition."""
        name, width = self.new_name("n"), self.rng.choice(NAMED[1:])
        start = f"{width.name} {name} = ({self.text(1)}) & 7;"
        self.draw.variables[name] = width
        return [start, *self.looped(f"while ({name}--) {{", nesting, "}", fixed=name)]

    def do_down(self, nesting: int) -> list[str]:
        """Write one that asks at its end."""
        name, width = self.new_name("n"), self.rng.choice(NAMED[1:])
        start = f"{width.name} {name} = (({self.text(1)}) & 3) + 1;"
        self.draw.variables[name] = width
        return [start, *self.looped("do {", nesting, f"}} while (--{name});", fixed=name)]

    def shifted_out(self, nesting: int) -> list[str]:
        """Write one that ends when a number is 0."""
        name = self.new_name("w")
        width = self.rng.choice([each for each in NAMED if not each.signed and each.bits > 1])
        start = f"{width.name} {name} = {self.text(1)};"
        self.draw.variables[name] = width
        step = self.rng.choice((f"{name} >>= 5;", f"{name} &= {name} - 1;", f"{name} /= 7;"))
        return [start, *self.looped(f"while ({name}) {{", nesting, "}", fixed=name, first=[step])]

    def leave(self, _nesting: int) -> list[str]:
        """Write a way out of a loop."""
        return [f"if ({self.condition()})", f"\t{self.rng.choice(('break', 'continue', 'break'))};"]

    # --- switch --------------------------------------------------------------------------------------------------

    def switch(self, nesting: int) -> list[str]:
        """Write a ``switch``."""
        mask = self.rng.choice((3, 7))
        values = self.rng.sample(range(mask + 1), self.rng.randint(2, 4))
        labels = [f"case {value}:" for value in values]
        if self.rng.random() < 0.03:
            labels[-1] = f"case {mask + 1} ... {mask + 3}:"
        if self.rng.random() < 0.7:
            labels.insert(self.rng.randint(0, len(labels)), "default:")
        self.breakable += 1
        lines = [f"switch (({self.text(1)}) & {mask}) {{"]
        for i, label in enumerate(labels):
            lines.append(label)
            if self.rng.random() < 0.75 or i == len(labels) - 1:
                lines += indented(self.case(nesting))
        self.breakable -= 1
        return [*lines, "}"]

    def case(self, nesting: int) -> list[str]:
        """Return what stands after a label: it may fall through to the next."""
        before = dict(self.draw.variables)
        kinds, self.kinds = self.kinds, [kind for kind in self.kinds if kind != "declare"]
        lines = self.if_(nesting - 1) if nesting > 0 and self.rng.random() < 0.3 else self.assign(0)
        self.kinds = kinds
        self.draw.variables.clear()
        self.draw.variables.update(before)
        ends = ["break;", "break;", "break;", "", f"return {self.text(1)};"]
        ends += ["continue;"] if self.loops else []
        ends += [f"if ({self.condition()})\n\tbreak;"]
        end = self.rng.choice(ends)
        return [*lines, *(end.split("\n") if end else [])]

    # --- goto ----------------------------------------------------------------------------------------------------

    def jump(self, _nesting: int) -> list[str]:
        """Write a jump to the end of the function."""
        return [f"if ({self.condition()})", f"\tgoto {self.rng.choice(self.labels)};"]

    def again(self, nesting: int) -> list[str]:
        """Write a jump back."""
        label, name = self.new_name("again"), self.new_name("n")
        start = [f"int {name} = ({self.text(1)}) & 7;", f"{label}:"]
        self.draw.variables[name] = NAMED[5]
        self.draw.fixed.add(name)
        before = dict(self.draw.variables)
        lines = self.assign(0)
        if self.rng.random() < 0.5 and nesting > 0:
            lines += self.if_(nesting - 1)
        self.draw.variables.clear()
        self.draw.variables.update(before)
        return [*start, *lines, f"if ({name}-- > 0)", f"\tgoto {label};"]


def indented(lines: Sequence[str]) -> list[str]:
    """Return lines one level further in."""
    return textwrap.indent("\n".join(lines), "\t").split("\n") if lines else []
