"""That a rule makes no difference is found out once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hosts.explorer import rule_equivalence
from hosts.explorer.cache.files import Files
from hosts.explorer.cache.learnt import Learning
from hosts.explorer.model.options import Options
from hosts.loader.user_code import code_of
from hosts.runs.explore_request import Asked, asked_for
from hosts.runs.explorer_runner import Explorer

pytestmark = pytest.mark.timeout(300)

RULE = """
from emu.policies import elide_self_2022


def rule(vcpu, vec):
    elide_self_2022(vcpu, vec)
"""
SAME = ("elide-self-2022", "skip-running-2020")
"""In a scope in which only the fastpath posts."""


@pytest.fixture
def engine(tmp_path: Path) -> Explorer:
    """Return an explorer of the rule that keeps what it learns in a folder of this test's."""
    file = tmp_path / "mine.py"
    file.write_text(RULE, encoding="utf-8")
    made = Explorer(code_of(f"{file}:rule"))
    made._learning = Learning(Files(tmp_path / "kept"))
    return made


def asked(tmp_path: Path) -> Asked:
    """Ask for its smallest scope."""
    return asked_for(["tscdeadline-immed"], [f"{tmp_path}/mine.py:rule"], [], None)[-1]


def test_it_is_found_out_once(engine: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next search of the same has it from the folder."""
    assert engine.search(asked(tmp_path), Options(), lambda _: True).same_as == SAME

    def refuse(*_: Any) -> Any:
        raise AssertionError("found out again")

    monkeypatch.setattr(rule_equivalence, "same_as", refuse)
    assert engine.search(asked(tmp_path), Options(), lambda _: True).same_as == SAME


def test_what_was_not_decided_is_not_kept(engine: Explorer, tmp_path: Path) -> None:
    """A search that is ended right behind its end says nothing, and the next finds out."""
    assert engine.search(asked(tmp_path), Options(), lambda _: False).same_as == ()
    assert engine.search(asked(tmp_path), Options(), lambda _: True).same_as == SAME
