"""What the reductions of the search rest on: independence, future footprints, bounds on reads, symmetry."""
