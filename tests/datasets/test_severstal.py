import re

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import severstal
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError


def write_table(folder, *rows: str, header: str = "ImageId,ClassId,EncodedPixels") -> None:
    (folder / "train.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def test_images_without_a_row_are_clean(tiny_severstal):
    dataset = severstal.read(tiny_severstal)
    assert dataset.names == tuple(f"sheet-{number}.png" for number in range(8))
    assert dataset.labels().sum(axis=0).tolist() == [0, 0, 4, 0]
    assert not dataset[0].masks.any()


def test_runs_become_the_mask_of_their_class(tiny_severstal):
    sample = severstal.read(tiny_severstal)[1]
    assert sample.image.shape == (64, 96, 3)
    rows, columns = sample.masks[2].nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 47, 24, 55)
    assert sample.labels.tolist() == [False, False, True, False]


def test_classes_that_overlap_keep_their_own_pixels(tiny_severstal):
    # The strip system added the numbers of classes up: 1 and 3 on one pixel became class 4.
    write_table(tiny_severstal, "sheet-0.png,1,1 4", "sheet-0.png,3,3 4")
    sample = severstal.read(tiny_severstal)[0]
    assert sample.labels.tolist() == [True, False, True, False]
    assert [mask[:, 0].nonzero()[0].tolist() for mask in sample.masks] == [
        [0, 1, 2, 3],
        [],
        [2, 3, 4, 5],
        [],
    ]


def test_the_older_table_says_the_same(tiny_severstal):
    new = severstal.read(tiny_severstal)
    table = (tiny_severstal / "train.csv").read_text().splitlines()[1:]
    runs = {tuple(row.split(",")[:2]): row.split(",")[2] for row in table}
    rows = [
        f"{name}_{number},{runs.get((name, str(number)), '')}"
        for name in new.names
        for number in range(1, 5)
    ]
    write_table(tiny_severstal, *rows, header="ImageId_ClassId,EncodedPixels")
    old = severstal.read(tiny_severstal)
    assert (old.labels() == new.labels()).all()
    assert (old[1].masks == new[1].masks).all()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param(
            "sheet-1.png,5,1 3",
            "train.csv line 2: class '5', but Severstal has classes 1 to 4",
            id="class",
        ),
        pytest.param(
            "sheet-1.png,3,1 2 3",
            "train.csv line 2: expected pairs of start and length, got 3 numbers",
            id="odd",
        ),
        pytest.param(
            "sheet-1.png,3,0 3", "train.csv line 2: expected positive integers, got '0'", id="zero"
        ),
        pytest.param("sheet-1.png,3", "train.csv line 2: the count of cells differs", id="cells"),
        pytest.param("sheet-1.png,3,", "train.csv line 2: no runs", id="empty"),
        pytest.param(
            "lost.png,3,1 3",
            "1 images of train.csv are not in train_images, first: lost.png",
            id="orphan",
        ),
    ],
)
def test_a_bad_row_is_named_with_its_line(tiny_severstal, row, message):
    write_table(tiny_severstal, row)
    with pytest.raises(AnnotationError, match=re.escape(message)):
        severstal.read(tiny_severstal)


def test_a_repeated_row_is_named_with_both_lines(tiny_severstal):
    write_table(tiny_severstal, "sheet-1.png,3,1 3", "sheet-2.png,3,1 3", "sheet-1.png,3,9 3")
    message = "train.csv line 4: class 3 of sheet-1.png stands already in train.csv line 2"
    with pytest.raises(AnnotationError, match=re.escape(message)):
        severstal.read(tiny_severstal)


def test_all_problems_are_told_at_once_up_to_ten(tiny_severstal):
    write_table(tiny_severstal, *[f"sheet-1.png,{number},1 3" for number in range(5, 17)])
    with pytest.raises(AnnotationError) as caught:
        severstal.read(tiny_severstal)
    assert str(caught.value).count("train.csv line") == 10
    assert str(caught.value).endswith("and 2 more problems")


def test_a_run_outside_the_image_is_named_with_its_line(tiny_severstal):
    write_table(tiny_severstal, "sheet-1.png,3,6140 6")
    message = (
        "train.csv line 2 (sheet-1.png, class 3): run 6140 6 ends at pixel 6145, "
        "but a 64 x 96 mask has 6144 pixels"
    )
    with pytest.raises(AnnotationError, match=re.escape(message)):
        severstal.read(tiny_severstal)[1]


def test_other_columns_are_refused(tiny_severstal):
    write_table(tiny_severstal, "x,y", header="a,b")
    with pytest.raises(AnnotationError, match="has the columns 'a,b', expected"):
        severstal.read(tiny_severstal)


@pytest.mark.parametrize("missing", ["train.csv", "train_images"])
def test_a_folder_without_the_data_says_how_to_get_it(tiny_severstal, missing):
    (tiny_severstal / missing).rename(tiny_severstal / "elsewhere")
    message = f"{missing} is missing. Download it with: sdd-download severstal, which makes"
    with pytest.raises(DatasetNotFoundError, match=re.escape(message)):
        severstal.read(tiny_severstal)


def test_no_images_is_no_data_set(tiny_severstal):
    for path in (tiny_severstal / "train_images").iterdir():
        path.unlink()
    with pytest.raises(DatasetNotFoundError, match="train_images"):
        severstal.read(tiny_severstal)


def test_folders_below_the_images_are_none_of_the_data_set(tiny_severstal):
    images.write(tiny_severstal / "train_images/more/sheet-0.png", np.zeros((9, 9), np.uint8))
    assert severstal.read(tiny_severstal)[0].shape == (64, 96)


def test_runs_of_any_length_are_read(tiny_severstal):
    runs = " ".join(f"{start} 1" for start in range(1, 60_000, 2))
    write_table(tiny_severstal, f"sheet-1.png,3,{runs}")
    assert len(runs) > 131_072
    assert severstal.read(tiny_severstal).labels()[1].any()


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_table_in_another_encoding_is_refused(tiny_severstal, encoding):
    header = "ImageId,ClassId,EncodedPixels\n"
    (tiny_severstal / "train.csv").write_bytes((header + "häuser.png,3,1 3\n").encode(encoding))
    with pytest.raises(AnnotationError, match="is no table of text in UTF-8"):
        severstal.read(tiny_severstal)


def test_the_layout_is_recognised(tiny_severstal):
    assert severstal.is_layout(tiny_severstal)
    assert not severstal.is_layout(tiny_severstal / "train_images")


@pytest.mark.real_data
def test_the_real_folder_has_26_images_with_14_masks(real_data):
    dataset = severstal.read(real_data / "severstal")
    assert len(dataset) == 26
    assert dataset.labels().sum(axis=0).tolist() == [2, 1, 5, 6]
    sample = dataset[dataset.names.index("000a4bcdd.jpg")]
    assert sample.image.shape == (256, 1600, 3)
    assert images.read(real_data / "severstal" / "train_images" / sample.name).dtype == np.uint8
    # The first run of the table, "37607 3": column 146, rows 230 to 232, counted from 0.
    assert sample.masks[0, :, 146].nonzero()[0].tolist() == [230, 231, 232]
