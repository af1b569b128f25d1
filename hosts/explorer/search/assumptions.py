"""Assumptions of the reductions about threads of which not everything is known yet.

The threads are learnt while they are searched, so a reduction relies on what is known of them so far:

- which threads read, write and wait for which word (:mod:`hosts.explorer.reduce.independence`);
- which words a thread may still use (:mod:`hosts.explorer.reduce.footprints`);
- how often words of one thread are read by the others (:mod:`hosts.explorer.reduce.read_bounds`);
- that handlers are independent of the code behind the points at which their interrupts are deferred;
- which threads have back edges (:mod:`hosts.explorer.compiled.lazy_flush`).

During an attempt the assumptions stay as they were when it began. After each level what has been learnt is held against
them; if it contradicts one, the attempt is given up (:class:`AssumptionRefuted`) and the next one begins with what is
known by then. This is sound: up to the first operation that contradicts, the reduced search was right, so if any run
has such an operation, the search comes to it and notices. It terminates: what is known only grows, and is finite if the
threads are. When an attempt ends without a contradiction, all that it relied on holds.
"""

from __future__ import annotations

from typing import Protocol

from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model
from hosts.explorer.reduce.footprints import Footprints
from hosts.explorer.reduce.independence import Independence
from hosts.explorer.reduce.known_threads import KnownThreads
from hosts.explorer.reduce.read_bounds import ReadBounds


class AssumptionRefuted(Exception):  # noqa: N818 - a signal, not an error
    """The threads do something that an assumption ruled out: the search starts again."""


class Known(KnownThreads, Protocol):
    """What the assumptions are made from and held against."""

    back_edges: int
    """The threads that are known to have back edges, as a bit set."""


class Assumptions:
    """What the present attempt relies on."""

    def __init__(self, model: Model, options: Options) -> None:
        self._model = model
        self._reduce = options.reduce
        self.independence = Independence(model, options)
        self.footprints = Footprints(model, options)
        self.read_bounds = ReadBounds(model)
        self.back_edges = 0
        """The threads that may have back edges, as a bit set."""
        self._deferred: set[tuple[int, int]] = set()
        """Points, by thread and local state, whose interrupts are deferred to the next one."""
        self._handled: list[int] = []

    def reset(self, known: Known) -> None:
        """Assume from now on that there is no more than what is known."""
        self.independence.commit()
        self._deferred.clear()
        self.footprints.commit(known)
        self.read_bounds.commit(known)
        self.back_edges = known.back_edges

    def refuted(self, known: Known) -> bool:
        """Return whether something learnt since the last call contradicts an assumption."""
        changed = self.independence.changed or (self._reduce and known.back_edges != self.back_edges)
        return self.footprints.refuted(known) or self.read_bounds.refuted(known) or self._handlers_met() or changed

    @property
    def stronger_known(self) -> bool:
        """Return whether a search that began now would leave out more."""
        return self.footprints.stronger_known

    def keep(self) -> None:
        """Stay with these, whatever else is known: a resumed search is to come to the states of the one before."""
        self.footprints.stronger_known = False

    def defer(self, thread: int, local: int) -> bool:
        """Return whether the interrupts of a point can be deferred to the next one; if so it is assumed from now on."""
        possible = self._model.threads[thread].may_wait(local)
        if possible:
            self._deferred.add((thread, local))
        return possible

    def _handlers_met(self) -> bool:
        """Return whether interrupts have been deferred whose handlers turn out to depend on the code in between."""
        threads = self._model.threads
        handled = [thread.handled for thread in threads]
        before, self._handled = self._handled, handled
        return handled != before and not all(threads[thread].may_wait(local) for thread, local in self._deferred)
