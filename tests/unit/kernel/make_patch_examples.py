"""Makes ``patch_examples.json``: what GNU ``patch`` does with random diffs of random files that differ from the diff's.

Run by hand (``python tests/unit/kernel/make_patch_examples.py``) where ``diff`` and ``patch`` are installed; the tests
need neither.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import tempfile
from pathlib import Path

WORDS = ("post", "sync", "kick", "wake", "halt", "enter")
EXAMPLES = 120
FILE = Path(__file__).with_name("patch_examples.json")


def lines(source: random.Random, many: int, words: int) -> list[str]:
    """Return random lines; the fewer words, the more places a hunk fits."""
    return [f"{source.choice(WORDS)} {source.randrange(words)}\n" for _ in range(many)]


def edited(source: random.Random, text: list[str], times: int) -> list[str]:
    """Return lines with some inserted, deleted, and changed."""
    text = list(text)
    for _ in range(times):
        at = source.randrange(len(text) + 1)
        kind = source.randrange(3)
        text[at : at + (0 if kind == 0 else source.randint(1, 3))] = lines(source, source.randint(0, 2), 9)
    return text


def without_end(source: random.Random, text: list[str]) -> str:
    """Return the text, sometimes without the line feed at its end."""
    joined = "".join(text)
    return joined.removesuffix("\n") if source.random() < 0.15 else joined


def compares_something(patch: str) -> bool:
    """Return whether each hunk has lines left with the most fuzz: others fit anywhere, and are put there by patch."""
    for hunk in re.split(r"^@@.*\n", patch, flags=re.MULTILINE)[1:]:
        marks = "".join(line[0] for line in hunk.splitlines() if line[0] != "\\")
        ends = [len(marks) - len(marks.lstrip(" ")), len(marks) - len(marks.rstrip(" "))]
        fuzz = min(2, max(ends))
        if sum(mark != "+" for mark in marks) <= sum(max(0, fuzz + end - max(ends)) for end in ends):
            return False
    return True


def example(source: random.Random, folder: Path) -> dict[str, str | None] | None:
    """Return one example: the file, the patch, and the file with it (None: refused)."""
    base = lines(source, source.choice([3, 8, 20, 40]), source.choice([1, 3, 30]))
    old, new = without_end(source, base), without_end(source, edited(source, base, source.randint(1, 4)))
    before = without_end(source, edited(source, base, source.choice([0, 1, 2, 4])))
    (folder / "old").write_text(old)
    (folder / "new").write_text(new)
    context = source.choice([1, 2, 3, 3, 3])
    command = ["diff", f"-U{context}", "--label", "a/x.c", "--label", "b/x.c", folder / "old", folder / "new"]
    patch = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if not patch or not compares_something(patch):
        return None
    (folder / "x.c").write_text(before)
    (folder / "patch").write_text(patch)
    apply = ["patch", "-p1", "-N", "-s", "-r", "-", "-d", folder, "-i", folder / "patch"]
    applied = subprocess.run(apply, capture_output=True, check=False).returncode == 0
    return {"before": before, "patch": patch, "after": (folder / "x.c").read_text() if applied else None}


def main() -> None:
    """Write the examples."""
    source = random.Random(18)
    made: list[dict[str, str | None]] = []
    with tempfile.TemporaryDirectory() as folder:
        while len(made) < EXAMPLES:
            one = example(source, Path(folder))
            made += [one] if one is not None else []
    FILE.write_text(json.dumps(made, indent=0) + "\n")


if __name__ == "__main__":
    main()
