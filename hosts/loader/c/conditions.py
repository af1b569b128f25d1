"""The conditions of ``#if``: integers as the preprocessor computes with them, ``defined``, ``IS_ENABLED`` and the like.

A condition that hangs on a name of which nothing is known has no answer; the lines that hang on it are not used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

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
    r"\s*(?:(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)(?!\w)|([A-Za-z_]\w*)|(&&|\|\||[<>=!]=|<<|>>|[-+*/%<>!()?:,~&|^]))"
)
_ASKS: Final = frozenset({"IS_ENABLED", "IS_BUILTIN", "IS_REACHABLE", "IS_MODULE"})
_LEVELS: Final = (
    *(("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", ">", "<=", ">="), ("<<", ">>"), ("+", "-")),
    ("*", "/", "%"),
)
_LEVEL_OF: Final = {operator: level for level, operators in enumerate(_LEVELS) for operator in operators}
_MOST_PARTS: Final = 400
_MOST_NESTING: Final = 30
_BITS: Final = 64


class Number(NamedTuple):
    """An integer of 64 bits."""

    value: int
    unsigned: bool = False


def _number(value: int, *, unsigned: bool = False) -> Number:
    value &= (1 << _BITS) - 1
    return Number(value if unsigned or value < 1 << (_BITS - 1) else value - (1 << _BITS), unsigned)


class _NoAnswerError(Exception):
    """What the condition hangs on."""


def holds(condition: str, macros: Mapping[str, Macro], environment: Environment) -> tuple[bool, str]:
    """Return whether a condition holds, and, if that is not known, what it hangs on."""
    try:
        return _Parser(condition, macros, environment).answer().value != 0, ""
    except _NoAnswerError as error:
        return False, str(error) or f"'#if {condition}'"


@dataclass
class _Around:
    """Where a part of a condition stands."""

    live: bool = True
    """Whether its value counts: behind ``defined(X) &&`` an unknown X is not asked for."""
    depth: int = 0


class _Parser:
    """One condition, or the body of a macro in one."""

    def __init__(
        self, text: str, macros: Mapping[str, Macro], environment: Environment, inside: frozenset[str] = frozenset()
    ) -> None:
        """``inside``: the macros whose bodies this is in."""
        self.text, self.macros, self.environment, self.inside = text, macros, environment, inside
        self.tokens: list[str] = []
        self.at = 0
        position = 0
        while position < len(text.rstrip()):
            match = _PART.match(text, position)
            if match is None or len(self.tokens) >= _MOST_PARTS:
                raise _NoAnswerError
            self.tokens.append(match.group(0).strip())
            position = match.end()

    def answer(self) -> Number:
        """Return the value of the whole text."""
        value = self.chosen(_Around())
        if self.at < len(self.tokens):
            raise _NoAnswerError
        return value

    def take(self) -> str:
        if self.at >= len(self.tokens):
            raise _NoAnswerError
        self.at += 1
        return self.tokens[self.at - 1]

    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def expect(self, part: str) -> None:
        if self.take() != part:
            raise _NoAnswerError

    # --- operators -----------------------------------------------------------------------------------------------

    def chosen(self, around: _Around) -> Number:
        """Return a value with ``?:``."""
        if around.depth > _MOST_NESTING:
            raise _NoAnswerError
        inner = _Around(around.live, around.depth + 1)
        asked = self.binary(0, inner)
        if self.next() != "?":
            return asked
        self.take()
        yes = self.chosen(_Around(around.live and asked.value != 0, inner.depth))
        self.expect(":")
        no = self.chosen(_Around(around.live and asked.value == 0, inner.depth))
        return _number((yes if asked.value else no).value, unsigned=yes.unsigned or no.unsigned)

    def binary(self, level: int, around: _Around) -> Number:
        """Return a value with operators of a level or of one that binds more tightly."""
        value = self.unary(around)
        while _LEVEL_OF.get(self.next(), -1) >= level:
            operator = self.take()
            live = around.live
            if operator in ("&&", "||"):
                live = live and (value.value != 0) == (operator == "&&")
            right = self.binary(_LEVEL_OF[operator] + 1, _Around(live, around.depth))
            value = _computed(operator, value, right, live=live)
        return value

    def unary(self, around: _Around) -> Number:
        """Return a value with the operators before it."""
        operators: list[str] = []
        while self.next() in ("!", "-", "+", "~"):
            operators.append(self.take())
        value = self.primary(around)
        for operator in reversed(operators):
            if operator == "!":
                value = Number(int(value.value == 0))
            elif operator != "+":
                value = _number(-value.value if operator == "-" else ~value.value, unsigned=value.unsigned)
        return value

    def primary(self, around: _Around) -> Number:
        """Return a number, a name's value, or what stands in brackets."""
        part = self.take()
        if part == "(":
            value = self.chosen(_Around(around.live, around.depth))
            self.expect(")")
            return value
        if part[0].isdigit():
            return _literal(part)
        if part[0].isalpha() or part[0] == "_":
            return self.name(part, around)
        raise _NoAnswerError

    # --- names ---------------------------------------------------------------------------------------------------

    def name(self, name: str, around: _Around) -> Number:
        """Return the value of a name."""
        if name == "defined" or name in _ASKS:
            inside = self.next() == "("
            if inside:
                self.take()
            asked = self.take()
            if inside:
                self.expect(")")
            return Number(int(around.live and self.is_set(asked)))
        called = self.next() == "("
        if called:
            self.skip()
        if not around.live:
            return Number(0)
        answer = self.environment.config(name)
        if answer is not None and not called:
            return Number(int(answer))
        macro = self.macros.get(name)
        if macro is None or called or macro.parameters is not None or name in self.inside:
            raise _NoAnswerError(name)
        if len(self.inside) > _MOST_NESTING:
            raise _NoAnswerError
        return _Parser(macro.body, self.macros, self.environment, self.inside | {name}).answer()

    def skip(self) -> None:
        """Pass over arguments."""
        depth = 0
        while True:
            part = self.take()
            depth += (part == "(") - (part == ")")
            if depth == 0:
                return

    def is_set(self, name: str) -> bool:
        """Return whether a name is set or defined."""
        answer = self.environment.config(name)
        if answer is None and name not in self.macros and name.startswith("CONFIG_"):
            raise _NoAnswerError(name)
        return answer if answer is not None else name in self.macros


def _literal(text: str) -> Number:
    digits = text.rstrip("uUlL")
    octal = digits[0] == "0" and digits != "0"
    base = 16 if digits[:2].lower() == "0x" else 8 if octal else 10
    try:
        value = int(digits, base)
    except ValueError:
        raise _NoAnswerError from None
    if value >= 1 << _BITS:
        raise _NoAnswerError
    return _number(value, unsigned="u" in text.lower() or value >= 1 << (_BITS - 1))


def _computed(operator: str, left: Number, right: Number, *, live: bool) -> Number:
    """Return the value of a binary operator; anything if it does not count."""
    if operator in ("&&", "||"):
        a, b = left.value != 0, right.value != 0
        return Number(int((a and b) if operator == "&&" else (a or b)))
    if not live:
        return Number(0)
    if operator in ("<<", ">>"):
        if not 0 <= right.value < _BITS:
            raise _NoAnswerError
        shifted = left.value << right.value if operator == "<<" else left.value >> right.value
        return _number(shifted, unsigned=left.unsigned)
    unsigned = left.unsigned or right.unsigned
    a_value, b_value = (_number(one.value, unsigned=unsigned).value for one in (left, right))
    if operator in ("/", "%"):
        if b_value == 0:
            raise _NoAnswerError
        quotient = abs(a_value) // abs(b_value)
        quotient = quotient if (a_value < 0) == (b_value < 0) else -quotient
        return _number(quotient if operator == "/" else a_value - quotient * b_value, unsigned=unsigned)
    result = _OPERATIONS[operator](a_value, b_value)
    return _number(int(result), unsigned=unsigned and not isinstance(result, bool))


_OPERATIONS: Final[dict[str, Callable[[int, int], int]]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}
