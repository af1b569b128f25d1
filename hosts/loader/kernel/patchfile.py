"""Applies a patch, as it stands in a mail, to the files of a tree, in memory.

Hunks go where GNU ``patch`` puts them (:mod:`hosts.loader.kernel.hunk_place`), but nothing is applied in part: the
first thing that does not fit ends it with one line. The level of the names is found by what the tree has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from hosts.loader.kernel.hunk_place import MOST_FUZZ, Ends, Place, find, put
from hosts.loader.kernel.mail_text import split_lines
from hosts.loader.kernel.mismatch import reason
from hosts.loader.kernel.patch_names import Level, level_of, shown
from hosts.loader.kernel.unified_diff import FileDiff, Hunk, read_diff
from hosts.loader.source_file import SourceFile
from hosts.loader.syntax.language import PolicyError
from hosts.plural import counted


@dataclass(frozen=True)
class Applied:
    """A tree with a patch."""

    files: dict[str, bytes]
    """All files of the tree as they are with the patch, by name."""
    changed: tuple[str, ...]
    """The names of those that it changes or adds, in the order of the patch."""
    absent: tuple[str, ...]
    """What the patch changes and the tree that was given does not have, as the patch names it."""
    moved: tuple[str, ...]
    """A line for each hunk that was not found exactly where and as it says."""


def apply_patch(name: str, content: bytes, files: Mapping[str, bytes], tree: str = "the tree") -> Applied:
    """Apply a patch; PolicyError (``name:line: reason``) if it cannot be. ``tree``: how the files are called."""
    diffs = read_diff(name, content)
    return _Tree(name, tree, level_of(name, diffs, files, tree), dict(files)).with_all(diffs)


def applied_to(files: Sequence[SourceFile], diff: SourceFile, root: str) -> Applied:
    """Apply a diff to the files that were read of a kernel at ``root``; what could not be read is not there."""
    try:
        content = diff.content
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PolicyError(diff.path, 1, f"cannot be read: {reason}") from None
    return apply_patch(
        diff.path, content, {file.path: file.read for file in files if isinstance(file.read, bytes)}, root
    )


def patched(files: Sequence[SourceFile], diff: SourceFile, root: str) -> tuple[SourceFile, ...]:
    """Return the files of a kernel with a diff; PolicyError (``diff:line: reason``) if it does not apply."""
    applied = applied_to(files, diff, root)
    unread = {file.path: file for file in files if not isinstance(file.read, bytes)}
    kept = {file.path: None for file in files} | dict.fromkeys(applied.files)
    return tuple(
        unread[path] if path in unread else SourceFile(path, applied.files[path])
        for path in kept
        if path in unread or path in applied.files
    )


@dataclass
class _Tree:
    """The files, while the patch is being applied."""

    name: str
    tree: str
    level: Level
    files: dict[str, bytes]
    changed: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    applied: list[FileDiff] = field(default_factory=list)
    """What the tree has already."""

    def with_all(self, diffs: Sequence[FileDiff]) -> Applied:
        """Apply all of a patch, or refuse."""
        folders = {path.rpartition("/")[0] for path in self.files}
        for diff in diffs:
            path = self.level.find(diff, self.files)
            if diff.old is None:
                self._create(diff, folders)
            elif path is None:
                self.absent.append(shown(diff))
            else:
                self._change(diff, path)
        if self.applied:
            self._has_it_already()
        changed = [path for path in dict.fromkeys(self.changed) if path in self.files]
        return Applied(self.files, tuple(changed), tuple(dict.fromkeys(self.absent)), tuple(self.moved))

    def _refuse(self, line: int, why: str) -> NoReturn:
        raise PolicyError(self.name, line, why)

    def _has_it_already(self) -> NoReturn:
        first, names = self.applied[0], ", ".join(dict.fromkeys(map(shown, self.applied)))
        if self.changed:
            self._refuse(first.line, f"{self.tree} has this change of {names} already, but not the rest of the patch")
        self._refuse(first.line, f"{self.tree} has this patch already ({names})")

    # --- one file ------------------------------------------------------------------------------------------------

    def _create(self, diff: FileDiff, folders: set[str]) -> None:
        """Add a new file; one in a folder of which nothing was given is of no interest."""
        path = self.level.path(diff.new)
        if path is None or path.rpartition("/")[0] not in folders:
            self.absent.append(shown(diff))
            return
        hunks = [hunk.without_returns() if diff.returns else hunk for hunk in diff.hunks]
        content = b"".join(text for hunk in hunks for text in hunk.side("+"))
        if any(mark != "+" for hunk in hunks for mark, _ in hunk.body):
            self._refuse(diff.line, f"makes {shown(diff)} anew, and yet has lines of it from before")
        if self.files.get(path, b"") == content and path in self.files:
            self.applied.append(diff)
        elif self.files.get(path):
            self._refuse(diff.line, f"makes {shown(diff)} anew, which {self.tree} has already, with other content")
        else:
            self.files[path] = content
            self.changed.append(path)

    def _change(self, diff: FileDiff, path: str) -> None:
        new = self.level.path(diff.new)
        renamed = bool(diff.moved) and new is not None and new != path
        if diff.moved and path == new:  # the old name is gone
            return self._renamed_before(diff, path)
        content = self._patched(diff, path)
        if content is None:
            self.applied.append(diff)
        elif diff.new is None:
            if content:
                left = counted(content.count(b"\n") or 1, "line")
                self._refuse(diff.line, f"deletes {shown(diff)}, of which {left} would be left: another version of it")
            del self.files[path]
            self.changed.append(path)
        else:
            if renamed and diff.moved == "rename":
                del self.files[path]
            target = new if renamed and new is not None else path
            self.files[target] = content
            self.changed.append(target)
        return None

    def _renamed_before(self, diff: FileDiff, path: str) -> None:
        """Find out what it means that only the new name of a renamed file is there."""
        lines = split_lines(self.files[path])
        if not all(find(hunk.reversed(), lines, 0, 0, 0) for hunk in diff.hunks):
            self._refuse(diff.line, f"renames {diff.old} to {diff.new}, and {self.tree} has only the latter")
        self.applied.append(diff)

    def _patched(self, diff: FileDiff, path: str) -> bytes | None:
        """Return a file with its hunks applied; None if it has them already."""
        lines = split_lines(self.files[path])
        strip = diff.returns and not (lines and lines[0].endswith(b"\r\n"))
        hunks = [hunk.without_returns() if strip else hunk for hunk in diff.hunks]
        out: list[bytes] = []
        shift = done = 0
        for hunk in hunks:
            place = find(hunk, lines, shift, done, 0)
            if place is None and hunk is hunks[0] and _has_already(hunks, lines):
                return None
            place = place or self._with_fuzz(diff, hunk, path, lines, shift, done)
            self._note(diff, hunk, place)
            instead, after = put(hunk, lines, place)
            out += [*lines[done : place.at], *instead]
            done, shift = after, place.offset
        out += lines[done:]
        # A line that ended the file without a line feed gets it, if others follow now.
        return b"\n".join(line.removesuffix(b"\n") for line in out) + (b"\n" if out and out[-1][-1:] == b"\n" else b"")

    def _with_fuzz(self, diff: FileDiff, hunk: Hunk, path: str, lines: Sequence[bytes], shift: int, done: int) -> Place:
        """Return the place of a hunk that does not fit anywhere as it is; PolicyError if there is none."""
        why = reason(hunk, lines, hunk.old_start - 1 + shift, path)
        place: Place | None = None
        for fuzz in range(min(MOST_FUZZ, Ends.of(hunk).most) + 1):
            place = find(hunk, lines, shift, done, fuzz)
            back = find(hunk.reversed(), lines, 0, 0, fuzz) if hunk.number == 1 and place is None else None
            if back is not None:
                why = f"{path}:{back.at + 1} seems to have it already, but not the rest as the patch makes it"
            if back is not None or place is not None:
                break
        return place or self._refuse(hunk.line, f"hunk {hunk.number} of {shown(diff)} does not apply: {why}")

    def _note(self, diff: FileDiff, hunk: Hunk, place: Place) -> None:
        """Keep what is not as the hunk says: a hunk in the wrong place would be another patch."""
        if place.fuzz or place.offset:
            where = f"{counted(abs(place.offset), 'line')} {'further down' if place.offset > 0 else 'further up'}"
            said = [where] if place.offset else []
            said += [f"without {counted(place.fuzz, 'line')} of context at its ends"] if place.fuzz else []
            self.moved.append(f"{self.name}:{hunk.line}: hunk {hunk.number} of {shown(diff)} fits {', '.join(said)}")


def _has_already(hunks: Sequence[Hunk], lines: Sequence[bytes]) -> bool:
    """Return whether all hunks are in a file: they could be taken back where they say that they are."""
    shift = done = 0
    for hunk in hunks:
        back = hunk.reversed()
        place = find(back, lines, shift, done, 0)
        if place is None:
            return False
        shift, done = place.offset, put(back, lines, place)[1]
    return True
