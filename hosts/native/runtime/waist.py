"""The native host's part of the waist, to be compiled: IPIs over ZeroMQ, waits, turns, noise.

The rule of all its files: **where nothing is due, nothing happens.** An interrupt point costs one load and one compare
while the doorbell shows what it is expected to; no path does a locked operation or calls libzmq before it says that a
frame is under way, because either would drain the store buffer and hide the races that this host exists to show.

The order of the marks, each before the next: sent is counted, the doorbell rings (locked), the frame leaves; a frame
arrives, its vector is pending, it is counted as taken. So a comparison of doorbell and taken never misses a frame,
and no instrument sees one vanish in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hosts.native.runtime.interrupts import attention
from hosts.native.runtime.process_locals import choose, one_in
from hosts.native.runtime.receive import apic_ack, apic_pending, ipis_in_flight
from hosts.native.runtime.rendezvous import next_turn, open_turn, run_goes_on
from hosts.native.runtime.rule_fault import rule_fault
from hosts.native.runtime.send import all_silent, say_silent, send_IPI
from hosts.native.runtime.tasks import switch_to
from hosts.native.runtime.trace_ring import trace
from hosts.native.runtime.waiting import cpu_relax, deadline_after, deadline_passed, wait_for_interrupt

NATIVE: Final[dict[str, Callable[..., Any]]] = {
    "attention": attention,
    "send_IPI": send_IPI,
    "apic_pending": apic_pending,
    "apic_ack": apic_ack,
    "wait_for_interrupt": wait_for_interrupt,
    "cpu_relax": cpu_relax,
    "ipis_in_flight": ipis_in_flight,
    "choose": choose,
    "one_in": one_in,
    "deadline_after": deadline_after,
    "deadline_passed": deadline_passed,
    "run_goes_on": run_goes_on,
    "open_turn": open_turn,
    "next_turn": next_turn,
    "say_silent": say_silent,
    "all_silent": all_silent,
    "trace": trace,
    "rule_fault": rule_fault,
    "switch_to": switch_to,
}
"""The compiled functions by the waist's names, and ``attention``, which interrupt points call."""
