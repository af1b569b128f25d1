"""The cross-check of counters at the end of a run: every quantity is counted twice, and both accountings must agree.

The machine (``emu/``) counts what it sends, posts and takes; the fabric counts frames, on both ends; mailboxes are
numbered by their senders and read by their receivers; and the processor and the kernel keep pairs of their own (entries
and exits, posts accepted and what became of them). An error of either accounting shows as a difference: such a run is
UNTRUSTWORTHY, whatever its checks have said.

Frames that a pCPU sends after its end marker are only in a sum of the fabric's, and it is open what becomes of them:
where there are some, the quantities that they are part of are compared with bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from emu.machine import MAX_PCPUS, ORIG_2013, USER
from emu.memory import Words
from emu.observe.accounting import C5, C10, COUNTERS, RECORD_WORDS, WINDOWS
from emu.vectors import SLOT_SELF_IPI, SLOTS, vector_of
from hosts.kernel_names import vector_text
from hosts.native.fabric.frame_kinds import KIND_OTHER, KIND_SILENT, KINDS, VECTOR_OF_KIND
from hosts.native.memory.layout import FAULT_BEFORE_COUNT
from hosts.native.memory.region import SharedMemory

Numbers = npt.NDArray[np.int64]

NOTIFICATION: Final = 0
RESCHEDULE: Final = 3
DEVICE: Final = 4
"""Kinds of IPIs that the machine counts by themselves (see VECTOR_OF_KIND)."""
STRAYS: Final = [1, 2, KIND_OTHER]
"""Kinds of IPIs for which the machine has no handler."""

_TRIGGERS: Final = ("post-sees-in-guest", "post-sees-outside", "post-sees-exiting")
_DEVICE: Final = ("device-post-notifies", "device-post-to-list", "device-post-suppressed")
_SELF_POSTS: Final = ("self-post-sees-in-guest", "self-post-sees-outside", "self-post-sees-exiting")


def compare(memory: SharedMemory, pcpus: int, *, users: bool = False) -> tuple[str, ...]:
    """Return a line for each quantity whose two accountings differ; none: they agree.

    Only for a run that came to its end: one that was cancelled or has crashed stops in the middle of a post. ``users``:
    the machine has a user's code in it, which may post, notify and kick in ways of its own.
    """
    counts = _Counts(memory, pcpus, users=users)
    return tuple(
        line
        for part in (_frames, _interrupts, _posts, _mail, _deliveries, _processors, _turns)
        for line in part(counts)
    )


class _Counts:
    """All counters, read once: a row for each pCPU."""

    def __init__(self, memory: SharedMemory, pcpus: int, *, users: bool) -> None:
        self.memory, self.pcpus = memory, pcpus
        self.users = users
        machine, host = memory.machine, memory.host
        self.vcpus = memory.read(machine.config.vcpus)
        self.task_pcpus = memory.read(machine.config.task_pcpus)
        """How many pCPUs run the vCPUs as tasks, any of them on any; 0: each vCPU has the pCPU of its number."""
        self.cpus = [host.cpus[cpu] for cpu in range(pcpus)]
        own = [machine.pcpus[cpu] for cpu in range(pcpus)]
        self.own = own
        self.counters = dict(zip(COUNTERS, self._table([each.counters for each in own], len(COUNTERS)).T, strict=True))
        self.windows = dict(zip(WINDOWS, self._table([each.windows for each in own], len(WINDOWS)).T, strict=True))
        shape = (pcpus, KINDS, MAX_PCPUS)
        many = KINDS * MAX_PCPUS
        self.sent = self._table([cpu.sent for cpu in self.cpus], many).reshape(shape)[:, :, :pcpus]
        """By sender, kind, target."""
        self.taken = self._table([cpu.taken for cpu in self.cpus], many).reshape(shape)[:, :, :pcpus]
        """By target, kind, sender."""
        self.arrived = self._table([cpu.arrived for cpu in self.cpus], MAX_PCPUS)[:, :pcpus] - 1  # 0: the greeting
        """By target, sender."""
        self.pending = self._table([cpu.pending for cpu in self.cpus], 4)
        self.late = np.array([memory.read(cpu.sent_late) for cpu in self.cpus])
        self.faulted = np.array([memory.read(cpu.faulted) for cpu in self.cpus])
        self.uncounted = self.faulted * (memory.read(host.run.fabric_fault) == FAULT_BEFORE_COUNT)
        """Notifications that the fabric's first fault swallowed: the machine has counted them, the fabric has not."""
        slots = [machine.vcpus[vcpu] for vcpu in range(self.vcpus)]
        self.accepted = self._table([each.accepted for each in own], MAX_PCPUS * SLOTS).reshape(pcpus, MAX_PCPUS, SLOTS)
        """By sender, vCPU, slot."""
        boxes = (self.vcpus, SLOTS, MAX_PCPUS)
        self.mail = self._table([vcpu.mail for vcpu in slots], SLOTS * MAX_PCPUS).reshape(boxes)[:, :, :pcpus]
        """By vCPU, slot, sender."""
        self.read_mail = self._table([vcpu.acknowledged for vcpu in slots], SLOTS * MAX_PCPUS).reshape(boxes)
        self.refused = self._table([vcpu.refused for vcpu in slots], SLOTS * MAX_PCPUS).reshape(boxes)
        self.accepted_before = self._table([each.accepted_before for each in slots], SLOTS * MAX_PCPUS).reshape(boxes)
        self.delivered = self._table([vcpu.delivered for vcpu in slots], SLOTS)
        self.merged = self._table([vcpu.merged for vcpu in slots], SLOTS)
        self.self_ipis = self._table([vcpu.self_ipis for vcpu in slots], SLOTS)
        self.waiting = self._bits([vcpu.pi_desc.pir for vcpu in slots]) + self._bits([vcpu.apic.virr for vcpu in slots])
        """By vCPU, slot: where a vector waits to be delivered; the last notification may be pending at the end."""

    def _table(self, rows: list[Words], columns: int) -> Numbers:
        if not rows:
            return np.zeros((0, columns), np.int64)
        return np.stack([self.memory.slice(row.at, columns) for row in rows])

    def _bits(self, sets: list[Words]) -> Numbers:
        """Return the bits of the guest's vectors in sets of 256 bits."""
        words = self._table(sets, 4)
        vectors = [vector_of(slot) for slot in range(SLOTS)]
        columns = [words[:, vector >> 6] >> (vector & 63) & 1 for vector in vectors]
        return np.stack(columns, axis=1)

    def by_vcpu(self, pcpus: Numbers, vcpus: Numbers) -> tuple[Numbers, Numbers]:
        """Return what pCPUs have counted and what vCPUs have, as far as the two can be compared: else their sums."""
        if self.task_pcpus:
            return pcpus.sum(keepdims=True), vcpus.sum(keepdims=True)
        return pcpus[: self.vcpus], vcpus

    def fired(self, check: int) -> bool:
        """Return whether a check has fired on any pCPU."""
        return any(self.memory.read(own.records[check * RECORD_WORDS]) for own in self.own)


def _equal(what: str, one: str, ones: Numbers, other: str, others: Numbers, who: str = "pCPU") -> Iterator[str]:
    """Compare number by number; ``one`` and ``other`` name the two accountings."""
    return _within(what, one, ones, other, others, others, who)


def _within(what: str, one: str, ones: Numbers, other: str, least: Numbers, most: Numbers, who: str) -> Iterator[str]:
    for place in map(tuple, np.argwhere((ones < least) | (ones > most))):
        at = ", ".join(map(str, place))
        low, high = int(least[place]), int(most[place])
        said = str(low) if low == high else f"{low} to {high}"
        yield f"{what}, {who} {at}: {one} {int(ones[place])}, {other} {said}"


# --- frames ------------------------------------------------------------------------------------------------------


def _frames(counts: _Counts) -> Iterator[str]:
    """Compare frames: sender against receiver, and the machine against the fabric."""
    ipis = counts.sent.sum(axis=(1, 2)) - counts.sent[:, KIND_SILENT].sum(axis=1)
    fabric = ipis + counts.late + counts.uncounted
    yield from _equal("IPIs sent", "the machine counts", counts.counters["ipis_sent"], "the fabric", fabric)
    to_self = counts.sent[:, NOTIFICATION].diagonal()
    most = to_self + counts.late + counts.uncounted
    sent = counts.counters["self_ipis_sent"]
    yield from _within("notifications to self", "the machine counts", sent, "the fabric", to_self, most, "pCPU")
    for kind in range(KINDS):
        taken = counts.taken[:, kind].T
        yield from _equal(_name_of(kind), "sent", counts.sent[:, kind], "taken", taken, "pCPU from, to")
    booked = counts.taken.sum(axis=1)
    late = np.broadcast_to(counts.late, booked.shape)
    yield from _within(
        "frames in sequence", "numbered", counts.arrived, "taken", booked, booked + late, "pCPU to, from"
    )
    total = np.array([counts.memory.read(cpu.taken_total) for cpu in counts.cpus])
    yield from _equal("frames taken", "in all", total, "by sender", counts.arrived.sum(axis=1))
    markers = np.array([counts.memory.read(cpu.markers) for cpu in counts.cpus])
    yield from _equal("end markers", "taken", markers, "pCPUs", np.full(counts.pcpus, counts.pcpus))
    doorbells = np.array([counts.memory.read(counts.memory.host.bells[cpu].rung) for cpu in range(counts.pcpus)])
    rung = counts.sent.sum(axis=(0, 1))
    yield from _within("doorbells", "rung", doorbells, "frames sent", rung, rung + counts.late.sum(), "pCPU")


def _name_of(kind: int) -> str:
    if kind < len(VECTOR_OF_KIND):
        return f"frames of vector {vector_text(VECTOR_OF_KIND[kind])}"
    return "last frames" if kind == KIND_SILENT else "frames of other vectors"


def _interrupts(counts: _Counts) -> Iterator[str]:
    """Compare what the fabric put into the pending sets with what the machine took out of them."""
    counters, windows, memory = counts.counters, counts.windows, counts.memory
    frames = counts.arrived.sum(axis=1) - np.array([memory.read(cpu.markers) for cpu in counts.cpus])
    coalesced = np.array([memory.read(cpu.coalesced) for cpu in counts.cpus])
    waiting = np.array([sum(int(word).bit_count() for word in row.view(np.uint64)) for row in counts.pending])
    due = frames - coalesced - waiting
    yield from _equal("interrupts taken", "the machine counts", counters["ipis_taken"], "the fabric", due)
    in_guest = counters["notifications_in_guest"]
    yield from _equal("notifications in the guest", "counted", in_guest, "seen", windows["notified-in-guest"])
    least = windows["notified-in-root"]
    most = least + in_guest
    spurious = counters["notifications_spurious"]
    yield from _within("spurious notifications", "counted", spurious, "seen", least, most, "pCPU")
    device = counters["device_irqs"]
    arrived = counts.taken[:, DEVICE].sum(axis=1) + counts.late.sum()
    yield from _within("device interrupts", "handled", device, "arrived", np.zeros_like(device), arrived, "pCPU")
    stray = counters["stray_interrupts"]
    arrived = counts.taken[:, STRAYS].sum(axis=(1, 2)) + counts.late.sum()
    yield from _within("stray interrupts", "counted", stray, "arrived", np.zeros_like(stray), arrived, "pCPU")
    config = memory.machine.config
    others = (config.policy, USER), (config.signals, 1)  # a user's code may send any vector; signals are not counted
    if not (counts.users or counts.task_pcpus or any(memory.read(word) == value for word, value in others)):
        kicked = counts.sent[:, RESCHEDULE].sum(axis=1)
        reasons = counters["kicks"] + counters["wakes"]
        yield from _within("reschedule IPIs", "sent", kicked, "kicks and wakes", np.zeros_like(kicked), reasons, "pCPU")


# --- posts -------------------------------------------------------------------------------------------------------


def _posts(counts: _Counts) -> Iterator[str]:
    """Compare posts with what became of them: accepted or merged in the PIR; then triggered, or ON was set already."""
    counters, windows = counts.counters, counts.windows
    accepted = counters["accepted"]
    yield from _equal("posts accepted", "in all", accepted, "by vector", counts.accepted.sum(axis=(1, 2)))
    if not counts.users:
        became = accepted + windows["pir-already-set"]
        yield from _equal("posts", "counted", counters["posts"], "accepted or merged in the PIR", became)
    self_posts = np.sum([windows[name] for name in _SELF_POSTS], axis=0)
    yield from _equal("posts to self", "counted", counters["self_posts"], "by mode", self_posts)
    if counts.users:
        return  # whether a post of theirs turns ON on, and whom it tells then, is theirs; the checks judge it
    if counts.memory.read(counts.memory.machine.config.policy) != ORIG_2013:
        triggered = self_posts + np.sum([windows[name] for name in _TRIGGERS], axis=0) + windows["on-already-set"]
        # A device turns ON on even if the PIR bit was set, so as many of its posts may be accepted or not.
        triggered += np.sum([windows[name] for name in _DEVICE], axis=0)
        merged = np.minimum(counters["device_posts"], windows["pir-already-set"])
        yield from _within(
            "posts accepted", "counted", accepted, "triggered, or ON was set", triggered - merged, triggered, "pCPU"
        )
    told = counters["self_ipis_sent"] + counters["ipis_elided"]
    runners = slice(counts.task_pcpus or counts.vcpus)
    saw = counters["self_posts_on_in_guest"][runners]
    yield from _equal("posts to self in guest mode", "counted", saw, "sent and elided", told[runners])


def _mail(counts: _Counts) -> Iterator[str]:
    """Compare the mailboxes: what each sender wrote with what it posted, and with what the guest has read."""
    written = np.delete(counts.mail, SLOT_SELF_IPI, axis=1).sum(axis=(0, 1))
    yield from _equal("mail", "written", written, "posts", counts.counters["posts"])
    own = counts.mail[:, SLOT_SELF_IPI].sum(axis=1)
    sent = counts.self_ipis[:, SLOT_SELF_IPI]
    yield from _equal("mail to self", "written", own, "IPIs to self", sent, "vCPU")
    acknowledged = counts.read_mail[:, :, : counts.pcpus]
    refused, before = (each[:, :, : counts.pcpus] for each in (counts.refused, counts.accepted_before))
    demanded = (counts.mail != refused) | (acknowledged < before)
    read = np.where((counts.waiting[:, :, np.newaxis] == 0) & demanded, acknowledged, counts.mail)
    yield from _equal("mail", "written", counts.mail, "read or about to be", read, "vCPU, slot, pCPU")


def _deliveries(counts: _Counts) -> Iterator[str]:
    """Compare each vector's counts with the pCPU's sums, and the interrupts that came in with those that went out."""
    in_all, by_vector = counts.by_vcpu(counts.counters["deliveries"], counts.delivered.sum(axis=1))
    yield from _equal("deliveries", "in all", in_all, "by vector", by_vector, "vCPU")
    if counts.fired(C5) or counts.fired(C10):
        return  # the checks have corrected these counts, so that one loss is one sighting
    merged = np.delete(counts.merged, SLOT_SELF_IPI, axis=1).sum(axis=1)
    in_all, by_vector = counts.by_vcpu(counts.counters["merged"], merged)
    yield from _equal("merged", "in all", in_all, "by vector", by_vector, "vCPU")
    came = counts.accepted.sum(axis=0)[: counts.vcpus] + counts.self_ipis
    went = counts.delivered + counts.merged + counts.waiting
    yield from _equal("interrupts of a vector", "came", came, "delivered, merged, waiting", went, "vCPU, slot")


# --- the rest ----------------------------------------------------------------------------------------------------


def _processors(counts: _Counts) -> Iterator[str]:
    """Compare begins with ends: stays in the guest, marks, sections with preemption off."""
    entries, exits = counts.counters["vm_entries"], counts.counters["vm_exits"]
    yield from _equal("stays in the guest", "entered", entries, "left", exits)
    zeros = np.zeros(counts.pcpus, np.int64)
    for what, words in (
        ("inside a delivery", [own.marks.inside for own in counts.own]),
        ("inside posted-interrupt processing", [own.irq.processing for own in counts.own]),
    ):
        odd = np.array([counts.memory.read(word) & 1 for word in words])
        yield from _equal(what, "begun", odd, "and not ended", zeros)
    disabled = np.array([counts.memory.read(own.irq.preempt_count) for own in counts.own])
    idle = (np.arange(counts.pcpus) < counts.task_pcpus).astype(np.int64)  # the idle task, in which such a pCPU ends
    yield from _equal("preemption", "disabled", disabled, "and not enabled", idle)


def _turns(counts: _Counts) -> Iterator[str]:
    """Compare the turns that were opened with those that each actor took."""
    memory, machine = counts.memory, counts.memory.machine
    actors = range(counts.task_pcpus or counts.vcpus, counts.pcpus)
    if memory.read(machine.config.in_turns) == 0 or not actors:
        return
    done = np.array([memory.read(machine.pcpus[cpu].marks.turn_done) for cpu in actors])
    opened = np.full(len(done), memory.read(memory.host.run.turn.number))
    yield from _equal("turns", "taken", done, "opened", opened, "actor")
