"""The last sentence of an explanation: whether the violation is repaired later, and by what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hosts.explorer.explanation.query import EventLog
from hosts.kernel_names import vector_text

_FATES: Final = {
    "late": "Late, not lost: every way on repairs it, the soonest {by}.",
    "lost": "Lost: nothing that is still to come in this scope repairs it.",
    "either": "Late if it comes, else lost: {by} repairs it the soonest, and there are ways on without.",
    "open": "What repairs it was not determined: too much may come, or the time was over.",
    "open by": "Late: {by} repairs it the soonest; whether every way on does was not determined.",
}
_FIXED: Final = {
    "C5": "Lost: nothing that is still to come accounts for the difference.",
    "C8": "Nothing is owed that could be repaired: what is wrong is what the rule tells its own vCPU.",
    "C10": "Lost: nothing is still to come.",
    "deadlock": "Lost: nothing is still to come.",
    "no-progress": "Lost as long as it goes on so: nothing in it repairs it.",
}
"""Of checks behind which there is nothing to be searched for."""


def repair_sentences(log: EventLog) -> Iterator[str]:
    """Say whether the violation is repaired, and by what; nothing if that was not searched."""
    witness = log.witness
    if witness.check == "C5" and _is_unread(log):
        yield f"Late: the next interrupt of {vector_text(witness.vector)}, if there is one, has its mailbox read."
    elif witness.check in _FIXED:
        yield _FIXED[witness.check]
    elif witness.fate:
        known = witness.fate if witness.fate != "open" or not witness.repaired_by else "open by"
        yield _FATES[known].format(by=witness.repaired_by)


def _is_unread(log: EventLog) -> bool:
    """Return whether the vector's posts are all accounted for, so that only its mailbox is unread."""
    seen, vector = log.end["vcpus"][log.v], log.witness.vector
    balance = dict(map(tuple, seen["books"])).get(vector, 0)
    return bool(balance == (vector in seen["pir"]) + (vector in seen["virr"]))
