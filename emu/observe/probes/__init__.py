"""Probes: one line of a function of the machine, where the kernel has a trace point, that says what it has just done.

Each keeps the ghost words of :mod:`emu.observe.ghost` and, where one is due, asks a checker. Like the kernel's trace
points they change nothing that the machine reads. What a probe returns is for a later probe of the same function.
"""
