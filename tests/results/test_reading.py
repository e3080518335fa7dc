import os
import re

import pytest

from steel_defect_detection import results
from steel_defect_detection.errors import ResultsError
from tests.results.runs import defect, write


def test_names_that_look_like_numbers_stay_texts(tmp_path):
    write(tmp_path, defect("001"), defect("NA"))
    assert results.read_images(tmp_path).file.tolist() == ["001", "NA"]
    assert results.read_predictions(tmp_path).ImageId.tolist() == ["001", "001", "NA", "NA"]


def test_a_folder_without_results_says_so(tmp_path):
    with pytest.raises(ResultsError, match=re.escape("images.csv cannot be read")):
        results.read_images(tmp_path)


def test_another_table_is_no_results(tmp_path):
    (tmp_path / "images.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ResultsError, match="the column 'file' is missing"):
        results.read_images(tmp_path)


def test_a_path_of_a_table_is_that_of_the_file(tmp_path):
    r"""Names that are no text are escaped in tables; a name may also look like that."""
    assert results.path_of(tmp_path, "masks/a.png") == tmp_path / "masks/a.png"
    escaped = r"masks/\udcff.png"
    assert os.fsencode(results.path_of(tmp_path, escaped)).endswith(b"masks/\xff.png")
    (tmp_path / "masks").mkdir()
    (tmp_path / escaped).write_bytes(b"")
    assert results.path_of(tmp_path, escaped) == tmp_path / escaped


def test_a_table_that_excel_has_saved_with_semicolons_is_explained(tmp_path):
    (tmp_path / "images.csv").write_text("file;image_id;verdict\na.png;a;clean\n")
    with pytest.raises(ResultsError, match=r"is missing\. Its cells are parted by semicolons"):
        results.read_images(tmp_path)
