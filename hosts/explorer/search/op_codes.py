"""Operation codes of the kernels: what an operation is to them, and its flags."""

from __future__ import annotations

from typing import Final

from hosts.explorer.compiled import abi
from hosts.explorer.model.operations import FENCELESS, LOCKED, OWN_FENCE, Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model

CODES: Final = {
    Op.END: abi.END,
    Op.LOAD: abi.READ,
    Op.GHOST_READ: abi.READ,
    Op.GHOST_WRITE: abi.PUT,
    Op.GHOST_ADD: abi.LOCKED,
    Op.FENCE: abi.STEADY,
    Op.YIELD: abi.STEADY,
    Op.SEND: abi.SEND,
    Op.POINT: abi.POINT,
    Op.PENDING: abi.PENDING,
    Op.ACK: abi.ACK,
    Op.CHOOSE: abi.CHOOSE,
    Op.RESET: abi.RESET,
    Op.IN_FLIGHT: abi.IN_FLIGHT,
    Op.QUIESCENT: abi.QUIESCENT,
} | dict.fromkeys(LOCKED, abi.LOCKED)


def code_of(operation: Operation, model: Model, options: Options) -> int:
    """Return the kernels' code of an operation, with its flags."""
    kind = operation.kind
    code = abi.STORE if kind == Op.STORE and options.buffer else CODES.get(kind, abi.PUT)
    flags = abi.SCHEDULED if operation.scheduled else 0
    flags |= abi.BEGINS if operation.begins else 0
    if operation.drains or (kind == Op.SEND and not options.overtake):
        flags |= abi.DRAINS
    elif kind in LOCKED and operation.flags & FENCELESS:
        flags |= abi.OWN
    if may_be_free(operation, options):
        flags |= abi.ASK
    pays = code == abi.PUT and operation.word in model.obligations
    if options.fuse and not operation.scheduled and code in (abi.READ, abi.PUT) and not pays:
        flags |= abi.PLAIN
    return code | flags << 5


def may_be_free(operation: Operation, options: Options) -> bool:
    """Return whether an operation is of a kind that can lose its scheduling point."""
    if operation.kind == Op.POINT:
        return options.reduce and options.fuse
    if not (options.reduce and options.buffer and operation.kind in (Op.STORE, Op.FENCE)):
        return False
    alone = operation.kind == Op.FENCE and operation.a == OWN_FENCE  # it may have to wait behind a drain
    return operation.scheduled or alone or not options.fuse
