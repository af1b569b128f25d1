"""Expressions of a user's rule: a word where a number belongs is read, and what has no meaning is refused.

In C ``vcpu->mode`` is a read of the field wherever a number is wanted, and ``&vcpu->mode`` its address. Here both are
written ``vcpu.mode``, and the use decides: a primitive takes the word, everything else takes its value, by one
READ_ONCE in the place where it stands.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from emu import reach
from hosts.loader.own.classes import OwnClass
from hosts.loader.own.declared import Use
from hosts.loader.rule.bounds import Bounds
from hosts.loader.rule.context import Around, Known, Local
from hosts.loader.rule.guards import Guards, at, call, given_bounds
from hosts.loader.rule.types import NOTHING, NUMBER, UNKNOWN, UNSEEN, Kind, What, as_number, joined, of_field, of_value

Typed = tuple[ast.expr, Kind]


class Expressions:
    """The expressions of one function."""

    def __init__(self, function: str, local: set[str], known: Known, around: Around, *, final: bool) -> None:
        """``final``: all is known, so what is wrong is refused."""
        self.function, self.local, self.known, self.around, self.final = function, local, known, around, final
        active = "checked_below" in around.scope.functions
        parameters = [name for name in local if (function, name) in known.given]
        given = given_bounds(function, parameters) if function in around.replaced else {}
        bounds = Bounds(around.scope.values, local, given)
        self.guards = Guards(bounds, active=active, file=around.file_number(function))
        self.blank = UNKNOWN if final else UNSEEN
        self.looks = function in around.brings.checks
        """Whether this is a check: it looks, and does nothing that anybody notices."""
        self.marking = 0
        """Within how many calls of mark() the expression is."""

    def call(self, node: ast.Call) -> Typed:
        """Return a call."""
        raise NotImplementedError

    def refuse(self, node: ast.AST, reason: str) -> None:
        """Refuse, once everything is known."""
        if self.final:
            said = re.sub(r"\w+", lambda name: self.around.own.get(name[0], name[0]), reason)
            self.around.origins[self.function].refuse(node, said)

    # --- what is wanted of an expression -------------------------------------------------------------------------

    def number(self, node: ast.expr) -> ast.expr:
        """Return an expression as a number."""
        return self.as_number(node, *self.any(node))

    def as_number(self, node: ast.expr, new: ast.expr, kind: Kind) -> ast.expr:
        """Return ``new``, which stands for ``node``, as a number: the value of a word is read."""
        text = ast.unparse(node)
        if kind.what is What.WORD:
            if isinstance(node, ast.Name) and not kind.is_read:
                line = self.known.as_word.get((self.function, node.id), 0)
                self.refuse(node, f"{text} is a word, as line {line} uses it as one; its value is READ_ONCE({text})")
            return new if kind.is_read else call(self.reading(node, kind), [new], node)
        if kind.what is What.NOTHING:
            self.refuse(node, f"{text} gives nothing, and a number belongs here")
        elif kind.what not in (What.NUMBER, What.UNKNOWN, What.UNSEEN, What.MIXED):
            self.refuse(node, f"{text} is {kind}, and a number belongs here{_part_of(kind, text)}")
        return new

    def reading(self, node: ast.expr, kind: Kind) -> str:
        """Return the primitive that reads the value of a word."""
        if self.looks:
            return "peek"
        uses = {self.around.brings.uses.get(place, Use.SHARED) for place in kind.places}
        if len(uses) > 1:
            self.refuse(
                node, f"{ast.unparse(node)} is one of {' or '.join(sorted(kind.places))}, used in different ways"
            )
        if Use.MARK in uses:
            said = "a mark, by which no machine goes: it is read to be written, mark(word, word + 1), and in checks"
            if not self.marking:
                self.refuse(node, f"{ast.unparse(node)} is {said}")
            return "peek"
        return "local_read" if Use.PRIVATE in uses else "READ_ONCE"

    def truth(self, node: ast.expr) -> ast.expr:
        """Return an expression used as a condition: of a word the value, of a vCPU whether there is one."""
        match node:
            case ast.BoolOp(op=operator, values=values):
                return at(ast.BoolOp(operator, [self.truth(value) for value in values]), node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return at(ast.UnaryOp(ast.Not(), self.truth(operand)), node)
        new, kind = self.any(node)
        return new if kind.what is What.STRUCT else self.as_number(node, new, kind)

    def wanted(self, node: ast.expr, kind: Kind, what: str) -> Typed:
        """Return an expression as what a parameter wants; ``what`` names that in a sentence."""
        new, found = self.any(node)
        if kind.what is What.NUMBER:
            return self.as_number(node, new, found), as_number(found)
        if kind.what is What.WORD and found.what is What.WORD and isinstance(node, ast.Name):
            self.known.as_word.setdefault((self.function, node.id), node.lineno)
        elif kind.what is What.WORD and found.what not in (What.WORD, What.UNKNOWN, What.UNSEEN):
            self.refuse(node, f"{what} takes a word, as READ_ONCE(vcpu.mode) does; {ast.unparse(node)} is {found}")
        elif kind.what in (What.STRUCT, What.WORDS) and found.what is not What.UNKNOWN:
            if found.what is not kind.what or found.of is not kind.of:
                self.refuse(node, f"{what} takes {kind}; {ast.unparse(node)} is {found}")
            if reach.SOFTWARE in found.places and not self.looks:
                self.refuse(node, _software(ast.unparse(node)))
        return new, found

    # --- expressions ---------------------------------------------------------------------------------------------

    def any(self, node: ast.expr, into: Local | None = None) -> Typed:  # noqa: PLR0911 - one for each kind
        """Return an expression and what it stands for; ``into``: the local that it is assigned to."""
        match node:
            case ast.Name():
                return node, self.name(node, into)
            case ast.Constant(value=value):
                return node, NOTHING if value is None else of_value(value)
            case ast.Attribute():
                return self.attribute(node)
            case ast.Subscript():
                return self.subscript(node)
            case ast.Call():
                return self.call(node)
            case ast.BoolOp(op=operator, values=values):
                several, kind = self.alike(node, values, into)
                return at(ast.BoolOp(operator, several), node), kind
            case ast.IfExp(test=test, body=body, orelse=orelse):
                test = self.truth(test)
                (body, orelse), kind = self.alike(node, [body, orelse], into)
                return at(ast.IfExp(test, body, orelse), node), kind
            case ast.Tuple(elts=elements):
                several = [self.number(each) for each in elements]
                return at(ast.Tuple(several, node.ctx), node), Kind(What.NUMBERS, count=len(several))
        return self.computed(node), NUMBER

    def computed(self, node: ast.expr) -> ast.expr:
        """Return what is made of numbers."""
        match node:
            case ast.Compare():
                return self.compare(node)
            case ast.BinOp(left=left, op=operator, right=right):
                left, checked = self.number(left), self.guards.operand(operator, self.number(right), right)
                return at(ast.BinOp(left, operator, checked), node)
            case ast.UnaryOp(op=sign, operand=operand) if not isinstance(sign, ast.Not):
                return at(ast.UnaryOp(sign, self.number(operand)), node)
        return self.truth(node)

    def name(self, node: ast.Name, into: Local | None) -> Kind:
        """Return what a name stands for."""
        if node.id not in self.local:
            return of_value(self.around.scope.values.get(node.id))
        local = (self.function, node.id)
        kind = self.known.kinds.get(local, self.blank)
        if kind.what is What.WORD:
            if into is not None:
                self.known.copies.add((local, into))
            return replace(kind, is_read=local not in self.known.as_word)
        return kind

    def alike(self, node: ast.expr, parts: list[ast.expr], into: Local | None) -> tuple[list[ast.expr], Kind]:
        """Return expressions of which one becomes the value."""
        found = [self.any(part, into) for part in parts]
        kind: Kind | None = None
        for _, each in found:
            kind = joined(kind, each)
        assert kind is not None  # noqa: S101 - there are at least two
        if kind.what is What.WORD and isinstance(node, ast.BoolOp):
            kind = NUMBER  # which of them it is depends on their values
        if kind.what is What.NUMBER:
            return [self.as_number(part, *each) for part, each in zip(parts, found, strict=True)], NUMBER
        if kind.what is What.MIXED:
            self.refuse(node, f"{ast.unparse(node)} is {' or '.join(dict.fromkeys(str(each) for _, each in found))}")
        return [new for new, _ in found], kind

    def attribute(self, node: ast.Attribute) -> Typed:
        """Return a field of a struct."""
        base, kind = self.any(node.value)
        new = at(ast.Attribute(base, node.attr, node.ctx), node)
        if kind.what is not What.STRUCT or kind.of is None:
            if kind.what not in (What.UNKNOWN, What.UNSEEN):
                self.refuse(node, f"{ast.unparse(node.value)} is {kind}: it has no field {node.attr}")
                return new, UNKNOWN
            return new, kind
        if node.attr not in kind.of.fields and node.attr != "at":
            there = ", ".join(kind.of.fields)
            self.refuse(node, f"a {kind.of.__name__} has no field {node.attr}; it has {there}")
            return new, UNKNOWN
        whose = reach.WORDS.get(f"{kind.of.__name__}.{node.attr}")
        known = self.looks or node.attr in self.around.reach(self.function).words
        if whose is not None and not known:
            self.refuse(node, f"{ast.unparse(node)} is {whose}: a rule neither reads nor writes it")
        new.value = self.guards.there(base, kind, node)
        if issubclass(kind.of, OwnClass) and node.attr != "at":
            return own_field(kind.of, new), of_field(kind.of, node.attr)
        return new, of_field(kind.of, node.attr)

    def subscript(self, node: ast.Subscript) -> Typed:
        """Return one of several."""
        base, kind = self.any(node.value)
        index = self.number(node.slice)
        if kind.what in (What.UNKNOWN, What.UNSEEN):
            return at(ast.Subscript(base, index, node.ctx), node), kind
        if kind.what not in (What.WORDS, What.ARRAY, What.NUMBERS):
            self.refuse(node, f"{ast.unparse(node.value)} is {kind}: it has no parts")
            return node, UNKNOWN
        if (
            reach.SOFTWARE in kind.places
            and not self.looks
            and getattr(node.slice, "value", None) not in reach.FREE_SOFTWARE
        ):
            self.refuse(node, _software(ast.unparse(node)))
        new = at(ast.Subscript(base, self.guards.index(index, node, kind.count), node.ctx), node)
        if kind.what is What.WORDS:
            return new, Kind(What.WORD, places=kind.places)
        return new, Kind(What.STRUCT, kind.of) if kind.what is What.ARRAY else NUMBER

    def compare(self, node: ast.Compare) -> ast.expr:
        """Compare numbers, or whether two structs are the same one."""
        operands = [node.left, *node.comparators]
        found = [self.any(each) for each in operands]
        structs = [kind for _, kind in found if kind.what is What.STRUCT]
        if structs:
            kinds = {(kind.what, kind.of) for _, kind in found if kind.what is not What.UNKNOWN}
            if len(kinds) > 1 or not all(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops):
                said = f"a struct is compared (== or !=) with one of its kind; {_sides(operands, found)}"
                self.refuse(node, f"{said} (a vCPU that is not there is false: 'not x')")
            new = [each for each, _ in found]
        elif any(isinstance(operator, ast.In | ast.NotIn) for operator in node.ops):
            new = [
                each if kind.what is What.NUMBERS else self.as_number(operand, each, kind)
                for operand, (each, kind) in zip(operands, found, strict=True)
            ]
        else:
            new = [self.as_number(operand, *each) for operand, each in zip(operands, found, strict=True)]
        return at(ast.Compare(new[0], node.ops, new[1:]), node)


def own_field(of: type[OwnClass], node: ast.Attribute) -> ast.expr:
    """Return a field of a user's struct as words of the machine's."""
    field = of.field(node.attr)
    words = at(ast.Attribute(node.value, "words", ast.Load()), node)
    word = at(ast.Subscript(words, ast.Constant(field.index), ast.Load()), node)
    return word if field.single else call("Words", [word], node)


def _part_of(kind: Kind, text: str) -> str:
    """Say how one comes to a number from what is none."""
    if kind.what is What.WORDS:
        return f": name one of them, as {text}[0]"
    if kind.what is What.STRUCT and kind.of is not None:
        words = [name for name in kind.of.fields if of_field(kind.of, name).what is What.WORD]
        return f": name one of its words, as {text}.{words[0]}" if words else ""
    return ""


def _sides(operands: list[ast.expr], found: list[Typed]) -> str:
    return " and ".join(f"{ast.unparse(each)} is {kind}" for each, (_, kind) in zip(operands, found, strict=True))


def _software(text: str) -> str:
    free = " and ".join(f"software[{each}]" for each in reach.FREE_SOFTWARE)
    return f"{text}: software[0] is an instrument's, a rule neither reads nor writes it; {free} are free"
