"""The unreduced search: the explorer's compiled one (``pirace litmus --no-reduce``).

The reduced search (:mod:`hosts.litmus.search`) is compared with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from hosts.explorer.model.options import Options
from hosts.explorer.model.state_vector import Crammed, TooWide
from hosts.explorer.model.system import Model
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Progress
from hosts.litmus.bounds import IncompleteError
from hosts.litmus.errors import LitmusError
from hosts.litmus.outcome import FinalState


def final_states(
    model: Model, options: Options, report: Callable[[int], None] | None = None, *, reduce: bool = True
) -> Iterable[FinalState]:
    """Return all final states; IncompleteError. ``reduce``: with the explorer's own reductions."""

    def progress(now: Progress) -> bool:
        if report is not None:
            report(now.states)
        return True

    try:
        result = Search(model, replace(options, reduce=reduce)).run(progress)
    except Crammed:
        raise IncompleteError("room") from None
    except TooWide as error:
        raise LitmusError(0, f"{error}: not with --no-reduce") from None
    if not result.complete:
        bound = result.bounded_by[0]
        raise IncompleteError("room" if bound == "buffer" and not result.waited_for_buffer else bound)
    return result.finals
