"""What a search has learnt, kept for the next search of the same: threads, tables, and what the reduction leant on.

It is all that :class:`hosts.explorer.search.Search` has at the end of its first attempt that held, as it is there,
whatever its parts consist of: nothing is listed here that could be forgotten. The next search begins with it, has
nothing left to ask, and comes to the same states. What is made anew in no time from the program (its functions, cut) is
left out and put in again.

The key is a hash of everything that decides: the program, the explorer's own sources, versions, the scope, the rule,
the mutation, the options. The content is checked by :mod:`hosts.explorer.files` before it is looked at, and it may
name only classes of this package and of ``emu``.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib
import io
import pickle
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

import emu
import hosts
from hosts.explorer.code import Protocol
from hosts.explorer.files import Files
from hosts.explorer.flow import Flow
from hosts.explorer.model import Model, Options
from hosts.explorer.tables import Learnt
from hosts.explorer.world import World
from hosts.loader import Program

if TYPE_CHECKING:
    from hosts.explorer.build import Builder

NO_MATTER: Final = Options(workers=0, max_states=0, max_bytes=0, seconds=0.0)
"""Options that change nothing of what is learnt, as they count in a key."""
_NUMPY: Final = frozenset({"_reconstruct", "_frombuffer", "ndarray", "dtype"})
_BUILTINS: Final = frozenset({"set", "frozenset", "bytearray"})


class Kept:
    """What was learnt of one configuration."""

    def __init__(self, world: World, model: Model, learnt: Learnt, hit: bytes) -> None:
        self.world = world
        self.model = model
        self.learnt = learnt
        self.hit = hit
        """Of the protocol's lines those that have run (:class:`hosts.explorer.flow.Lines`)."""


class Learning:
    """The user's folder of what has been learnt."""

    def __init__(self, files: Files | None = None) -> None:
        self.files = files if files is not None else Files.of_user("learnt")

    def find(self, builder: Builder, options: Options) -> tuple[Model, Learnt] | None:
        """Give the model and what is known of it, in a builder that knows what the one before knew; None: not kept."""
        content = self.files.read(key_of(builder, options)) if not builder.exact else None
        if content is None:
            return None
        try:
            with _no_collection():
                kept = _Reader(io.BytesIO(content), builder.program, builder.protocol).load()
        except (pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError, KeyError, TypeError):
            return None  # written by something else under this name: learn it
        lines = builder.protocol.lines
        if not isinstance(kept, Kept) or len(kept.hit) != len(lines.hit):
            return None
        lines.hit[:] = bytes(a | b for a, b in zip(lines.hit, kept.hit, strict=True))
        builder.world, builder.warm = kept.world, True
        kept.learnt.resume(options)
        return kept.model, kept.learnt

    def pack(self, builder: Builder, model: Model, learnt: Learnt) -> bytes:
        """Write down what is known now; nothing if that cannot be done: no search ends for it."""
        try:
            return packed(builder, model, learnt)
        except (pickle.PicklingError, AttributeError, TypeError, MemoryError):
            return b""

    def keep(self, builder: Builder, options: Options, content: bytes) -> bool:
        """Keep what was written down; tell whether that was possible."""
        return bool(content) and self.files.write(key_of(builder, options), content)


def packed(builder: Builder, model: Model, learnt: Learnt) -> bytes:
    """Write down what is known now. PicklingError, AttributeError or TypeError of a part that cannot be."""
    out = io.BytesIO()
    with _no_collection():
        _Writer(out).dump(Kept(builder.world, model, learnt, bytes(builder.protocol.lines.hit)))
    return out.getvalue()


class _Writer(pickle.Pickler):
    """Names what is made anew, instead of writing it down."""

    def __init__(self, out: io.BytesIO) -> None:
        super().__init__(out, protocol=5)
        self.dispatch_table = {
            Program: lambda _: (made_anew, ("<program>",)),
            Protocol: lambda _: (made_anew, ("<protocol>",)),
            Flow: lambda flow: (made_anew, (flow.name,)),
        }


def made_anew(name: str) -> Any:
    """Stand where something is that is made anew; a reader puts it in."""
    raise NotImplementedError(name)


class _Reader(pickle.Unpickler):
    """Puts in what was made anew."""

    def __init__(self, content: io.BytesIO, program: Program, protocol: Protocol) -> None:
        super().__init__(content)
        self.program, self.protocol = program, protocol

    def _made_anew(self, name: str) -> Any:
        return {"<program>": self.program, "<protocol>": self.protocol}.get(name) or self.protocol.flows[name]

    def find_class(self, module: str, name: str) -> Any:
        """Give one of the classes that may be in it."""
        if (module, name) == (__name__, made_anew.__name__):
            return self._made_anew
        numpys = module.partition(".")[0] == "numpy" and name in _NUMPY
        if numpys or (module == "builtins" and name in _BUILTINS):
            return super().find_class(module, name)
        if module.startswith(("emu.", "hosts.explorer.")):
            found = getattr(importlib.import_module(module), name, None)
            if isinstance(found, type):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} may not be in it")


def key_of(builder: Builder, options: Options) -> str:
    """Give the hash of all that what is learnt depends on."""
    same = {field: getattr(NO_MATTER, field) for field in ("workers", "max_states", "max_bytes", "seconds")}
    files = sorted({function.__code__.co_filename for function in builder.program.functions.values()})
    decides = [
        *(builder.program.digest, explorer_sources(), sys.version, np.__version__),
        *(repr(builder.scope), str(builder.policy), repr(builder.mutation), str(builder.fold)),
        *(str(builder.world.forget), repr(replace(options, **same)), *files),
    ]
    return _hash(part.encode() for part in decides)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Look for no garbage while a hundred thousand objects are made that are none."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@functools.cache
def explorer_sources() -> str:
    """Give the hash of the explorer's own sources, and of the loader's."""
    folders = [Path(next(iter(package.__path__))) for package in (emu, hosts)]
    sources = [*folders[0].rglob("*.py"), *folders[1].glob("*.py"), *(folders[1] / "explorer").rglob("*.py")]
    return _hash(part for path in sorted(sources) for part in (path.name.encode(), path.read_bytes()))


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:40]
