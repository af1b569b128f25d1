"""Instruments as steps of their own: what they write is kept as it is then."""

from __future__ import annotations

import pytest

from hosts.cli.main import main


def test_without_fusing_no_mark_is_folded(capsys: pytest.CaptureFixture[str]) -> None:
    """A mark folded to whether it is odd can change twice between two looks of a check: C5 would fire for nothing."""
    scope = "post:34 | guest=cpuid | timers=0"
    status = main(["explore", "--policy", "elide-self-2022", "--scope", scope, "--no-fuse"])
    assert status == 0, capsys.readouterr().out
