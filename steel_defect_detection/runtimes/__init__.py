"""Runtimes: one network on one engine."""
