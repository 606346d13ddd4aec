"""The user's file: read, checked and written; watchlists; where files live."""
