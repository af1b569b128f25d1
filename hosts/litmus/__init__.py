"""Litmus tests in herd7's format: every interleaving is explored, the outcome printed in herd7's form.

Where the two differ (tried with 7.57; 7.58's text says the same unless told), herd7 does what no x86 does:

- Its models leave out the order between an instruction's own load and store, so that another thread's store may come
  between the two even with ``lock``, and an instruction may read a value that depends on what it writes. Its x86 models
  of 2026-06-30 have that order where something is locked (``amo`` in x86tso.cat), and not elsewhere; sc.cat has not.
- Under X86_64 results and negative numbers are not cut to the operand's width: ``movl $-1,%eax`` sets all 64 bits,
  ``decb %al`` gives -1 after 0.
- There is no carry and no overflow. SF is set if the first operand is the greater, so that ``js`` and ``jns`` go by
  that; ``jlt`` jumps at equality, too.
- Under X86_64 ``sfence`` and ``lfence`` keep a store before a later load.
- Loops are unrolled, by default twice.
- ``a[1]`` as an address is one byte behind ``a``; refused here, and ``&a[1]`` is one element behind. An access between
  or behind the elements of an array is refused here, and one of another width than the location's.
- Labels of different threads have to differ there.

What this package reads besides: ``sub``, ``sbb``, ``adc``, ``not``, ``neg``, ``test``, shifts to the right, ``bt`` and
its kin, ``xadd``, ``lea``, moves that widen, every condition of ``jcc``, ``setcc`` and ``cmovcc``, ``lock`` before all
that takes it, ``cmpxchg`` and ``cmovcc`` in the assembler's order, a letter for the width behind all names, ``ret`` as
the end of a thread, C's names of types. Not read: the registers ``rip`` and ``cs``, symbolic registers (``%t``).
"""
