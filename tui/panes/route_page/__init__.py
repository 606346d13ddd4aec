"""The page of one route, a module a section; ``page.py`` puts them together."""
