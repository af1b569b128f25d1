"""``pirace list``: scenarios, policies, mutations, checkers and functions that can be replaced, one line each."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from emu import PROTOCOL, reach
from emu.mutations import MUTATIONS
from emu.workload.scenarios import CHECK_ABOUT, POLICIES, SCENARIOS
from hosts.cli.own_show import own_sections
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.loader.own.read import own_of
from hosts.loader.program import LoaderError, load_program
from hosts.loader.user_code import CodeSpec, read_code
from hosts.terminal import wrapped

CHECK_ORIGIN: Final = {
    "C1": "b95234c84004, fact 2.4",
    "C2": "fdba608f15e2, fact 3.5",
    "C3": "33fd0ccd2590",
    "C4": "c112b5f50232, fact 1",
    "C5": "fact 4.1",
    "C7": "9b44423bf4c8",
    "C6": "d76fb40637fc",
    "C13": "kernel/sched/idle.c",
    "C14": "kernel/sched/core.c",
    "C8": "9b44423bf4c8",
    "C9": "vcpu-requests.rst",
    "C10": "the fabric",
    "C12": "facts 3.1, 3.5",
    "C11": "facts 5.1 to 5.3, B21 to B23",
}
"""The commit, or the fact, that each check comes from."""


def listing(width: int | None = None, own: Own = NOTHING_OWN) -> Iterator[str]:
    """Return the lines, broken at ``width``; ``own``: what the user's patches bring comes first."""
    for line, hanging in _lines(own):
        yield from wrapped(line, width, " " * hanging)


def declared_by_patches(paths: Sequence[str]) -> Own:
    """Return what patches bring; Failure if they do not fit."""
    try:
        code = read_code(CodeSpec(patches=tuple(paths)))
        if code is not None:
            load_program(code)  # knows what is wrong with their functions
        return own_of(code)
    except LoaderError as error:
        raise Failure(str(error), EXIT_USAGE) from None


def _lines(own: Own) -> Iterator[tuple[str, int]]:
    """Return each line, and the indentation of its continuation."""
    for title, rows in own_sections(own):
        yield from _section(title, rows)
        yield "", 0
    yield from _section("scenarios", ((each.name, each.origin, each.about) for each in SCENARIOS))
    yield "", 0
    yield from _section("policies", ((each.name, each.origin, each.about) for each in POLICIES))
    yield "  or your own: --policy path/to/file.py:function, or path/to/file.c:function", 0
    yield "", 0
    yield from _section("mutations", ((each.name, each.origin, each.about) for each in MUTATIONS))
    yield "", 0
    yield from _section("checkers", ((name, CHECK_ORIGIN.get(name, ""), about) for name, about in CHECK_ABOUT.items()))
    yield "", 0
    yield "functions that --patch and --kernel replace:", 0
    for signature, file in replaceable():
        yield f"  {signature}  [{file}]", 4


def replaceable() -> Iterator[tuple[str, str]]:
    """Return the signature of each function that a user's may stand for, and its file, in the order of the protocol."""
    for module in PROTOCOL:
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            continue
        path = Path(spec.origin)
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.FunctionDef) and not reach.not_replaceable(node.name, module):
                result = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
                file = "/".join(module.split(".")[:-1]) + f"/{path.name}:{node.lineno}"
                yield f"{node.name}({ast.unparse(node.args)}){result}", file


def _section(title: str, rows: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, int]]:
    rows = list(rows)
    width = max(len(name) for name, _, _ in rows)
    yield f"{title}:", 0
    for name, origin, about in rows:
        yield f"  {name:{width}}  {about}" + (f" [{origin}]" if origin else ""), width + 2
