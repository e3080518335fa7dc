import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import layouts, severstal, writing
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, MaskError, ResultsError
from tests.datasets.drawn import Masks, entry


def drawn_masks(count, *, overlap=False):
    masks = np.zeros((count, 6, 8), dtype=np.bool_)
    for number in range(count):
        masks[number, number, : number + 2] = True
    masks[0, 1, 0] |= overlap
    return masks


def assert_same(dataset, folder, layout):
    """What is read back has the same pixels, classes and annotations, in whatever order."""
    assert layouts.recognise(folder) == layout
    read = layouts.read(folder)
    assert read.classes == dataset.classes
    assert len(read) == len(dataset)
    truth = {sample.image[..., 0].tobytes(): sample for sample in dataset}
    for sample in read:
        other = truth[sample.image[..., 0].tobytes()]
        assert np.array_equal(sample.labels, other.labels)
        assert (sample.masks is None) == (other.masks is None)
        assert sample.masks is None or np.array_equal(sample.masks, other.masks)


@pytest.mark.parametrize("classes", [("crack",), ("pit", "in/clusion"), ("a", "b", "c", "ä €")])
def test_masks_of_any_classes_are_read_back_as_they_were(tmp_path, classes):
    clean = np.zeros((len(classes), 6, 8))
    entries = (
        entry("x/1.png", np.full((6, 8), 10), drawn_masks(len(classes))),
        entry("y/1.jpg", np.full((6, 8), 20), clean),
        entry("no ending", np.full((6, 8), 30), drawn_masks(len(classes))[:, ::-1]),
    )
    dataset = Dataset(classes=classes, entries=entries)
    assert writing.write(dataset, tmp_path) == "mask-folders"
    assert_same(dataset, tmp_path, "mask-folders")


def test_masks_of_the_severstal_classes_become_runs_which_may_overlap(tmp_path):
    entries = (
        entry("1.png", np.full((6, 8), 10), drawn_masks(4, overlap=True)),
        entry("2.png", np.full((6, 8), 20), np.zeros((4, 6, 8))),
    )
    dataset = Dataset(classes=severstal.CLASSES, entries=entries)
    assert writing.write(dataset, tmp_path) == "severstal"
    assert_same(dataset, tmp_path, "severstal")


def test_overlapping_classes_fit_into_no_label_map(tmp_path):
    entries = (entry("1.png", np.full((6, 8), 10), drawn_masks(2, overlap=True)),)
    dataset = Dataset(classes=("pit", "crack"), entries=entries)
    with pytest.raises(MaskError, match="classes 1, 2 overlap"):
        writing.check(dataset[0])


@pytest.mark.parametrize("classes", [("good", "pit"), ("image", "pit", "a,b"), ("0", "7")])
def test_labels_are_read_back_as_they_were(tmp_path, classes):
    rows = [*np.eye(len(classes), dtype=bool).tolist(), [False] * len(classes)]
    entries = tuple(
        entry(f"{number}", np.full((6, 8), number), labels=tuple(row))
        for number, row in enumerate(rows)
    )
    dataset = Dataset(classes=classes, entries=entries)
    assert writing.write(dataset, tmp_path) == "label-files"
    assert_same(dataset, tmp_path, "label-files")


def test_labels_of_one_class_alone_are_refused(tmp_path):
    dataset = Dataset(classes=("pit",), entries=(entry("1", np.ones((6, 8)), labels=(True,)),))
    with pytest.raises(AnnotationError, match="labels of the one class 'pit'"):
        writing.write(dataset, tmp_path)
    assert not list(tmp_path.iterdir())


def test_image_files_are_copied_byte_for_byte(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    images.write(tmp_path / "in" / "A b.JPG", picture)
    original = tmp_path / "in" / "A b.JPG"
    entries = (
        Entry(name="A b.JPG", path=original, masks=Masks(drawn_masks(2)), group="7", part="test"),
    )
    writing.write(Dataset(classes=("pit", "crack"), entries=entries), tmp_path / "out")
    assert (tmp_path / "out/images/A_b.jpg").read_bytes() == original.read_bytes()
    assert (tmp_path / "out/sources.csv").read_text() == (
        f"image,source,file,group,part\nimages/A_b.jpg,A b.JPG,{original},7,test\n"
    )


def test_two_data_sets_are_never_mixed(tmp_path):
    one, other = (
        Dataset(
            classes=("pit", "crack"),
            entries=(entry(name, np.ones((6, 8)), drawn_masks(2)),),
        )
        for name in ("a.png", "b.png")
    )
    writing.write(one, tmp_path)
    writing.write(one, tmp_path)
    with pytest.raises(ResultsError, match=r"holds 2 files .* first: images/a\.png"):
        writing.write(other, tmp_path)
    assert layouts.read(tmp_path).names == ("images/a.png",)


def test_samples_may_come_in_any_order_and_their_masks_as_pictures_too(tmp_path):
    masks = np.zeros((4, 6, 8), dtype=np.bool_)
    masks[2, 1:3, 1:3] = True
    entries = tuple(entry(f"{n}.png", np.full((6, 8), 10 * n), masks) for n in range(3))
    dataset = Dataset(classes=severstal.CLASSES, entries=entries)
    writer = writing.Writer(dataset, tmp_path, outlined={1}, beside=("more.txt",))
    (tmp_path / "more.txt").touch()
    for number in (2, 0, 1):
        writer.add(number, dataset[number], made_from=("x", "y") if number == 1 else ())
    writer.finish()
    assert writer.layout == "severstal"
    assert writer.images == ("train_images/0.png", "train_images/1.png", "train_images/2.png")
    assert writer.masks == ("", "masks/1.png", "")
    assert np.array_equal(images.read(tmp_path / "masks/1.png")[..., 0], masks[2] * np.uint8(3))
    assert layouts.read(tmp_path).names == ("0.png", "1.png", "2.png")
    assert "train_images/1.png,1.png,,x|y," in (tmp_path / "sources.csv").read_text()


def test_a_writer_refuses_strangers_and_images_without_labels(tmp_path):
    dataset = Dataset(classes=("a", "b"), entries=(entry("1.png", np.zeros((6, 8))),))
    writer = writing.Writer(dataset, tmp_path)
    with pytest.raises(AnnotationError, match=r"1\.png has no labels"):
        writer.add(0, dataset[0])
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ResultsError, match=r"holds 1 files that would be mixed"):
        writing.Writer(dataset, tmp_path)
