"""Seeded bugs of signals: a kick that no request goes with has to be honoured all the same."""

from __future__ import annotations

from typing import Final

from emu.mutations.edit import NEW, Edit, Mutation, Row

FLAG: Final = "set_bit(TIF_SIGPENDING, vcpu.signal_pending)"
KICK: Final = """
if try_to_wake_up(vcpu) == 0:
    kick_process(vcpu)
"""
BEFORE_SLEEP: Final = """
if xfer_to_guest_mode_work_pending(vcpu) != 0:
    return 1
"""

MUTATIONS: Final = (
    Mutation(
        49,
        "signal-not-checked-at-entry",
        "the entry looks for requests alone: a signal whose IPI was taken before is not seen",
        "fact 3.1, step 9",
        (Edit("kvm_vcpu_exit_request", "return xfer_to_guest_mode_work_pending(vcpu)", "return 0"),),
        (Row("signal", NEW, "MAY", ("C12",)),),
    ),
    Mutation(
        50,
        "signal-after-kick",
        "the flag of the signal is set after the task was kicked",
        "fact 3.3",
        (Edit("signal_wake_up", FLAG), Edit("signal_wake_up", KICK, KICK + FLAG)),
        (Row("signal", NEW, "VIOLATION", ("C12",)),),
    ),
    Mutation(
        51,
        "signal-not-checked-before-sleep",
        "a vCPU that is about to block does not look for signals",
        "fact 3.5",
        (Edit("kvm_vcpu_check_block", BEFORE_SLEEP),),
        (Row("signal", NEW, "VIOLATION", ("C12",)),),
    ),
)
