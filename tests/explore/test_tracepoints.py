"""Trace points are nothing to the explorer: neither a step, nor a state, nor a local that is kept for them."""

from __future__ import annotations

import ast

import pytest

from hosts.explorer.threads.protocol import TRACEPOINTS, untraced
from hosts.loader.syntax.names import calls
from tests.explore.exactly import _protocol, program

SILENT = {"trace", "trace_it"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("trace_it(a)\nuse(b)", "use(b)"),
        ("trace(1, a)", "pass"),
        ("if a:\n    trace_it(b)\nuse(a)", "if a:\n    pass\nuse(a)"),
        ("if a:\n    use(a)\nelse:\n    trace_it(b)", "if a:\n    use(a)"),
        ("while a:\n    trace_it(b)\n    use(a)", "while a:\n    use(a)"),
        ("for i in range(3):\n    trace_it(i)", "for i in range(3):\n    pass"),
        (
            "match a:\n    case 1:\n        trace_it(b)\n    case _:\n        use(b)",
            "match a:\n    case 1:\n        pass\n    case _:\n        use(b)",
        ),
    ],
)
def test_trace_points_are_left_out(before: str, after: str) -> None:
    """And nothing else is."""

    def function(body: str) -> ast.FunctionDef:
        tree = ast.parse("def f(a, b):\n" + "\n".join("    " + line for line in body.splitlines())).body[0]
        assert isinstance(tree, ast.FunctionDef)
        return tree

    assert ast.unparse(untraced(function(before), SILENT)) == ast.unparse(function(after))


def test_no_flow_of_the_protocol_calls_one() -> None:
    """The machine has trace points, the explorer's copy of it none."""
    points = {name for name, function in program().functions.items() if function.__module__ == TRACEPOINTS}
    traced = {name for name, tree in program().trees.items() if points & set(calls(tree))}
    assert {"vmx_vcpu_run", "vmx_deliver_interrupt", "apic_send_IPI"} <= traced
    flows = _protocol().flows
    assert not points & set(flows)
    names = {name for flow in flows.values() for code in flow.codes for name in code.__code__.co_names}
    assert not names & {*points, "trace"}
