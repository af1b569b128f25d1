"""All schedules of a few plain functions: no automaton, no key, no search but this one.

The functions run as Python has them, each in a greenlet; every operation of the waist that others can notice switches
out of it and is a step of its own. A state is the whole history of every thread's answers with memory, buffers and
IPIs; nothing else is ever taken for equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from greenlet import getcurrent, greenlet

from emu.waist import set_host
from hosts.word64 import signed

Request = tuple[Any, ...]
History = tuple[int, ...]
END: Request = ("end",)


class BruteHost:
    """The waist for one thread: private words of its own, everything else is asked for."""

    def __init__(self, at: int, pcpu: int, enabled: int, interrupt: Callable[[], None]) -> None:
        """``enabled`` is the address of the interrupt flag."""
        self.at = at
        self.pcpu = pcpu
        self.enabled = enabled
        self.interrupt = interrupt
        self.private: dict[int, int] = {}

    def _ask(self, *request: Any) -> Any:
        parent = getcurrent().parent
        assert parent is not None
        return parent.switch(request)

    def load(self, word: int) -> int:
        """Ask."""
        return self._ask("load", word)

    def store(self, word: int, value: int) -> None:
        """Ask."""
        self._ask("store", word, signed(value))

    def xchg(self, word: int, value: int) -> int:
        """Ask."""
        return self._ask("xchg", word, signed(value))

    def cmpxchg(self, word: int, old: int, new: int) -> int:
        """Ask."""
        return self._ask("cmpxchg", word, signed(old), signed(new))

    def fetch_or(self, word: int, bits: int) -> int:
        """Ask."""
        return self._ask("or", word, bits)

    def fetch_and(self, word: int, bits: int) -> int:
        """Ask."""
        return self._ask("and", word, bits)

    def fetch_add(self, word: int, value: int) -> int:
        """Ask."""
        return self._ask("add", word, value)

    def fence(self) -> None:
        """Ask."""
        self._ask("fence")

    def peek(self, word: int) -> int:
        """Look into the own words."""
        return self.private.get(word, 0)

    def poke(self, word: int, value: int) -> None:
        """Write an own word."""
        self.private[word] = signed(value)

    def memory(self) -> int:
        """Return the address of the machine."""
        return self.at

    def this_cpu(self) -> int:
        """Return the pCPU's address."""
        return self.pcpu

    def interrupt_point(self, site: int) -> None:  # noqa: ARG002 - the waist's signature
        """Take what is pending if the flag is on."""
        while self.private.get(self.enabled, 0) and self._ask("pending"):
            self.interrupt()

    def send_IPI(self, cpu: int, vector: int) -> None:
        """Ask."""
        self._ask("send", cpu, vector)

    def apic_ack(self) -> int:
        """Ask."""
        return self._ask("ack")

    def choose(self, n: int) -> int:
        """Ask, if there is a choice."""
        return self._ask("choose", n) if n > 1 else 0

    def cpu_relax(self) -> None:
        """Do nothing."""


class Brute(NamedTuple):
    """One state."""

    histories: tuple[History, ...]
    memory: tuple[tuple[int, int], ...]
    buffers: tuple[tuple[tuple[int, int], ...], ...]
    flight: tuple[tuple[int, int], ...] = ()
    pending: tuple[frozenset[int], ...] = ()


class Schedules:
    """All schedules of some threads."""

    def __init__(
        self,
        threads: Sequence[Callable[[], Any]],
        at: int,
        pcpus: Sequence[int],
        buffer: int,
        interrupt: Callable[[], None],
        enabled: Sequence[int],
    ) -> None:
        """``at`` and ``pcpus`` are what ``memory()`` and ``this_cpu_ptr()`` give, ``enabled`` the interrupt flags."""
        self.threads = threads
        self.at = at
        self.pcpus = pcpus
        self.buffer = buffer
        self.interrupt = interrupt
        self.enabled = enabled
        self.requests: dict[tuple[int, History], Request] = {}

    def request(self, thread: int, history: History) -> Request:
        """Run a thread from its beginning; give what it asks for after these answers."""
        found = self.requests.get((thread, history))
        if found is None:
            host = BruteHost(self.at, self.pcpus[thread], self.enabled[thread], self.interrupt)
            before = set_host(host)  # type: ignore[arg-type] - no host for instruments
            try:
                body = greenlet(self.threads[thread])
                request = body.switch()
                for answer in history:
                    request = body.switch(answer)
                found = END if body.dead else request
                body.throw()
            finally:
                set_host(before)
            self.requests[thread, history] = found
        return found

    def finals(self) -> set[tuple[tuple[int, int], ...]]:
        """Return every memory in which all threads have ended and all buffers are empty: (word, value) where not 0."""
        count = len(self.threads)
        left = [Brute(((),) * count, (), ((),) * count, (), (frozenset(),) * count)]
        seen = set(left)
        finals = set()
        while left:
            state = left.pop()
            after = list(self.after(state))
            if not after:
                assert all(self.request(t, history) == END for t, history in enumerate(state.histories)), state
                finals.add(tuple(item for item in state.memory if item[1]))
            for each in after:
                if each not in seen:
                    seen.add(each)
                    left.append(each)
        return finals

    def after(self, state: Brute) -> list[Brute]:
        """Return all that may come next."""
        out: list[Brute] = []
        for t, buffer in enumerate(state.buffers):
            if buffer:
                memory = _written(state.memory, *buffer[0])
                out.append(state._replace(memory=memory, buffers=_put(state.buffers, t, buffer[1:])))
            out += [
                new._replace(histories=_put(state.histories, t, (*state.histories[t], answer)))
                for answer, new in self.done(state, t, self.request(t, state.histories[t]))
            ]
        for target, vector in set(state.flight):
            flight = list(state.flight)
            flight.remove((target, vector))
            pending = _put(state.pending, target, state.pending[target] | {vector})
            out.append(state._replace(flight=tuple(flight), pending=pending))
        return out

    def done(self, state: Brute, t: int, request: Request) -> list[tuple[int, Brute]]:  # noqa: PLR0911, C901
        """Return each answer to a request with the state after it; none: it has to wait."""
        buffer = state.buffers[t]
        match request:
            case ("load", word):
                value = dict(state.memory).get(word, 0)
                for waiting, stored in buffer:
                    value = stored if waiting == word else value
                return [(value, state)]
            case ("store", word, value) if self.buffer:
                fits = len(buffer) < self.buffer
                return [(0, state._replace(buffers=_put(state.buffers, t, (*buffer, (word, value)))))] if fits else []
            case ("store", word, value):
                return [(0, state._replace(memory=_written(state.memory, word, value)))]
            case ("choose", n):
                return [(answer, state) for answer in range(n)]
            case ("pending",):
                return [(int(bool(state.pending[t])), state)]
            case ("ack",):
                highest = max(state.pending[t])
                return [(highest, state._replace(pending=_put(state.pending, t, state.pending[t] - {highest})))]
            case ("end",):
                return []
        if buffer:
            return []
        match request:
            case ("fence",):
                return [(0, state)]
            case ("send", cpu, vector):
                return [(0, state._replace(flight=tuple(sorted((*state.flight, (cpu, vector))))))]
        kind, word, *operands = request
        old = dict(state.memory).get(word, 0)
        new = _modified(kind, old, *operands)
        return [(old, state._replace(memory=_written(state.memory, word, new)))]


def _modified(kind: str, old: int, a: int, b: int = 0) -> int:
    results = {"xchg": a, "cmpxchg": b if old == a else old, "or": old | a, "and": old & a, "add": old + a}
    return signed(results[kind])


def _written(memory: tuple[tuple[int, int], ...], word: int, value: int) -> tuple[tuple[int, int], ...]:
    return tuple(sorted({**dict(memory), word: value}.items()))


def _put(items: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    return (*items[:index], value, *items[index + 1 :])
