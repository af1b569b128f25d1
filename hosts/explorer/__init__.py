"""Explicit-state model checking of the machine: every interleaving under x86-TSO, with IPIs of any latency.

Each pCPU becomes a thread automaton (``threads``), built from the functions of ``emu`` while it is asked; ``model``
defines the transition system, ``search`` explores it breadth first with the kernels of ``compiled``, and ``refine``
builds the model anew when an abstraction is refuted. ``counterexample``, ``explanation``, ``repair`` and ``audit`` work
on what the search finds.

What the search leaves out. Each row holds: reduction and source | what it assumes | switch that turns it off | file |
test that holds it against a search without it, or against the definition.

- Step merging (Lipton 1975) | ghost operations and branches are invisible to other threads, except through a check
  | --no-fuse | compiled/step.py | tests/explore/test_ghost_abstraction.py
- Stores and fences without a scheduling point (Lipton 1975) | who reads, writes and waits for which word; an assumption
  that is refuted restarts the search | --no-reduce | reduce/independence.py | tests/explore/test_search_small.py
- Steps merged where no other thread will use the word (Godefroid 1996: persistent sets) | the words that a thread may
  still use; refuted likewise | --no-reduce | reduce/footprints.py | tests/explore/test_footprints.py
- Lazy flushes and deliveries: a store or an IPI moves right before a step that notices it | none: what a step notices
  is recorded in the state at hand | --no-reduce | compiled/lazy_flush.py | tests/explore/test_lazy_flush.py
- IPIs of a delivery leave in the step before | their arrival is free, who sends is *inside* until they have left
  | --no-reduce | threads/primitives.py | tests/explore/test_deliveries.py
- Interrupts deferred to a later point | handlers only count, or are independent of the code before the next point
  | --no-reduce | threads/deferrable.py | tests/explore/test_interrupts.py
- Interrupts deferred where another task may run behind them | up to the next point the task uses only words that are
  its own wherever it runs, and that no handler touches | --no-reduce | threads/automaton.py
  | tests/explore/test_deferred_task_interrupts.py
- Symmetry of equal senders (Ip and Dill 1996) | ``emu`` asks for any or all pCPUs, never for one by its number; each
  step of one is compared with the others' | --no-symmetry | reduce/symmetry.py | tests/explore/test_symmetry.py
- Dead-variable reduction | none: live variables are computed | --no-forget | threads/live_variables.py
  | tests/explore/test_dead_locals.py
- Data abstraction of ghost counters (Clarke, Grumberg and Long 1994) | checks depend on differences and parities only
  | --no-fold | threads/abstraction.py | tests/explore/test_ghost_abstraction.py
- Local states keyed by frames and locals, not by their history | equal keys behave alike | --exact
  | threads/automaton.py | tests/explore/test_history_keyed_threads.py
- Store merging (Simon 1975) | one thread writes the words, others read them a bounded number of times; refuted likewise
  | none | model/store_merging.py | tests/explore/test_store_merging.py
- Local transition cache (Blom, van de Pol and Weber 2010: LTSmin) | none: the key is all that a step read | none
  | compiled/transition_cache.py | tests/explore/test_transition_cache.py

Glossary.

- action, operation: one shared operation of a thread (``model.operations.Op``); the rest of the code is local.
- ghost operation: a read or write by instruments and checks (auxiliary variables of Owicki and Gries 1976).
- transition: from one local state of a thread to another by one answer (``Transition``); of the system: a move.
- move: a thread runs a step, a buffered store is flushed (``drain``), or an IPI is delivered (``arrive``).
- notice: a step notices a flush or a delivery if it could come out otherwise without it.
- step: a thread's operations that others cannot come between; it begins at a scheduling point.
- point: a place where an interrupt can be taken.
- table: what the kernels know of a thread; a table miss becomes a *request*, and its state is retried once it is met.
- assumption: what a reduction relies on although not all of a thread is known; refuted, the search starts again.
- abstraction: what the model relies on (private and constant words); refuted, the model is built again (CEGAR: Clarke,
  Grumberg, Jha, Lu and Veith 2000).
- obligation: a word that must become 0 again and again (the PIR); a fair cycle on which it never does is *no progress*.
- back edge: a transition that may close a cycle of local states; nothing is put off there.
- place: the index of a state in the visited set; also, in a thread, a local state in which a step may end.
- level, depth: moves from the initial state. Trail: a shortest one to a violation.
"""
