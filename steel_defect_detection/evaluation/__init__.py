"""How good a predictor is, on images whose truth is known: measures, examples and times."""

from steel_defect_detection.evaluation.judging import evaluate, evaluate_results
from steel_defect_detection.evaluation.measures import Evaluation

__all__ = ["Evaluation", "evaluate", "evaluate_results"]
