# mypy: allow-untyped-calls, allow-untyped-decorators

"""The part of Numba's compiler that a protocol function or a loop of the search needs, and no more.

Numba's own pipeline also looks for closures to inline, for parallel loops and for the lifetimes of Python objects, and
works out for every single addition which of its many meanings fits the types. What comes out is the same.

Used of Numba: the passes by name, ``Lower`` and what it calls for a variable, and that a typing context resolves a
function for argument types in ``resolve_function_type``.
"""

from __future__ import annotations

from typing import Any

from numba.core import cgutils, types
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import (
    AnnotateTypes,
    BaseNativeLowering,
    IRLegalization,
    NoPythonBackend,
    NoPythonSupportedFeatureValidation,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.typing.context import Context
from numba.core.untyped_passes import FixupArgs, IRProcessing, ReconstructSSA, RewriteDynamicRaises, TranslateByteCode


class _Lower(Lower):
    """Turns a function into LLVM's language, with nothing for a debugger."""

    def alloca_lltype(self, name: str, lltype: Any, datamodel: Any = None) -> Any:  # noqa: ARG002 - as Numba calls it
        """Make room for a variable."""
        return cgutils.alloca_once(self.builder, lltype, name=name, zfill=False)


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(BaseNativeLowering):
    """The pass that does so."""

    _name: Any = "pirace_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return _Lower


_PASSES = (
    *(TranslateByteCode, FixupArgs, IRProcessing, RewriteDynamicRaises, ReconstructSSA),
    *(NopythonTypeInference, PreLowerStripPhis, NoPythonSupportedFeatureValidation, IRLegalization, AnnotateTypes),
    *(_Lowering, NoPythonBackend),
)


class Pipeline(CompilerBase):
    """From a Python function to LLVM's language."""

    def define_pipelines(self) -> list[PassManager]:
        """Return the passes."""
        manager = PassManager("pirace")
        for each in _PASSES:
            manager.add_pass(each, each._name)  # noqa: SLF001 - what a pass is called
        manager.finalize()
        return [manager]


class Typing(Context):
    """Numba's typing context, which works out only once what an operation of Numba's gives for the same types."""

    _given: dict[Any, Any]

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        """Return the signature for these types; None if there is none."""
        if not isinstance(func, types.Function):
            return super().resolve_function_type(func, args, kws)
        asked = (func, tuple(args), tuple(sorted(kws.items())))
        if asked not in self._given:
            self._given[asked] = super().resolve_function_type(func, args, kws)
        return self._given[asked]


def typing_like(numbas: Any) -> Typing:
    """Return a context that knows what ``numbas`` knows, and learns what that learns."""
    made = Typing.__new__(Typing)
    vars(made).update(vars(numbas), _given={})
    return made
