"""The writing side of a campaign: a row for each task, in a file that survives a kill of its writer at any moment.

Each step is one transaction, on the disk when the call returns. A task is entered as *running* before it begins, and
becomes *finished* or *interrupted* once: so a run that a kill cuts off is a row too, and no run counts twice.
One process writes, under the folder's lock; any number may read meanwhile.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from hosts.soak.clock import Clock, Stopwatch
from hosts.soak.errors import CampaignError, Refused, Unwritable
from hosts.soak.store import records, schema
from hosts.soak.store.folders import KEPT, LIVE, Folders, make_folder
from hosts.soak.store.lock import FolderLock
from hosts.soak.store.reader import Archive
from hosts.soak.store.rows import Row
from hosts.soak.store.schema import DATABASE, LOG, NOTHING_BEGUN, translated
from hosts.soak.store.statements import insert, update
from hosts.soak.store.tallies import Cell, Entry, Tallies, is_alarming
from hosts.soak.task import Result, Task

KEEP_UNEXPECTED: Final = 50
KEEP_EXPECTED: Final = 3
"""Runs of a cell whose files are kept: not as expected; as expected. Of every other the row has the seed."""

CUT_OFF: Final = "cut off: the soak was killed"
SOAK_ENDED: Final = "the soak ended"


class Campaign(Archive):
    """The campaign of a folder. Made by :meth:`create`, :meth:`resume` or :meth:`read`; a context manager."""

    def __init__(self, folder: Path, db: sqlite3.Connection, lock: FolderLock | None, clock: Clock) -> None:
        super().__init__(folder, db)
        self.interrupted: tuple[int, ...] = ()
        """Runs that were under way when the session before was killed."""
        self.broken = False
        """A step failed: nothing more is written, and the file is consistent."""
        self._folder_lock = lock
        self._clock = clock
        self._watches: dict[int, Stopwatch] = {}
        self._tallies = Tallies()
        self._session = 0
        self._watch = Stopwatch(clock)
        self._inode = (folder / DATABASE).stat().st_ino

    # --- opening

    @classmethod
    def create(
        cls,
        folder: Path,
        settings: Mapping[str, Any],
        environment: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Create a campaign in a folder that has none."""
        make_folder(folder)
        lock = FolderLock(folder)
        try:
            _refuse_remains(folder)
            with translated(folder, NOTHING_BEGUN):
                Folders(folder).make()
            schema.make(folder, {"settings": records.text(dict(settings))})
            return cls._begin(folder, lock, environment, clock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def resume(cls, folder: Path, environment: Mapping[str, Any] | None = None, clock: Clock | None = None) -> Self:
        """Continue a campaign; the runs that were under way when it ended become interrupted."""
        schema.check_header(folder)
        lock = FolderLock(folder)
        try:
            with translated(folder):
                Folders(folder).make()
            return cls._begin(folder, lock, environment, clock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Open a campaign to read, also while another process writes it."""
        return cls(folder, schema.open_to_read(folder), None, Clock())

    @classmethod
    def _begin(cls, folder: Path, lock: FolderLock, environment: Mapping[str, Any] | None, clock: Clock | None) -> Self:
        db = schema.open_to_write(folder)
        try:
            campaign = cls(folder, db, lock, clock if clock is not None else Clock())
            campaign._start(dict(environment or {}))
        except BaseException:
            db.close()
            raise
        return campaign

    def _start(self, environment: dict[str, Any]) -> None:
        """Enter a session, interrupt the runs that the one before left running, and read the tallies."""
        cut_off = [number for (number,) in self._select("SELECT id FROM run WHERE state = 'running' ORDER BY id")]
        with translated(self.folder):
            kept = {number: self._folders.keep(number) for number in cut_off}
        with self._transaction() as db:
            for number in cut_off:
                self._enter_interruption(db, number, CUT_OFF, kept=kept[number], ended="", watch=None)
            session = {"began": self._clock.label(), "environment": records.text(environment)}
            self._session = insert(db, "session", session)
        self._folders.sweep()
        self.interrupted = tuple(cut_off)
        self._tallies = super().tallied()

    def tallied(self) -> Tallies:
        """Return all tallies: the writer's from memory, a reader's from the file."""
        return self._tallies if self._folder_lock is not None else super().tallied()

    # --- the steps of a run

    def begin(self, task: Task) -> int:
        """Enter a task as running; return its number, which is never used again."""
        columns = records.task_columns(task) | {"session": self._session, "state": "running"}
        with self._transaction() as db:
            number = insert(db, "run", columns)
            detail = {"id": number, "task": task.to_json(), "began": self._clock.label()}
            insert(db, "detail", detail)
            self._folders.begin(number)
        with self._lock:
            self._watches[number] = Stopwatch(self._clock)
            self._tallies.begin(number, Cell.of(task))
        return number

    def live(self, number: int) -> Path:
        """Return the folder for the files of a run under way."""
        return self._folders.live(number)

    def finish(self, number: int, result: Result, *, keep: bool | None = None) -> Row:
        """Enter a result. Its files are kept or removed: as asked, or by the number kept of its cell so far."""
        with self._lock:
            task = self._running(number).task
            columns = records.result_columns(result)
            entry = records.entry_from(number, task, columns, kept=False)
            if keep is None:
                keep = bool(result.files) and self._has_room(entry)
            with self._transaction() as db:
                kept = self._keep(number, result.files if keep else None)
                update(db, "run", number, columns | {"state": "finished", "kept": int(kept)})
                update(db, "detail", number, {"result": records.result_text(result)} | self._times(number))
            self._tallies.end(entry._replace(kept=kept))
            self._forget(number)
            return self.row(number)

    def interrupt(self, number: int, why: str) -> Row:
        """Enter a run as interrupted."""
        with self._lock:
            task = self._running(number).task
            with self._transaction() as db:
                kept = self._folders.keep(number)
                ended, watch = self._clock.label(), self._watches.get(number)
                self._enter_interruption(db, number, why, kept=kept, ended=ended, watch=watch)
            self._tallies.end(Entry(number, "interrupted", Cell.of(task)))
            self._forget(number)
            return self.row(number)

    def retry(self, number: int, why: str) -> Row:
        """Enter that a run's worker died and that it is retried; the files of the attempt are kept."""
        with self._lock:
            row = self._running(number)
            with self._transaction() as db:
                kept = self._folders.keep_attempt(number, row.attempts)
                update(db, "run", number, {"attempts": row.attempts + 1, "kept": int(kept)})
                update(db, "detail", number, {"died": records.text([*row.died, why])})
            return self.row(number)

    def _running(self, number: int) -> Row:
        row = self.row(number)
        if row.state != "running":
            raise Refused(f"{self.folder}: run {number} is {row.state} already")
        return row

    def _has_room(self, entry: Entry) -> bool:
        tally = self._tallies.cells[entry.cell]
        if is_alarming(entry):
            return tally.kept < KEEP_UNEXPECTED
        return tally.kept_expected < KEEP_EXPECTED

    def _keep(self, number: int, files: Mapping[str, bytes] | None) -> bool:
        if files is not None:
            return self._folders.keep(number, files)
        return self._folders.kept(number).exists()  # of an attempt that died

    def _enter_interruption(
        self, db: sqlite3.Connection, number: int, why: str, *, kept: bool, ended: str, watch: Stopwatch | None
    ) -> None:
        update(db, "run", number, {"state": "interrupted", "kept": int(kept)})
        update(db, "detail", number, {"why": why, "ended": ended} | _durations(watch))

    def _times(self, number: int) -> dict[str, Any]:
        return {"ended": self._clock.label()} | _durations(self._watches.get(number))

    def _forget(self, number: int) -> None:
        self._watches.pop(number, None)
        self._folders.drop(number)

    # --- writing

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction: on the disk afterwards, or undone, and the campaign is *broken* if writing failed."""
        with self._lock:
            self._check_writable()
            try:
                with translated(self.folder):
                    self._db.execute("BEGIN IMMEDIATE")
                    yield self._db
                    self._note_session(self._db)
                    self._db.execute("COMMIT")
            except BaseException as error:
                self.broken = self.broken or isinstance(error, CampaignError)
                with contextlib.suppress(sqlite3.Error):
                    self._db.rollback()
                raise

    def _check_writable(self) -> None:
        if self._folder_lock is None:
            raise TypeError("this campaign was opened to be read")
        if self.broken:
            raise Unwritable(f"{self.folder}: an earlier step failed; what the campaign has so far is kept")
        path = self.folder / DATABASE
        try:
            same = path.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            self.broken = True
            raise Unwritable(f"{path}: moved away or removed while the soak was running; it ends here")

    def _note_session(self, db: sqlite3.Connection) -> None:
        update(db, "session", self._session, {"elapsed": self._watch.elapsed})

    # --- closing

    def close(self) -> None:
        """End the session: runs under way become interrupted. Of a broken campaign only the lock is released."""
        with self._lock:
            try:
                if self._folder_lock is not None and not self.broken and self._session:
                    self._end()
            finally:
                self._db.close()
                if self._folder_lock is not None:
                    self._folder_lock.release()

    def _end(self) -> None:
        for row in list(self.rows(state="running")):
            self.interrupt(row.id, SOAK_ENDED)
        with self._transaction() as db:
            update(db, "session", self._session, {"ended": self._clock.label()})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(CampaignError):  # one error is enough
            self.close()


def _refuse_remains(folder: Path) -> None:
    if (folder / DATABASE).exists():
        raise Refused(f"{folder}: there is a campaign already: go on with it (--resume), or choose another folder")
    if (folder / LOG).exists():
        raise Refused(f"{folder}: {DATABASE} is gone, but its log {LOG} is there; move it away")
    if not Folders(folder).are_empty():
        raise Refused(f"{folder}: {DATABASE} is gone, but {KEPT} or {LIVE} has runs of it; move them away")


def _durations(watch: Stopwatch | None) -> dict[str, Any]:
    return {"elapsed": watch.elapsed, "clock": watch.moved} if watch is not None else {}
