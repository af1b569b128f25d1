"""Format of words and values as a kernel engineer writes them: ``ON``, ``PIR 0x34``, ``mode -> IN_GUEST``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from emu.workload.program import (
    GUEST_ARM_LATER,
    GUEST_ARM_NOW,
    GUEST_CLI,
    GUEST_CPUID,
    GUEST_HLT,
    GUEST_ICR,
    GUEST_ICR_SELF,
    GUEST_LOWER_TPR,
    GUEST_RAISE_TPR,
    GUEST_SELF_IPI,
    GUEST_STI,
    GUEST_STI_HLT,
)
from hosts.explorer.explanation.act import Act
from hosts.explorer.explanation.control_word import CONTROL, changed_text, control_text, odd_text
from hosts.kernel_names import EXITS, SHORT_MODES, SHORT_REQUESTS, SHORT_TASKS, vector_text, vectors_text

WORD: Final = (1 << 64) - 1
_BITMAP: Final = re.compile(r"(?:pi_desc\.pir|apic\.virr|apic\.visr)\[(\d)\]")
"""Words of 256-bit registers."""
_VCPUS: Final = ("rq.queued", "wakeup.vcpus")
"""Words that have a bit for each vCPU."""
_FLAGS: Final = ("rq.need_resched", "wakeup.lock", "bypass")
"""Words of which only bit 0 is used."""
ITEMS: Final = {
    GUEST_CPUID: "CPUID",
    GUEST_HLT: "HLT",
    GUEST_ARM_NOW: "WRMSR TSC_DEADLINE, past",
    GUEST_ARM_LATER: "WRMSR TSC_DEADLINE, ahead",
    GUEST_SELF_IPI: "self-IPI",
    GUEST_ICR: "WRMSR ICR",
    GUEST_ICR_SELF: "WRMSR ICR, to itself",
    GUEST_CLI: "CLI",
    GUEST_STI: "STI",
    GUEST_STI_HLT: "STI; HLT",
    GUEST_RAISE_TPR: "TPR raised",
    GUEST_LOWER_TPR: "TPR lowered",
}


def vectors_in(words: Iterable[int]) -> list[int]:
    """Return the vectors whose bits are set in consecutive words, the lowest first."""
    return [64 * i + bit for i, word in enumerate(words) for bit in range(64) if word >> bit & 1]


def field_of(word: str) -> tuple[int, str]:
    """Split the name of a vCPU's word: its number (-1: not a vCPU's) and what remains."""
    match = re.fullmatch(r"vcpu(\d+)\.(.*)", word)
    return (int(match[1]), match[2]) if match else (-1, word)


def value_text(field: str, value: int, ndst: int = 0) -> str:  # noqa: PLR0911 - one for each kind
    """Write what a word holds; ``ndst``: the pCPU that is not told of a control word (:func:`usual_ndst`)."""
    if field == "mode":
        return SHORT_MODES.get(value, str(value))
    if field == "wait.state":
        return SHORT_TASKS.get(value, str(value))
    if field == "requests":
        return " ".join(name for bit, name in SHORT_REQUESTS.items() if value >> bit & 1) or "none"
    if field == CONTROL:
        return control_text(value, ndst)
    if match := _BITMAP.fullmatch(field):
        return vectors_text(vectors_in([0] * int(match[1]) + [value])) or "empty"
    if field.endswith(_VCPUS):
        return " ".join(f"vCPU {i}" for i in range(64) if value >> i & 1) or "none"
    return str(value) if abs(value) < 1 << 16 else hex(value & WORD)


def name_of(field: str) -> str:
    """Write a word's name short."""
    return field.replace("pi_desc.control", "control").replace("pi_desc.pir", "PIR")


def usual_ndst(vcpu: int, tasks: int) -> int:
    """Return the NDST of a vCPU that is not worth telling, by the pCPUs that run tasks; -1: it is told always."""
    return {0: max(vcpu, 0), 1: 0}.get(tasks, -1)


def operation_text(act: Act, vcpus: int, tasks: int = 0) -> str:  # noqa: PLR0911 - one for each kind
    """Write what an act does, and the value it was answered; ``tasks``: how many pCPUs run vCPUs as tasks."""
    number, field = field_of(act.word)
    ndst = usual_ndst(number, tasks)
    whose = f"vcpu{number}." if number >= 0 and vcpus > 1 else ""
    if act.kind in _SPECIAL:
        return _SPECIAL[act.kind](act, vcpus)
    name = whose + name_of(field)
    held, given = (value_text(field, value, ndst) for value in (act.answer, act.a))
    match act.kind:
        case "LOAD" if held in ("ON 0", "ON 1") or act.function == "pi_test_on":
            return f"{whose}ON -> {act.answer & 1}"
        case "LOAD":
            return f"{name} -> {held}"
        case "STORE":
            return f"{name} = {given}"
        case "XCHG":
            return f"xchg {name} = {given}, was {held}"
        case "CMPXCHG":
            new = value_text(field, act.b, ndst)
            done = "" if act.answer == act.a else ": not written"
            return f"cmpxchg {name} {given} to {new}, was {held}{done}"
        case "OR" | "AND":
            return whose + _bits_text(field, act)
        case "ADD":
            return f"{name} + {act.a} = {value_text(field, act.answer + act.a)}, was {held}"
    return f"{act.kind} {name}"


def _bits_text(field: str, act: Act) -> str:
    """Write what an OR or AND does: the bits, whether they were set before, and what was set beside them."""
    touched = act.a if act.kind == "OR" else ~act.a
    new = act.answer | act.a if act.kind == "OR" else act.answer & act.a
    if field == CONTROL:
        return changed_text(act.answer, new, touched)
    was = f"was {int(act.answer & touched != 0)}"
    if field.endswith(_FLAGS):
        return f"{field} {'set' if act.kind == 'OR' else 'cleared'}, {was}"
    if field != "requests" and not _BITMAP.fullmatch(field) and not field.endswith(_VCPUS):
        name = name_of(field)
        return f"{name} {'|' if act.kind == 'OR' else '&'} {hex(act.a & WORD)} = {value_text(field, new)}, {was}"
    beside = act.answer & ~touched
    others = f" beside {value_text(field, beside)}" if beside else ""
    bits = f"{name_of(field).partition('[')[0]} {value_text(field, touched)}"
    return f"{bits} {'set' if act.kind == 'OR' else 'cleared'}, {was}{others}"


def _guest(act: Act, _vcpus: int) -> str:
    return f"guest: {ITEMS.get(act.a, 'nothing')}"


def _drain(act: Act, vcpus: int) -> str:
    number, field = field_of(act.word)
    whose = f"vcpu{number}." if number >= 0 and vcpus > 1 else ""
    return f"(buffer) {whose}{name_of(field)} = {value_text(field, act.a, max(number, 0))} reaches memory"


def _send(act: Act, _vcpus: int) -> str:
    return f"IPI {vector_text(act.b)} to pCPU {act.a}"


_SPECIAL: Final[Mapping[str, Callable[[Act, int], str]]] = {
    "FENCE": lambda _act, _vcpus: "full barrier",
    "SEND": _send,
    "ACK": lambda act, _vcpus: f"interrupt: takes {vector_text(act.answer)}",
    "drain": _drain,
    "arrive": lambda act, _vcpus: f"(APIC) IPI {vector_text(act.a)} arrives, pending",
    "entry": lambda _act, _vcpus: "VM-entry",
    "exit": lambda act, _vcpus: f"VM-exit: {EXITS.get(act.a, act.a)}",
    "guest": _guest,
    "deliver": lambda act, _vcpus: f"guest handles {vector_text(act.a)}",
    "sighting": lambda act, _vcpus: f"{act.word} fires" + (f": {vector_text(act.a)}" if act.a >= 0 else ""),
}


def state_text(view: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Write a state: the descriptor, mode, RVI and vIRR of each vCPU, then what is on its way."""
    several = len(view["vcpus"]) > 1
    ndst = [usual_ndst(i, len(view.get("runs", ()))) for i in range(len(view["vcpus"]))]
    parts = [
        (f"vcpu{i}: " if several else "") + _vcpu_text(vcpu, ndst[i]) + _whereabouts(view, i) + ";" * several
        for i, vcpu in enumerate(view["vcpus"])
    ]
    vcpus = len(view.get("runs", view["vcpus"]))
    parts += [f"pending {vectors_text(each)}{_at(i, vcpus)}" for i, each in enumerate(view["pending"]) if each]
    parts += [f"in flight {vector_text(vector)}{_at(target, vcpus)}" for target, vector in view["flight"]]
    for thread, buffer in enumerate(view["buffers"]):
        if buffer:
            stores = ", ".join(stored(word, value, several=several).replace(" ", "") for word, value in buffer)
            parts.append(f"[buffer of {names[thread]}: {stores}]")
    return " ".join(parts)


def _whereabouts(view: Mapping[str, Any], vcpu: int) -> str:
    """Say where a vCPU's task runs or is queued, and on which wake-up lists the vCPU is."""
    places = [(name, cpu) for cpu, runs in enumerate(view.get("runs", ())) if runs == vcpu for name in ("on",)]
    for key, name in (("queued", "queued at"), ("listed", "listed at")):
        places += [(name, cpu) for cpu, vcpus in enumerate(view.get(key, ())) if vcpu in vcpus]
    return "".join(f", {name} pCPU {cpu}" for name, cpu in places)


def _at(thread: int, vcpus: int) -> str:
    return "" if thread == 0 and vcpus == 1 else f" at {thread}"


def stored(word: str, value: int, *, several: bool = False) -> str:
    """Write a store."""
    number, field = field_of(word)
    whose = f"vcpu{number}." if number >= 0 and several else ""
    return f"{whose}{name_of(field)} = {value_text(field, value, max(number, 0))}"


def _vcpu_text(vcpu: Mapping[str, Any], ndst: int) -> str:
    parts = [SHORT_MODES.get(vcpu["mode"], str(vcpu["mode"]))]
    parts += ["ON"] * vcpu["on"]
    if odd := odd_text(vcpu["control"], ndst):
        parts.append(odd)
    if vcpu["pir"]:
        parts.append(f"PIR {vectors_text(vcpu['pir'])}")
    if vcpu["rvi"]:
        parts.append(f"RVI {vector_text(vcpu['rvi'])}")
    if vcpu["virr"]:
        parts.append(f"vIRR {vectors_text(vcpu['virr'])}")
    if vcpu["requests"]:
        parts.append(f"req {value_text('requests', vcpu['requests'])}")
    if vcpu["waiting"] or vcpu["task"]:
        parts.append(f"task {SHORT_TASKS.get(vcpu['task'], vcpu['task'])}{'' if vcpu['waiting'] else ', no waiter'}")
    return " ".join(parts)
