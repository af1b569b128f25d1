"""What is told of an operation on a watched word: expressions for what the word held, and holds behind it."""

from __future__ import annotations

from typing import Final

from hosts.loader.primitives import TABLE

ARGUMENTS: Final = {
    "LOAD": ("word",),
    "STORE": ("word", "value"),
    "XCHG": ("word", "value"),
    "CMPXCHG": ("word", "expected", "value"),
    "OR": ("nr", "word"),
    "AND": ("nr", "word"),
    "ADD": ("word",),
    "TAKE_HALF": ("word", "half"),
}
KEEPS: Final = {
    "STORE": "value",
    "XCHG": "value",
    "CMPXCHG": "value",
    "OR": "-1",
    "AND": "~BIT(nr)",
    "ADD": "before + 1",
    "TAKE_HALF": "0xFFFF_FFFF if half != 0 else -0x1_0000_0000",
}
"""What of the bits set in a word stays set, by the kind of an operation."""
OLD: Final = {
    "STORE": "before",
    "XCHG": "result",
    "CMPXCHG": "result",
    "OR": "BIT(nr) * result",
    "AND": "BIT(nr) * result",
    "ADD": "before",
    "TAKE_HALF": "result if half == 0 else (result ^ 0x8000_0000) - 0x8000_0000 << 32",
}
NEW: Final = {
    "STORE": "value",
    "XCHG": "value",
    "CMPXCHG": "value if result == expected else result",
    "OR": "BIT(nr)",
    "AND": "0",
    "ADD": "before + 1",
    "TAKE_HALF": "0",
}
"""What a word held, and holds behind the operation; of an operation on a part of it, only that."""


TESTING: Final = {"set_bit": "test_and_set_bit", "clear_bit": "test_and_clear_bit"}
"""The same instruction, which tells besides what the bit was."""


def kind_of(name: str) -> str:
    """Return the kind of an operation: LOAD, STORE, or what a locked one does to the word, to a bit or half of it."""
    row = TABLE[name]
    if name == "take_half":
        return "TAKE_HALF"
    return row.rmw or ("STORE" if row.stores else "LOAD")


def looks(kind: str, after: str) -> bool:
    """Return whether what a word holds is looked at before an operation that does not tell it."""
    return kind == "ADD" or (kind == "STORE" and bool(after))
