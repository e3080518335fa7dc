import json
import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from steel_defect_detection import images, load_predictor, predict_files
from steel_defect_detection.distributed import Cluster, find, predict_addresses
from steel_defect_detection.distributed.place import Place
from steel_defect_detection.errors import ClusterError, NoImagesError, ResultsError

OPTIONS = {"runtime": "pytorch", "keep_probabilities": True, "flips": "horizontal"}
TIMES = ["decode_ms", "gate_ms", "segment_ms"]


@pytest.fixture(scope="module")
def here(strips, model, tmp_path_factory):
    """The same images judged on one machine."""
    folder = tmp_path_factory.mktemp("here")
    counts = predict_files(load_predictor(model, **OPTIONS), images.find([strips]), folder)
    return folder, counts


def pictures(folder):
    """Content by name of all that is drawn."""
    found = Path(folder).glob("*/*")
    drawn = [path for path in found if path.parent.name in images.RESULT_FOLDERS]
    return {str(path.relative_to(folder)): path.read_bytes() for path in drawn}


def table(data):
    return pd.read_csv(data, dtype=str).drop(columns=TIMES)


@pytest.mark.thorough
def test_many_workers_give_the_results_of_one_machine(cluster, strips, model, here, tmp_path):
    counts = predict_addresses(find([str(strips)]), str(tmp_path), model=str(model), **OPTIONS)
    assert counts == here[1]
    assert pictures(tmp_path) == pictures(here[0])
    assert len(pictures(tmp_path)) > 50
    predictions = (tmp_path / "predictions.csv").read_bytes()
    assert predictions == (here[0] / "predictions.csv").read_bytes()
    assert table(tmp_path / "images.csv").equals(table(here[0] / "images.csv"))
    record, expected = (
        json.loads((folder / "run.json").read_text()) for folder in (tmp_path, here[0])
    )
    for name in ("version", "thresholds", "options", "model", "asked", "classes", "counts"):
        assert record[name] == expected[name]
    assert (record["engine"], record["workers"]) == ("ray", 2)


@pytest.mark.slow
def test_from_object_storage_to_object_storage(cluster, strips, model, here, bucket, tmp_path):
    place = Place(bucket)
    paths = images.find([strips])
    for path in paths:
        place.write(f"in/{path.relative_to(strips)}", path.read_bytes())
    inputs = find([f"{bucket}/in"])
    counts = predict_addresses(inputs, f"{bucket}/out", model=str(model), **OPTIONS)
    assert counts == here[1]
    for name, content in pictures(here[0]).items():
        assert place.read(f"out/{name}") == content
    (tmp_path / "images.csv").write_bytes(place.read("out/images.csv"))
    found, expected = table(tmp_path / "images.csv"), table(here[0] / "images.csv")
    assert found["file"].tolist() == [one.address for one in inputs]
    rest = ["file", "error"]
    assert found.drop(columns=rest).equals(expected.drop(columns=rest))
    assert place.read("out/predictions.csv") == (here[0] / "predictions.csv").read_bytes()


def workers():
    """Numbers of the processes that judge."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            name = path.read_bytes()
        except OSError:
            continue
        if b"MapWorker" in name:
            found.append(int(path.parent.name))
    return found


@pytest.fixture
def many(strips, tmp_path):
    """Eighty images in the order of a list."""
    names = [str(path) for path in images.find([strips / "more"])]
    for number in range(80):
        data = Path(names[number % len(names)]).read_bytes()
        images.write(tmp_path / "in" / f"{number:03d}.png", images.decode(data, "a"))
    return find([str(tmp_path / "in")])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds processes in /proc")
def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(cluster, many, model, tmp_path):
    output = tmp_path / "out"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            predict_addresses, many, str(output), model=str(model), runtime="pytorch"
        )
        while not list((output / "parts").glob("*.parquet")) and not running.done():
            time.sleep(0.05)
        os.kill(workers()[0], signal.SIGKILL)
        counts = running.result(timeout=120)
    predict_files(
        load_predictor(model, runtime="pytorch"), [one.name for one in many], tmp_path / "here"
    )
    assert counts["images"] == sum(counts.values()) - counts["images"] == 80
    assert pictures(output) == pictures(tmp_path / "here")
    tables = [pd.read_parquet(path) for path in (output / "parts").glob("*.parquet")]
    judged = pd.concat(tables)["file"]
    assert sorted(judged) == sorted(one.name for one in many)


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_where_it_was(cluster, many, model, tmp_path):
    output, alone = str(tmp_path / "out"), Cluster(workers=1)
    settings = {"model": str(model), "runtime": "pytorch", "cluster": alone}
    predict_addresses(many[:30], output, **settings)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/masks").iterdir()}
    for name in ("images.csv", "predictions.csv"):
        (tmp_path / "out" / name).unlink()
    counts = predict_addresses(many, output, **settings, resume=True)
    assert counts["images"] == len(list((tmp_path / "out/masks").iterdir())) == 80
    # What was finished was not judged again.
    assert {path: path.stat().st_mtime_ns for path in before} == before
    # Complete now, it needs no worker.
    written = (tmp_path / "out/images.csv").read_bytes()
    assert len(written.splitlines()) == 81
    assert predict_addresses(many, output, **settings, resume=True) == counts
    assert (tmp_path / "out/images.csv").read_bytes() == written


def test_a_place_that_cannot_be_written_is_refused(cluster, many, model):
    with pytest.raises(ResultsError, match="cannot be written"):
        predict_addresses(many[:2], "/proc/nowhere", model=str(model), runtime="pytorch")


@pytest.mark.slow
def test_what_a_worker_cannot_write_is_told_with_its_reason(cluster, many, model, tmp_path):
    settings = {"model": str(model), "runtime": "pytorch", "cluster": Cluster(workers=1)}
    predict_addresses(many[:2], str(tmp_path / "out"), **settings)
    shutil.rmtree(tmp_path / "out/masks")
    (tmp_path / "out/masks").write_text("in the way")
    with pytest.raises(ResultsError, match=r"masks.* cannot be written: .*--resume goes on"):
        predict_addresses(many[:4], str(tmp_path / "out"), **settings, resume=True)


def test_nothing_to_judge_is_refused(model, tmp_path):
    with pytest.raises(NoImagesError, match="no images to judge"):
        predict_addresses([], str(tmp_path), model=str(model))


def test_a_cluster_that_has_no_room_is_refused(cluster, many, model, tmp_path):
    with pytest.raises(ClusterError, match="no machine of the cluster has 64 processors"):
        predict_addresses(many, str(tmp_path / "out"), model=str(model), cluster=Cluster(cpus=64.0))
