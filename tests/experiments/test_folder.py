"""Which study a folder belongs to."""

import json

import pytest

from steel_defect_detection.errors import ConfigError, ResultsError
from steel_defect_detection.experiments import folder, grid, parts
from tests.experiments.small_studies import TINY, entries, study

LABELS = [(True, False)] * 6 + [(False, True)] * 6


def claim(home, asked, labels=LABELS, *, resume=False, overwrite=False):
    variants = grid.variants(asked)
    images = parts.deal(asked, variants[0].stages()[0], entries(labels), None)
    folder.claim(home, asked, variants, images, resume=resume, overwrite=overwrite)


def test_the_same_study_goes_on_whatever_is_said_of_it(tmp_path):
    claim(tmp_path, study())
    claim(tmp_path, study(description="other words", runs=9), resume=True)
    claim(tmp_path, study(base=TINY | {"workers": 5, "device": "cuda"}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base": TINY | {"epochs": 3}}, "base.epochs was 2 and is 3"),
        ({"axes": {"learning_rate": [0.1]}}, "axes.learning_rate was [0.001, 0.01] and is [0.1]"),
        ({"axes": {"flips": [True]}}, "axes.learning_rate was [0.001, 0.01] and is gone"),
        ({"part": "test"}, 'part was "validation" and is "test"'),
        ({"base": TINY | {"momentum": 0.5}}, "base.momentum is new: 0.5"),
        ({"folds": 2}, "folds was 0 and is 2"),
    ],
)
def test_another_study_is_refused_with_what_differs(tmp_path, changes, said):
    claim(tmp_path, study())
    with pytest.raises(ConfigError) as caught:
        claim(tmp_path, study(**changes))
    assert said in str(caught.value)
    assert "Choose another --output, or add --overwrite" in str(caught.value)


def test_the_same_words_for_other_settings_are_refused(tmp_path):
    claim(tmp_path, study())
    known = json.loads((tmp_path / folder.VARIANTS).read_text())
    known["learning_rate=0.01"]["settings"]["momentum"] = 0.8
    (tmp_path / folder.VARIANTS).write_text(json.dumps(known))
    with pytest.raises(ConfigError, match=r"learning_rate=0.01.settings.momentum was 0.8 and is 0"):
        claim(tmp_path, study())


def test_other_images_are_refused(tmp_path):
    claim(tmp_path, study())
    with pytest.raises(ConfigError, match="the images, their labels or their split are others"):
        claim(tmp_path, study(), LABELS[1:])


def test_to_go_on_there_must_be_a_study(tmp_path):
    with pytest.raises(ConfigError, match="resume: there is no study in"):
        claim(tmp_path / "none", study(), resume=True)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ResultsError, match=r"is not empty: it holds letter.txt"):
            claim(tmp_path, study(), overwrite=overwrite)


def test_to_begin_anew_deletes_the_runs_and_nothing_else(tmp_path):
    claim(tmp_path, study())
    for name in (folder.RUNS, folder.SYNTHETIC):
        (tmp_path / name / "old").mkdir(parents=True)
    (tmp_path / "letter.txt").write_text("mine")
    claim(tmp_path, study(base=TINY | {"epochs": 9}), overwrite=True)
    assert not (tmp_path / folder.RUNS).exists()
    assert not (tmp_path / folder.SYNTHETIC).exists()
    assert (tmp_path / "letter.txt").exists()
    assert json.loads((tmp_path / folder.STUDY).read_text())["base"]["epochs"] == 9


def test_a_damaged_study_is_refused(tmp_path):
    claim(tmp_path, study())
    (tmp_path / folder.VARIANTS).write_text("{")
    with pytest.raises(ResultsError, match="holds a damaged study"):
        claim(tmp_path, study())
