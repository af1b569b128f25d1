"""What a local state does not hold: locals that are assigned before they are read again."""

from __future__ import annotations

from pathlib import Path

from hosts.explorer.model.operations import Op
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import AbstractionRefuted
from hosts.explorer.search.bfs import Search
from tests.explore.bodies import Tiny

LOOP = """
def left():
    for i in range(2):
        v = READ_ONCE(X())
        out(i, v * 8 + READ_ONCE(Y()))
"""


def test_the_result_of_a_call_is_dead_before_the_call(folder: Path) -> None:
    """Whatever was read in the round before, each round begins in one local state."""
    tiny = Tiny(folder, LOOP)
    world = tiny.world()
    while True:
        try:
            model = tiny.model(world)
            result = Search(model, Options(keep_finals=True, progress_check=False)).run()
            break
        except AbstractionRefuted:
            continue
    assert len({memory for _, memory in result.finals}) > 4
    left, word = model.threads[0], model.words.index(str(tiny.at + (1 << 24)))
    operations = [left.operation(local) for local in range(len(left))]
    assert sum(each.kind == Op.LOAD and each.word == word for each in operations) == 2
