"""The README says what is so: each of its commands runs, its example rule does what it says, its output is real."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.choice import slow_but

TOP = Path(__file__).parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line[2:].split("  #")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
FINE = {0, 2}
"""Exit codes of a run on a machine that may be slow or small: as expected, or something unproven."""
EXPECTED = {"my_policy.py": {1}, "stress --kernel harvest.c": {1}}
"""The example rule is the one that loses wake-ups; the example in C leaves RVI behind."""
SHORTER = {"60h": "25s", "8h": "5s"}
"""Times that a test does not take."""
SECONDS = 240
LONG = ("stress", "soak", "weekend", "replay", "reconcile", "scripts/check", "fix.patch")
"""Words of the commands that take long: they race or explore for seconds, or run mypy once more."""


def test_there_are_commands() -> None:
    """The two commands come first."""
    assert [shlex.split(command)[0] for command in COMMANDS[:2]] == ["./scripts/stress-run", "./scripts/test"]


EXAMPLES = {
    "my_policy.py": ("python", "# my_policy.py"),
    "harvest.c": ("c", "/* harvest.c */"),
    "fix.patch": ("diff", ""),
}
"""The files that the README shows: the language of the block, and what is in it."""


def examples(folder: Path) -> dict[str, Path]:
    """Write the README's files into a folder."""
    for name, (language, mark) in EXAMPLES.items():
        blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
        (source,) = [block for block in blocks if mark in block]
        (folder / name).write_text(source, encoding="utf-8")
    return {name: folder / name for name in EXAMPLES}


@pytest.fixture(scope="module")
def weekend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the campaign that several commands are about, whoever begins it."""
    return tmp_path_factory.mktemp("campaign") / "weekend"


def words_of(command: str, folder: Path, weekend: Path) -> list[str]:
    """Return the command as it is run here: files in a folder of the test, the tests without the tests."""
    words = shlex.split(command)
    if words[0] in ("./scripts/test", "./scripts/check"):
        words.append("--version")  # the whole would run this test again
    if words[0] == ".venv/bin/pirace":
        words[:1] = [sys.executable, "-m", "hosts.cli.main"]
    places = {**examples(folder), "weekend": weekend}
    places |= {name: folder / name for name in ("out.jsonl", "lost-wake.json")}
    for name, path in places.items():
        words = [word.replace(name, str(path)) for word in words]
    return [SHORTER.get(word, word) for word in words]


def before(command: str, weekend: Path) -> list[str]:
    """Return the commands that have to come before one, as it takes what they leave behind."""
    if "pirace replay" in command:
        return [COMMANDS[COMMANDS.index(command) - 1]]
    campaign = [each for each in COMMANDS if "weekend" in each]
    return campaign[:1] if command in campaign[1:] and not weekend.exists() else []


@pytest.mark.timeout(SECONDS + 30)
@pytest.mark.parametrize(
    "command", slow_but([each for each in COMMANDS if not any(word in each for word in LONG)], COMMANDS)
)
def test_a_command_of_the_readme_runs(command: str, tmp_path: Path, weekend: Path) -> None:
    """It ends with the exit status that it should have."""
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    for first in before(command, weekend):
        done = subprocess.run(words_of(first, tmp_path, weekend), cwd=TOP, env=environment, check=False)
        assert done.returncode in FINE
    done = subprocess.run(
        words_of(command, tmp_path, weekend),
        cwd=TOP,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    wanted = next((codes for word, codes in EXPECTED.items() if word in command), FINE)
    assert done.returncode in wanted, done.stdout[-3000:] + done.stderr[-3000:]
    if "my_policy.py" in command:
        assert "C2" in done.stdout
    if "fix.patch" in command:
        assert "fix.patch: before: C3 in remote-post; after: clean" in done.stdout
    if "out.jsonl" in command:
        assert (tmp_path / "out.jsonl").read_text(encoding="utf-8").startswith('{"record": "environment"')
