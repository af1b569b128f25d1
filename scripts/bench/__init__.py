"""Benchmarks: the speed of the project, measured on the machine at hand.

`scripts/bench/run --help` is the way in. Every figure is a ratio from one interleaved run (A B A B ...), with the probe
of :mod:`bench.probe` beside each sample: on a rented machine two runs after each other say nothing about each other.
"""
