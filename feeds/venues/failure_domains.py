"""Failure domains: venues that share a cloud region or an edge network. The table is ``failure_domains.toml``."""

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
    """When this was last known to be true."""
    unverified: bool = False
    """Not confirmed by a source. Shown with a question mark, and never used to blame a domain."""


@cache
def shipped() -> Mapping[str, Domain]:
    """The domains that come with Detour, by name."""
    text = (Path(__file__).parent / "failure_domains.toml").read_bytes()
    return msgspec.toml.decode(text, type=dict[str, Domain])


def members(own: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Venues by domain; the user's ``own`` replace ours. Unverified domains are left out unless they are the user's."""
    known = {name: domain.venues for name, domain in shipped().items() if not domain.unverified}
    return {name: venues for name, venues in (known | dict(own)).items() if venues}


def judged(own: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Title of the one domain that a venue is judged in, by venue: the user's before ours, regions before edges."""
    titles = {name: domain.title for name, domain in shipped().items()}
    edges = {name for name, domain in shipped().items() if domain.kind == "edge"}
    found: dict[str, str] = {}
    for name, venues in sorted(members(own).items(), key=lambda item: (item[0] not in own, item[0] in edges)):
        for venue in venues:
            found.setdefault(venue, titles.get(name, name))
    return found


def of_venue(venue: str, own: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The domains of a venue, for display; unverified ones end in a question mark."""
    sure = members(own)
    names = [name for name, venues in sure.items() if venue in venues]
    names += [f"{n}?" for n, d in shipped().items() if d.unverified and n not in own and venue in d.venues]
    return tuple(names)
