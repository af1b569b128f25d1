"""Memory that all processes of a run share: the layout of host words, the region, the header of a saved image."""
