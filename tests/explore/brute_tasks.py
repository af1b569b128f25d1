"""All schedules of a few pCPUs that switch between tasks: a task is the history of its answers, wherever it ran.

No stack is ever kept, and no word belongs to anybody: what a task has on its stack or in words of its own it has
because it is run again from its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from greenlet import greenlet

from emu.waist import set_host
from tests.explore.brute import END, Brute, BruteHost, History, Request, Schedules, _put, _written


class TaskHost(BruteHost):
    """The waist for a task, which asks for everything, and is told on which pCPU it goes on."""

    def this_cpu(self) -> int:
        """Return the pCPU on which the task runs now."""
        return self.pcpu

    def peek(self, word: int) -> int:
        """Ask."""
        return self._ask("peek", word)

    def poke(self, word: int, value: int) -> None:
        """Ask."""
        self._ask("poke", word, value)

    def interrupt_point(self, site: int) -> None:  # noqa: ARG002 - the waist's signature
        """Take what is pending if the flag is on, which is that of the pCPU on which the task runs now."""
        while self.peek(self.pcpu + self.enabled) and self._ask("pending"):
            self.interrupt()

    def switch_to(self, prev: int, next: int) -> None:  # noqa: A002 - the waist's name
        """Ask; come back on another pCPU, perhaps."""
        self.pcpu = self._ask("switch", prev, next)


class Running(NamedTuple):
    """Which tasks run, by pCPU, and which are suspended."""

    tasks: tuple[int, ...]
    suspended: frozenset[int]


class State(NamedTuple):
    """A state of the machine; the histories in it are by task: first the idle ones, then those of vCPUs."""

    machine: Brute
    running: Running


class TaskSchedules(Schedules):
    """All schedules of pCPUs that begin with ``idle``, and of tasks that begin with ``begin``."""

    def __init__(
        self,
        idle: Callable[[], Any],
        begin: Callable[[], Any],
        contexts: Mapping[int, int],
        **machine: Any,
    ) -> None:
        """``contexts``: the numbers of the tasks whose context words these are; any other is the idle task's here."""
        super().__init__([], **machine)
        self.idle, self.begin, self.contexts = idle, begin, contexts

    def request(self, thread: int, history: History) -> Request:
        """Run a task from its beginning; ``thread`` is its number."""
        found = self.requests.get((thread, history))
        if found is None:
            idle = thread < len(self.pcpus)
            host = TaskHost(self.at, self.pcpus[thread] if idle else 0, self.enabled[0] - self.pcpus[0], self.interrupt)
            before = set_host(host)  # type: ignore[arg-type] - no host for instruments
            try:
                body = greenlet(self.idle if idle else self.begin)
                answers = list(history)
                if not idle and answers:
                    host.pcpu = answers.pop(0)
                request = ("fresh",) if not idle and not history else body.switch()
                for answer in answers:
                    request = body.switch(answer)
                found = END if body.dead else request
                body.throw()
            finally:
                set_host(before)
            self.requests[thread, history] = found
        return found

    def outcomes(self, first: tuple[tuple[int, int], ...]) -> tuple[set[tuple[tuple[int, int], ...]], bool]:
        """Return every memory at the end, and whether a task is ever resumed that is not suspended."""
        count, tasks = len(self.pcpus), len(self.pcpus) + len(self.contexts)
        machine = Brute(((),) * tasks, first, ((),) * count, (), (frozenset(),) * count)
        left = [State(machine, Running(tuple(range(count)), frozenset(range(count, tasks))))]
        seen = set(left)
        finals = set()
        crashed = False
        while left:
            state = left.pop()
            after = self.following(state)
            if after is None:
                crashed = True
                continue
            if not after:
                assert all(self.request(t, state.machine.histories[t]) == END for t in state.running.tasks), state
                finals.add(tuple(item for item in state.machine.memory if item[1]))
            for each in after:
                if each not in seen:
                    seen.add(each)
                    left.append(each)
        return finals, crashed

    def following(self, state: State) -> list[State] | None:
        """Return all that may come next; None: a crash. What nobody else can notice comes first, and alone."""
        out: list[State] = []
        for cpu, task in enumerate(state.running.tasks):
            machine, request = state.machine, self.request(task, state.machine.histories[task])
            match request:
                case ("peek", word):
                    return [self._answered(state, task, dict(machine.memory).get(word, 0))]
                case ("poke", word, value):
                    changed = machine._replace(memory=_written(machine.memory, word, value))
                    return [self._answered(state._replace(machine=changed), task, 0)]
                case ("switch", _, word):
                    if not machine.buffers[cpu]:
                        switched = self._switched(state, cpu, self.contexts.get(word, cpu))
                        if switched is None:
                            return None
                        out.append(switched)
                case _:
                    for answer, new in self.done(machine, cpu, request):
                        out.append(self._answered(state._replace(machine=new), task, answer))
        out += [state._replace(machine=new) for new in self._by_itself(state.machine)]

        return out

    def _by_itself(self, machine: Brute) -> list[Brute]:
        """Return what comes without anybody's step: a store reaches memory, an IPI arrives."""
        out = []
        for cpu, buffer in enumerate(machine.buffers):
            if buffer:
                memory = _written(machine.memory, *buffer[0])
                out.append(machine._replace(memory=memory, buffers=_put(machine.buffers, cpu, buffer[1:])))
        for target, vector in set(machine.flight):
            flight = list(machine.flight)
            flight.remove((target, vector))
            pending = _put(machine.pending, target, machine.pending[target] | {vector})
            out.append(machine._replace(flight=tuple(flight), pending=pending))
        return out

    def _answered(self, state: State, task: int, answer: int) -> State:
        histories = state.machine.histories
        return state._replace(
            machine=state.machine._replace(histories=_put(histories, task, (*histories[task], answer)))
        )

    def _switched(self, state: State, cpu: int, task: int) -> State | None:
        running = state.running
        if task not in running.suspended:
            return None
        suspended = running.suspended - {task} | {running.tasks[cpu]}
        now = state._replace(running=Running(_put(running.tasks, cpu, task), suspended))
        return self._answered(now, task, self.pcpus[cpu])
