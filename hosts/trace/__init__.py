"""The trace: one post and its delivery on one pCPU, as a call tree."""
