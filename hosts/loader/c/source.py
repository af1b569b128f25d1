"""The files as parsed: functions, enum constants and structs by their names, found in one pass over the top level."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hosts.loader.c.errors import refuse
from hosts.loader.c.preprocess import Macro, Text, preprocess
from hosts.loader.c.report import Note
from hosts.loader.c.rules import CFile, Environment

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

MOST_NESTING: Final = 120
"""Levels of a syntax tree that are followed."""
_MOST_BYTES: Final = 32 << 20


@functools.cache
def _parser() -> Parser:
    """Return the parser; imported here because only C needs it."""
    import tree_sitter
    import tree_sitter_c

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_c.language()))


def parsed(text: bytes) -> Node:
    """Return the syntax tree of a text."""
    return _parser().parse(text).root_node


def text_of(node: Node) -> str:
    """Return a part of the text."""
    return (node.text or b"").decode(errors="replace")


def line_of(node: Node) -> int:
    """Return the line that a part of the text begins in."""
    return node.start_point[0] + 1


def parts(node: Node) -> list[Node]:
    """Return the named parts of a node, but for comments."""
    return [child for child in node.named_children if child.type != "comment"]


def part(node: Node, name: str) -> Node | None:
    """Return one part by the grammar's name for it."""
    return node.child_by_field_name(name)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all its parts, in the order of the text."""
    left = [node]
    while left:
        each = left.pop()
        yield each
        left += reversed(each.children)


def declared_name(declarator: Node | None) -> Node | None:
    """Return the name that a declarator declares."""
    while declarator is not None and declarator.type not in ("identifier", "field_identifier", "type_identifier"):
        inner = part(declarator, "declarator")
        if inner is None:
            inner = next((each for each in parts(declarator) if each.type.endswith(("declarator", "identifier"))), None)
        declarator = inner
    return declarator


@dataclass(frozen=True)
class Function:
    """A function with its body."""

    name: str
    node: Node = field(repr=False, compare=False)
    text: Text = field(repr=False, compare=False)
    note: str = ""

    @property
    def file(self) -> str:
        """Return the path of its file."""
        return self.text.path

    @property
    def line(self) -> int:
        """Return the line of its name."""
        found = declared_name(part(self.node, "declarator"))
        return line_of(found if found is not None else self.node)

    @property
    def directives(self) -> list[Note]:
        """Return the conditions inside."""
        first, last = self.node.start_point[0] + 1, self.node.end_point[0] + 1
        return [note for note in self.text.directives if first <= note.line <= last]

    def check(self) -> None:
        """Refuse what the parser did not understand, and what is nested too deeply."""
        if self.node.has_error:
            bad = next((each for each in walk(self.node) if each.is_error or each.is_missing), self.node)
            what = f"'{bad.type}' is missing" if bad.is_missing else f"{_short(bad)!r} is not understood"
            refuse(
                self.file, line_of(bad), f"in {self.name}: {what}: not C, or a macro that stands for half a statement"
            )
        first, last = self.node.start_point[0] + 1, self.node.end_point[0] + 1
        for begin, end, name in self.text.unknown:
            if begin <= last and first <= end:
                refuse(self.file, begin, f"{self.name} hangs on {name}, which this machine has no answer for")
        if _depth(self.node) > MOST_NESTING:
            refuse(self.file, self.line, f"{self.name} is nested more than {MOST_NESTING} levels deep")


def _short(node: Node) -> str:
    return " ".join(text_of(node).split())[:40]


def _depth(node: Node) -> int:
    """Return how deeply a tree is nested, as far as the limit."""
    level, depth = [node], 0
    while level and depth <= MOST_NESTING:
        level = [child for each in level for child in each.named_children]
        depth += 1
    return depth


class Sources:
    """All files, read when something is looked up in them."""

    def __init__(self, files: Sequence[CFile], environment: Environment) -> None:
        """Preprocess and parse the files."""
        self.texts: list[Text] = []
        self.functions: dict[str, list[Function]] = {}
        self.enumerators: dict[str, tuple[Text, Node, int]] = {}
        """Name: the enum that has it, and its position there."""
        self.structs: dict[str, tuple[Text, Node]] = {}
        self.typedefs: dict[str, tuple[Text, Node]] = {}
        self.broken: list[tuple[str, int, str]] = []
        for file in files:
            if len(file.content) > _MOST_BYTES:
                refuse(file.path, 1, "is too large for a file of C")
            text = preprocess(file.path, file.content, environment)
            self.texts.append(text)
            self._index(parsed(text.content), text, file.note)

    def _index(self, node: Node, text: Text, note: str) -> None:
        """Enter what the top level of a file defines."""
        left = list(reversed(node.children))
        while left:
            each = left.pop()
            if each.type == "function_definition":
                name = declared_name(part(each, "declarator"))
                if name is not None:
                    found = Function(text_of(name), each, text, note)
                    self.functions.setdefault(found.name, []).append(found)
            elif each.type in ("linkage_specification", "declaration_list"):
                left += reversed(each.children)
            elif each.type == "ERROR":
                self.broken.append((text.path, line_of(each), text_of(each)))
                left += reversed([part for part in each.children if part.type == "function_definition"])
            elif each.type in (
                "declaration",
                "enum_specifier",
                "struct_specifier",
                "union_specifier",
                "type_definition",
            ):
                self._declared(each, text)

    def _declared(self, node: Node, text: Text) -> None:
        """Enter structs and enum constants of a declaration at the top level."""
        if node.type == "type_definition":
            name = declared_name(part(node, "declarator"))
            if name is not None:
                self.typedefs.setdefault(text_of(name), (text, node))
        for each in walk(node):
            if each.type == "enumerator_list" and each.parent is not None:
                for position, item in enumerate(one for one in parts(each) if one.type == "enumerator"):
                    named = part(item, "name")
                    if named is not None:
                        self.enumerators.setdefault(text_of(named), (text, each, position))
            elif each.type in ("struct_specifier", "union_specifier") and part(each, "body") is not None:
                named = part(each, "name")
                if named is not None:
                    self.structs.setdefault(text_of(named), (text, each))

    def function(self, name: str, text: Text | None = None) -> Function | None:
        """Return the definition of a function that a file sees: its own, or the first file's that has one."""
        found = self.functions.get(name, [])
        own = [each for each in found if each.text is text]
        chosen = own or [each for each in found if found and each.text is found[0].text]
        if len(chosen) > 1:
            refuse(chosen[1].file, chosen[1].line, f"{name} is defined a second time; before in line {chosen[0].line}")
        return chosen[0] if chosen else None

    def macro(self, name: str, text: Text) -> Macro | None:
        """Return the definition of a macro that a file sees."""
        found = next((each for each in (text, *self.texts) if name in each.macros or name in each.undefined), None)
        if found is None:
            return None
        macro = found.macros.get(name) or found.undefined[name]
        if name in found.unsure:
            refuse(macro.file, macro.line, f"the macro {name} {found.unsure[name]}")
        return macro

    def missing(self, name: str) -> str:
        """Say why a function is not there."""
        for path, line, text in self.broken:
            if f"{name}(" in text:
                return f"{name} stands in a part of {path}:{line} that is not understood"
        return f"no file defines {name}"
