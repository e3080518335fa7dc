"""Fetching things: transfer, verify, unpack, and put in place complete or not at all."""
