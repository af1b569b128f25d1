"""KVM's own functions in C: where they are in a tree, and what their types, fields and calls are in this machine."""
