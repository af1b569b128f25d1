"""Strongly connected components: two nodes are in one exactly if each can be reached from the other."""

from __future__ import annotations

import random

import pytest

from hosts.explorer.repair.components import components


def reached(edges: dict[int, list[tuple[str, int]]], start: int) -> set[int]:
    """Return the nodes that can be reached, the start included."""
    found, queue = {start}, [start]
    for node in queue:
        for _label, after in edges[node]:
            if after not in found:
                found.add(after)
                queue.append(after)
    return found


@pytest.mark.parametrize("seed", range(50))
def test_components_are_the_classes_of_mutual_reachability(seed: int) -> None:
    """In random graphs, each node in one component."""
    draw = random.Random(seed)
    count = draw.randrange(1, 12)
    edges = {i: [("", draw.randrange(count)) for _ in range(draw.randrange(3))] for i in range(count)}
    found = list(components(edges, edges))
    ahead = {node: reached(edges, node) for node in edges}
    wanted = {frozenset(other for other in ahead[node] if node in ahead[other]) for node in edges}
    assert {frozenset(each) for each in found} == wanted
    assert sorted(node for each in found for node in each) == sorted(edges)
