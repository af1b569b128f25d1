"""A compiled root for tests of tasks: a scheduler of a few lines, and tasks that compute, switch and are preempted.

Runnable tasks stand in one word, from which every pCPU takes, so that each goes on wherever one has come by. A task's
numbers live in its locals, which is to say on its stack and in registers; at every turn they are compared with what
memory has of them.
"""

from __future__ import annotations

from emu.memory import Struct, array, word
from emu.waist import BIT
from hosts.compiler.attributes import cold
from hosts.compiler.unit import Unit
from hosts.native.codegen.intrinsics import (
    fetch_add,
    fetch_and,
    fetch_or,
    load,
    load_private,
    memory_address,
    store,
    store_private,
)
from hosts.native.codegen.symbols import symbols
from hosts.native.memory.task_stacks import PAGE_BYTES, STRIDE, top
from hosts.native.runtime.interrupts import attention
from hosts.native.runtime.process_locals import increment, this_process
from hosts.native.runtime.receive import apic_ack, due
from hosts.native.runtime.rendezvous import run_goes_on
from hosts.native.runtime.send import all_silent, say_silent, send_IPI
from hosts.native.runtime.tasks import MEMORY_FAULT, note_fault, switch_to, task_ended
from hosts.native.runtime.waiting import cpu_relax

TAKE, LIVE = 0, 1
"""Roles of pCPUs: take an interrupt; run tasks."""
SWITCH, RETURN, OVERFLOW, SELF = 3, 4, 5, 6
"""Roles of tasks: switch and be preempted; come to an end; write below the own stack; resume itself, which runs."""
RESCHEDULE = 0xFD
IPI_SHARE = 15
"""One turn in 16 sends an IPI to the other pCPU, whose task is preempted."""
MULTIPLIER = 6364136223846793005
ROUND = 1023
"""A task begins its computation again in every turn that has none of these bits: who repeats it need not repeat all."""
TASKS = 3
FIRST_TOP = top(0)


class Small(Struct, line=True):
    """One task."""

    context = word()
    sum = word(line=True)
    """What the task has computed; it alone writes."""
    turns = word()
    migrations = word()
    preempted = word()
    """Migrations from within an interrupt's handler."""
    wrong = word()
    """Locals that were not what they had been before a switch."""
    on_first = word()
    """Turns on pCPU 0."""
    on_second = word()


class Idle(Struct, line=True):
    """One pCPU."""

    context = word()
    current = word()
    """1 + the task that runs here; 0: none does."""
    leaving = word()
    """1 + the runnable task that has just been switched away from; 0: there is none."""
    wrong = word()
    """How often the idle task found itself in another process than it belongs to."""


class Little(Struct, line=True):
    """The whole machine."""

    queued = word()
    migrations = word(line=True)
    tasks = array(Small, TASKS)
    idles = array(Idle, 2)


def little() -> Little:
    """Return the machine."""
    return Little(memory_address())


def idle_of(cpu: int) -> Idle:
    """Return what belongs to a pCPU."""
    return Little(memory_address()).idles[cpu]


def this_cpu() -> int:
    """Return the number of the pCPU that runs the caller."""
    return load_private(this_process().cpu)


def flag(value: int) -> None:
    """Set the interrupt flag of the pCPU that runs the caller."""
    store_private(load_private(this_process().irq_enabled_at), value)


# --- the scheduler -----------------------------------------------------------------------------------------------


def pick() -> int:
    """Take a runnable task off the queue; -1 if there is none."""
    machine = little()
    queued = load(machine.queued)
    for number in range(TASKS):
        if queued & BIT(number) != 0 and fetch_and(machine.queued, ~BIT(number)) & BIT(number) != 0:
            return number
    return -1


def leave(runnable: int) -> None:
    """Switch from the task that runs here to the next one, or to the idle task; interrupts are off."""
    own = idle_of(this_cpu())
    current = load_private(own.current) - 1
    following = pick() if runnable != 0 else -1
    if following < 0 and runnable != 0:
        return
    prev = little().tasks[current]
    store_private(own.leaving, current + 1 if runnable != 0 else 0)
    if following < 0:
        store_private(own.current, 0)
        switch_to(prev.context, own.context)
    else:
        enter(following)
        switch_to(prev.context, little().tasks[following].context)
    arrive()


def enter(number: int) -> None:
    """Make a task the current one."""
    store_private(idle_of(this_cpu()).current, number + 1)


def arrive() -> None:
    """Queue the task that was switched away from, now that its stack is free, on the pCPU on which this one goes on."""
    own = idle_of(this_cpu())
    leaving = load_private(own.leaving)
    store_private(own.leaving, 0)
    if leaving != 0:
        fetch_or(little().queued, BIT(leaving - 1))


def live() -> int:
    """Run tasks until the run is over; return how often the idle task switched to one."""
    me, begun = this_cpu(), 0
    while run_goes_on() != 0:
        number = pick()
        if number < 0:
            cpu_relax()
            continue
        begun += 1
        enter(number)
        switch_to(idle_of(me).context, little().tasks[number].context)
        arrive()
        if this_cpu() != me:
            increment(idle_of(me).wrong)
    say_silent()
    while all_silent() == 0:
        cpu_relax()
    return begun


# --- what runs ---------------------------------------------------------------------------------------------------


def take() -> int:
    """The handler: another task may go on before this one does, which may then be on another pCPU."""
    flag(0)
    apic_ack()
    before = this_cpu()
    current = load_private(idle_of(before).current)
    if current != 0:
        leave(1)
        if this_cpu() != before:
            increment(little().tasks[current - 1].preempted)
    flag(1)
    return 0


def look() -> None:
    """An interrupt point."""
    if due(this_process()):
        outlined_attention(0)


outlined_attention = cold(attention)


def turns(number: int) -> None:
    """Compute, and switch, for ever."""
    task = little().tasks[number]
    a, b, c, d, e, f, g, h = number + 1, 2, 3, 4, 5, 6, 7, 8
    turn = 0
    flag(1)
    while True:
        turn += 1
        before = this_cpu()
        if turn & IPI_SHARE == number & IPI_SHARE:
            send_IPI(1 - before, RESCHEDULE)
        look()
        after_point = this_cpu()
        flag(0)
        leave(1 if run_goes_on() != 0 else 0)
        now = this_cpu()
        flag(1)
        if now != after_point or after_point != before:
            increment(task.migrations)
            fetch_add(little().migrations, 1)
        increment(task.on_first if now == 0 else task.on_second)
        if load(task.sum) != a ^ b ^ c ^ d ^ e ^ f ^ g ^ h and turn != 1:
            increment(task.wrong)
        a, b, c, d = a * MULTIPLIER + turn, b + a, c ^ (b * 3), d + (c >> 5)
        e, f, g, h = e * MULTIPLIER + d, f ^ e, g + (f >> 7), h * 5 + g
        if turn & ROUND == 0:
            a, b, c, d, e, f, g, h = number + 1, 2, 3, 4, 5, 6, 7, 8
        store(task.sum, a ^ b ^ c ^ d ^ e ^ f ^ g ^ h)
        store(task.turns, turn)


def begin(role: int, number: int) -> None:
    """What a fresh stack begins in."""
    arrive()
    if role == SWITCH:
        turns(number)
    if role == OVERFLOW:
        at = top_of(number) - STRIDE + PAGE_BYTES
        while number >= 0:
            store(at, 1)
            at -= 8
    if role == SELF:
        switch_to(little().tasks[number].context, little().tasks[number].context)
    task_ended()


def top_of(number: int) -> int:
    """Return the address behind a stack."""
    return FIRST_TOP + number * STRIDE


def root(role: int, argument: int) -> int:
    """Do what the role says."""
    if role == TAKE:
        return take()
    if role == LIVE:
        return live()
    if role == MEMORY_FAULT:
        note_fault(argument)
        return 0
    begin(role, argument)
    return 0


def object_code() -> bytes:
    """Compile the root."""
    unit = Unit({"root": root})
    unit.compile()
    return unit.object_code(symbols=symbols())
