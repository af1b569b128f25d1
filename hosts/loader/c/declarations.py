"""Declarations of locals, with their initial values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hosts.loader.c.arithmetic import convert
from hosts.loader.c.calls import Calls
from hosts.loader.c.source import declared_name, part, parts, text_of, walk
from hosts.loader.c.types import Array, CType, Integer, Pointer, Struct
from hosts.loader.c.values import ArrayPlace, LocalPlace, Number, Place, StructPlace, constant

if TYPE_CHECKING:
    from tree_sitter import Node


class Declarations(Calls):
    """Locals come into being here."""

    def declaration(self, node: Node) -> None:
        """Declare locals."""
        if any(
            each.type == "storage_class_specifier" and text_of(each) in ("static", "extern") for each in node.children
        ):
            self.refuse(node, f"{' '.join(text_of(node).split())}: a local that outlives its function")
        base = part(node, "type")
        if base is None:
            self.refuse(node, f"{text_of(node)}: this declaration is not among what is translated")
        if part(base, "body") is not None:
            self.refuse(node, "a type is declared inside of a function")
        kind = self.base_type(base)
        for declarator in node.children_by_field_name("declarator"):
            self.declarator(kind, declarator)

    def declarator(self, base: CType, node: Node) -> None:
        """Declare one local."""
        self.line = self.at(node)
        name = declared_name(node)
        if name is None:
            self.refuse(node, f"{text_of(node)}: this declaration is not among what is translated")
        value = part(node, "value") if node.type == "init_declarator" else None
        kind = self.declared(base, part(node, "declarator") if value is not None else node)
        if isinstance(kind, Array) and not kind.count:
            if value is None or value.type != "initializer_list":
                self.refuse(node, f"{text_of(node)}: how many elements?")
            kind = Array(kind.of, len(parts(value)))
        place = self.new_local(text_of(name), kind, node)
        self.frame.scopes[-1][text_of(name)] = place, kind
        if value is not None:
            self.initialised(place, kind, value, node)

    def new_local(self, name: str, kind: CType, node: Node) -> Place:
        """Return the place of a new local."""
        match kind:
            case Integer() | Pointer():
                variable = self.variable(name, kind)
                if isinstance(kind, Pointer) and name in self.frame.assigned:
                    self.several.add(variable.name)
                self.declare(variable)
                return LocalPlace(variable)
            case Array():
                return self.new_array(name, kind, node)
            case Struct(tag=tag):
                names = {text_of(each) for each in walk(self.frame.function.node) if each.type == "field_identifier"}
                words = self.struct_words(tag, names, node)
                if not words:
                    self.refuse(node, f"{text_of(node)}: nothing is known of the fields of struct {tag}")
                made = {path: self.variable(f"{name}_{path.replace('.', '_')}", words[path]) for path in words}
                for variable in made.values():
                    self.declare(variable)
                return StructPlace(tag, made)
        self.refuse(node, f"{text_of(node)}: a local of type {kind} is not among what is translated")

    def new_array(self, name: str, kind: Array, node: Node) -> Place:
        """Return the place of a new array: a local for each element."""
        count, of = kind.count, kind.of
        while isinstance(of, Array):
            count, of = count * of.count, of.of
        if not isinstance(of, Integer) or count > 256:  # noqa: PLR2004 - what is still code and not data
            self.refuse(node, f"{text_of(node)}: an array has up to 256 integers here")
        elements = tuple(self.variable(f"{name}_{number}", of) for number in range(count))
        for variable in elements:
            self.declare(variable)
        return ArrayPlace(elements, of)

    def initialised(self, place: Place, kind: CType, value: Node, node: Node) -> None:
        """Give a local its first value."""
        if value.type != "initializer_list":
            given = self.expression(value)
            self.line = self.at(node)
            self.stored(place, kind, given, node, used=False)
        elif isinstance(place, ArrayPlace):
            self.listed(place, value, node)
        elif isinstance(place, StructPlace):
            self.fields_listed(place, value, node)
        else:
            inner = parts(value)
            if len(inner) != 1 or not isinstance(place, LocalPlace):
                self.refuse(node, f"{text_of(node)}: a list of values for one")
            self.initialised(place, kind, inner[0], node)

    def listed(self, place: ArrayPlace, value: Node, node: Node) -> None:
        """Give an array its first values: those not said are 0."""
        found: dict[int, Number] = {}
        position = 0
        for each in parts(value):
            said = each
            if each.type == "initializer_pair":
                designator, inner = part(each, "designator"), part(each, "value")
                if designator is None or inner is None or designator.type != "subscript_designator":
                    self.refuse(each, f"{text_of(each)}: this is not among what is translated")
                position, said = self.as_constant(parts(designator)[0]), inner
            if said.type == "initializer_list" or not 0 <= position < len(place.elements):
                self.refuse(each, f"{text_of(each)}: this is not among what is translated")
            found[position] = self.frozen(convert(self.number(said), place.of))
            position += 1
        self.line = self.at(node)
        for number, variable in enumerate(place.elements):
            self.assign(variable, found.get(number, constant(0, place.of)))

    def fields_listed(self, place: StructPlace, value: Node, node: Node) -> None:
        """Give a struct its first values: those not said are 0."""
        for variable in place.words.values():
            assert isinstance(variable.type, Integer)  # noqa: S101 - words are numbers
            self.assign(variable, constant(0, variable.type))
        for each in parts(value):
            if each.type != "initializer_pair":
                if len(parts(value)) == 1 and text_of(each) == "0":
                    return
                self.refuse(each, f"{text_of(each)}: fields are named here")
            designators = [one for one in parts(each) if one.type == "field_designator"]
            inner = part(each, "value")
            if len(designators) != 1 or inner is None:
                self.refuse(each, f"{text_of(each)}: this is not among what is translated")
            name = text_of(parts(designators[0])[0])
            rule = self.local_field(place.tag, name, each)
            if rule is None:
                self.refuse(each, f"nothing is known of the field {name} of struct {place.tag}")
            given = self.expression(inner)
            found = self.field_of(place, rule, each)
            if isinstance(found, tuple):
                self.stored(*found, given, each, used=False)

    def compound_literal(self, node: Node) -> tuple[Place, CType]:
        """Return a struct made in an expression."""
        described, value = part(node, "type"), part(node, "value")
        assert described is not None and value is not None  # noqa: S101, PT018 - the grammar's
        kind = self.type_of(described)
        place = self.new_local("literal", kind, node)
        self.initialised(place, kind, value, node)
        return place, kind
