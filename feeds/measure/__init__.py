"""A route being measured: probes, snapshots, clock offset, status, transfers, witness. It gives samples."""
