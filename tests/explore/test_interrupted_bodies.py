"""Bodies that are interrupted: the explorer finds exactly the results that brute force finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.explore.bodies import Tiny

INTERRUPTED = {
    "an interrupt at each point": """
        def common_interrupt():
            local_write(enabled(), 0)
            apic_ack()
            WRITE_ONCE(X(), READ_ONCE(X()) * 2 + 1)
            local_write(enabled(), 1)
        def right(): send_IPI(0, DEVICE_VECTOR)
        def left():
            local_write(enabled(), 1)
            a = READ_ONCE(X())
            WRITE_ONCE(X(), a + READ_ONCE(X()) + 10)
            out(0, READ_ONCE(X()))
        """,
    "two interrupts, one of them coalesced or not": """
        def common_interrupt():
            local_write(enabled(), 0)
            vector = apic_ack()
            n = 2 if vector == DEVICE_VECTOR else 3
            WRITE_ONCE(X(), READ_ONCE(X()) * n + 1)
            local_write(enabled(), 1)
        def right():
            send_IPI(0, DEVICE_VECTOR)
            send_IPI(0, POSTED_INTR_VECTOR)
        def left():
            local_write(enabled(), 1)
            out(0, READ_ONCE(X()))
            local_write(enabled(), 0)
            out(1, READ_ONCE(X()) + 1)
        """,
    "an interrupt in the middle of nested calls, handlers with locals": """
        def handled(n):
            v = READ_ONCE(Y())
            for i in range(n): WRITE_ONCE(Y(), v + i + READ_ONCE(Y()))
            return v
        def common_interrupt():
            local_write(enabled(), 0)
            apic_ack()
            out(1, handled(2) + 1)
            local_write(enabled(), 1)
        def inner(a): return READ_ONCE(Y()) + a
        def right(): send_IPI(0, POSTED_INTR_VECTOR)
        def left():
            local_write(enabled(), 1)
            x = inner(READ_ONCE(Y())) + inner(2)
            out(0, x)
        """,
}


@pytest.mark.parametrize("buffer", [0, 4], ids=["SC", "TSO"])
@pytest.mark.parametrize("body", INTERRUPTED)
def test_interrupts_land_wherever_they_may(folder: Path, body: str, buffer: int) -> None:
    """A handler at any point, with frames of its own on those that it interrupts."""
    tiny = Tiny(folder, INTERRUPTED[body])
    results = tiny.brute(buffer, as_written=False)
    assert len(results) > 2
    assert tiny.explored(buffer) == results
    assert tiny.explored(buffer, exact=True) == results
