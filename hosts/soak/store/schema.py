"""The campaign file and its schema: created atomically, its header checked before it is opened, errors in one line.

It is an SQLite database with a write-ahead log: readers never wait for the soak, nor the soak for them; a commit is on
the disk before the call returns. The header (the first hundred bytes) has the version of the format, so a file of
another version is refused before anything has been written to it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from hosts.reading import read_head
from hosts.soak.errors import Busy, CampaignError, Damaged, Refused, Unwritable
from hosts.soak.store.folders import sync

DATABASE: Final = "campaign.sqlite"
LOG: Final = DATABASE + "-wal"
UNFINISHED: Final = DATABASE + ".new"

APPLICATION: Final = int.from_bytes(b"pira", "big")
FORMAT: Final = 1
"""Goes up whenever a table changes. No version before the first was ever given away, so that none is migrated yet."""

SCHEMA: Final = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    began TEXT NOT NULL,
    ended TEXT NOT NULL DEFAULT '',
    elapsed REAL NOT NULL DEFAULT 0,
    environment TEXT NOT NULL
);
-- What is counted; small, since it is read as a whole.
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL REFERENCES session (id),
    state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'interrupted')),
    kind TEXT NOT NULL,
    scenario TEXT NOT NULL,
    policy TEXT NOT NULL,
    mutation TEXT,
    canary INTEGER NOT NULL,
    pcpus INTEGER NOT NULL,
    place TEXT NOT NULL,
    processors TEXT NOT NULL,
    regime TEXT NOT NULL,
    scope TEXT NOT NULL,
    host TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 1,
    verdict TEXT NOT NULL DEFAULT '',
    as_expected INTEGER,
    seconds REAL NOT NULL DEFAULT 0,
    sightings INTEGER NOT NULL DEFAULT 0,
    posts INTEGER NOT NULL DEFAULT 0,
    round_trip REAL,
    disagreements INTEGER NOT NULL DEFAULT 0,
    windows TEXT NOT NULL DEFAULT '{}',
    kept INTEGER NOT NULL DEFAULT 0,
    CHECK ((state = 'finished') = (verdict <> ''))
);
CREATE INDEX run_state ON run (state) WHERE state = 'running';
-- What one looks up, run by run.
CREATE TABLE detail (
    id INTEGER PRIMARY KEY REFERENCES run (id),
    task TEXT NOT NULL,
    began TEXT NOT NULL,
    ended TEXT NOT NULL DEFAULT '',
    elapsed REAL NOT NULL DEFAULT 0,
    clock REAL NOT NULL DEFAULT 0,
    died TEXT NOT NULL DEFAULT '[]',
    why TEXT NOT NULL DEFAULT '',
    result TEXT
);
"""

_WAIT_SECONDS: Final = 30.0
_LARGEST_LOG: Final = 16 << 20
"""Bytes that the log keeps of the disk after it has been written back."""

_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100


# --- making it ---------------------------------------------------------------------------------------------------


def make(folder: Path, facts: dict[str, str]) -> None:
    """Create an empty campaign file atomically."""
    path = folder / UNFINISHED
    with translated(folder, NOTHING_BEGUN):
        for each in folder.glob(UNFINISHED + "*"):
            each.unlink()
        db = sqlite3.connect(path, isolation_level=None)
        with contextlib.closing(db):
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            for statement in SCHEMA.split(";\n"):
                db.execute(statement)
            db.executemany("INSERT INTO fact VALUES (?, ?)", facts.items())
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute(f"PRAGMA user_version = {FORMAT}")
            db.execute("COMMIT")
        sync(path)
        path.rename(folder / DATABASE)
        sync(folder)


# --- opening it --------------------------------------------------------------------------------------------------


def open_to_write(folder: Path) -> sqlite3.Connection:
    """Open the campaign file of a folder that this process has locked."""
    check_header(folder)
    with translated(folder):
        db = _connect(folder, "mode=rw")
        try:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute(f"PRAGMA journal_size_limit = {_LARGEST_LOG}")
            check_pages(folder, db)
        except BaseException:
            db.close()
            raise
        return db


def open_to_read(folder: Path) -> sqlite3.Connection:
    """Open the campaign file read-only, beside a writer or not, and even if the folder cannot be written to."""
    check_header(folder)
    with translated(folder):
        try:
            return _opened(folder, "mode=ro")
        except sqlite3.OperationalError:
            if _size(folder / LOG) > 0:
                raise
        return _opened(folder, "mode=ro&immutable=1")  # no log: there is no writer, and the log's index is not needed


def _opened(folder: Path, how: str) -> sqlite3.Connection:
    db = _connect(folder, how)
    try:
        check_pages(folder, db)
    except BaseException:
        db.close()
        raise
    return db


def _connect(folder: Path, how: str) -> sqlite3.Connection:
    path = quote(os.fsencode((folder / DATABASE).absolute()))
    return sqlite3.connect(
        f"file:{path}?{how}", uri=True, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
    )


def check_header(folder: Path) -> None:
    """Check the header of a campaign file, before SQLite opens it; Refused or Damaged."""
    path = folder / DATABASE
    try:
        head = read_head(path, _HEADER)
    except FileNotFoundError:
        raise Refused(f"{folder}: no campaign there") from None
    except OSError as error:
        raise Damaged(f"{path}: cannot be read: {error.strerror}") from None
    if not _MAGIC.startswith(head[: len(_MAGIC)]):
        raise Damaged(f"{path}: not a campaign file, nor any database")
    if len(head) < _HEADER:
        raise Damaged(f"{path}: truncated: {len(head)} bytes are left of it")
    if _number(head, 68) != APPLICATION:
        raise Damaged(f"{path}: a database, but not a campaign of pirace")
    version = _number(head, 60)
    if version != FORMAT:
        age = "an older pirace" if version < FORMAT else "a newer pirace"
        raise Damaged(
            f"{path}: written by {age}: the file's version is {version}, this one reads {FORMAT}; "
            "read it with the pirace that wrote it, or start a new campaign in another folder"
        )
    missing = _number(head, 16, 2) * _number(head, 28) - _size(path)
    if missing > 0 and _size(folder / LOG) == 0:
        raise Damaged(f"{path}: truncated: {missing:,} bytes are missing")


def _number(head: bytes, at: int, size: int = 4) -> int:
    return int.from_bytes(head[at : at + size], "big")


def check_pages(folder: Path, db: sqlite3.Connection) -> None:
    """Check the pages of the database; Damaged if they are not consistent."""
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise Damaged(f"{folder / DATABASE}: damaged: {found.splitlines()[-1]}")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


# --- what goes wrong ---------------------------------------------------------------------------------------------


SO_FAR: Final = "what the campaign has so far is kept"
NOTHING_BEGUN: Final = "nothing was begun: make room there, or choose another folder (--campaign)"


@contextlib.contextmanager
def translated(folder: Path, then: str = SO_FAR) -> Iterator[None]:
    """Turn errors of SQLite and the system into one line each, with what becomes of the campaign (``then``)."""
    try:
        yield
    except sqlite3.Error as error:
        raise complaint(folder, error, then) from error
    except OSError as error:
        where = error.filename if error.filename is not None else folder
        raise Unwritable(f"{where}: {error.strerror}; {then}") from error


_SAID: Final[dict[int, str]] = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it cannot be written to",
    sqlite3.SQLITE_CANTOPEN: "it, or its log, cannot be opened",
    sqlite3.SQLITE_PERM: "it cannot be written to",
    sqlite3.SQLITE_IOERR: "the disk refuses",
}


def complaint(folder: Path, error: sqlite3.Error, then: str = SO_FAR) -> CampaignError:
    """Return the error of the campaign for an error of SQLite."""
    path = folder / DATABASE
    code: Any = getattr(error, "sqlite_errorcode", None)
    kind = code & 0xFF if code is not None else None
    if kind in _SAID:
        return Unwritable(f"{path}: {_SAID[kind]} ({error}); {then}")
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy(f"{path}: another process keeps it locked")
    return Damaged(f"{path}: damaged: {error}")
