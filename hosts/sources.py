"""The source files of this project's packages by name, from which the keys of caches are made."""

from __future__ import annotations

from pathlib import Path

import emu
import hosts


def source_files(*folders: str) -> dict[str, Path]:
    """Return name and path of all files below each folder, as ``"hosts/loader"``; of ``"hosts"`` only its own."""
    found: dict[str, Path] = {}
    for folder in folders:
        top, _, below = folder.partition("/")
        package = Path(next(iter({"emu": emu, "hosts": hosts}[top].__path__))).resolve()
        files = (package / below).glob("*.py") if folder == "hosts" else (package / below).rglob("*.py")
        found |= {f"{top}/{path.relative_to(package).as_posix()}": path for path in files}
    return dict(sorted(found.items()))
