"""VM-exit reasons, exit qualifications (uapi/asm/vmx.h), and results of the exit fastpath (asm/kvm_host.h)."""

from __future__ import annotations

from typing import Final

EXIT_REASON_EXTERNAL_INTERRUPT: Final = 1
EXIT_REASON_CPUID: Final = 10
EXIT_REASON_HLT: Final = 12
EXIT_REASON_MSR_WRITE: Final = 32
EXIT_REASON_PREEMPTION_TIMER: Final = 52
"""SDM, VMX basic exit reasons."""

MSR_TSC_DEADLINE: Final = 0
"""Exit qualifications of the emulated WRMSR: the deadline MSR, or 1 + the target vCPU of an ICR write."""

EXIT_FASTPATH_NONE: Final = 0
EXIT_FASTPATH_REENTER_GUEST: Final = 1
EXIT_FASTPATH_EXIT_HANDLED: Final = 2
