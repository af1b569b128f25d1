"""Symbol names of words: ``vcpu0.pi_desc.control`` for an address."""

from __future__ import annotations

from emu.machine import Machine
from emu.memory import WORD_BYTES, Struct, Word, Words
from hosts.explorer.threads.machine_words import SILENT
from hosts.loader.own.declared import NOTHING_OWN, Own


def word_name(machine: Machine, address: int, own: Own = NOTHING_OWN) -> str:
    """Name a word of the machine by the path of fields that leads to it, or as a user's code declares it."""
    if address < machine.at:
        return "silent" if address == SILENT else f"over{(SILENT - address) // WORD_BYTES - 1}"
    named = own.word_name(machine, address) if own.structs else None
    if named is not None:
        return named
    name = _inside(machine, address, "")
    return name.replace("vcpus[", "vcpu").replace("pcpus[", "pcpu").replace("].", ".", 1) if name else hex(address)


def _inside(struct: Struct, address: int, path: str) -> str:
    for name, field in type(struct).fields.items():
        start = struct.at + field.offset
        if not start <= address < start + field.nbytes:
            continue
        if field.of is Word:
            return path + name
        if field.of is Words:
            return f"{path}{name}[{(address - start) // WORD_BYTES}]"
        index = (address - start) // field.of.nbytes
        inner = field.of(start + index * field.of.nbytes)
        return _inside(inner, address, f"{path}{name}[{index}]." if field.count > 1 else f"{path}{name}.")
    return ""
