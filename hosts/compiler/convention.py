# mypy: allow-untyped-calls

"""The calling convention of compiled functions: as in C, arguments in, the result out.

Numba's own convention gives the result through a pointer and a status beside it, at which every caller looks, because
a Python function may raise. Here nothing does: what Numba would raise for ends the process by SIGILL, which is seen.
What Numba brings along compiled by its own convention (``max``, ``in``) is called by that.

Used of Numba: that a target context has a ``call_conv``, and what ``BaseCallConv`` leaves to its subclasses.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils
from numba.core.callconv import BaseCallConv, CPUCallConv, Status
from numba.core.cpu import CPUContext

_NO, _YES = (ir.Constant(ir.IntType(1), bit) for bit in (0, 1))
_RETURNED: Final = Status(
    code=None,
    is_ok=_YES,
    is_none=_NO,
    is_error=_NO,
    is_stop_iteration=_NO,
    is_python_exc=_NO,
    is_user_exc=_NO,
    excinfoptr=None,
)
_NUMBAS: Final = "_Z"
"""What the names begin with that Numba gives to functions of its own; a unit names its by module, dot, function."""


def trap(builder: Any) -> None:
    """Emit the end of the process."""
    module = builder.module
    function = module.globals.get("llvm.trap")
    if function is None:
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), []), "llvm.trap")
    builder.call(function, [])
    builder.unreachable()


class _CallConv(BaseCallConv):
    """The convention, as Numba asks for it."""

    def get_return_type(self, ty: Any) -> Any:
        return self.context.data_model_manager[ty].get_return_type()

    def get_function_type(self, restype: Any, argtypes: Any) -> Any:
        arguments = list(self._get_arg_packer(argtypes).argument_types)
        return ir.FunctionType(self.get_return_type(restype), arguments)

    def decorate_function(self, fn: Any, args: Any, fe_argtypes: Any, **_: Any) -> None:
        self._get_arg_packer(fe_argtypes).assign_names(fn.args, ["arg." + name for name in args])

    def get_arguments(self, func: Any) -> Any:
        return func.args

    def call_function(self, builder: Any, callee: Any, resty: Any, argtys: Any, args: Any) -> tuple[Status, Any]:
        if callee.name.startswith(_NUMBAS):
            status, result = CPUCallConv(self.context).call_function(builder, callee, resty, argtys, args)
            return status, result
        result = builder.call(callee, list(self._get_arg_packer(argtys).as_arguments(builder, args)))
        return _RETURNED, self.context.get_returned_value(builder, resty, result)

    def return_value(self, builder: Any, retval: Any) -> None:
        builder.ret(retval)

    def return_native_none(self, builder: Any) -> None:
        builder.ret(cgutils.get_null_value(builder.function.function_type.return_type))

    def return_user_exc(self, builder: Any, *_: Any, **__: Any) -> None:
        trap(builder)

    def return_dynamic_user_exc(self, builder: Any, *_: Any, **__: Any) -> None:
        trap(builder)

    def return_status_propagate(self, builder: Any, _status: Any) -> None:
        trap(builder)

    def _return_errcode_raw(self, builder: Any, _code: Any) -> None:
        trap(builder)

    def _make_call_helper(self, _builder: Any) -> None:
        return None


class DirectContext(CPUContext):
    """Numba's context for this processor, but for the convention. Made by :func:`direct`."""

    numbas: Any
    """Numba's own, unchanged."""

    @property
    def call_conv(self) -> _CallConv:
        """Return the convention that functions are compiled by."""
        return _CallConv(self)

    def declare_function(self, module: Any, fndesc: Any) -> Any:
        """Declare a function for its callers, by the convention that it is compiled by."""
        if not fndesc.llvm_func_name.startswith(_NUMBAS):
            return super().declare_function(module, fndesc)
        kind = CPUCallConv(self).get_function_type(fndesc.restype, fndesc.argtypes)
        return cgutils.get_or_insert_function(module, kind, fndesc.llvm_func_name)

    def compile_subroutine(self, *args: Any, **kws: Any) -> Any:
        """Compile what an operation of Numba's own is made of, by Numba's convention."""
        return self.numbas.compile_subroutine(*args, **kws)


def direct(numbas: Any, mangler: Any) -> DirectContext:
    """Return a context like ``numbas``, Numba's own for this processor, that compiles by this convention."""
    context = numbas.subtarget(mangler=mangler)
    context.__class__ = DirectContext
    context.numbas = numbas
    made: DirectContext = context
    return made
