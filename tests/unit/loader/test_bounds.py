"""Bounds that are plain from an expression: a check is left out only where it could never fire."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hosts.loader.rule.bounds import Bounds, Range
from tests.unit.loader.patches import patched

NAMES = Bounds({"LIMIT": 5, "TABLE": (1, 2), "x": 3}, frozenset({"x", "vector"}), {"vector": (0, 255)})
KNOWN: dict[str, Range | None] = {
    "7": (7, 7),
    "LIMIT": (5, 5),
    "TABLE": None,
    "x": None,
    "vector": (0, 255),
    "vector & 63": (0, 63),
    "x & LIMIT": (0, 5),
    "x & -1": None,
    "vector >> 6": (0, 3),
    "vector >> x": None,
    "x >> 60": None,
    "vector + 1": None,
    "max(vector, 300)": (300, 300),
    "min(x, 3)": None,
    "vector_of(x)": (0, 255),
    "checked_below(1, x, 4)": (0, 3),
}


@pytest.mark.parametrize("text", KNOWN)
def test_what_is_known_of_a_number(text: str) -> None:
    """A local is not a constant of the same name; what is not plain is not known."""
    expression = ast.parse(text, mode="eval").body
    assert NAMES.of(expression) == KNOWN[text]


def test_what_the_machine_gives_is_not_checked_and_what_a_user_computes_is(tmp_path: Path) -> None:
    """A vector is one when the machine hands it to a replacement, and again when a user's function does."""
    text = """
    from emu.waist import test_and_set_bit
    from emu.posted_intr import pi_clear_on

    def pi_test_and_set_pir(vector, pi_desc):
        return test_and_set_bit(vector & 63, pi_desc.pir[vector >> 6])

    def kvm_vcpu_exit_request(vcpu):
        return pi_test_and_set_pir(vcpu.requests, vcpu.pi_desc)

    def pi_test_on(pi_desc):
        return pi_desc.pir[pi_desc.control]
    """
    program = patched(tmp_path, text)
    assert "checked_" not in program.source("pi_test_and_set_pir")
    assert "checked_below" in program.source("kvm_vcpu_exit_request")
    assert "checked_below" in program.source("pi_test_on")
