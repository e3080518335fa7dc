import json

import numpy as np
import pytest

from steel_defect_detection import results
from steel_defect_detection.distributed import parts
from steel_defect_detection.distributed.folder import Folder
from steel_defect_detection.distributed.place import Place
from steel_defect_detection.distributed.sources import Input
from steel_defect_detection.distributed.worker import MODEL
from steel_defect_detection.errors import ClusterError, ResultsError
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.results.tables import rows_of

pytest.importorskip("pyarrow")

CLASSES = ("pit", "scratch")
INPUTS = [Input(name, f"/far/{name}") for name in ("a/1.png", "a/2.png", "b/1.png")]
RUN = {"model": {"sha256": "1"}, "thresholds": {}, "asked": {}, "options": {}}


def opened(place, inputs=INPUTS, *, run=RUN, resume=False):
    return Folder(str(place), CLASSES, inputs, run, resume=resume)


def judge(place, tasks, *, error=None):
    """Write the part of a unit in which each image has 4 pixels of a pit, or an error."""
    label_map = np.zeros((9, 9), dtype=np.uint8)
    label_map[2:4, 2:4] = 1
    rows = []
    for task in tasks:
        fields = {"verdict": "error", "error": error} if error else {"verdict": "defect"}
        found = Prediction(
            source=task.file,
            classes=CLASSES,
            label_map=None if error else label_map,
            **fields,
        )
        rows.append(rows_of(found, task.names, "" if error else f"masks/{task.stem}.png"))
    parts.write(Place(str(place)), parts.name(tasks), CLASSES, rows)


def finished(place, **rest):
    folder = opened(place, **rest)
    folder.begin([], b"model")
    judge(place, folder.missing)
    return folder.finish()


def test_tables_are_those_of_all_parts_in_the_order_of_the_inputs(tmp_path):
    folder = opened(tmp_path)
    assert [task.stem for task in folder.missing] == ["1", "2", "1-2"]
    folder.begin([], b"model")
    assert (tmp_path / MODEL).read_bytes() == b"model"
    judge(tmp_path, folder.missing[2:])
    judge(tmp_path, folder.missing[:2])
    assert folder.finish() == {"defect": 3}
    assert results.read_images(tmp_path)["file"].tolist() == [one.name for one in INPUTS]
    predictions = results.read_predictions(tmp_path)
    assert predictions["ImageId"].tolist() == ["a/1.png", "2.png", "b/1.png"]
    assert predictions["EncodedPixels"].tolist() == ["21 2 30 2"] * 3
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["counts"] == {"images": 3, "asked": 3, "defect": 3}
    assert not (tmp_path / MODEL).exists()


def test_a_lost_image_is_missed(tmp_path):
    folder = opened(tmp_path)
    folder.begin([], None)
    judge(tmp_path, folder.missing[:2])
    with pytest.raises(ClusterError, match=r"1 image lost, first: b/1\.png"):
        folder.finish()


def test_a_run_is_taken_up_where_it_was(tmp_path):
    folder = opened(tmp_path)
    folder.begin([], None)
    judge(tmp_path, folder.missing[:1])
    judge(tmp_path, folder.missing[1:2], error="no image")
    again = opened(tmp_path, resume=True)
    # An error is tried again.
    assert [task.file for task in again.missing] == ["a/2.png", "b/1.png"]


def test_a_part_of_errors_alone_makes_room_for_its_successor(tmp_path):
    folder = opened(tmp_path)
    folder.begin([], None)
    judge(tmp_path, folder.missing[:1], error="a worker died")
    again = opened(tmp_path, resume=True)
    name = parts.name(again.missing[:1])
    assert (tmp_path / name).exists()
    again.begin([name], None)
    assert not (tmp_path / name).exists()


def test_images_that_came_to_be_called_otherwise_are_judged_again(tmp_path):
    finished(tmp_path)
    inputs = [Input("0/1.png", "/far/0/1.png"), *INPUTS]
    again = opened(tmp_path, inputs, resume=True)
    assert [task.file for task in again.missing] == ["0/1.png", "a/1.png", "b/1.png"]


def test_without_resume_everything_begins_anew(tmp_path):
    finished(tmp_path)
    again = opened(tmp_path)
    assert len(again.missing) == 3
    again.begin([], None)
    assert parts.names(Place(str(tmp_path))) == []


def test_another_model_does_not_go_on(tmp_path):
    finished(tmp_path)
    with pytest.raises(ResultsError, match="cannot be resumed: it holds results of another model"):
        opened(tmp_path, run=RUN | {"model": {"sha256": "2"}}, resume=True)


def test_somebodys_files_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for resume in (True, False):
        with pytest.raises(ResultsError, match=r"holds thesis\.txt, and no run\.json says"):
            opened(tmp_path, resume=resume)


@pytest.mark.parametrize("resume", [False, True])
def test_who_stopped_an_earlier_run_is_no_lost_worker(tmp_path, resume):
    finished(tmp_path)
    tries = tmp_path / parts.tries(parts.name(opened(tmp_path).missing))
    tries.write_bytes(b"...")
    opened(tmp_path, resume=resume).begin([], None)
    assert not tries.exists()
