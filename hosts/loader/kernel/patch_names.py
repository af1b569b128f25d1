"""Which file of a tree a name in a patch means: the level that ``patch -p`` takes is found by what the tree has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hosts.loader.kernel.unified_diff import FileDiff
from hosts.loader.syntax.language import PolicyError


@dataclass(frozen=True)
class Level:
    """How the names of a patch become names of the tree; one level for a whole patch."""

    strip: int
    """Number of leading parts of a name that are left out."""
    folder: str
    """What is put before the rest, with its slash, or nothing."""

    def path(self, name: str | None) -> str | None:
        """Return the tree's name; None if the patch's has too few parts."""
        parts = _parts(name) if name is not None else []
        return self.folder + "/".join(parts[self.strip :]) if len(parts) > self.strip else None

    def find(self, diff: FileDiff, files: Container[str]) -> str | None:
        """Return the file that a diff changes, by the old name or by the new one, whichever there is."""
        return next((path for path in map(self.path, (diff.old, diff.new)) if path in files), None)


def level_of(name: str, diffs: Sequence[FileDiff], files: Mapping[str, bytes], tree: str) -> Level:
    """Return the level at which most files of a patch are found; PolicyError if none is, or if two are as good."""
    named: defaultdict[str, list[list[str]]] = defaultdict(list)
    for path in files:
        parts = path.split("/")
        named[parts[-1]].append(parts)
    found: defaultdict[Level, set[int]] = defaultdict(set)
    for index, diff in enumerate(diffs):
        if diff.old is None:
            continue
        for level in _levels((diff.old, diff.new), named):
            found[level].add(index)
    if not found:
        first = diffs[0]
        more = f" (and {len(diffs) - 1} more)" if len(diffs) > 1 else ""
        what = f"changes {shown(first)}{more}, which {tree} does not have"
        raise PolicyError(name, first.line, f"{what}: is it a patch for another tree?")
    most = max(map(len, found.values()))
    best = [level for level, indices in found.items() if len(indices) == most]
    strip = min(level.strip for level in best)
    folders = sorted(level.folder for level in best if level.strip == strip)
    if len(folders) > 1:
        first = diffs[min(found[Level(strip, folders[0])])]
        places = " and ".join(f"{folder}{'/'.join(_parts(first.old)[strip:])}" for folder in folders[:2])
        raise PolicyError(name, first.line, f"{shown(first)} may be {places}; name the folder that is meant")
    return Level(strip, folders[0])


def shown(diff: FileDiff) -> str:
    """Return the name of a diff's file for people."""
    parts = _parts(diff.new if diff.new is not None else diff.old)
    return "/".join(parts[1:] if len(parts) > 1 and parts[0] in _PREFIXES else parts)


_PREFIXES: Final = frozenset("abciow")
"""What git puts before names."""


def _levels(names: Iterable[str | None], named: Mapping[str, Sequence[list[str]]]) -> Iterator[Level]:
    """Yield the levels at which one of the names is one of the tree's."""
    for name in filter(None, names):
        parts = _parts(name)
        for there in named.get(parts[-1], ()):
            for alike in range(1, min(len(parts), len(there)) + 1):
                if parts[-alike] != there[-alike]:
                    break
                folder = "/".join(there[:-alike])
                yield Level(len(parts) - alike, folder + "/" if len(there) > alike else "")


def _parts(name: str | None) -> list[str]:
    return [part for part in (name or "").split("/") if part not in ("", ".")] or [""]
