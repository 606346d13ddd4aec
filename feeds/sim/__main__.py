"""``python -m feeds.sim``."""

from __future__ import annotations

import sys

from feeds.sim.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
