"""The native host: the functions of ``emu/`` compiled by Numba, one operating-system process for each pCPU."""
