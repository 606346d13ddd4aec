"""HTTP, websockets, keepalives, reconnects and limits: bytes and their clocks."""
