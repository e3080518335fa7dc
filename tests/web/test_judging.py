import base64
import struct
import zlib
from time import perf_counter

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from steel_defect_detection import images, load_predictor, masks, rle
from steel_defect_detection.web.bodies import Upload
from steel_defect_detection.web.judging import Job, Judge, corners
from steel_defect_detection.web.metrics import Metrics
from tests.export import toys
from tests.web.serving import Bright, png


def judged(data, *include, predictor=None, name="strip.png", max_pixels=10_000):
    judge = Judge(predictor or Bright(), max_pixels=max_pixels, metrics=Metrics())
    upload = Upload(name=name, data=data)
    return judge.judge(Job(upload=upload, include=frozenset(include), received=perf_counter()))


def decoded(address):
    kind, _, data = address.partition(";base64,")
    assert kind in {"data:image/png", "data:image/jpeg"}
    return images.decode(base64.b64decode(data), "picture")


def test_an_image_gets_verdict_areas_and_run_lengths():
    answer = judged(png(pits=5, shape=(10, 20)), "outlines")
    assert (answer.verdict, answer.class_name) == ("defect", "pit")
    assert (answer.width, answer.height) == (20, 10)
    assert answer.scores == {"pit": 0.25, "scratch": 0.75}
    assert list(answer.defects) == ["pit"]
    pit = answer.defects["pit"]
    assert (pit.area, pit.share, pit.pieces, pit.runs) == (5, 5 / 200, 1, "1 5")
    assert pit.outlines == [[(0, 0), (0, 4)]]
    assert answer.error is None
    assert answer.times.wait_ms >= 0
    assert answer.times.decode_ms > 0


def test_a_clean_image_has_no_defects():
    answer = judged(png())
    assert (answer.verdict, answer.class_name, answer.defects) == ("clean", None, {})


def test_outlines_and_pictures_come_when_asked_for():
    plain = judged(png(pits=3))
    assert plain.defects["pit"].outlines is None
    assert plain.mask is plain.overlay is plain.preview is None
    full = judged(png(pits=3), "mask", "overlay", "preview")
    mask = decoded(full.mask)[..., 0]
    assert mask[:3, 0].tolist() == [1, 1, 1]
    assert mask.sum() == 3
    assert decoded(full.overlay).shape == (16, 24, 3)
    assert abs(int(decoded(full.preview)[8, 20, 0]) - 40) < 4


def test_a_preview_is_small():
    answer = judged(png(shape=(4, 2400)), "preview", max_pixels=10_000)
    assert decoded(answer.preview).shape == (3, 2000, 3)


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"", "not_an_image", "a.png is not an image: it is empty"),
        (b"text of somebody", "not_an_image", "a.png is not an image"),
        (png(shape=(101, 100)), "too_many_pixels", "a.png is 100 x 101 pixels, more than the most"),
        (png(shape=(2, 40)), "too_small", "a.png is 40 x 2 pixels, fewer than 3 a side"),
        (png()[:-30], "damaged", "a.png cannot be decoded: the file is damaged, cut short"),
    ],
)
def test_an_image_that_cannot_be_judged_says_why(data, code, said):
    answer = judged(data, name="a.png")
    assert answer.verdict == "error"
    assert answer.error.code == code
    assert answer.error.message.startswith(said)


@pytest.mark.parametrize("side", [12_000, 60_000])
def test_a_bomb_is_refused_by_its_header(side):
    # Up to 10.8 GB once decoded.
    head = b"IHDR" + side.to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    bomb = png()[:12] + head + zlib.crc32(head).to_bytes(4, "big") + png()[33:]
    assert len(bomb) < 1000
    problem = judged(bomb).error
    assert problem.code == "too_many_pixels"
    assert "more than the most of 10,000" in problem.message
    assert "100,000,000" not in problem.message


def test_a_tiff_bomb_is_refused_by_its_header():
    done, data = cv2.imencode(".tiff", np.zeros((8, 8, 3), dtype=np.uint8))
    assert done
    file = bytearray(data.tobytes())
    start = int.from_bytes(file[4:8], "little") + 2
    for entry in range(int.from_bytes(file[start - 2 : start], "little")):
        place = start + 12 * entry
        if int.from_bytes(file[place : place + 2], "little") in {256, 257}:  # width, height
            file[place + 2 : place + 12] = struct.pack("<HII", 4, 1, 60_000)
    assert judged(bytes(file)).error.code == "too_many_pixels"


def test_of_several_pages_the_first_is_judged():
    first, second = np.full((8, 8, 3), 250, dtype=np.uint8), np.zeros((8, 8, 3), dtype=np.uint8)
    done, data = cv2.imencodemulti(".tiff", [first, second])
    assert done
    assert judged(data.tobytes()).defects["pit"].area == 64


def test_an_unexpected_failure_stays_with_its_image(caplog):
    class Broken(Bright):
        def judge(self, image, source):
            msg = "secret path"
            raise RuntimeError(msg)

    answer = judged(png(), predictor=Broken())
    assert answer.error.code == "not_judged"
    assert answer.error.message == "strip.png could not be judged: see the server's log"
    assert "secret path" in caplog.text


def test_a_classifier_names_classes_and_outlines_nothing(tmp_path):
    path = toys.save(tmp_path / "gate.safetensors", "classifier", toys.GATE)
    predictor = load_predictor(path, runtime="pytorch", threshold=0.0)
    answer = judged(png(shape=(64, 96)), "outlines", "mask", "overlay", predictor=predictor)
    said = predictor.predict(images.decode(png(shape=(64, 96)), "image", grey=True))
    assert answer.scores == pytest.approx(
        dict(zip(toys.CLASSES, said.scores.tolist(), strict=True))
    )
    assert set(answer.defects) == set(toys.CLASSES)
    assert answer.defects["pit"].area is None
    assert answer.mask is None
    assert answer.overlay is not None


def test_what_is_said_is_what_the_predictor_says(tmp_path):
    path = toys.save(tmp_path / "segmenter.safetensors", "segmenter", toys.SEGMENTER)
    predictor = load_predictor(path, runtime="pytorch")
    data = toys.strips(tmp_path / "strips", count=1) / "strip-0.png"
    answer = judged(data.read_bytes(), "mask", predictor=predictor)
    said = predictor.predict(data)
    assert {name: one.runs for name, one in answer.defects.items()} == said.runs()
    np.testing.assert_array_equal(decoded(answer.mask)[..., 0], said.label_map)


@given(arrays.arrays(np.bool_, st.tuples(st.integers(3, 12), st.integers(3, 12))))
def test_corners_draw_the_same_line(mask):
    for line in masks.outlines(mask):
        drawn, expected = np.zeros((2, *mask.shape), dtype=np.uint8)
        kept = np.array(corners(line), dtype=np.int32).reshape(-1, 1, 2)
        if len(kept):
            cv2.polylines(drawn, [kept], isClosed=True, color=1)
            expected[line[:, 1], line[:, 0]] = 1
            np.testing.assert_array_equal(drawn, expected)
        assert len(kept)
    assert rle.encode(mask) is not None
