import json
from pathlib import Path

import pytest

from steel_defect_detection.distributed import parts, worker
from steel_defect_detection.distributed.parts import Task
from steel_defect_detection.distributed.place import Place
from steel_defect_detection.distributed.worker import Job, Judge
from steel_defect_detection.errors import ResultsError

pytest.importorskip("pyarrow")


@pytest.fixture
def unit(strips):
    files = sorted((strips / "two").iterdir())
    return [Task(path.name, str(path), path.name, path.stem) for path in files]


@pytest.fixture
def judge(model, tmp_path):
    return Judge(Job(model=str(model), output=str(tmp_path), options={"runtime": "pytorch"}))


def test_a_unit_is_judged_and_written(judge, unit, tmp_path):
    done = judge.judge(unit)
    assert sum(done["counts"].values()) == 5
    assert done["counts"]["error"] == 1
    assert done["errors"] == [
        "text.png is not an image: it has no JPEG, PNG, BMP, TIFF or WebP header"
    ]
    classes = ("pit", "scratch")
    rows = parts.read(Place(str(tmp_path)), parts.name(unit), classes)
    assert [one.image[0] for one in rows] == [task.file for task in unit]
    masks = sorted(path.stem for path in (tmp_path / "masks").iterdir())
    assert masks == [task.stem for task in unit if task.stem != "text"]
    # Only parts are left there.
    assert [path.suffix for path in (tmp_path / "parts").iterdir()] == [".parquet"]


def test_a_unit_whose_part_is_there_is_not_judged_again(judge, unit, tmp_path):
    first = judge.judge(unit)
    written = (tmp_path / "masks" / "strip-0.png").stat().st_mtime_ns
    assert judge.judge(unit) == first
    assert (tmp_path / "masks" / "strip-0.png").stat().st_mtime_ns == written


def test_images_that_bring_workers_down_are_given_up(judge, unit, tmp_path):
    """Three workers have begun, and none has ended."""
    tries = parts.tries(parts.name(unit[:2]))
    Place(str(tmp_path)).write(tries, b"...")
    done = judge.judge(unit[:2])
    assert done["counts"] == {"error": 2}
    assert done["errors"][0] == (
        "strip-0.png: 3 workers died over this image or one of 1 judged with it. --resume judges "
        "fewer at a time"
    )
    assert not (tmp_path / tries).exists()


def test_images_of_object_storage_are_fetched(model, bucket, unit):
    place = Place(bucket)
    for task in unit:
        place.write(f"in/{task.file}", Path(task.address).read_bytes())
    stored = [task._replace(address=f"{bucket}/in/{task.file}") for task in unit]
    stored.append(Task("gone.png", f"{bucket}/in/gone.png", "gone.png", "gone"))
    options = {"runtime": "pytorch"}
    done = Judge(Job(model=str(model), output=f"{bucket}/out", options=options)).judge(stored)
    assert done["errors"][0].startswith("text.png is not an image")
    assert done["errors"][1] == "gone.png cannot be read: no such file"
    assert place.has("out/masks/strip-0.png")
    assert place.has("out/overlays/strip-3.png")
    rows = parts.read(Place(f"{bucket}/out"), parts.name(stored), ("pit", "scratch"))
    assert [one.image[0] for one in rows] == [task.file for task in stored]


def test_the_model_comes_from_the_results_folder(model, bucket, unit):
    Place(bucket).write(worker.MODEL, model.read_bytes())
    judge = Judge(Job(model=None, output=bucket, options={"runtime": "pytorch"}))
    batch = {"unit": [worker.packed(unit[:1])]}
    (done,) = judge(batch)["done"]
    assert sum(json.loads(done)["counts"].values()) == 1


def test_a_worker_that_cannot_start_tells_it_with_its_first_unit(tmp_path, unit):
    """Ray would start it again and again."""
    judge = Judge(Job(model=None, output=str(tmp_path)))
    (done,) = judge({"unit": [worker.packed(unit[:1])]})["done"]
    kind, message = json.loads(done)["failed"]
    assert kind == "ResultsError"
    assert message.endswith("model.safetensors is not there any more")


def test_what_cannot_be_written_ends_the_work(model, unit):
    judge = Judge(Job(model=str(model), output="/proc/nowhere", options={"runtime": "pytorch"}))
    with pytest.raises(ResultsError):
        judge.judge(unit)
    (done,) = judge({"unit": [worker.packed(unit)]})["done"]
    kind, message = json.loads(done)["failed"]
    assert kind == "ResultsError"
    assert message.startswith("/proc/nowhere/parts/")


def test_units_come_back_as_they_were_packed(unit):
    assert worker.unpacked(worker.packed(unit)) == unit


@pytest.mark.thorough
def test_fetched_images_do_not_pile_up(model, bucket, strips, monkeypatch, tmp_path):
    """Each is removed when it was judged: the disk of a worker holds some, not all."""
    data = (strips / "one" / "strip-0.png").read_bytes()
    tasks = [Task(f"{n}.png", f"{bucket}/{n}.png", f"{n}.png", str(n)) for n in range(80)]
    for task in tasks:
        Place(bucket).write(task.file, data)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    judge = Judge(Job(model=str(model), output=f"{bucket}/out", options={"runtime": "pytorch"}))
    most = 0
    usual = judge._pictures.of

    def counted(*args):
        nonlocal most
        most = max(most, len(list(tmp_path.glob("sdd-*/*"))))
        return usual(*args)

    monkeypatch.setattr(judge._pictures, "of", counted)
    judge.judge(tasks)
    assert 1 < most < 70
