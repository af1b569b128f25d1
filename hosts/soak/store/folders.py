"""The files of a run besides its row: ``live/<id>`` while it is under way, ``kept/<id>`` if they are kept.

A folder is renamed from one to the other before its row says so: if the process is killed in between, the next start
finds the row running and the folder under one of the two names.
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
    """Make the folder of a campaign unless it exists; Unwritable says why not, and what to do."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(f"{folder}: {_obstacle(folder, error)}; choose another folder (--campaign)") from None


def _obstacle(folder: Path, error: OSError) -> str:
    """Return what keeps a folder from being made: it names the nearest parent that exists."""
    there = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), folder)
    if not os.path.isdir(there):  # noqa: PTH112 - it fails without permission
        return "is there, and is no folder" if there == folder else f"cannot be made: {there} is no folder"
    return f"cannot be made in {there}: {error.strerror or error}"


class Folders:
    """The two folders of a campaign."""

    def __init__(self, folder: Path) -> None:
        self._live = folder / LIVE
        self._kept = folder / KEPT

    def make(self) -> None:
        """Make both folders."""
        self._live.mkdir(exist_ok=True)
        self._kept.mkdir(exist_ok=True)

    def are_empty(self) -> bool:
        """Return whether nothing of an earlier campaign is there."""
        return not any(each.is_dir() and any(each.iterdir()) for each in (self._live, self._kept))

    def live(self, number: int) -> Path:
        """Return the folder of a run under way."""
        return self._live / str(number)

    def kept(self, number: int) -> Path:
        """Return the folder of a kept run."""
        return self._kept / str(number)

    def begin(self, number: int) -> None:
        """Make the folder of a run."""
        self.live(number).mkdir(exist_ok=True)

    def keep(self, number: int, files: Mapping[str, bytes] | None = None) -> bool:
        """Keep a run's files, and those given besides, durably; return whether there are any."""
        live = self.live(number)
        if files:
            check_names(files)
            live.mkdir(exist_ok=True)
        for name, content in (files or {}).items():
            (live / name).write_bytes(content)
        self._move(live, self.kept(number))
        return self.kept(number).exists()

    def keep_attempt(self, number: int, attempt: int) -> bool:
        """Keep the files of an attempt that died, and make an empty folder for the next one."""
        target = self.kept(number) / f"attempt-{attempt}"
        live = self.live(number)
        if live.exists() and any(live.iterdir()):
            self.kept(number).mkdir(exist_ok=True)
            self._move(live, target)
        live.mkdir(exist_ok=True)
        return self.kept(number).exists()

    def drop(self, number: int) -> None:
        """Remove the files of a run that are not kept."""
        shutil.rmtree(self.live(number), ignore_errors=True)

    def sweep(self, running: Collection[int] = ()) -> None:
        """Remove the folders of runs whose soak was killed after it had written their rows."""
        names = {str(number) for number in running}
        for each in self._live.iterdir() if self._live.is_dir() else ():
            if each.name not in names and each.name.isdecimal():
                shutil.rmtree(each, ignore_errors=True)

    def _move(self, source: Path, target: Path) -> None:
        """Rename a folder that is not empty; if the target exists, move the files into it."""
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
    """Refuse names that are no plain file names: they come from other machines."""
    for name in names:
        if name in ("", ".", "..") or Path(name).name != name:
            raise ValueError(f"no file name: {name!r}")


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk (fsync), so that it survives a power cut."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # a process that has not ended yet may remove its own files
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
