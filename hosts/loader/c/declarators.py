"""Types as declarations write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hosts.loader.c import types
from hosts.loader.c.layouts import Layout, UnknownLayoutError, layout
from hosts.loader.c.memory import Memory
from hosts.loader.c.rules import FieldRule, WordField
from hosts.loader.c.source import declared_name, part, parts, text_of
from hosts.loader.c.types import UINT, Array, CType, Integer, Pointer, Struct, Unusable

if TYPE_CHECKING:
    from tree_sitter import Node

    from hosts.loader.c.values import Number

_MOST_ELEMENTS = 256


class Declarators(Memory):
    """Types of declarations and casts."""

    def number(self, node: Node) -> Number:
        """Return an expression as an integer."""
        raise NotImplementedError

    def type_named(self, text: str, node: Node) -> Integer:
        """Return an integer type that a table names."""
        found = types.named(text, self.environment)
        if not isinstance(found, Integer):
            self.refuse(node, f"{text!r} of the tables is no integer type that is known")
        return found

    def any_type_named(self, text: str, node: Node) -> CType:
        """Return a type that a table names."""
        found = types.named(text, self.environment)
        if found is None:
            self.refuse(node, f"{text!r} of the tables is no type that is known")
        return found

    def base_type(self, node: Node) -> CType:
        """Return the type that a declaration begins with."""
        match node.type:
            case "struct_specifier" | "union_specifier":
                name = part(node, "name")
                if name is None:
                    self.refuse(node, f"a {node.type.partition('_')[0]} without a name")
                return Struct(text_of(name))
            case "enum_specifier":
                return UINT
            case "primitive_type" | "sized_type_specifier" | "type_identifier":
                found = types.named(text_of(node), self.environment)
                if found is None:
                    found = self.file_type(text_of(node))
                if found is not None:
                    return found
        self.refuse(node, f"{text_of(node)} is not a type that is known here")

    def file_type(self, name: str, depth: int = 0) -> CType | None:
        """Return what a typedef of the files means."""
        entry = self.sources.typedefs.get(name)
        if entry is None or depth > 8:  # noqa: PLR2004 - typedefs of typedefs
            return None
        base, declarator = part(entry[1], "type"), part(entry[1], "declarator")
        if base is None or declarator is None:
            return None
        if base.type == "type_identifier" and types.named(text_of(base), self.environment) is None:
            inner = self.file_type(text_of(base), depth + 1)
        else:
            inner = self.base_type(base)
        return None if inner is None else self.declared(inner, declarator)

    def declared(self, kind: CType, declarator: Node | None) -> CType:
        """Return the type of what a declarator declares."""
        while declarator is not None and declarator.type not in ("identifier", "field_identifier", "type_identifier"):
            match declarator.type:
                case "pointer_declarator" | "abstract_pointer_declarator":
                    kind = Pointer(kind)
                case "array_declarator" | "abstract_array_declarator":
                    kind = Array(kind, self.array_size(declarator))
                case "function_declarator" | "abstract_function_declarator":
                    return Unusable("a function")
                case (
                    "parenthesized_declarator"
                    | "init_declarator"
                    | "attributed_declarator"
                    | "abstract_parenthesized_declarator"
                ):
                    pass
                case _:
                    self.refuse(declarator, f"{text_of(declarator)}: this declaration is not among what is translated")
            inner = part(declarator, "declarator")
            if inner is None:
                inner = next(
                    (each for each in parts(declarator) if "declarator" in each.type or each.type == "identifier"), None
                )
            declarator = inner
        return kind

    def array_size(self, declarator: Node) -> int:
        """Return how many elements an array has; 0 if that is not said."""
        size = part(declarator, "size")
        if size is None:
            return 0
        found = self.number(size).constant
        if found is None or not 0 < found <= _MOST_ELEMENTS:
            self.refuse(declarator, f"{text_of(size)}: an array has a constant size up to {_MOST_ELEMENTS} here")
        return found

    def type_of(self, descriptor: Node) -> CType:
        """Return the type that a cast or ``sizeof`` names."""
        base = part(descriptor, "type")
        if base is None:
            self.refuse(descriptor, f"{text_of(descriptor)} is not a type that is known here")
        return self.declared(self.base_type(base), part(descriptor, "declarator"))

    def parameter(self, node: Node) -> tuple[str, CType]:
        """Return the name and type of a parameter."""
        base, declarator = part(node, "type"), part(node, "declarator")
        if base is None:
            self.refuse(node, f"{text_of(node)}: a parameter like this is not among what is translated")
        kind = self.declared(self.base_type(base), declarator)
        name = declared_name(declarator)
        if isinstance(kind, Array):
            kind = Pointer(kind.of)
        return text_of(name) if name is not None else "", kind

    def layout_of(self, tag: str, node: Node) -> Layout | None:
        """Return how a struct is laid out that the files declare."""
        entry = self.sources.structs.get(tag)
        if entry is None:
            return None
        try:
            return layout(entry[1], lambda base, declarator: self.declared(self.base_type(base), declarator))
        except UnknownLayoutError as error:
            self.refuse(node, f"struct {tag} ({entry[0].path}:{entry[1].start_point[0] + 1}): {error}")

    def local_field(self, tag: str, name: str, node: Node) -> FieldRule | None:
        """Return what a field of a local is: as the tables say, or as the files declare it."""
        rule = self.environment.field(tag, name)
        found = self.layout_of(tag, node) if rule is None else None
        return rule if found is None else found.fields.get(name)

    def struct_words(self, tag: str, names: set[str], node: Node) -> dict[str, Integer]:
        """Return the words of a struct that a function uses the fields of."""
        found: dict[str, Integer] = {}
        if all(self.environment.field(tag, name) is None for name in names):
            own = self.layout_of(tag, node)
            return {} if own is None else own.words
        for name in sorted(names):
            rule = self.environment.field(tag, name)
            if isinstance(rule, WordField):
                kind = types.ULONG if rule.bits else self.type_named(rule.type, node)
                if rule.path not in found or kind.bits > found[rule.path].bits:
                    found[rule.path] = kind
        return found
