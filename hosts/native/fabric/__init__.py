"""The interconnect: ZeroMQ sockets, and the form of an IPI on the wire."""
