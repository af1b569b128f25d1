"""Memory accesses of a thread: private words are accessed at once, shared ones by an operation of the model.

Words of instruments are abstracted on the way (:mod:`hosts.explorer.threads.abstraction`).
"""

from __future__ import annotations

from typing import Any, Final

from hosts.explorer.model.entered import check_bit, window_bit
from hosts.explorer.model.operations import BEGINS, FENCELESS, OWN_FENCE, SCHEDULED, Op, Operation
from hosts.explorer.model.rmw import modified
from hosts.explorer.threads.abstraction import Folded, Role
from hosts.explorer.threads.machine_words import HERE, World, current_word
from hosts.explorer.threads.sharing import CONSTANT, NOBODY, OWN, SHARED
from hosts.explorer.threads.symbols import word_name
from hosts.word64 import signed

_READS_ZERO: Final = frozenset(
    {Role.COUNTER, Role.WINDOW, Role.RECORD, Role.DEBIT, Role.CREDIT, Role.ACKNOWLEDGED, Role.REFUSED}
)


class Done:
    """The result of a primitive that needed no operation."""

    value: Any = None


class Unexplorable(Exception):  # noqa: N818 - nothing is wrong with the machine
    """A thread writes a word that decides another thread's steps; the message is the word's name."""


class Access:
    """A thread's access to the words of its machine, and what its steps have reported."""

    def __init__(self, number: int, world: World) -> None:
        self.number = number
        self.world = world
        self.pcpu = world.machine.pcpus[number].at
        self.tasks = number < world.tasks
        """It switches between tasks."""
        self.slots = world.slots[number]
        initial = world.words.initial
        self.own: list[int] = [initial.get(word, 0) for word in self.slots]
        """The words that are this thread's own, while it runs."""
        self.windows = 0
        self.sighting = -1
        self.vector = -1
        self.fenced = False
        """A locked operation on an own word has drained the buffer."""
        self.read_own: set[int] = set()
        self.wrote_own: set[int] = set()
        """Own words that have been read and written since the last answer."""
        self.found_own: dict[int, int] = {}
        """What those of them held, by slot, that have been read before they were written."""
        self.carried: set[int] = set()
        """Own words that a switch has put away or brought along since the last answer, and that nobody has used since:
        of them the task itself notices nothing."""
        self.general = True
        """What has been done since the last answer goes by nothing but the stack, the answer and own words."""
        self.met: set[int] = set()
        """Words that operations would be due on if anybody else had to do with them."""
        self.done = Done()

    @property
    def current(self) -> int:
        """The user that the task is which runs here; -1: none does."""
        vcpu = self.own_value(current_word(self.number)) - 1
        return self.world.pcpus + vcpu if vcpu >= 0 else -1

    def user(self, word: int) -> int:
        """Return who it is that uses a word: the thread, or of a vCPU's word the vCPU's task while it runs here.

        So a word that only the task uses is private to it on whichever pCPU it runs.
        """
        if self.tasks:
            vcpu = self.world.vcpu_of(word)
            if vcpu >= 0 and self.current == self.world.pcpus + vcpu:
                return self.world.pcpus + vcpu
        return self.number

    def where_it_runs(self) -> int:
        """Return the address of this pCPU; noted as if it were a word that had been read."""
        self.read_own.add(HERE)
        return self.pcpu

    def read(self, word: int, kind: Op) -> Operation | None:
        """Read a word: at once if nobody else writes it."""
        role = self.world.folds.of(word)
        if role.role:
            if role.role in _READS_ZERO:
                return self.gave(0)
            if role.role == Role.GENERATION:
                return self.gave(1)
        use = self.world.use(self.user(word), word, write=False)
        if use != SHARED and kind == Op.LOAD:
            self.met.add(word)
        if use == CONSTANT:
            if self.world.words.grows:
                self.world.words.read.add(word)
            return self.gave(self.world.words.initial.get(word, 0))
        self.world.words.look(word)
        if use == OWN:
            return self.gave(self.own_value(word))
        return Operation(kind, self.world.words.shared[word])

    def write(self, word: int, value: int, kind: Op) -> Operation | None:
        """Write a word: at once if nobody else uses it."""
        value = signed(value)
        role = self.world.folds.of(word)
        if role.role:
            folded = self._folded_write(role, word, value)
            if folded is None:
                return self.gave(None)
            if isinstance(folded, Operation):
                return folded
            word, value = folded
        if self.world.use(self.user(word), word, write=True) == OWN:
            if kind == Op.STORE:
                self.met.add(word)
            self.set_own(word, value)
            return self.gave(None)
        self._written_openly(word)
        begins = kind == Op.GHOST_WRITE and word in self.world.folds.inside and value & 1
        flags = SCHEDULED | BEGINS if begins else 0
        return Operation(kind, self.world.words.shared[word], value, flags=flags)

    def _folded_write(  # noqa: C901, PLR0911 - one branch for each role
        self, role: Folded, word: int, value: int
    ) -> Operation | tuple[int, int] | None:
        """Do what a folded word's role says; return what is left to be written, if anything."""
        match role.role:
            case Role.WINDOW:
                self.windows |= 1 << window_bit(role.number)
            case Role.RECORD if role.number < 0:
                self.vector = value
            case Role.RECORD:
                self.windows |= 1 << check_bit(role.number)
                if self.sighting < 0:
                    self.sighting = role.number * 256 + (self.vector & 255)
            case Role.PARITY:
                return word, value & 1
            case Role.MAIL:
                return word, min(value, 1)
            case Role.ACKNOWLEDGED | Role.REFUSED:
                return role.other, 0
            case Role.UNTOLD:
                return word, 2 if value == 2 else 0  # noqa: PLR2004 - one above the generation, which reads 1
            case Role.DEBIT | Role.CREDIT:
                return self._tally(role.other, -value if role.role == Role.DEBIT else value)
            case Role.GENERATION:
                return self._renew(role.number)
            case Role.COUNTER:
                pass
            case _:
                return word, value
        return None

    def _tally(self, word: int, change: int) -> Operation | None:
        if self.world.use(self.user(word), word, write=True) == OWN:
            self.set_own(word, self.own_value(word) + change)
            return None
        return Operation(Op.GHOST_ADD, self.world.words.shared[word], change)

    def _renew(self, family: int) -> Operation | None:
        self.general = False  # more words of the family may become known
        notes = self.world.folds.families[family]
        for own in self.world.renew(self.user(notes[0]), family):
            self.set_own(own, 0)
        shared = any(word in self.world.words.shared for word in notes)
        return Operation(Op.RESET, a=family) if shared else None

    def modify(self, kind: Op, word: int, a: int, b: int = 0, flags: int = 0) -> Operation | None:
        """Do a locked operation; of one on a word that nobody else uses, others notice that it drains the buffer."""
        use = self.world.use(self.user(word), word, write=True)
        self.world.words.look(word)
        if use != OWN:
            self._written_openly(word)
            return Operation(kind, self.world.words.shared[word], signed(a), signed(b), flags)
        self.met.add(word)
        if not self.fenced and not flags & FENCELESS:
            return Operation(Op.FENCE, a=OWN_FENCE)
        self.fenced = False
        old = self.own_value(word)
        self.set_own(word, modified(kind, old, a, b))
        return self.gave(old)

    def own_value(self, word: int) -> int:
        """Read a word of this thread's own."""
        slot = self.slots.get(word)
        if slot is None or slot >= len(self.own):
            slot = self._slot(word)
        self.read_own.add(word)
        if self.carried:
            self.carried.discard(word)
        value = self.own[slot]
        if word not in self.wrote_own:
            self.found_own[slot] = value
        return value

    def set_own(self, word: int, value: int) -> None:
        """Write a word of this thread's own; one that is never read is not kept."""
        if word not in self.world.words.read:
            return
        slot = self.slots.get(word)
        if slot is None or slot >= len(self.own):
            slot = self._slot(word)
        self.wrote_own.add(word)
        if self.carried:
            self.carried.discard(word)
        self.own[slot] = value

    def _slot(self, word: int) -> int:
        """Return the place of a word among the thread's own; a new word gets one."""
        slot = self.slots.setdefault(word, len(self.slots))
        initial = self.world.words.initial
        self.own += [initial.get(each, 0) for each in list(self.slots)[len(self.own) :]]
        return slot

    def gave(self, value: Any) -> Operation | None:
        """Return a value at once: no operation is due."""
        self.done.value = value
        return None

    def own_flag(self, word: int, value: int | None) -> int:
        """Read a flag of the host's for this thread, or write it."""
        self.world.words.read.add(word)
        if value is not None:
            self.set_own(word, value)
        return self.own_value(word)

    # --- words that the protocol calls private -----------------------------------------------------------------------

    def private_read(self, word: int) -> int:
        """Read such a word at once; AbstractionRefuted if it has to be an operation, as somebody else writes it too."""
        slot = self.slots.get(word)
        known = self.world.words.private.get(word) is False and slot is not None and slot < len(self.own)
        if known and (not self.tasks or self.user(word) in self.world.words.users[word]):
            return self.own_value(word)
        if self.local_read(word) is not None:
            if "local_read" in self.world.suspends:
                raise Unexplorable(word_name(self.world.machine, word, self.world.own))
            self.world.suspend("local_read")
        value: int = self.done.value
        return value

    def private_write(self, word: int, value: int) -> None:
        """Write such a word at once; AbstractionRefuted if it has to be an operation, as somebody else uses it too."""
        if self.local_write(word, value) is not None:
            self.world.suspend("local_write")

    def local_read(self, word: int) -> Operation | None:
        """Read such a word: a thread that alone writes it knows what it holds, whatever waits in its buffer."""
        words = self.world.words
        if not words.used_privately(word):
            operation = self.read(word, Op.GHOST_READ)
            return operation and operation._replace(kind=Op.LOAD)
        words.look(word)
        user = self.user(word)
        if words.owner.get(word) == user:
            return self.gave(self.own_value(word))
        self.world.use(user, word, write=False)
        return Operation(Op.LOAD, words.shared[word])

    def local_write(self, word: int, value: int) -> Operation | None:
        """Write such a word: if others use it too, a store like any other."""
        words, user = self.world.words, self.user(word)
        words.wrote_privately(user if user == self.number else NOBODY, word)
        if not words.used_privately(word):
            operation = self.write(word, value, Op.GHOST_WRITE)
            return operation and operation._replace(kind=Op.STORE)
        self.world.use(user, word, write=True)
        if self.world.guides.get(word, self.number) != self.number:
            raise Unexplorable(word_name(self.world.machine, word, self.world.own))
        if words.owner[word] == user:
            words.look(word)
            if self.own_value(word) == signed(value):
                return self.gave(None)  # what it holds is put there once more, and nobody else puts anything there
            self.set_own(word, signed(value))
        return Operation(Op.STORE, words.shared[word], signed(value))

    def _written_openly(self, word: int) -> None:
        """Note that a word is written otherwise than privately; Unexplorable if another thread's steps go by it."""
        if self.world.guides.get(word, self.number) != self.number:
            raise Unexplorable(word_name(self.world.machine, word, self.world.own))
        self.world.words.wrote(word)
