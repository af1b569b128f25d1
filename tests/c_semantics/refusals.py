"""What of C is refused, although C defines it: how the refusal reads."""

from __future__ import annotations

import re
from typing import Final

REFUSALS: Final = (
    r"'8 \.\.\.' is not understood",  # case 8 ... 10: (the grammar does not know it)
    r"'\.\.\. \d+' is not understood",
    r"a division by 0, which C leaves undefined",  # known while it is translated, though perhaps never executed
    r"a shift of .* by \d+: it has \d+ bits, which C leaves undefined",
    r"put parentheses around what is counted",  # ~x++ (the grammar takes it for (~x)++)
    r"is used beside an operator that takes a part of what it stands for",  # a macro without parentheses
    r"the macro \w+ is defined in line \d+ and (otherwise|no longer) in line \d+",
    r"stands for something else than an expression",  # a macro that is a statement
    r"makes names or strings with ##",
    r"is a local, and a macro too",
    r"hangs on \w+, which this machine has no answer for",  # #if of a name that no file defines
    r"in odd_macros: 'a' is not understood",  # an empty macro between two names
    r"a jump into a block, or to no label",
    r"case statement is not among what is translated",  # a case inside of a loop in the switch
    r"enum specifier is not among what is translated",  # a local one
    r"'\?:' without a middle",
    r"typeof\(.*\) is not a type that is known here",
    r"nothing is known of table",  # an array outside of functions
)
"""Where it is not plain, an example beside it."""


def is_documented(reason: str) -> bool:
    """Return whether a refusal is one of these."""
    return any(re.search(each, reason) for each in REFUSALS)
