"""The fingerprint of a compiled program: one hash of sources, the user's code, versions of tools, and processor.

Numba's own cache looks at one file and would run stale code when a constant elsewhere changes (seen: 12 for 1011).
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hosts.compiler.object_file import processor
from hosts.sources import source_files

if TYPE_CHECKING:
    from hosts.loader.user_code import UserCode  # whoever compiles without does not load it

_TOOLS: Final = ("numba", "llvmlite")


def key_of(code: UserCode | None) -> tuple[str, str]:
    """Return the hash of everything but the user's code, and of everything. OSError if a file could not be read."""
    base = hash_of([*environment(), *_sources()])
    return base, hash_of([base.encode(), *(code.parts() if code is not None else ())])


def sources_key() -> str:
    """Return the hash of the sources alone, which is the same on every machine that has them."""
    return hash_of(_sources())


def own_files() -> frozenset[str]:
    """Return the source files that the first hash covers."""
    return frozenset(str(path) for path in _files().values())


def _sources() -> Iterable[bytes]:
    for name, path in _files().items():
        yield name.encode()
        yield path.read_bytes()


def _files() -> dict[str, Path]:
    return source_files("emu", "hosts", "hosts/loader", "hosts/compiler", "hosts/native")


def environment() -> Iterable[bytes]:
    """Return what makes code another one from the same sources."""
    yield platform.python_implementation().encode() + sys.version.encode()
    for tool in _TOOLS:
        yield _version(tool)
    yield " ".join(processor()).encode()


def _version(package: str) -> bytes:
    """Return the text that names the installed version; to import it, or read its metadata, takes longest of all."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(found.origin).with_name("_version.py").read_bytes()


def hash_of(parts: Iterable[bytes]) -> str:
    """Return one hash."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:40]
