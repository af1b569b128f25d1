"""A search of a model by its definition, state by state: slow, and what the native search is held to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product
from hosts.explorer.model.system import Model


def finals(model: Model, options: Options) -> Iterable[tuple[Sequence[int], Sequence[int]]]:
    """Return the local states and the memory of every state in which all has ended."""
    product = Product(model, options)
    first = product.initial()
    seen, waiting = {first}, deque([first])
    found = set()
    while waiting:
        state = waiting.popleft()
        if product.ended(state):
            found.add((state.locals, state.memory))
        for outcome in product.outcomes(state):
            if outcome.state not in seen:
                seen.add(outcome.state)
                waiting.append(outcome.state)
    if product.waited and options.buffer:
        raise AssertionError("a buffer of as many entries as there are stores was full")
    return sorted(found)
