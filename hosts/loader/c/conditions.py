"""The conditions of ``#if``: integers, ``defined``, ``IS_ENABLED`` and the like, by the environment's table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NoReturn, Protocol

from hosts.loader.c.errors import refuse
from hosts.loader.c.rules import Environment


class Macro(Protocol):
    """What is asked of a macro here."""

    @property
    def parameters(self) -> tuple[str, ...] | None:
        """The parameters; None: it takes no arguments."""

    @property
    def body(self) -> str:
        """The text that it stands for."""


_PART: Final = re.compile(
    r"\s*(?:(0[xX][0-9a-fA-F]+|\d+)[uUlL]*|([A-Za-z_]\w*)|(&&|\|\||[<>=!]=|<<|>>|[-+*/%<>!()?:,~&|^]))"
)
_ASKS: Final = frozenset({"IS_ENABLED", "IS_BUILTIN", "IS_REACHABLE", "IS_MODULE"})
_BINARY: Final = (
    ("||",),
    ("&&",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("+", "-"),
    ("*",),
)
_MOST_PARTS: Final = 400


def holds(
    condition: str, macros: Mapping[str, Macro], environment: Environment, where: tuple[str, int]
) -> tuple[int, str]:
    """Return whether a condition holds, and a ``CONFIG_`` name in it that nothing is known of, if any."""
    parser = _Parser(condition, macros, environment, where)
    value = parser.binary(0)
    if parser.at < len(parser.tokens):
        parser.fail()
    return value, parser.unknown


class _Parser:
    def __init__(
        self, text: str, macros: Mapping[str, Macro], environment: Environment, where: tuple[str, int]
    ) -> None:
        self.text, self.macros, self.environment, self.where = text, macros, environment, where
        self.unknown = ""
        self.tokens: list[str] = []
        self.at = 0
        position = 0
        while position < len(text.rstrip()):
            match = _PART.match(text, position)
            if match is None:
                self.fail()
            self.tokens.append(match.group(1) or match.group(2) or match.group(3))
            position = match.end()
        if len(self.tokens) > _MOST_PARTS:
            self.fail()

    def fail(self) -> NoReturn:
        refuse(*self.where, f"#if {self.text}: the condition cannot be worked out")

    def take(self) -> str:
        if self.at >= len(self.tokens):
            self.fail()
        self.at += 1
        return self.tokens[self.at - 1]

    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def binary(self, level: int) -> int:
        if level == len(_BINARY):
            return self.unary()
        value = self.binary(level + 1)
        while self.next() in _BINARY[level]:
            operator, right = self.take(), self.binary(level + 1)
            value = _OPERATIONS[operator](value, right)
        return value

    def unary(self) -> int:
        part = self.take()
        if part == "!":
            return int(not self.unary())
        if part == "-":
            return -self.unary()
        if part == "(":
            value = self.binary(0)
            self.expect(")")
            return value
        if part[0].isdigit():
            return int(part, 16) if part[:2].lower() == "0x" else int(part, 8 if part[0] == "0" else 10)
        return self.name(part)

    def expect(self, part: str) -> None:
        if self.take() != part:
            self.fail()

    def name(self, name: str) -> int:
        if name == "defined":
            inside = self.next() == "("
            if inside:
                self.take()
            asked = self.take()
            if inside:
                self.expect(")")
            return int(self.is_set(asked))
        if name in _ASKS:
            self.expect("(")
            asked = self.take()
            self.expect(")")
            return int(self.is_set(asked))
        answer = self.environment.config(name)
        if answer is not None:
            return int(answer)
        macro = self.macros.get(name)
        if (
            macro is not None
            and macro.parameters is None
            and re.fullmatch(r"\(?(0[xX][0-9a-fA-F]+|\d+)\)?", macro.body)
        ):
            return int(macro.body.strip("()"), 0) if macro.body.strip("()") != "0" else 0
        if self.next() == "(":
            self.unknown = self.unknown or name
            self.skip()
        return 0

    def skip(self) -> None:
        """Pass over arguments."""
        depth = 0
        while True:
            part = self.take()
            depth += (part == "(") - (part == ")")
            if depth == 0:
                return

    def is_set(self, name: str) -> bool:
        answer = self.environment.config(name)
        if answer is None and name not in self.macros and name.startswith("CONFIG_"):
            self.unknown = self.unknown or name
        return answer if answer is not None else name in self.macros


_OPERATIONS: Final[dict[str, Callable[[int, int], int]]] = {
    "||": lambda a, b: int(bool(a) or bool(b)),
    "&&": lambda a, b: int(bool(a) and bool(b)),
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    ">": lambda a, b: int(a > b),
    "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b),
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
