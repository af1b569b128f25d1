"""Functions that bring a user's checks and acts into the program: those behind the stubs of :mod:`emu.observe.own`.

What asks for the built-in checks asks for these instead (:data:`CALLED_INSTEAD`), and they ask for both.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emu.observe.own import FIRST_OWN_CHECK
from emu.own import POINTS
from emu.rulechecks import FAULT_VECTOR, FILE_SHIFT, LINE_SHIFT
from hosts.loader.own.declared import Own, OwnAct, OwnCheck, Place
from hosts.loader.syntax.language import Origin, PolicyError, walk

OWN_MODULES: Final = ("emu.own_words", "emu.observe.own", "emu.workload.own_acts")
"""Modules of the protocol that a program has only as far as a user's code needs them."""

_OF_CHECKS: Final = {
    "check_vm_entry": "own_check_vm_entry",
    "check_stay": "own_check_stay",
    "check_sleep": "own_check_sleep",
    "check_the_end": "own_check_the_end",
}
_OF_ACTS: Final = {"act": "own_act"}

VECTORS: Final = 256


@dataclass(frozen=True)
class Woven:
    """A function that stands in a stub's place, or that such a function calls."""

    tree: ast.FunctionDef
    origin: Origin
    module: str


def called_instead(own: Own) -> dict[str, str]:
    """Return which functions are called instead of which."""
    return (_OF_CHECKS if own.own_checks else {}) | (_OF_ACTS if own.acts else {})


def redirected(tree: ast.FunctionDef, instead: Mapping[str, str]) -> ast.FunctionDef:
    """Return a function that calls some functions instead of others."""
    if not any(isinstance(node, ast.Name) and node.id in instead for node in walk(tree)):
        return tree
    new = copy.deepcopy(tree)
    for node in walk(new):
        if isinstance(node, ast.Name):
            node.id = instead.get(node.id, node.id)
    return new


def act_driver(name: str) -> str:
    """Return the function that takes one of the user's acts: the explorer's drivers call it, too."""
    return f"own_act_{name}"


def woven(own: Own, flat: Callable[[Place, str], str], files: Sequence[str]) -> Iterator[Woven]:
    """Yield the functions. ``flat``: the program's name of a function of a user's file; ``files``: all of these."""
    for i, check in enumerate(own.own_checks):
        yield _made(_check(check, i, flat(check.place, check.name), files), check.place, "emu.observe.own")
    for point in POINTS if own.own_checks else ():
        asked = [i for i, check in enumerate(own.own_checks) if point in check.points]
        judged = "".join(f"    judged = min(judged, own_check_{i}(vcpu))\n" for i in asked)
        text = f"def own_checks_at_{point}(vcpu: Vcpu) -> int:\n    judged = 1\n{judged}    return judged\n"
        yield _made(text, own.own_checks[0].place, "emu.observe.own")
    for act in own.acts:
        yield _made(_act(act, flat(act.place, f"act_{act.name}")), act.place, "emu.workload.own_acts")
    if own.acts:
        yield _made(_choice(own), own.acts[0].place, "emu.workload.own_acts")


def _check(check: OwnCheck, number: int, function: str, files: Sequence[str]) -> str:
    """Return a check as it is made: what it says counts if the machine is quiet before and still after it."""
    file = files.index(check.place.file)
    where = file << FILE_SHIFT | check.place.line << LINE_SHIFT | FAULT_VECTOR
    fired = "says >= 0" if check.gives_vector else "not says"
    vector = f"checked_below({where}, says, {VECTORS})" if check.gives_vector else "-1"
    return (
        f"def own_check_{number}(vcpu: Vcpu) -> int:\n"
        f"    before = quiet_stamp()\n"
        f"    if before < 0:\n"
        f"        return 0\n"
        f"    says = {function}(vcpu)\n"
        f"    if still(before) == 0:\n"
        f"        return 0\n"
        f"    if {fired}:\n"
        f"        own_sighting(vcpu, {FIRST_OWN_CHECK + number}, {vector})\n"
        f"    return 1\n"
    )


def _act(act: OwnAct, function: str) -> str:
    """Return an act as it is taken: whoever takes it is inside."""
    name = act_driver(act.name)
    return f"def {name}(vcpu: Vcpu) -> None:\n    begin_effects()\n    {function}(vcpu)\n    end_effects()\n"


def _choice(own: Own) -> str:
    lines = [
        f"    if item == {number}:\n        {act_driver(name)}(vcpu)\n" for name, number in own.act_numbers.items()
    ]
    return "def take_own(vcpu: Vcpu, item: int) -> None:\n" + "".join(lines)


def _made(text: str, place: Place, module: str) -> Woven:
    tree = ast.parse(text).body[0]
    assert isinstance(tree, ast.FunctionDef)  # noqa: S101 - made above
    for node in ast.walk(tree):
        if hasattr(node, "lineno"):
            node.lineno = node.end_lineno = place.line  # type: ignore[attr-defined]
            node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]
    return Woven(tree, Origin(place.file, PolicyError), module)
