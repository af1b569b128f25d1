"""What is searched: operations, threads as automata, the transition system's semantics, the state vector."""
