"""The assessment of a campaign, the first line of every view: what its results prove, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from emu.workload.scenarios import POLICIES, SCENARIOS
from hosts.exit_codes import EXIT_EXPECTED, EXIT_UNEXPECTED, EXIT_UNPROVEN
from hosts.loader.policy_name import base_of
from hosts.plural import counted
from hosts.runs.own_code import TODAYS
from hosts.runs.verdict import Verdict
from hosts.soak.placement.core_sharing import races_on_store_buffers
from hosts.soak.plan.canaries import may_have_canary
from hosts.soak.store.reader import Archive
from hosts.soak.store.tallies import CanaryKey, CanaryTally, Cell, Tallies, Tally

WINDOWS: Final = {scenario.name: scenario.windows for scenario in SCENARIOS}
_NAMED: Final = 3
"""How many of a kind the headline names."""

_MINUTE: Final = 60
_OPENING: Final = {EXIT_UNEXPECTED: "NOT AS EXPECTED", EXIT_UNPROVEN: "NOT PROVEN", EXIT_EXPECTED: "as expected"}


@dataclass(frozen=True)
class Assessment:
    """The headline of a campaign, its alarms and its exit status."""

    headline: str
    alarms: tuple[str, ...]
    """Unexpected results, and reasons why the campaign proves less than its verdicts say; none: neither."""
    exit_code: int

    @classmethod
    def of(cls, campaign: Archive, tallies: Tallies | None = None) -> Self:
        """Assess a campaign; ``tallies``: those of the campaign, if the caller has them."""
        tallies = tallies if tallies is not None else campaign.tallied()
        against = list(_against(campaign, tallies.cells))
        doubts = list(_doubts(tallies, campaign.settings))
        code = EXIT_UNEXPECTED if against else EXIT_UNPROVEN if doubts else EXIT_EXPECTED
        alarms = (*against, *doubts)
        opening = f"{_OPENING[code]}: {'; '.join(alarms)}" if alarms else _OPENING[code]
        return cls(f"{opening}; {facts(tallies)}", alarms, code)


# --- against the table -------------------------------------------------------------------------------------------


def _against(campaign: Archive, cells: Mapping[Cell, Tally]) -> Iterator[str]:
    runs = sum(tally.runs for tally in cells.values())
    unexpected = sum(tally.unexpected for tally in cells.values())
    if unexpected:
        first = min(tally.first_unexpected for tally in cells.values() if tally.unexpected)
        yield f"{unexpected:,} of {counted(runs, 'run')}, the first {_named_run(campaign, first)}"
    disagreeing = sum(tally.disagreeing for tally in cells.values())
    if disagreeing:
        first = min(tally.first_disagreeing for tally in cells.values() if tally.disagreeing)
        yield f"the accounts of {counted(disagreeing, 'run')} disagree, the first {_named_run(campaign, first)}"


def _named_run(campaign: Archive, number: int) -> str:
    row = campaign.row(number)
    verdict = row.result.verdict if row.result is not None else row.state
    reason = (row.result.reason or "; ".join(row.result.disagreements)) if row.result is not None else row.why
    last = reason.strip().splitlines()[-1] if reason.strip() else ""
    return f"{number} ({row.task}: {verdict}{f': {last}' if last else ''})"


# --- what it proves ----------------------------------------------------------------------------------------------


def _doubts(tallies: Tallies, wanted: Mapping[str, Any]) -> Iterator[str]:
    raced = {cell: tally for cell, tally in tallies.cells.items() if cell.kind == "race" and tally.runs}
    if not any(tally.runs for tally in tallies.cells.values()):
        yield "nothing has been run to its end yet"
        return
    yield from _canaries(raced, tallies.canaries)
    yield from _windows(raced, _impossible(tallies.cells))
    yield from _unproven(tallies.cells)
    yield from _not_raced(wanted, tallies.cells)


def _canaries(raced: Mapping[Cell, Tally], canaries: Mapping[CanaryKey, CanaryTally]) -> Iterator[str]:
    missed = [
        f"{spot.scenario} {spot.place} ({tally.caught} of {tally.runs}, the last missed)"
        for spot, tally in sorted(canaries.items())
        if tally.runs and not tally.last_caught
    ]
    if missed:
        yield f"the canary was not caught in {listed(missed)}"
    without = dict.fromkeys(
        f"{cell.scenario} {cell.place}"
        for cell in raced
        if cell.mutation is None
        and may_have_canary(cell.scenario, cell.place, cell.pcpus)
        and not canaries.get(CanaryKey.of(cell), CanaryTally()).runs
    )
    if without:
        yield f"no canary has run in {listed(list(without))}"


def _impossible(cells: Mapping[Cell, Tally]) -> dict[str, set[str]]:
    """Return, by scenario, the windows that no interleaving enters under any rule that is raced there.

    This is known of a rule whose scenario's scope was explored completely, with verdict PASS.
    """
    none: dict[tuple[str, str], set[str]] = {}
    for cell, tally in cells.items():
        if cell.kind == "explore" and not cell.scope and cell.mutation is None and tally.verdicts[Verdict.PASS]:
            windows = {window for window in WINDOWS.get(cell.scenario, ()) if not tally.windows[window]}
            none[cell.scenario, cell.policy] = windows
    found: dict[str, set[str]] = {}
    for cell, tally in cells.items():
        if cell.kind == "race" and cell.mutation is None and tally.runs:
            its = none.get((cell.scenario, cell.policy), set())
            found[cell.scenario] = found.get(cell.scenario, its) & its
    return found


def _windows(raced: Mapping[Cell, Tally], impossible: Mapping[str, set[str]]) -> Iterator[str]:
    entered: dict[str, Counter[str]] = {}
    for cell, tally in raced.items():
        if cell.mutation is None:
            entered.setdefault(cell.scenario, Counter()).update(tally.windows)
    asked = {
        scenario: [window for window in WINDOWS.get(scenario, ()) if window not in impossible.get(scenario, ())]
        for scenario in entered
    }
    wanted = [scenario for scenario in entered if asked[scenario]]
    none = [scenario for scenario in wanted if not any(entered[scenario][window] for window in asked[scenario])]
    if none:
        yield f"no race window was entered in {listed(none)}"
    some = {
        scenario: [window for window in asked[scenario] if not entered[scenario][window]]
        for scenario in wanted
        if scenario not in none
    }
    never = [f"{scenario} {', '.join(windows)}" for scenario, windows in some.items() if windows]
    if never:
        yield f"never entered: {listed(never, '; ')}"


def _unproven(cells: Mapping[Cell, Tally]) -> Iterator[str]:
    """Name the configurations without a PASS or VIOLATION. A caught canary proves that a bug can be seen, no more."""
    asked = {cell: tally for cell, tally in cells.items() if tally.runs and not cell.canary}
    if not asked:
        yield "nothing but canaries has been run to its end yet"
        return
    if not any(map(_proves, asked.values())):
        yield "no run was a PASS or a VIOLATION"
        return
    proved: dict[str, bool] = {}
    for cell, tally in asked.items():
        # A seeded bug that need not show proves nothing, nor does a race of pCPUs that share a processor.
        if cell.kind == "race" and cell.mutation is None and races_on_store_buffers(cell.place, cell.pcpus):
            name = f"{cell.scenario} x {cell.policy}"
            proved[name] = proved.get(name, False) or _proves(tally)
    nothing = [name for name, has in proved.items() if not has]
    if nothing:
        yield f"no run was a PASS or a VIOLATION in {listed(nothing)}"


def _not_raced(wanted: Mapping[str, Any], cells: Mapping[Cell, Tally]) -> Iterator[str]:
    """Name the scenarios and policies that were asked for and not run yet; the rows of seeded bugs are the table's."""
    scenarios, policies = wanted.get("scenarios"), wanted.get("policies")
    if wanted.get("mutations") or not (isinstance(scenarios, list) and isinstance(policies, list)):
        return
    scenarios = scenarios or [each.name for each in SCENARIOS]
    historic = [each.name for each in POLICIES]
    own = [TODAYS] if wanted.get("code") else historic
    raced = dict.fromkeys(base_of(cell.policy) for cell in cells)
    # With the user's patches in the machine names end with these; one that replaces the rule is the only policy.
    policies = policies or (own if not wanted.get("code") or {*historic} & {*raced} else [*raced])
    had = {(cell.scenario, base_of(cell.policy)) for cell, tally in cells.items() if tally.runs and not cell.canary}
    left = [f"{scenario} x {policy}" for scenario in scenarios for policy in policies if (scenario, policy) not in had]
    if left:
        yield f"not run yet: {listed(left)}"


def _proves(tally: Tally) -> bool:
    return bool(tally.verdicts[Verdict.PASS] or tally.verdicts[Verdict.VIOLATION])


# --- in numbers --------------------------------------------------------------------------------------------------


def facts(tallies: Tallies) -> str:
    """Return how much was run, and how many canaries were caught."""
    cells = tallies.cells
    runs = sum(tally.runs for tally in cells.values())
    raced = sum(tally.seconds for cell, tally in cells.items() if cell.kind == "race")
    parts = [counted(runs, "run"), f"{duration_text(raced)} raced"]
    canaries = sum(tally.runs for tally in tallies.canaries.values())
    if canaries:
        caught = sum(tally.caught for tally in tallies.canaries.values())
        parts.append(f"{caught:,} of {counted(canaries, 'canary', 'canaries')} caught")
    interrupted = sum(tally.interrupted for tally in cells.values())
    if interrupted:
        parts.append(f"{interrupted:,} interrupted")
    return ", ".join(parts)


def duration_text(seconds: float) -> str:
    """Return a duration in words, as ``2 h 05 min``."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(int(seconds // _MINUTE), 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min"


def listed(names: Sequence[str] | Iterable[str], separator: str = ", ") -> str:
    """Return the first few names, and how many more there are."""
    names = list(names)
    rest = len(names) - _NAMED
    return separator.join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
