"""Venues of one failure domain that fail together."""

from __future__ import annotations

from collections.abc import Mapping

from feeds.judge.rolling import ns
from feeds.judge.shared_domain import KEPT_ALONE_S, KEPT_S, SharedDomains
from feeds.judge.thresholds import Thresholds

DOMAINS = {"a": "cloud", "b": "cloud", "c": "elsewhere"}
ROUTES = ("a.spot", "b.spot", "c.spot")
BOTH = {"a.spot": ns(1.0), "b.spot": ns(2.0)}


def step(
    domains: SharedDomains, t_s: float, onsets: Mapping[str, int], clear: tuple[str, ...] = (), storm: bool = False
) -> dict[str, tuple[str, int]]:
    return dict(domains.step(ns(t_s), onsets, ROUTES, clear, storm))


def test_venues_of_a_domain_together_while_others_are_well() -> None:
    domains = SharedDomains(DOMAINS, Thresholds())
    assert step(domains, 3.0, BOTH) == {"a.spot": ("cloud", 2), "b.spot": ("cloud", 2)}


def test_not_one_alone_nor_when_everybody_fails_nor_in_a_storm_nor_hours_apart() -> None:
    alone, everybody = {"a.spot": ns(1.0)}, {**BOTH, "c.spot": ns(1.0)}
    assert step(SharedDomains(DOMAINS, Thresholds()), 3.0, alone) == {}
    assert step(SharedDomains(DOMAINS, Thresholds()), 3.0, everybody) == {}
    assert step(SharedDomains(DOMAINS, Thresholds()), 3.0, BOTH, storm=True) == {}
    apart = {"a.spot": ns(1.0), "b.spot": ns(3_600.0)}
    assert step(SharedDomains(DOMAINS, Thresholds()), 3_601.0, apart) == {}


def test_it_is_kept_while_the_domain_flaps_and_ends_with_the_trouble() -> None:
    domains = SharedDomains(DOMAINS, Thresholds())
    step(domains, 3.0, BOTH)
    assert set(step(domains, 3.0 + KEPT_S, {})) == {"a.spot", "b.spot"}
    assert set(step(domains, 4.0 + KEPT_S, {})) == set()
    step(domains, 400.0, BOTH)
    assert set(step(domains, 401.0, {}, clear=("a.spot",))) == {"b.spot"}
    only_b = {"b.spot": ns(400.0)}
    assert set(step(domains, 400.0 + KEPT_ALONE_S, only_b)) == {"b.spot"}
    assert step(domains, 401.0 + KEPT_ALONE_S, only_b) == {}, "in trouble alone for long: its own"
