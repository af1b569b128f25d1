"""The program that a pCPU process runs: the loaded protocol over the host's functions, and its entry point.

Where the protocol calls a primitive of the waist, compiled code holds the few instructions of
:mod:`hosts.native.codegen.lowering` or the host's function of that name from :mod:`hosts.native.runtime.waist`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, Final

from emu import waist
from emu.waist import mutated
from hosts.compiler.attributes import cold, inlined
from hosts.compiler.unit import Unit
from hosts.compiler.variants import SELECTED, single_version, unmutated
from hosts.loader.program import Program
from hosts.native.codegen.intrinsics import load_own_pcpu, local_address
from hosts.native.memory.private_words import Local
from hosts.native.program.build import LIVE, PROVE, ROOT, TAKE_INTERRUPT, TASK
from hosts.native.runtime import trace_ring
from hosts.native.runtime import waist as runtime
from hosts.native.runtime.receive import apic_pending_slowpath, due
from hosts.native.runtime.tasks import MEMORY_FAULT, note_fault, task_ended

FIXED: Final = ("pirace_memory", "pirace_local", "pirace_doorbell", SELECTED)
"""Symbols whose addresses are the same in every process, so the compiler may know them."""

COLD_FUNCTIONS: Final = (
    "sighting",
    "put_right",
    "balance",
    "drop_requests",
    "check_promise",
    "check_snapshot",
    "note_merged",
    *("posted_timer_expired", "start_sw_timer"),
)
"""What the protocol does only where a check fires, is due, or something is out of the ordinary; and what one scenario
does in the midst of the path that all others measure."""

INLINED_FUNCTIONS: Final = (
    *("kvm_x86_sync_pir_to_irr", "vmx_sync_pir_to_irr", "kvm_apic_update_irr", "harvest"),
    *("__apic_accept_irq", "vmx_deliver_posted_interrupt", "kvm_apic_inject_pending_timer_irqs"),
    *("guest_action", "begin_turn"),
)
"""What a self-post passes through: put into its callers, whatever LLVM thinks of its size."""

SINGLE_VERSION: Final = (
    *("actor_thread", "vcpu_block", "guest_halt", "check_the_end"),
    *("external_interrupt", "kvm_x86_handle_exit_irqoff"),
)
"""What waits for another, or comes with an IPI: it need not be there a second time without seeded bugs."""

NUMBER: Final = 0
"""What this program answers when it is asked which one it is; each build has its own."""

_attention = cold(runtime.NATIVE["attention"])
cold(trace_ring.keep_rings)
cold(runtime.NATIVE["rule_fault"])
cold(apic_pending_slowpath)


def this_cpu_ptr() -> int:
    """Read the address of this process's pCPU: one ordinary load."""
    return load_own_pcpu(Local(local_address()).pcpu_at)


def interrupt_point(site: int) -> None:
    """Handle what is due, if anything is."""
    if due(Local(local_address())):
        _attention(site)


def live() -> None:
    """Main loop of one pCPU: the variant without tests for seeded bugs if none is selected, else the one with them."""
    if mutated(0) != 0:
        live_unmutated()
    else:
        pcpu_thread()  # type: ignore[name-defined]  # noqa: F821 - the program's


@unmutated
def live_unmutated() -> None:
    """Main loop of one pCPU where no seeded bug is selected."""
    pcpu_thread()  # type: ignore[name-defined]  # noqa: F821


def task() -> None:
    """Main loop of one task, in the same two variants."""
    if mutated(0) != 0:
        task_unmutated()
    else:
        ret_from_fork()  # type: ignore[name-defined]  # noqa: F821 - the program's


@unmutated
def task_unmutated() -> None:
    """Main loop of one task where no seeded bug is selected."""
    ret_from_fork()  # type: ignore[name-defined]  # noqa: F821


def pcpu_main(role: int, argument: int) -> int:
    """Dispatch on the role; -1 for a role that does not exist."""
    if role == TAKE_INTERRUPT:
        common_interrupt()  # type: ignore[name-defined]  # noqa: F821 - the program's
        return 0
    if role == LIVE:
        live()
        return 0
    if role == TASK:
        task()
        task_ended()
        return 0
    if role == MEMORY_FAULT:
        note_fault(argument)
        return 0
    return NUMBER ^ argument if role == PROVE else -1


def host_functions() -> dict[Any, Callable[..., Any]]:
    """Return the host's functions, by the primitives of the waist that they stand for."""
    own: dict[str, Any] = {"this_cpu_ptr": this_cpu_ptr, "interrupt_point": interrupt_point}
    return {getattr(waist, name): value for name, value in {**own, **runtime.NATIVE}.items() if hasattr(waist, name)}


def unit_of(program: Program, number: int = NUMBER, roots: Mapping[str, Callable[..., Any]] | None = None) -> Unit:
    """Return the program as a compilation unit; ``roots`` are further entry points, for tests and benchmarks.

    A root's names lead into the program's namespace.
    """
    for marked, place in ((COLD_FUNCTIONS, cold), (INLINED_FUNCTIONS, inlined), (SINGLE_VERSION, single_version)):
        for name in program.functions.keys() & set(marked):
            place(program.functions[name])
    names = {**program.namespace, "NUMBER": number}
    for own in (live_unmutated, live, task_unmutated, task):
        names[own.__name__] = _in(names, own)
    exports = {name: _in(names, root) for name, root in {ROOT: pcpu_main, **(roots or {})}.items()}
    return Unit(exports, host_functions(), unrolled=False)


def _in(names: Mapping[str, Any], function: Callable[..., Any]) -> FunctionType:
    assert isinstance(function, FunctionType)  # noqa: S101
    moved = FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__, function.__defaults__)
    moved.__module__, moved.__annotations__ = function.__module__, function.__annotations__
    moved.__dict__.update(function.__dict__)
    return moved
