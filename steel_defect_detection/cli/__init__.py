"""Commands: words in, words out; nothing that a Python user cannot call."""
