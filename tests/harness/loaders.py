"""How the fork server comes to the compiled root of the tests; imports nothing of the compiler."""

from __future__ import annotations

from pathlib import Path

from hosts.compiler.object_file import Image
from hosts.native.codegen.symbols import symbols

_images: list[Image] = []


def load_root(file: str) -> int:
    """Load the compiled root from ``file``; return its address."""
    _images.append(Image(Path(file).read_bytes(), symbols()))
    return _images[-1].address("root")


def broken(_file: str) -> int:
    """Fail as a root that does not load."""
    raise RuntimeError("this root cannot be loaded")
