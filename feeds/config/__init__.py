"""The user's config file: read, checked and written; watchlists; where files are kept."""
