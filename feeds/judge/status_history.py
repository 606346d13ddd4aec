"""What a venue says of itself: its official notices."""

from __future__ import annotations

from feeds.model import Product, StatusNotice
from feeds.samples import StatusSample


class StatusHistory:
    """The notices of the last status answer."""

    def __init__(self) -> None:
        self._notices: tuple[StatusNotice, ...] = ()

    def observe(self, sample: StatusSample) -> None:
        self._notices = sample.notices

    def of_market_data(self, product: str) -> list[StatusNotice]:
        """Notices about market data of this product."""
        return [n for n in self._notices if n.market_data and _concerns(n, product)]


def _concerns(notice: StatusNotice, product: str) -> bool:
    products: tuple[Product, ...] = notice.products
    return not products or product in products
