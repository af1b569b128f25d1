"""The machine's memory: every struct that the emulated kernel, processor, guest and instruments keep.

Cache lines are laid out as the hardware and kernel lay them out where it matters for the races: the posted-interrupt
descriptor has a line of its own, ``vcpu->mode`` and ``vcpu->requests`` share one, the wait record has its own.
"""

from __future__ import annotations

from typing import Final

from emu.memory import Struct, array, struct, word, words
from emu.observe.accounting import CHECKS, COUNTERS, RECORD_WORDS, WINDOWS
from emu.vectors import SLOTS
from emu.waist import local_read, memory, this_cpu_ptr

MAX_PCPUS: Final = 64
MENU_ITEMS: Final = 64
OWN_WORDS: Final = 64
OWN_WINDOWS: Final = 16
OWN_CHECKS: Final = 8
"""Room for what a user's code brings along (emu.own): words for each vCPU, each pCPU and all; windows and checks."""


class PiDesc(Struct, line=True):
    """Posted-interrupt descriptor, 64 bytes (SDM, posted-interrupt processing; fact base 1)."""

    pir = words(4)
    control = word()
    """ON bit 0, SN bit 1, NV bits 16-23, NDST bits 32-63."""
    software = words(3)


class Wait(Struct, line=True):
    """The wait record (rcuwait) and the scheduler's view of the vCPU's task."""

    task = word()
    """The task that waits, or 0: what ``prepare_to_rcuwait`` publishes."""
    state = word()


class Task(Struct, line=True):
    """What the scheduler keeps of a task: of a vCPU's, or of the idle task of a pCPU (``struct task_struct``)."""

    context = word()
    """What :func:`emu.waist.switch_to` resumes the task from; 0 while it runs and has never been suspended."""
    on_cpu = word()
    """1 while its stack is in use on some pCPU."""
    cpu = word()
    """``task_cpu``: the pCPU on which it runs, has run last, or waits to run."""
    allowed = word()
    """Affinity: a bit for each pCPU that may run it."""
    on_rq = word()
    """0 once the task itself has left the run queue to sleep. Only the task writes and reads it."""


class Rq(Struct, line=True):
    """The run queue of a pCPU (``struct rq``): what others write first, then what only the pCPU touches."""

    queued = word()
    """A bit for each vCPU whose task is runnable and waits here."""
    need_resched = word()
    """``TIF_NEED_RESCHED`` of the task that runs here."""
    curr = word(line=True)
    """1 + the number of the vCPU whose task runs here; 0: the idle task does."""
    prev = word()
    """The same of the task that the last switch left, for ``finish_task_switch``."""
    idle = struct(Task)


class WakeupList(Struct, line=True):
    """The vCPUs that block on a pCPU with the wake-up vector as their notification (``wakeup_vcpus_on_cpu``)."""

    lock = word()
    """Raw spinlock."""
    vcpus = word()
    """A bit for each vCPU on the list. Read and written with the lock held."""


class Vmcs(Struct, line=True):
    """The fields of the VMCS that matter here. Only the vCPU's own thread touches them."""

    rvi = word()
    svi = word()
    vm_exit_reason = word()
    vm_exit_intr_info = word()
    exit_qualification = word()
    preemption_timer_armed = word()
    preemption_timer_deadline = word()
    guest_interruptibility_info = word()
    """Bit 0: blocking by STI, until the instruction behind the STI is done."""


class Lapic(Struct, line=True):
    """The vCPU's local APIC: the virtual-APIC page and KVM's timer state. Only the vCPU's own thread touches it."""

    virr = words(4)
    visr = words(4)
    vtpr = word()
    vppr = word()
    enabled = word()
    lvtt_masked = word()
    timer_pending = word()
    tscdeadline = word()
    expired_tscdeadline = word()
    hv_timer_in_use = word()


class Guest(Struct, line=True):
    """Guest registers and the state of the guest's program."""

    rflags_if = word()
    turn = word()
    """The turn of the environment that is open, or 0."""
    turn_wanted = word()
    """1: the next exit to the slow path opens a turn, in root mode."""
    actions_left = word()
    in_service = word()
    """Interrupt handlers that have begun and not written EOI."""
    silent = word()
    ended = word()
    """1 once the run is over, all are silent and the end was checked."""
    patience = word()
    """Guest steps that this stay still waits for IPIs in flight."""
    interrupts_left = word()
    """Timers and IPIs to other vCPUs that the guest still may start; negative: as many as it likes."""
    turns_left = word()
    """Turns that the guest still acts in; then it stays in until the run is over. Negative: it acts in all."""


class Vcpu(Struct, line=True):
    """One virtual CPU; ``struct kvm_vcpu``, ``kvm_lapic`` and ``vcpu_vmx`` in one."""

    pi_desc = struct(PiDesc)
    mode = word(line=True)
    cpu = word()
    requests = word()
    wait = struct(Wait)
    vmcs = struct(Vmcs)
    apic = struct(Lapic)
    guest = struct(Guest)
    id = word(line=True)
    mp_state = word()
    apicv_active = word()
    untold = words(MAX_PCPUS)
    """Per sender: 1 + the generation of ON that it set without notifying anybody
    (see emu.observe.checkers.check_promise); 0 if it notified somebody, or does not know the generation."""
    delivered = words(SLOTS)
    merged = words(SLOTS)
    self_ipis = words(SLOTS)
    mail = words(SLOTS * MAX_PCPUS)
    """One mailbox per (vector, sender): the sender writes a number, then posts."""
    acknowledged = words(SLOTS * MAX_PCPUS)
    """The number that the guest's handler last read from each mailbox."""
    refused = words(SLOTS * MAX_PCPUS)
    """The newest number whose interrupt the APIC refused, if that was the newest of all: nobody has to read it."""
    accepted_before = words(SLOTS * MAX_PCPUS)
    """The newest number before such ones whose interrupt was accepted."""
    signal_pending = word(line=True)
    """TIF_SIGPENDING of the vCPU's task: anybody sets it, the task takes it."""
    hrtimer = word()
    """The deadline of a host timer that another pCPU handles, HRTIMER_FIRING while it does, or 0. Only if timers are
    posted (``pi_inject_timer``)."""
    hrtimer_pending = word()
    """Its expiries that wait for the slow loop: ``lapic_timer.pending``, which is not private then."""
    timer_watch = word()
    """What has become of the deadline that the guest armed last (emu.observe.timers)."""
    sched = struct(Task)
    preempted = word()
    """1 from ``kvm_sched_out`` to ``kvm_sched_in`` if the task stayed runnable."""
    pre_pcpu = word()
    """1 + the pCPU on whose wake-up list the vCPU has put itself, or 0. Only its own thread touches it, until v5.16."""
    sleeps_above = word()
    """Of a vCPU that sleeps, the priority class above which an interrupt is deliverable: published for instruments."""
    sleeps_with = word()
    """Likewise 1 + the highest vector in its vIRR."""
    syncing = word()
    """What instruments that attach to a user's code have seen of the vCPU's sync (emu.observe.probes.observed)."""


class Marks(Struct, line=True):
    """What instruments of other pCPUs read of this one. One writer each, counters that only grow."""

    inside = word()
    """Odd while this pCPU is between the first and the last effect of a delivery, wake or kick."""
    turn_done = word()
    """The last turn of the environment that this actor has finished."""


class Irq(Struct, line=True):
    """The processor state of a pCPU that decides whether an interrupt is taken. Private to the pCPU."""

    enabled = word()
    """RFLAGS.IF of the host."""
    preempt_count = word()
    non_root = word()
    processing = word()
    """Odd while the processor does posted-interrupt processing."""
    running_vcpu = word()
    """What ``kvm_get_running_vcpu`` reads: the address of the vCPU whose task is current, or 0."""
    inside_depth = word()
    need_resched = word()
    """``PREEMPT_NEED_RESCHED``: the reschedule interrupt, or the pCPU itself, has seen ``TIF_NEED_RESCHED``."""


class Pcpu(Struct, line=True):
    """One physical CPU."""

    marks = struct(Marks)
    irq = struct(Irq)
    id = word()
    sightings = word()
    """Violations recorded by this pCPU, all checks together."""
    told = word()
    """Whom the rule under test has notified so far (emu.observe.ghost)."""
    between_check_and_sleep = word()
    counters = words(len(COUNTERS))
    windows = words(len(WINDOWS))
    records = words(len(CHECKS) * RECORD_WORDS)
    accepted = words(MAX_PCPUS * SLOTS)
    """Posts of this pCPU that turned a PIR bit on, per (target vCPU, slot)."""
    rq = struct(Rq)
    wakeup = struct(WakeupList)
    in_wakeup_handler = word()
    """1 while the handler of the wake-up vector runs."""
    idle_turn = word()
    """The turn of the environment that the idle task opened last, or 0."""


class Config(Struct, line=True):
    """What is raced: written by the host before the start, read by all."""

    pcpus = word()
    vcpus = word()
    policy = word()
    mutation = word()
    guest_items = word()
    guest_menu = words(MENU_ITEMS)
    """What the guest draws its actions from (emu.workload.program); an item listed twice is drawn twice as often."""
    actor_items = word()
    actor_menu = words(MENU_ITEMS)
    """What the other pCPUs draw from in a turn (see emu.workload.actors)."""
    acts_per_turn = word()
    slow_timer = word()
    """1: timers expire as before v5.8, through ``pending`` and the slow loop."""
    in_turns = word()
    """1: the guest and the other pCPUs act in turns (see emu.workload.program); 0: each when it likes."""
    more_actions = word()
    """The guest takes up to this many actions in a turn."""
    patience = word()
    """Guest steps that a dwelling stay waits at most for IPIs in flight; when it ends the stay has no verdict."""
    slow_handlers = word()
    """The guest's handlers put their EOI off about once in so many steps; 0: never."""
    sampling = word()
    """The costlier checks of a stay are made once in about so many."""
    hlt_fastpath = word()
    """1: HLT is handled in the exit fastpath, as since v6.11."""
    guest_masks = word()
    """1: the guest turns interrupts off and raises its TPR."""
    timer_checks = word()
    """1: timers are watched (C11), and the test driver's tick is a post that has nothing to do with them."""
    signals = word()
    """1: vCPUs are sent signals, and look for them."""
    halt_poll = word()
    """1: a vCPU that halts polls for a while before it blocks."""
    posted_timers = word()
    """1: a host timer on a housekeeping pCPU backs the guest's, and posts (``pi_inject_timer``)."""
    pi_pre_block = word()
    """1: a vCPU puts itself on the wake-up list before it looks whether to block, as until v5.16."""
    task_pcpus = word()
    """The first so many pCPUs run vCPUs as tasks, switch between them and migrate them (emu.sched); 0: each of the
    first ``vcpus`` pCPUs runs one vCPU for ever."""


KICK_2016: Final = 0
SKIP_RUNNING_2020: Final = 1
ALWAYS_2021: Final = 2
ELIDE_SELF_2022: Final = 3
USER: Final = 4
ORIG_2013: Final = 5
"""The values of :attr:`Config.policy`: the rules of emu.policies, and a user's own."""


class OwnWords(Struct, line=True):
    """Words of a user's code, for one vCPU, for one pCPU, or for all (see emu.own)."""

    words = words(OWN_WORDS)


class OwnMarks(Struct, line=True):
    """What is counted on one pCPU for a user's code: its windows, and the records of its checks."""

    windows = words(OWN_WINDOWS)
    records = words(OWN_CHECKS * RECORD_WORDS)


class Machine(Struct, line=True):
    """The whole emulated host. Behind the pCPUs lies what only a user's code touches."""

    config = struct(Config)
    vcpus = array(Vcpu, MAX_PCPUS)
    pcpus = array(Pcpu, MAX_PCPUS)
    own_vcpus = array(OwnWords, MAX_PCPUS)
    own_pcpus = array(OwnWords, MAX_PCPUS)
    own_shared = struct(OwnWords)
    own_marks = array(OwnMarks, MAX_PCPUS)
    ended = word(line=True)
    """How many of the vCPUs' tasks have ended."""
    bypass = word()
    """1 while a device is assigned whose interrupts reach the descriptor without KVM (``nr_possible_bypass_irqs``)."""


def machine() -> Machine:
    """Return the machine."""
    return Machine(memory())


def config() -> Config:
    """Return what is raced."""
    return Machine(memory()).config


def this_pcpu() -> Pcpu:
    """Return the pCPU that runs the caller."""
    return Pcpu(this_cpu_ptr())


def smp_processor_id() -> int:
    """Return the number of the pCPU that runs the caller."""
    return local_read(Pcpu(this_cpu_ptr()).id)
