"""Litmus tests as herd7 reads them, run by the explorer, told in herd7's form.

Of the tests in herd7's own repository that this package reads, all come out alike, letter for letter, with these
differences, each of them herd7's (7.57):

- ``sfence`` orders a store before a later load there; on x86 it does not, nor here;
- its models leave out the order between an instruction's own load and store, so that they allow another thread's store
  between the two even with ``lock`` (its test A011, which later versions have right), and an unlocked instruction that
  reads a value which depends on what it writes;
- a negative number in an instruction is not cut to the instruction's width there, so that ``movl $-1,%eax`` sets all
  64 bits.

What this package reads besides: ``sub``, ``not``, ``neg``, ``test``, ``bt``, ``bts``, ``btr``, ``btc``, ``xadd``, the
``setcc`` of single flags, ``lock`` before every instruction that takes it, ``cmpxchg`` in the assembler's order.
"""
