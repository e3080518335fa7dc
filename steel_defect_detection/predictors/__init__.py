"""Predictors: ways of looking at an image, on any runtime."""
