import pytest
import segmentation_models_pytorch as smp
import torch

from steel_defect_detection.models.config import SEGMENTER_ENCODERS, SegmenterConfig
from steel_defect_detection.models.segmenter import Segmenter


def test_the_encoders_are_those_of_the_library():
    assert set(SEGMENTER_ENCODERS) <= set(smp.encoders.get_encoder_names())


@pytest.mark.thorough
@pytest.mark.parametrize("architecture", ["unet", "linknet"])
def test_every_encoder_can_be_built_for_grey_images(architecture):
    with torch.device("meta"):
        for encoder in SEGMENTER_ENCODERS:
            config = SegmenterConfig(architecture=architecture, encoder=encoder, classes=("a",))
            assert Segmenter(config, 1).encoder_parts()
