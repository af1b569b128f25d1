"""Attached instruments, at posts and syncs as users write them: who was told, what was accepted and merged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emu.kvm_host import IN_GUEST_MODE
from emu.machine import ALWAYS_2021, ELIDE_SELF_2022, Pcpu, Vcpu
from emu.observe.accounting import (
    ACCEPTED,
    C8,
    IPIS_ELIDED,
    MERGED,
    ON_ALREADY_SET,
    PIR_ALREADY_SET,
    POST_SEES_OUTSIDE,
    RECORD_WORDS,
    SELF_AND_REMOTE_SYNC,
    SELF_IPIS_SENT,
    SELF_POSTS_ON_IN_GUEST,
    SYNC_FINDS_ON,
    SYNC_FINDS_ON_ONLY,
)
from emu.observe.ghost import TOLD_OTHER
from emu.vectors import DEVICE_VECTOR, POSTED_INTR_VECTOR, SLOT_POST, SLOT_TIMER, vector_of
from emu.waist import BIT
from emu.workload.setup import power_on
from hosts.explorer.explanation.state_view import vcpu_view
from hosts.explorer.threads.machine_words import World
from hosts.loader.program import Program
from hosts.sequential import SequentialHost
from tests.unit.loader.patches import patched

GENERATION = 3
VECTOR = vector_of(SLOT_POST)
OTHER = vector_of(SLOT_POST + 1)

IMPORTS = """
from emu.cpu import apic_send_IPI, kvm_get_running_vcpu
from emu.kvm_host import IN_GUEST_MODE
from emu.kvm_main import kvm_vcpu_wake_up
from emu.lapic_regs import apic_find_highest_irr
from emu.posted_intr import POSTED_INTR_ON, pi_test_and_set_on, pi_test_and_set_pir
from emu.rcuwait import rcuwait_wake_up
from emu.vectors import POSTED_INTR_VECTOR
from emu.waist import (
    BIT, READ_ONCE, WRITE_ONCE, clear_bit, cmpxchg, local_read, local_write, set_bit, take_half,
    test_and_set_bit, xchg,
)
from emu.vmx_intr import vmx_set_rvi
"""
POST = "pi_test_and_set_pir(vector, vcpu.pi_desc)"
TURN_ON = "pi_test_and_set_on(vcpu.pi_desc)"
NOTIFY = "apic_send_IPI(vcpu.cpu, POSTED_INTR_VECTOR)"


FORMS: list[tuple[str, ...]] = []
"""Forms of the function that delivers, all in one program; a free word of the descriptor selects one."""


def form(*lines: str) -> int:
    """Return the number of a form."""
    FORMS.append(lines)
    return len(FORMS) - 1


def text() -> str:
    """Return the patch."""
    forms = [
        f"def form{i}(vcpu, vector):\n" + "\n".join(f"    {line}" for line in lines) for i, lines in enumerate(FORMS)
    ]
    chosen = [f"    if vcpu.pi_desc.software[1] == {i}:\n        form{i}(vcpu, vector)" for i in range(len(FORMS))]
    deliver = "\n".join(["def vmx_deliver_posted_interrupt(vcpu, vector):", *chosen, "    return 0"])
    return "\n\n".join([IMPORTS, HELPERS, *forms, deliver, CALLER, SYNC])


HELPERS = """
def turn_on(word):
    return test_and_set_bit(POSTED_INTR_ON, word)

def tells(vcpu):
    return vcpu.pi_desc.software[2]
"""
CALLER = """
def vmx_deliver_interrupt(vcpu, vector):
    vmx_deliver_posted_interrupt(vcpu, vector)
    if tells(vcpu) == 2:
        apic_send_IPI(vcpu.cpu, POSTED_INTR_VECTOR)
"""
SYNC = """
def in_halves(vcpu, i):
    pir = vcpu.pi_desc.pir
    low = take_half(pir[i], 0)
    return low | high_half(pir[i])

def high_half(word):
    high = take_half(word, 1)
    return (high & 0x7FFFFFFF) * BIT(32) | (BIT(63) if high >> 31 else 0)

def vmx_sync_pir_to_irr(vcpu):
    if vcpu.pi_desc.control & BIT(POSTED_INTR_ON):
        clear_bit(POSTED_INTR_ON, vcpu.pi_desc.control)
        for i in range(4):
            bits = in_halves(vcpu, i) if tells(vcpu) == 3 else xchg(vcpu.pi_desc.pir[i], 0)
            local_write(vcpu.apic.virr[i], local_read(vcpu.apic.virr[i]) | bits)
    highest = apic_find_highest_irr(vcpu)
    vmx_set_rvi(vcpu, highest)
    return highest
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Load all forms."""
    return patched(tmp_path_factory.mktemp("forms"), text())


@pytest.fixture
def host() -> Iterator[SequentialHost]:
    """Return a machine of two vCPUs, the pCPU of none of which has begun, in some generation of ON."""
    host = SequentialHost(choose=lambda _: 0, turns=1)
    with host:
        power_on(host.machine, 2, 2, host.store)
        host.store(host.machine.config.policy, ELIDE_SELF_2022)
        for i in range(2):
            host.store(host.machine.vcpus[i].pi_desc.software[0], GENERATION)
        yield host


def post(program: Program, host: SequentialHost, chosen: int, vcpu: int = 1, vector: int = VECTOR) -> Vcpu:
    """Post to a vCPU by one of the forms; vCPU 0 is the own one."""
    target = host.machine.vcpus[vcpu]
    host.store(target.pi_desc.software[1], chosen)
    assert program.functions["kvm_arch_set_irq_inatomic"](target, vector) == 1
    assert host.load(own(host).told) == 0
    assert host.load(own(host).marks.inside) & 1 == 0
    return target


def own(host: SequentialHost) -> Pcpu:
    """Return the own pCPU."""
    return host.machine.pcpus[0]


def entered(host: SequentialHost, window: int) -> int:
    """Return how often a window was entered."""
    return host.load(own(host).windows[window])


def counted(host: SequentialHost, counter: int) -> int:
    """Return a counter."""
    return host.load(own(host).counters[counter])


INLINE_ON = "turned_on = not test_and_set_bit(POSTED_INTR_ON, vcpu.pi_desc.control)"
EXCHANGED = "old = vcpu.pi_desc.control"


@pytest.mark.parametrize(
    ("chosen", "untold", "windows"),
    [
        (form(POST, TURN_ON), True, 1),
        (form(POST, TURN_ON, NOTIFY), False, 1),
        (form(POST, NOTIFY, TURN_ON), True, 1),
        (form(POST, INLINE_ON), True, 1),
        (form(POST, INLINE_ON, f"if turned_on: {NOTIFY}"), False, 1),
        (form(POST, "set_bit(POSTED_INTR_ON, vcpu.pi_desc.control)"), True, 1),
        (form(POST, "set_bit(POSTED_INTR_ON, vcpu.pi_desc.control)", NOTIFY), False, 1),
        (form(POST, EXCHANGED, "cmpxchg(vcpu.pi_desc.control, old, old | BIT(POSTED_INTR_ON))"), True, 1),
        (form(POST, EXCHANGED, "cmpxchg(vcpu.pi_desc.control, old + 2, old | BIT(POSTED_INTR_ON))"), False, 0),
        (form(POST, "WRITE_ONCE(vcpu.pi_desc.control, vcpu.pi_desc.control | BIT(POSTED_INTR_ON))"), True, 1),
        (form(POST, "WRITE_ONCE(vcpu.pi_desc.control, vcpu.pi_desc.control | BIT(POSTED_INTR_ON))", NOTIFY), False, 1),
        (form(POST), False, 0),
        (form(POST, "kvm_vcpu_wake_up(vcpu)", TURN_ON), True, 1),
    ],
)
def test_who_turned_on_on_and_told_nobody_is_noted(
    program: Program, host: SequentialHost, chosen: int, untold: int, windows: int
) -> None:
    """Whatever turned it on; what was told before does not count."""
    target = post(program, host, chosen)
    assert host.load(target.untold[0]) == (GENERATION + 1 if untold else 0)
    assert entered(host, POST_SEES_OUTSIDE) == windows


IN_A_HELPER = form(POST, "turn_on(vcpu.pi_desc.control)")


@pytest.mark.parametrize(("tells", "noted"), [(2, 0), (0, GENERATION + 1)])
def test_the_whole_post_may_tell(program: Program, host: SequentialHost, tells: int, noted: int) -> None:
    """ON is turned on in a helper that knows no descriptor, and the caller of the function notifies, or does not."""
    host.store(host.machine.vcpus[1].pi_desc.software[2], tells)
    target = post(program, host, IN_A_HELPER)
    assert host.load(target.pi_desc.control) & 1
    assert host.load(target.untold[0]) == noted
    assert entered(host, POST_SEES_OUTSIDE) == 1


WAKES = form(POST, TURN_ON, "rcuwait_wake_up(vcpu)")


def test_a_state_shows_whom_a_post_has_told_whatever_else_is_known_of_it() -> None:
    """The words that attached instruments keep above it are not for readers."""
    world = World.made({}, 1, 1, 0, fold=True)
    told = world.machine.pcpus[0].told
    view = vcpu_view(world, 0, lambda word: VECTOR << 8 | 8 | TOLD_OTHER if word == told else 0)
    assert view["told"] == "another"


def test_a_woken_task_is_told(program: Program, host: SequentialHost) -> None:
    """Also one that is woken by the scheduler's function alone."""
    vcpu = host.machine.vcpus[1]
    host.store(vcpu.wait.task, 1)
    host.store(vcpu.wait.state, 1)
    post(program, host, WAKES)
    assert host.load(vcpu.untold[0]) == 0


TELLS_IF = form(POST, TURN_ON, "READ_ONCE(vcpu.mode)", "if tells(vcpu): apic_send_IPI(1, POSTED_INTR_VECTOR)")


@pytest.mark.parametrize("outer_tells", [1, 0])
@pytest.mark.parametrize("inner_tells", [1, 0])
def test_a_post_in_an_interrupt_handler_is_one_of_its_own(
    program: Program, host: SequentialHost, outer_tells: int, inner_tells: int
) -> None:
    """It comes between the other's ON and its IPI, on the same pCPU; neither answers for the other."""
    inner, outer = host.machine.vcpus[0], host.machine.vcpus[1]
    for vcpu, tells in ((inner, inner_tells), (outer, outer_tells)):
        host.store(vcpu.pi_desc.software[1], TELLS_IF)
        host.store(vcpu.pi_desc.software[2], tells)
    between = {each.number for each in program.sites.values() if each.function == f"user_form{TELLS_IF}"}
    assert between

    def interrupt_point(site: int) -> None:
        if site in between and host.pending:
            host.pending.clear()
            program.functions["kvm_arch_set_irq_inatomic"](inner, OTHER)

    host.interrupt_point = interrupt_point  # type: ignore[method-assign]
    host.pending.add(DEVICE_VECTOR)
    post(program, host, TELLS_IF)
    assert not host.pending - {POSTED_INTR_VECTOR}
    assert host.load(outer.untold[0]) == (0 if outer_tells else GENERATION + 1)
    assert host.load(inner.untold[0]) == (0 if inner_tells else GENERATION + 1)


SILENT, LOUD = form(POST, TURN_ON), form(POST, TURN_ON, NOTIFY)


@pytest.mark.parametrize(
    ("chosen", "policy", "wanted"),
    [
        (SILENT, ELIDE_SELF_2022, (0, 1, 0)),
        (SILENT, ALWAYS_2021, (0, 1, 1)),
        (LOUD, ELIDE_SELF_2022, (1, 0, 1)),
        (LOUD, ALWAYS_2021, (1, 0, 0)),
    ],
)
def test_a_post_to_the_own_vcpu_does_what_its_policy_promises(
    program: Program, host: SequentialHost, chosen: int, policy: int, wanted: tuple[int, int, int]
) -> None:
    """C8: whatever function it is that sends an IPI, or does not."""
    host.store(host.machine.config.policy, policy)
    vcpu = host.machine.vcpus[0]
    host.store(own(host).irq.running_vcpu, vcpu.at)
    host.store(vcpu.mode, IN_GUEST_MODE)
    post(program, host, chosen, 0)
    assert counted(host, SELF_POSTS_ON_IN_GUEST) == 1
    sighted = host.load(own(host).records[C8 * RECORD_WORDS])
    assert (counted(host, SELF_IPIS_SENT), counted(host, IPIS_ELIDED), sighted) == wanted


PLAINLY = form("WRITE_ONCE(vcpu.pi_desc.pir[vector >> 6], vcpu.pi_desc.pir[vector >> 6] | BIT(vector & 63))", TURN_ON)
UNASKED = form("set_bit(vector & 63, vcpu.pi_desc.pir[vector >> 6])", TURN_ON)
WRONG = form("pi_test_and_set_pir(vector ^ 1, vcpu.pi_desc)", TURN_ON)


@pytest.mark.parametrize("chosen", [SILENT, PLAINLY, UNASKED])
def test_a_post_is_accepted_once(program: Program, host: SequentialHost, chosen: int) -> None:
    """However the bit is set; a second one that finds it set is not."""
    for _ in range(2):
        vcpu = post(program, host, chosen)
        assert program.functions["lost_slot"](vcpu) == -1
    assert counted(host, ACCEPTED) == 1
    assert (entered(host, PIR_ALREADY_SET), entered(host, ON_ALREADY_SET)) == (1, 1)


def test_a_bit_of_another_vector_is_made_up(program: Program, host: SequentialHost) -> None:
    """C5: the post that set it was of something else."""
    assert program.functions["lost_slot"](post(program, host, WRONG)) >= 0


def synced(program: Program, host: SequentialHost, posted: tuple[int, ...], waiting: int = -1) -> Vcpu:
    """Post vectors to the own vCPU, in whose vIRR one may wait already, and let a sync take them."""
    vcpu = host.machine.vcpus[0]
    host.store(own(host).irq.running_vcpu, vcpu.at)
    if waiting >= 0:
        post(program, host, SILENT, 0, waiting)
        program.functions["vmx_sync_pir_to_irr"](vcpu)
    for vector in posted:
        post(program, host, SILENT, 0, vector)
    program.functions["vmx_sync_pir_to_irr"](vcpu)
    assert program.functions["lost_slot"](vcpu) == -1
    assert host.load(vcpu.syncing) == 0
    return vcpu


@pytest.mark.parametrize("how", [0, 3], ids=["words", "halves"])
@pytest.mark.parametrize("again", [SLOT_POST, SLOT_POST + 2, SLOT_POST + 3])
def test_a_sync_that_finds_a_vector_waiting_makes_two_posts_one(
    program: Program, host: SequentialHost, how: int, again: int
) -> None:
    """C5: at the moment at which the bit is taken, with its word or with half of it, the sign among them."""
    host.store(host.machine.vcpus[0].pi_desc.software[2], how)
    vcpu = synced(program, host, (vector_of(again), OTHER), vector_of(again))
    assert counted(host, MERGED) == 1
    assert counted(host, ACCEPTED) == 3
    assert host.load(vcpu.merged[again]) == 1


def test_a_sync_ends_a_generation_of_on(program: Program, host: SequentialHost) -> None:
    """If ON is set; another one leaves it."""
    vcpu = synced(program, host, (VECTOR,))
    assert host.load(vcpu.pi_desc.software[0]) == GENERATION + 1
    program.functions["vmx_sync_pir_to_irr"](vcpu)
    assert host.load(vcpu.pi_desc.software[0]) == GENERATION + 1


@pytest.mark.parametrize(
    ("posted", "both"), [((VECTOR, vector_of(SLOT_TIMER)), 1), ((VECTOR,), 0), ((vector_of(SLOT_TIMER),), 0)]
)
def test_a_syncs_windows_are_those_of_what_it_took(
    program: Program, host: SequentialHost, posted: tuple[int, ...], both: int
) -> None:
    """The own timer together with another's post; ON without PIR is another window."""
    vcpu = synced(program, host, posted)
    assert entered(host, SELF_AND_REMOTE_SYNC) == both
    assert entered(host, SYNC_FINDS_ON) == 1
    assert entered(host, SYNC_FINDS_ON_ONLY) == 0
    host.store(vcpu.pi_desc.control, host.load(vcpu.pi_desc.control) | BIT(0))
    program.functions["vmx_sync_pir_to_irr"](vcpu)
    assert entered(host, SYNC_FINDS_ON_ONLY) == 1
