"""A counterexample as data: the witness, its file, the cycle of a no-progress."""
