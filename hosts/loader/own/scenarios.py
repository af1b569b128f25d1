"""Reader of a user's scenarios, which are written in the form of :mod:`emu.workload.scenarios`."""

from __future__ import annotations

import ast
import dataclasses
import difflib
from collections.abc import Collection, Mapping
from typing import Any, Final

from emu.machine import MAX_PCPUS, MENU_ITEMS
from emu.vectors import SLOT_POST, vector_of
from emu.workload.actors import ACT_DEVICE, ACT_KICK, ACT_POST, ACT_SIGNAL, ACT_TIMER
from emu.workload.program import GUEST_ITEMS
from emu.workload.scenarios import SCENARIOS, Scenario
from hosts.loader.own.literals import Literals, Value

_FIELDS: Final = tuple(field.name for field in dataclasses.fields(Scenario))
_TEXTS: Final = ("name", "about", "origin", "scope")
_ROWS: Final = ("guest_menu", "actor_menu", "windows")
_EXAMPLE: Final = (
    'Scenario("name", "about", "origin", guest_menu=(GUEST_CPUID,), actor_menu=(ACT_POST,), windows=(...))'
)
MOST_ACTS: Final = 64

_TAKEN: Final = ("default", "all")


SCENARIOS_HOME: Final = "emu.workload.scenarios"
"""Where a patch may import the class from besides emu.own."""


def scenario_of(call: ast.expr, literals: Literals, acts: Mapping[str, int], windows: Collection[str]) -> Scenario:
    """Read a scenario; PolicyError with the line of what does not fit. ``windows``: those that there are."""
    assert isinstance(call, ast.Call)  # noqa: S101 - that it calls Scenario is how it was found
    return _Reader(call, literals, acts, windows).scenario()


class _Reader:
    """Reads one."""

    def __init__(self, call: ast.Call, literals: Literals, acts: Mapping[str, int], windows: Collection[str]) -> None:
        self.call, self.literals, self.acts, self.windows = call, literals, acts, windows
        self.nodes = self._nodes()

    def scenario(self) -> Scenario:
        """Return it."""
        given: dict[str, Any] = {name: self._read(name, node) for name, node in self.nodes.items()}
        for name in ("name", "guest_menu"):
            if not given.get(name):
                self._refuse(None, f"a scenario has a {name}: {_EXAMPLE}")
        file = self.literals.origin.file
        made = Scenario(**{"about": "", "origin": f"{file}:{self.call.lineno}", **given})
        self._check(made)
        return made if made.scope is not None else dataclasses.replace(made, scope=self._scope(made))

    def _nodes(self) -> dict[str, ast.expr]:
        nodes = dict(zip(_FIELDS, self.call.args, strict=False))
        if len(self.call.args) > len(_FIELDS):
            self._refuse(self.call, f"a scenario is {_EXAMPLE}")
        for keyword in self.call.keywords:
            name = str(keyword.arg)
            if name not in _FIELDS or name in nodes:
                self._refuse(keyword, f"{name}=: a scenario has, each once, {', '.join(_FIELDS)}")
            nodes[name] = keyword.value
        return nodes

    def _refuse(self, node: ast.AST | None, reason: str) -> None:
        self.literals.origin.refuse(node or self.call, reason)

    def _read(self, name: str, node: ast.expr) -> Value:
        if name in _TEXTS:
            return self.literals.text(node)
        if name in _ROWS:
            row = self.literals.value(node)
            if not isinstance(row, tuple):
                self._refuse(node, f"{name} is a tuple: ({ast.unparse(node)},)")
            return row
        number = self.literals.number(node)
        return number != 0 if name in ("grows", "every_pcpu_runs_a_vcpu", "slow_timer") else number

    def _check(self, made: Scenario) -> None:
        """Refuse what no machine can run."""
        name, others = made.name, [each.name for each in SCENARIOS]
        if not all(part.isalnum() and part.islower() for part in name.split("-")) or name in (*others, *_TAKEN):
            said = "there is one of this name" if name in (*others, *_TAKEN) else "it is small letters, digits and '-'"
            self._refuse(self.nodes["name"], f"{name!r} is no name for a scenario: {said}")
        items = "the guest's items, GUEST_... of emu.workload.program"
        self._menu("guest_menu", made.guest_menu, range(GUEST_ITEMS), items)
        kinds = "ACT_... of emu.workload.actors and this patch's act_... functions"
        self._menu("actor_menu", made.actor_menu, (*range(ACT_TIMER + 1), *self.acts.values()), kinds)
        if not 1 <= made.pcpus <= MAX_PCPUS or not 1 <= made.acts_per_turn <= MOST_ACTS:
            said = f"pcpus is 1 to {MAX_PCPUS} and acts_per_turn 1 to {MOST_ACTS}"
            self._refuse(self.nodes.get("pcpus", self.nodes.get("acts_per_turn")), said)
        if not made.actor_menu and not made.every_pcpu_runs_a_vcpu and (made.pcpus > 1 or made.grows):
            said = "the other pCPUs have nothing to do: name an actor_menu, or say pcpus=1, grows=False"
            self._refuse(self.call, said)
        for window in made.windows:
            if window not in self.windows:
                near = difflib.get_close_matches(str(window), list(self.windows), 3)
                meant = f" (did you mean {' or '.join(near)}?)" if near else ""
                self._refuse(
                    self.nodes["windows"], f"there is no window {window!r}{meant}: declare it, X = window({window!r})"
                )

    def _menu(self, name: str, menu: tuple[object, ...], items: Collection[int], kinds: str) -> None:
        if len(menu) > MENU_ITEMS or not all(item in items for item in menu):
            self._refuse(self.nodes[name], f"{name} lists up to {MENU_ITEMS} of {kinds}")

    def _scope(self, made: Scenario) -> str:
        """Return what is explored if the scenario does not say: each pCPU beside the vCPU's takes each act once."""
        if made.every_pcpu_runs_a_vcpu:
            return ""
        names = {
            ACT_POST: f"post:{vector_of(SLOT_POST):#x}",
            ACT_KICK: "kick",
            ACT_DEVICE: "device",
            ACT_SIGNAL: "signal",
            ACT_TIMER: "hrtimer",
        }
        names |= {number: name for name, number in self.acts.items()}
        column = " ".join(names[item] for item in dict.fromkeys(made.actor_menu))
        return " | ".join([column] * (made.pcpus - 1))
