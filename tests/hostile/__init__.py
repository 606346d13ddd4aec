"""What needs root, namespaces or minutes: run by `make hostile`, never by `make test`."""
