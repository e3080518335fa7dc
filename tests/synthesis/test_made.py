import json

import numpy as np

from steel_defect_detection.synthesis.made import Made


def test_what_was_made_says_nothing_it_was_not_told():
    made = Made(image=np.zeros((4, 4, 1), np.uint8), masks=None)
    assert made.sources == ()
    assert json.dumps(dict(made.parameters)) == "{}"
