"""What a TorchScript file says of itself can be read with the engine's own library."""

import json

import pytest
import torch


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated")
def test_torchscript_files_say_it_in_an_extra_file(exports):
    path = exports("torchscript") / "classifier.pt"
    extra = {"steel_defect_detection": ""}
    module = torch.jit.load(path, _extra_files=extra)
    about = json.loads(extra["steel_defect_detection"])
    assert about["graph"] == "classifier"
    probabilities, defect, familiarity = module(torch.zeros(1, 64, 96, 3, dtype=torch.uint8))
    assert (probabilities.shape, defect.shape, familiarity.shape) == ((1, 2), (1,), (1,))
