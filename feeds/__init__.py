"""Everything that needs no screen: venues, measuring, judging, advising, and the processes around them."""

__version__ = "0.1.0"
