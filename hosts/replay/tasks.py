"""Tasks on one process of a replay: greenlets that are switched, and made anew from their logs where they migrate.

The idle task of the pCPU is the process's main greenlet and runs the scope's driver. A vCPU's task is a greenlet that
runs ``ret_from_fork()``, in every process that has resumed it; only the newest of these is up to date. One that ran
elsewhere meanwhile is run from its beginning over its log: primitives are answered from it, without touching memory,
and go on live behind its end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from greenlet import getcurrent, greenlet

from emu.waist import local_read, local_write
from hosts.replay.host import ReplayHost
from hosts.replay.task_log import Answer, LogSaved, LogSent, LogWanted, first_of, idle_log, later_log

_CONSTANT: Final = frozenset(
    {"memory", "mutated", "trace", "rule_fault", "deadline_after", "open_turn", "next_turn", "cpu_relax"}
)
"""Primitives that answer the same each time: they are not logged."""


class TaskError(Exception):
    """A task cannot be resumed as it was saved; the message is for the user."""


class NotSuspended(Exception):  # noqa: N818 - a fault of the protocol, which is recorded
    """A task was resumed that is not suspended: this pCPU has come to its end."""


class Task:
    """A vCPU's task in this process."""

    def __init__(self, number: int, answers: Sequence[Answer]) -> None:
        """Begin it anew; ``answers``: what it has been answered so far."""
        self.number = number
        """The log that it was resumed from, or saved as."""
        self.answers = list(answers)
        self.saved = len(self.answers)
        self.again = 0
        """So many of them have been given again; all of them: it is live."""
        self.over = False
        """The run is over for its vCPU."""
        self.greenlet: Any = None

    @property
    def live(self) -> bool:
        """Return whether its primitives touch memory."""
        return self.again == len(self.answers)

    def answer_again(self, primitive: str, arguments: tuple[int, ...]) -> int | None:
        """Return the next answer of the log; TaskError if the code asks for something else."""
        logged = self.answers[self.again]
        if (logged.primitive, logged.arguments) != (primitive, arguments):
            asked = Answer(primitive, arguments, None).call
            raise TaskError(
                f"a fault of pirace: the log of vCPU {first_of(self.number) - 1}'s task does not fit its code: "
                f"answer {self.again + 1} of {len(self.answers)} is to {logged.call}, and {asked} is called"
            )
        self.again += 1
        return logged.result

    def record(self, primitive: str, arguments: tuple[int, ...], result: int | None) -> None:
        """Append an answer."""
        self.answers.append(Answer(primitive, arguments, result))
        self.again += 1


class Tasks:
    """The waist of a process that switches tasks: :class:`ReplayHost`'s primitives, logged.

    Made in the process's main greenlet.
    """

    def __init__(self, host: ReplayHost, body: Callable[[], None], pipe: Any) -> None:
        """``body`` is the program's ret_from_fork; ``pipe`` leads to the scheduler, which has the logs."""
        self._host, self._body, self._pipe = host, body, pipe
        self._cpu, self._pcpus = host.setting.cpu, host.setting.pcpus
        self._idle = getcurrent()
        self._running: Task | None = None
        """None: the idle task."""
        self._tasks: dict[int, Task] = {}
        """By the first log, the task's newest greenlet here."""
        self._saved = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a primitive."""
        primitive = getattr(self._host, name)
        made = primitive if name in _CONSTANT else partial(self._answered, name, primitive)
        setattr(self, name, made)
        return made

    def _answered(self, name: str, primitive: Callable[..., int | None], *arguments: int) -> int | None:
        """Return the logged answer, or call the primitive and log its answer."""
        task = self._running
        if task is None:
            return primitive(*arguments)
        if not task.live:
            self._host.answered_again()
            return task.answer_again(name, arguments)
        result = primitive(*arguments)
        task.record(name, arguments, result)
        return result

    def peek(self, word: int) -> int | None:
        """Read a word for an instrument, or a private word."""
        local = sys._getframe(1).f_code is local_read.__code__  # noqa: SLF001 - the waist makes no other difference
        return self._answered("local_read" if local else "peek", partial(self._host.look, local=local), word)

    def poke(self, word: int, value: int) -> None:
        """Write a mark, or a private word."""
        local = sys._getframe(1).f_code is local_write.__code__  # noqa: SLF001
        self._answered("local_write" if local else "mark", partial(self._host.put, local=local), word, value)

    def interrupt_point(self, site: int) -> None:
        """Take what is pending, as long as the flag is on: logged as one answer for each interrupt."""
        while self._answered("interrupt_point", self._host.takes_interrupt, site) != 0:
            self._host.interrupt()

    def run_goes_on(self) -> int | None:
        """Ask for the running task, which knows that its run is over wherever it runs."""
        task = self._running
        if task is None:
            return self._host.run_goes_on()
        answer = self._answered("run_goes_on", partial(self._host.run_goes_on_for, over=task.over))
        task.over = answer == 0
        return answer

    def switch_to(self, prev: int, next: int) -> None:  # noqa: A002 - the waist's name
        """Save the running task as a log, whose number goes into ``prev``, and resume the one in ``next``."""
        task = self._running
        if task is not None and not task.live:
            task.answer_again("switch_to", (prev, next))
            return
        if task is not None:
            task.record("switch_to", (prev, next), None)
        number = idle_log(self._cpu) if task is None else self._save(task)
        self._resume(self._host.exchange_contexts(prev, number, next))

    def _save(self, task: Task) -> int:
        """Send the scheduler what was answered since the task was resumed; return the new log's number.

        Nobody can read the number before this process's step has ended, and the scheduler has the log before that.
        """
        number = later_log(first_of(task.number), self._cpu, self._pcpus, self._saved)
        self._saved += 1
        self._pipe.send(LogSaved(number, task.number, tuple(task.answers[task.saved :])))
        task.number, task.saved = number, len(task.answers)
        return number

    def _resume(self, number: int) -> None:
        """Let the task of a log go on. Comes back when somebody resumes the caller's."""
        if number == 0:
            self._host.note_not_suspended()
            raise NotSuspended
        if number == idle_log(self._cpu):
            self._running = None
            if getcurrent() is not self._idle:
                self._idle.switch()
            return
        task = self._tasks.get(first_of(number))
        if task is None or task.number != number:
            if task is not None:
                _discard(task)
            task = self._tasks[first_of(number)] = self._made_anew(number)
        self._running = task
        if getcurrent() is not task.greenlet:
            task.greenlet.switch()

    def _made_anew(self, number: int) -> Task:
        """Return a task that is to be run over its log."""
        self._pipe.send(LogWanted(number))
        sent: LogSent = self._pipe.recv()
        if sent.answers is None:
            raise TaskError(f"switch_to: the context word holds {number}, which no task was saved as")
        task = Task(number, sent.answers)
        task.greenlet = greenlet(self._run, self._idle)  # what goes wrong in it is raised in the main greenlet
        return task

    def _run(self) -> None:
        self._body()
        raise TaskError("ret_from_fork has returned: a task that has ended cannot be switched away from")


def _discard(task: Task) -> None:
    """End a greenlet that is out of date. Its code sees an exception that it does not catch, and calls nothing."""
    task.greenlet.parent = getcurrent()
    task.greenlet.throw()
