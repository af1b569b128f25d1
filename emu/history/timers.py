"""Bugs of the timers that post to their own vCPU (facts 6.2)."""

from __future__ import annotations

from typing import Final

from emu.history.bug import Bug, Shown

BUGS: Final = (
    Bug(
        "B21", 2017, "preemption in the middle of expiring or cancelling the preemption timer",
        "the vCPU is scheduled out and in while its timer expires: it is restarted, then cancelled again",
        "before the fixes of 2017", ("5acc1ca4fb15", "1d518c6820da"), (),
        (Shown("timer-halt", "elide-self-2022", "timer-injected-twice", symptom=True),),
    ),
    Bug(
        "B22", None, "the wait for the deadline looked for the timer's vector in the ISR, not in the IRR",
        "APICv has the vector in the IRR; it is not found there, the wait is left out, the guest's timer is early",
        "not known", ("42720138b063",), (),
        (Shown("timer-halt", "elide-self-2022", "timer-injected-early", symptom=True),),
    ),
    Bug(
        "B23", 2022, '"Also cancel preemption timer during SET_LAPIC"',
        "userspace restores the APIC, the hrtimer is cancelled, the preemption timer is not and fires",
        "before the fix of 2022", ("35fe7cfbab2e",), (),
        (Shown("timer-halt", "elide-self-2022", "hv-timer-left-armed"),),
    ),
    Bug(
        "B24", None, "the preemption timer's self-post, called by a thread that does not run the vCPU",
        "the post goes past the vCPU's own sync; a warning guards it",
        "none: a hazard", (), (),
        (Shown("housekeeping-timer", "elide-self-2022", "timer-posted-as-own"),),
    ),
)  # fmt: skip
