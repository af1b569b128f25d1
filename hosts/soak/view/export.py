"""A campaign as JSON lines: a record of the campaign, and one for each run; see ``hosts/report/schema.json``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from hosts.report.jsonl import SCHEMA_VERSION
from hosts.soak.store.reader import Archive
from hosts.soak.store.rows import Row


def export_lines(campaign: Archive, **which: Any) -> Iterator[dict[str, Any]]:
    """Return the campaign's record, then those of the runs asked for, in the terms of :meth:`Archive.rows`."""
    yield campaign_record(campaign)
    yield from map(run_record, campaign.rows(**which))


def campaign_record(campaign: Archive) -> dict[str, Any]:
    """Return the record of a campaign, which comes first."""
    return {
        "record": "campaign",
        "schema": SCHEMA_VERSION,
        "settings": campaign.settings,
        "sessions": [asdict(session) for session in campaign.sessions()],
    }


def run_record(row: Row) -> dict[str, Any]:
    """Return the record of a run. Its result is null unless it is finished."""
    result = row.result
    return {
        "record": "run",
        "id": row.id,
        "state": row.state,
        "session": row.session,
        "task": {**row.task.to_record(), "processors": list(row.task.processors)},
        "attempts": row.attempts,
        "died": list(row.died),
        "began": row.began,
        "ended": row.ended or None,
        "elapsed_seconds": round(row.elapsed, 6),
        "clock_moved_seconds": round(row.clock, 3),
        "interrupted_by": row.why or None,
        "kept": str(row.kept) if row.kept is not None else None,
        "verdict": str(result.verdict) if result is not None else None,
        "reason": result.reason if result is not None else None,
        "as_expected": result.as_expected if result is not None else None,
        "seconds": round(result.seconds, 6) if result is not None else None,
        "notes": list(result.notes) if result is not None else [],
        "strayed": result.strayed if result is not None else None,
        "disagreements": list(result.disagreements) if result is not None else [],
        "where": (result.where or None) if result is not None else None,
        "processors": list(result.processors or row.task.processors) if result is not None else [],
        "result": (result.record or None) if result is not None else None,
    }
