"""A compiled root without a machine, made once for all tests of processes; and a fresh checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import roots
from tests.harness.checkout import Checkout, fresh_checkout


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file with the compiled root of :mod:`tests.harness.roots`."""
    file = tmp_path_factory.mktemp("roots") / "root.o"
    file.write_bytes(roots.object_code())
    return file


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a copy of the checkout on a machine of its own, where nothing is set up yet."""
    return fresh_checkout(tmp_path)
