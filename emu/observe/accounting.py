"""Names of everything that is counted. A position in these tuples is an index into a pCPU's words."""

from __future__ import annotations

from typing import Final

COUNTERS: Final = (
    "rounds",
    "posts",
    "accepted",
    "deliveries",
    "merged",
    "ipis_sent",
    "ipis_elided",
    "ipis_taken",
    "notifications_spurious",
    "notifications_in_guest",
    "vm_entries",
    "vm_exits",
    "syncs",
    "wakes",
    "self_posts",
    "self_posts_on_in_guest",
    "self_ipis_sent",
    "halts",
    "kicks",
    "requests",
    "device_irqs",
    "dwells",
    "snapshots",
    "stray_interrupts",
    "switches",
    "migrations",
    "device_posts",
)

WINDOWS: Final = (
    "post-sees-in-guest",
    "post-sees-outside",
    "post-sees-exiting",
    "self-post-sees-in-guest",
    "self-post-sees-outside",
    "self-post-sees-exiting",
    "pir-already-set",
    "on-already-set",
    "sync-finds-on",
    "sync-finds-on-without-pir",
    "notified-in-guest",
    "notified-in-root",
    "notified-after-sync",
    "wake-finds-waiter",
    "wake-before-sleep",
    "irq-between-check-and-sleep",
    "kick-between-check-and-entry",
    "kick-loses-to-kick",
    "kick-ends-stay",
    "self-and-remote-in-one-sync",
    "hlt-fastpath-halts",
    "hlt-fastpath-goes-on",
    "notified-after-halt",
    "hlt-in-shadow",
    "notified-while-masked",
    "block-on-masked-vector",
    "timer-expires-in-guest",
    "timer-expires-at-once",
    "timer-expires-at-switch",
    "timer-expires-asleep",
    "signal-taken",
    "poll-ends-halt",
    "posted-timer-sees-in-guest",
    "posted-timer-sees-outside",
    "preempted-before-sleep",
    "left-with-ipi-in-flight",
    "migrated",
    "on-repaired",
    "posted-while-loading",
    "on-set-at-put",
    "woken-from-list",
    "device-post-notifies",
    "device-post-to-list",
    "device-post-suppressed",
)

CHECKS: Final = ("C2", "C1", "C3", "C9", "C5", "C10", "C4", "C8", "C7", "C11", "C12", "C6", "C13", "C14")
"""The most harmful first: of those that fire at once, that one is reported. An interrupt that nobody will deliver
(asleep, running, entering), a request not served, an interrupt lost or made up; then the promises that keep it from
coming to that: the descriptor's, the rule's, the sender's. What only some scenarios check comes last."""

RECORD: Final = ("count", "vector", "mode", "pir", "control", "rvi", "turn", "entries")
"""Words kept per check: how often it fired, then what was seen the first time."""
RECORD_WORDS: Final = len(RECORD)

(
    ROUNDS, POSTS, ACCEPTED, DELIVERIES, MERGED, IPIS_SENT, IPIS_ELIDED, IPIS_TAKEN, NOTIFICATIONS_SPURIOUS,
    NOTIFICATIONS_IN_GUEST, VM_ENTRIES, VM_EXITS, SYNCS, WAKES, SELF_POSTS, SELF_POSTS_ON_IN_GUEST, SELF_IPIS_SENT,
    HALTS, KICKS, REQUESTS, DEVICE_IRQS, DWELLS, SNAPSHOTS, STRAY_INTERRUPTS,
    SWITCHES, MIGRATIONS, DEVICE_POSTS,
) = range(len(COUNTERS))  # fmt: skip

(
    POST_SEES_IN, POST_SEES_OUTSIDE, POST_SEES_EXITING, SELF_SEES_IN, SELF_SEES_OUTSIDE, SELF_SEES_EXITING,
    PIR_ALREADY_SET, ON_ALREADY_SET, SYNC_FINDS_ON, SYNC_FINDS_ON_ONLY, NOTIFIED_IN_GUEST, NOTIFIED_IN_ROOT,
    NOTIFIED_AFTER_SYNC, WAKE_FINDS_WAITER, WAKE_BEFORE_SLEEP, IRQ_BEFORE_SLEEP, KICK_BEFORE_ENTRY, KICK_LOSES,
    KICK_ENDS_STAY, SELF_AND_REMOTE_SYNC, HLT_FASTPATH_HALTS, HLT_FASTPATH_GOES_ON, NOTIFIED_AFTER_HALT,
    HLT_IN_SHADOW, NOTIFIED_WHILE_MASKED, BLOCK_ON_MASKED, TIMER_IN_GUEST, TIMER_AT_ONCE, TIMER_AT_SWITCH,
    TIMER_ASLEEP, SIGNAL_TAKEN, POLL_ENDS, POSTED_TIMER_IN, POSTED_TIMER_OUTSIDE,
    PREEMPTED_BEFORE_SLEEP, LEFT_WITH_IPI, MIGRATED, ON_REPAIRED,
    POSTED_WHILE_LOADING, ON_SET_AT_PUT, WOKEN_FROM_LIST, DEVICE_POST_NOTIFIES, DEVICE_POST_TO_LIST,
    DEVICE_POST_SUPPRESSED,
) = range(len(WINDOWS))  # fmt: skip

C2, C1, C3, C9, C5, C10, C4, C8, C7, C11, C12, C6, C13, C14 = range(len(CHECKS))
