"""Data sets of the field, each read into the same ``Dataset`` of ``Sample`` objects."""
