"""How good a predictor is, on images whose truth is known: measures, examples and times."""

from steel_defect_detection.evaluation.evaluation import Evaluation
from steel_defect_detection.evaluation.judging import evaluate, evaluate_results

__all__ = ["Evaluation", "evaluate", "evaluate_results"]
