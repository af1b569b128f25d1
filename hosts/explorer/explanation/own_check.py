"""The explanation of a check of the user's own: what it says, and what was last done to the user's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hosts.explorer.explanation.query import EventLog
from hosts.kernel_names import vector_text
from hosts.loader.own.declared import Own

_WRITING: Final = ("STORE", "XCHG", "CMPXCHG", "OR", "AND", "ADD")
_READING: Final = ("LOAD", "XCHG", "CMPXCHG", "OR", "AND", "ADD")
MOST_WORDS: Final = 3


def own_check_sentences(log: EventLog, own: Own) -> Iterator[str]:
    """Say what the check that fired says, who wrote the user's words last, and when the vCPU looked at them."""
    check = next(each for each in own.own_checks if each.name == log.witness.check)
    vector = f" of {vector_text(log.witness.vector)}" if log.witness.vector >= 0 else ""
    about = f': "{check.about.rstrip(".")}"' if check.about else ""
    yield f"{check.name} does not hold{vector} at {log.vcpu}{about} ({check.place})."
    names = {f"{struct.name}.{field.name}" for struct in own.structs for field in struct.fields}
    written = [i for i, row in enumerate(log.rows) if row.act.kind in _WRITING and _is_own(row.act.word, names)]
    words = list(dict.fromkeys(log.rows[i].act.word for i in reversed(written)))[:MOST_WORDS]
    for word in words:
        yield from _last_of(log, word)


def _is_own(word: str, names: set[str]) -> bool:
    return any(word.partition("[")[0].endswith(name) for name in names)


def _last_of(log: EventLog, word: str) -> Iterator[str]:
    """Name the last write of a word, and the vCPU's last look at it."""
    wrote = log.last(lambda row: row.act.word == word and row.act.kind in _WRITING)
    looked = log.last(lambda row: (row.act.word, row.act.thread) == (word, log.v) and row.act.kind in _READING, wrote)
    act = log.rows[wrote].act
    yield f"{log.who(act.thread)} wrote {word} last ({act.function} {act.file}:{act.line}, {log.step(wrote)})."
    if act.thread == log.v:
        return
    if looked < 0:
        yield f"{log.vcpu} had never looked at it."
    else:
        yield f"{log.vcpu} had looked at it for the last time before that: {log.told(looked)}."
