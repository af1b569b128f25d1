"""What a run leaves besides its row: ``live/<id>`` while it is under way, ``kept/<id>`` if it is worth keeping.

A folder becomes a kept one by its name, and before its row says so: whatever is cut off in between, the next start
finds the row running and the folder on one side or the other.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from hosts.soak.errors import Unwritable

LIVE: Final = "live"
KEPT: Final = "kept"


def make_folder(folder: Path) -> None:
    """Make the folder of a campaign, or take one that is there; Unwritable says what is in the way, and what to do."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(f"{folder}: {_obstacle(folder, error)}; choose another folder (--campaign)") from None


def _obstacle(folder: Path, error: OSError) -> str:
    """Name the nearest thing above a folder that is there, since that is what there is something to be done about."""
    there = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), folder)
    if not os.path.isdir(there):  # noqa: PTH112 - which fails where nobody may look
        return "is there, and is no folder" if there == folder else f"cannot be made: {there} is no folder"
    return f"cannot be made in {there}: {error.strerror or error}"


class Folders:
    """The two folders of a campaign."""

    def __init__(self, folder: Path) -> None:
        self._live = folder / LIVE
        self._kept = folder / KEPT

    def make(self) -> None:
        """Make them."""
        self._live.mkdir(exist_ok=True)
        self._kept.mkdir(exist_ok=True)

    def are_empty(self) -> bool:
        """Tell whether there is nothing of an earlier campaign."""
        return not any(each.is_dir() and any(each.iterdir()) for each in (self._live, self._kept))

    def live(self, number: int) -> Path:
        """Give the folder of a run under way."""
        return self._live / str(number)

    def kept(self, number: int) -> Path:
        """Give the folder of a kept run."""
        return self._kept / str(number)

    def begin(self, number: int) -> None:
        """Make the folder of a run."""
        self.live(number).mkdir(exist_ok=True)

    def keep(self, number: int, files: Mapping[str, bytes] | None = None) -> bool:
        """Put a run's files on the disk for good, with those given; False if there are none."""
        live = self.live(number)
        if files:
            check_names(files)
            live.mkdir(exist_ok=True)
        for name, content in (files or {}).items():
            (live / name).write_bytes(content)
        self._move(live, self.kept(number))
        return self.kept(number).exists()

    def keep_attempt(self, number: int, attempt: int) -> bool:
        """Put what an attempt left aside, and make room for the next."""
        target = self.kept(number) / f"attempt-{attempt}"
        live = self.live(number)
        if live.exists() and any(live.iterdir()):
            self.kept(number).mkdir(exist_ok=True)
            self._move(live, target)
        live.mkdir(exist_ok=True)
        return self.kept(number).exists()

    def drop(self, number: int) -> None:
        """Remove what a run left that nobody needs."""
        shutil.rmtree(self.live(number), ignore_errors=True)

    def sweep(self, running: Collection[int] = ()) -> None:
        """Remove what runs left that were killed after their rows were written."""
        names = {str(number) for number in running}
        for each in self._live.iterdir() if self._live.is_dir() else ():
            if each.name not in names and each.name.isdecimal():
                shutil.rmtree(each, ignore_errors=True)

    def _move(self, source: Path, target: Path) -> None:
        """Rename a folder that has something in it; if the target is there already, move what is in it."""
        if not source.exists() or not any(source.iterdir()):
            return
        for each in source.rglob("*"):
            if not each.is_symlink() and (each.is_file() or each.is_dir()):
                sync(each)
        if target.exists():
            for each in source.iterdir():
                each.replace(target / each.name)
            sync(target)
            with contextlib.suppress(OSError):
                source.rmdir()
        else:
            sync(source)
            source.rename(target)
        sync(target.parent)


def check_names(names: Iterable[str]) -> None:
    """Refuse names that lead elsewhere: they come from other machines."""
    for name in names:
        if name in ("", ".", "..") or Path(name).name != name:
            raise ValueError(f"no file name: {name!r}")


def sync(path: Path) -> None:
    """Have a file or a folder on the disk, so that pulling the plug does not take it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # a process that has not ended yet tidies up after itself
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
