"""Static facts for the reductions: independence, footprints of the future, bounds on reads, symmetry."""
