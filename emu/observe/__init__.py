"""Instruments: what watches the machine. Ghost words, trace points and checkers, none of which the machine notices.

Nothing here is an interrupt point or a scheduling point of its own on any host: it belongs to the step of the machine
around it. That is true of repairs, too, which write words of the machine with its own operations: so they lie here, and
the one question whether a module is an instrument is enough for the loader, the explorer, the audit and replay.
"""


def is_instrument(module: str) -> bool:
    """Return whether a protocol module is an instrument: whether it lies in this package."""
    return module.partition(".")[2].startswith("observe.")
