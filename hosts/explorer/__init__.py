"""Every interleaving: threads learned as automata, their product searched under x86-TSO with free IPI latency."""
