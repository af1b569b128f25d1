"""Ghost words that the check that fired (:mod:`emu.observe.checkers`) reads and the state column does not show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hosts.kernel_names import vector_text, vectors_text

NONE: Final = "-"


def reads_text(check: str, view: Mapping[str, Any], vcpu: int) -> str:
    """Return what a check reads of a vCPU in one state; nothing for what no check of emu has found."""
    seen = view["vcpus"][vcpu]
    return ", ".join(_ITEMS[item](view, seen) for item in _READ.get(check, ()))


def is_read(check: str) -> bool:
    """Return whether there is something to be shown of a check."""
    return check in _READ


_READ: Final[Mapping[str, Sequence[str]]] = {
    "C1": ("RVI", "inside"),
    "C2": ("PPR", "vISR", "IF", "inside"),
    "C3": ("RVI",),
    "C4": ("ON", "SN", "inside"),
    "C5": ("books", "mail"),
    "C7": ("untold", "inside"),
    "C8": ("told",),
    "C9": ("inside",),
    "C10": ("mail",),
    "C11": ("timer",),
    "C12": ("inside",),
}
"""By check; vISR is what PPR is made of."""


def _listed(vectors: Sequence[int]) -> str:
    return vectors_text(vectors) or NONE


def _threads(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers)) or NONE


def _books(seen: Mapping[str, Any]) -> str:
    """Write accepted - delivered - merged - waiting of each vector whose books differ from where it waits."""
    waiting = {v: (v in seen["pir"]) + (v in seen["virr"]) for v, _balance in seen["books"]}
    odd = [f"{vector_text(v)} {balance - waiting[v]:+}" for v, balance in seen["books"] if balance != waiting[v]]
    return f"books {' '.join(odd) or 'balance'}"


def _mail(seen: Mapping[str, Any]) -> str:
    boxes = [f"{vector_text(vector)} of {_threads(senders)}" for vector, senders in seen["mail"]]
    return f"unread {', '.join(boxes) or NONE}"


_ITEMS: Final[Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]]] = {
    "vISR": lambda _view, seen: f"vISR {_listed(seen['visr'])}",
    "RVI": lambda _view, seen: f"RVI {vector_text(seen['rvi'])}",
    "PPR": lambda _view, seen: f"PPR {vector_text(seen['ppr'])}",
    "IF": lambda _view, seen: f"IF {seen['if']}",
    "ON": lambda _view, seen: f"ON {seen['on']}",
    "SN": lambda _view, seen: f"SN {seen['sn']}",
    "told": lambda _view, seen: f"told {seen['told']}",
    "untold": lambda _view, seen: f"untold by {_threads(seen['untold'])}",
    "timer": lambda _view, seen: f"timer {seen['timer']}",
    "books": lambda _view, seen: _books(seen),
    "mail": lambda _view, seen: _mail(seen),
    "inside": lambda view, _seen: f"inside {_threads(view['inside'])}",
}
