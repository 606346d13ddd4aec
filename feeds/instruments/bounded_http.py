"""HTTP for ccxt in the fetching process, under the rules of our own requests: nobody is followed elsewhere, an answer
has a bounded size before and after it is unpacked, and everything ends at one moment.

Blocking. The process ends at its own deadline in any case (``turns``): a name that does not resolve cannot be given up
here.
"""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Iterator
from typing import Any

import requests
import urllib3

MOST_BYTES = 16 << 20
"""Of an answer as it comes. The largest real list has a fifth of it."""
MOST_UNPACKED = 48 << 20
"""Of an answer that came packed. The largest real list has a third of it."""
CHUNK_BYTES = 64 << 10


class RefusedAnswerError(requests.RequestException):
    """We do not read this answer; the text says why."""


class BoundedSession(requests.Session):
    """What ccxt takes for its ``session``. Everything ends at ``end_s`` (``time.monotonic``).

    It has no environment of its own: a proxy or other certificates are given by setting ``proxies`` and ``verify``,
    which win over what ccxt passes.
    """

    def __init__(self, end_s: float) -> None:
        super().__init__()
        self.end_s = end_s
        self.trust_env = False

    @contextlib.contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """What is asked meanwhile ends after so long, if not earlier."""
        before, self.end_s = self.end_s, min(self.end_s, time.monotonic() + seconds)
        try:
            yield
        finally:
            self.end_s = before

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None whatever it says: to find the next request, ``requests`` would read this answer whole."""
        return

    def request(self, method: str, url: str | bytes, *arguments: Any, **given: Any) -> requests.Response:
        """A whole answer. Raises RequestException."""
        left_s = self._left_s()
        longest_s = given.get("timeout")
        given["timeout"] = left_s if longest_s is None else min(float(longest_s), left_s)
        for name in ("proxies", "verify"):  # the session's
            given.pop(name, None)
        given |= {"allow_redirects": False, "stream": True}
        response = super().request(method, url, *arguments, **given)
        try:
            if 300 <= response.status_code < 400:
                to = response.headers.get("location", "nowhere")[:80]
                raise RefusedAnswerError(f"HTTP {response.status_code} sends us to {to}, which we do not follow")
            body = self._body(response)
        except BaseException:
            response.close()
            raise
        response.headers.pop("content-encoding", None)
        response._content, response._content_consumed = body, True  # requests offers no other way to hand over a body
        return response

    def _left_s(self) -> float:
        left_s = self.end_s - time.monotonic()
        if left_s <= 0:
            raise requests.ReadTimeout("no whole answer in time")
        return left_s

    def _body(self, response: requests.Response) -> bytes:
        packing = response.headers.get("content-encoding", "identity").strip().lower()
        if packing not in ("identity", "", "gzip", "x-gzip", "deflate"):
            raise RefusedAnswerError(f"the answer is packed in a way that nobody asked for ({packing[:40]})")
        raw = b"".join(self._chunks(response.raw))
        return raw if packing in ("identity", "") else unpacked(raw)

    def _chunks(self, raw: urllib3.HTTPResponse) -> Iterator[bytes]:
        count = 0
        try:
            while chunk := raw.read1(CHUNK_BYTES, decode_content=False):
                count += len(chunk)
                if count > MOST_BYTES:
                    raise RefusedAnswerError(f"the answer has more than {MOST_BYTES} bytes")
                self._left_s()
                yield chunk
        except urllib3.exceptions.ReadTimeoutError as error:
            raise requests.ReadTimeout("no whole answer in time") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if isinstance(error, requests.RequestException):
                raise
            raise requests.ConnectionError(error) from error


def unpacked(raw: bytes) -> bytes:
    """Gzip of one or more members, or zlib. Raises RefusedAnswerError."""
    parts: list[bytes] = []
    left = MOST_UNPACKED
    while raw:
        unpacker = zlib.decompressobj(wbits=47)  # either format, by its head
        try:
            part = unpacker.decompress(raw, left + 1)
        except zlib.error as error:
            raise RefusedAnswerError(f"the answer cannot be unpacked ({error})") from error
        left -= len(part)
        if left < 0:
            raise RefusedAnswerError(f"the answer unpacks to more than {MOST_UNPACKED} bytes")
        if not unpacker.eof:
            raise RefusedAnswerError("the answer is cut off")
        parts.append(part)
        if len(unpacker.unused_data) >= len(raw):
            raise RefusedAnswerError("the answer cannot be unpacked")
        raw = unpacker.unused_data.lstrip(b"\0")  # some servers fill up with zeros
    return b"".join(parts)
