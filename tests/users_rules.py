"""Rules as users bring them, right and wrong."""

from __future__ import annotations

from pathlib import Path

LETTER_FOR_LETTER = '''
"""The rule of v5.18 as its C reads: fields without READ_ONCE."""

from emu.cpu import apic_send_IPI, kvm_get_running_vcpu
from emu.kvm_main import IN_GUEST_MODE, kvm_vcpu_wake_up


def trigger(vcpu, pi_vec):
    if vcpu.mode == IN_GUEST_MODE:
        if vcpu != kvm_get_running_vcpu():
            apic_send_IPI(vcpu.cpu, pi_vec)
        return
    kvm_vcpu_wake_up(vcpu)
'''

EVERYTHING = """from __future__ import annotations
from emu.cpu import apic_send_IPI, kvm_get_running_vcpu
from emu.kvm_main import IN_GUEST_MODE, EXITING_GUEST_MODE, kvm_vcpu_wake_up
from emu.machine import Lapic, Vcpu
from emu.memory import Word, Words
from emu.waist import BIT, READ_ONCE, WRITE_ONCE, cmpxchg, set_bit

TABLE = (3, 4, 5)

def is_in(mode): return mode == IN_GUEST_MODE
def clear(word): WRITE_ONCE(word, READ_ONCE(word) & ~BIT(3))
def word_of(one: Vcpu) -> Word: return one.requests
def mode_of(one): return one.mode
def first(several: Words) -> int: return several[0] | several[3]
def nested(apic: Lapic): return apic.vtpr
def other(): return kvm_get_running_vcpu()

def trigger(vcpu: Vcpu, vec: int) -> None:
    me = other()
    total = 0
    for i in range(3):
        total += TABLE[i] >> (i & 1)
    k = 0
    while k < 100:
        k += 1
    if me and mode_of(me) == EXITING_GUEST_MODE:
        total //= me.cpu + 1
    if first(vcpu.pi_desc.pir) and nested(vcpu.apic) >= 0:
        set_bit((total & 1) + 3 - (total & 1), word_of(vcpu))
        clear(vcpu.requests)
    match vcpu.mode:
        case 1:
            w = vcpu.mode if vec else vcpu.mode
            cmpxchg(w, IN_GUEST_MODE, 1)
    x, y = vcpu.mode, vcpu.cpu
    if is_in(x) or is_in(vcpu.mode):
        if vcpu != me:
            apic_send_IPI(y, vec)
        return
    kvm_vcpu_wake_up(vcpu)
"""
"""A rule of always_2021's kind, with helpers that take and give whatever there is, annotated or not."""

WRONG = """
from emu.cpu import apic_send_IPI
from emu.waist import READ_ONCE, WRITE_ONCE

def nowhere(vcpu, vec):
    apic_send_IPI(99, vec)

def no_vector(vcpu, vec):
    apic_send_IPI(READ_ONCE(vcpu.cpu), 99999)

def no_mode(vcpu, vec):
    WRITE_ONCE(vcpu.mode, 7)

def dividing(vcpu, vec):
    apic_send_IPI(1 // (vec - vec), vec)

def endless(vcpu, vec):
    while vec:
        vec = vec | 1

def blinding(vcpu, vec):
    WRITE_ONCE(vcpu.pi_desc.software[0], 7)
"""

TOLD = {
    "nowhere": "6: sends an IPI to pCPU 99; this machine has 0 ",
    "no_vector": "9: uses vector 99999; a vector is 0 to 255",
    "no_mode": "12: writes 7 into vcpu.mode; a mode is 0 to 2",
    "dividing": "15: divides by zero",
    "endless": "18: goes round a loop 100,000 times and does nothing: it does not come to an end",
}
"""What is said of each of them, from the line on, wherever it runs."""


def letter_for_letter(folder: Path) -> str:
    """Write the right one; give its name."""
    return written(folder, LETTER_FOR_LETTER, "trigger")


def everything(folder: Path) -> str:
    """Write the one that uses everything; give its name."""
    return written(folder, EVERYTHING, "trigger")


def wrong(folder: Path, function: str) -> str:
    """Write the wrong ones; give the name of one."""
    return written(folder, WRONG, function)


def written(folder: Path, text: str, function: str) -> str:
    """Write a file of rules; give the name of one."""
    path = folder / "rules.py"
    path.write_text(text, encoding="utf-8")
    return f"{path}:{function}"
