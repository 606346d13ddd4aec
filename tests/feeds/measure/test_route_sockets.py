"""What the event log says about a route's sockets."""

from __future__ import annotations

import pytest

from feeds.measure.route_sockets import link_text
from feeds.model import Fault
from feeds.samples import LinkSample


@pytest.mark.parametrize(
    ("wait_s", "words"),
    [
        (None, "dialling again"),
        (0.3, "dialling again"),
        (30.4, "dialling again in 30 s"),
        (900.0, "dialling again in 15 min"),
    ],
)
def test_a_long_wait_before_the_next_dial_is_said(wait_s: float | None, words: str) -> None:
    sample = LinkSample(
        route="okx.spot",
        t_ns=1,
        label="public",
        connected=False,
        text="HTTP 429",
        fault=Fault.OUR_LIMIT,
        http_status=429,
        wait_s=wait_s,
    )
    assert link_text(sample) == f"public socket refused: HTTP 429; {words}"
