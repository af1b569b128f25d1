"""The README says what is so: each of its commands runs, its example rule does what it says, its output is real."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

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
EXPECTED = {"my_policy.py": {1}}
"""The example rule is the one that loses wake-ups."""
SECONDS = 240


def test_there_are_commands() -> None:
    """The two commands come first."""
    assert [shlex.split(command)[0] for command in COMMANDS[:2]] == ["./scripts/stress-run", "./scripts/test"]


def example_rule(folder: Path) -> Path:
    """Write the README's rule into a folder."""
    (source,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "# my_policy.py" in block]
    path = folder / "my_policy.py"
    path.write_text(source, encoding="utf-8")
    return path


def words_of(command: str, folder: Path) -> list[str]:
    """Give the command as it is run here: files in a folder of the test, the tests without the tests."""
    words = shlex.split(command)
    if words[0] == "./scripts/test":
        words.append("--version")  # the whole would run this test again
    if words[0] == ".venv/bin/pirace":
        words[:1] = [sys.executable, "-m", "hosts.cli.main"]
    places = {"my_policy.py": example_rule(folder)}
    places |= {name: folder / name for name in ("out.jsonl", "lost-wake.json")}
    for name, path in places.items():
        words = [word.replace(name, str(path)) for word in words]
    return words


def before(command: str) -> list[str]:
    """Give the commands that have to come before one, as it takes what they leave behind."""
    return [COMMANDS[COMMANDS.index(command) - 1]] if "pirace replay" in command else []


@pytest.mark.timeout(SECONDS + 30)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_runs(command: str, tmp_path: Path) -> None:
    """It ends with the exit status that it should have."""
    for first in before(command):
        subprocess.run(words_of(first, tmp_path), cwd=TOP, env={**os.environ, "PYTHONPATH": str(TOP)}, check=True)
    done = subprocess.run(
        words_of(command, tmp_path),
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    wanted = next((codes for word, codes in EXPECTED.items() if word in command), FINE)
    assert done.returncode in wanted, done.stdout[-3000:] + done.stderr[-3000:]
    if "my_policy.py" in command:
        assert "C2" in done.stdout
    if "out.jsonl" in command:
        assert (tmp_path / "out.jsonl").read_text(encoding="utf-8").startswith('{"record": "environment"')
