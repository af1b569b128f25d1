"""Stubborn sets: the agents that need move in a state, so that equivalent orders are explored once.

Each thread is two agents, its program and its store buffer (as in Abdulla, Aronis, Atig, Jonsson, Leonardsson and
Sagonas, "Stateless Model Checking for TSO and PSO", 2015, where a buffer is a thread of its own); an agent has one next
move. From a state only the agents of one *stubborn set* move (Valmari, "Stubborn Sets for Reduced State Space
Generation", 1991), chosen so that

- if a member can move: nothing that the others can ever do before it does, comes between (commutes with) that move, or
  the agent that has to move first for it is a member;
- if a member cannot move: the one whose move it waits for is a member;
- some member can move.

Then of every run to the end, the first move of a member may as well come first: the moves before it, all by others,
commute with it. If none of its moves is a member's, a member can still move at its end, so that it was not the end. So
every state in which all has ended is reached, by induction over what is left of the run. That is all a litmus test asks
for, and it needs no proviso for cycles: only what goes on for ever may be left out, which has no end.

What commutes under x86-TSO:

- A store into the own buffer, with everything. So does a fence that finds it empty; one that does not waits for it.
- A load, with all but writes to its word: a buffered store that reaches memory, a locked operation. A load that finds
  its word in the own buffer is no exception, as that store may have reached memory before others write.
- A buffered store that reaches memory, and a locked operation (which waits for the own buffer), with all but reads of
  the word by others, and writes; but with writes, too, if nobody will read the word again and the test does not ask
  for it. A load of the word by the same thread finds the same value before and after.

What a thread may still read and write is what stands behind the instruction that comes next
(:meth:`hosts.litmus.projection.ProjectedThread.future`). Writes that wait in a buffer are that buffer's; it has to move
for any of them to be seen. Of all sets found this way, from each agent that can move, the one with the fewest is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hosts.explorer.model.operations import Op
from hosts.explorer.model.semantics import State
from hosts.litmus.projection import ProjectedThread


class Next(NamedTuple):
    """What a program does next, and may do from there on."""

    kind: Op
    drains: bool
    word: int
    """A bit, as in all sets of words here."""
    reads: int
    writes: int


class Stubborn:
    """Chooses the agents that move: a program by its thread's number, a buffer by that and the number of threads."""

    def __init__(self, programs: Sequence[ProjectedThread], asked: int, *, buffered: bool) -> None:
        """``asked``: the words whose end the test asks for."""
        self._programs = programs
        self._asked = asked
        self._buffered = buffered
        self._known: dict[tuple[int, int], Next] = {}

    def next(self, thread: int, local: int) -> Next:
        """Return what a program does next."""
        known = self._known.get((thread, local))
        if known is None:
            operation = self._programs[thread].operation(local)
            word = 1 << operation.word if operation.word >= 0 else 0
            drains = operation.drains and self._buffered
            known = Next(operation.kind, drains, word, *self._programs[thread].future(local))
            self._known[thread, local] = known
        return known

    def agents(self, state: State) -> list[int]:
        """Return the agents that are to move, all of which can; none if all has ended."""
        now = _Now(self, state, self._asked, buffered=self._buffered)
        best = 0
        left = now.able
        while left and best.bit_count() != 1:
            found = now.closed(left & -left)
            left &= left - 1
            if not best or found.bit_count() < best.bit_count():
                best = found
        return list(numbers(best))


class _Now:
    """The agents of one state; sets of them are bits."""

    def __init__(self, stubborn: Stubborn, state: State, asked: int, *, buffered: bool) -> None:
        self._threads = threads = len(state.locals)
        self._buffered = buffered
        self._next = [stubborn.next(thread, local) for thread, local in enumerate(state.locals)]
        self._waiting = [_words(buffer) for buffer in state.buffers]
        self._oldest = [1 << buffer[0][0] if buffer else 0 for buffer in state.buffers]
        self.able = 0
        for thread, (due, waiting) in enumerate(zip(self._next, self._waiting, strict=True)):
            asked |= due.reads
            if waiting:
                self.able |= 1 << threads + thread
            if due.kind != Op.END and not (due.drains and waiting):
                self.able |= 1 << thread
        self._matters = asked
        """Words in which one value is not as good as another."""
        self._needs: dict[int, int] = {}

    def closed(self, first: int) -> int:
        """Return those that can move of the least stubborn set with an agent in it."""
        members = todo = first
        while todo:
            agent = todo & -todo
            if agent not in self._needs:
                self._needs[agent] = self._needed(agent.bit_length() - 1)
            todo = (todo ^ agent) | self._needs[agent] & ~members
            members |= todo
        return members & self.able

    def _needed(self, agent: int) -> int:
        """Return the agents that a set with this agent needs besides."""
        thread = agent % self._threads
        if agent >= self._threads:
            return self._others(thread, self._oldest[thread], writes=True)
        due = self._next[thread]
        if due.drains and self._waiting[thread]:
            return 1 << self._threads + thread
        if due.kind == Op.STORE and self._buffered:
            return 0
        return self._others(thread, due.word, writes=due.kind != Op.LOAD)

    def _others(self, thread: int, word: int, *, writes: bool) -> int:
        """Return who has to move before another thread can do what does not commute with an access to a word."""
        found = 0
        told_apart = word & self._matters  # all words that are read are among these
        for other, due in enumerate(self._next):
            if other == thread:
                continue
            if told_apart and word & self._waiting[other]:
                found |= 1 << self._threads + other
            elif told_apart and word & due.writes:
                found |= 1 << other
            if writes and word & due.reads:
                found |= 1 << other
        return found


def numbers(bits: int) -> Iterator[int]:
    """Return the numbers in a set of bits."""
    while bits:
        yield (bits & -bits).bit_length() - 1
        bits &= bits - 1


def _words(buffer: Sequence[tuple[int, int]]) -> int:
    """Return the words that wait in a buffer."""
    words = 0
    for word, _ in buffer:
        words |= 1 << word
    return words
