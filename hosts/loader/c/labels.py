"""Labels and ``goto``: jumps forward leave a block, jumps back are loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hosts.loader.c.flow import Block, Jump, Label, Loop
from hosts.loader.c.inlining import Inlining
from hosts.loader.c.source import declared_name, part, parts, text_of, walk
from hosts.loader.c.state import Interval, State, joined, widened, within
from hosts.loader.c.types import Integer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

Item = tuple[str, "Node"]
"""The name of a label, or nothing, and the statement."""
_MOST_ROUNDS = 4


def gotos(items: list[Item]) -> set[str]:
    """Return the names of the labels that some statements jump to."""
    found = (each for _, node in items for each in walk(node) if each.type == "goto_statement")
    return {text_of(part(each, "label") or each) for each in found}


class Labels(Inlining):
    """Statements that follow each other, with the labels among them."""

    def listing(self, nodes: list[Node]) -> None:
        """Translate statements that follow each other."""
        items: list[Item] = []
        wanted = self.frame.wanted_labels
        if wanted is None:
            wanted = self.frame.wanted_labels = gotos([("", self.frame.function.node)])
            self.check_names(self.frame.function.node)
        for node in nodes:
            inner = node
            while inner.type == "labeled_statement":
                name = text_of(part(inner, "label") or inner)
                if name in wanted:
                    items.append((name, inner))
                inner = parts(inner)[-1] if len(parts(inner)) > 1 else inner
                if inner.type == "labeled_statement" and text_of(part(inner, "label") or inner) == name:
                    break
            if inner.type != "labeled_statement":
                items.append(("", inner))
        self.items(items)

    def check_names(self, function: Node) -> None:
        """Refuse two labels of one name, and two locals of one in the same block."""
        labels: set[str] = set()
        outermost, head = part(function, "body"), part(function, "declarator")
        listed = [each for each in walk(head) if each.type == "parameter_declaration"] if head is not None else []
        names = [declared_name(part(each, "declarator")) for each in listed]
        parameters = {text_of(each) for each in names if each is not None}
        for each in walk(function):
            if each.type == "labeled_statement":
                name = text_of(part(each, "label") or each)
                if name in labels:
                    self.refuse(each, f"the label {name} is there a second time")
                labels.add(name)
            elif each.type == "compound_statement":
                found = parameters if each == outermost else set()
                for declared in (one for one in parts(each) if one.type == "declaration"):
                    for declarator in declared.children_by_field_name("declarator"):
                        name = text_of(declared_name(declarator) or declarator)
                        if name in found:
                            self.refuse(declarator, f"{name} is declared a second time")
                        found.add(name)

    def items(self, items: list[Item]) -> None:
        """Translate statements and labels."""
        labels = [position for position, (name, _) in enumerate(items) if name]
        if not labels:
            for _, node in items:
                self.statement(node)
            return
        last = labels[-1]
        earlier = {items[each][0]: each for each in labels[:-1]}
        back = [earlier[name] for name in gotos(items[last:]) if name in earlier]
        split = min(back) if back else last
        name, node = items[split]
        before, after = items[:split], items[split + 1 :]
        jumped = gotos(before) & {items[each][0] for each in labels if each > split}
        if jumped:
            self.refuse(node, f"goto {min(jumped)} jumps into the loop that begins at {name}")
        self.before_label(name, before)
        if name in gotos(after):
            self.loop_of_label(name, after, node)
        else:
            self.items(after)

    def before_label(self, name: str, items: list[Item]) -> None:
        """Translate what stands before a label, from where it can be jumped to."""
        if name not in gotos(items):
            self.items(items)
            return
        label = self.label(name)
        self.frame.labels[name] = label
        with self.steps() as made:
            self.items(items)
        del self.frame.labels[name]
        self.out.append(Block(label, made))
        self.state = joined([self.state, *label.states])

    def loop_of_label(self, name: str, items: list[Item], node: Node) -> None:
        """Translate what stands behind a label that is jumped back to."""
        if self.state is None:
            return
        end = self.label(f"end of {name}")

        def turn(again: Label) -> None:
            self.frame.labels[name] = again
            self.items(items)
            del self.frame.labels[name]
            self.leave_loop(end, node)

        with self.steps() as made:
            self.loop(turn, node)
        self.out.append(Block(end, made))
        self.state = joined(end.states)

    def leave_loop(self, end: Label, node: Node) -> None:
        """Go to the end of a loop."""
        if self.state is not None:
            self.out.append(Jump(end, self.at(node)))
            end.states.append(self.state)
            self.state = None

    # --- loops ---------------------------------------------------------------------------------------------------

    def loop(self, turn: Callable[[Label], None], node: Node) -> None:
        """Add an endless loop; what is known at its begin holds in each turn."""
        line = self.at(node)
        assert self.state is not None  # noqa: S101 - nobody gets here otherwise
        head = self.steady(turn, self.state)
        again = self.label("again")
        self.state = dict(head)
        with self.steps() as made:
            turn(again)
        self.out.append(Loop(again, made, line))
        self.state = None

    def steady(self, turn: Callable[[Label], None], head: State) -> State:
        """Return what is known at the begin of every turn."""
        back = self.tried(turn, head)
        if back is None or within(back, head):
            return head
        wide = head
        for _ in range(_MOST_ROUNDS):
            wide = widened(wide, joined([wide, back]) or wide)
            back = self.tried(turn, wide)
            if back is None or within(back, wide):
                break
        else:
            wide = {each: _anything(each.type, known) for each, known in wide.items()}  # type: ignore[misc]
            back = self.tried(turn, wide)
        narrow = joined([head, back]) or wide
        again = self.tried(turn, narrow)
        return narrow if again is None or within(again, narrow) else wide

    def tried(self, turn: Callable[[Label], None], head: State) -> State | None:
        """Return what is known after one turn, which leaves no trace."""
        self.tries_left -= 1
        if self.tries_left < 0:
            self.refuse(self.line, f"{self.frame.function.name} has too many loops inside of loops")
        with self.attempt():
            again = Label("again")
            self.state = dict(head)
            turn(again)
            return joined([self.state, *again.states])


def _anything(kind: object, known: object) -> object:
    if isinstance(kind, Integer) and isinstance(known, Interval):
        return Interval(kind.least, kind.most, known.unset)
    return known
