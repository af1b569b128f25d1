"""The instructions that are read, by their names without a letter for the width."""

from __future__ import annotations

from typing import Final

from hosts.litmus.condition_codes import CONDITIONS

SUFFIXES: Final = {"b": 8, "w": 16, "l": 32, "q": 64}

FENCES: Final = frozenset({"sfence", "lfence"})
"""Under x86-TSO a store fence and a load fence order nothing that is not ordered already."""
FLUSHES: Final = frozenset({"clflush", "clflushopt", "clwb"})
"""What they do to a cache no thread sees; their address has to be one."""
HINTS: Final = frozenset({"nop", "endbr64", "pause"}) | {f"prefetch{kind}" for kind in ("t0", "t1", "t2", "nta", "w")}
NO_EFFECT: Final = FENCES | FLUSHES | HINTS
"""What changes nothing that a thread can see."""
NO_OPERANDS: Final = FENCES | {"mfence", "endbr64", "pause"}

JUMPS: Final = frozenset({"jmp", "ret", *(f"j{each}" for each in CONDITIONS)})
SETS: Final = frozenset(f"set{each}" for each in CONDITIONS)
CONDITIONAL_MOVES: Final = frozenset(f"cmov{each}" for each in CONDITIONS)

ONE_OPERAND: Final = frozenset({"inc", "dec", "not", "neg"})
BIT_INSTRUCTIONS: Final = frozenset({"bt", "bts", "btr", "btc"})
WITH_CARRY: Final = frozenset({"adc", "sbb"})
ONLY_COMPARE: Final = frozenset({"cmp", "test", "bt"})
SHIFTS: Final = frozenset({"shl", "shr", "sar"})
EXTENSIONS: Final = frozenset({"movz", "movs"})
TWO_OPERANDS: Final = (
    frozenset({"mov", "add", "sub", "and", "or", "xor", "lea"})
    | ONLY_COMPARE
    | BIT_INSTRUCTIONS
    | WITH_CARRY
    | SHIFTS
    | CONDITIONAL_MOVES
)
EITHER_ORDER: Final = frozenset({"xchg", "cmpxchg", "xadd"})
"""herd7 wants cmpxchg's memory first, the assembler wants it last; it is known for what it is in either place."""

SYNONYMS: Final = {
    "sal": "shl",
    "retq": "ret",
    "movabs": "mov",
    "movzx": "movz",
    "movsx": "movs",
    "movsxd": "movs",
    "jlt": "jl",
    "jgt": "jg",
}
"""Other names; the last two are herd7's."""
EXTENDING: Final = {
    f"{name}{narrow}{wide}": (name, SUFFIXES[narrow], SUFFIXES[wide])
    for name in EXTENSIONS
    for narrow, wide in ("bw", "bl", "bq", "wl", "wq", "lq")
    if (name, narrow) != ("movz", "l")
}
"""AT&T's names for a move that widens what it reads, with both widths."""

KNOWN: Final = NO_OPERANDS | ONE_OPERAND | TWO_OPERANDS | EITHER_ORDER | NO_EFFECT | JUMPS | EXTENSIONS

LOCKABLE: Final = (
    frozenset({"add", "sub", "and", "or", "xor", "bts", "btr", "btc"}) | EITHER_ORDER | ONE_OPERAND | WITH_CARRY
)
TARGET_NOT_READ: Final = frozenset({"mov", "lea"}) | EXTENSIONS | SETS
"""Instructions that do not look at what they overwrite."""
NO_FLAGS: Final = frozenset({"mov", "lea", "xchg", "not", "mfence"}) | EXTENSIONS | NO_EFFECT | JUMPS

NON_TEMPORAL: Final = ("movnt", "maskmov")
"""What the names of non-temporal stores and loads begin with."""
