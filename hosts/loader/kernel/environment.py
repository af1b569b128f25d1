"""Answers the translator's questions about the kernel: by the tables, for this tree and this choice of functions."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from hosts.loader.c.rules import (
    CallRule,
    Constant,
    EmuCall,
    FieldRule,
    Instead,
    NameRule,
    Refused,
    StructRule,
)
from hosts.loader.kernel import calls, dropped, names, structs
from hosts.loader.kernel.signatures import Signature

KERNEL: Final = "kernel_"
"""What the names of the kernel's own functions begin with in the wrappers."""

_OPERATION: Final = re.compile(
    r"static_call(?:_cond)?\(kvm_x86_(\w+)\)|kvm_x86_call\((\w+)\)|kvm_x86_ops\.((?:nested_ops->)?\w+)"
)
_APIC: Final = re.compile(r"apic->(send_IPI\w*)")
_REENTERING: Final = b"EXIT_FASTPATH_REENTER_GUEST"


@dataclass(frozen=True)
class KvmEnvironment:
    """What the names in KVM's C are in this machine."""

    signatures: Mapping[str, Signature] = field(default_factory=dict)
    """The functions of the files."""
    taken: frozenset[str] = frozenset()
    """The functions of ``emu/`` that are the kernel's own."""
    stubs: Mapping[str, int] = field(default_factory=dict)
    """What calls of a function give that the user does not want to follow."""
    helpers: Mapping[str, EmuCall] = field(default_factory=dict)
    """Functions of the user's own in Python, by the names that C calls them by."""
    wide_pir: bool = False
    """Whether the kernel has the PIR in 64-bit words."""
    any_delivery: bool = False
    """Whether the kernel's ``vmx_deliver_posted_interrupt`` may give something else than 0."""

    def typedef(self, name: str) -> str | None:
        """Return what a type's name stands for."""
        return structs.TYPES.get(name)

    def struct(self, tag: str) -> StructRule | None:
        """Return what a struct is at run time."""
        return structs.STRUCTS.get(tag)

    def field(self, tag: str, name: str) -> FieldRule | None:
        """Return what a field is."""
        if (tag, name) == ("pi_desc", "pir"):
            return structs.PIR_BY_64 if self.wide_pir else structs.PIR_BY_32
        return structs.ANY_FIELD.get(tag) or structs.FIELDS.get(tag, {}).get(name)

    def call(self, name: str) -> CallRule | None:
        """Return what becomes of a call."""
        if name in self.stubs:
            return Constant(self.stubs[name], "--stub", "s64")
        if name.startswith(KERNEL):
            return Instead(name.removeprefix(KERNEL))
        return self.by_version.get(name) or self.helpers.get(name) or _in_tables(name)

    @functools.cached_property
    def by_version(self) -> Mapping[str, CallRule]:
        """What hangs on the kernel's version, or on what else is taken of it."""
        rules: dict[str, CallRule] = {
            "kvm_vcpu_trigger_posted_interrupt": self._trigger(),
            "vcpu_block": calls.OTHER["emu_vcpu_block"],
        }
        if self.any_delivery:
            deliver = replace(calls.DELIVER, least=None, most=None)
            rules |= dict.fromkeys(("vmx_deliver_posted_interrupt", "kvm_x86_ops.deliver_posted_interrupt"), deliver)
        if "kvm_apic_update_irr" in self.taken:
            rules["kvm_apic_update_irr"] = Instead("kvm_apic_update_irr")
        if "kvm_vcpu_block" in self.taken:
            rules["kvm_vcpu_block"] = (
                calls.BLOCK if self._gives("kvm_vcpu_block") else calls.OTHER["emu_kvm_vcpu_block"]
            )
        if not self._gives("kvm_vcpu_halt"):
            rules["kvm_vcpu_halt"] = calls.OTHER["emu_kvm_vcpu_halt"]
        if self._count("vcpu_block") > 1:
            rules["vcpu_block"] = Instead("lib_vcpu_block_v5")
        if self._count("handle_fastpath_preemption_timer") > 1:
            rules["handle_fastpath_preemption_timer"] = Instead("lib_handle_fastpath_preemption_timer_v6")
        if "vmx_vcpu_run" in self.signatures and _REENTERING in self.signatures["vmx_vcpu_run"].body:
            rules["kvm_x86_ops.run"] = calls.RUN_REENTERING
        return rules

    def _trigger(self) -> CallRule:
        """Return what a call of the trigger is: until v5.16 its result says whether it has notified."""
        if not self._gives("kvm_vcpu_trigger_posted_interrupt"):
            return calls.TRIGGER
        if "kvm_vcpu_trigger_posted_interrupt" in self.taken:
            return Instead("lib_trigger_v5")
        return Refused(
            "this machine's own does not say whether it notified: take kvm_vcpu_trigger_posted_interrupt, too"
        )

    def _gives(self, function: str) -> bool:
        """Return whether the kernel's function has a result."""
        return function in self.signatures and self.signatures[function].gives

    def _count(self, function: str) -> int:
        """Return how many parameters the kernel's function has."""
        return len(self.signatures[function].parameters) if function in self.signatures else 0

    def callee(self, text: str) -> str | None:
        """Return which function an expression that is called means."""
        found = _OPERATION.fullmatch(text)
        if found is not None:
            return f"kvm_x86_ops.{(found[1] or found[2] or found[3]).replace('->', '.')}"
        found = _APIC.fullmatch(text)
        return f"apic.{found[1]}" if found is not None else None

    def name(self, name: str) -> NameRule | None:
        """Return what a name that is no local stands for."""
        if name in self.stubs:
            return Constant(self.stubs[name], "--stub", "s64")
        if name == "NEVER_MADE":
            return Constant(names.NEVER_MADE, "no request has this number")
        return names.NAMES.get(name.replace("->", "."))

    def config(self, name: str) -> bool | None:
        """Return whether an ``#if`` finds a name set."""
        if name in names.CONFIG:
            return names.CONFIG[name]
        return False if name.startswith(names.NOT_SET) else None


def _in_tables(name: str) -> CallRule | None:
    """Return what the tables say of a call."""
    tables: Collection[Mapping[str, CallRule]] = (
        calls.LIBRARY,
        calls.SAME,
        calls.OTHER,
        calls.VIEWS,
        calls.LIBRARY_ONLY,
        dropped.CALLS,
    )
    for table in tables:
        if name in table:
            return table[name]
    return next((rule for prefix, rule in dropped.PREFIXES.items() if name.startswith(prefix)), None)
