"""One row, two rows."""

from __future__ import annotations

from hosts.plural import counted, how_often


def test_one_is_one() -> None:
    """Everything else is many, none too."""
    assert [counted(number, "row") for number in (0, 1, 2, 1234)] == ["0 rows", "1 row", "2 rows", "1,234 rows"]
    assert [counted(number, "canary", "canaries") for number in (1, 3)] == ["1 canary", "3 canaries"]
    assert [how_often(number) for number in (1, 2)] == ["once", "2 times"]
