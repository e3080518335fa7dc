from steel_defect_detection import images
from steel_defect_detection.models import diagram
from steel_defect_detection.models import graph as graphs


def test_stages_follow_the_image_and_hold_all_parameters(segmenter_config):
    found = diagram.stages(segmenter_config, (64, 96))
    names = [stage.name for stage in found]
    assert names[0].startswith("encoder.")
    assert names[-1].startswith("segmentation_head")
    network = graphs.build(segmenter_config).network
    assert (
        0
        < sum(stage.parameters for stage in found)
        <= sum(weight.numel() for weight in network.parameters())
    )


def test_the_head_answers_for_each_class(gate_config):
    last = diagram.stages(gate_config, (64, 96))[-1]
    assert last.shape == (4,) or last.kind == "MemoryEfficientSwish"


def test_a_picture_is_drawn(gate_config, segmenter_config, tmp_path):
    path = tmp_path / "graph.png"
    diagram.write(path, {"classifier": gate_config, "segmenter": segmenter_config})
    assert images.read(path).std() > 0
