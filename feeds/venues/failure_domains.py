"""Failure domains: venues that share a cloud region or an edge network. The table is ``domains.toml`` beside this."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct


class Domain(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    title: str
    kind: Literal["region", "edge"]
    venues: tuple[str, ...]
    source: str
    date: str
    """When this was last known to hold."""
    unverified: bool = False
    """Hearsay: shown as such, and never enough to blame a domain."""


@cache
def shipped() -> Mapping[str, Domain]:
    """The domains that come with Detour, by name."""
    text = (Path(__file__).parent / "failure_domains.toml").read_bytes()
    return msgspec.toml.decode(text, type=dict[str, Domain])


def members(own: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Domain -> its venues, with the user's ``own`` in place of ours. Hearsay counts only when the user says it."""
    known = {name: domain.venues for name, domain in shipped().items() if not domain.unverified}
    return {name: venues for name, venues in (known | dict(own)).items() if venues}


def judged(own: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Venue -> the one domain it is judged in, in words: the user's before ours, regions before edges."""
    titles = {name: domain.title for name, domain in shipped().items()}
    edges = {name for name, domain in shipped().items() if domain.kind == "edge"}
    found: dict[str, str] = {}
    for name, venues in sorted(members(own).items(), key=lambda item: (item[0] not in own, item[0] in edges)):
        for venue in venues:
            found.setdefault(venue, titles.get(name, name))
    return found


def of_venue(venue: str, own: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The domains a venue belongs to, hearsay marked with a question mark; for people."""
    sure = members(own)
    names = [name for name, venues in sure.items() if venue in venues]
    names += [f"{n}?" for n, d in shipped().items() if d.unverified and n not in own and venue in d.venues]
    return tuple(names)
