"""Benchmark: how fast the package is here, against the machine and against the reference way."""
