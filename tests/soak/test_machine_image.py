"""A saved machine is read whoever was killed: rings in order, all state, and nothing but files of this version."""

from __future__ import annotations

import json
import os
import resource
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emu.machine import MAX_PCPUS
from emu.observe.accounting import CHECKS, RECORD_WORDS
from emu.observe.tracepoints import KVM_EXIT, SIGHTING, TRACE_EVENTS
from emu.vectors import RESCHEDULE_VECTOR, SLOT_TIMER, vector_of
from emu.workload.setup import power_on
from hosts.native.memory import image_header
from hosts.native.memory.addresses import PAGE_BYTES
from hosts.native.memory.layout import (
    ARGUMENT_SHIFT,
    HOST_OFFSET,
    LABEL_OFFSET,
    RING_EVENTS,
    RING_MASK,
    SHARED_BYTES,
    TURN_SHIFT,
    HostWords,
    Label,
)
from hosts.native.memory.private_words import Local
from hosts.native.memory.region import SharedMemory
from hosts.native.runtime.process_locals import this_process
from hosts.native.runtime.trace_ring import note_turn, trace
from hosts.soak.postmortem import decode, dump, machine_image
from hosts.soak.postmortem.decode import Event
from hosts.soak.postmortem.machine_image import READABLE_EVENTS, MachineImage, NotReadable
from tests.compiled import Compiled

CPU = 3
"""The pCPU whose events the compiled functions keep."""


def put(event: int, argument: int, turn: int) -> int:
    """Keep an event as a pCPU does."""
    note_turn(this_process(), turn)
    trace(event, argument)
    return 0


def told(event: int) -> int:
    """See the first violation."""
    trace(SIGHTING, event)
    return 0


@pytest.fixture(scope="module")
def functions() -> Compiled:
    """Compile the writer over a whole shared memory."""
    return Compiled({"put": put, "told": told}, SHARED_BYTES // 8, {}, Local.nbytes // 8)


@pytest.fixture
def compiled(functions: Compiled) -> Compiled:
    """Return it with an empty memory of a run of four pCPUs."""
    functions.words[:] = functions.local[:] = 0
    functions.words[MachineImage.machine.config.pcpus // 8] = 4
    host = HostWords(functions.base + HOST_OFFSET)
    for word, value in ((Local(0).ring_at, host.rings[CPU].at), (Local(0).cpu, CPU), (Local(0).pcpus, 4)):
        functions.local[word // 8] = value
    return functions


# --- rings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, READABLE_EVENTS, RING_EVENTS, RING_EVENTS + 1, 5 * RING_EVENTS + 7])
def test_the_last_events_come_in_order(compiled: Compiled, count: int) -> None:
    """What compiled code wrote is read back, oldest first; no more than can be believed, and of the own ring only."""
    for number in range(count):
        compiled.put(KVM_EXIT, number, number // 2)
    saved = MachineImage(compiled.words)
    expected = [
        Event(number, number // 2, "kvm_exit", number) for number in range(max(0, count - READABLE_EVENTS), count)
    ]
    assert saved.events(CPU) == expected
    assert not any(saved.events(cpu) for cpu in range(MAX_PCPUS) if cpu != CPU)


@pytest.mark.parametrize(
    ("event", "argument", "turn"), [(255, (1 << 24) - 1, (1 << 32) - 1), (0, 0, 0), (1, 0xFF00FF, 1 << 31)]
)
def test_an_event_holds_its_extremes(compiled: Compiled, event: int, argument: int, turn: int) -> None:
    """No part of an event's word reaches into another."""
    compiled.put(event, argument, turn)
    (read,) = MachineImage(compiled.words).events(CPU)
    name = TRACE_EVENTS[event] if event < len(TRACE_EVENTS) else f"event {event}"
    assert (read.turn, read.name, read.argument) == (turn, name, argument)


def test_an_argument_that_is_too_large_harms_nothing_else(compiled: Compiled) -> None:
    """It is cut; a user's rule may say what it likes."""
    compiled.put(KVM_EXIT, -1, 5)
    (read,) = MachineImage(compiled.words).events(CPU)
    assert (read.turn, read.name, read.argument) == (5, "kvm_exit", (1 << 24) - 1)


def test_the_first_violation_keeps_all_rings(compiled: Compiled) -> None:
    """What led up to it is there whatever comes later, of the other pCPUs too."""
    other = HostWords(compiled.base + HOST_OFFSET).rings[1]
    compiled.words[(other.count - compiled.base) // 8] = 1
    compiled.words[(other.events[0] - compiled.base) // 8] = 7 << TURN_SHIFT | 2 << ARGUMENT_SHIFT | KVM_EXIT
    for number in range(10):
        compiled.put(KVM_EXIT, number, 1)
    compiled.told(4)
    for number in range(2 * RING_EVENTS):
        compiled.put(KVM_EXIT, number, 2)
    compiled.told(5)
    saved = MachineImage(compiled.words)
    assert saved.sighted_by == CPU
    assert [each.argument for each in saved.events_sighted(CPU)] == [*range(10), 4]
    assert saved.events_sighted(1) == [Event(0, 7, "kvm_exit", 2)]
    assert saved.events(CPU)[-1].argument == 5
    assert saved.events(CPU)[0].turn == 2


def test_a_look_at_a_ring_that_goes_on_gives_no_newer_event_for_an_older_one() -> None:
    """Events that were overwritten while the rings were copied are left out."""
    with SharedMemory() as memory:
        own = memory.host.rings[0]
        for number in range(RING_EVENTS + 100):
            memory.write(own.events[number & RING_MASK], number << ARGUMENT_SHIFT | KVM_EXIT)
        memory.write(own.count, RING_EVENTS + 10)  # as it was when the copy began: ninety more have been put since
        saved = MachineImage.of(memory)
        saved.words[MachineImage.host.rings[0].overtaken // 8] = RING_EVENTS + 100
        assert [each.argument for each in saved.events(0)] == list(range(101, RING_EVENTS + 10))


# --- files -------------------------------------------------------------------------------------------------------


def test_a_memory_file_is_private_new_and_left_to_its_owner(tmp_path: Path) -> None:
    """It replaces a file of that name without touching what others have mapped, and stays when it is closed."""
    path = tmp_path / "machine"
    with SharedMemory(path) as first:
        first.write(first.machine.config.policy, 2)
        with SharedMemory(path) as second:
            second.write(second.machine.config.policy, 3)
        assert first.read(first.machine.config.policy) == 2
    assert MachineImage.open(path).policy == "elide-self-2022"
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_size) == (0o600, SHARED_BYTES)


def test_a_file_that_finds_no_room_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    """At the start, not as a SIGBUS in the middle of a run."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SHARED_BYTES // 2, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            SharedMemory(tmp_path / "machine")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        SharedMemory(tmp_path / "no such folder" / "machine")


def whole() -> bytes:
    """Return the bytes of a machine that is set up."""
    with SharedMemory() as memory:
        power_on(memory.machine, 2, 1, memory.write)
        return memory.words.tobytes()


def test_the_words_of_an_outcome_are_a_saved_machine(tmp_path: Path) -> None:
    """With or without a file the format is one."""
    path = tmp_path / "machine"
    path.write_bytes(whole())
    assert dump.decoded(MachineImage.open(path)) == dump.decoded(MachineImage.of_bytes(whole()))
    assert MachineImage.open(path).pcpus == 2


def other_layout() -> bytes:
    """Return a machine of this size and another layout."""
    data = bytearray(whole())
    data[LABEL_OFFSET + Label(0).layout] ^= 1
    return bytes(data)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "cut short"),
    "a text": (lambda: b"pirace\n" * 1000, "cut short"),
    "cut short": (lambda: whole()[:-1], "cut short"),
    "cut short by a page": (lambda: whole()[:-PAGE_BYTES], "cut short"),
    "only zeros": (lambda: bytes(SHARED_BYTES), "no saved machine"),
    "too long": (lambda: whole() + b"more", "no saved machine"),
    "another layout": (other_layout, "another version"),
    "a smaller version": (lambda: whole()[PAGE_BYTES:], "another version"),
    "a larger version": (lambda: bytes(PAGE_BYTES) + whole(), "another version"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_machine_of_this_version_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    """It says which file and why; garbage is never shown as a machine."""
    make, why = REFUSED[kind]
    path = tmp_path / "machine"
    path.write_bytes(make())
    with pytest.raises(NotReadable, match=f"^{path}: .*{why}[^\n]*$"):
        MachineImage.open(path)


def test_what_is_not_even_a_file_is_refused(tmp_path: Path) -> None:
    """A folder, nothing at all, or a pipe that nobody will ever write to."""
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("", "a file|directory"), ("missing", "No such file"), ("pipe", "not even a file")):
        with pytest.raises(NotReadable, match=why):
            MachineImage.open(tmp_path / name)


def test_every_change_of_what_a_word_means_is_another_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names as well as places: an old file must not be read with new names."""
    number = image_header.layout_number.__wrapped__
    numbers = {number()}
    for names in ("COUNTERS", "TRACE_EVENTS", "CHECKS", "MUTATIONS", "POLICIES"):
        with monkeypatch.context() as changed:
            changed.setattr(image_header, names, getattr(image_header, names)[:-1])
            numbers.add(number())
    with monkeypatch.context() as changed:
        changed.setattr(HostWords.fields["rings"], "offset", HostWords.fields["rings"].offset + 64)
        numbers.add(number())
    assert len(numbers) == 7


# --- what is told ------------------------------------------------------------------------------------------------


@pytest.fixture
def memory() -> Iterator[SharedMemory]:
    """Return a machine of two pCPUs and a vCPU."""
    with SharedMemory() as memory:
        power_on(memory.machine, 2, 1, memory.write)
        yield memory


def test_a_stranded_interrupt_can_be_read(memory: SharedMemory) -> None:
    """PIR, ON, mode, requests, mailboxes and what is pending are told by name."""
    vcpu, timer = memory.machine.vcpus[0], vector_of(SLOT_TIMER)
    memory.write(vcpu.pi_desc.pir[timer >> 6], 1 << (timer & 63))
    memory.write(vcpu.pi_desc.control, memory.read(vcpu.pi_desc.control) | 1)
    memory.write(vcpu.mode, 1)
    memory.write(vcpu.requests, 1 << 2)
    memory.write(vcpu.mail[SLOT_TIMER * MAX_PCPUS + 1], 9)
    memory.write(memory.machine.pcpus[0].irq.running_vcpu, vcpu.at)
    memory.write(memory.host.cpus[0].pending[3], 1 << (RESCHEDULE_VECTOR & 63))
    memory.write(memory.host.bells[0].rung, 4)
    saved = MachineImage.of(memory)
    text, (told, *_) = dump.text(saved), dump.decoded(saved)["vcpus"]
    assert "vcpu 0: IN_GUEST_MODE" in text
    assert f"PIR {timer:#x} (timer); ON 1 SN 0 NV 0xf2" in text
    assert f"unread: {timer:#x} (timer) from cpu 1, number 9, last read 0" in text
    assert "running vCPU vcpu 0" in text
    assert "pending 0xfd (RESCHEDULE_VECTOR); 4 IPIs under way to it" in text
    assert (told["descriptor"]["pir"], told["descriptor"]["on"], told["requests"]) == ([timer], 1, ["KVM_REQ_UNBLOCK"])
    assert json.loads(json.dumps(dump.decoded(saved))) == dump.decoded(saved)


def test_words_windows_and_checks_of_a_users_own_are_told_by_their_numbers(memory: SharedMemory) -> None:
    """An image does not say what a patch has called them."""
    machine = memory.machine
    assert "own_words" not in dump.decoded(MachineImage.of(memory))
    memory.write(machine.own_vcpus[0].words[3], -5)
    memory.write(machine.own_shared.words[0], 2)
    memory.write(machine.own_marks[1].windows[4], 6)
    memory.write(machine.own_marks[1].records[2 * RECORD_WORDS], 1)
    saved = MachineImage.of(memory)
    told, text = dump.decoded(saved), dump.text(saved)
    assert told["own_words"] == {"vcpu 0 word 3": -5, "for all word 0": 2}
    assert "words of the user's code: vcpu 0 word 3 -5, for all word 0 2" in text
    assert told["pcpus"][1]["windows"]["own-window-4"] == 6
    assert [each["check"] for each in told["pcpus"][1]["sightings"]] == ["own_check_2"]
    assert Event(0, 0, "sighting", len(CHECKS) + 2).text() == "sighting: own_check_2"


def test_an_image_of_a_machine_that_was_not_set_up_can_be_decoded() -> None:
    """A run that was killed at its very start."""
    with SharedMemory() as memory:
        saved = MachineImage.of(memory)
    assert dump.decoded(saved)["pcpus"] == []
    assert "nothing had been set up" in dump.text(saved)


def test_any_words_behind_a_valid_header_can_be_decoded() -> None:
    """Whatever a broken run has left in its words, the reader does not fall over it."""
    with SharedMemory() as memory:
        memory.words[: LABEL_OFFSET // 8] = -1
        saved = MachineImage.of(memory)
        assert saved.pcpus == 0
        for value in (-1, 1 << 40, (1 << 63) - 1):
            memory.words[: LABEL_OFFSET // 8] = value
            memory.write(memory.machine.config.pcpus, 2)
            memory.write(memory.machine.config.vcpus, 2)
            assert dump.text(MachineImage.of(memory))


@pytest.mark.parametrize(
    ("name", "argument", "text"),
    [
        ("kvm_exit", 1 | 0xFD << 8, "kvm_exit: reason EXTERNAL_INTERRUPT, interrupt 0xfd (RESCHEDULE_VECTOR)"),
        ("kvm_exit", 12, "kvm_exit: reason HLT"),
        ("kvm_entry", 0, "kvm_entry: RVI none"),
        ("kvm_apicv_accept_irq", 0xE8 | 2 << 8, "kvm_apicv_accept_irq: vcpu 2, vector 0xe8 (timer)"),
        ("sched_switch", 1 << 8, "sched_switch: vcpu 1 ==> idle"),
        ("sched_waking", 2 | 1 << 8, "sched_waking: vcpu 1, was TASK_ASLEEP"),
        ("ipi_send_cpu", 0xF2 | 63 << 8, "ipi_send_cpu: cpu 63, vector 0xf2 (POSTED_INTR_VECTOR)"),
        ("sighting", CHECKS.index("C1"), "sighting: C1"),
        ("sighting", CHECKS.index("C7") | 0x35 << 8, "sighting: C7, vector 0x34 (post)"),
        ("event 200", 0x12345, "event 200: 0x12345"),
    ],
)
def test_an_event_is_written_as_a_line_of_a_trace(name: str, argument: int, text: str) -> None:
    """Names of the kernel's, numbers spelled out."""
    assert Event(0, 0, name, argument).text() == text


def test_every_event_has_a_text_of_its_own() -> None:
    """None was forgotten when it was added to the machine."""
    assert set(decode._TEXTS) == set(TRACE_EVENTS) - {"none"}
    assert machine_image.READABLE_EVENTS < RING_EVENTS
