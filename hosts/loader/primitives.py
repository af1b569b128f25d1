"""Properties of the primitives of :mod:`emu.waist`, a row each: what hosts and analyses have to know of them.

On x86 a locked operation drains the store buffer whatever its outcome, and so do ``smp_mb`` and ``send_IPI`` (Linux
fences before the ICR write).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Primitive:
    """One primitive of the waist."""

    name: str
    word: int = -1
    """Position of the argument that is the word; -1: it has none."""
    loads: bool = False
    stores: bool = False
    """A read-modify-write counts as both."""
    rmw: str = ""
    """Of a locked read-modify-write, what it does to the word: XCHG, CMPXCHG, OR, AND or ADD."""
    stored: str = ""
    """The parameter that is put into the word as it is."""
    unordered: str = ""
    """Of an access that orders others at compile time, the one that does not."""
    fence: bool = False
    """Drains the store buffer."""
    shared: bool = False
    """Other pCPUs can observe it: an interrupt point goes before it."""
    suspends: bool = False
    """Explored, others may act before it, or it branches; the rest a thread does by itself."""
    environment: bool = False
    """Depends on the APIC, the clock, the seed or the turns of the environment, or changes them."""
    pure: bool = False
    """Neither reads nor changes anything that changes: what ``memory()`` gives is a constant, and so are, for one run,
    the selected mutation and, for one task between two points at which it may migrate, its pCPU."""
    void: bool = False
    """Returns nothing."""
    inserted: bool = False
    """Put in by the loader, never written by hand."""
    only_in: str = ""
    """The one function that may call it."""

    @property
    def locked(self) -> bool:
        """Return whether it is a locked read-modify-write."""
        return bool(self.rmw)


def _access(name: str, word: int = 0, **properties: str | bool) -> Primitive:
    """Return an access to a shared word."""
    return Primitive(name, word, shared=True, suspends=True, **properties)  # type: ignore[arg-type]


def _locked(name: str, rmw: str, word: int = 0, *, stored: str = "", void: bool = False) -> Primitive:
    """Return a locked read-modify-write of a shared word."""
    return _access(name, word, loads=True, stores=True, rmw=rmw, stored=stored, fence=True, void=void)


def _environment(name: str, *, suspends: bool = True, void: bool = False) -> Primitive:
    """Return a primitive whose answer or effect is the environment's."""
    return Primitive(name, environment=True, suspends=suspends, void=void)


_ROWS: Final = (
    _access("READ_ONCE", loads=True),
    _access("WRITE_ONCE", stores=True, stored="value", void=True),
    _access("smp_load_acquire", loads=True, unordered="READ_ONCE"),
    _access("smp_store_release", stores=True, stored="value", unordered="WRITE_ONCE", void=True),
    _locked("xchg", "XCHG", stored="value"),
    _locked("cmpxchg", "CMPXCHG", stored="new"),
    _locked("test_and_set_bit", "OR", 1),
    _locked("test_and_clear_bit", "AND", 1),
    _locked("set_bit", "OR", 1, void=True),
    _locked("clear_bit", "AND", 1, void=True),
    _locked("atomic_inc", "ADD", void=True),
    _locked("take_half", "AND"),
    Primitive("smp_mb", fence=True, shared=True, suspends=True, void=True),
    Primitive("smp_wmb", void=True),
    Primitive("smp_rmb", void=True),
    # private words and marks
    Primitive("local_read", 0, loads=True),
    Primitive("local_write", 0, stores=True, stored="value", void=True),
    Primitive("peek", 0, loads=True, suspends=True),
    Primitive("mark", 0, stores=True, stored="value", suspends=True, void=True),
    Primitive("trace", void=True),
    # where and who
    Primitive("memory", pure=True),
    Primitive("this_cpu_ptr", pure=True),
    # interrupts
    Primitive("interrupt_point", suspends=True, void=True, inserted=True),
    Primitive("send_IPI", fence=True, shared=True, suspends=True, void=True),
    _environment("apic_pending"),
    _environment("apic_ack"),
    _environment("wait_for_interrupt", suspends=False, void=True),
    _environment("ipis_in_flight"),
    Primitive("cpu_relax", void=True),
    # tasks
    Primitive("switch_to", fence=True, suspends=True, void=True, only_in="context_switch"),
    # environment
    _environment("choose"),
    _environment("one_in"),
    Primitive("deadline_after"),
    _environment("deadline_passed"),
    _environment("run_goes_on"),
    _environment("open_turn", suspends=False),
    _environment("next_turn", suspends=False),
    _environment("say_silent", void=True),
    _environment("all_silent"),
    Primitive("mutated", pure=True, inserted=True),
    Primitive("rule_fault", void=True),
    # numbers
    Primitive("BIT", pure=True),
    Primitive("fls64", pure=True),
    Primitive("hweight64", pure=True),
)

TABLE: Final = {row.name: row for row in _ROWS}
"""All primitives, by name."""

SHARED: Final = frozenset(row.name for row in _ROWS if row.shared)
"""What another pCPU can observe."""
ACCESSES: Final = {row.name: row for row in _ROWS if row.shared and row.word >= 0}
"""Loads, stores and locked read-modify-writes of shared words."""
LOCKED: Final = {row.name: row for row in _ROWS if row.locked}
"""The locked read-modify-writes; each is a full barrier."""
BITS: Final = frozenset(row.name for row in _ROWS if row.rmw in ("OR", "AND") and row.word == 1)
"""Those that take the number of a bit, and the word behind it."""
VOID: Final = frozenset(row.name for row in _ROWS if row.void)
"""What returns nothing."""
COMPILER_BARRIERS: Final = frozenset({"smp_wmb", "smp_rmb"})
"""What orders accesses at compile time and is no instruction on x86."""
