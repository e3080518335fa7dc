import re

import numpy as np
import pytest
from PIL import Image

from steel_defect_detection import images
from steel_defect_detection.datasets import mask_folders
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError, ImageError

CLEAN = np.zeros((6, 8), dtype=np.uint8)


def mask(value, column=2):
    values = CLEAN.copy()
    values[:, column] = value
    return values


def draw(folder, **named_masks):
    for name, values in named_masks.items():
        images.write(folder / "images/coil" / f"{name}.jpg", np.full((6, 8), 90, dtype=np.uint8))
        images.write(folder / "masks/coil" / f"{name}.png", values)
    return folder


def test_black_and_white_masks_are_one_class(tmp_path):
    dataset = mask_folders.read(draw(tmp_path, a=mask(255), b=CLEAN))
    assert dataset.classes == ("defect",)
    assert dataset.names == ("images/coil/a.jpg", "images/coil/b.jpg")
    assert dataset.labels().tolist() == [[True], [False]]
    assert dataset[0].masks.nonzero()[2].tolist() == [2] * 6


def test_label_maps_are_one_class_per_value(tmp_path):
    dataset = mask_folders.read(draw(tmp_path, a=mask(3), b=mask(1)))
    assert dataset.classes == ("class_1", "class_2", "class_3")
    assert dataset.labels().tolist() == [[False, False, True], [True, False, False]]
    assert dataset[0].labels.tolist() == [False, False, True]


def test_a_file_may_name_the_classes(tmp_path):
    draw(tmp_path, a=mask(2))
    (tmp_path / "classes.txt").write_text("pits\nscratches\nrust\n")
    assert mask_folders.read(tmp_path).classes == ("pits", "scratches", "rust")


@pytest.mark.parametrize("white", [1, 255])
def test_one_named_class_may_be_white_or_one(tmp_path, white):
    draw(tmp_path, a=mask(white))
    (tmp_path / "classes.txt").write_text("rust\n")
    dataset = mask_folders.read(tmp_path)
    assert dataset.classes == ("rust",)
    assert dataset[0].masks.sum() == 6


def test_clean_images_need_no_masks(tmp_path):
    draw(tmp_path, a=mask(2))
    images.write(tmp_path / "clean/z.png", np.full((5, 5), 90, dtype=np.uint8))
    dataset = mask_folders.read(tmp_path)
    assert dataset.names == ("clean/z.png", "images/coil/a.jpg")
    assert dataset.defective().tolist() == [False, True]
    assert dataset[0].masks.shape == (2, 5, 5)


def test_an_image_is_not_clean_and_outlined_at_once(tmp_path):
    draw(tmp_path, a=mask(2))
    (image,) = (tmp_path / "images").rglob("*.jpg")
    copy = tmp_path / "clean" / image.relative_to(tmp_path / "images")
    copy.parent.mkdir(parents=True)
    copy.write_bytes(image.read_bytes())
    with pytest.raises(AnnotationError, match=r"coil/a\.jpg lies in images/ and the same in clean"):
        mask_folders.read(tmp_path)
    # Two coils may count their images alike.
    images.write(copy, np.full((5, 5), 90, dtype=np.uint8))
    assert len(mask_folders.read(tmp_path)) == 2


@pytest.mark.parametrize("name", ["masks", "annotations", "labels", "ground_truth"])
def test_the_folder_of_masks_has_several_names(tmp_path, name):
    draw(tmp_path, a=mask(1))
    (tmp_path / "masks").rename(tmp_path / name)
    assert mask_folders.is_layout(tmp_path)
    assert len(mask_folders.read(tmp_path)) == 1


def test_everything_that_is_wrong_is_named_at_once(tmp_path):
    draw(tmp_path, a=mask(1), b=mask(1), c=mask(1), d=mask(1), e=mask(1), f=mask(1))
    (tmp_path / "classes.txt").write_text("rust\npits\n")
    home = tmp_path / "masks/coil"
    (home / "a.png").unlink()
    (tmp_path / "images/coil/b.jpg").unlink()
    images.write(home / "c.png", np.zeros((5, 8), dtype=np.uint8))
    images.write(home / "d.png", mask(3))
    images.write(home / "e.png", np.dstack([mask(1), CLEAN, CLEAN]))
    (home / "f.png").write_bytes(b"no picture")
    with pytest.raises(AnnotationError) as caught:
        mask_folders.read(tmp_path)
    for message in (
        "a.jpg has no mask; if it is free of defects, move it to clean/",
        "b.png has no image",
        "c.png is 8 x 5, its image 8 x 6",
        "d.png: value 3, but there are 2 classes (0 is background)",
        "e.png is coloured, but masks are grey",
        "f.png is not an image",
    ):
        assert message in str(caught.value)


def test_two_images_of_one_stem_are_refused(tmp_path):
    draw(tmp_path, a=mask(1))
    images.write(tmp_path / "images/coil/a.png", CLEAN)
    with pytest.raises(AnnotationError, match=re.escape("have the same stem")):
        mask_folders.read(tmp_path)


def test_folders_that_are_missing_are_named(tmp_path):
    (tmp_path / "images").mkdir()
    message = "expected the folders images and masks"
    with pytest.raises(DatasetNotFoundError, match=message):
        mask_folders.read(tmp_path)
    (tmp_path / "masks").mkdir()
    with pytest.raises(DatasetNotFoundError, match="there are no images in"):
        mask_folders.read(tmp_path)


def test_label_maps_in_sixteen_bits_are_read_as_they_are(tmp_path):
    draw(tmp_path, a=mask(1), b=CLEAN)
    Image.fromarray(mask(3).astype(np.uint16)).save(tmp_path / "masks/coil/a.png")
    dataset = mask_folders.read(tmp_path)
    assert dataset.classes == ("class_1", "class_2", "class_3")
    assert dataset.labels().tolist() == [[False, False, True], [False] * 3]
    assert dataset[0].masks[2].sum() == 6


def test_white_in_sixteen_bits_is_white(tmp_path):
    draw(tmp_path, a=mask(1))
    Image.fromarray(mask(1).astype(np.uint16) * 65535).save(tmp_path / "masks/coil/a.png")
    assert mask_folders.read(tmp_path)[0].masks.sum() == 6


@pytest.mark.parametrize("value", [1, 80])
def test_label_maps_among_masks_of_black_and_white_are_refused(tmp_path, value):
    draw(tmp_path, a=mask(255), b=mask(value))
    with pytest.raises(AnnotationError, match=rf"b\.png: value {value} is neither black nor white"):
        mask_folders.read(tmp_path)


def test_a_label_map_with_white_pixels_is_refused(tmp_path):
    void = mask(3)
    void[0, 0] = 255
    with pytest.raises(AnnotationError, match=r"a\.png: value 3 is neither black nor white"):
        mask_folders.read(draw(tmp_path, a=void))


def test_smoothed_edges_are_no_label_map(tmp_path):
    smooth = np.tile(np.linspace(0, 255, 8).astype(np.uint8), (6, 1))
    assert mask_folders.read(draw(tmp_path, a=smooth))[0].masks.sum() == 6 * 4


@pytest.mark.parametrize("names", ["", "pits\nrust\n"])
def test_photographs_in_place_of_masks_are_recognised(tmp_path, names):
    photograph = np.arange(48, 48 + 160, dtype=np.uint8).reshape(8, 20)
    images.write(tmp_path / "images/a.png", photograph)
    images.write(tmp_path / "masks/a.png", photograph)
    (tmp_path / "classes.txt").write_text(names)
    with pytest.raises(AnnotationError, match="are images and masks swapped"):
        mask_folders.read(tmp_path)


def test_masks_of_black_and_white_as_jpeg_are_no_photographs(tmp_path):
    image = np.zeros((64, 64), dtype=np.uint8)
    image[20:40, 20:40] = np.random.default_rng(0).integers(0, 2, (20, 20)) * 255
    images.write(tmp_path / "images/a.png", image)
    images.write(tmp_path / "masks/a.jpg", image)
    (tmp_path / "classes.txt").write_text("pits\nrust\n")
    with pytest.raises(AnnotationError, match="JPEG changes values: store masks as PNG"):
        mask_folders.read(tmp_path)


def test_the_background_has_no_line(tmp_path):
    draw(tmp_path, a=mask(1))
    (tmp_path / "classes.txt").write_text("Background\npits\n")
    with pytest.raises(AnnotationError, match="begins with 'Background', but its first line names"):
        mask_folders.read(tmp_path)


def test_masks_of_black_and_white_have_one_class(tmp_path):
    draw(tmp_path, a=mask(255))
    (tmp_path / "classes.txt").write_text("pits\nrust\n")
    with pytest.raises(AnnotationError, match=r"\. Black and white masks have one class"):
        mask_folders.read(tmp_path)


def test_masks_of_other_names_are_told_as_such(tmp_path):
    for name in ("a", "b"):
        images.write(tmp_path / "images" / f"{name}.png", np.full((4, 6), 90, dtype=np.uint8))
        images.write(tmp_path / "masks" / f"{name}_mask.png", np.ones((4, 6), dtype=np.uint8))
    with pytest.raises(AnnotationError) as caught:
        mask_folders.read(tmp_path)
    message = str(caught.value)
    assert message.startswith("2 masks with another name than any image, such as a_mask.png: ")
    assert "move it to clean/" not in message


def test_numbers_of_a_palette_are_classes(tmp_path):
    images.write(tmp_path / "images/a.png", np.full((4, 6), 90, dtype=np.uint8))
    numbers = np.zeros((4, 6), dtype=np.uint8)
    numbers[1, 2:4], numbers[3] = 1, 2
    picture = Image.fromarray(numbers, "P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    (tmp_path / "masks").mkdir()
    picture.save(tmp_path / "masks/a.png")
    (tmp_path / "classes.txt").write_text("pit\nscratch\n")
    (sample,) = mask_folders.read(tmp_path)
    np.testing.assert_array_equal(sample.masks, [numbers == 1, numbers == 2])


def test_an_image_without_a_header_is_left_to_whoever_reads_it(tmp_path):
    images.write(tmp_path / "masks/a.png", np.ones((4, 6), dtype=np.uint8))
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").touch()
    dataset = mask_folders.read(tmp_path)
    assert dataset.entries[0].labels == (True,)
    with pytest.raises(ImageError, match="it is empty"):
        dataset[0]
