"""The decoded dump of a machine image: as plain values, and as lines of text under the kernel's names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from emu.kvm_host import KVM_MP_STATE_HALTED, KVM_MP_STATE_RUNNABLE
from emu.machine import MAX_PCPUS, Machine, Pcpu, PiDesc, Vcpu
from emu.memory import Words
from emu.observe.accounting import CHECKS, COUNTERS, RECORD_WORDS, WINDOWS
from emu.posted_intr import NDST_SHIFT, NV_SHIFT, POSTED_INTR_ON, POSTED_INTR_SN
from emu.vectors import SLOTS, vector_of
from hosts.kernel_names import MODES, TASKS, vector_text
from hosts.native.memory.addresses import MEMORY_AT
from hosts.native.memory.layout import BOUND, CLOSED, DONE, READY, RUNNING, STARTED
from hosts.plural import counted, how_often
from hosts.runs.collect import readable
from hosts.soak.postmortem.decode import Event, guest_vector, host_vector, request
from hosts.soak.postmortem.machine_image import READABLE_EVENTS, MachineImage
from hosts.soak.postmortem.own_words import own_sightings, own_windows, own_words

PHASES: Final = {
    0: "not started",
    STARTED: "started",
    BOUND: "socket bound",
    READY: "ready",
    RUNNING: "running",
    DONE: "done",
    CLOSED: "closed",
}
MP_STATES: Final = {KVM_MP_STATE_RUNNABLE: "runnable", KVM_MP_STATE_HALTED: "halted"}
TROUBLES: Final = ("error", "bad_frames", "sent_late", "faulted", "throttled", "stalls")
"""Host words of a pCPU that are 0 in most runs."""
_FIRST_VCPU: Final = Machine(0).vcpus[0].at


# --- values ------------------------------------------------------------------------------------------------------


def decoded(saved: MachineImage, last: int = READABLE_EVENTS) -> dict[str, Any]:
    """Return the state of each vCPU and pCPU as plain values; of each pCPU the ``last`` events."""
    run, words = saved.host.run, own_words(saved)
    return {
        "policy": saved.policy,
        "mutation": saved.mutation,
        "seed": saved.seed,
        "turn": saved.read(run.turn.number),
        "stop_asked": saved.read(run.stop) != 0,
        "sighted_by": saved.sighted_by,
        "vcpus": [_vcpu(saved, i) for i in range(saved.vcpus)],
        "pcpus": [_pcpu(saved, i, last) for i in range(saved.pcpus)],
    } | ({"own_words": words} if words else {})


def _vcpu(saved: MachineImage, number: int) -> dict[str, Any]:
    vcpu, read = saved.machine.vcpus[number], saved.read
    apic, vmcs, guest = vcpu.apic, vcpu.vmcs, vcpu.guest
    requests = read(vcpu.requests)
    return {
        "vcpu": number,
        "mode": MODES.get(read(vcpu.mode), str(read(vcpu.mode))),
        "cpu": read(vcpu.cpu),
        "descriptor": _descriptor(saved, vcpu.pi_desc),
        "rvi": read(vmcs.rvi),
        "svi": read(vmcs.svi),
        "virr": _vectors(saved, apic.virr),
        "visr": _vectors(saved, apic.visr),
        "vppr": read(apic.vppr),
        "requests": [request(bit) for bit in range(64) if requests >> bit & 1],
        "mp_state": MP_STATES.get(read(vcpu.mp_state), str(read(vcpu.mp_state))),
        "wait": {"task": read(vcpu.wait.task), "state": TASKS.get(read(vcpu.wait.state), str(read(vcpu.wait.state)))},
        "timer": {
            "armed": read(apic.tscdeadline) != 0,
            "pending": read(apic.timer_pending),
            "hv_timer_in_use": read(apic.hv_timer_in_use),
        },
        "guest": {
            "rflags_if": read(guest.rflags_if),
            "in_service": read(guest.in_service),
            "turn": read(guest.turn),
            "silent": read(guest.silent),
            "ended": read(guest.ended),
        },
        "vectors": [_slot(saved, vcpu, slot) for slot in range(SLOTS)],
        "unread_mail": list(_unread(saved, vcpu)),
    }


def _descriptor(saved: MachineImage, descriptor: PiDesc) -> dict[str, Any]:
    control = saved.read(descriptor.control)
    return {
        "pir": _vectors(saved, descriptor.pir),
        "on": control >> POSTED_INTR_ON & 1,
        "sn": control >> POSTED_INTR_SN & 1,
        "nv": control >> NV_SHIFT & 0xFF,
        "ndst": control >> NDST_SHIFT & 0xFFFF_FFFF,
        "generation": saved.read(descriptor.software[0]),
    }


def _vectors(saved: MachineImage, bitmap: Words) -> list[int]:
    held = saved.slice(bitmap.at, 4)
    return [vector for vector in range(256) if held[vector >> 6] >> (vector & 63) & 1]


def _slot(saved: MachineImage, vcpu: Vcpu, slot: int) -> dict[str, int]:
    at = (vcpu.at - _FIRST_VCPU) // Vcpu.nbytes * SLOTS + slot
    accepted = sum(saved.read(saved.machine.pcpus[i].accepted[at]) for i in range(saved.pcpus))
    return {
        "vector": vector_of(slot),
        "accepted": accepted,
        "self_ipis": saved.read(vcpu.self_ipis[slot]),
        "delivered": saved.read(vcpu.delivered[slot]),
        "merged": saved.read(vcpu.merged[slot]),
    }


def _unread(saved: MachineImage, vcpu: Vcpu) -> Iterator[dict[str, int]]:
    for slot in range(SLOTS):
        for sender in range(saved.pcpus):
            box = slot * MAX_PCPUS + sender
            mail, seen = saved.read(vcpu.mail[box]), saved.read(vcpu.acknowledged[box])
            refused = mail == saved.read(vcpu.refused[box]) and seen >= saved.read(vcpu.accepted_before[box])
            if mail != seen and not refused:
                yield {"vector": vector_of(slot), "sender": sender, "mail": mail, "acknowledged": seen}


def _pcpu(saved: MachineImage, number: int, last: int) -> dict[str, Any]:
    cpu, own, read = saved.machine.pcpus[number], saved.host.cpus[number], saved.read
    return {
        "pcpu": number,
        "pid": read(own.pid),
        "phase": PHASES.get(read(own.phase), str(read(own.phase))),
        "heartbeat": read(own.heartbeat),
        "interrupts_on": read(cpu.irq.enabled),
        "preempt_count": read(cpu.irq.preempt_count),
        "non_root": read(cpu.irq.non_root),
        "running_vcpu": _running(read(cpu.irq.running_vcpu)),
        "posted_interrupt_processing": read(cpu.irq.processing) & 1,
        "inside_delivery": read(cpu.marks.inside) & 1,
        "turn_done": read(cpu.marks.turn_done),
        "silent": read(own.silent),
        "pending": _vectors(saved, own.pending),
        "frames_under_way": read(saved.host.bells[number].rung) - read(own.taken_total),
        "trouble": {name: read(getattr(own, name)) for name in TROUBLES if read(getattr(own, name)) != 0},
        "sightings": [*_sightings(saved, cpu), *own_sightings(saved, number)],
        "counters": dict(zip(COUNTERS, saved.slice(cpu.counters.at, len(COUNTERS)), strict=True)),
        "windows": dict(zip(WINDOWS, saved.slice(cpu.windows.at, len(WINDOWS)), strict=True))
        | own_windows(saved, number),
        "events_sighted": _events(saved.events_sighted(number), last),
        "events": _events(saved.events(number), last),
    }


def _events(events: list[Event], last: int) -> list[dict[str, Any]]:
    return [
        {"sequence": each.sequence, "turn": each.turn, "event": each.name}
        | {"argument": each.argument, "text": each.text()}
        for each in events[max(0, len(events) - last) :]
    ]


def _running(address: int) -> int | None:
    """Return the number of the vCPU at an address of its pCPU's memory; None: no vCPU is running."""
    return (address - MEMORY_AT - _FIRST_VCPU) // Vcpu.nbytes if address else None


def _sightings(saved: MachineImage, cpu: Pcpu) -> Iterator[dict[str, Any]]:
    for i, check in enumerate(CHECKS):
        record = saved.slice(cpu.records[i * RECORD_WORDS], RECORD_WORDS)
        if record[0] != 0:
            yield {"check": check, "count": record[0], "first": readable(record)}


# --- lines -------------------------------------------------------------------------------------------------------


def text(saved: MachineImage, last: int = 24) -> str:
    """Return the dump as lines of text; of each pCPU the ``last`` events."""
    return "\n".join(_lines(decoded(saved, last)))


def _lines(machine: Mapping[str, Any]) -> Iterator[str]:
    if not machine["pcpus"]:
        yield "final state of the machine: nothing had been set up"
        return
    mutated = f" + {machine['mutation']}" if machine["mutation"] is not None else ""
    stop = ", asked to stop" if machine["stop_asked"] else ""
    run = f"{machine['policy']}{mutated}, seed {machine['seed']}, turn {machine['turn']}{stop}"
    yield f"final state of the machine: {run}"
    if machine["sighted_by"] is not None:
        yield f"the first violation was seen by cpu {machine['sighted_by']}"
    if "own_words" in machine:
        yield f"words of the user's code: {_counts(machine['own_words'])}"
    for vcpu in machine["vcpus"]:
        yield from _vcpu_lines(vcpu)
    for pcpu in machine["pcpus"]:
        yield from _pcpu_lines(pcpu)


def _vcpu_lines(vcpu: Mapping[str, Any]) -> Iterator[str]:
    descriptor, timer, guest = vcpu["descriptor"], vcpu["timer"], vcpu["guest"]
    yield f"vcpu {vcpu['vcpu']}: {vcpu['mode']}, on cpu {vcpu['cpu']}, {vcpu['mp_state']}"
    yield (
        f"    descriptor: PIR {_guest_vectors(descriptor['pir'])}; ON {descriptor['on']} SN {descriptor['sn']} "
        f"NV {vector_text(descriptor['nv'])} NDST {descriptor['ndst']}; "
        f"ON cleared {how_often(descriptor['generation'])}"
    )
    yield (
        f"    RVI {guest_vector(vcpu['rvi'])}, SVI {guest_vector(vcpu['svi'])}, PPR {vector_text(vcpu['vppr'])}; "
        f"vIRR {_guest_vectors(vcpu['virr'])}; vISR {_guest_vectors(vcpu['visr'])}"
    )
    task = "published" if vcpu["wait"]["task"] else "none"
    yield f"    requests {', '.join(vcpu['requests']) or 'none'}; wait record {task}, task {vcpu['wait']['state']}"
    yield (
        f"    timer {'armed' if timer['armed'] else 'off'}, pending {timer['pending']}, "
        f"hv timer {'in use' if timer['hv_timer_in_use'] else 'not in use'}; guest IF {guest['rflags_if']}, "
        f"{counted(guest['in_service'], 'handler')} in service, turn {guest['turn']}"
    )
    for slot in vcpu["vectors"]:
        if slot["accepted"] or slot["self_ipis"]:
            yield (
                f"    {guest_vector(slot['vector'])}: accepted {slot['accepted']}, self-IPIs {slot['self_ipis']}, "
                f"delivered {slot['delivered']}, merged {slot['merged']}"
            )
    for box in vcpu["unread_mail"]:
        yield (
            f"    unread: {guest_vector(box['vector'])} from cpu {box['sender']}, "
            f"number {box['mail']}, last read {box['acknowledged']}"
        )


def _guest_vectors(vectors: list[int]) -> str:
    return ", ".join(map(guest_vector, reversed(vectors))) or "empty"


def _pcpu_lines(pcpu: Mapping[str, Any]) -> Iterator[str]:
    where = "non-root" if pcpu["non_root"] else "root"
    running = f"vcpu {pcpu['running_vcpu']}" if pcpu["running_vcpu"] is not None else "none"
    yield (
        f"cpu {pcpu['pcpu']}: pid {pcpu['pid']}, {pcpu['phase']}; {where}, IF {pcpu['interrupts_on']}, "
        f"preempt_count {pcpu['preempt_count']}, running vCPU {running}"
    )
    pending = ", ".join(map(host_vector, reversed(pcpu["pending"]))) or "nothing"
    inside = ["in posted-interrupt processing"] * pcpu["posted_interrupt_processing"]
    inside += ["inside a delivery, wake or kick"] * pcpu["inside_delivery"]
    under_way = f"{counted(pcpu['frames_under_way'], 'IPI')} under way to it"
    yield f"    {'; '.join([f'pending {pending}', under_way, *inside])}"
    if pcpu["trouble"]:
        yield f"    {_counts(pcpu['trouble'])}"
    for seen in pcpu["sightings"]:
        first = ", ".join(f"{name} {value}" for name, value in seen["first"].items())
        yield f"    {seen['check']} fired {how_often(seen['count'])}; first: {first}"
    yield f"    counted: {_counts(pcpu['counters']) or 'nothing'}"
    yield f"    windows: {_counts(pcpu['windows']) or 'none'}"
    if pcpu["events_sighted"]:
        yield from _event_lines("before the first violation was seen", pcpu["events_sighted"])
    yield from _event_lines("of all", pcpu["events"])


def _event_lines(which: str, events: list[Mapping[str, Any]]) -> Iterator[str]:
    yield f"    the last {counted(len(events), 'event')} {which} (turn, number, event):" if events else "    no events"
    for event in events:
        yield f"        {event['turn']:>9} {event['sequence']:>10}  {event['text']}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in counts.items() if number)
