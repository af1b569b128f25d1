"""What a patch's file may bring along besides functions: words, windows, checks, acts and scenarios of its own.

Such a file is read, never run (:mod:`hosts.loader.own`), so what stands here says only how these are written down, and
gives type checkers something to go by::

    class Doorbell(PerVcpu):
        rung = word()                        # shared: READ_ONCE, WRITE_ONCE, locked operations
        answered = word(start=1, private=True)  # one thread's alone: local_read, local_write
        rings = word(mark=True)              # an instrument's: mark, never a fence

    ANSWERED = window("doorbell-answered")   # counted by enter(ANSWERED)

    def act_ring(vcpu: Vcpu) -> None: ...    # an act of the other pCPUs, "ring" in menus and scopes

    @check("entry", "sleep")
    def doorbell_is_answered(vcpu: Vcpu) -> bool: ...  # whether it holds

    DOORBELL = Scenario("doorbell", ..., actor_menu=(act_ring, ACT_POST), windows=("doorbell-answered",))

``Doorbell(vcpu).rung`` is the word of a vCPU. A check that is about a vector gives an int: the vector that it does not
hold of, or -1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from emu import memory
from emu.machine import Pcpu, Vcpu
from emu.memory import Struct, Word, Words
from emu.observe.own import enter
from emu.workload.scenarios import Scenario

__all__ = ["ForAll", "PerPcpu", "PerVcpu", "Scenario", "check", "enter", "window", "word", "words"]

F = TypeVar("F", bound=Callable[[Vcpu], int])

POINTS: Final = ("entry", "stay", "sleep", "end")
"""Where checks are made: at VM-entry, in non-root mode when a turn is over, asleep, when all has come to an end."""


class PerVcpu(Struct):
    """Base of a struct that each vCPU has one of: ``X(vcpu)``."""

    def __init__(self, vcpu: Vcpu) -> None:
        """Name a vCPU's."""
        super().__init__(vcpu.at)


class PerPcpu(Struct):
    """Base of a struct that each pCPU has one of: ``X(this_pcpu())``."""

    def __init__(self, pcpu: Pcpu) -> None:
        """Name a pCPU's."""
        super().__init__(pcpu.at)


class ForAll(Struct):
    """Base of a struct that there is one of: ``X()``."""

    def __init__(self) -> None:
        """Name it."""
        super().__init__(0)


def word(*, start: int = 0, private: bool = False, mark: bool = False) -> Word:
    """Declare a word: what it holds at the start, and whether it is one thread's alone or an instrument's."""
    return memory.word()


def words(
    count: int,
    *,
    start: int | tuple[int, ...] = 0,
    private: bool = False,
    mark: bool = False,
) -> Words:
    """Declare several words, as in :func:`word`; ``start`` is what each holds, or a number for each."""
    return memory.words(count)


def window(name: str) -> int:
    """Declare a race window that :func:`enter` counts."""
    return 0


def check(*points: str) -> Callable[[F], F]:
    """Declare that a function is a check, made at these points (:data:`POINTS`; without any, at all)."""
    return lambda function: function
