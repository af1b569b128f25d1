"""Vectors that a function can send, by static analysis of its source: it tells which windows no race can enter."""

from __future__ import annotations

import ast
from typing import Final

from emu.vectors import POSTED_INTR_VECTOR
from hosts.loader.program import Program
from hosts.loader.rule.userfile import ENTRY
from hosts.loader.syntax.language import local_names, walk

_VECTOR_OF: Final = {"apic_send_IPI": 1, "send_IPI": 1}
"""The functions that send: which of their arguments is the vector."""
NOTIFIED: Final = ("notified-in-guest", "notified-in-root", "notified-after-sync")
"""The windows that a notification enters; nobody but the rule sends one."""


TRIGGER: Final = "kvm_vcpu_trigger_posted_interrupt"


def windows_never_entered(program: Program) -> tuple[str, ...]:
    """Return the windows that a user's rule makes impossible, whatever is raced, because it sends no notification.

    None if the rule is not the user's: of what else a user replaces that is not known.
    """
    rule = TRIGGER if TRIGGER in program.replaced else ENTRY
    if rule not in program.rule:
        return ()
    vectors = vectors_sent(program, rule)
    return NOTIFIED if vectors is not None and POSTED_INTR_VECTOR not in vectors else ()


def vectors_sent(program: Program, function: str) -> frozenset[int] | None:
    """Return all that a function and those that it calls can send; None if that is not written as constants."""
    sent: set[int] = set()
    names, seen = [function], {function}
    for name in names:
        tree = program.trees[name]
        own = local_names(tree)
        for call in (node for node in walk(*tree.body) if isinstance(node, ast.Call)):
            if not isinstance(call.func, ast.Name):
                return None
            if call.func.id in _VECTOR_OF:
                vector = _constant(program, call, own)
                if vector is None:
                    return None
                sent.add(vector)
            elif call.func.id in program.trees and call.func.id not in seen:
                seen.add(call.func.id)
                names.append(call.func.id)
    return frozenset(sent)


def _constant(program: Program, call: ast.Call, own: set[str]) -> int | None:
    """Return the vector that a call sends; None if it is not a constant."""
    assert isinstance(call.func, ast.Name)  # noqa: S101 - the caller has looked
    at = _VECTOR_OF[call.func.id]
    if call.keywords or len(call.args) <= at:
        return None
    argument = call.args[at]
    value = None
    if isinstance(argument, ast.Constant):
        value = argument.value
    elif isinstance(argument, ast.Name) and argument.id not in own:
        value = program.namespace.get(argument.id)
    return value if isinstance(value, int) else None
