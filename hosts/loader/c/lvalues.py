"""What expressions refer to: locals, fields, elements, what a pointer leads to; and the names of everything else."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hosts.loader.c.arithmetic import convert
from hosts.loader.c.names import Found, Names
from hosts.loader.c.places import moved
from hosts.loader.c.rules import (
    Constant,
    Dropped,
    FieldRule,
    PageField,
    Refused,
    ViewField,
    WordField,
    WordsField,
)
from hosts.loader.c.source import part, parts, text_of
from hosts.loader.c.state import Unknown
from hosts.loader.c.structuring import cloned
from hosts.loader.c.types import LONG, VOID, Array, CType, Integer, Pointer, Struct, size_of
from hosts.loader.c.values import (
    Address,
    DroppedPlace,
    FixedPlace,
    LocalPlace,
    Number,
    PagePlace,
    Place,
    StructPlace,
    Value,
    ViewPlace,
    Whole,
    WordPlace,
    WordsPlace,
)
from hosts.loader.c.words import attribute

if TYPE_CHECKING:
    from tree_sitter import Node


class Lvalues(Names):
    """Places that expressions name."""

    REFERENCES: Final = frozenset({"identifier", "field_expression", "subscript_expression", "pointer_expression"})

    def reference(self, node: Node) -> Found | Value:
        """Return the place that an expression names, or a value that has none."""
        node = self.bare(node)
        match node.type:
            case "identifier":
                return self.named(node)
            case "field_expression":
                return self.field(node)
            case "subscript_expression":
                base, index = part(node, "argument"), part(node, "index")
                assert base is not None and index is not None  # noqa: S101, PT018 - the grammar's
                pointer, steps = self.in_order(lambda: self.expression(base), lambda: self.expression(index))
                if not isinstance(pointer, Address) or not isinstance(steps, Number):
                    self.refuse(node, f"{text_of(node)}: an element of what is no array")
                return self.target_of(self.stepped(pointer, steps, node), node)
            case "pointer_expression" if node.children[0].type == "*":
                pointer = self.expression(parts(node)[0])
                if not isinstance(pointer, Address):
                    self.refuse(node, f"{text_of(node)}: what is no pointer leads nowhere")
                return self.target_of(pointer, node)
            case "cast_expression" | "call_expression" | "assignment_expression":
                return self.expression(node)
            case "compound_literal_expression":
                return self.compound_literal(node)
        self.refuse(node, f"{text_of(node)}: this is no place")

    def compound_literal(self, node: Node) -> Found:
        """Return a struct made in an expression."""
        raise NotImplementedError

    def target_of(self, pointer: Address, node: Node) -> Found:
        """Return what a pointer leads to."""
        if pointer.place is None:
            self.refuse(node, f"{text_of(node)}: a null pointer is followed")
        if pointer.to == VOID:
            self.refuse(node, f"{text_of(node)}: the type of what lies there is not known")
        return pointer.place, pointer.to

    def stepped(self, pointer: Address, steps: Number, node: Node) -> Address:
        """Return a pointer some elements further."""
        size = size_of(pointer.to)
        if pointer.place is None or size is None:
            self.refuse(node, f"{text_of(node)}: a pointer that cannot be moved")
        place = moved(pointer.place, convert(steps, LONG), size)
        if place is None:
            self.refuse(node, f"{text_of(node)}: there is one {pointer.to} here, not an array of them")
        return replace(pointer, place=place)

    def target(self, node: Node) -> Found:
        """Return a place to be assigned."""
        found = self.reference(node)
        if not isinstance(found, tuple):
            self.refuse(node, f"{text_of(node)}: this cannot be assigned here")
        place, kind = found
        return self.unmoved(place), kind

    def unmoved(self, place: Place) -> Place:
        """Return a place that may be evaluated twice."""
        if isinstance(place, ViewPlace) and not place.pure:
            return self.named_view(place)
        return place

    def value_of(self, found: Found | Value, node: Node) -> Value:
        """Return the value that lies in a place."""
        return self.value_at(*found, node) if isinstance(found, tuple) else found

    def value_at(self, place: Place, kind: CType, node: Node) -> Value:
        """Return the value of a type that lies in a place."""
        if isinstance(kind, Integer):
            self.line = self.at(node)
            return self.load(place, kind, node)
        if isinstance(kind, Array):
            return Address(place, kind.of)
        if isinstance(kind, Struct):
            return Whole(place)
        if isinstance(kind, Pointer) and isinstance(place, LocalPlace):
            known = (self.state or {}).get(place.variable, Unknown.UNSET)
            if isinstance(known, Address):
                return known
            if self.state is None:
                return Address(None, kind.to)
            why = "leads to one place or another" if known is Unknown.SEVERAL else "is read before it is assigned"
            self.refuse(node, f"the pointer {text_of(node)} {why}")
        if isinstance(place, FixedPlace) and isinstance(kind, Pointer):
            return Address(None, kind.to)
        if isinstance(place, DroppedPlace):
            self.refuse(node, f"{place.name} is not on this machine ({place.reason}), and its value is used")
        self.refuse(node, f"{text_of(node)}: a value of type {kind} is not among what is translated")

    # --- fields --------------------------------------------------------------------------------------------------

    def field(self, node: Node) -> Found | Value:
        """Return a field of a struct."""
        base, named = part(node, "argument"), part(node, "field")
        assert base is not None and named is not None  # noqa: S101, PT018 - the grammar's
        name = text_of(named)
        member = self.global_member(node)
        if member is not None:
            return member
        found = self.reference(base) if base.type in self.REFERENCES else self.expression(base)
        if isinstance(found, tuple) and isinstance(found[0], DroppedPlace):
            return DroppedPlace(text_of(node), found[0].reason), LONG
        value = self.value_of(found, base)
        if isinstance(value, Address):
            if value.place is None:
                self.refuse(node, f"{text_of(node)}: a null pointer is followed")
            place, kind = value.place, value.to
        elif isinstance(value, Whole):
            place, kind = value.place, Struct(getattr(value.place, "tag", ""))
        else:
            self.refuse(node, f"{text_of(base)} is no struct")
        if not isinstance(kind, Struct):
            self.refuse(node, f"{text_of(base)} leads to {kind}, which has no fields")
        is_local = isinstance(place, StructPlace)
        rule = self.local_field(kind.tag, name, node) if is_local else self.environment.field(kind.tag, name)
        if rule is None:
            self.refuse(node, f"{text_of(node)}: nothing is known of the field {name} of struct {kind.tag}")
        return self.field_of(place, rule, node)

    def global_member(self, node: Node) -> Found | Value | None:
        """Return what the environment says of a member of a variable that is no local: ``ops.run``."""
        root: Node | None = node
        while root is not None and root.type == "field_expression":
            root = part(root, "argument")
        if root is None or root.type != "identifier" or self.is_local(text_of(root)):
            return None
        text = "".join(text_of(node).split())
        rule = self.environment.name(text)
        return None if rule is None else self.ruled(rule, text, node)

    def field_of(self, place: Place, rule: FieldRule, node: Node) -> Found | Value:
        """Return the field that a rule speaks of."""
        match rule:
            case Constant():
                return self.ruled(rule, text_of(node), node)
            case Dropped():
                return DroppedPlace(text_of(node), rule.reason), LONG
            case Refused():
                self.refuse(node, f"{text_of(node)}: {rule.reason}")
        if isinstance(place, StructPlace) and isinstance(rule, WordField):
            variable = place.words.get(rule.path)
            if variable is None:
                self.refuse(node, f"{text_of(node)}: this local has no such field")
            return LocalPlace(variable, rule.shift, rule.bits), self.type_named(rule.type, node)
        if not isinstance(place, ViewPlace):
            self.refuse(node, f"{text_of(node)}: this struct has no place in the machine's memory")
        base = self.unmoved(place)
        assert isinstance(base, ViewPlace)  # noqa: S101 - it was one
        return self._field_of_view(base, rule, node)

    def _field_of_view(
        self, place: ViewPlace, rule: WordField | WordsField | PageField | ViewField, node: Node
    ) -> Found | Value:
        match rule:
            case WordField():
                kind = self.type_named(rule.type, node)
                path = attribute(place.node, rule.path)
                word = LONG if rule.bits else kind
                return WordPlace(path, word, rule.shared, rule.shift, rule.bits, rule.least, rule.most), kind
            case WordsField():
                kind = self.type_named(rule.type, node)
                words = WordsPlace(attribute(place.node, rule.path), kind.bytes * rule.count, rule.shared)
                return words, Array(kind, rule.count)
            case PageField():
                return Address(PagePlace(cloned(place.node), rule), VOID)
            case ViewField():
                view = ViewPlace(attribute(place.node, rule.path), rule.tag)
                return Address(view, Struct(rule.tag)) if rule.pointer else (view, Struct(rule.tag))

    # --- pointers and structs ------------------------------------------------------------------------------------

    def assign_pointer(self, place: Place, kind: Pointer, value: Value, node: Node) -> Value:
        """Let a pointer lead somewhere."""
        if isinstance(value, Number) and value.constant == 0:
            value = Address(None, kind.to)
        if not isinstance(place, LocalPlace) or not isinstance(value, Address):
            self.refuse(node, f"{' '.join(text_of(node).split())}: only a local pointer is assigned, and a place to it")
        variable, target = place.variable, value.place
        to = value.to if kind.to == VOID else kind.to
        if isinstance(target, ViewPlace) and isinstance(to, Struct):
            if target.tag != to.tag:
                self.refuse(node, f"a struct {target.tag} is taken for a struct {to.tag}")
            moves = variable.name in self.several or not target.pure
            names = {each.id for each in ast.walk(target.node) if isinstance(each, ast.Name)}
            if moves or names & self.several:
                self.emit(ast.Assign([ast.Name(variable.name, ast.Store())], target.node))
                target = replace(target, node=ast.Name(variable.name, ast.Load()), pure=True)
        elif target is not None:
            target = self.stable(target)
        new = Address(target, to)
        variable.version += 1
        if self.state is not None:
            self.state[variable] = new
        return new

    def assign_struct(self, place: Place, value: Value, node: Node) -> None:
        """Copy a local struct."""
        if (
            not isinstance(value, Whole)
            or not isinstance(place, StructPlace)
            or not isinstance(value.place, StructPlace)
        ):
            self.refuse(node, f"{text_of(node)}: only local structs are copied whole; copy the fields")
        for path, variable in place.words.items():
            source = value.place.words.get(path)
            if source is None or not isinstance(variable.type, Integer):
                self.refuse(node, f"{text_of(node)}: these structs have different fields")
            if (self.state or {}).get(source, Unknown.UNSET) is not Unknown.UNSET:
                self.assign(variable, convert(self.read(source, node), variable.type))
            elif self.state is not None:
                self.state[variable] = Unknown.UNSET
