"""All bugs to be planted in a server.

`python -m tests.codraw.conform.mutants` prints what the kit finds of each. The product knows nothing of the bugs: each
is a function or value that is replaced in a process which has read the server's modules but not begun to serve.
"""

from __future__ import annotations

from tests.codraw.conform import bugs_cells, bugs_lines, bugs_order, bugs_people, bugs_told
from tests.codraw.conform.planting import MUTANTS, Mutant

__all__ = ["MUTANTS", "PLANTED", "Mutant"]

PLANTED = (bugs_told, bugs_cells, bugs_order, bugs_people, bugs_lines)
"""Whose import has registered them."""


if __name__ == "__main__":
    from tests.codraw.conform.nursery import table

    table()
