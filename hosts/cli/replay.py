"""``pirace replay``: replays a witness and counts how often it shows its violation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from hosts.cli.records import Records, records_to
from hosts.errors import Failure
from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_EXPECTED, EXIT_FAULT, EXIT_USAGE
from hosts.explorer.counterexample.labels import check_labels
from hosts.explorer.counterexample.validate import check_violation
from hosts.explorer.counterexample.witness import Witness, WitnessError, changed_sources
from hosts.explorer.counterexample.witness_file import load
from hosts.kernel_names import on_vector
from hosts.loader.own.read import unpromised_by
from hosts.loader.program import LoaderError, load_program
from hosts.loader.user_code import code_of
from hosts.plural import counted
from hosts.replay.processes import EnvironmentLacks
from hosts.replay.program import ReplayProgram, replay_program
from hosts.replay.scheduler import DEADLOCK, NO_PROGRESS, ROUNDS, Replayed, replay
from hosts.report.sentences import not_checked
from hosts.signals import interrupts_raised
from hosts.terminal import say, wide_console


def replay_command(file: str, repeat: int = 1, json_file: str | None = None, *, anyway: bool = False) -> int:
    """Replay a witness so many times; return the exit status: 0 if each replay showed the violation."""
    witness = _witness(file)
    try:
        code = code_of(witness.policy, witness.code)
        program = load_program(code)
        changed = changed_sources(witness, program.files)
        if changed and not anyway:
            said = f"{file}: the sources have changed since: {', '.join(changed)}"
            raise Failure(f"{said} (--anyway replays it on those of now)", EXIT_USAGE)
        made = replay_program(witness, program)
        if not changed:
            check_labels(witness, program.own)
            check_violation(witness, program)
    except (WitnessError, LoaderError) as error:
        raise Failure(f"{file}: {error}", EXIT_USAGE) from None
    with records_to(json_file, [file]) as records:
        records.environment(code=code)
        console = wide_console()
        left_out = unpromised_by(code)
        for line in heading(witness, left_out, changed):
            say(console, line)
        return _repeat(file, witness, left_out, made, repeat, records, console)


def _witness(file: str) -> Witness:
    try:
        witness = load(Path(file))
    except WitnessError as error:
        raise Failure(str(error), EXIT_USAGE) from None
    if witness.check == NO_PROGRESS and not 0 < witness.cycle <= len(witness.steps):
        said = "no-progress, and its cycle was too large to be reconstructed: there is nothing to replay"
        raise Failure(f"{file}: {said}", EXIT_USAGE)
    return witness


def heading(witness: Witness, left_out: Sequence[str], changed: list[str]) -> Iterator[str]:
    """Return what is replayed, and how."""
    mutated = f" + {witness.mutation}" if witness.mutation else ""
    what = witness.check + on_vector(witness.vector)
    yield f"{witness.scenario} x {witness.policy}{mutated}: {what} in {witness.length}"
    yield f"scope {witness.scope}; {witness.memory}"
    if said := not_checked(left_out):
        yield said
    processes = len(witness.threads)
    yield f"on {counted(processes, 'process', 'processes')}; {_delayed(witness.delayed_stores)}"
    if witness.check == NO_PROGRESS:
        yield f"the path to the cycle, then {ROUNDS} times around it: {witness.round}"
    if changed:
        yield f"not the sources it was found with: {', '.join(changed)}"


def _delayed(stores: int) -> str:
    if stores == 0:
        return "needs no store buffer"
    return f"needs a store buffer: {counted(stores, 'store')} really delayed by the process"


def _repeat(
    file: str,
    witness: Witness,
    left_out: Sequence[str],
    code: ReplayProgram,
    repeat: int,
    records: Records,
    console: Console,
) -> int:
    """Replay, and print how often the violation showed and what was seen instead, after Ctrl-C, too."""
    runs: list[Replayed] = []
    why = "cancelled"
    try:
        with interrupts_raised() as interrupt:
            for number in range(1, repeat + 1):
                runs.append(replay(witness, code))
                records.write(record(file, witness, left_out, number, runs[-1]))
                interrupt.heed()
    except EnvironmentLacks as error:
        why = str(error)
        raise Failure(why, EXIT_ENVIRONMENT) from None
    except KeyboardInterrupt:
        _tell(witness, runs, console)
        raise
    finally:
        left = repeat - len(runs)
        if left:
            records.not_done("replay", f"{file}, run {len(runs) + 1} and so on", why, left)
    _tell(witness, runs, console)
    return EXIT_EXPECTED if all(done.shown for done in runs) else EXIT_FAULT


def _tell(witness: Witness, runs: list[Replayed], console: Console) -> None:
    for why, count in Counter(done.why for done in runs if not done.shown).items():
        say(console, f"{why}{f' ({count} times)' if count > 1 else ''}")
    shown = sum(done.shown for done in runs)
    named = {DEADLOCK: "the deadlock", NO_PROGRESS: "the cycle"}
    say(console, f"{shown} of {len(runs)} showed {named.get(witness.check, witness.check)}")


def record(file: str, witness: Witness, left_out: Sequence[str], number: int, done: Replayed) -> dict[str, Any]:
    """Return the record of a replay."""
    return {
        "record": "replay",
        "host": "replay",
        "file": file,
        "run": number,
        "scenario": witness.scenario,
        "policy": witness.policy,
        "unpromised": list(left_out),
        "mutation": witness.mutation or None,
        "scope": witness.scope,
        "model": witness.model,
        "check": witness.check,
        "vector": witness.vector if witness.vector >= 0 else None,
        "delayed_stores": witness.delayed_stores,
        "steps": len(witness.steps),
        "cycle": witness.cycle,
        "shown": done.shown,
        "ending": done.ending,
        "why": done.why,
        "steps_taken": done.steps,
        "violations": [
            {"check": each.check, "count": each.count, "first": dict(each.first)} for each in done.violations
        ],
    }
