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


def wrong(folder: Path, function: str) -> str:
    """Write the wrong ones; give the name of one."""
    return written(folder, WRONG, function)


def written(folder: Path, text: str, function: str) -> str:
    """Write a file of rules; give the name of one."""
    path = folder / "rules.py"
    path.write_text(text, encoding="utf-8")
    return f"{path}:{function}"
