"""A route under measurement: probes, sockets, book checks, clock offset, status, transfers, witness. Emits samples."""
