"""The reading side of a campaign: runs, tallies, sessions; for its writer, and for readers beside it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from hosts.soak.errors import Damaged, Refused
from hosts.soak.store import records
from hosts.soak.store.folders import Folders
from hosts.soak.store.lock import is_locked
from hosts.soak.store.rows import Row, Session, Where
from hosts.soak.store.schema import DATABASE, translated
from hosts.soak.store.tallies import CanaryKey, CanaryTally, Cell, Tallies, Tally

_AT_ONCE: Final = 200
"""Rows read at a time: a long read transaction would keep the write-ahead log from being written back."""


class Archive:
    """The queries on a campaign."""

    def __init__(self, folder: Path, db: sqlite3.Connection) -> None:
        self.folder = folder
        self._db = db
        self._folders = Folders(folder)
        self._lock = threading.RLock()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the campaign was begun with."""
        with self._damage_named("what it is about"):
            written = self._select("SELECT value FROM fact WHERE name = 'settings'")[0][0]
            return records.read_back(written, dict[str, Any])

    def row(self, number: int) -> Row:
        """Return a run; Refused if there is none of that number."""
        for row in self.rows(ids=[number]):
            return row
        raise Refused(f"{self.folder}: no run {number}")

    def rows(self, *, after: int = 0, newest: bool = False, limit: int | None = None, **where: Any) -> Iterator[Row]:
        """Return the runs with these numbers, state, scenario ... (see :class:`Where`), the oldest or newest first."""
        return islice(self._pages(Where(**where), after, newest=newest), limit)

    def _pages(self, where: Where, after: int, *, newest: bool) -> Iterator[Row]:
        """Read page by page: a run that finishes meanwhile is not missed, and no row comes twice."""
        condition, values = where.condition()
        end: float = float("inf") if newest else after
        way, order = ("<", "DESC") if newest else (">", "ASC")
        query = (
            f"SELECT {records.ROW_COLUMNS} FROM run JOIN detail USING (id) "  # noqa: S608 - names of columns only
            f"WHERE {condition} AND run.id > ? AND run.id {way} ? ORDER BY run.id {order} LIMIT {_AT_ONCE}"
        )
        while found := self._select(query, (*values, after, end)):
            for each in found:
                with self._damage_named(f"run {each[0]}"):
                    row = records.row_of(each, self._folders.kept(each[0]))
                yield row
            end = found[-1][0]

    def tallies(self) -> Mapping[Cell, Tally]:
        """Return the tally of each cell. The writer keeps them in memory, a reader reads every run."""
        return self.tallied().cells

    def canaries(self) -> Mapping[CanaryKey, CanaryTally]:
        """Return the tallies of the canaries, by scenario and placement."""
        return self.tallied().canaries

    def tallied(self) -> Tallies:
        """Return both, read from the file."""
        tallies = Tallies()
        for found in self._select(f"SELECT {records.ENTRY_COLUMNS} FROM run ORDER BY id"):  # noqa: S608 - constant
            with self._damage_named(f"run {found[0]}"):
                entry = records.entry_of(found)
            tallies.begin(entry.id, entry.cell)
            if entry.state != "running":
                tallies.end(entry)
        return tallies

    def sessions(self) -> tuple[Session, ...]:
        """Return each session (start of the soak)."""
        found = self._select("SELECT id, began, ended, elapsed, environment FROM session ORDER BY id")
        with self._damage_named("a session"):
            return tuple(map(records.session_of, found))

    def select(self, query: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query that only reads."""
        return self._select(query, tuple(values))

    def in_use(self) -> bool:
        """Return whether a soak is running on this campaign, this process included."""
        return is_locked(self.folder)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Answer several queries from one snapshot of the file."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            with translated(self.folder):
                self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._db.execute("COMMIT")

    @contextlib.contextmanager
    def _damage_named(self, what: str) -> Iterator[None]:
        """Turn an error of reading ``what`` into Damaged: SQLite checks its pages, not the values in them."""
        try:
            yield
        except (LookupError, TypeError, ValueError) as error:
            said = f"{self.folder / DATABASE}: damaged: {what} cannot be read ({type(error).__name__}: {error})"
            raise Damaged(said) from error

    def _select(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock, translated(self.folder):
            return self._db.execute(query, values).fetchall()
