"""Counterexamples as data: the witness, its file, its validation, and the lasso of a progress violation."""
