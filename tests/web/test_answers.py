import pytest

from steel_defect_detection.web.answers import (
    Answer,
    Defect,
    Health,
    ImageAnswer,
    LimitsAnswer,
    ModelAnswer,
)


def test_the_class_is_called_class_in_json():
    answer = ImageAnswer(name="strip.png", verdict="defect", class_name="pit")
    assert answer.model_dump(by_alias=True)["class"] == "pit"


def test_what_is_not_known_is_null():
    assert Defect(score=0.5).model_dump_json() == (
        '{"score":0.5,"area":null,"share":null,"pieces":null,"runs":null,"outlines":null}'
    )


PLAIN = {"images", "status", "decode_ms", "times", "name", "sha256", "architecture", "classes"}


@pytest.mark.parametrize("model", [Answer, Defect, Health, ImageAnswer, LimitsAnswer, ModelAnswer])
def test_what_does_not_explain_itself_is_explained(model):
    properties = model.model_json_schema(mode="serialization")["properties"]
    unexplained = {name for name, part in properties.items() if "description" not in part}
    assert unexplained <= {*PLAIN, "limits"}
