"""A failure in its own words: libraries wrap an error of the certificate or the socket in larger ones that hide it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

WORDS_CHARS = 160
_DEEPEST = 12


def words_of(error: BaseException) -> str:
    """One printable line: the class of the outermost error, and what the innermost one says."""
    *_, last = _chain(error)
    if isinstance(last, ssl.SSLCertVerificationError):
        said = f"certificate verify failed: {getattr(last, 'verify_message', '') or last}"
    elif isinstance(last, OSError) and last.strerror:
        said = last.strerror
    else:
        said = str(last) or type(last).__name__
    # bounded first: it may hold a whole HTML page
    text = f"{type(error).__name__}: {said}"[: 4 * WORDS_CHARS]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:WORDS_CHARS]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, its cause, that one's cause, and so on: as a cause, a ``reason`` (urllib3) or an argument."""
    seen: list[BaseException] = []
    inner: object = error
    while isinstance(inner, BaseException) and inner not in seen and len(seen) < _DEEPEST:
        seen.append(inner)
        yield inner
        held = [
            inner.__cause__,
            getattr(inner, "reason", None),
            *inner.args,
        ]  # what was merely being handled is no cause
        inner = next((each for each in held if isinstance(each, BaseException) and each not in seen), None)
