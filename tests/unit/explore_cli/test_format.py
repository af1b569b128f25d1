"""What a witness's row says: the value found beside the value written, all of the control word, vectors one way."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from emu.kvm_host import KICKED_REQUESTS
from emu.observe.accounting import CHECKS, RECORD_WORDS
from emu.posted_intr import POSTED_INTR_SN, pi_control
from emu.vectors import POSTED_INTR_VECTOR, POSTED_INTR_WAKEUP_VECTOR
from emu.workload.setup import power_on
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.explanation.act import Act
from hosts.explorer.explanation.check_reads import reads_text
from hosts.explorer.explanation.format import operation_text, state_text
from hosts.explorer.explanation.rows import rows_of
from hosts.explorer.explanation.table import table_lines
from hosts.loader.program import load_program
from hosts.runs.collect import Violation, merged
from hosts.sequential import SequentialHost

CONTROL = "vcpu0.pi_desc.control"
LOADED = pi_control(POSTED_INTR_VECTOR, 0)
BLOCKED = pi_control(POSTED_INTR_WAKEUP_VECTOR, 3)
SN = 1 << POSTED_INTR_SN


@pytest.mark.parametrize(
    ("kind", "word", "a", "b", "found", "text"),
    [
        ("OR", CONTROL, 1, 0, LOADED, "ON set, was 0"),
        ("OR", CONTROL, SN, 0, LOADED | SN, "SN set, was 1"),
        ("AND", CONTROL, ~3, 0, LOADED | 1, "ON cleared, was 1; SN cleared, was 0"),
        ("AND", CONTROL, ~(0xFF << 16), 0, LOADED, "NV 0x00, was 0xf2"),
        ("LOAD", CONTROL, 0, 0, LOADED | 1, "ON -> 1"),
        ("LOAD", CONTROL, 0, 0, BLOCKED, "control -> ON 0 NV 0xf1 NDST 3"),
        ("STORE", CONTROL, SN, 0, 0, "control = ON 0 SN 1 NV 0x00"),
        ("XCHG", CONTROL, LOADED, 0, BLOCKED | 1, "xchg control = ON 0, was ON 1 NV 0xf1 NDST 3"),
        ("CMPXCHG", CONTROL, LOADED, BLOCKED, LOADED, "cmpxchg control ON 0 to ON 0 NV 0xf1 NDST 3, was ON 0"),
        ("XCHG", "vcpu0.pi_desc.pir[0]", 0, 0, 1 << 0x34, "xchg PIR[0] = empty, was 0x34"),
        ("OR", "vcpu0.pi_desc.pir[0]", 1 << 0x35, 0, 1 << 0x34, "PIR 0x35 set, was 0 beside 0x34"),
        ("CMPXCHG", "vcpu0.mode", 1, 2, 0, "cmpxchg mode IN_GUEST to EXITING, was OUTSIDE: not written"),
        ("XCHG", "vcpu0.wait.state", 0, 0, 2, "xchg wait.state = RUNNING, was ASLEEP"),
        ("AND", "vcpu0.requests", ~1, 0, 5, "requests TLB_FLUSH cleared, was 1 beside UNBLOCK"),
        ("ADD", "vcpu0.pi_desc.software[2]", 1, 0, 6, "pi_desc.software[2] + 1 = 7, was 6"),
        ("OR", "vcpu0.pi_desc.software[2]", 4, 0, 1, "pi_desc.software[2] | 0x4 = 5, was 0"),
        ("OR", "pcpu1.rq.need_resched", 1, 0, 1, "pcpu1.rq.need_resched set, was 1"),
        ("AND", "pcpu1.rq.need_resched", ~1, 0, 0, "pcpu1.rq.need_resched cleared, was 0"),
        ("OR", "pcpu1.rq.queued", 2, 0, 1, "pcpu1.rq.queued vCPU 1 set, was 0 beside vCPU 0"),
        ("AND", "pcpu1.rq.queued", ~2, 0, 2, "pcpu1.rq.queued vCPU 1 cleared, was 1"),
        ("LOAD", "pcpu1.rq.queued", 0, 0, 3, "pcpu1.rq.queued -> vCPU 0 vCPU 1"),
        ("STORE", "pcpu0.wakeup.vcpus", 0, 0, 0, "pcpu0.wakeup.vcpus = none"),
    ],
)
def test_what_was_found_stands_beside_what_was_written(
    kind: str, word: str, a: int, b: int, found: int, text: str
) -> None:
    """Of every locked operation; of the control word every field that it touches."""
    assert operation_text(Act(0, kind, word, a, b, found), 1) == text


@pytest.mark.parametrize(
    ("vcpu", "tasks", "text"), [(0, 0, ""), (1, 0, " NDST 0"), (0, 1, ""), (1, 1, ""), (0, 2, " NDST 0")]
)
def test_ndst_is_told_where_it_says_something(vcpu: int, tasks: int, text: str) -> None:
    """A pCPU that is not the vCPU's; where tasks migrate always, where they have one pCPU never."""
    act = Act(0, "LOAD", f"vcpu{vcpu}.pi_desc.control", 0, 0, LOADED | SN)
    assert operation_text(act, 1, tasks) == f"control -> ON 0 SN 1{text}"
    assert operation_text(replace(act, function="pi_test_on"), 1, tasks) == "ON -> 0"


def test_what_changes_in_the_control_word_is_seen_in_the_state() -> None:
    """SN, NV and NDST as soon as they are not those of a loaded vCPU."""
    seen = {"mode": 0, "on": 0, "pir": [], "requests": 0, "rvi": 0, "virr": [], "waiting": 0, "task": 0}
    view = {"pending": [[]], "flight": [], "buffers": [[]], "vcpus": [seen | {"control": BLOCKED | SN}]}
    assert state_text(view, ("vCPU 0",)) == "OUTSIDE SN 1 NV 0xf1 NDST 3"
    view["vcpus"] = [seen | {"control": LOADED}]
    assert state_text(view, ("vCPU 0",)) == "OUTSIDE"


@pytest.mark.parametrize(
    ("pcpus", "text"),
    [(0, "NDST 3"), (1, "NDST 3"), (4, "NDST 3, on pCPU 3")],
)
def test_where_tasks_migrate_ndst_is_always_told(pcpus: int, text: str) -> None:
    """Also if it is the pCPU with the vCPU's number, which means nothing there; with one pCPU 0 is not told."""
    seen = {"mode": 0, "on": 0, "pir": [], "requests": 0, "rvi": 0, "virr": [], "waiting": 0, "task": 0}
    view: dict[str, Any] = {"pending": [[]], "flight": [], "buffers": [[]]}
    view |= {"runs": [-1, -1, -1, 0][4 - pcpus :]} if pcpus > 1 else {"runs": [-1]} if pcpus else {}
    view["vcpus"] = [seen | {"control": pi_control(POSTED_INTR_VECTOR, 3)}]
    assert state_text(view, ("vCPU 0",)) == f"OUTSIDE {text}"
    view["vcpus"] = [seen | {"control": LOADED}]
    assert ("NDST 0" in state_text(view, ("vCPU 0",))) == (pcpus > 1)


def test_what_the_check_reads_has_a_column(witness_of: Callable[..., Witness]) -> None:
    """PPR, the vectors in service and IF of C2; the promise of C7: also where they are 0."""
    slept = witness_of("device-irq", "skip-running-2020", None, "device")
    last = rows_of(slept)[-1]
    assert reads_text("C2", last.view, 0) == "PPR 0x00, vISR -, IF 1, inside -"
    lines = list(table_lines(slept))
    assert next(line for line in lines if line.startswith("step ")).endswith("C2 reads")
    assert any("PPR 0x00, vISR -," in line for line in lines)
    broken = witness_of("remote-post", "elide-self-2022", "no-entry-barrier", "post:34")
    read = [reads_text("C7", row.view, 0) for row in rows_of(broken)]
    assert read[-1] == "untold by 1, inside -"
    assert "untold by 1, inside 1" in read


@pytest.mark.parametrize("case", [("device-irq", "skip-running-2020", None, "device")], ids=str)
def test_vectors_are_written_one_way(witness_of: Callable[..., Witness], case: Any) -> None:
    """No two hexadecimal digits without their 0x, in the table or in the paragraph."""
    text = "\n".join(table_lines(witness_of(*case)))
    assert "0x61" in text
    assert "0x41" in text
    assert not re.search(r"(?<![\w.:])(41|61|f2)(?![\w.:])", text)


def test_the_harm_is_told_before_the_broken_promise() -> None:
    """One order for stress rows, the explorer and witnesses."""
    found = merged(tuple(Violation(check, 1, {}) for check in ("C7", "C4", "C1", "C9", "C2")))
    assert [each.check for each in found] == ["C2", "C1", "C9", "C4", "C7"]
    assert CHECKS.index("C2") < CHECKS.index("C1") < CHECKS.index("C4") < CHECKS.index("C7")


def test_one_look_judges_in_that_order() -> None:
    """A running vCPU's PIR without ON, a request and a mailbox that nobody read: C1, C9, C5, then C4."""
    fired: list[str] = []

    class Listening(SequentialHost):
        def poke(self, word: int, value: int) -> None:
            super().poke(word, value)
            fired.extend(name for name, record in records.items() if record == word)

    host = Listening(choose=lambda _: 0, turns=1)
    with host:
        power_on(host.machine, 1, 1, host.store)
        vcpu, cpu = host.machine.vcpus[0], host.machine.pcpus[0]
        records = {name: cpu.records[i * RECORD_WORDS] for i, name in enumerate(CHECKS)}
        host.store(vcpu.pi_desc.pir[0], 1 << 0x34)
        host.store(vcpu.requests, KICKED_REQUESTS)
        load_program().functions["check_snapshot"](vcpu, 1)
    assert fired == ["C1", "C9", "C5", "C4"]
