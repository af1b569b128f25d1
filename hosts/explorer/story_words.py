"""Words and numbers of a witness as a kernel engineer writes them: ``ON``, ``PIR 34``, ``mode -> IN_GUEST``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from emu.exits import (
    EXIT_REASON_CPUID,
    EXIT_REASON_EXTERNAL_INTERRUPT,
    EXIT_REASON_HLT,
    EXIT_REASON_MSR_WRITE,
    EXIT_REASON_PREEMPTION_TIMER,
)
from emu.guest import GUEST_ARM_LATER, GUEST_ARM_NOW, GUEST_CPUID, GUEST_HLT, GUEST_ICR, GUEST_SELF_IPI
from emu.kvm_main import (
    EXITING_GUEST_MODE,
    IN_GUEST_MODE,
    KVM_REQ_EVENT,
    KVM_REQ_TLB_FLUSH,
    KVM_REQ_UNBLOCK,
    OUTSIDE_GUEST_MODE,
    TASK_ASLEEP,
    TASK_INTERRUPTIBLE,
    TASK_RUNNING,
)

if TYPE_CHECKING:
    from hosts.explorer.story_acts import Act

WORD: Final = (1 << 64) - 1
MODES: Final = {OUTSIDE_GUEST_MODE: "OUTSIDE", IN_GUEST_MODE: "IN_GUEST", EXITING_GUEST_MODE: "EXITING"}
TASKS: Final = {TASK_RUNNING: "RUNNING", TASK_INTERRUPTIBLE: "INTERRUPTIBLE", TASK_ASLEEP: "ASLEEP"}
REQUESTS: Final = {KVM_REQ_TLB_FLUSH: "TLB_FLUSH", KVM_REQ_UNBLOCK: "UNBLOCK", KVM_REQ_EVENT: "EVENT"}
EXITS: Final = {
    EXIT_REASON_CPUID: "CPUID",
    EXIT_REASON_HLT: "HLT",
    EXIT_REASON_MSR_WRITE: "WRMSR",
    EXIT_REASON_PREEMPTION_TIMER: "preemption timer",
    EXIT_REASON_EXTERNAL_INTERRUPT: "external interrupt",
}
ITEMS: Final = {
    GUEST_CPUID: "CPUID",
    GUEST_HLT: "HLT",
    GUEST_ARM_NOW: "WRMSR TSC_DEADLINE, past",
    GUEST_ARM_LATER: "WRMSR TSC_DEADLINE, ahead",
    GUEST_SELF_IPI: "self-IPI",
    GUEST_ICR: "WRMSR ICR",
}


def vectors_in(words: Iterable[int]) -> list[int]:
    """Give the vectors whose bits are set in consecutive words, the lowest first."""
    return [64 * i + bit for i, word in enumerate(words) for bit in range(64) if word >> bit & 1]


def vectors(found: Iterable[int]) -> str:
    """Write vectors."""
    return " ".join(f"{vector:02x}" for vector in found)


def field_of(word: str) -> tuple[int, str]:
    """Split the name of a vCPU's word: its number (-1: not a vCPU's) and what remains."""
    match = re.fullmatch(r"vcpu(\d+)\.(.*)", word)
    return (int(match[1]), match[2]) if match else (-1, word)


def value_text(field: str, value: int) -> str:
    """Write what a word holds."""
    if field == "mode":
        return MODES.get(value, str(value))
    if field == "wait.state":
        return TASKS.get(value, str(value))
    if field == "requests":
        return " ".join(name for bit, name in REQUESTS.items() if value >> bit & 1) or "none"
    if field == "pi_desc.control":
        return f"ON {value & 1}"
    match = re.fullmatch(r"(?:pi_desc\.pir|apic\.virr)\[(\d)\]", field)
    if match:
        return vectors(vectors_in([0] * int(match[1]) + [value])) or "empty"
    return str(value) if abs(value) < 1 << 16 else hex(value & WORD)


def name_of(field: str) -> str:
    """Write a word's name short."""
    return field.replace("pi_desc.control", "control").replace("pi_desc.pir", "PIR")


def operation_text(act: Act, vcpus: int) -> str:  # noqa: PLR0911 - one for each kind
    """Write what an act does, and the value it was answered."""
    number, field = field_of(act.word)
    whose = f"vcpu{number}." if number >= 0 and vcpus > 1 else ""
    if act.kind in _SPECIAL:
        return _SPECIAL[act.kind](act, vcpus)
    if field == "pi_desc.control" and act.kind in ("LOAD", "OR", "AND"):
        return whose + _on_text(act)
    name = whose + name_of(field)
    old = value_text(field, act.answer)
    match act.kind:
        case "LOAD":
            return f"{name} -> {old}"
        case "STORE":
            return f"{name} = {value_text(field, act.a)}"
        case "XCHG":
            return (
                f"{name} taken: {old}"
                if field.startswith("pi_desc.pir") and act.a == 0
                else (f"xchg {name} = {value_text(field, act.a)}: was {old}")
            )
        case "CMPXCHG":
            done = "" if act.answer == act.a else ", lost"
            return f"cmpxchg {name} {value_text(field, act.a)} to {value_text(field, act.b)}: was {old}{done}"
        case "OR":
            return f"{_bits(name)} {value_text(field, act.a)} set, {_was(act.answer & act.a)}"
        case "AND":
            return f"{_bits(name)} {value_text(field, ~act.a)} cleared, {_was(act.answer & ~act.a)}"
        case "ADD":
            return f"{name} + {act.a}, was {old}"
    return f"{act.kind} {name}"


def _bits(name: str) -> str:
    """Leave out which PIR word it is where the bit says so."""
    return name.partition("[")[0]


def _was(bits: int) -> str:
    return f"was {int(bits != 0)}"


def _on_text(act: Act) -> str:
    if act.kind == "LOAD":
        return f"ON -> {act.answer & 1}"
    if act.kind == "OR":
        return f"ON set, was {act.answer & 1}" if act.a & 1 else f"control | {act.a:#x}"
    return f"ON cleared, was {act.answer & 1}" if not act.a & 1 else f"control & {act.a & WORD:#x}"


def _guest(act: Act, _vcpus: int) -> str:
    return f"guest: {ITEMS.get(act.a, 'nothing')}"


def _drain(act: Act, vcpus: int) -> str:
    number, field = field_of(act.word)
    whose = f"vcpu{number}." if number >= 0 and vcpus > 1 else ""
    return f"(buffer) {whose}{name_of(field)} = {value_text(field, act.a)} reaches memory"


def _send(act: Act, _vcpus: int) -> str:
    return f"IPI {act.b:02x} to pCPU {act.a}"


_SPECIAL: Final[Mapping[str, Callable[[Act, int], str]]] = {
    "FENCE": lambda _act, _vcpus: "full barrier",
    "SEND": _send,
    "ACK": lambda act, _vcpus: f"interrupt: takes {act.answer:02x}",
    "drain": _drain,
    "arrive": lambda act, _vcpus: f"(APIC) IPI {act.a:02x} arrives, pending",
    "entry": lambda _act, _vcpus: "VM-entry",
    "exit": lambda act, _vcpus: f"VM-exit: {EXITS.get(act.a, act.a)}",
    "guest": _guest,
    "deliver": lambda act, _vcpus: f"guest handles {act.a:02x}",
    "sighting": lambda act, _vcpus: f"{act.word} fires" + (f": {act.a:02x}" if act.a >= 0 else ""),
}


def state_text(view: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Write a state: the descriptor, mode, RVI and vIRR of each vCPU, then what is on its way."""
    several = len(view["vcpus"]) > 1
    parts = [
        (f"vcpu{i}: " if several else "") + _vcpu_text(vcpu) + ";" * several for i, vcpu in enumerate(view["vcpus"])
    ]
    parts += [
        f"pending {vectors(each)}" + _at_thread(i, len(view["vcpus"])) for i, each in enumerate(view["pending"]) if each
    ]
    parts += [f"in flight {vector:02x}" + _at_thread(target, len(view["vcpus"])) for target, vector in view["flight"]]
    for thread, buffer in enumerate(view["buffers"]):
        if buffer:
            stores = ", ".join(stored(word, value, several=several).replace(" ", "") for word, value in buffer)
            parts.append(f"[buffer of {names[thread]}: {stores}]")
    return " ".join(parts)


def _at_thread(thread: int, vcpus: int) -> str:
    return "" if thread == 0 and vcpus == 1 else f" at {thread}"


def stored(word: str, value: int, *, several: bool = False) -> str:
    """Write a store."""
    number, field = field_of(word)
    whose = f"vcpu{number}." if number >= 0 and several else ""
    return f"{whose}{name_of(field)} = {value_text(field, value)}"


def _vcpu_text(vcpu: Mapping[str, Any]) -> str:
    parts = [MODES.get(vcpu["mode"], str(vcpu["mode"]))]
    parts += ["ON"] * vcpu["on"] + ["SN"] * vcpu["sn"]
    if vcpu["pir"]:
        parts.append(f"PIR {vectors(vcpu['pir'])}")
    if vcpu["rvi"]:
        parts.append(f"RVI {vcpu['rvi']:02x}")
    if vcpu["virr"]:
        parts.append(f"vIRR {vectors(vcpu['virr'])}")
    if vcpu["requests"]:
        parts.append(f"req {value_text('requests', vcpu['requests'])}")
    if vcpu["waiting"] or vcpu["task"]:
        parts.append(f"task {TASKS.get(vcpu['task'], vcpu['task'])}{'' if vcpu['waiting'] else ', no waiter'}")
    return " ".join(parts)
