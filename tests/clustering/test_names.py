import re

import pytest

from steel_defect_detection.clustering import names
from steel_defect_detection.clustering.methods import NOISE
from steel_defect_detection.clustering.names import Named
from steel_defect_detection.errors import ConfigError

BOTH_FORMS = '{"0": {"name": "scratches", "severity": "strong"}, "1": " holes "}'


def test_names_are_read_from_a_file_or_as_they_stand(tmp_path):
    (tmp_path / "names.json").write_text(BOTH_FORMS)
    expected = {"0": Named(name="scratches", severity="strong"), "1": Named(name="holes")}
    assert names.read(tmp_path / "names.json") == names.read(BOTH_FORMS) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere.json", "names 'nowhere.json': expected a file of JSON, or {"),
        ('{"0": ', "the names are no JSON such as {"),
        ('{"0": 3}', "cluster '0': expected a name, or a name and a severity, of one line each"),
        ('{"0": {"name": "a", "colour": "red"}}', 'got {"name": "a", "colour": "red"}'),
        ('{"0": {"severity": "weak"}}', 'got {"severity": "weak"}'),
        ('{"0": "two\\nlines"}', "of one line each"),
        ('{"0": "  "}', "expected a name"),
        ('{"0": "a", "0": "b"}', "the names hold '0' twice"),
    ],
)
def test_bad_maps_are_refused(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        names.read(text)


def test_a_file_that_is_no_map_is_refused(tmp_path):
    (tmp_path / "names.json").write_text("[1, 2]")
    with pytest.raises(ConfigError, match=r"expected names such as .*, got '\[1, 2\]'"):
        names.read(tmp_path / "names.json")


def test_clusters_that_are_not_named_keep_their_names():
    given = names.given(names.unnamed(3, noise=True), names.read('{"1": "holes"}'))
    assert given.classes == ("cluster_0", "holes", "cluster_2", "noise")
    assert given.class_number(NOISE) == 3
    again = names.given(given, names.read('{"noise": "rest", "0": "rust"}'))
    assert again.classes == ("rust", "holes", "cluster_2", "rest")


def test_clusters_of_one_name_are_one_class_of_one_severity():
    said = names.read('{"0": "rust", "1": "pits", "2": {"name": "rust", "severity": "weak"}}')
    given = names.given(names.unnamed(3), said)
    assert given.classes == ("rust", "pits")
    assert [given.class_number(cluster) for cluster in range(3)] == [0, 1, 0]
    assert given.of(0) == Named(name="rust", severity="weak")
    assert given.joined() == {"rust": ["0", "2"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"3": "rust"}', "there is no cluster '3' to name; there are 0, 1, 2"),
        ('{"noise": "rust"}', "there is no cluster 'noise' to name"),
        (
            '{"0": {"name": "a", "severity": "weak"}, "2": {"name": "a", "severity": "strong"}}',
            "clusters 0 and 2 are all called 'a', but with the severities strong and weak. Give",
        ),
    ],
)
def test_names_that_do_not_fit_are_refused(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        names.given(names.unnamed(3), names.read(text))
