"""A coin that cannot leave a venue is said so; a venue that says nothing is not accused of it."""

from __future__ import annotations

from feeds.measure.transfers import rows_of, warning
from feeds.model import Rail


def rail(coin: str, chain: str, withdraw: bool | None, *, deposit: bool | None = True, slow: bool = False) -> Rail:
    return Rail(coin=coin, chain=chain, deposit=deposit, withdraw=withdraw, slow=slow)


def test_one_open_chain_is_enough() -> None:
    (row,) = rows_of([rail("USDT", "TRC20", False), rail("USDT", "ERC20", True)], ["USDT"])
    assert (row.withdraw, row.closed) == ("open", ("TRC20",))
    assert warning([row], ["USDT"]) is None


def test_no_open_chain_means_the_coin_cannot_be_withdrawn() -> None:
    (row,) = rows_of([rail("BTC", "BTC", False), rail("BTC", "LN", False)], ["BTC"])
    assert row.withdraw == "closed"
    assert warning([row], ["BTC", "USDT"]) == "exit closed: BTC cannot be withdrawn"
    assert warning([row], ["ETH"]) is None


def test_a_delayed_chain_is_slow() -> None:
    rows = rows_of([rail("BTC", "BTC", True, slow=True)], ["BTC"])
    assert rows[0].withdraw == "slow"
    assert warning(rows, ["BTC"]) == "trading healthy, exit slow: BTC"


def test_what_is_not_told_is_unknown_and_what_is_not_named_is_left_out() -> None:
    (row,) = rows_of([rail("BTC", "", None, deposit=None)], ["BTC", "ETH"])
    assert (row.deposit, row.withdraw) == ("unknown", "unknown")
    assert warning([row], ["BTC", "ETH"]) is None
