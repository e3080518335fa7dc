"""Explanations: which pixels speak for a verdict, and which against it.

Captum computes the attributions. This package says what is explained (one
number, the target), gives captum a network that it treats correctly, and checks
what comes out.

Kokhlikyan et al., "Captum: A unified and generic model interpretability library
for PyTorch", 2020, https://arxiv.org/abs/2009.07896.
"""

from steel_defect_detection.explain.explaining import Explainer, explain
from steel_defect_detection.explain.explanation import METHODS, Explanation, Target
from steel_defect_detection.explain.subject import Subject

__all__ = ["METHODS", "Explainer", "Explanation", "Subject", "Target", "explain"]
