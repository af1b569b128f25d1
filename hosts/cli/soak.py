"""``pirace soak``: runs a session of a campaign."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from hosts.cli.outputs import users_files
from hosts.cli.records import Records, facts_here, records_to
from hosts.cli.replaced_show import code_lines
from hosts.cli.sides import tell_lines
from hosts.cli.soak_show import check_json
from hosts.cli.stress import drawn_seed
from hosts.compiler.fingerprint import sources_key
from hosts.errors import Failure
from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_INTERRUPTED, EXIT_USAGE
from hosts.loader.user_code import CodeSpec
from hosts.plural import counted
from hosts.runs.native_runner import check_machine
from hosts.runs.own_code import OwnCode
from hosts.signals import interrupts_told
from hosts.soak.coordinator import Coordinator, Ending, Limits
from hosts.soak.placement.topology import Topology
from hosts.soak.plan.choose import CampaignSettings, Chooser
from hosts.soak.plan.settings import absolute, checked_code, chooser_of, from_settings, raced_check, to_settings
from hosts.soak.store.writer import Campaign
from hosts.soak.view.assessment import duration_text
from hosts.soak.view.export import campaign_record, run_record
from hosts.soak.view.hints import hint
from hosts.soak.view.panel import Panel, Recorded, alert, make_panel
from hosts.soak.view.status import NOTES, SOURCES, Status
from hosts.soak.workers.executors import open_executor
from hosts.terminal import say, wide_console

MakeExecutor = Callable[[str | None], Any]
"""Returns the executor of tasks, on this machine or on the cluster of an address; a context manager."""

EACH: Final = 2.0
ENDINGS: Final[dict[Ending, str]] = {
    "time": "the time is over",
    "violation": "a violation was found",
    "interrupted": "interrupted",
}


@dataclass(frozen=True, kw_only=True)
class SoakOptions:
    """The options of the command."""

    campaign: str
    length: float | None = None
    until_violation: bool = False
    resume: bool = False
    each: float | None = None
    seed: int | None = None
    scenario: Sequence[str] = ()
    policy: Sequence[str] = ()
    mutation: Sequence[str] = ()
    code: CodeSpec | None = None
    cpus: int | None = None
    place: Sequence[str] = ()
    dask: str | None = None
    json_file: str | None = None
    quiet: bool = False

    @property
    def chosen(self) -> list[str]:
        """Return the options given that define the campaign."""
        given = {
            "--each": self.each,
            "--seed": self.seed,
            "--scenario": self.scenario,
            "--policy": self.policy,
            "--mutation": self.mutation,
            "the user's code": self.code,
            "--cpus": self.cpus,
            "--place": self.place,
        }
        return [name for name, value in given.items() if value not in (None, (), [])]


def soak_command(options: SoakOptions, executor_of: MakeExecutor | None = None) -> int:
    """Begin or resume a campaign; return the exit status. ``executor_of`` replaces the real ones."""
    check_machine()
    seconds = options.length if options.length is not None else math.inf
    wanted = None if options.resume else wanted_by(options)
    own = checked_code(wanted) if wanted is not None else None
    check_json(options.json_file, options.campaign)
    if wanted is None and options.chosen:
        said = f"--resume goes on with what the campaign is about: leave out {', '.join(options.chosen)}"
        raise Failure(said, EXIT_USAGE)
    with (
        records_to(options.json_file, users_files(own.code if own is not None else None)) as records,
        (executor_of or open_executor)(options.dask) as executor,
    ):
        here = options.dask is None
        topologies = (Topology.read(),) if here else executor.topologies()
        if not topologies:
            raise Failure(f"--dask {options.dask}: no worker has joined", EXIT_ENVIRONMENT)
        facts = _facts(topologies)
        with _campaign(options, wanted, own, topologies, facts, here=here) as (campaign, chooser, wanted):
            soak = Soak(options, campaign, executor, wide_console())
            if not options.quiet and own is not None:
                tell_lines(soak.console, code_lines(own.code, own.program))
            soak.tell_begin(wanted, chooser, topologies, seconds)
            limits = Limits(seconds, options.until_violation, bool(wanted.policies or wanted.mutations or wanted.code))
            return soak.run(chooser, limits, raced_check(wanted, campaign.settings), records, here=here)


def wanted_by(options: SoakOptions) -> CampaignSettings:
    """Read what the campaign is to be about; Failure."""
    return CampaignSettings(
        scenarios=tuple(options.scenario),
        policies=absolute(options.policy),
        mutations=tuple(options.mutation),
        cpus=options.cpus,
        places=tuple(options.place),
        each=options.each if options.each is not None else EACH,
        seed=drawn_seed() if options.seed is None else options.seed,
        code=options.code.absolute() if options.code else None,
    )


def _facts(topologies: Sequence[Topology]) -> dict[str, Any]:
    """Return the environment of this session; seed and lengths belong to the campaign and its rows."""
    facts = facts_here(placement="pinned")
    kept = {name: fact for name, fact in facts.items() if name not in ("seed", "budget_seconds", "placement")}
    notes = dict.fromkeys(note for topology in topologies for note in topology.notes)
    told = [topology.describe() for topology in topologies]
    return {**kept, SOURCES: sources_key(), "topologies": told, NOTES: list(notes)}


def in_short(note: str) -> str:
    """Return the first half of a note on a topology; its consequence is in the status."""
    said = note.partition(":")[0].rstrip(".")
    return f"{said[:1].lower()}{said[1:]}"


@contextlib.contextmanager
def _campaign(
    options: SoakOptions,
    wanted: CampaignSettings | None,
    own: OwnCode | None,
    topologies: Sequence[Topology],
    facts: dict[str, Any],
    *,
    here: bool,
) -> Iterator[tuple[Campaign, Chooser, CampaignSettings]]:
    """Open the campaign; a new one is created only once there is something to race."""
    folder = Path(options.campaign)
    if wanted is not None:
        chooser = chooser_of(wanted, topologies, own, here=here)
        with Campaign.create(folder, to_settings(wanted, own.code if own is not None else None), facts) as campaign:
            yield campaign, chooser, wanted
        return
    with Campaign.resume(folder, facts) as campaign:
        wanted = from_settings(campaign.settings)
        yield campaign, chooser_of(wanted, topologies, checked_code(wanted), here=here), wanted


class Soak:
    """One session of a campaign on the command line."""

    def __init__(self, options: SoakOptions, campaign: Campaign, executor: Any, console: Console) -> None:
        self.options, self.campaign, self.executor, self.console = options, campaign, executor, console

    def run(self, chooser: Chooser, limits: Limits, check: Callable[[], None], records: Records, *, here: bool) -> int:
        """Soak, and say what came of it; ``check``: see :class:`Coordinator`."""
        records.write(campaign_record(self.campaign))
        panel = self._panel(records)
        coordinator = Coordinator(self.campaign, chooser, self.executor, panel, limits, here=here, check=check)
        with panel, interrupts_told(coordinator.stop):
            ending = coordinator.run()
        status = Status.of(self.campaign, over=True)
        records.write(status.to_json())
        return self._tell_end(ending, status)

    def _panel(self, records: Records) -> Panel:
        panel = make_panel(
            self.campaign,
            self.console,
            lambda: getattr(self.executor, "stage", ""),  # of a cluster's workers nobody knows
            quiet=self.options.quiet,
        )
        return Recorded(panel, lambda row: records.write(run_record(row))) if records.wanted else panel

    def tell_begin(
        self, wanted: CampaignSettings, chooser: Chooser, topologies: Sequence[Topology], seconds: float
    ) -> None:
        """Print what is about to run."""
        if self.options.quiet:
            return
        long = f"for {duration_text(seconds)}" if seconds < math.inf else "until Ctrl-C"
        done = sum(tally.runs for tally in self.campaign.tallies().values())
        before = f"; {counted(done, 'run')} {'is' if done == 1 else 'are'} in it" if done else ""
        self._say(f"campaign {self.campaign.folder}, seed {wanted.seed}, {long}{before}")
        kinds = f"{counted(len(chooser.cells), 'kind')} of races of {wanted.each:g} s"
        scopes = f"{counted(len(chooser.explored), 'scope')} to explore"
        canaries = counted(len(chooser.canaries), "canary", "canaries")
        machines = "; ".join(dict.fromkeys(each.describe() for each in topologies))
        self._say(f"{kinds}, {scopes}, {canaries}; {machines}")
        notes = dict.fromkeys(in_short(note) for topology in topologies for note in topology.notes)
        if notes:
            self._say(f"note: {'; '.join(notes)} (more: {self._hint('soak status')})")
        for number in self.campaign.interrupted:
            self._say(f"{number}: was cut off, and is kept as a row of its own ({self._hint(f'soak show {number}')})")

    def _tell_end(self, ending: Ending, status: Status) -> int:
        """Print the status of the campaign, its assessment first."""
        if self.options.quiet:
            self._say(status.assessment.headline)
            rows = self.campaign.rows(as_expected=False)
            for line in filter(None, (alert(row, self.campaign.folder) for row in rows)):
                self._say(line)
        else:
            status.print_to(self.console)
            self._say(f"{ENDINGS[ending]}; to go on: {self._hint('soak --resume')}")
        return EXIT_INTERRUPTED if ending == "interrupted" else status.assessment.exit_code

    def _hint(self, command: str) -> str:
        return hint(self.campaign.folder, command)

    def _say(self, line: str) -> None:
        say(self.console, line)
