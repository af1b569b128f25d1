"""Output of ``pirace audit``: a table by source line, and JSON lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from hosts.explorer.audit.relax import Site
from hosts.explorer.audit.verdicts import COMPILER_ONLY, NEVER_REACHED, Attempt, answer_of, fence_and_atomicity
from hosts.explorer.counterexample.witness import check_of
from hosts.explorer.search.result import Result
from hosts.explorer.threads.harness import Scope
from hosts.kernel_names import on_vector
from hosts.plural import counted
from hosts.report.table_layout import READABLE, Column, Content, Sheet
from hosts.terminal import say

STYLES: Final = {
    "needed": "green",
    "not needed": "yellow",
    "needs neither": "yellow",
    "unknown": "magenta",
    COMPILER_ONLY: "dim",
}
COMPILER: Final = "x86 orders it: the same instruction as a plain access; matters to the compiler only"


@dataclass(frozen=True)
class Audited:
    """One ordering, and its verdict."""

    site: Site
    verdict: str
    attempts: tuple[Attempt, ...]
    neighbours: tuple[int, ...] = ()
    """Of an acquire or release: the lines of the swaps that a compiler could then do."""


def line_of(site: Site) -> str:
    """Return the file and line of a site."""
    return f"{Path(site.file).name}:{site.line}"


def scope_line(number: int, name: str, result: Result) -> str:
    """Return the size of a scope, and whether it is used."""
    line = f"scope {number}: {name}: {counted(result.states, 'state')} in {result.seconds:.1f} s"
    if result.violation is not None:
        return f"{line}; the rule itself fails here ({_what(result)}), so it is not used"
    return (
        line if result.complete else f"{line}, bounded by {', '.join(result.bounded_by)}: can only show what is needed"
    )


def _what(result: Result) -> str:
    found = result.violation
    if found is None:
        return ""
    return check_of(found.sighting)[0] if found.what == "sighting" else found.what


def print_audit(console: Console, rows: Sequence[Audited], planned: int, scopes: Sequence[str], policy: str) -> None:
    """Show the end of an audit."""
    reached = [row for row in rows if row.verdict != NEVER_REACHED]
    missed = [row for row in rows if row.verdict == NEVER_REACHED]
    say(console, "")
    if reached:
        audit_table(reached, scopes, policy).print_to(console)
    if missed:
        names = ", ".join(dict.fromkeys(f"{line_of(row.site)} {row.site.function}" for row in missed))
        say(console, f"never reached in these scopes: {names}")
    say(console, summary(rows, planned, policy))


def audit_table(rows: Sequence[Audited], scopes: Sequence[str], policy: str) -> Sheet:
    """Show what each ordering is needed for, and what shows it."""
    shown: list[list[Content]] = []
    for row in rows:
        verdict = Text(row.verdict, style=STYLES.get(row.verdict, "green"))
        shown.append([line_of(row.site), row.site.function, ordering(row.site), verdict, shown_by(row, scopes)])
    return Sheet(
        [
            Column("line"),
            Column("function"),
            Column("ordering", prose=READABLE),
            Column("verdict", prose=READABLE),
            Column("shown by", prose=READABLE),
        ],
        shown,
        title=f"orderings that {policy} relies on, each weakened by itself",
        caption="not needed: by itself, within the scopes named, under x86-TSO, every interleaving seen. Of two that "
        "do the same each is not needed as long as the other is there.",
        above=3,
    )


def ordering(site: Site) -> str:
    """Return the source text of a site."""
    first, between, second = site.text.partition(" ; ")
    return f"{first} before {second}" if between else site.text


def shown_by(row: Audited, scopes: Sequence[str]) -> str:
    """Return the outcome of each way of weakening."""
    if row.verdict == COMPILER_ONLY:
        lines = ", ".join(map(str, row.neighbours))
        swaps = f"see the swap at line {lines}" if lines else "it has no neighbour to change places with"
        return f"{COMPILER}; {swaps}"
    said: dict[str, list[str]] = {}
    for way in row.site.relaxations:
        said.setdefault(_relaxation(row, way.name, scopes), []).append(way.name)
    return "\n".join(f"{', '.join(ways)}: {what}" for what, ways in said.items())


def _relaxation(row: Audited, way: str, scopes: Sequence[str]) -> str:
    attempts = [each for each in row.attempts if each.way == way]
    shown = [each for each in attempts if each.outcome == "violation"]
    if shown:
        best = next((each for each in shown if each.atomic), shown[0])
        torn = "" if best.atomic else ", where it was not atomic either"
        where = (
            f"{best.check}{on_vector(best.vector)} in {counted(best.steps, 'step')}{torn} ({_numbers([best], scopes)})"
        )
        apart = [each for each in shown if each.apart]
        return f"{where}; clean as long as it is ({_numbers(apart, scopes)})" if apart else where
    clean = [each for each in attempts if each.outcome == "clean"]
    open_ = [each for each in attempts if each.outcome in ("bounded", "fault")]
    said = [f"clean ({_numbers(clean, scopes)})"] if clean else []
    said += [f"{each.reason} ({_numbers([each], scopes)})" for each in open_]
    return ", ".join(said) or NEVER_REACHED


def _numbers(attempts: Sequence[Attempt], scopes: Sequence[str]) -> str:
    """Return scopes by their numbers, consecutive ones as 1-3."""
    numbers = sorted(scopes.index(each.scope) + 1 for each in attempts)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return f"scope{'s' * (len(numbers) > 1)} {', '.join(parts)}"


def summary(rows: Sequence[Audited], planned: int, policy: str) -> str:
    """Return the summary line."""
    kinds = Counter(row.verdict for row in rows)
    said = ", ".join(f"{count} {verdict}" for verdict, count in kinds.most_common())
    return f"{policy}: {len(rows)} of {counted(planned, 'ordering')}: {said or 'nothing'}"


# --- for programs ------------------------------------------------------------------------------------------------


def scope_record(name: str, scope: Scope, policy: str, unpromised: Sequence[str], result: Result) -> dict[str, Any]:
    """Return the record of a scope with nothing weakened."""
    return {
        "record": "audit-scope",
        "policy": policy,
        "unpromised": list(unpromised),
        "name": name,
        "scope": str(scope),
        "complete": result.complete,
        "bounded_by": list(result.bounded_by),
        "states": result.states,
        "violation": _what(result) or None,
        "seconds": round(result.seconds, 3),
    }


def audit_record(row: Audited, policy: str) -> dict[str, Any]:
    """Return the record of an ordering."""
    site = row.site
    record: dict[str, Any] = {
        "record": "audit",
        "policy": policy,
        "model": "tso",
        "kind": site.kind,
        "file": _short(site.file),
        "line": site.line,
        "function": site.function,
        "text": site.text,
        "verdict": row.verdict,
        "fence": None,
        "atomicity": None,
        "ways": [_way_record(row, way.name) for way in site.relaxations],
    }
    if site.kind == "locked":
        answers = {
            way.name: answer_of([each for each in row.attempts if each.way == way.name]) for way in site.relaxations
        }
        record["fence"], record["atomicity"] = fence_and_atomicity(answers, row.attempts)
    return record


def _short(file: str) -> str:
    """Return a file's name as people write it, from its package on: ``emu/halt.py``."""
    parts = Path(file).parts
    return "/".join(parts[len(parts) - 1 - parts[::-1].index("emu") :] if "emu" in parts else parts[-2:])


def _way_record(row: Audited, way: str) -> dict[str, Any]:
    attempts = [each for each in row.attempts if each.way == way]
    return {
        "way": way,
        "answer": answer_of(attempts),
        "scopes": [
            {
                "scope": each.scope,
                "outcome": each.outcome,
                "check": each.check or None,
                "vector": each.vector if each.vector >= 0 else None,
                "steps": each.steps,
                "states": each.states,
                "atomic": each.atomic,
                "clean_if_atomic": each.apart,
                "seconds": round(each.seconds, 3),
                "reason": each.reason,
            }
            for each in attempts
        ],
    }
