"""A fresh checkout for each test of set-up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.setup.checkout import Checkout, fresh_checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a copy of the checkout on a machine of its own, where nothing is set up yet."""
    return fresh_checkout(tmp_path)
