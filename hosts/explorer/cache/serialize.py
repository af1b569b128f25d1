"""Serialisation of the explorer's objects: instances of its own classes, plain values, arrays and code.

The format is Python's pickle, restricted by a list of what may be named in it: classes of this package and of ``emu``,
functions of ``emu``, and what arrays consist of. The content comes from :mod:`hosts.explorer.cache.files`, which has
checked it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib
import io
import marshal
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType
from typing import Any, Final

from hosts.sources import source_files

NOT_OURS: Final = (
    *(pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError, KeyError, TypeError, ValueError),
)
"""What reading something else raises."""
CANNOT: Final = (pickle.PicklingError, AttributeError, TypeError, ValueError, MemoryError)
"""What writing down a part raises that cannot be written down."""

_NUMPY: Final = frozenset({"_reconstruct", "_frombuffer", "ndarray", "dtype"})
_BUILTINS: Final = frozenset({"set", "frozenset", "bytearray"})


def write(part: Any, made_anew: Mapping[type, Callable[[Any], str]] | None = None) -> bytes:
    """Serialise an object. Instances of the classes in ``made_anew`` are written as the name that it gives them."""
    out = io.BytesIO()
    pickler = pickle.Pickler(out, protocol=5)
    pickler.dispatch_table = {
        CodeType: lambda code: (_code, (marshal.dumps(code),)),
        **{kind: functools.partial(_named, name) for kind, name in (made_anew or {}).items()},
    }
    with _no_collection():
        pickler.dump(part)
    return out.getvalue()


def _named(name: Callable[[Any], str], part: Any) -> tuple[Any, tuple[str]]:
    return _put_in, (name(part),)


def _put_in(name: str) -> Any:
    """Placeholder for an object that is made again; a reader puts it in."""
    raise NotImplementedError(name)


def _code(content: bytes) -> Any:
    return marshal.loads(content)  # noqa: S302 - checked by its hash, like the machine code of the cache


class Reader(pickle.Unpickler):
    """Reads what :func:`write` has written; ``put_in`` returns the objects that are made again, by name."""

    def __init__(self, content: bytes, put_in: Callable[[str], Any] = _put_in) -> None:
        super().__init__(io.BytesIO(content))
        self._put_in = put_in

    def load(self) -> Any:
        """Read it."""
        with _no_collection():
            return super().load()

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the things that may be in it."""
        if module == __name__:
            return {"_put_in": self._put_in, "_code": _code}[name]
        numpys = module.partition(".")[0] == "numpy" and name in _NUMPY
        if numpys or (module == "builtins" and name in _BUILTINS):
            return super().find_class(module, name)
        ours = module.startswith(("emu.", "hosts."))
        found = getattr(importlib.import_module(module), name, None) if ours else None
        if isinstance(found, type) or (found is not None and module.startswith("emu.")):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} may not be in it")


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Disable garbage collection while a hundred thousand live objects are made."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def sources_now() -> str:
    """Return the hash of the protocol's sources, the explorer's own, and the loader's, as they are on disk."""
    sources = source_files("emu", "hosts", "hosts/loader", "hosts/explorer")
    return hash_of(part for name, path in sources.items() for part in (name.encode(), path.read_bytes()))


@functools.cache
def explorer_sources() -> str:
    """Return the hash of these sources as they were when they were imported."""
    return sources_now()


def sources_have_changed() -> bool:
    """Return whether the sources were edited since they were imported: then nothing is stored."""
    try:
        return sources_now() != explorer_sources()
    except OSError:
        return True


def hash_of(parts: Iterable[bytes]) -> str:
    """Hash some parts, each by its length and its bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:40]


explorer_sources()
