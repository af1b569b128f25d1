"""The causes (:mod:`tests.unit.explore_cli.causes`) of the ways to a violation where vCPUs are tasks."""

from __future__ import annotations

from typing import Final

from tests.unit.explore_cli.causes import SENDER, Cause, S

TASK_CAUSES: Final = (
    *(
        Cause(
            "no-on-repair",
            scenario,
            "elide-self-2022",
            (
                f"SN was set .*, so that the post of {S} set no ON and notified nobody",
                f"{S} cleared SN with 0x61 in the PIR, and nothing set ON then, and the look of {S} found ON clear",
            ),
        )
        for scenario in ("preempt", "preempt-timer")
    ),
    Cause(
        "sn-on-a-sleeper",
        "wakeup-list",
        "elide-self-2022",
        (f"vCPU 0 set SN \\({S}\\), so that the post of {S} set no ON .*, and nothing has cleared SN since",),
    ),
    Cause(
        "sn-not-cleared",
        "preempt",
        "elide-self-2022",
        (
            r"vCPU \d enters the guest on pCPU 0, but SN is set, so that a device's post sets no ON",
            f"nothing has changed it since vCPU \\d came .*{S}",
        ),
    ),
    Cause(
        "no-wakeup-to-self",
        "wakeup-list",
        "elide-self-2022",
        (
            f"What broke it: {S} sent 0xf2 to pCPU 0, as NV was then .*, which wakes nobody",
            f"{S} changed NV to 0xf1 with ON set already, and nothing sent that vector behind it",
        ),
    ),
    Cause(
        "no-wakeup-at-assignment",
        "assign",
        "elide-self-2022",
        (
            f"What broke it: {S} sent 0xf2 to pCPU 0, as NV was then .*, which wakes nobody",
            f"vCPU 0 had left its NV when it went to sleep, with no device assigned \\({S}\\), and {SENDER}, which",
        ),
    ),
    Cause(
        "stays-on-the-list",
        "wakeup-list",
        "elide-self-2022",
        (
            "vCPU 0 enters the guest on pCPU 0, but it is on the wake-up list of pCPU 0",
            f"nothing took it off the list of pCPU 0, on which {S} had put it, when vCPU 0 came to pCPU 0 \\({S}\\)\\.",
        ),
    ),
    Cause(
        "removed-from-the-new-list",
        "migrate",
        "elide-self-2022",
        (
            r"vCPU 0 enters the guest on pCPU (\d), but it is on the wake-up list of pCPU (?!\1)",
            f"{S} took it off that of pCPU \\d, on which it was not",
        ),
    ),
    Cause(
        "unlisted-if-assigned",
        "pre-block",
        "elide-self-2022",
        (
            "vCPU 1 enters the guest on pCPU 0, but NV is 0xf1, so that a device's post sends 0xf1",
            f"nothing took it off the list of pCPU 0, on which {S} had put it",
        ),
    ),
    Cause(
        "sn-on-the-way-to-sleep",
        "pre-block",
        "elide-self-2022",
        (f"there is no sync between {S} and the sleep of {S}",),
    ),
    Cause(
        "ndst-moved-while-listed",
        "pre-block-migrate",
        "elide-self-2022",
        (
            r"vCPU 0 sleeps, but NV is 0xf1, NDST pCPU (\d) and it is on the wake-up list of pCPU (?!\1)",
            f"on which {S} had put it, though it had last come to pCPU \\d \\({S}\\)",
        ),
    ),
    Cause(
        "nv-not-restored",
        "wakeup-list",
        "elide-self-2022",
        (f"{S} \\(pi_redirect\\) wrote it: NV is 0xf1, though vCPU 0 had come to pCPU 0 \\({S}\\)",),
    ),
    Cause(
        "ndst-not-moved",
        "migrate",
        "elide-self-2022",
        (f"{S} \\(pi_redirect\\) wrote it: NDST is pCPU (\\d), though vCPU 0 had come to pCPU (?!\\1)\\d \\({S}\\)",),
    ),
    Cause(
        "cpu-not-updated",
        "migrate",
        "elide-self-2022",
        (
            r"NV is 0xf1, NDST pCPU (\d) and it is on the wake-up list of pCPU (?!\1)",
            "nothing had stored its vcpu->cpu behind that, which names the list",
        ),
    ),
    Cause(
        "no-reschedule-ipi",
        "migrate",
        "elide-self-2022",
        (
            r"pCPU \d halts with vCPU 0 on its run queue and need_resched set",
            f"nobody sent pCPU \\d the reschedule IPI 0xfd behind {S}",
        ),
    ),
    Cause(
        "need-resched-cleared-late",
        "migrate",
        "elide-self-2022",
        (
            r"pCPU \d halts with vCPU 0 on its run queue and need_resched clear",
            f"{S} cleared need_resched without a look at the queue behind it: .*queued -> none .* came before {S}",
        ),
    ),
    Cause(
        "idle-looks-with-irqs-on",
        "wakeup-list",
        "elide-self-2022",
        (
            f"the idle task looked too early, .*need_resched -> 0 \\({S}\\), .*: 0xf1 was taken \\({S}\\)",
            f"and {S} asked for the pCPU before it halted",
        ),
    ),
    Cause(
        "on-cpu-ignored",
        "migrate",
        "always-2021",
        (
            r"The task of vCPU 0 is resumed on pCPU (\d) while pCPU (?!\1)\d has not yet switched away from it\.",
            f"{S} put the task on a run queue, {S} took it out for another pCPU",
            f"and nobody had looked at on_cpu since it was woken \\({S}\\): its stack was still in use",
        ),
        scope="cpus=2 | vcpus=1 | post:0x34 | guest=hlt",
    ),
)
