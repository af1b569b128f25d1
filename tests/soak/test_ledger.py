"""The two accountings of a run: they agree about a real one, and about none whose numbers were touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from emu.machine import MAX_PCPUS
from emu.memory import Word
from emu.observe.accounting import COUNTERS, WINDOWS
from emu.vectors import SLOT_POST, SLOTS, vector_of
from emu.workload.scenarios import SCENARIOS
from hosts.loader.user_code import UserCode
from hosts.native.fabric.frame_kinds import KIND_SILENT
from hosts.native.memory.region import SharedMemory
from hosts.native.process.forkserver import Root
from hosts.native.process.outcome import Outcome
from hosts.native.process.supervisor import Supervisor
from hosts.native.program.build import LOADER
from hosts.runs.native_runner import built, configuration, set_up
from hosts.runs.plan import chosen_mutations, chosen_policies, chosen_scenarios, planned
from hosts.runs.runner import Request
from hosts.soak.postmortem.ledger import compare
from tests.choice import slow_but
from tests.unit.loader.patches import code_of, replaceable, verbatim

PCPUS = 2
MOST_SECONDS = 40.0
"""A race ends as soon as it has what a test is about, in the first tenth of a second if the processors are idle."""
COUNTED = ("posts", "accepted", "deliveries", "ipis_sent", "ipis_taken", "self_posts", "vm_entries")


def something_of_each(memory: SharedMemory) -> bool:
    """Return whether both pCPUs, together, have sent, taken, posted and delivered."""
    pcpus = memory.machine.pcpus
    return all(
        sum(memory.read(pcpus[cpu].counters[COUNTERS.index(name)]) for cpu in range(PCPUS)) > 0 for name in COUNTED
    )


def something_accepted(memory: SharedMemory) -> bool:
    """Return whether there have been some thousand posts."""
    pcpus = memory.machine.pcpus
    return sum(memory.read(pcpus[cpu].counters[COUNTERS.index("accepted")]) for cpu in range(PCPUS)) > 5000


def an_ipi_was_lost(memory: SharedMemory) -> bool:
    """Return whether the fabric's fault has struck."""
    return any(memory.read(memory.host.cpus[cpu].faulted) for cpu in range(PCPUS))


def raced(
    scenario: str, enough: Callable[[SharedMemory], bool], mutation: str | None = None, code: UserCode | None = None
) -> Outcome:
    """Race one configuration until there is enough to be compared."""
    seeded = chosen_mutations([mutation])[0] if mutation is not None else None
    chosen = planned(chosen_scenarios([scenario])[0], chosen_policies(["always-2021"])[0], seeded, PCPUS)
    request = Request(chosen, MOST_SECONDS, 1, "calm", "pinned")
    program = built(code, lambda *_: None)
    with Supervisor(Root(LOADER, program.path)) as supervisor:
        return supervisor.run(configuration(request), setup=lambda memory: set_up(memory, request), enough=enough)


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """Return a run that ended well."""
    done = raced("self-vs-remote", something_of_each)
    assert done.crash is None
    return done


def test_the_accountings_of_a_real_run_agree(outcome: Outcome) -> None:
    """And there is something in them: both pCPUs sent, took, posted, delivered."""
    assert compare(outcome.memory, PCPUS) == ()
    assert something_of_each(outcome.memory)


def settled(outcome: Outcome) -> SharedMemory:
    """Let the guest take what waited when the run ended, and read its mailboxes.

    A mailbox is not compared while its vector waits, nor if its last post was merged: both are a matter of luck.
    """
    memory = outcome.memory.copy()
    vcpu = memory.machine.vcpus[0]

    def add(word: Word, more: int) -> None:
        memory.write(word, memory.read(word) + more)

    for slot in range(SLOTS):
        vector = vector_of(slot)
        for word in (vcpu.pi_desc.pir[vector >> 6], vcpu.apic.virr[vector >> 6]):
            if memory.read(word) >> (vector & 63) & 1:
                memory.write(word, memory.read(word) & ~(1 << (vector & 63)))
                add(vcpu.delivered[slot], 1)
                add(counter("deliveries")(memory), 1)
        for box in range(slot * MAX_PCPUS, slot * MAX_PCPUS + PCPUS):
            memory.write(vcpu.refused[box], 0)
            memory.write(vcpu.acknowledged[box], memory.read(vcpu.mail[box]))
    return memory


def counter(name: str) -> Callable[[SharedMemory], Word]:
    """Name a counter of pCPU 0."""
    return lambda memory: memory.machine.pcpus[0].counters[COUNTERS.index(name)]


def window(name: str) -> Callable[[SharedMemory], Word]:
    """Name a window of pCPU 1, who only posts."""
    return lambda memory: memory.machine.pcpus[1].windows[WINDOWS.index(name)]


TOUCHED: dict[str, Callable[[SharedMemory], Word]] = {
    **{name: counter(name) for name in ("posts", "accepted", "deliveries", "merged", "ipis_sent", "ipis_taken")},
    **{name: counter(name) for name in ("vm_entries", "vm_exits", "self_posts", "self_ipis_sent", "ipis_elided")},
    **{name: counter(name) for name in ("self_posts_on_in_guest", "notifications_in_guest")},
    **{name: window(name) for name in ("pir-already-set", "on-already-set", "post-sees-outside")},
    "sent": lambda memory: memory.host.cpus[1].sent[0],
    "taken": lambda memory: memory.host.cpus[0].taken[1],
    "end markers": lambda memory: memory.host.cpus[0].taken[KIND_SILENT * MAX_PCPUS + 1],
    "markers": lambda memory: memory.host.cpus[0].markers,
    "in sequence": lambda memory: memory.host.cpus[0].arrived[1],
    "taken in all": lambda memory: memory.host.cpus[0].taken_total,
    "doorbell": lambda memory: memory.host.bells[0].rung,
    "coalesced": lambda memory: memory.host.cpus[0].coalesced,
    "written": lambda memory: memory.machine.vcpus[0].mail[SLOT_POST * MAX_PCPUS + 1],
    "read": lambda memory: memory.machine.vcpus[0].acknowledged[SLOT_POST * MAX_PCPUS + 1],
    "delivered of a vector": lambda memory: memory.machine.vcpus[0].delivered[SLOT_POST],
    "merged of a vector": lambda memory: memory.machine.vcpus[0].merged[SLOT_POST],
    "accepted of a vector": lambda memory: memory.machine.pcpus[1].accepted[0 * SLOTS + SLOT_POST],
    "inside": lambda memory: memory.machine.pcpus[1].marks.inside,
    "processing": lambda memory: memory.machine.pcpus[0].irq.processing,
    "preempt count": lambda memory: memory.machine.pcpus[0].irq.preempt_count,
    "turn": lambda memory: memory.machine.pcpus[1].marks.turn_done,
    "opened": lambda memory: memory.host.run.turn.number,
}


@pytest.mark.parametrize("what", TOUCHED)
def test_a_count_that_is_one_too_high_is_found(outcome: Outcome, what: str) -> None:
    """Whichever of the two accountings has it."""
    memory = settled(outcome)
    assert compare(memory, PCPUS) == ()
    word = TOUCHED[what](memory)
    memory.write(word, memory.read(word) + 1)
    lines = compare(memory, PCPUS)
    assert lines != ()
    assert all("pCPU" in line or "vCPU" in line or "actor" in line for line in lines)


SCENARIOS_OF_TWO = [each.name for each in SCENARIOS if each.pcpus <= PCPUS]


@pytest.mark.parametrize("scenario", slow_but(["preempt-timer", "signal"], SCENARIOS_OF_TWO))
def test_the_accountings_agree_in_every_scenario(scenario: str) -> None:
    """Tasks that share a pCPU, devices that post past KVM and signals are in the accounts, too."""
    assert compare(raced(scenario, something_accepted).memory, PCPUS) == ()


@pytest.fixture(scope="module")
def shared_pcpu() -> Outcome:
    """Return a run of two tasks on one pCPU, with a device."""
    return raced("preempt", something_accepted)


@pytest.mark.parametrize(
    "what", ["deliveries", "merged", "accepted", "posts", "preempt count", "turn", "delivered of a vector", "written"]
)
def test_a_count_of_a_pcpu_of_tasks_that_is_one_too_high_is_found(shared_pcpu: Outcome, what: str) -> None:
    """Though it need not be known which vCPU a pCPU has counted for."""
    memory = shared_pcpu.memory.copy()
    assert compare(memory, PCPUS) == ()
    word = TOUCHED[what](memory)
    memory.write(word, memory.read(word) + 1)
    assert compare(memory, PCPUS) != ()


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["self-vs-remote", "kick", "device-irq"])
def test_the_accountings_of_copies_agree(tmp_path: Path, scenario: str) -> None:
    """What attaches to a user's copy of emu's functions counts as emu's own instruments do, to the last one."""
    names = replaceable()
    texts = [
        verbatim([name for name in names if names[name] == module], module) for module in sorted(set(names.values()))
    ]
    wanted = something_of_each if scenario == "self-vs-remote" else something_accepted
    assert compare(raced(scenario, wanted, code=code_of(tmp_path, *texts)).memory, PCPUS) == ()


OF_A_SENDER = ("self_posts_on_in_guest", "ipis_elided", "on-already-set", "post-sees-outside", "pir-already-set")


@pytest.mark.parametrize("what", OF_A_SENDER)
def test_how_a_users_code_posts_is_its_own(outcome: Outcome, what: str) -> None:
    """Emu's posts all go one way; a user's may do without ON, or without the rule. Everything else has to agree."""
    memory = settled(outcome)
    word = TOUCHED[what](memory)
    memory.write(word, memory.read(word) + 1)
    assert compare(memory, PCPUS) != ()
    assert compare(memory, PCPUS, users=True) == ()
    word = TOUCHED["ipis_taken"](memory)
    memory.write(word, memory.read(word) + 1)
    assert compare(memory, PCPUS, users=True) != ()


def test_an_ipi_that_the_fabric_lost_is_accounted_for() -> None:
    """A seeded bug of the fabric itself: counted, not sent."""
    lines = compare(raced("remote-post", an_ipi_was_lost, "ipi-lost-counted").memory, PCPUS)
    assert any(line.startswith("frames of vector 0xf2") for line in lines)


def test_late_frames_are_compared_with_bounds(outcome: Outcome) -> None:
    """One frame after the end marker may have rung and not arrived; two rings of it cannot be."""
    memory = outcome.memory.copy()
    own = memory.machine.pcpus[1].counters[COUNTERS.index("ipis_sent")]
    memory.write(own, memory.read(own) + 1)
    memory.write(memory.host.cpus[1].sent_late, 1)
    assert compare(memory, PCPUS) == ()
    doorbell = memory.host.bells[0].rung
    memory.write(doorbell, memory.read(doorbell) + 1)
    assert compare(memory, PCPUS) == ()
    memory.write(doorbell, memory.read(doorbell) + 1)
    assert compare(memory, PCPUS) != ()
