"""An outcome in herd7's form.

Test, States and every state, Ok or No, Condition, and the word of Observation are what herd7 prints, letter for letter
(herd7 7.57). Not given, because herd7 counts candidate executions there and a search that joins equal states has none
to count: the lines ``Witnesses`` and ``Positive: n Negative: m`` and the two numbers after Observation's word. Nor is
``Loop`` before Ok or No, which says that herd7 has not gone round often enough. Nor are
``Time``, and ``Hash``, which is of herd7's own inner form of a test. :data:`FOR_HERD7` takes these away from herd7's
output; what is left is compared with diff.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hosts.litmus import registers
from hosts.litmus.final_condition import spelled
from hosts.litmus.outcome import Outcome
from hosts.litmus.registers import Arch
from hosts.litmus.syntax import Memory, Place, Test, Value, split_element

KINDS: Final = {"exists": "Allowed", "~exists": "Forbidden", "forall": "Required"}
FOR_HERD7: Final = "sed -E '/^(Witnesses|Positive:|Time |Hash=)/d\ns/^Loop //; /^Observation/s/ [0-9]+ [0-9]+$//'"
"""The filter for herd7's output."""


def lines(outcome: Outcome) -> Iterator[str]:
    """Return the lines, an empty one last."""
    test = outcome.test
    final_condition = test.final_condition
    yield f"Test {test.name} {KINDS[final_condition.quantifier]}"
    yield f"States {len(outcome.states)}"
    yield from outcome.states.texts(lambda place, value: text(place, value, test))
    yield "Ok" if outcome.ok else "No"
    condition = spelled(final_condition.proposition, lambda place: name(place, test.arch))
    yield f"Condition {final_condition.quantifier} ({condition})"
    yield f"Observation {test.name} {outcome.observation}"
    yield ""


def text(place: Place, value: Value, test: Test) -> str:
    """Return what a place holds; of an array that is asked for whole, this element."""
    if not isinstance(place, Memory) or not place.whole:
        return f"{name(place, test.arch)}={value_text(value)}; "
    _, index = split_element(place.name)
    begin = "," if index else f"{place.whole}={{"
    return begin + value_text(value) + ("}; " if index == test.arrays[place.whole] - 1 else "")


def name(place: Place, arch: Arch) -> str:
    """Return a place's name."""
    if isinstance(place, Memory):
        return place.name if place.name.endswith("]") else f"[{place.name}]"
    return f"{place.thread}:{registers.spelling(arch, place.number)}"


def value_text(value: Value) -> str:
    """Return a value as it is printed."""
    return str(value)
