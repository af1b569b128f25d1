"""Witness files: written whole, and read with everything in them held against what a witness can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import convert, to_builtins

from emu.observe.accounting import CHECKS
from hosts.explorer.counterexample.witness import Witness, WitnessError
from hosts.explorer.model.operations import Op
from hosts.reading import read_text

FORMAT: Final = "1.3"
LONGEST_REASON: Final = 160
"""Characters: it may quote the file."""


def text(witness: Witness) -> str:
    """Return what a witness file says."""
    data = to_builtins(witness)
    if witness.code is None:
        del data["code"]
    if not witness.lines:
        del data["lines"]
    return json.dumps({"witness": FORMAT, **data}, indent=1) + "\n"


def save(witness: Witness, path: Path) -> None:
    """Write a witness file."""
    path.write_text(text(witness), encoding="utf-8")


def load(path: Path) -> Witness:
    """Read a witness file; WitnessError."""
    try:
        data = _parsed(read_text(path))
        witness = convert(data, Witness, str_keys=True)
    except OSError as error:
        raise WitnessError(f"{path}: {error.strerror or error}") from None
    except RecursionError:
        raise WitnessError(f"{path}: not a witness file (nested too deeply)") from None
    except ValueError as error:
        raise WitnessError(f"{path}: not a witness file ({str(error)[:LONGEST_REASON]})") from None
    for wrong in faults(witness):
        raise WitnessError(f"{path}: not a witness of this version ({wrong})")
    return witness


def _parsed(content: str) -> dict[str, Any]:
    """Parse it and take its format away; ValueError."""
    data = json.loads(content)
    version = data.pop("witness", None) if isinstance(data, dict) else None
    if version is None:
        raise ValueError("it does not say which format it has")
    if str(version).partition(".")[0] != FORMAT.partition(".")[0]:
        raise ValueError(f"a witness of format {str(version)[:20]}; this version reads {FORMAT}")
    return dict(data)


def faults(witness: Witness) -> Iterator[str]:
    """Say what of a witness contradicts itself, whatever the sources are."""
    if witness.model != ("tso" if witness.buffer else "sc"):
        yield f"model {witness.model!r} with a buffer of {witness.buffer}"
    own = witness.code is not None and witness.check.isidentifier()
    if witness.check not in (*CHECKS, "deadlock", "no-progress") and not own:
        yield f"check {witness.check[:20]!r} is none"
    if witness.cycle and witness.check != "no-progress":
        yield f"a cycle of {witness.cycle} steps for {witness.check}"
    if witness.states and len(witness.states) != len(witness.steps) + 1:
        yield f"{len(witness.states)} states for {len(witness.steps)} steps"
    kinds = {kind.written for kind in Op}
    for number, step in enumerate(witness.steps, 1):
        if not 0 <= step.thread < len(witness.threads):
            yield f"step {number}: {step.agent!r} of thread {step.thread}"
        for row in step.rows:
            if row.kind not in kinds:
                yield f"step {number}: {row.kind[:20]!r} is no operation"
