"""Studies: the same training many times over, with one thing changed at a time."""
