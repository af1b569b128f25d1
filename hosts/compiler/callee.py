# mypy: allow-untyped-calls

"""The type that a function of a unit has for Numba: calling it is calling its symbol."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from llvmlite import ir
from numba.core import errors, types
from numba.extending import models, register_model

from hosts.compiler.signatures import widened

Translate = Callable[["Callee", tuple[Any, ...]], None]


class Callee(types.Callable, types.Opaque):
    """The type of a function of a unit: calling it is calling its symbol."""

    def __init__(self, unit: int, function: FunctionType, symbol: str, translate: Translate) -> None:
        """``unit`` is the number of its unit; ``translate`` finds out the signature if there are no annotations."""
        self.translate = translate
        self.function = function
        self.symbol = symbol
        self.signature: Any = None
        super().__init__(name=f"function({symbol}, {unit})")

    @property
    def key(self) -> Any:
        """The function itself, which identifies the type."""
        return self.function

    def get_call_type(self, _context: Any, args: tuple[Any, ...], kws: Any) -> Any:
        """Return the signature; a function without annotations is compiled for its first caller."""
        if self.signature is None:
            if kws:
                raise errors.TypingError(f"{self.function.__name__} has no annotations: no keyword arguments")
            self.translate(self, tuple(widened(arg) for arg in args))
        return self.signature

    def get_call_signatures(self) -> Any:
        """Return the signatures for an error message."""
        return [self.signature], False

    def get_impl_key(self, _signature: Any) -> Any:
        """Return the function: each has a lowering of its own."""
        return self.function

    def lower(self, context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        """Emit the call."""
        return self.call(context, builder, args)

    def call(self, context: Any, builder: Any, args: Any) -> Any:
        """Emit the call; return the result."""
        convention, module = context.call_conv, builder.module
        result, parameters = self.signature.return_type, self.signature.args
        function = module.globals.get(self.symbol)
        if function is None:
            function = ir.Function(module, convention.get_function_type(result, parameters), self.symbol)
        return convention.call_function(builder, function, result, parameters, args)[1]


register_model(Callee)(models.OpaqueModel)
