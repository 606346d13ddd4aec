"""The three standard handles: some of them may be closed when we are started (``detour log 1>&-``, a bare daemon)."""

from __future__ import annotations

import os
import sys

STDIN, STDOUT, STDERR = 0, 1, 2

_closed: set[int] = set()


def occupy() -> None:
    """Call first. Puts the null device where a standard handle is closed.

    Otherwise the next socket would get its number: children would inherit it, and what is printed would be sent to it.
    """
    for number in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(number)
        except OSError:
            _closed.add(number)
            _fill(number)
    if sys.stdin is None:
        sys.stdin = open(STDIN, encoding="utf-8", closefd=False)  # noqa: SIM115 - a handle, open to the end
    if sys.stdout is None:
        sys.stdout = open(STDOUT, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise
    if sys.stderr is None:
        sys.stderr = open(STDERR, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise


def _fill(number: int) -> None:
    handle = os.open(os.devnull, os.O_RDWR)
    if handle != number:  # a lower one is closed too, and was not looked at yet: cannot be, we go upwards
        os.dup2(handle, number)
        os.close(handle)
    os.set_inheritable(number, True)


def closed_at_start() -> frozenset[int]:
    """The numbers of the handles that ``occupy`` found closed."""
    return frozenset(_closed)
