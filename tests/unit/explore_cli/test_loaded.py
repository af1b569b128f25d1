"""What is compiled before a budget begins to count."""

from __future__ import annotations

from typing import Any

import pytest

from hosts.cli.explore_engine import Explorer
from hosts.cli.explore_plan import asked_for
from hosts.explorer import walks
from hosts.explorer.model import Options


def test_the_look_for_cycles_is_compiled_with_the_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes half a minute, once a machine, and would come at the very end of the first search's budget."""
    walked: list[list[int]] = []
    walk = walks.walk_cycles

    def walk_cycles(*arguments: Any) -> bool:
        walked.append(arguments[5].tolist())
        return bool(walk(*arguments))

    monkeypatch.setattr(walks, "walk_cycles", walk_cycles)
    (asked,) = asked_for((), ("elide-self-2022",), (), "post:34 | guest=cpuid | timers=0")
    Explorer(None).guess(asked, Options())
    assert walked == [[]], "no state is looked at"
