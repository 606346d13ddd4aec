"""The `detour` command and its sub-commands."""
