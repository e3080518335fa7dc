import json
import re
import threading
import time
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import requests

from steel_defect_detection import checkpoints, images, load_predictor
from steel_defect_detection.web.app import create_app
from steel_defect_detection.web.limits import Limits
from tests.export import toys
from tests.web import serving
from tests.web.serving import Bright, png


def send(address, *contents, **settings):
    files = [("images", (f"strip-{number}.png", data)) for number, data in enumerate(contents)]
    return requests.post(f"{address}/predict", files=files, timeout=30, **settings)


def test_images_are_answered_in_the_order_in_which_they_were_sent(address):
    answer = send(address, png(pits=3), png(), png(pits=7)).json()
    assert answer["model"] == "bright"
    assert [one["name"] for one in answer["images"]] == [
        "strip-0.png",
        "strip-1.png",
        "strip-2.png",
    ]
    assert [one["verdict"] for one in answer["images"]] == ["defect", "clean", "defect"]
    assert answer["images"][2]["defects"]["pit"]["area"] == 7
    assert answer["images"][2]["class"] == "pit"


def test_one_bad_image_does_not_take_the_others_along(address):
    answer = send(address, png(), b"a text")
    assert answer.status_code == 200
    assert [one["verdict"] for one in answer.json()["images"]] == ["clean", "error"]
    assert answer.json()["images"][1]["error"]["code"] == "not_an_image"


def test_if_no_image_can_be_judged_the_status_says_so(address):
    answer = send(address, b"a text", b"another")
    assert answer.status_code == 422
    assert [one["error"]["code"] for one in answer.json()["images"]] == ["not_an_image"] * 2


def test_parts_are_answered_when_asked_for(address):
    plain = send(address, png(pits=2)).json()["images"][0]
    assert plain["defects"]["pit"]["outlines"]
    assert plain["mask"] is None
    wished = send(address, png(pits=2), params={"include": ["mask", "overlay"]}).json()["images"][0]
    assert wished["defects"]["pit"]["outlines"] is None
    assert wished["mask"].startswith("data:image/png;base64,")
    assert wished["overlay"].startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"include": "everything"}, "got 'everything'"),
        ({"include": ["mask", "all"]}, "got 'all'"),
        ({"include": "mask,overlay"}, "got 'mask,overlay'"),
        ({"include": ""}, "got ''"),
        ({"include": "\u202emask"}, r"got '\u202emask'"),
        ({"inclued": "mask"}, "there is no parameter 'inclued'. The only one is 'include'"),
    ],
)
def test_a_wish_that_is_not_known_is_refused_with_all_that_are(address, parameters, said):
    answer = send(address, png(), params=parameters)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "wrong_parameter"
    message = answer.json()["error"]["message"]
    assert said in message
    assert "outlines, mask, overlay, preview" in message
    assert "inclued" in parameters or "For several repeat it: include=mask&include=" in message


def test_a_wrong_method_is_told_the_right_one(address):
    answer = requests.get(f"{address}/predict", timeout=20)
    assert answer.headers["Allow"] == "POST"
    assert answer.json()["error"]["message"].startswith("expected POST here, got 'GET'")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/page/index.html", 404, "not_found"),
        ("GET", "/../pyproject.toml", 404, "not_found"),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404, "not_found"),
        ("GET", "/docs", 404, "not_found"),
        ("GET", "/model/", 404, "not_found"),
        ("HEAD", "/", 405, None),
        ("OPTIONS", "/predict", 405, "wrong_method"),
        ("GET", "/predict", 405, "wrong_method"),
        ("DELETE", "/model", 405, "wrong_method"),
    ],
)
def test_what_is_not_there_is_refused(address, method, path, status, code):
    session = requests.Session()
    request = session.prepare_request(requests.Request(method, address))
    request.url = address + path
    answer = session.send(request, timeout=20)
    assert answer.status_code == status
    assert code is None or answer.json()["error"]["code"] == code


def test_the_model_says_what_it_is(address):
    model = requests.get(f"{address}/model", timeout=20).json()
    assert [(one["name"], one["number"]) for one in model["classes"]] == [
        ("pit", 1),
        ("scratch", 2),
    ]
    assert model["classes"][0]["color"] == "#e69f00"
    assert model["outlines"] is True
    assert model["card"]["limits"] == "Sees nothing else."
    assert model["limits"]["max_bytes"] == serving.FEW.max_bytes
    assert model["limits"]["max_images"] == 3


def test_a_model_in_a_file_is_named_without_its_folder(tmp_path):
    path = toys.save(tmp_path / "secret-place/mine.safetensors", "classifier", toys.GATE)
    header, predictor = checkpoints.load(path).header, load_predictor(path, runtime="pytorch")
    with serving.running(create_app(predictor, header), Limits()) as address:
        text = requests.get(f"{address}/model", timeout=20).text
    model = json.loads(text)
    assert model["name"] == "mine"
    assert model["sha256"] == checkpoints.load(path).sha256
    assert model["outlines"] is False
    assert "secret-place" not in text


def test_the_page_consists_of_its_files(address):
    page = resources.files("steel_defect_detection.web") / "page"
    kinds = {
        ".html": "text/html",
        ".css": "text/css",
        ".js": "text/javascript",
        ".json": "application/json",
    }
    for file in page.iterdir():
        path = "" if file.name == "index.html" else file.name
        answer = requests.get(f"{address}/{path}", timeout=20)
        assert answer.content == file.read_bytes()
        assert answer.headers["content-type"].startswith(kinds[f".{file.name.rpartition('.')[2]}"])


def test_the_page_names_no_other_address_and_holds_no_script():
    page = resources.files("steel_defect_detection.web") / "page"
    for file in page.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        assert 'src="//' not in text
        assert "innerHTML" not in text
        assert " style=" not in text
        assert " onclick=" not in text


def test_both_languages_have_all_texts_with_the_same_places():
    page = resources.files("steel_defect_detection.web") / "page"
    english, russian = json.loads((page / "texts.json").read_text(encoding="utf-8")).values()
    assert english.keys() == russian.keys()
    for name, text in english.items():
        places = [
            {part.split("}")[0] for part in one.split("{")[1:]} for one in (text, russian[name])
        ]
        assert places[0] == places[1], name


def test_the_description_of_the_interface_names_every_answer(address):
    description = requests.get(f"{address}/openapi.json", timeout=20).json()
    assert set(description["paths"]) == {"/predict", "/model", "/health", "/metrics"}
    predict = description["paths"]["/predict"]["post"]
    assert set(predict["requestBody"]["content"]) >= {
        "multipart/form-data",
        "image/png",
        "image/tiff",
    }
    assert set(predict["responses"]) >= {"200", "400", "401", "408", "413", "415", "422", "503"}


def test_the_guide_names_every_status(address):
    description = requests.get(f"{address}/openapi.json", timeout=20).json()
    described = {
        status
        for methods in description["paths"].values()
        for method in methods.values()
        for status in method["responses"]
    }
    guide = Path(__file__).parents[2] / "docs/how-to/serve-a-page.md"
    rows = [
        line.split("|")[1]
        for line in guide.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| \d{3}", line)
    ]
    named = {word for row in rows for word in re.findall(r"\d{3}", row)}
    assert named == (described | {"404", "405", "500"}) - {"200"}


def test_the_description_says_what_needs_a_token_if_there_is_one(address):
    with serving.running(serving.bright_app(token="correct-horse-battery")) as locked:
        locked_paths, open_paths = (
            {
                path: "security" in next(iter(methods.values()))
                for path, methods in description["paths"].items()
            }
            for description in (
                requests.get(f"{where}/openapi.json", timeout=20).json()
                for where in (locked, address)
            )
        )
        for path, needs_token in locked_paths.items():
            method = "POST" if path == "/predict" else "GET"
            status = requests.request(method, f"{locked}{path}", timeout=20).status_code
            assert (status == 401) == needs_token
    assert not any(open_paths.values())


def test_an_overload_says_when_to_come_back():
    predictor = Bright()
    predictor.go_on.clear()
    with serving.running(serving.bright_app(predictor)) as address:
        found = []
        first = threading.Thread(target=lambda: found.append(send(address, png(), png(), png())))
        first.start()
        wait_for(address, 3)
        answer = send(address, png(), png())
        assert answer.status_code == 503
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert answer.json()["error"]["message"].startswith(
            "3 images are waiting already, of at most 4"
        )
        predictor.go_on.set()
        first.join(30)
        assert found[0].status_code == 200
        assert send(address, png(), png()).ok


def test_too_many_requests_at_the_same_time_are_turned_away():
    predictor, one = Bright(), Limits(requests=1, queue=4, max_images=1, timeout=20)
    predictor.go_on.clear()
    with serving.running(serving.bright_app(predictor, limits=one), one) as address:
        first = threading.Thread(target=send, args=(address, png()))
        first.start()
        time.sleep(0.3)
        answer = requests.get(f"{address}/health", timeout=20)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "2"
        assert "1 requests are under way already" in answer.text
        predictor.go_on.set()
        first.join(30)


def test_an_answer_that_takes_too_long_is_given_up_and_its_images_leave_the_line():
    predictor, hasty = Bright(), Limits(queue=4, max_images=2, timeout=0.5)
    predictor.go_on.clear()
    with serving.running(serving.bright_app(predictor, limits=hasty), hasty) as address:
        answer = send(address, png(), png())
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
        assert "the images were not judged within 0.5 seconds" in answer.text
        wait_for(address, 1)  # the one that has begun
        time.sleep(1)
        health = requests.get(f"{address}/health", timeout=20)
        assert (health.status_code, health.json()["status"]) == (503, "stuck")
        predictor.go_on.set()
        wait_for(address, 0)


def test_images_of_those_who_hang_up_leave_the_line():
    predictor = Bright()
    predictor.go_on.clear()
    with serving.running(serving.bright_app(predictor)) as address:
        with pytest.raises(requests.ReadTimeout):
            requests.post(
                f"{address}/predict", files=[("images", ("a.png", png()))] * 3, timeout=(5, 0.3)
            )
        wait_for(address, 1)  # the one that has begun
        predictor.go_on.set()
        wait_for(address, 0)


def test_an_image_is_judged_as_sdd_predict_judges_it(tmp_path):
    path = toys.save_cascade(tmp_path)
    header, predictor = checkpoints.load(path).header, load_predictor(path, runtime="pytorch")
    files = sorted(toys.strips(tmp_path / "strips").iterdir())
    with serving.running(create_app(predictor, header), Limits()) as address:
        found = send(address, *[file.read_bytes() for file in files]).json()["images"]
    for file, answer in zip(files, found, strict=True):
        said = predictor.predict(file)
        assert answer["verdict"] == said.verdict
        assert answer["class"] == said.class_name
        assert answer["certainty"] == pytest.approx(said.certainty)
        assert answer["familiarity"] == pytest.approx(said.familiarity)
        assert {name: one["area"] for name, one in answer["defects"].items()} == {
            name: area for name, area in zip(toys.CLASSES, said.areas.tolist(), strict=True) if area
        }


def test_nothing_is_kept(tmp_path, monkeypatch):
    for name in ("TMPDIR", "HOME", "SDD_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    with serving.running(serving.bright_app()) as address:
        assert send(address, images.encode(noise, "noise.png")).ok
    assert list(tmp_path.iterdir()) == []


def wait_for(address, count):
    """Wait until so many images are in the line."""
    until = time.monotonic() + 20
    while requests.get(f"{address}/health", timeout=20).json()["queue"] != count:
        assert time.monotonic() < until
        time.sleep(0.02)
