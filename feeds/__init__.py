"""Everything that needs no screen: venues, measuring, judging, advising, and the processes around them."""
