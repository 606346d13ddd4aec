"""Deposits and withdrawals of coins, read from answers as the venues' documents show them."""

from __future__ import annotations

import pytest

from feeds.model import Rail
from feeds.venues.base import Answer, VenueError
from feeds.venues.registry import VENUES

BODIES = {
    "bitget": (
        b'{"code":"00000","msg":"success","requestTime":1695799900330,"data":[{"coinId":"1","coin":"BTC","transfer":"true",'
        b'"chains":[{"chain":"BTC","needTag":"false","withdrawable":"false","rechargeable":"true","congestion":"normal"},'
        b'{"chain":"BEP20","withdrawable":"true","rechargeable":"false","congestion":"congested"}]},'
        b'{"coin":"OLD","chains":[]}]}',
        [
            Rail(coin="BTC", chain="BTC", deposit=True, withdraw=False),
            Rail(coin="BTC", chain="BEP20", deposit=False, withdraw=True, slow=True),
            Rail(coin="OLD", chain="", deposit=False, withdraw=False),
        ],
    ),
    "coinbase": (
        b'[{"id":"BTC","name":"Bitcoin","min_size":"0.00000001","status":"online","message":"","details":{"type":"crypto"},'
        b'"default_network":"bitcoin","supported_networks":[{"id":"bitcoin","name":"Bitcoin","status":"online",'
        b'"min_withdrawal_amount":0.0001,"processing_time_seconds":null},{"id":"lightning","status":"offline"},'
        b'{"id":"base","status":"degraded"}]},{"id":"OLD","status":"delisted","supported_networks":'
        b'[{"id":"ethereum","status":"online"}]},{"id":"USD","status":"online","default_network":""}]',
        [
            Rail(coin="BTC", chain="bitcoin", deposit=True, withdraw=True),
            Rail(coin="BTC", chain="lightning", deposit=False, withdraw=False),
            Rail(coin="BTC", chain="base", deposit=None, withdraw=None),
            Rail(coin="OLD", chain="ethereum", deposit=None, withdraw=None),
        ],
    ),
    "gate": (
        b'[{"currency":"USDT","delisted":false,"withdraw_disabled":false,"withdraw_delayed":false,"deposit_disabled":false,'
        b'"trade_disabled":false,"chain":"ETH","chains":[{"name":"ETH","addr":"0x","withdraw_disabled":true,'
        b'"withdraw_delayed":false,"deposit_disabled":false},{"name":"TRX","withdraw_disabled":false,'
        b'"withdraw_delayed":true,"deposit_disabled":true}]},{"currency":"SHUT","withdraw_disabled":true}]',
        [
            Rail(coin="USDT", chain="ETH", deposit=True, withdraw=False),
            Rail(coin="USDT", chain="TRX", deposit=False, withdraw=True, slow=True),
            Rail(coin="SHUT", chain="", deposit=True, withdraw=False),
        ],
    ),
    "htx": (
        b'{"code":200,"data":[{"currency":"sxp","assetType":1,"instStatus":"normal","chains":[{"chain":"sxp",'
        b'"displayName":"ERC20","baseChain":"ETH","numOfConfirmations":12,"depositStatus":"allowed",'
        b'"withdrawStatus":"prohibited","withdrawFeeType":"fixed"}]}]}',
        [Rail(coin="SXP", chain="ERC20", deposit=True, withdraw=False)],
    ),
    "kraken": (
        b'{"error":[],"result":{"XXBT":{"aclass":"currency","altname":"XBT","decimals":10,"display_decimals":5,'
        b'"margin_rate":0.01,"status":"enabled"},"XXDG":{"altname":"XDG","status":"deposit_only"},"SOL":{"altname":"SOL",'
        b'"status":"withdrawal_only"},"LUNA":{"altname":"LUNA","status":"funding_temporarily_disabled"},'
        b'"ZUSD":{"altname":"USD","status":"resting"},"XETH":{"altname":"ETH"}}}',
        [
            Rail(coin="BTC", chain="", deposit=True, withdraw=True),
            Rail(coin="DOGE", chain="", deposit=True, withdraw=False),
            Rail(coin="SOL", chain="", deposit=False, withdraw=True),
            Rail(coin="LUNC", chain="", deposit=False, withdraw=False),
            Rail(coin="USD", chain="", deposit=None, withdraw=None),
            Rail(coin="ETH", chain="", deposit=None, withdraw=None),
        ],
    ),
    "kucoin": (
        b'{"code":"200000","data":{"currency":"CSP","name":"CSP","precision":8,"chains":[{"chainName":"ERC20","chainId":"eth",'
        b'"isWithdrawEnabled":false,"isDepositEnabled":true,"confirms":12}]}}',
        [Rail(coin="CSP", chain="ERC20", deposit=True, withdraw=False)],
    ),
}


@pytest.mark.parametrize("venue", BODIES)
def test_transfers_are_read_as_published(venue: str) -> None:
    body, rails = BODIES[venue]
    assert list(VENUES[venue].read_transfers(Answer(status=200, headers={}, body=body))) == rails
    assert VENUES[venue].transfer_requests(["BTC"])


@pytest.mark.parametrize("venue", BODIES)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"code":"50000","data":[]}', b'[{"currency":1}]'])
def test_an_answer_that_cannot_be_read_is_an_error_not_a_closed_door(venue: str, body: bytes) -> None:
    with pytest.raises(VenueError):
        VENUES[venue].read_transfers(Answer(status=200, headers={}, body=body))
