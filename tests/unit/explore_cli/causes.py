"""The cause of each way to a violation, written down by hand: phrases its paragraph must have, and must not."""

from __future__ import annotations

from typing import Final, NamedTuple

S: Final = r"step [\d.]+"
SENDER: Final = r"pCPU \d \([^)]*\)"
BLAME: Final = ("in its buffer", "did not see the store", "Only with store buffers")
ALSO: Final = ("Also without store buffers",)
UNSYNCED: Final = f"What broke it: there is no sync between {S} and the VM-entry of {S}"
ELIDED: Final = (f"mode -> IN_GUEST \\({S}\\) in elide_self_2022", UNSYNCED)


class Cause(NamedTuple):
    """What one way to a violation must be told as."""

    mutation: str
    scenario: str
    policy: str
    must: tuple[str, ...]
    must_not: tuple[str, ...] = BLAME
    scope: str | None = None


CAUSES: Final = (
    Cause(
        "",
        "device-irq",
        "skip-running-2020",
        (
            r"What kept it silent: the branch `if vcpu == kvm_get_running_vcpu\(\)` of skip_running_2020, policies\.py",
            f"there is no sync between {S} and the sleep of {S}",
        ),
    ),
    Cause("no-fastpath-sync", "tscdeadline-immed", "elide-self-2022", ELIDED),
    Cause("no-fastpath-sync", "timer-fastpath", "elide-self-2022", ELIDED),
    Cause("no-fastpath-sync", "self-vs-remote", "elide-self-2022", ELIDED),
    Cause("no-entry-sync", "remote-post", "always-2021", ("mode as OUTSIDE", "vCPU 0 never looked", UNSYNCED)),
    Cause(
        "sync-before-mode",
        "remote-post",
        "always-2021",
        (
            f"the look of {S} came too early, before mode = IN_GUEST \\({S}\\): {SENDER}, which came in between",
            f"still found OUTSIDE \\({S}\\)",
            *ALSO,
        ),
    ),
    Cause(
        "no-entry-barrier",
        "remote-post",
        "always-2021",
        (
            f"The store mode = IN_GUEST of vCPU 0 \\({S}\\) was still in its buffer when {SENDER} read mode -> OUTSIDE",
            f"What broke it: {S} did not see the store of {S}",
            "Only with store buffers",
        ),
        ("too early", *ALSO),
    ),
    Cause(
        "no-wait-barrier",
        "halt-wake",
        "always-2021",
        (
            f"The store wait.task = 1 of vCPU 0 \\({S}\\) was still in its buffer when {SENDER} read wait.task -> 0",
            f"What broke it: {S} did not see the store of {S}",
            "Only with store buffers",
        ),
        ("too early", *ALSO),
    ),
    Cause(
        "on-cleared-plainly",
        "self-vs-remote",
        "always-2021",
        (
            f"vCPU 0 overwrote a word: by a load \\({S}\\) and a plain store, control = ON 0 \\({S}, in memory with",
            f"it undid what {SENDER} had done to it in between: ON set, was 1 \\({S}\\)",
            "Only with store buffers",
        ),
        ALSO,
    ),
    Cause(
        "on-set-plainly",
        "remote-post",
        "always-2021",
        (
            f"{SENDER} overwrote a word: by a load \\({S}\\) and a plain store, control = ON 1",
            f"it undid what vCPU 0 had done to it in between: ON cleared, was 1 \\({S}\\)",
            *ALSO,
        ),
    ),
    Cause(
        "on-set-plainly",
        "halt-wake",
        "kick-2016",
        (f"{SENDER} overwrote a word: .* control = ON 1", "undid what vCPU 0 had done .* ON cleared, was 1", *ALSO),
    ),
    Cause(
        "mode-read-before-on",
        "remote-post",
        "always-2021",
        (f"What broke it: the mode was read before ON was set in {S}: it was found OUTSIDE \\({S}\\)",),
    ),
    Cause(
        "mode-read-before-on",
        "halt-wake",
        "kick-2016",
        (f"What broke it: the mode was read before ON was set in {S}: it was found IN_GUEST \\({S}\\)", *ALSO),
    ),
    Cause(
        "request-after-kick",
        "kick",
        "always-2021",
        (f"What broke it: the mode was read before the request was made in {S}: it was found OUTSIDE \\({S}\\)",),
    ),
    Cause(
        "no-exit-request-check",
        "kick",
        "always-2021",
        (
            f"requests -> none \\({S}\\)",
            f"the look of {S} came too early, before mode = IN_GUEST \\({S}\\): {SENDER}",
            f"still found OUTSIDE \\({S}\\)",
            *ALSO,
        ),
    ),
    Cause("pi-leaves-on", "remote-post", "always-2021", (f"the processing of {S} left ON set", "found ON set already")),
    Cause(
        "early-return-on-empty-pir",
        "remote-post",
        "always-2021",
        (
            f"0x34 came into the vIRR with {S}",
            f"RVI became 0x00 with {S}, and nothing raised it before the VM-entry of {S}",
        ),
    ),
    Cause(
        "irqs-open-before-entry",
        "remote-post",
        "always-2021",
        (
            f"read mode as IN_GUEST \\({S}\\) and sent 0xf2 to pCPU 0",
            f"the notification of {S} was taken in root mode \\({S}\\), where it touches no descriptor",
            f"there is no sync between that and the VM-entry of {S}",
        ),
    ),
    Cause("irq-instant-before-entry", "device-irq", "elide-self-2022", ("in the handler of 0x41", *ELIDED)),
    Cause(
        "on-cleared-after-harvest",
        "remote-post",
        "always-2021",
        (f"What broke it: {S} cleared ON, though the PIR had been read in {S}, before {S}",),
    ),
    Cause(
        "pir-harvested-plainly",
        "remote-post",
        "always-2021",
        (
            f"vCPU 0 overwrote a word: by a load \\({S}\\) and a plain store, PIR\\[0\\] = empty",
            f"it undid what {SENDER} had done to it in between: PIR 0x3[45] set, was 0",
            *ALSO,
        ),
    ),
    Cause(
        "pir-set-plainly",
        "remote-post",
        "always-2021",
        (
            f"{SENDER} overwrote a word: by a load \\({S}\\) and a plain store, PIR\\[0\\] = 0x3[45]",
            f"it undid what {SENDER} had done to it in between: PIR\\[0\\] = 0x3[45]",
            *ALSO,
        ),
    ),
    Cause(
        "no-second-check",
        "halt-wake",
        "always-2021",
        (
            f"the look of {S} came too early, before wait.task = 1 \\({S}\\): {SENDER}, which came in between",
            f"still found 0 \\({S}\\)",
            *ALSO,
        ),
    ),
    Cause("no-second-check", "hlt-fastpath", "always-2021", (f"the look of {S} came too early", *ALSO)),
    Cause("no-second-check", "halt-poll", "always-2021", (f"the look of {S} came too early", *ALSO)),
    Cause("no-fastpath-sync", "icr-self", "elide-self-2022", ELIDED),
    *(
        Cause(name, "signal", "always-2021", (f"What broke it: .*{S}",))
        for name in ("signal-not-checked-at-entry", "signal-after-kick", "signal-not-checked-before-sleep")
    ),
    *(
        Cause(name, "housekeeping-timer", "always-2021", ("The timer of vCPU 0", f"The check fired in {S}"))
        for name in ("timer-posted-as-own", "posted-timer-without-kick")
    ),
    Cause("shadow-outlives-hlt", "masked-guest", "always-2021", ("has gone to sleep although 0x", *ALSO)),
    *(
        Cause(name, "timer-halt", "always-2021", ("The timer of vCPU 0", f"The check fired in {S}"))
        for name in (
            "hv-timer-left-armed",
            "timer-injected-twice",
            "deadline-lost-at-switch",
            "timer-injected-early",
            "timer-not-taken-back",
            "timer-without-kick",
        )
    ),
    *(
        Cause(
            "wake-dropped",
            scenario,
            "always-2021",
            (f"{S} came after the sleep of {S}, and {SENDER}, which had read mode -> OUTSIDE \\({S}\\), told nobody",),
        )
        for scenario in ("halt-wake", "hlt-fastpath", "halt-poll")
    ),
    Cause(
        "self-ipi-not-elided",
        "tscdeadline-immed",
        "elide-self-2022",
        (f"What broke it: {S} sent the notification that the rule leaves out",),
    ),
    Cause(
        "rvi-not-written",
        "tscdeadline-immed",
        "elide-self-2022",
        (f"0xe8 came into the vIRR with {S}", f"RVI was not written between {S} and the VM-entry of {S}"),
    ),
    # --- what users' patches got wrong ---------------------------------------------------------------------------
    Cause(
        "self-ipi-for-sync",
        "halt-wake",
        "always-2021",
        (f"the notification of {S} was taken in root mode \\({S}\\), where it touches no descriptor", *ALSO),
        scope="post:34 | guest=cpuid,hlt | timers=0",
    ),
    Cause(
        "on-before-pir",
        "remote-post",
        "always-2021",
        (
            f"{S} consumed the ON that {SENDER} had set or found set in {S}, before the bit that it announces",
            f"was in the PIR \\({S}\\): the look came too early",
        ),
        scope="post:34 | post:35",
    ),
    Cause(
        "stale-ppr",
        "halt-wake",
        "always-2021",
        (
            f"0x34 was in the vIRR since {S}, and the block check with the look of {S} did not count it",
            "did not count it: PPR was stale, 0x30 with nothing in service",
        ),
        scope="post:34 post:35 | guest=cpuid,hlt | timers=0",
    ),
    Cause(
        "events-from-on-alone",
        "halt-wake",
        "always-2021",
        (
            f"0x34 was in the vIRR since {S}, and the block check with the look of {S} did not count it",
            "did not count it, though PPR was 0x00: it read ON -> 0",
            *ALSO,
        ),
        scope="post:34 | guest=cpuid,hlt | timers=0",
    ),
    Cause(
        "nv-stored-plainly",
        "halt-wake",
        "always-2021",
        (
            f"vCPU 0 overwrote a word: by no load, only a plain store, control = ON 0 NV 0xf1 \\({S}",
            f"it undid what {SENDER} had done to it in between: ON set, was 0 \\({S}\\)",
        ),
        (),
        scope="post:34 | guest=cpuid,hlt | timers=0",
    ),
    Cause(
        "priority-kept",
        "halt-wake",
        "always-2021",
        (
            f"the block check with the look of {S} did not count it, though PPR was 0x00",
            f"it read ON -> [01] \\({S}\\) and pi_desc.software\\[1\\] -> 48",
        ),
        scope="post:34 post:35 | guest=cpuid,hlt | timers=0",
    ),
)
