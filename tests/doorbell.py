"""A patch that brings a word, a window, an act, a check and a scenario of its own: a doorbell beside the descriptor.

Another pCPU rings it and kicks the vCPU, which answers before it enters the guest.
"""

from emu.kvm_host import EXITING_GUEST_MODE
from emu.kvm_main import kvm_request_pending, kvm_vcpu_kick
from emu.machine import Vcpu
from emu.own import PerVcpu, Scenario, check, enter, window, word
from emu.waist import xchg
from emu.workload.actors import ACT_POST
from emu.workload.program import GUEST_CPUID, GUEST_HLT


class Doorbell(PerVcpu):
    """One for each vCPU."""

    rung = word()


ANSWERED = window("doorbell-answered")


def kvm_vcpu_exit_request(vcpu: Vcpu) -> int:
    """Do not enter the guest while the bell rings: answer it, and look again."""
    if Doorbell(vcpu).rung and xchg(Doorbell(vcpu).rung, 0) != 0:
        enter(ANSWERED)
        return 1
    return 1 if vcpu.mode == EXITING_GUEST_MODE or kvm_request_pending(vcpu) != 0 else 0


def act_ring(vcpu: Vcpu) -> None:
    """Ring the bell, then make the vCPU leave the guest."""
    xchg(Doorbell(vcpu).rung, 1)
    kvm_vcpu_kick(vcpu)


@check("stay")
def bell_is_answered(vcpu: Vcpu) -> bool:
    """No bell rings at a vCPU in the guest, once whoever rang it has kicked."""
    return not Doorbell(vcpu).rung


RINGING = Scenario(
    "doorbell",
    "a bell is rung at a vCPU that enters, halts and is posted to",
    "tests/doorbell.py",
    guest_menu=(*[GUEST_CPUID] * 8, GUEST_HLT),
    actor_menu=(act_ring, ACT_POST),
    windows=("doorbell-answered", "kick-ends-stay"),
    scope="ring post:0x34 | guest=cpuid,hlt",
)
