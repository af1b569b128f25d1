"""The two SQL statements that write rows of the campaign's tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any


def insert(db: sqlite3.Connection, table: str, columns: Mapping[str, Any]) -> int:
    """Insert a row and return its number."""
    inserted = db.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",  # noqa: S608 - names only
        tuple(columns.values()),
    )
    if inserted.lastrowid is None:
        raise RuntimeError("SQLite has given no number to a row")
    return inserted.lastrowid


def update(db: sqlite3.Connection, table: str, number: int, columns: Mapping[str, Any]) -> None:
    """Set columns of the row of that number."""
    assignments = ", ".join(f"{name} = ?" for name in columns)
    db.execute(
        f"UPDATE {table} SET {assignments} WHERE id = ?",  # noqa: S608 - names of columns only
        (*columns.values(), number),
    )
