"""The scenarios: what is raced against what.

Each scenario names the windows that it exists for: a run that enters none of them proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from emu.workload.actors import ACT_ASSIGN, ACT_DEVICE, ACT_IOMMU, ACT_KICK, ACT_POST, ACT_SIGNAL, ACT_TICK, ACT_TIMER
from emu.workload.program import (
    GUEST_ARM_LATER,
    GUEST_ARM_NOW,
    GUEST_CLI,
    GUEST_CPUID,
    GUEST_HLT,
    GUEST_ICR,
    GUEST_ICR_SELF,
    GUEST_LOWER_TPR,
    GUEST_NOTHING,
    GUEST_RAISE_TPR,
    GUEST_SELF_IPI,
    GUEST_STI,
    GUEST_STI_HLT,
)


@dataclass(frozen=True)
class Scenario:
    """One race. ``pcpus`` is the fewest that can run it; more than that are given to what ``grows``."""

    name: str
    about: str
    origin: str
    guest_menu: tuple[int, ...]
    actor_menu: tuple[int, ...] = ()
    acts_per_turn: int = 1
    pcpus: int = 2
    grows: bool = True
    every_pcpu_runs_a_vcpu: bool = False
    slow_timer: bool = False
    tasks: int = 0
    """How many vCPUs are tasks on the pCPUs that do not act; 0: each pCPU runs its one vCPU for ever."""
    task_pcpus: int = 0
    """The fewest pCPUs that run these tasks."""
    device_posts: bool = False
    """A device is assigned from the start that posts without KVM."""
    windows: tuple[str, ...] = ()
    scope: str | None = None
    """What is explored of it if nobody says how much; None: the explorer knows (hosts.explorer.threads.harness)."""
    paths: tuple[str, ...] = ()
    """Words of the configuration that are 1: paths of the machine that other scenarios do without."""


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "timer-fastpath",
        "the preemption timer expires and the fastpath posts to its own vCPU",
        "26efe2fd92e5",
        (GUEST_ARM_LATER,),
        pcpus=1,
        grows=False,
        windows=("self-post-sees-in-guest",),
    ),
    Scenario(
        "tscdeadline-immed",
        "WRMSR TSC_DEADLINE in the past: the shape of kvm-unit-tests' tscdeadline_immed",
        "379a3c8ee444",
        (GUEST_ARM_NOW,),
        pcpus=1,
        grows=False,
        windows=("self-post-sees-in-guest",),
    ),
    Scenario(
        "timer-slowpath",
        "the same timer as before v5.8: pending++ and the slow loop",
        "before 26efe2fd92e5",
        (GUEST_ARM_LATER,),
        pcpus=1,
        grows=False,
        slow_timer=True,
        windows=("self-post-sees-outside",),
    ),
    Scenario(
        "remote-post",
        "one to N-1 pCPUs post to a vCPU that enters, runs and exits",
        "a20ed54d6e47",
        (*[GUEST_CPUID] * 62, GUEST_SELF_IPI, GUEST_NOTHING),
        (ACT_POST,),
        acts_per_turn=3,
        windows=("post-sees-in-guest", "post-sees-outside", "sync-finds-on", "notified-in-guest"),
    ),
    Scenario(
        "self-vs-remote",
        "remote posts against the timer fastpath's post to its own vCPU",
        "9b44423bf4c8",
        (*[GUEST_CPUID] * 8, *[GUEST_ARM_NOW] * 6, GUEST_ARM_LATER, GUEST_NOTHING),
        (ACT_POST,),
        acts_per_turn=3,
        windows=("self-post-sees-in-guest", "post-sees-in-guest", "self-and-remote-in-one-sync"),
    ),
    Scenario(
        "device-irq",
        "a remapped device interrupt is handled, and posts, on the target's own pCPU",
        "fdba608f15e2",
        (GUEST_CPUID, *[GUEST_HLT] * 3, GUEST_ARM_NOW),
        (ACT_DEVICE,),
        acts_per_turn=2,
        windows=("irq-between-check-and-sleep",),
    ),
    Scenario(
        "halt-wake",
        "a halting guest against remote posts: the Dekker pair of sleeper and waker",
        "rcuwait, fact 3.5",
        (GUEST_CPUID, *[GUEST_HLT] * 3),
        (ACT_POST,),
        acts_per_turn=2,
        windows=("wake-finds-waiter", "wake-before-sleep"),
    ),
    Scenario(
        "kick",
        "a request maker kicks the vCPU against entry, exit, fastpath and posts",
        "vcpu-requests.rst",
        (*[GUEST_CPUID] * 6, *[GUEST_ARM_NOW] * 6, GUEST_NOTHING),
        (
            ACT_POST,
            ACT_KICK,
        ),
        acts_per_turn=4,
        windows=(
            "self-post-sees-exiting",
            "post-sees-exiting",
            "kick-between-check-and-entry",
            "kick-loses-to-kick",
        ),
    ),
    Scenario(
        "preempt",
        "two vCPUs share a pCPU: one is preempted, SN keeps a device from notifying it, its load sets ON again",
        "c112b5f50232 (B07)",
        (*[GUEST_CPUID] * 6, *[GUEST_HLT] * 2),
        (ACT_TICK, ACT_IOMMU, ACT_TICK),
        acts_per_turn=4,
        pcpus=2,
        grows=False,
        tasks=2,
        task_pcpus=1,
        device_posts=True,
        windows=("device-post-suppressed", "on-repaired"),
        scope="cpus=1 | vcpus=2 | tick:0 tick:0 | iommu@0",
    ),
    Scenario(
        "preempt-timer",
        "the same, while the timer fastpath posts to the vCPU that runs: it is preempted before or after it",
        "9b44423bf4c8, c112b5f50232",
        (*[GUEST_CPUID] * 4, *[GUEST_HLT] * 2, *[GUEST_ARM_NOW] * 4),
        (ACT_TICK, ACT_IOMMU, ACT_TICK),
        acts_per_turn=4,
        pcpus=2,
        grows=False,
        tasks=2,
        task_pcpus=1,
        device_posts=True,
        windows=("device-post-suppressed", "on-repaired", "self-post-sees-in-guest"),
        scope="cpus=1 | vcpus=2 | tick:0 tick:0 | iommu@0 | timers=1",
    ),
    Scenario(
        "wakeup-list",
        "a vCPU sleeps on the wake-up list of its pCPU, where a device's post has to wake it",
        "d76fb40637fc",
        (GUEST_CPUID, *[GUEST_HLT] * 7),
        (ACT_IOMMU,),
        acts_per_turn=4,
        pcpus=2,
        grows=False,
        tasks=1,
        task_pcpus=1,
        device_posts=True,
        windows=("device-post-to-list", "woken-from-list"),
        scope="cpus=1 | vcpus=1 | iommu@0 iommu@0",
    ),
    Scenario(
        "migrate",
        "a vCPU sleeps on one pCPU and wakes on another, while a device and a host thread post to it",
        "d76fb40637fc (B15)",
        (GUEST_HLT,),
        (ACT_IOMMU, ACT_POST),
        acts_per_turn=4,
        pcpus=3,
        grows=False,
        tasks=2,
        task_pcpus=2,
        device_posts=True,
        windows=("migrated", "device-post-notifies", "device-post-to-list"),
        scope="cpus=2 | vcpus=2 | post:0x34 iommu@0 | guest=hlt | turns=1,0",
    ),
    Scenario(
        "assign",
        "a device is assigned while a vCPU sleeps, which has to be put on the wake-up list; and is taken away again",
        "a2486020a82e",
        (GUEST_CPUID, *[GUEST_HLT] * 3),
        (ACT_ASSIGN, ACT_IOMMU, ACT_IOMMU),
        acts_per_turn=4,
        pcpus=2,
        grows=False,
        tasks=1,
        task_pcpus=1,
        windows=("device-post-to-list",),
        scope="cpus=1 | vcpus=1 | assign iommu@0",
    ),
    Scenario(
        "pre-block",
        "until v5.16 a vCPU lists itself before it looks whether to block: it is preempted, the device taken away then",
        "bf9f6ac8d749; 8b306e2f3c41 (B12)",
        (GUEST_CPUID, *[GUEST_HLT] * 7),
        (*[ACT_TICK] * 3, *[ACT_IOMMU] * 3, ACT_ASSIGN),
        acts_per_turn=4,
        pcpus=2,
        grows=False,
        tasks=2,
        task_pcpus=1,
        device_posts=True,
        windows=("device-post-to-list", "woken-from-list"),
        scope="cpus=1 | vcpus=2 | tick:0 | iommu@1 assign | guest=hlt | turns=0,1",
        paths=("pi_pre_block",),
    ),
    Scenario(
        "pre-block-migrate",
        "such a vCPU, woken for nothing, goes to sleep again on another pCPU than the one whose list it is on",
        "bf9f6ac8d749; d76fb40637fc (B15)",
        (GUEST_HLT,),
        (ACT_POST,),
        acts_per_turn=4,
        pcpus=3,
        grows=False,
        tasks=2,
        task_pcpus=2,
        device_posts=True,
        windows=("migrated", "wake-finds-waiter"),
        scope="cpus=2 | vcpus=1 | post:0x34 | guest=hlt",
        paths=("pi_pre_block",),
    ),
    Scenario(
        "all-to-all",
        "every pCPU runs a vCPU, all post to all through the ICR fastpath, timers on",
        "fact 5.4",
        (
            GUEST_CPUID,
            GUEST_HLT,
            GUEST_ARM_NOW,
            GUEST_ARM_LATER,
            GUEST_SELF_IPI,
            GUEST_ICR,
        ),
        every_pcpu_runs_a_vcpu=True,
        windows=("post-sees-in-guest", "post-sees-outside", "self-post-sees-in-guest"),
    ),
    Scenario(
        "hlt-fastpath",
        "the guest halts in the exit fastpath, still in guest mode, against remote posts",
        "fact 5.5",
        (GUEST_CPUID, *[GUEST_HLT] * 3),
        (ACT_POST,),
        acts_per_turn=2,
        windows=("hlt-fastpath-halts", "notified-after-halt", "wake-finds-waiter"),
        scope="post:0x34 | post:0x35",
        paths=("hlt_fastpath",),
    ),
    Scenario(
        "masked-guest",
        "the guest turns interrupts off and raises its TPR against remote posts: what is posted is not deliverable",
        "fact 4.4; 1831fa4",
        (
            GUEST_CPUID,
            *[GUEST_CLI] * 2,
            GUEST_STI,
            *[GUEST_STI_HLT] * 3,
            GUEST_HLT,
            GUEST_RAISE_TPR,
            GUEST_LOWER_TPR,
            GUEST_NOTHING,
        ),
        (ACT_POST,),
        acts_per_turn=2,
        windows=("hlt-in-shadow", "notified-while-masked", "block-on-masked-vector", "wake-finds-waiter"),
        scope="post:0x34 post:0xf6 | guest=cpuid,cli,sti-hlt,raise,lower",
        paths=("guest_masks",),
    ),
    Scenario(
        "timer-halt",
        "timers of a guest that halts: the preemption timer, the host's timer, the switches between them",
        "facts 5.1 to 5.3; B21 to B23",
        (*[GUEST_CPUID] * 2, *[GUEST_HLT] * 3, GUEST_ARM_NOW, *[GUEST_ARM_LATER] * 3, GUEST_NOTHING),
        (ACT_POST,),
        windows=(
            "timer-expires-in-guest",
            "timer-expires-at-once",
            "timer-expires-at-switch",
            "timer-expires-asleep",
        ),
        scope="post:0x34 | guest=cpuid,hlt,timer | timers=2",
        paths=("timer_checks",),
    ),
    Scenario(
        "icr-self",
        "the guest sends itself IPIs by its own APIC id: the ICR fastpath posts to its own vCPU, against remote posts",
        "fact 5.4",
        (*[GUEST_CPUID] * 4, *[GUEST_ICR_SELF] * 6, GUEST_NOTHING),
        (ACT_POST,),
        acts_per_turn=2,
        windows=("self-post-sees-in-guest", "post-sees-in-guest", "on-already-set"),
        scope="post:0x34 | post:0x35 | guest=cpuid,icr-self",
    ),
    Scenario(
        "signal",
        "a signal, which is a kick without a request, against entry, exit, halt and posts",
        "facts 3.1, 3.5",
        (*[GUEST_CPUID] * 4, *[GUEST_HLT] * 3, *[GUEST_ARM_NOW] * 3, GUEST_NOTHING),
        (ACT_POST, ACT_SIGNAL),
        acts_per_turn=3,
        windows=("signal-taken", "kick-ends-stay", "wake-finds-waiter"),
        scope="post:0x34 signal | guest=cpuid,hlt | timers=0",
        paths=("signals",),
    ),
    Scenario(
        "halt-poll",
        "a halting guest that polls before it blocks, against remote posts",
        "fact 3.5",
        (GUEST_CPUID, *[GUEST_HLT] * 3),
        (ACT_POST,),
        acts_per_turn=2,
        windows=("poll-ends-halt", "wake-finds-waiter"),
        scope="post:0x34 | post:0x35",
        paths=("halt_poll",),
    ),
    Scenario(
        "housekeeping-timer",
        "a host timer on another pCPU backs the guest's: it posts to a vCPU in guest mode, and kicks any other",
        "facts 5.1, 5.2; B24",
        (*[GUEST_CPUID] * 4, *[GUEST_HLT] * 2, *[GUEST_ARM_LATER] * 4, GUEST_ARM_NOW, GUEST_NOTHING),
        (ACT_TIMER, ACT_TIMER, ACT_POST),
        acts_per_turn=4,
        windows=("posted-timer-sees-in-guest", "posted-timer-sees-outside", "timer-expires-at-once"),
        scope="hrtimer post:0x34 hrtimer | guest=cpuid,hlt,timer",
        paths=("timer_checks", "posted_timers"),
    ),
)


@dataclass(frozen=True)
class PolicyInfo:
    """One historic form of the rule under test."""

    name: str
    number: int
    origin: str
    about: str
    unpromised: tuple[str, ...] = ()
    """Checks that a user's own rule does not promise to hold, which are not made of it."""
    patched: bool = False
    """The machine has functions of the user's in the place of some of KVM's."""


POLICIES: tuple[PolicyInfo, ...] = (
    PolicyInfo("kick-2016", 0, "b95234c84004", "notify a vCPU in guest mode, kick any other"),
    PolicyInfo("skip-running-2020", 1, "379a3c8ee444", "do nothing about the vCPU that runs on this pCPU"),
    PolicyInfo("always-2021", 2, "fdba608f15e2", "notify a vCPU in guest mode, self included; wake any other"),
    PolicyInfo("elide-self-2022", 3, "9b44423bf4c8", "as before, but no notification to self in guest mode"),
)

CHECK_ABOUT: dict[str, str] = {
    "C1": "in non-root the PIR is empty unless somebody still owes the vCPU a look; RVI is the highest vIRR",
    "C2": "no vCPU sleeps on a deliverable vector with no wake-up on its way",
    "C3": "RVI is the highest vIRR at every VM-entry",
    "C4": "a PIR that is not empty implies ON, or an agent inside a named window",
    "C5": "nothing posted is lost or made up: the books of every vector balance, every mailbox is read",
    "C7": "whoever turned ON on and told nobody promised a look, and it was taken",
    "C8": "self-posts that saw IN_GUEST_MODE = self-IPIs sent + elided",
    "C9": "no kicked request is left unserved in non-root",
    "C6": "a vCPU is on the wake-up list of NDST's pCPU just while NV is the wake-up vector, and on none while it runs",
    "C13": "no pCPU halts while a task waits to run on it and nothing is on its way that ends the halt",
    "C14": "no task is resumed while it runs elsewhere, or before it was suspended",
    "C10": "at the end all IPIs sent were taken and all mailboxes read",
    "C12": "no signal is left unheeded in non-root or asleep",
    "C11": "a deadline that the guest armed is delivered when it is due, once, and none is that was not due",
}
