"""Metrics over whole data sets, each saying which definition it is."""
