"""The native host's part of the waist, compiled: IPIs over ZeroMQ, waits, rendezvous, noise, the trace ring."""
