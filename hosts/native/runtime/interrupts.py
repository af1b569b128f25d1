"""Interrupt dispatch: what an interrupt point does when something is due."""

from __future__ import annotations

from hosts.native.codegen.intrinsics import call_address, load_constant, load_own_pcpu, load_private, store_private
from hosts.native.memory.private_words import Local
from hosts.native.runtime.noise import stall
from hosts.native.runtime.process_locals import this_process
from hosts.native.runtime.receive import expect, frames_in_flight, pending, receive_if_due


def attention(site: int) -> None:
    """Handle what is due: an armed stall first, then arrivals, then, if interrupts are enabled, the handlers."""
    local = this_process()
    left = load_private(local.stall_points)
    if left != 0:
        store_private(local.stall_points, left - 1)
        if left == 1:
            stall(local)
    if enabled(local):
        if pending(local) == 0 and frames_in_flight(local):
            receive_if_due(local)
        root = load_constant(local.root_at)
        while pending(local) != 0 and enabled(local):
            call_address(root, 0, site)
    expect(local)


def enabled(local: Local) -> bool:
    """Return whether the own interrupt flag is set. A handler may have brought the task to another pCPU: ask again."""
    return load_private(load_own_pcpu(local.irq_enabled_at)) != 0
