"""Calls in a user's rule: arguments become what their parameters want, and only what a rule may call is called."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NewType

from emu import reach
from hosts.loader.own.classes import ACCESSORS, OWNERS, OwnClass
from hosts.loader.own.declared import Use
from hosts.loader.primitives import ACCESSES
from hosts.loader.rule.context import Local
from hosts.loader.rule.expressions import Expressions, Typed
from hosts.loader.rule.guards import CHANGING, STORED, at
from hosts.loader.rule.types import NOTHING, NUMBER, UNKNOWN, UNSEEN, Kind, What, as_number, joined
from hosts.loader.syntax.language import parameters
from hosts.loader.syntax.names import PRIMITIVES, PURE_BUILTINS

Given = Mapping[str, tuple[ast.expr, Kind, ast.expr]]
"""For each parameter that is given the new expression, what it is, and the old one."""

_READING: Final = frozenset(name for name, row in ACCESSES.items() if row.loads and not row.locked)
ENTER: Final = "enter"
USED_AS: Final = {"local_read": Use.PRIVATE, "local_write": Use.PRIVATE, "peek": Use.MARK, "mark": Use.MARK}
"""Accesses that are for words of the user's own that are declared so."""
_INSTEAD: Final = {
    **dict.fromkeys(("peek", "local_read"), "READ_ONCE(word)"),
    **dict.fromkeys(("mark", "local_write"), "WRITE_ONCE(word, value)"),
    "send_IPI": "apic_send_IPI(cpu, vector)",
    "memory": "machine()",
    "this_cpu_ptr": "this_pcpu()",
}


class Calls(Expressions):
    """The expressions of one function, calls included."""

    def call(self, node: ast.Call) -> Typed:
        """Return a call: each argument as its parameter wants it."""
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in self.around.mine:
            return self.own_call(node, name)
        if name in self.around.own_classes:
            return self.own_struct(node, self.around.own_classes[name])
        self.check_reach(node, name)
        if name in PURE_BUILTINS:
            return self.builtin_call(node, name), NUMBER
        if name not in self.around.scope.functions and name not in PRIMITIVES:
            return node, UNKNOWN
        kinds, result = self.around.annotated(name)
        self.marking += name == "mark"
        new, found = self.arguments(node, list(kinds), kinds, f"{name}()")
        self.marking -= name == "mark"
        self.check_store(node, name, found)
        self.check_use(node, name, found)
        for parameter in found:
            _put(new, list(kinds), parameter, self.guarded(name, parameter, kinds[parameter], found))
        return new, as_number(found["word"][1]) if name in _READING else result

    def guarded(self, name: str, parameter: str, wanted: Kind, found: Given) -> ast.expr:
        """Return an argument of the emulated kernel's with the checks that it needs."""
        argument, kind, like = found[parameter]
        if wanted.what is What.STRUCT and kind.what is What.STRUCT:
            return self.guards.there(argument, kind, like)
        if wanted.what is not What.NUMBER or self.is_sound(parameter, kind, like):
            return argument
        argument = self.guards.argument(name, parameter, argument, like)
        return self.guards.stored(argument, found["word"][1], like) if STORED.get(name) == parameter else argument

    def is_sound(self, parameter: str, kind: Kind, node: ast.expr) -> bool:
        """Return whether a number is what the emulated kernel itself would hand on."""
        if parameter == "cpu":
            return kind.places == {"Vcpu.cpu"}
        given = isinstance(node, ast.Name) and (self.function, node.id) in self.known.given
        return given and parameter in ("vector", "vec")

    def builtin_call(self, node: ast.Call, name: str) -> ast.expr:
        """Return a call of one of Python's own functions."""
        if name == "len" or (name in ("min", "max") and len(node.args) == 1):
            if any(self.any(each)[1].what not in (What.NUMBERS, What.UNKNOWN, What.UNSEEN) for each in node.args):
                self.refuse(node, f"{name}() takes a tuple")
            return node
        whole = self.truth if name == "bool" else self.number
        return at(ast.Call(node.func, [whole(each) for each in node.args], []), node)

    def own_call(self, node: ast.Call, name: str) -> Typed:
        """Return a call of one of the user's functions."""
        if self.looks and name not in self.around.brings.checks:
            self.refuse(node, f"{name}() is not for a check alone: others call it, too; a check has helpers of its own")
        names = parameters(self.around.scope.functions[name])
        declared = {each: self.known.declared[name, each] for each in names if (name, each) in self.known.declared}
        new, found = self.arguments(node, names, declared, f"{name}()", callee=name)
        for parameter, (new_argument, kind, like) in found.items():
            local, argument = (name, parameter), new_argument
            if local in self.known.given and name in self.around.replaced:
                argument = self.guarded(name, parameter, declared[parameter], found)
            if parameter not in declared:
                self.record(local, kind, like)
                argument = self.as_number(like, argument, kind) if self.is_number(local) else argument
            elif kind.what is declared[parameter].what:
                self.known.kinds[local] = joined(self.known.kinds.get(local), replace(kind, is_read=False))
            _put(new, names, parameter, argument)
        return new, self.known.results.get(name, NOTHING if self.final else UNSEEN)

    def arguments(
        self, node: ast.Call, names: list[str], kinds: Mapping[str, Kind], what: str, callee: str = ""
    ) -> tuple[ast.Call, Given]:
        """Return the call, and for each parameter that is given the new expression, what it is, and the old one."""
        given = [*zip(names, node.args, strict=False), *((str(word.arg), word.value) for word in node.keywords)]
        found: dict[str, tuple[ast.expr, Kind, ast.expr]] = {}
        for parameter, argument in given:
            kind = kinds.get(parameter)
            if kind is None or kind.what is What.UNKNOWN:
                new, seen = self.any(argument, (callee, parameter) if callee else None)
            else:
                new, seen = self.wanted(argument, kind, what)
            found[parameter] = (new, seen, argument)
        keywords = [at(ast.keyword(word.arg, word.value), word) for word in node.keywords]
        return at(ast.Call(node.func, list(node.args), keywords), node), found

    def record(self, local: Local, kind: Kind, node: ast.AST) -> None:
        """Note what is assigned to a local."""
        kind = replace(kind, is_read=False)
        self.known.kinds[local] = known = joined(self.known.kinds.get(local), kind)
        if known.what is What.MIXED:
            self.refuse(node, f"{local[1]} is {kind} here and something else elsewhere: use two names")

    def is_number(self, local: Local) -> bool:
        """Return whether a local holds numbers: also one that is given words and is nowhere used as one."""
        kind = self.known.kinds.get(local, UNSEEN)
        return kind.what is What.NUMBER or (kind.what is What.WORD and local not in self.known.as_word)

    def check_reach(self, node: ast.Call, name: str) -> None:
        """Refuse what is not a rule's to call, nor the replaced function's."""
        if self.looks:
            self.check_looks(node, name)
            return
        acting = name in reach.OF_ACTS and self.function in self.around.brings.acts
        of_own = name in USED_AS and bool(self.around.brings.uses)
        if of_own or acting or name in self.around.reach(self.function).functions:
            return
        whose = reach.owner(name, self.around.modules.get(name, ""))
        if name == ENTER:
            self.check_window(node)
        elif name in PRIMITIVES and name not in reach.PRIMITIVES:
            instead = f": {_INSTEAD[name]} is" if name in _INSTEAD else ""
            self.refuse(node, f"{name}() is not a rule's to call{instead}")
        elif whose and name not in PRIMITIVES:
            self.refuse(node, f"{name}() is {whose}: a rule does not call it")
        if isinstance(self.around.scope.values.get(name), type | NewType):
            said = "a rule makes no address; it has its vcpu, machine() and kvm_get_running_vcpu()"
            self.refuse(node, f"{name}(): {said}")

    def check_looks(self, node: ast.Call, name: str) -> None:
        """Refuse to let a check do anything but look."""
        done = (each for each in self.around.primitives_of(name) if each not in reach.LOOKS)
        act = next(done, None)
        if act is not None:
            said = f"it does {act}(), and " if act != name else ""
            self.refuse(node, f"{name}() is not for a check: {said}a check looks and does nothing else: peek(word)")

    def check_window(self, node: ast.Call) -> None:
        """Refuse to enter what is no window."""
        given = node.args[0] if len(node.args) == 1 else None
        if not isinstance(given, ast.Name) or given.id not in self.around.brings.windows:
            self.refuse(node, f'{ENTER}() takes one window of this file: X = window("its-name"), then {ENTER}(X)')

    def check_use(self, node: ast.Call, name: str, found: Given) -> None:
        """Refuse an access to a word that is not meant for it."""
        if "word" not in found or self.looks:
            return
        word, places = found["word"][2], sorted(found["word"][1].places)
        uses = {self.around.brings.uses.get(place) for place in places} or {None}
        text = ast.unparse(word)
        if len(uses) > 1:
            self.refuse(node, f"{text} is one of {' or '.join(places)}, which are used in different ways")
        (use, *_) = uses
        free = reach.PRIMITIVES | self.around.reach(self.function).functions
        if use is None and name in USED_AS and name not in free:
            self.refuse(node, f"{name}() is not a rule's to call: {_INSTEAD[name]} is")
        elif use is Use.SHARED and name in USED_AS:
            self.refuse(node, f"{text} is shared: {_INSTEAD[name]} is for it; or declare it {USED_AS[name].value}")
        elif use is not None and use is not Use.SHARED and USED_AS.get(name) is not use:
            how = "local_read(word) and local_write(word, value) are" if use is Use.PRIVATE else "mark(word, value) is"
            self.refuse(node, f"{text} is {use.value}: {how} for it, not {name}()")
        elif use is Use.MARK and name == "peek":
            self.reading(word, found["word"][1])

    def own_struct(self, node: ast.Call, of: type[OwnClass]) -> Typed:
        """Return the words of a struct of the user's: those of the vCPU or pCPU that is named."""
        each, owner = of.declared.each, OWNERS[of.declared.each]
        new = at(ast.Call(at(ast.Name(ACCESSORS[each], ast.Load()), node), [], []), node)
        if owner is not None:
            given = [*node.args, *(keyword.value for keyword in node.keywords)][0]
            argument, kind = self.wanted(given, Kind(What.STRUCT, owner), f"{of.__name__}()")
            new.args = [self.guards.there(argument, kind, given)]
        return new, Kind(What.STRUCT, of)

    def check_store(self, node: ast.Call, name: str, found: Given) -> None:
        """Refuse to move what the machine takes for the place of something."""
        places = found["word"][1].places if "word" in found else frozenset[str]()
        if name in reach.OWN_PRIMITIVES and places & reach.SHARED_WORDS:
            instead = "READ_ONCE" if name == "local_read" else "WRITE_ONCE"
            self.refuse(node, f"{' or '.join(sorted(places))} is shared with other pCPUs: use {instead}")
        if name not in STORED and name not in CHANGING:
            return
        if places & reach.READ_ONLY:
            self.refuse(node, f"{' or '.join(sorted(places))} is the machine's to write: a rule only reads it")
        if places & set(reach.BELOW) and (name in CHANGING or len(places) > 1):
            self.refuse(node, f"{' or '.join(sorted(places))} is written by WRITE_ONCE, xchg or cmpxchg")


def _put(new: ast.Call, names: list[str], parameter: str, argument: ast.expr) -> None:
    """Put an argument where its parameter's stands."""
    place = names.index(parameter)
    if place < len(new.args):
        new.args[place] = argument
    for word in new.keywords:
        if word.arg == parameter:
            word.value = argument
