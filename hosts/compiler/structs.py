# mypy: allow-untyped-calls, allow-untyped-decorators

"""Structs in shared memory, for compiled code: a value is the number of its address.

:mod:`emu.memory` says what ``vcpu.mode`` or ``machine.pcpus[3]`` mean; here the same expressions become an address
plus a constant. One registration serves every subclass of ``Struct``: the type carries the class, and the class says
where its fields are, so a new struct or field costs the compiler nothing.
"""

from __future__ import annotations

import operator
from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global, signature
from numba.extending import lower_builtin, lower_getattr_generic, models, register_model, typeof_impl

from emu.memory import WORD_BYTES, Array, Struct, Word, Words
from hosts.compiler.emit import give_meaning


class Address(types.Type):
    """What compiled code knows of an address: the class that says what lies there."""

    def __init__(self, of: type[Any]) -> None:
        self.of = of
        super().__init__(name=f"{type(self).__name__}({of.__module__}.{of.__qualname__})")

    @property
    def key(self) -> Any:
        """The class itself, which identifies the type: two programs in one process may have structs of one name."""
        return self.of


class StructAddress(Address):
    """The type of a value of some subclass of Struct."""


class WordsAddress(Address):
    """The type of a Words."""


class ArrayAddress(Address):
    """The type of an Array of structs."""


class AddressClass(types.Callable, types.Opaque):
    """The type of the class itself, which compiled code calls to turn a number into an address."""

    def __init__(self, of: type[Any]) -> None:
        self.of = of
        super().__init__(name=f"class({of.__module__}.{of.__qualname__})")

    @property
    def key(self) -> Any:
        """See :attr:`Address.key`."""
        return self.of

    def get_call_type(self, _context: Any, args: tuple[Any, ...], kws: Any) -> Any:
        """Type ``Vcpu(number)``."""
        if kws or len(args) != 1 or not isinstance(args[0], types.Integer):
            return None
        return signature(address_type(self.of), types.int64)

    def get_call_signatures(self) -> Any:
        """List the signatures for an error message."""
        return [signature(address_type(self.of), types.int64)], False

    def get_impl_key(self, _signature: Any) -> Any:
        """Share one lowering between all classes."""
        return type(self)


def address_type(of: type[Any]) -> Any:
    """Return the Numba type of values of class ``of``: a struct, ``Words`` or (being a number) ``Word``."""
    return WordsAddress(Words) if of is Words else StructAddress(of)


def field_type(field: Any) -> Any:
    """Return the Numba type of what a field's attribute evaluates to."""
    if field.of is Word:
        return types.int64
    if field.of is Words:
        return WordsAddress(Words)
    return StructAddress(field.of) if field.count == 1 else ArrayAddress(field.of)


for _kind in (StructAddress, WordsAddress, ArrayAddress):

    @register_model(_kind)
    class _Number(models.PrimitiveModel):
        def __init__(self, manager: Any, kind: Any) -> None:
            super().__init__(manager, kind, cgutils.intp_t)


register_model(AddressClass)(models.OpaqueModel)

_typeof_other_class = typeof_impl.dispatch(type)


@typeof_impl.register(type)
def _typeof_class(value: type[Any], context: Any) -> Any:
    if issubclass(value, Struct) or value is Words:
        return AddressClass(value)
    return _typeof_other_class(value, context)


# --- attributes --------------------------------------------------------------------------------------------------


@infer_getattr
class _Attribute(AttributeTemplate):
    key = Address

    def generic_resolve(self, kind: Address, name: str) -> Any:  # type: ignore[override]
        if name == "at":
            return types.int64
        field = kind.of.fields.get(name) if isinstance(kind, StructAddress) else None
        return None if field is None else field_type(field)


@lower_getattr_generic(Address)
def _attribute(_context: Any, builder: Any, kind: Address, value: Any, name: str) -> Any:
    return value if name == "at" else builder.add(value, value.type(kind.of.fields[name].offset))


# --- construction, indexing --------------------------------------------------------------------------------------


@lower_builtin(AddressClass, types.int64)
def _construct(_context: Any, _builder: Any, _signature: Any, args: Any) -> Any:
    return args[0]


give_meaning(Word, 1, lambda _builder, number: number)


@infer_global(operator.getitem)
class _Index(AbstractTemplate):
    def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        base, index = args
        if kws or not isinstance(index, types.Integer):
            return None
        if isinstance(base, WordsAddress):
            return signature(types.int64, base, types.int64)
        if isinstance(base, ArrayAddress):
            return signature(StructAddress(base.of), base, types.int64)
        return None


@lower_builtin(operator.getitem, WordsAddress, types.int64)
def _word_at(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
    base, index = args
    return builder.add(base, builder.mul(index, index.type(WORD_BYTES)))


@lower_builtin(operator.getitem, ArrayAddress, types.int64)
def _struct_at(_context: Any, builder: Any, signature: Any, args: Any) -> Any:
    base, index = args
    return builder.add(base, builder.mul(index, index.type(signature.args[0].of.nbytes)))


# --- comparison, truth -------------------------------------------------------------------------------------------


@infer_global(operator.eq)
@infer_global(operator.ne)
class _Compare(AbstractTemplate):
    def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        left, right = args
        if not kws and left == right and isinstance(left, (StructAddress, WordsAddress)):
            return signature(types.boolean, *args)
        return None


@infer_global(bool)
@infer_global(operator.truth)
@infer_global(operator.not_)
class _Truth(AbstractTemplate):
    def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        if not kws and len(args) == 1 and isinstance(args[0], StructAddress):
            return signature(types.boolean, *args)
        return None


def _comparison(operation: str, *, with_null: bool) -> Any:
    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        other = args[0].type(0) if with_null else args[1]
        return builder.icmp_signed(operation, args[0], other)

    return lower


for _kind in (StructAddress, WordsAddress):
    lower_builtin(operator.eq, _kind, _kind)(_comparison("==", with_null=False))
    lower_builtin(operator.ne, _kind, _kind)(_comparison("!=", with_null=False))
lower_builtin(bool, StructAddress)(_comparison("!=", with_null=True))
lower_builtin(operator.truth, StructAddress)(_comparison("!=", with_null=True))
lower_builtin(operator.not_, StructAddress)(_comparison("==", with_null=True))

__all__ = ["Address", "AddressClass", "Array", "ArrayAddress", "StructAddress", "WordsAddress", "address_type"]
