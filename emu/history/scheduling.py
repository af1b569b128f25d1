"""Bugs of posted interrupts where the scheduler comes in (facts 6.1): SN, NV, NDST and the wake-up list."""

from __future__ import annotations

from typing import Final

from emu.history.bug import Bug, Shown

NO_SEEDED_BUG: Final = "no seeded bug stands for it yet"

BUGS: Final = (
    Bug(
        "B07", 2019, '"Recompute PID.ON when clearing PID.SN"',
        "a device posts while SN suppresses ON; the vCPU is scheduled in, clears SN, and its sync finds ON clear",
        "with VT-d posting, from 2015 to the fix", ("c112b5f50232", "9482ae458b7a"), (),
        (Shown("preempt", "elide-self-2022", "no-on-repair"),),
    ),
    Bug(
        "B12", 2017, '"avoid double list add with VT-d posted interrupts"',
        "a device is unplugged between block and unblock: the vCPU stays on the wake-up list and is added again",
        "with VT-d posting, from 2015 to the fix", ("8b306e2f3c41",), (),
        (
            Shown("pre-block", "elide-self-2022", "unlisted-if-assigned"),
            Shown("wakeup-list", "elide-self-2022", "stays-on-the-list"),
        ),
    ),
    Bug(
        "B15", 2021, "NV left at the wake-up vector, or NDST moved away from the pCPU whose list has the vCPU",
        "a vCPU wakes on another pCPU; NDST is moved before it is taken off the list, and the wake-up arrives there",
        "the scheme before v5.17", ("d76fb40637fc",), (),
        (
            Shown("pre-block-migrate", "elide-self-2022", "ndst-moved-while-listed"),
            Shown("migrate", "elide-self-2022", "removed-from-the-new-list"),
            Shown("wakeup-list", "elide-self-2022", "nv-not-restored"),
        ),
    ),
    Bug(
        "B17", 2017, "a warning that took guest mode for a proof that SN is clear",
        "a sender sees IN_GUEST_MODE, the vCPU exits and is preempted, and only then is SN read",
        "with VT-d posting, from 2015 to the fix", ("5753743fa510",),
        why_not="a warning that nothing hung on: no interrupt is lost, so no check here can fire",
    ),
    Bug(
        "B18", 2019, "what decides whether to sleep, or whom to boost, looked at the IRR or at ON alone",
        "a vCPU with a deliverable bit in its PIR goes to sleep, or is passed over, and nobody owes it a wake-up",
        "various", ("9482ae458b7a",),
        why_not=NO_SEEDED_BUG,
    ),
)  # fmt: skip
