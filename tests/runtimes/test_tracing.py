import logging

import numpy as np
import pytest
import torch

from steel_defect_detection.errors import CheckpointError, ConversionError
from steel_defect_detection.runtimes import tracing
from tests.runtimes.contract import GRAPHS, IMAGES, tensors_of

CONFIG = GRAPHS["grey classifier at half size"]


def test_what_is_written_down_says_the_same_for_batches_of_any_length():
    graph = tracing.prepare(CONFIG, tensors_of(CONFIG), {"images": IMAGES})
    program = tracing.write_down(graph, {"images": IMAGES}).module()
    for count in (1, 2, 3):
        images = torch.from_numpy(IMAGES[:count])
        with torch.inference_mode():
            for one, other in zip(program(images), graph(images), strict=True):
                assert torch.allclose(one, other, atol=1e-6)


def test_it_says_that_it_converts_and_for_which_size(caplog):
    caplog.set_level(logging.INFO, "steel_defect_detection")
    tracing.prepare(CONFIG, tensors_of(CONFIG), {"images": IMAGES})
    (said,) = caplog.messages
    assert said.startswith("converting the classifier for images of 70 x 40 pixels, once")


def test_weights_that_do_not_fit_are_refused():
    tensors = tensors_of(CONFIG) | {"fc.bias": np.zeros(7, dtype=np.float32)}
    with pytest.raises(CheckpointError, match="the weights do not fit the architecture"):
        tracing.prepare(CONFIG, tensors, {"images": IMAGES})


@pytest.mark.parametrize("error", [TypeError, RuntimeError, AssertionError])
def test_whatever_a_converter_raises_becomes_one_line(error):
    with (
        pytest.raises(ConversionError, match="resnet18 cannot be converted: no rule for this l"),
        tracing.refusing(CONFIG),
    ):
        raise error("no rule\nfor this layer")
