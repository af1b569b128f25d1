"""Random protocol functions, as text."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FunctionType

from hypothesis import strategies as st

from hosts.loader.program import Program, load_program
from tests.unit.loader.synthetic import indent, write

names = st.sampled_from(["a", "b", "x", "3", "0"])
binary = st.sampled_from(["+", "-", "&", "|", "^", "and", "or", "==", "<", "!="])


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, binary, inner),
        st.builds("({} {} {} or {})".format, inner, binary, inner, inner),
        st.builds("({0} {1} {2} {1} {3})".format, inner, st.sampled_from(["and", "or"]), inner, inner),
        st.builds("({} < {} <= {} != {})".format, inner, inner, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("local_read({})".format, inner),
        st.builds("READ_ONCE({})".format, inner),
        st.builds("xchg({}, {})".format, inner, inner),
        st.builds("cmpxchg({}, new={}, old={})".format, inner, inner, inner),
        st.builds("helper({}, {})".format, inner, inner),
        st.builds("abs({})".format, inner),
    )


expressions = st.recursive(names, _grow, max_leaves=8)
simple = st.one_of(
    st.builds("x = {}".format, expressions),
    st.builds("x += {}".format, expressions),
    st.builds("{}".format, expressions),
    st.builds("WRITE_ONCE({}, {})".format, expressions, expressions),
    st.builds("return {}".format, expressions),
)


def _nest(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{}\n{}".format, inner, inner),
        st.builds(lambda c, a, b: f"if {c}:\n{indent(a)}\nelse:\n{indent(b)}", expressions, inner, inner),
        st.builds(lambda c, a: f"while {c}:\n    cpu_relax()\n{indent(a)}\n    b = b - 1", expressions, inner),
        st.builds(
            lambda c, a: f"while {c}:\n    if choose(b):\n        break\n{indent(a)}\n    continue", expressions, inner
        ),
        st.builds(lambda n, a: f"for COUNTER in range(({n}) & 3):\n{indent(a)}", expressions, inner),
    )


functions = st.recursive(simple, _nest, max_leaves=5)
answers = st.lists(st.integers(-2, 3), max_size=40)


def make_program(folder: Path, text: str) -> tuple[FunctionType, Program]:
    """Load ``f`` with this body; give it as Python has it, and the program."""
    while "COUNTER" in text:
        text = text.replace("COUNTER", f"i{text.count('COUNTER')}", 1)
    helper = "def helper(a, b):\n    return local_read(a) or READ_ONCE(b)\n\n"
    (name,) = write(folder, one=f"{helper}def f(a, b):\n    x = 0\n{indent(text)}\n    return x\n")
    program = load_program(modules=[name])
    return sys.modules[name].f, program
