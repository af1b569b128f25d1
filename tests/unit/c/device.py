"""A small machine for tests of the translation of C: a device with registers, a queue of words, and a bell."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pytest

from emu import c_arithmetic, waist
from hosts.loader.c.rules import (
    Argument,
    Bank,
    ByName,
    CallRule,
    CFile,
    Constant,
    Dropped,
    Each,
    EmuCall,
    Environment,
    FieldRule,
    Into,
    NameRule,
    PageField,
    Refused,
    StructRule,
    View,
    ViewField,
    Wanted,
    WordField,
    WordsField,
)
from hosts.loader.c.translate import CError, Translation, translate

FIELDS: Final[Mapping[tuple[str, str], FieldRule]] = {
    ("dev", "mode"): WordField("mode", "int", least=0, most=2),
    ("dev", "events"): WordField("events", "u64"),
    ("dev", "count"): WordField("count", "int", shared=False),
    ("dev", "queue"): WordsField("queue", "u32", 8),
    ("dev", "wide"): WordsField("queue", "unsigned long", 4),
    ("dev", "stat"): Dropped("statistics"),
    ("dev", "broken"): Constant(0, "no device breaks here"),
    ("dev", "secret"): Refused("this machine has none: leave it out"),
    ("dev", "part"): ViewField("dev_part"),
    ("dev_part", "regs"): PageField(
        (Bank(0x200, 0x10, 8, "apic.regs"),), {0x80: WordField("priority", "u32", shared=False)}
    ),
    ("dev", "desc"): ViewField("desc", "desc"),
    ("desc", "control"): WordField("control", "u64"),
    ("desc", "on"): WordField("control", "u16", bits=1),
    ("desc", "nv"): WordField("control", "u8", shift=16, bits=8),
    ("desc", "ndst"): WordField("control", "u32", shift=32, bits=32),
}
CALLS: Final[Mapping[str, CallRule]] = {
    "ring": EmuCall("ring(_0, _1)", ("struct dev *", "int"), "bool"),
    "ring_quietly": EmuCall("ring(_0, 7)", ("struct dev *", "..."), "void"),
    "current_dev": EmuCall("current_dev()", (), "struct dev *"),
    "claim": EmuCall("claim(_0)", ("word",), "int"),
    "trace_dev": Dropped("a trace point"),
    "nested": Constant(0, "no device is in another here"),
    "probably": Argument(),
    "to_dev": View("dev"),
    "to_desc": View("desc", "desc"),
    "this_cpu": ByName({"clock": EmuCall("clock()", ("...",), "u64")}),
    "explode": Refused("this machine has none: leave it out"),
    "ready_list": EmuCall("machine().ready[_0]", ("int",), "struct dev_list"),
    "lock": EmuCall("lock(_0)", ("struct dev_list *",)),
    "save": Into(EmuCall("saved()", (), "int", least=0, most=1)),
    "rung": EmuCall("rung(_0)", ("struct desc *",), "bool"),
    "list_for_each_entry": Each("struct dev_list *", "READ_ONCE(_0.bits)", "devices()", "machine().devs[_0]"),
}
NAMES: Final[Mapping[str, NameRule]] = {
    "feature": Constant(1, "always on here", "bool"),
    "jiffies": EmuCall("clock()", (), "unsigned long"),
}


@dataclass(frozen=True)
class Devices:
    """Knows the device."""

    options: Mapping[str, bool] = field(default_factory=dict)

    def typedef(self, name: str) -> str | None:
        """Know one type."""
        return {"dev_mask_t": "unsigned long"}.get(name)

    def struct(self, tag: str) -> StructRule | None:
        """Know the device's structs."""
        runtime = {"dev": "Dev", "dev_part": "Dev", "desc": "Desc", "dev_list": "DevList"}.get(tag)
        return None if runtime is None else StructRule(runtime)

    def field(self, tag: str, name: str) -> FieldRule | None:
        """Look into the table."""
        return FIELDS.get((tag, name))

    def call(self, name: str) -> CallRule | None:
        """Look into the table."""
        return CALLS.get(name)

    def callee(self, text: str) -> str | None:
        """Know one pointer to a function."""
        return {"ops.ring": "ring", "static_call(ring)": "ring"}.get(text)

    def name(self, name: str) -> NameRule | None:
        """Look into the table."""
        return NAMES.get(name)

    def config(self, name: str) -> bool | None:
        """Answer what the test says."""
        return self.options.get(name)


def translated(source: str, name: str = "f", environment: Environment | None = None) -> Translation:
    """Translate a function and what it calls."""
    made = translate([CFile("dev.c", source.encode())], [Wanted(name)], environment or Devices())
    for error in made.refused.values():
        raise error
    return made


def python(source: str, name: str = "f", environment: Environment | None = None) -> str:
    """Return what became of the body of a function."""
    tree = translated(source, name, environment).functions[name]
    return "\n".join(ast.unparse(each) for each in tree.body)


def result(source: str, *arguments: int) -> int:
    """Return what ``f`` gives, as plain Python."""
    namespace: dict[str, object] = {
        name: value for module in (waist, c_arithmetic) for name, value in vars(module).items() if callable(value)
    }
    for tree in translated(source).functions.values():
        exec(compile(ast.Module([tree], []), "dev.c", "exec"), namespace)  # noqa: S102 - the translation under test
    found: int = namespace["f"](*arguments)  # type: ignore[operator]
    return found


def refused(source: str, name: str = "f", environment: Environment | None = None) -> str:
    """Return the one line that refuses a function."""
    with pytest.raises(CError) as error:
        translated(source, name, environment)
    assert "\n" not in str(error.value)
    return str(error.value)
