"""The C front end: functions of C as functions of the language that ``emu/`` is written in.

It knows C and the names that Linux gives to all of its code, and nothing of KVM: an environment (:mod:`.rules`) says
what structs, calls and names are. The way of a function:

- :mod:`.preprocess` decides ``#if`` and collects macros, :mod:`.source` parses the files and indexes them;
- ``Statements`` (:mod:`.statements`, down to :class:`.builder.Builder`) walks the function once, in the order of its
  execution, knowing what numbers each local can be (:mod:`.state`) and where each pointer leads (:mod:`.places`). No
  pointer but those to structs of the machine is left at run time. Arithmetic that cannot leave its type stays plain,
  the rest goes through :mod:`emu.c_arithmetic` (:mod:`.arithmetic`);
- what comes out are steps with jumps by name (:mod:`.flow`), of which :mod:`.structuring` makes Python's statements and
  :mod:`.cleanup` takes away what nobody reads.

Where C leaves a choice, this is what is done: operands and arguments are evaluated from left to right; a shift by a
variable takes the low bits of the count, as the processor does; signed numbers wrap, as the kernel is compiled; the
bits of a word that were never assigned are 0. What C leaves undefined is refused where it is seen (``i = i++``, a local
that is read before it is assigned, a constant shift that is too wide). What cannot be translated exactly is refused
with its line.
"""
