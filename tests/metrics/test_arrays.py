import numpy as np
import pytest

from steel_defect_detection.errors import AnnotationError, MaskError
from steel_defect_detection.metrics import arrays
from steel_defect_detection.metrics.classification import ClassificationScores
from steel_defect_detection.metrics.dice import DiceScores
from steel_defect_detection.metrics.ranking import auroc
from steel_defect_detection.metrics.tolerant import TolerantScores


def test_the_first_value_that_is_no_array_is_named():
    with pytest.raises(MaskError, match="expected a numpy array as b, got list"):
        arrays.refuse_others(MaskError, a=np.zeros(2), b=[1], c=None)
    arrays.refuse_others(MaskError, a=np.zeros(2))


@pytest.mark.parametrize("wrong", [None, [[True]]])
def test_all_measures_refuse_what_is_no_array(wrong):
    with pytest.raises(MaskError, match="expected a numpy array as predicted"):
        DiceScores(1).add(wrong, np.ones((1, 2, 2), dtype=bool))
    with pytest.raises(MaskError, match="expected a numpy array as truth"):
        TolerantScores().add(np.ones((2, 2), dtype=bool), wrong)
    with pytest.raises(AnnotationError, match="expected a numpy array as scores"):
        ClassificationScores(("a", "b")).add(wrong, np.zeros(1, dtype=int))
    with pytest.raises(AnnotationError, match="expected a numpy array as labels"):
        auroc(np.zeros(1), wrong)
