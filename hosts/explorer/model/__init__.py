"""The transition system: operations, threads as automata, reference semantics, state vector, options."""
