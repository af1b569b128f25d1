"""The narrow waist: everything that ``emu/`` may call, and all that a host has to provide.

Each primitive is a plain function whose body asks the current :class:`Host`. A host that compiles replaces the
function by machine code of the same meaning; one conformance suite holds all hosts to it.

*Shared* operations are the ones another pCPU can observe. The loader puts an interrupt point before each of them, and
the explorer may switch threads there. On x86 only these drain the store buffer: locked operations whatever their
outcome, :func:`smp_mb`, and :func:`send_IPI` (Linux fences before the ICR write).
"""

from __future__ import annotations

from typing import Final, Protocol

from emu.memory import Word


class Host(Protocol):
    """What runs the emulated machine. Words are signed 64-bit numbers; results that mean yes or no are 1 or 0."""

    def load(self, word: int) -> int:
        """Read a shared word."""

    def store(self, word: int, value: int) -> None:
        """Write a shared word through the store buffer."""

    def xchg(self, word: int, value: int) -> int:
        """Exchange, locked."""

    def cmpxchg(self, word: int, old: int, new: int) -> int:
        """Compare and exchange, locked; return the value found."""

    def fetch_or(self, word: int, bits: int) -> int:
        """Set bits, locked; return the value found."""

    def fetch_and(self, word: int, bits: int) -> int:
        """Keep bits, locked; return the value found."""

    def fetch_add(self, word: int, value: int) -> int:
        """Add, locked; return the value found."""

    def fence(self) -> None:
        """Drain the store buffer."""

    def peek(self, word: int) -> int:
        """Read a word for an instrument or a private word: no interrupt point, no scheduling point."""

    def poke(self, word: int, value: int) -> None:
        """Write a private word or a mark: no interrupt point, no scheduling point, never a fence."""

    def memory(self) -> int:
        """Return the address of the machine."""

    def this_cpu(self) -> int:
        """Return the address of the pCPU that runs the caller."""

    def interrupt_point(self, site: int) -> None:
        """Take pending interrupts if the interrupt flag is on."""

    def send_IPI(self, cpu: int, vector: int) -> None:
        """Put an IPI under way."""

    def apic_pending(self) -> int:
        """Return whether a vector is pending at the own local APIC."""

    def apic_ack(self) -> int:
        """Acknowledge the highest pending vector."""

    def wait_for_interrupt(self) -> None:
        """Idle until something may be pending, or the run is over."""

    def switch_to(self, prev: int, next: int) -> None:  # noqa: A002 - the kernel's name
        """Suspend the running task, its context in word ``prev``, and resume the one whose context is in ``next``."""

    def cpu_relax(self) -> None:
        """Let others go on."""

    def choose(self, n: int) -> int:
        """Pick a number below ``n``."""

    def one_in(self, n: int) -> int:
        """Return 1 about once in ``n`` times, else 0."""

    def deadline_after(self, delta: int) -> int:
        """Return the deadline that lies ``delta`` ticks ahead."""

    def deadline_passed(self, deadline: int) -> int:
        """Return whether a deadline lies behind."""

    def run_goes_on(self) -> int:
        """Return whether the run has more turns."""

    def open_turn(self) -> int:
        """Open the next turn of the environment and return its number."""

    def next_turn(self, seen: int) -> int:
        """Wait for a turn after ``seen``; 0 when the run is over."""

    def ipis_in_flight(self) -> int:
        """Return whether an IPI to the own pCPU has left its sender and has not arrived."""

    def say_silent(self) -> None:
        """Say that this pCPU starts nothing more."""

    def all_silent(self) -> int:
        """Return whether all pCPUs have said so and all that they sent has arrived."""

    def mutated(self, number: int) -> int:
        """Return whether mutation ``number`` is the selected one."""

    def trace(self, event: int, argument: int) -> None:
        """Record an event, or do nothing."""

    def rule_fault(self, where: int, value: int, bound: int) -> None:
        """End the run for a fault of the user's rule; does not come back."""


class _NoHost:
    def __getattr__(self, name: str) -> object:
        message = f"no host is running: {name}() was called outside of one"
        raise RuntimeError(message)


_host: Host = _NoHost()  # type: ignore[assignment]


def set_host(host: Host | None) -> Host:
    """Make ``host`` the one that runs what is called next in this process; return the one before."""
    global _host  # noqa: PLW0603 - the one switch between hosts
    before = _host
    _host = host if host is not None else _NoHost()  # type: ignore[assignment]
    return before


# --- shared words ------------------------------------------------------------------------------------------------


def READ_ONCE(word: Word) -> int:
    """Read a shared word; keeps program order against other READ_ONCE and WRITE_ONCE of the compiled code."""
    return _host.load(word)


def WRITE_ONCE(word: Word, value: int) -> None:
    """Write a shared word; x86: a plain store, which waits in the store buffer."""
    _host.store(word, value)


def smp_load_acquire(word: Word) -> int:
    """Read a shared word before all that follows; x86: a plain load."""
    return _host.load(word)


def smp_store_release(word: Word, value: int) -> None:
    """Write a shared word after all that went before; x86: a plain store, no fence."""
    _host.store(word, value)


def xchg(word: Word, value: int) -> int:
    """Exchange, locked, a full barrier; returns the old value."""
    return _host.xchg(word, value)


def cmpxchg(word: Word, old: int, new: int) -> int:
    """Store ``new`` if the word holds ``old``; locked and a full barrier either way; returns the value found."""
    return _host.cmpxchg(word, old, new)


def test_and_set_bit(nr: int, word: Word) -> int:
    """Set bit ``nr`` (0..63), locked, a full barrier; returns 1 if it was set already, else 0."""
    bit = BIT(nr)
    return 1 if _host.fetch_or(word, bit) & bit != 0 else 0


def test_and_clear_bit(nr: int, word: Word) -> int:
    """Clear bit ``nr`` (0..63), locked, a full barrier; returns 1 if it was set, else 0."""
    bit = BIT(nr)
    return 1 if _host.fetch_and(word, ~bit) & bit != 0 else 0


def set_bit(nr: int, word: Word) -> None:
    """Set bit ``nr`` (0..63); locked, so on x86 also a full barrier."""
    _host.fetch_or(word, BIT(nr))


def clear_bit(nr: int, word: Word) -> None:
    """Clear bit ``nr`` (0..63); locked, so on x86 also a full barrier."""
    _host.fetch_and(word, ~BIT(nr))


def atomic_inc(word: Word) -> None:
    """Add one, locked, on x86 also a full barrier."""
    _host.fetch_add(word, 1)


def take_half(word: Word, half: int) -> int:
    """Exchange one half of a word (0: the low 32 bits) for 0, locked, a full barrier; returns what it held."""
    kept = 0xFFFF_FFFF if half != 0 else -0x1_0000_0000
    return _host.fetch_and(word, kept) >> 32 * half & 0xFFFF_FFFF


def smp_mb() -> None:
    """Drain the store buffer: no later load is done before earlier stores are seen."""
    _host.fence()


def smp_wmb() -> None:
    """Order stores against stores; x86 does so by itself, so only the compiler is constrained."""


def smp_rmb() -> None:
    """Order loads against loads; x86 does so by itself, so only the compiler is constrained."""


# --- private words and marks -------------------------------------------------------------------------------------


def local_read(word: Word) -> int:
    """Read a word that only this thread writes and no protocol step of another reads (VMCS, registers, counters)."""
    return _host.peek(word)


def local_write(word: Word, value: int) -> None:
    """Write such a word."""
    _host.poke(word, value)


def peek(word: Word) -> int:
    """Read any word for an instrument, in program order with other peeks; the machine does not notice."""
    return _host.peek(word)


def mark(word: Word, value: int) -> None:
    """Publish a mark that instruments of other pCPUs read: a plain store, in order, never a fence."""
    _host.poke(word, value)


def trace(event: int, argument: int) -> None:
    """Note an event (0..255; ``argument`` has 24 bits) for people: see :mod:`emu.observe.tracepoints`.

    Never a scheduling point, a fence or a part of any state; a host may do nothing.
    """
    _host.trace(event, argument)


# --- where and who -----------------------------------------------------------------------------------------------


def memory() -> int:
    """Return the address of the machine (see :func:`emu.machine.machine`)."""
    return _host.memory()


def this_cpu_ptr() -> int:
    """Return the address of the pCPU that runs the caller (see :func:`emu.machine.this_pcpu`)."""
    return _host.this_cpu()


# --- interrupts --------------------------------------------------------------------------------------------------


def interrupt_point(site: int) -> None:
    """Take pending interrupts here if the interrupt flag is on. The loader puts these in; nobody calls it by hand."""
    _host.interrupt_point(site)


def send_IPI(cpu: int, vector: int) -> None:
    """Send ``vector`` to the local APIC of pCPU ``cpu``; drains the store buffer; arrives any time later."""
    _host.send_IPI(cpu, vector)


def apic_pending() -> int:
    """Return (1 or 0) whether a vector is pending at the own local APIC, arrivals so far included."""
    return _host.apic_pending()


def apic_ack() -> int:
    """Take the highest vector out of the own pending set and return it. Call only when one is pending."""
    return _host.apic_ack()


def wait_for_interrupt() -> None:
    """Idle, interrupts off, until something may be pending or the run is over (``sti; hlt`` without the handler)."""
    _host.wait_for_interrupt()


def cpu_relax() -> None:
    """Let others go on in a loop that waits for them."""
    _host.cpu_relax()


def ipis_in_flight() -> int:
    """Return to an instrument (1 or 0) whether an IPI to the own pCPU has left its sender and has not arrived yet."""
    return _host.ipis_in_flight()


# --- tasks -------------------------------------------------------------------------------------------------------


def switch_to(prev: Word, next: Word) -> None:  # noqa: A002 - the kernel's name
    """Suspend the running task, its context in word ``prev``, and resume the one whose context is in word ``next``.

    Comes back when somebody resumes this task, perhaps on another pCPU: nothing about *this pCPU* may be kept across
    it. A full barrier. What a context is, is the host's affair; 0: none is saved. Interrupts are off.
    """
    _host.switch_to(prev, next)


# --- environment -------------------------------------------------------------------------------------------------


def choose(n: int) -> int:
    """Pick a number from 0 to ``n`` - 1: drawn from the seed, or a branch."""
    return _host.choose(n)


def one_in(n: int) -> int:
    """Return 1 about once in ``n`` times, else 0: drawn from the seed, or both. For ``n`` = 1 always 1, for 0 never."""
    return _host.one_in(n)


LONG_PAST: Final = 1
"""A deadline that has passed whatever the clock says; 0 is no deadline."""


def deadline_after(delta: int) -> int:
    """Return the TSC deadline that lies ``delta`` ticks from now."""
    return _host.deadline_after(delta)


def deadline_passed(deadline: int) -> int:
    """Return (1 or 0) whether a deadline lies behind; explored, both, once it is armed."""
    return _host.deadline_passed(deadline)


def run_goes_on() -> int:
    """Return (1 or 0) whether the run has more turns."""
    return _host.run_goes_on()


def open_turn() -> int:
    """Open the environment's next turn, for which the other actors wait in :func:`next_turn`; return its number."""
    return _host.open_turn()


def next_turn(seen: int) -> int:
    """Wait until a turn later than ``seen`` is open and this actor's moment in it has come; 0: the run is over."""
    return _host.next_turn(seen)


def say_silent() -> None:
    """Say that this pCPU starts nothing more of its own; said once, after the run is over."""
    _host.say_silent()


def all_silent() -> int:
    """Return (1 or 0) whether every pCPU has said so and every IPI that was sent to this one has arrived."""
    return _host.all_silent()


def mutated(number: int) -> int:
    """Return (1 or 0) whether the selected mutation is ``number``. The loader puts these in."""
    return _host.mutated(number)


def rule_fault(where: int, value: int, bound: int) -> None:
    """End the run: a user's rule does what no machine can (see :mod:`emu.rulechecks`). Does not come back."""
    _host.rule_fault(where, value, bound)


# --- numbers -----------------------------------------------------------------------------------------------------


def BIT(nr: int) -> int:
    """Return the signed 64-bit word with bit ``nr`` (0..63) set; bit 63 is the sign."""
    return 1 << nr if nr != 63 else -(1 << 63)  # noqa: PLR2004


def fls64(word: int) -> int:
    """Return the position of the highest set bit, counted from 1; 0 for an empty word."""
    return (word & 0xFFFF_FFFF_FFFF_FFFF).bit_length()


def hweight64(word: int) -> int:
    """Count the set bits."""
    return (word & 0xFFFF_FFFF_FFFF_FFFF).bit_count()
