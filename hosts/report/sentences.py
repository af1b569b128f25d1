"""One sentence per policy, from the verdicts and counts of this run alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from emu.mutations import Mutation
from emu.workload.scenarios import POLICIES
from hosts.plural import counted, how_often
from hosts.runs.cost import Cost, costs
from hosts.runs.plan import TIMED_SCENARIO
from hosts.runs.verdict import Row, Verdict, policy_names

BROKEN: Final = {
    "C1": "a vector lay in the PIR of a running vCPU, or RVI was wrong, with no notification or sync on its way",
    "C2": "a vCPU slept on a deliverable interrupt with no wake-up on its way",
    "C3": "the guest was entered with an RVI that is not the highest vIRR",
    "C4": "a PIR was not empty and ON was clear, with no sender in the middle of its post",
    "C5": "a post was lost or made up",
    "C7": "ON was set without a notification, and the promised sync did not come before VM-entry or sleep",
    "C8": "notifications to self, sent and elided, do not add up to the self-posts",
    "C9": "a request that came with a kick was left unserved in non-root mode",
    "C6": "a vCPU was on a wake-up list that its notifications do not go to, or on none although they do",
    "C13": "a pCPU halted while a task waited to run on it",
    "C14": "a task was resumed that ran already",
    "C10": "an IPI or a mailbox was left over at the end",
    "C12": "a signal was left unheeded in non-root mode or asleep",
    "C11": "a timer of the guest was lost, or delivered twice or before its time",
}
"""The meaning of a check that fired."""


def sentences(rows: Sequence[Row]) -> list[str]:
    """Return a sentence for each policy that ran unmutated."""
    return [_sentence(name, rows) for name in policy_names(rows)]


def _sentence(name: str, rows: Sequence[Row]) -> str:
    clean = [row for row in rows if row.planned.policy.name == name and row.planned.mutation is None]
    clauses = [*_survival(clean), *_unpromised(clean), *_difference(clean), *_cost(name, rows), *_reliance(name, rows)]
    return f"{name}: " + "; ".join(clauses) + "."


# --- does it deliver ---------------------------------------------------------------------------------------------


def _survival(rows: Sequence[Row]) -> list[str]:
    broken = [row for row in rows if row.verdict is Verdict.VIOLATION]
    passed = [row for row in rows if row.verdict is Verdict.PASS]
    open_ = [row for row in rows if row not in broken and row not in passed]
    clauses = [_breach(row) for row in broken]
    if passed:
        posts = sum(row.measured.counts["posts"] for row in passed)
        where = f"in all {len(rows)} scenarios" if len(passed) == len(rows) > 1 else f"in {_names(passed)}"
        clauses.append(f"no check fired {where} ({counted(posts, 'post')})")
    if open_:
        clauses.append(f"this run proves nothing about it in {_names(open_)}")
    return clauses


def not_checked(unpromised: Sequence[str]) -> str:
    """Return the checks that are not made of a user's rule; nothing if all are made."""
    return f"not checked, as the rule does not promise it: {_list(unpromised)}" if unpromised else ""


def _unpromised(rows: Sequence[Row]) -> list[str]:
    said = not_checked(rows[0].planned.policy.unpromised) if rows else ""
    return [said] if said else []


def _breach(row: Row) -> str:
    if not row.measured.violations:
        found = row.explored.checks[0] if row.explored is not None else ""
        means = _meaning(row, found)
        return f"it fails in {row.planned.scenario.name}: {means} ({found}, in the explorer; no race showed it)"
    worst = row.measured.violations[0]
    means = _meaning(row, worst.check)
    return f"it fails in {row.planned.scenario.name}: {means} ({worst.check}, {how_often(worst.count)})"


def _meaning(row: Row, check: str) -> str:
    """Return what it means that a check fired: of the user's own what does not hold."""
    own = next((each for each in row.planned.own.own_checks if each.name == check), None)
    if own is None:
        return BROKEN.get(check, check)
    return f'"{own.about.rstrip(".")}" does not hold' if own.about else f"{check} does not hold"


def _difference(rows: Sequence[Row]) -> list[str]:
    """Return the policy to which a user's own rule is equivalent in every scenario of the run, as a sentence."""
    same = [set(row.explored.same_as) if row.explored is not None else set() for row in rows]
    everywhere = [policy.name for policy in POLICIES if all(policy.name in names for names in same)]
    if not everywhere:
        return []
    where = f"in all {len(rows)} scenarios it does" if len(rows) > 1 else "it does here"
    return [f"{where} the same as {_list(everywhere)}, operation for operation: what is new in it was not exercised"]


def _names(rows: Iterable[Row]) -> str:
    return _list([row.planned.scenario.name for row in rows])


def _list(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


# --- what it costs -----------------------------------------------------------------------------------------------


def _cost(name: str, rows: Sequence[Row]) -> list[str]:
    found = {cost.policy: cost for cost in costs(rows) if cost.scenario == TIMED_SCENARIO}
    if name not in found:
        return ["what a self-post costs it was not measured"]
    own = found[name]
    if own.counts["ipis_sent"] == 0:
        others = [other for other, cost in found.items() if cost.counts["ipis_sent"]]
        than = f", where {_list(others)} {'does' if len(others) == 1 else 'do'}" if others else ""
        return [f"it sends no IPI for a self-post of the timer fastpath{than}"]
    sent = own.per_self_post("ipis_sent")
    return [f"it sends {sent:.2f} IPIs for a self-post of the timer fastpath, and {_use(own)}"]


def _use(cost: Cost) -> str:
    """Return how many notifications found nothing to do."""
    taken, useless = cost.counts["ipis_taken"], cost.counts["notifications_spurious"]
    if useless == taken:
        return "not one of these notifications found anything to do"
    return f"{useless:,} of {counted(taken, 'notification')} taken found nothing to do"


# --- what it relies on -------------------------------------------------------------------------------------------


def _reliance(name: str, rows: Sequence[Row]) -> list[str]:
    """Return which seeded bugs distinguish the policies, and whether this policy fails under them."""
    broken, held = [], []
    for mutation in dict.fromkeys(row.planned.mutation for row in rows if row.planned.mutation is not None):
        verdicts = _telling(mutation, rows).get(name, set())
        if Verdict.VIOLATION in verdicts:
            broken.append(mutation.about)
        elif Verdict.PASS in verdicts:
            held.append(mutation.about)
    clauses = []
    if held:
        clauses.append(f"it holds even if {', or if '.join(held)}")
    if broken:
        clauses.append(f"it breaks if {', or if '.join(broken)}")
    return clauses


def _telling(mutation: Mutation, rows: Iterable[Row]) -> dict[str, set[Verdict]]:
    """Return each policy's verdicts under a mutation, in the scenarios where it broke one policy and not another.

    A bug in one of the policies themselves says nothing about the others.
    """
    forms = {policy.name for policy in POLICIES}
    if any(edit.function.replace("_", "-") in forms for edit in mutation.edits):
        return {}
    seen: dict[str, dict[str, Verdict]] = {}
    for row in rows:
        if row.planned.mutation == mutation:
            seen.setdefault(row.planned.scenario.name, {})[row.planned.policy.name] = row.verdict
    found: dict[str, set[Verdict]] = {}
    for verdicts in seen.values():
        if {Verdict.PASS, Verdict.VIOLATION} <= set(verdicts.values()):
            for policy, verdict in verdicts.items():
                found.setdefault(policy, set()).add(verdict)
    return found
