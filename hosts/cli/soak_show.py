"""``pirace soak status`` and ``pirace soak show``: the status of a campaign, and one of its runs in full."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hosts.cli.records import records_to
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.kernel_names import field_text
from hosts.plural import counted
from hosts.soak.plan.settings import from_settings
from hosts.soak.postmortem import dump
from hosts.soak.postmortem.machine_image import MachineImage, NotReadable
from hosts.soak.store.rows import Row
from hosts.soak.store.schema import DATABASE
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Result
from hosts.soak.view.export import campaign_record, export_lines, run_record
from hosts.soak.view.hints import hint
from hosts.soak.view.status import Status
from hosts.terminal import say, wide_console

MACHINE: Final = "machine"
WITNESS: Final = "witness.json"
TEXTS: Final = ("stacks.txt", "proc.txt")
"""Kept files that are printed as they are."""
SHOWN_COUNTS: Final = ("rounds", "vm_entries", "deliveries", "ipis_sent", "ipis_elided", "snapshots")


def check_json(path: str | None, folder: str) -> None:
    """Refuse a file that belongs to the campaign."""
    if path is None:
        return
    file = Path(path).resolve()
    if file.parent == Path(folder).resolve() and file.name.startswith(DATABASE):
        raise Failure(f"--json {path}: is the campaign itself; choose another file", EXIT_USAGE)


def status_command(folder: str, json_file: str | None) -> int:
    """Print the status of a campaign; return the exit status that its soak would end with."""
    check_json(json_file, folder)
    with Campaign.read(Path(folder)) as campaign, records_to(json_file) as records:
        with campaign.snapshot():  # the soak goes on: the runs are those of the status
            status = Status.of(campaign)
            if records.wanted:
                for line in export_lines(campaign):
                    records.write(line)
                records.write(status.to_json())
        status.print_to(wide_console())
        return status.assessment.exit_code


def show_command(folder: str, number: int, json_file: str | None) -> int:
    """Print one run in full."""
    check_json(json_file, folder)
    with Campaign.read(Path(folder)) as campaign, records_to(json_file) as records:
        row = campaign.row(number)
        saved, why_not = saved_machine(row, campaign)
        if records.wanted:
            records.write(campaign_record(campaign))
            records.write({**run_record(row), MACHINE: dump.decoded(saved) if saved is not None else None})
        console = wide_console()
        for line in lines_of(campaign, row):
            say(console, line)
        if saved is not None or why_not:
            for line in (dump.text(saved) if saved is not None else why_not).splitlines():
                say(console, line)
    return 0


def saved_machine(row: Row, campaign: Campaign) -> tuple[MachineImage | None, str]:
    """Return the saved machine of a run that was kept or is under way, or why it cannot be read."""
    folder = row.kept if row.kept is not None else campaign.live(row.id)
    path = folder / MACHINE
    if not path.exists():
        return None, ""
    try:
        return MachineImage.open(path), ""
    except NotReadable as error:
        return None, str(error)


def lines_of(campaign: Campaign, row: Row) -> Iterator[str]:
    """Return the lines on a run: its verdict, task, environment, outcome, and the files kept."""
    yield f"{row.id}: {row.task}: {worth(row)}"
    yield from (f"    {line}" for line in _facts(row))
    yield from (f"    {line}" for line in _environment(campaign, row))
    if row.result is not None:
        yield from (f"    {line}" for line in _outcome(row.result))
    yield from (f"    {line}" for line in _kept(campaign, row))


def worth(row: Row) -> str:
    """Return the result of a row in a few words."""
    result = row.result
    if result is None:
        return f"{row.state}{f': {row.why}' if row.why else ''}"
    said = {True: "as expected", False: "not as expected", None: ""}[result.as_expected]
    canary = "a canary" if row.task.canary else ""
    return ", ".join(filter(None, [f"{result.verdict}{f' ({result.reason})' if result.reason else ''}", said, canary]))


def _facts(row: Row) -> Iterator[str]:
    task, result = row.task, row.result
    processors = (result.processors if result is not None else ()) or task.processors
    place = f"{task.place} ({', '.join(map(str, processors))})" if processors else task.place
    if task.kind == "race":
        pcpus = f"{counted(task.pcpus, 'pCPU')}"
        yield f"{pcpus}, {place}; disturbance {task.regime}; {task.seconds:g} s; seed {task.seed}"
    else:
        yield f"explored, scope {task.scope or 'of the scenario'}, up to {task.seconds:g} s"
    yield f"began {row.began}, ended {row.ended or '-'}, {row.elapsed:.1f} s"
    if row.clock:
        yield f"meanwhile the wall clock was moved by {row.clock:+.1f} s"
    if row.attempts > 1:
        yield f"attempt {row.attempts}: {'; '.join(row.died)}"


def _environment(campaign: Campaign, row: Row) -> Iterator[str]:
    session = next((each for each in campaign.sessions() if each.id == row.session), None)
    facts = session.environment if session is not None else {}
    versions = facts.get("versions", {})
    told = [facts.get("cpu_model"), *facts.get("topologies", [])]
    told += [f"{name} {versions[name]}" for name in ("kernel", "python", "pirace") if versions.get(name)]
    told += [f"commit {facts['commit']}"] if facts.get("commit") else []
    if row.result is not None and row.result.where:
        yield f"on {row.result.where}"
    if any(told):
        yield ", ".join(filter(None, told))


def _outcome(result: Result) -> Iterator[str]:
    record = result.record
    counts, windows = record.get("counts", {}), record.get("windows", {})
    told = [f"{name.replace('_', ' ')} {counts[name]:,}" for name in SHOWN_COUNTS if counts.get(name)]
    if told:
        yield ", ".join(told)
    entered = [f"{name} {count:,}" for name, count in windows.items() if count]
    if windows:
        yield f"race windows: {', '.join(entered) or 'none was entered'}"
    for violation in record.get("violations", []):
        first = " ".join(
            f"{name}={field_text(name, value)}" for name, value in violation["first"].items() if name != "story"
        )
        yield f"{violation['check']} x {violation['count']}, the first: {first}"
        if story := violation["first"].get("story"):
            yield str(story)
    yield from (f"two accountings differ: {line}" for line in result.disagreements)
    yield from (f"note: {note}" for note in result.notes)


def _kept(campaign: Campaign, row: Row) -> Iterator[str]:
    if row.kept is not None:
        files = sorted(str(path.relative_to(row.kept)) for path in row.kept.rglob("*") if path.is_file())
        yield f"kept in {row.kept}: {', '.join(files) or 'nothing'}"
        for name in TEXTS:
            path = row.kept / name
            if path.exists():
                yield f"{name}:"
                yield from path.read_text(encoding="utf-8", errors="replace").splitlines()
    if row.state != "running":
        yield f"again: {hint(campaign.folder, f'repro {row.id}')}"


def witness_of(row: Row) -> Path | None:
    """Return the witness that an exploration found, if it was kept."""
    path = row.kept / WITNESS if row.kept is not None else None
    return path if path is not None and path.exists() else None


def read_row(folder: str, number: int) -> Row:
    """Return a row that can be repeated; Failure if it is under way, or if the file of its rule has changed."""
    with Campaign.read(Path(folder)) as campaign:
        row = campaign.row(number)
        if row.state == "running":
            raise Failure(f"{number}: {row.task}: is under way", EXIT_USAGE)
        if row.task.is_own:
            from_settings(campaign.settings)
        return row
