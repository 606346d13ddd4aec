"""Deribit's REST paths, simulated: the JSON-RPC methods of ``rpc`` over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from feeds.sim.twin import Request, Response, World
from feeds.sim.venues.deribit import rpc
from feeds.sim.wire.formats import html_page, json_response


def answer(request: Request, world: World) -> Response | None:
    """``GET /api/v2/<method>?…``, or ``POST`` with a JSON-RPC request in the body."""
    if request.method == "POST" and request.path.startswith("/api/v2"):
        command = rpc.read(request.body)
        if command is None:
            return _call("", {}, world)
        return _call(command.method, command.params or {}, world, command.id)
    method = request.path.removeprefix("/api/v2/")
    if request.method != "GET" or method == request.path:
        return None
    return _call(method, request.query, world)


def _call(method: str, params: Mapping[str, object], world: World, request_id: object = None) -> Response:
    """One method call. Errors come with HTTP 400."""
    try:
        return json_response(rpc.envelope(world, request_id, result=rpc.call(method, params, world)))
    except rpc.RpcError as error:
        return json_response(rpc.envelope(world, request_id, error=error), 400)


def failure(kind: str, status: int) -> Response:
    """Deribit's body for a fault. The CDN in front of it blocks countries and addresses."""
    match kind:
        case "limit":
            code, words = 10028, "too_many_requests"
        case "maintenance":
            code, words = 11051, "system_maintenance"
        case "timeout":
            code, words = 10040, "retry"
        case "geo" | "ban":
            why = "has banned the country or region your IP address is in" if kind == "geo" else "has banned your IP"
            page = f"<html><head><title>Access denied | www.deribit.com</title></head><body>The owner of this website (www.deribit.com) {why}.</body></html>"  # noqa: E501 - one page as the CDN sends it
            return html_page(page, status, "cloudflare")
        case _:
            code, words = (11094, "internal_server_error") if status == 500 else (10047, "matching_engine_queue_full")
    return json_response({"jsonrpc": "2.0", "error": {"message": words, "code": code}, "testnet": False}, status)
