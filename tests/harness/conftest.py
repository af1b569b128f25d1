"""A compiled root without a machine, made once for all tests of processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import roots


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file with the compiled root of :mod:`tests.harness.roots`."""
    file = tmp_path_factory.mktemp("roots") / "root.o"
    file.write_bytes(roots.object_code())
    return file
