"""Format of the descriptor's control word: ``ON 1``, and SN, NV and NDST where they matter."""

from __future__ import annotations

from typing import Final

from emu.posted_intr import NDST_SHIFT, NV_SHIFT, POSTED_INTR_ON, POSTED_INTR_SN
from emu.vectors import POSTED_INTR_VECTOR
from hosts.kernel_names import vector_text

CONTROL: Final = "pi_desc.control"
BITS: Final = {"ON": POSTED_INTR_ON, "SN": POSTED_INTR_SN}
_NUMBERS: Final = {"NV": (NV_SHIFT, 0xFF), "NDST": (NDST_SHIFT, 0xFFFF_FFFF)}
_KNOWN: Final = sum(1 << bit for bit in BITS.values()) | sum(mask << shift for shift, mask in _NUMBERS.values())
_WORD: Final = (1 << 64) - 1


def fields_of(control: int) -> dict[str, int]:
    """Take a control word apart; what belongs to no field is ``rest``."""
    found = {name: control >> bit & 1 for name, bit in BITS.items()}
    found |= {name: control >> shift & mask for name, (shift, mask) in _NUMBERS.items()}
    return found | {"rest": control & _WORD & ~_KNOWN}


def control_text(control: int, ndst: int = 0) -> str:
    """Write a control word: ON always, other fields where they are not as a vCPU that is loaded has them."""
    return f"{_field('ON', fields_of(control)['ON'])} {odd_text(control, ndst)}".rstrip()


def odd_text(control: int, ndst: int = 0) -> str:
    """Write the fields of a control word, ON apart, that are not as a vCPU that is loaded has them."""
    usual = {"SN": 0, "NV": POSTED_INTR_VECTOR, "NDST": ndst, "rest": 0}
    found = fields_of(control)
    return " ".join(_field(name, found[name]) for name, value in usual.items() if found[name] != value)


def changed_text(found: int, new: int, touched: int) -> str:
    """Write what a locked operation does to a control word: each field that it touches, with the value found."""
    before, after = fields_of(found), fields_of(new)
    named = [name for name, bits in fields_of(touched).items() if bits]
    parts = [
        f"{name} {'set' if after[name] else 'cleared'}, was {before[name]}"
        if name in BITS
        else f"{_field(name, after[name])}, was {_value(name, before[name])}"
        for name in named
    ]
    return "; ".join(parts) or "control as it was"


def _field(name: str, value: int) -> str:
    return f"{name} {_value(name, value)}"


def _value(name: str, value: int) -> str:
    if name == "NV":
        return vector_text(value)
    return hex(value) if name == "rest" else str(value)
