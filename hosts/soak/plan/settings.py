"""The settings of a campaign, as its file keeps them: everything that ``--resume`` does not ask for again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import convert, to_builtins

from hosts.compiler.fingerprint import sources_key
from hosts.errors import Failure
from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_USAGE
from hosts.loader.policy_name import rule_name_of
from hosts.loader.program import PolicyError, load_program
from hosts.loader.user_code import UserCode, code_of
from hosts.runs.own_code import OwnCode, own_code
from hosts.runs.plan import PlanError
from hosts.soak.placement.classes import Place, placements
from hosts.soak.placement.topology import Topology
from hosts.soak.plan.choose import CampaignSettings, Chooser, Places

_RULE: Final = "policy_sha256"


def absolute(policies: Sequence[str]) -> tuple[str, ...]:
    """Name a rule of the user's by the whole path, so that it is found from wherever the campaign is resumed."""
    rules = ((name, rule_name_of(name)) for name in policies)
    return tuple(name if rule is None else str(rule.absolute()) for name, rule in rules)


def checked_code(wanted: CampaignSettings) -> OwnCode | None:
    """Read the user's code, if there is any; Failure if it is not understood, or has more than one rule."""
    try:
        code = code_of(wanted.user_policy, wanted.code)
        return own_code(code, load_program(code) if code is not None else None)
    except (PlanError, PolicyError) as error:
        raise Failure(str(error), EXIT_USAGE) from None


def to_settings(wanted: CampaignSettings, code: UserCode | None) -> dict[str, Any]:
    """Return what the file keeps."""
    kept = {**to_builtins(wanted), _RULE: _hash_of(code)}
    return {name: value for name, value in kept.items() if name != "code" or value is not None}


def from_settings(settings: dict[str, Any]) -> CampaignSettings:
    """Read it back; Failure if it is damaged, or the user's rule is another by now."""
    try:
        wanted = convert(settings, CampaignSettings)
    except ValueError as error:
        raise Failure(f"what the campaign is about cannot be read: {error}", EXIT_ENVIRONMENT) from None
    rule_check(wanted, settings)()
    return wanted


def rule_check(wanted: CampaignSettings, settings: dict[str, Any]) -> Callable[[], None]:
    """Return a check that the user's rule is still the one that the campaign began with; the check raises Failure."""

    def check() -> None:
        code = code_of(wanted.user_policy, wanted.code)
        if _hash_of(code) != settings.get(_RULE):
            what = wanted.user_policy if wanted.code is None else code and code.label
            said = f"{what} has changed since this campaign began: begin another one with it (--campaign)"
            raise Failure(said, EXIT_USAGE)

    return check


def raced_check(wanted: CampaignSettings, settings: dict[str, Any]) -> Callable[[], None]:
    """Return a check that the user's rule and the sources of pirace have not changed; the check raises Failure."""
    rule, sources = rule_check(wanted, settings), sources_key()

    def same() -> bool:
        try:
            return sources_key() == sources
        except OSError:  # a file is missing, perhaps only while git checks out
            return False

    def check() -> None:
        rule()
        if not same():
            said = "the sources of pirace have changed since this soak began: --resume goes on with those of now"
            raise Failure(said, EXIT_ENVIRONMENT)

    return check


def _hash_of(code: UserCode | None) -> str | None:
    """Return the hash of a rule's file, as ever, or of all code if there is more than a rule."""
    if code is None:
        return None
    for file in code.files:
        try:
            _ = file.content
        except OSError as error:
            raise Failure(f"{Path(file.path)}: {error.strerror or error}", EXIT_USAGE) from None
    return code.rule_file.digest if code.rule_file is not None and not code.spec.patched else code.digest


def chooser_of(
    wanted: CampaignSettings,
    topologies: Sequence[Topology],
    own: OwnCode | None = None,
    *,
    here: bool = True,
) -> Chooser:
    """Return the chooser of tasks for this machine, or for those of a cluster; Failure if there is nothing to race."""
    processors = max(len(topology.numbers) for topology in topologies)
    places = places_here(topologies[0], wanted.seed) if here else places_there(topologies)
    try:
        return Chooser(wanted, places, processors, own)
    except PlanError as error:
        raise Failure(str(error), EXIT_USAGE) from None


def places_here(topology: Topology, seed: int) -> Places:
    """Return the placements of this machine."""
    return lambda pcpus: placements(topology, pcpus, seed=seed)


def places_there(topologies: Sequence[Topology]) -> Places:
    """Return the classes that some machine of a cluster has; the machine itself chooses the processors."""

    def places(pcpus: int) -> list[Place]:
        found = [place.name for topology in topologies for place in placements(topology, pcpus)]
        return [Place(name, ()) for name in dict.fromkeys(found)]

    return places
