"""The table of primitives says of each what the waist does: how its host is asked, which argument is the word."""

from __future__ import annotations

import inspect

import pytest

from emu import waist
from hosts.explorer.model.operations import Op
from hosts.explorer.threads.protocol import SUSPENDING
from hosts.loader.primitives import ACCESSES, COMPILER_BARRIERS, LOCKED, SHARED, TABLE, Primitive
from hosts.loader.syntax.names import PRIMITIVES

RMW = {"xchg": "XCHG", "cmpxchg": "CMPXCHG", "fetch_or": "OR", "fetch_and": "AND", "fetch_add": "ADD"}
WORD = 1000


class Asked:
    """A host that notes what it is asked for, and of which word."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, tuple[int, ...]]] = []

    def __getattr__(self, name: str) -> object:
        """Return what notes a request by its name."""

        def request(*arguments: int) -> int:
            self.requests.append((name, arguments))
            return 0

        return request


def asked(name: str) -> list[tuple[str, tuple[int, ...]]]:
    """Call a primitive with a word that can be told apart, and return what it asks its host for."""
    primitive = PRIMITIVES[name]
    arguments = [WORD if each == "word" else 1 for each in inspect.signature(primitive).parameters]
    host = Asked()
    before = waist.set_host(host)  # type: ignore[arg-type]
    try:
        primitive(*arguments)
    finally:
        waist.set_host(before)
    return host.requests


def test_the_table_names_every_primitive_once() -> None:
    """And nothing else."""
    assert set(TABLE) == set(PRIMITIVES)
    assert all(name == row.name for name, row in TABLE.items())


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_a_row_agrees_with_the_signature(row: Primitive) -> None:
    """The word's position, the parameter that is stored, and whether anything is returned."""
    signature = inspect.signature(PRIMITIVES[row.name])
    parameters = list(signature.parameters)
    assert row.word == (parameters.index("word") if "word" in parameters and row.name not in NUMBERS else -1)
    assert not row.stored or row.stored in parameters
    assert row.void == (signature.return_annotation in (None, "None"))


NUMBERS = frozenset({"fls64", "hweight64"})
"""What takes a value that it calls a word, not a place in memory."""


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_a_row_agrees_with_what_the_host_is_asked(row: Primitive) -> None:
    """Loads, stores, locked operations and fences."""
    requests = asked(row.name)
    names = {name for name, _ in requests}
    rmw = [RMW[name] for name in names if name in RMW]
    assert ([row.rmw] if row.rmw else []) == rmw
    assert row.loads == bool(names & {"load", "peek", *RMW})
    assert row.stores == bool(names & {"store", "poke", *RMW})
    assert row.fence == bool(names & {"fence", "send_IPI", "switch_to", *RMW})
    assert row.word < 0 or all(arguments[0] == WORD for _, arguments in requests)


def test_what_is_shared_is_a_way_to_a_shared_word_or_to_another_pcpu() -> None:
    """Marks and peeks are for instruments: nobody waits for them."""
    shared = {"load", "store", "fence", "send_IPI", *RMW}
    assert {name for name in TABLE if {each for each, _ in asked(name)} & shared} == SHARED


def test_what_is_shared_may_suspend() -> None:
    """Others may act before each of them; what does not suspend, no other thread notices."""
    assert SHARED <= SUSPENDING
    assert {name for name in TABLE if name in SUSPENDING} == {row.name for row in TABLE.values() if row.suspends}


def test_accesses_are_operations_of_the_model() -> None:
    """A locked one by its own name."""
    assert {row.rmw for row in LOCKED.values()} <= set(Op.__members__)
    assert set(LOCKED) < set(ACCESSES) < SHARED
    assert all(TABLE[row.unordered].loads == row.loads for row in ACCESSES.values() if row.unordered)


def test_compiler_barriers_ask_a_host_for_nothing() -> None:
    """On x86 they are no instruction."""
    assert all(asked(name) == [] for name in COMPILER_BARRIERS)
