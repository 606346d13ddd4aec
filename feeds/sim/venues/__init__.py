"""The simulated venues (twins): one folder a venue, each with ``twin.py``, ``streams.py`` and ``rest.py``."""
