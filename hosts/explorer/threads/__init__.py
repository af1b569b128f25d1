"""From the functions of ``emu/`` to thread automata: control flow, sharing, abstraction, the harness."""
