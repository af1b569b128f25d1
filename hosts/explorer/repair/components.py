"""Strongly connected components of a graph (Tarjan 1972)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

Node = TypeVar("Node", bound=Hashable)
Edges = Mapping[Node, Sequence[tuple[Any, Node]]]
"""For each node its outgoing edges: a label, and the node that the edge leads to."""


def components(nodes: Iterable[Node], edges: Edges[Node]) -> Iterator[set[Node]]:
    """Yield the strongly connected components, without recursion."""
    number: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    inside: set[Node] = set()
    for root in nodes:
        if root in number:
            continue
        work = [(root, iter(edges[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        inside.add(root)
        while work:
            node, rest = work[-1]
            for _move, after in rest:
                if after not in number:
                    number[after] = low[after] = len(number)
                    stack.append(after)
                    inside.add(after)
                    work.append((after, iter(edges[after])))
                    break
                if after in inside:
                    low[node] = min(low[node], number[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    component: set[Node] = set()
                    while not component or node not in component:
                        component.add(stack.pop())
                    inside -= component
                    yield component
