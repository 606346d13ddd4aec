"""Messages of MEXC spot: protobuf, declared as data so that no compiler is needed, and the JSON of control messages.

Names and numbers are those of the official schema (``PushDataV3ApiWrapper.proto`` and its imports, 2026-06). They are
in a separate protobuf pool, since ccxt registers files with the same names in the shared one. Bodies of channels that
Detour does not subscribe to are declared as bytes: that is the same encoding, and their content is not parsed.
"""

from __future__ import annotations

from typing import Annotated, Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from msgspec import Meta, Struct
from msgspec.json import Decoder

from feeds.venues.reading import Millis, Price, Size

_TEXT, _INT32, _INT64, _BYTES, _ITEM = (
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_INT32,
    FieldDescriptorProto.TYPE_INT64,
    FieldDescriptorProto.TYPE_BYTES,
    FieldDescriptorProto.TYPE_MESSAGE,
)

_ONCE: dict[str, dict[str, tuple[int, Any]]] = {
    "PublicAggreDepthV3ApiItem": {"price": (1, _TEXT), "quantity": (2, _TEXT)},
    "PublicAggreDepthsV3Api": {
        "eventType": (3, _TEXT),
        "fromVersion": (4, _TEXT),
        "toVersion": (5, _TEXT),
        "lastOrderCreateTime": (6, _INT64),
    },
    "PublicAggreDealsV3ApiItem": {
        "price": (1, _TEXT),
        "quantity": (2, _TEXT),
        "tradeType": (3, _INT32),
        "time": (4, _INT64),
        "tradeId": (5, _TEXT),
    },
    "PublicAggreDealsV3Api": {"eventType": (2, _TEXT)},
    "PublicAggreBookTickerV3Api": {
        "bidPrice": (1, _TEXT),
        "bidQuantity": (2, _TEXT),
        "askPrice": (3, _TEXT),
        "askQuantity": (4, _TEXT),
        "version": (5, _TEXT),
        "lastOrderCreateTime": (6, _INT64),
    },
    "PushDataV3ApiWrapper": {
        "channel": (1, _TEXT),
        "symbol": (3, _TEXT),
        "symbolId": (4, _TEXT),
        "createTime": (5, _INT64),
        "sendTime": (6, _INT64),
    },
}
_REPEATED: dict[str, dict[str, tuple[int, str]]] = {
    "PublicAggreDepthsV3Api": {"asks": (1, "PublicAggreDepthV3ApiItem"), "bids": (2, "PublicAggreDepthV3ApiItem")},
    "PublicAggreDealsV3Api": {"deals": (1, "PublicAggreDealsV3ApiItem")},
}
_BODIES: dict[str, tuple[int, str | None]] = {
    "publicDeals": (301, None),
    "publicIncreaseDepths": (302, None),
    "publicLimitDepths": (303, None),
    "privateOrders": (304, None),
    "publicBookTicker": (305, None),
    "privateDeals": (306, None),
    "privateAccount": (307, None),
    "publicSpotKline": (308, None),
    "publicMiniTicker": (309, None),
    "publicMiniTickers": (310, None),
    "publicBookTickerBatch": (311, None),
    "publicIncreaseDepthsBatch": (312, None),
    "publicAggreDepths": (313, "PublicAggreDepthsV3Api"),
    "publicAggreDeals": (314, "PublicAggreDealsV3Api"),
    "publicAggreBookTicker": (315, "PublicAggreBookTickerV3Api"),
}


def _message(name: str) -> DescriptorProto:
    one, many = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
    made = DescriptorProto(name=name)
    for field, (number, kind) in _ONCE[name].items():
        made.field.add(name=field, number=number, type=kind, label=one)
    for field, (number, item) in _REPEATED.get(name, {}).items():
        made.field.add(name=field, number=number, type=_ITEM, label=many, type_name=f".{item}")
    if name == "PushDataV3ApiWrapper":
        made.oneof_decl.add(name="body")
        for field, (number, body) in _BODIES.items():
            kind, of = (_BYTES, None) if body is None else (_ITEM, f".{body}")
            made.field.add(name=field, number=number, type=kind, label=one, type_name=of, oneof_index=0)
    return made


def _wrapper() -> Any:
    pool = DescriptorPool()
    pool.Add(FileDescriptorProto(name="mexc.proto", syntax="proto3", message_type=[_message(name) for name in _ONCE]))
    return GetMessageClass(pool.FindMessageTypeByName("PushDataV3ApiWrapper"))


_Wrapper = _wrapper()


def read_push(raw: bytes) -> Any:
    """One binary message as a ``PushDataV3ApiWrapper``; absent fields are "" or 0. Raises ValueError."""
    try:
        return _Wrapper.FromString(raw)
    except DecodeError as error:
        raise ValueError(f"not protobuf: {error}") from error


class AnswerRow(Struct, gc=False):
    msg: Annotated[str, Meta(max_length=32_768)]
    """Names the topics of one request, of which we ask for three."""


SideLevels = Annotated[list[tuple[Price, Size]], Meta(max_length=20_000)]
Version = Annotated[int, Meta(ge=0, lt=1 << 62)]


class DepthRow(Struct, gc=False, array_like=True):
    bids: SideLevels
    asks: SideLevels
    first: Version
    last: Version
    created_ms: Millis
    sent_ms: Millis


class BestRow(Struct, gc=False, array_like=True):
    """None: that side of the book is empty."""

    bid: Price | None
    bid_size: Size | None
    ask: Price | None
    ask_size: Size | None
    version: Version | None
    created_ms: Millis
    sent_ms: Millis


class DealRow(Struct, gc=False, array_like=True):
    price: Price
    size: Size
    kind: Annotated[int, Meta(ge=1, le=2)]
    at_ms: Millis
    trade_id: str


class DealsRow(Struct, gc=False, array_like=True):
    deals: Annotated[list[DealRow], Meta(max_length=20_000)]
    sent_ms: Millis


read_answer = Decoder(AnswerRow).decode
