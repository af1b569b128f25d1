"""What the help shows can be typed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest

from hosts.cli.main import cli, main
from hosts.runs.plan import Wanted, make_plan
from hosts.trace.story import story_of


def examples() -> list[list[str]]:
    """Return the examples of all help texts."""
    texts = [cli.help, *(command.help for command in cli.commands.values())]
    lines = [line.strip() for text in texts for line in (text or "").splitlines()]
    return [shlex.split(line.split("  ")[0])[1:] for line in lines if line.startswith("pirace ")]


@pytest.mark.parametrize("arguments", examples(), ids=" ".join)
def test_examples_parse_and_name_what_exists(arguments: list[str]) -> None:
    """Options, scenarios, policies and mutations; a user's file need not exist."""
    name, *rest = arguments
    context: click.Context = cli.commands[name].make_context(name, rest)
    given = context.params
    if name == "stress":
        make_plan(Wanted(given["scenario"], given["policy"], given["mutation"], given["controls"], given["cpus"]), 2)
    if name == "trace":
        story_of(given["scenario"])
        policies, mutations = ([given[each]] if given[each] else [] for each in ("policy", "mutation"))
        make_plan(Wanted([given["scenario"]], policies, mutations), 2)


def test_there_are_examples_for_each_command() -> None:
    """At least one."""
    assert {arguments[0] for arguments in examples()} == set(cli.commands)


def commands(group: click.Group, *names: str) -> Iterator[list[str]]:
    """Return the words of each command and subcommand."""
    yield [*names]
    for name, command in group.commands.items():
        yield from commands(command, *names, name) if isinstance(command, click.Group) else [[*names, name]]


@pytest.mark.parametrize("words", [*commands(cli)], ids=" ".join)
def test_help_fits_eighty_columns_and_no_line_is_cut(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a command is for is said in a whole line in the list of commands, too."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*words, "--help"]) == 0
    usage, *lines = capsys.readouterr().out.splitlines()
    assert usage.startswith("Usage: pirace ")
    assert [line for line in lines if len(line) > 80 or line.endswith("...")] == []
