import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.distributed import parts
from steel_defect_detection.distributed.parts import Task
from steel_defect_detection.distributed.place import Place
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.prediction import Prediction, Times
from steel_defect_detection.results.naming import Names
from steel_defect_detection.results.tables import rows_of

pytest.importorskip("pyarrow")

CLASSES = ("pit", "a, scratch")
UNIT = [
    Task("coil/a.png", "/x/coil/a.png", "a.png", "a"),
    Task("b.png", "s3://b.png", "b.png", "b"),
]


def rows(label_map=None, **rest):
    fields = {"source": "coil/a.png", "classes": CLASSES, "verdict": "defect"}
    prediction = Prediction(**fields | rest, label_map=label_map)
    return rows_of(prediction, Names("a.png", "a"), "masks/a.png" if label_map is not None else "")


def outlined():
    label_map = np.zeros((20, 30), dtype=np.uint8)
    label_map[3:7, 4:9], label_map[10:12, 20:25] = 1, 2
    return label_map


@pytest.mark.parametrize(
    "found",
    [
        rows(outlined(), scores=np.float32([0.123456789, 1]), gate_probability=2 / 3),
        rows(np.zeros((5, 6), dtype=np.uint8), verdict="clean", times=Times(decode_ms=1e-9)),
        rows(scores=np.float32([0, 1 / 3]), certainty=1.0, familiarity=0.0),
        rows(verdict="error", error='no "image", but\na text'),
    ],
    ids=["outlined", "clean", "classified", "error"],
)
def test_rows_come_back_cell_by_cell(tmp_path, found):
    place = Place(str(tmp_path))
    parts.write(place, "parts/a.parquet", CLASSES, [found, found])
    assert parts.read(place, "parts/a.parquet", CLASSES) == [found, found]


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_every_number_comes_back_as_the_table_has_it(tmp_path_factory, value):
    place = Place(str(tmp_path_factory.mktemp("part")))
    found = rows(gate_probability=float(value))
    parts.write(place, "a.parquet", CLASSES, [found])
    assert parts.read(place, "a.parquet", CLASSES) == [found]


def test_a_part_is_a_table_that_others_can_read(tmp_path):
    import pandas as pd

    parts.write(Place(str(tmp_path)), "a.parquet", CLASSES, [rows(outlined())])
    table = pd.read_parquet(tmp_path / "a.parquet")
    assert table["area_pit"].tolist() == [20]
    assert table["gate_probability"].isna().all()
    assert table["runs_a, scratch"].tolist() == ["411 2 431 2 451 2 471 2 491 2"]


def test_a_name_depends_on_the_inputs_and_their_order():
    names = {parts.name(UNIT), parts.name(UNIT[::-1]), parts.name(UNIT[:1])}
    assert len(names) == 3
    assert parts.name(list(UNIT)) == parts.name(UNIT)
    assert re.fullmatch(r"parts/[0-9a-f]{24}\.parquet", parts.name(UNIT))


def test_an_image_that_was_an_error_at_first_counts_as_it_was_judged_later(tmp_path):
    place = Place(str(tmp_path))
    failed, judged = rows(verdict="error", error="gone"), rows(outlined())
    for number, pair in enumerate([(failed, judged), (judged, failed)]):
        for name, one in zip("ab", pair, strict=True):
            parts.write(place, f"{number}/parts/{name}.parquet", CLASSES, [one])
        folder = Place(str(tmp_path / str(number)))
        assert parts.names(folder) == ["parts/a.parquet", "parts/b.parquet"]
        assert parts.read_all(folder, CLASSES) == {"coil/a.png": judged}


def test_damaged_parts_and_those_of_other_models_are_refused(tmp_path):
    place = Place(str(tmp_path))
    place.write("parts/a.parquet", b"PAR1 or not")
    with pytest.raises(ResultsError, match=r"a\.parquet is no part of results: "):
        parts.read_all(place, CLASSES)
    parts.write(place, "parts/a.parquet", CLASSES, [rows()])
    with pytest.raises(ResultsError, match="has the columns of another model"):
        parts.read_all(place, ("pit",))
    with pytest.raises(ResultsError, match="is not there any more"):
        parts.read(place, "parts/b.parquet", CLASSES)
