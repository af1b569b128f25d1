"""The table of events on a narrow terminal: one line a step, with its thread, and below it what has changed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.explanation.check_reads import is_read, reads_text
from hosts.explorer.explanation.format import state_text
from hosts.explorer.explanation.rows import EventRow, about, doing, place, serving

_NUMBER: Final = 5
_GAP: Final = "  "
_DOING: Final = 34
"""The most that is kept free for what a thread does: where it does so stands beside it."""


def step_lines(witness: Witness, rows: Sequence[EventRow], width: int) -> Iterator[str]:
    """Yield the lines of the rows."""
    return _Steps(witness, rows, width).lines()


class _Steps:
    def __init__(self, witness: Witness, rows: Sequence[EventRow], width: int) -> None:
        self.witness, self.rows, self.width = witness, rows, width
        self.vcpus = len(witness.states[0]["view"]["vcpus"])
        self.serving = serving(witness.states[0]["view"])
        self.who = [name if i < self.serving else f"pCPU {i}" for i, name in enumerate(witness.threads)]
        self.about = about(rows)
        self.indent = " " * (_NUMBER + len(_GAP))
        self.name = max(map(len, self.who))
        self.doing = min(max((len(doing(row, self.vcpus)) for row in rows), default=0), _DOING)

    def lines(self) -> Iterator[str]:
        """Yield the lines."""
        actors = [f"{self.who[i]}: {name}" for i, name in enumerate(self.witness.threads) if i >= self.serving]
        yield from self._wrapped(f"{', '.join(self.who[: self.serving])}{''.join(f'; {each}' for each in actors)}", "")
        yield ""
        shown = state_text(self.witness.states[0]["view"], self.witness.threads)
        yield from self._wrapped(f"before: {shown}", self.indent)
        read, around = "", self.witness.stem if self.witness.cycle else len(self.witness.steps)
        for row in self.rows:
            if row.step > around:
                yield from self._wrapped(f"(from here round and round: {self.witness.round})", "")
                around = len(self.witness.steps)
            yield from self._step(row)
            state, reads = state_text(row.view, self.witness.threads), self._read(row)
            if state != shown:
                yield from self._wrapped(f"now: {state}", self.indent)
            if reads != read:
                yield from self._wrapped(f"{self.witness.check} reads: {reads}", self.indent)
            shown, read = state, reads

    def _step(self, row: EventRow) -> Iterator[str]:
        """Write what is done, and where if there is room beside it, else below."""
        does, where = doing(row, self.vcpus), place(row.act)
        start = _GAP.join([row.number.ljust(_NUMBER), self.who[row.act.thread].ljust(self.name), ""])
        line = f"{start}{does.ljust(self.doing)}{_GAP}{where}".rstrip()
        if len(line) <= self.width:
            yield line
            return
        yield from textwrap.wrap(
            f"{start}{does}",
            self.width,
            subsequent_indent=" " * len(start),
            break_on_hyphens=False,
            break_long_words=False,
        )
        yield from self._wrapped(where, " " * len(start))

    def _read(self, row: EventRow) -> str:
        """Write what the check reads behind a row."""
        vcpu = self.about if self.about < self.vcpus else 0
        return reads_text(self.witness.check, row.view, vcpu) if is_read(self.witness.check) else ""

    def _wrapped(self, text: str, indent: str, hanging: str = _GAP) -> list[str]:
        return textwrap.wrap(
            text,
            self.width,
            initial_indent=indent,
            subsequent_indent=indent + hanging,
            break_on_hyphens=False,
            break_long_words=False,
        )
