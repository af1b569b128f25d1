"""The result of a race: what was counted, whether it may be believed, and its verdict."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from emu.workload.scenarios import PolicyInfo
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.loader.own.read import own_of
from hosts.loader.rule.faults import RuleFault
from hosts.loader.syntax.language import PolicyError
from hosts.loader.user_code import UserCode, code_of, paths_of, read_code
from hosts.report.environment import processors
from hosts.report.jsonl import result_record
from hosts.runs.collect import Measured, Undelivered, collect, fabric_violation, merged
from hosts.runs.own_code import OwnCode, policy_named
from hosts.runs.plan import PlanError, Planned, chosen_mutations, chosen_policies, chosen_scenarios, planned
from hosts.runs.runner import Placement
from hosts.runs.verdict import Circumstances, Row, Verdict
from hosts.soak.plan.canaries import as_canary
from hosts.soak.task import Result, Task

if TYPE_CHECKING:  # it brings a compiler along, which the coordinator has no use for
    from hosts.native.process.outcome import Outcome


def planned_of(task: Task, code: UserCode | None = None) -> Planned:
    """Return the row of the plan that a task names, with what the table expects of it; PlanError.

    ``code`` is the task's, if it has been read.
    """
    own = declared_by_task(task, code)
    (scenario,) = chosen_scenarios([task.scenario], own)
    mutation = chosen_mutations([task.mutation])[0] if task.mutation is not None else None
    policy = policy_of(task, code)
    row = replace(planned(scenario, policy, mutation, task.pcpus), code=task.code, own=own)
    return as_canary(row) if task.canary else row


def declared_by_task(task: Task, code: UserCode | None) -> Own:
    """Return what a task's code declares; PlanError if it does not fit."""
    try:
        return own_of(code if code is not None else read_code(task.spec)) if task.code is not None else NOTHING_OWN
    except PolicyError as error:
        raise PlanError(str(error)) from None


def policy_of(task: Task, code: UserCode | None) -> PolicyInfo:
    """Return the policy of a task."""
    if task.code is not None:
        return policy_named(task.policy, code)
    return chosen_policies([task.policy], OwnCode(code) if code is not None else None)[-1]


def _files_of(task: Task) -> tuple[str, ...]:
    """Return the user's files, in the order in which a fault numbers them."""
    return paths_of(code_of(task.policy, task.code))


def placement_of(task: Task) -> Placement:
    """Return the placement of a race as a stress run calls it."""
    if not task.processors:
        return "unpinned"
    return "shared" if len(set(task.processors)) < task.pcpus else "pinned"


def measured(outcome: Outcome, chosen: Planned, *, cancelled: bool) -> tuple[Measured, tuple[str, ...]]:
    """Return what was counted and seen, and where two accountings of it differ.

    Lost IPIs and accountings are compared only for a run that came to its end.
    """
    from hosts.soak.postmortem.ledger import compare

    seen = collect(outcome.words, chosen.pcpus, outcome.seconds, chosen.own)
    if outcome.crash is not None or outcome.halted or cancelled:
        return seen, ()
    left = tuple(
        Undelivered(each.sender, each.target, each.vector, each.sent, each.taken) for each in outcome.undelivered
    )
    seen = replace(seen, violations=merged(seen.violations + fabric_violation(left)))
    return seen, compare(outcome.memory, chosen.pcpus, users=chosen.code is not None)


def circumstances(task: Task, outcome: Outcome, *, cancelled: bool) -> Circumstances:
    """Return what the grade depends on besides the counts: how the run ended, where, and whether a pCPU stalled."""
    what = Circumstances(
        processors=len(set(task.processors)) or processors(),
        placement=placement_of(task),
        stalled=outcome.stalled,
    )
    if outcome.fault is not None:
        return replace(what, ending="fault", why=RuleFault(*outcome.fault).told(_files_of(task)))
    if outcome.crash is not None:
        return replace(what, ending="crash", why=outcome.crash)
    return replace(what, ending="cancelled") if cancelled else what


def doubted(row: Row, disagreements: tuple[str, ...]) -> Row:
    """Return the row as UNTRUSTWORTHY if two accountings differ, unless a check has fired."""
    if not disagreements or row.verdict is Verdict.VIOLATION:
        return row
    return replace(row, verdict=Verdict.UNTRUSTWORTHY, reason=f"two accountings differ: {disagreements[0]}")


def notes_of(outcome: Outcome, task: Task) -> tuple[str, ...]:
    """Return the labels of a run, and the frames of other runs that it ignored."""
    memory = outcome.memory
    foreign = [(cpu, memory.read(memory.host.cpus[cpu].bad_frames)) for cpu in range(task.pcpus)]
    ignored = (f"pCPU {cpu} ignored {count} frames that were none of the run's" for cpu, count in foreign if count)
    return (*outcome.labels, *ignored)


def result_of(row: Row, task: Task, record: dict[str, Any] | None = None) -> Result:
    """Return the result of a task from its row; ``record`` stands for that of a race."""
    return Result(
        verdict=str(row.verdict),
        reason=row.reason,
        as_expected=row.as_expected,
        seconds=row.measured.seconds,
        record=record if record is not None else result_record(row, task.seed),
        where=f"{socket.gethostname()}:{os.getpid()}",
        processors=task.processors,
    )
