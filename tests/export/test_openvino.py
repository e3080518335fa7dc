"""What an OpenVINO file says of itself can be read with the engine's own library."""

import openvino

from steel_defect_detection.export import openvino as form
from tests.export import toys


def test_openvino_files_say_it_in_their_runtime_information(described):
    path = described("openvino")
    network = openvino.Core().read_model(path)
    assert network.get_rt_info("steel_defect_detection").astype(str) == toys.DESCRIPTION
    assert form.inspect(path)[0] == toys.DESCRIPTION
