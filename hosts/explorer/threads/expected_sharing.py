"""Words that are taken for shared from the start where several pCPUs run tasks: which turn out to be so anyway.

Each would be found by itself, with a search that begins anew: a minute of searches. That a word is expected here which
is not shared costs states; that one is missing costs time. Neither makes a result wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from emu.machine import MAX_PCPUS, Machine, Vcpu
from emu.vectors import SLOT_DEVICE, slot_of, vector_of
from emu.workload.liveness import TICK_VECTOR
from emu.workload.program import GUEST_HLT, GUEST_STI_HLT
from hosts.explorer.threads.harness import Scope


def expected_shared(machine: Machine, scope: Scope) -> list[int]:
    """Return words of the scheduler and of descriptors that several threads use; none if one pCPU runs all tasks."""
    if scope.task_pcpus < 2:  # noqa: PLR2004 - others to share with
        return []
    words: list[int] = [machine.ended]
    for i in range(scope.task_pcpus):
        pcpu = machine.pcpus[i]
        words += [pcpu.rq.queued, pcpu.rq.need_resched, pcpu.marks.inside]
    for v in range(scope.vcpus):
        sched = machine.vcpus[v].sched
        words += [sched.context, sched.on_cpu, sched.cpu]
        words += _met(machine.vcpus[v], scope, v)
    if any(_halts(scope, v) for v in range(scope.vcpus)):
        for i in range(scope.task_pcpus):
            words += [machine.pcpus[i].wakeup.lock, machine.pcpus[i].wakeup.vcpus]
    return words


def expected_own(machine: Machine, scope: Scope) -> list[int]:
    """Return words that are written in most runs, though not soon, by one thread or task: they are no constants."""
    words: list[int] = []
    for i in range(scope.task_pcpus):
        pcpu = machine.pcpus[i]
        words += [pcpu.rq.prev, pcpu.irq.need_resched, pcpu.irq.running_vcpu, pcpu.between_check_and_sleep]
    for v in range(scope.vcpus if scope.task_pcpus else 0):
        vcpu = machine.vcpus[v]
        words += [vcpu.vmcs.vm_exit_reason, vcpu.vmcs.exit_qualification, vcpu.vmcs.vm_exit_intr_info]
        words += [vcpu.sched.on_rq, vcpu.preempted, vcpu.guest.turn_wanted]
    return words


def _met(vcpu: Vcpu, scope: Scope, number: int) -> Iterator[int]:
    """Yield what others use of a vCPU that is posted to, kicked, or woken: with what instruments note of a post."""
    posts = [*_posted(scope, number)]
    if _halts(scope, number):
        posts += [(TICK_VECTOR, i) for i in range(scope.task_pcpus)]
        yield from (vcpu.wait.task, vcpu.sleeps_above, vcpu.sleeps_with)
    for vector, sender in posts:
        yield vcpu.mail[slot_of(vector) * MAX_PCPUS + sender]
        yield vcpu.untold[sender]
        yield vcpu.delivered[slot_of(vector)]
    if posts:
        yield vcpu.mode
        yield vcpu.pi_desc.control
        yield from (vcpu.pi_desc.pir[i] for i in range(4))
    if any(act.startswith(("kick", "assign")) for column in scope.acts for act in column):
        yield vcpu.requests


def _halts(scope: Scope, number: int) -> bool:
    """Return whether a vCPU may go to sleep, so that it is woken by a tick."""
    acts = not scope.turns or scope.turns[number] != 0
    return acts and not {GUEST_HLT, GUEST_STI_HLT}.isdisjoint(scope.guest)


def _posted(scope: Scope, number: int) -> Iterator[tuple[int, int]]:
    """Yield the vectors that other pCPUs and devices post to a vCPU, with the pCPU that does."""
    for sender, column in enumerate(scope.acts, scope.serving):
        for act in column:
            name, _, target = act.partition("@")
            if int(target or 0) == number:
                if name.startswith("post:"):
                    yield int(name.removeprefix("post:"), 16), sender
                elif name == "iommu":
                    yield vector_of(SLOT_DEVICE), sender
