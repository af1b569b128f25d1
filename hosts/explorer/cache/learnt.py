"""Learnt tables, kept for the next search of the same model: automata, tables, and the assumptions of the reduction.

Kept is the whole state of :class:`hosts.explorer.search.bfs.Search` after its first attempt whose assumptions held:
nothing is listed here that could be forgotten. The next search starts with it, misses no table, and reaches the same
states. Parts that are quickly made again from the program (its functions, cut) are left out and put in when it is read.

The key is a hash of everything that decides: the program, the explorer's own sources, versions, the scope, the rule,
the mutation, the options. The content is checked by :mod:`hosts.explorer.cache.files` and read by
:mod:`hosts.explorer.cache.serialize`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, Final

import numpy as np

from hosts.explorer.build import Builder
from hosts.explorer.cache.files import Files
from hosts.explorer.cache.serialize import (
    CANNOT,
    NOT_OURS,
    Reader,
    explorer_sources,
    hash_of,
    sources_have_changed,
    write,
)
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model
from hosts.explorer.search.thread_tables import ThreadTables
from hosts.explorer.threads.cfg import Flow
from hosts.explorer.threads.machine_words import World
from hosts.explorer.threads.protocol import Protocol
from hosts.loader.program import Program

NO_MATTER: Final = Options(workers=0, max_states=0, max_bytes=0, seconds=0.0)
"""Options that change nothing of what is learnt, as they count in a key."""


class Kept:
    """What was learnt of one configuration, as it is stored."""

    def __init__(self, world: World, model: Model, learnt: ThreadTables, hit: bytes) -> None:
        self.world = world
        self.model = model
        self.learnt = learnt
        self.hit = hit
        """Of the protocol's lines those that have run (:class:`hosts.explorer.threads.coverage.Lines`)."""


class Learning:
    """The user's cache of learnt tables."""

    def __init__(self, files: Files | None = None) -> None:
        self.files = files if files is not None else Files.of_user("learnt")

    def find(self, builder: Builder, options: Options) -> tuple[Model, ThreadTables] | None:
        """Return the model and its learnt tables, and restore the builder's knowledge; None if nothing is kept."""
        content = self.files.read(key_of(builder, options)) if not builder.exact else None
        if content is None:
            return None
        suspends, _, content = content.partition(b"\n")
        builder.cut_at(frozenset(suspends.decode(errors="replace").split()))
        try:
            kept = read(content, builder.program, builder.protocol)
        except NOT_OURS:
            return None  # written by something else under this name: learn it
        lines = builder.protocol.lines
        if not isinstance(kept, Kept) or len(kept.hit) != len(lines.hit):
            return None
        lines.hit[:] = bytes(a | b for a, b in zip(lines.hit, kept.hit, strict=True))
        builder.world, builder.warm = kept.world, True
        kept.learnt.resume(options)
        return kept.model, kept.learnt

    def pack(self, builder: Builder, model: Model, learnt: ThreadTables) -> bytes:
        """Write down what is known now; nothing if that cannot be done: no search ends for it.

        The first line says how the protocol is cut (``World.suspends``), which whoever reads the rest has to know.
        """
        cut_at = " ".join(sorted(builder.protocol.more)).encode()
        try:
            return cut_at + b"\n" + packed(builder, model, learnt)
        except CANNOT:
            return b""

    def keep(self, builder: Builder, options: Options, content: bytes) -> bool:
        """Store serialised tables; return whether that was possible."""
        if not content or sources_have_changed():
            return False
        return self.files.write(key_of(builder, options), content)


def packed(builder: Builder, model: Model, learnt: ThreadTables) -> bytes:
    """Serialise what is known now; PicklingError, AttributeError or TypeError if a part cannot be."""
    return written(Kept(builder.world, model, learnt, bytes(builder.protocol.lines.hit)))


def written(part: Any) -> bytes:
    """Serialise an object without the parts that are made again from the program."""
    return write(
        part,
        {
            Program: lambda _: "<program>",
            Protocol: lambda _: "<protocol>",
            Flow: lambda flow: flow.name,
        },
    )


def read(content: bytes, program: Program, protocol: Protocol) -> Any:
    """Read a serialised object and put in the parts made again; UnpicklingError and others for anything else."""
    given = {"<program>": program, "<protocol>": protocol, **protocol.flows}
    return Reader(content, given.__getitem__).load()


def key_of(builder: Builder, options: Options) -> str:
    """Return the hash of everything that learnt tables depend on."""
    same = {field: getattr(NO_MATTER, field) for field in ("workers", "max_states", "max_bytes", "seconds")}
    files = sorted({function.__code__.co_filename for function in builder.program.functions.values()})
    decides = [
        *(builder.program.digest, explorer_sources(), sys.version, np.__version__),
        *(repr(builder.scope), str(builder.policy), repr(builder.mutation), str(builder.fold)),
        *(str(builder.world.forget), repr(replace(options, **same)), *files),
    ]
    return hash_of(part.encode() for part in decides)
