import numpy as np
import pytest

from steel_defect_detection.datasets import duplicates
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.datasets.duplicates import Place
from steel_defect_detection.evaluation import look_alikes
from tests.datasets.drawn import draw, entry

CLASSES = ("pits", "rust")
ONE, OTHER = draw(0, (96, 96))[..., 0], draw(1, (96, 96))[..., 0]
PITS, RUST, BOTH = (True, False), (False, True), (True, True)


def found(entries, labels):
    dataset = Dataset(classes=CLASSES, entries=tuple(entries))
    links = duplicates.find(one.read_image() for one in entries)
    return look_alikes.find(dataset, np.array(labels, dtype=np.bool_), links)


def place(rows, columns):
    mask = np.zeros((2, 96, 96), dtype=np.bool_)
    mask[0, rows, columns] = True
    return mask


def test_a_copy_with_another_label_is_listed_beside_its_original():
    entries = [entry("a", ONE), entry("b", OTHER), entry("c", np.rot90(ONE))]
    (suspect,) = found(entries, [PITS, PITS, BOTH])
    assert (suspect.image, suspect.beside) == ("c", "a")
    assert (suspect.labelled, suspect.suggested) == ("pits and rust", "pits")
    assert suspect.reason == "look-alike with other labels"
    assert suspect.score == suspect.certainty == 0.5


def test_copies_that_agree_and_others_that_do_not_are_fine():
    entries = [entry("a", ONE), entry("b", OTHER), entry("c", ONE)]
    assert found(entries, [PITS, RUST, PITS]) == []


def test_the_majority_of_a_group_is_right():
    entries = [entry(name, np.rot90(ONE, turn)) for turn, name in enumerate("abc")]
    (suspect,) = found(entries, [RUST, PITS, PITS])
    assert (suspect.image, suspect.suggested, suspect.beside) == ("a", "pits", "b")
    assert (suspect.score, suspect.certainty) == pytest.approx((1 / 3, 2 / 3))


def test_copies_outlined_in_other_places_are_listed():
    entries = [
        entry("a", ONE, place(slice(0, 20), slice(0, 20))),
        entry("b", ONE, place(slice(10, 30), slice(0, 20))),
    ]
    (suspect,) = found(entries, [PITS, PITS])
    assert suspect.reason == "look-alike with other outlines"
    assert (suspect.image, suspect.beside) == ("b", "a")
    # 200 pixels in common, 600 in all.
    assert suspect.score == pytest.approx(1 / 3)


@pytest.mark.parametrize("way", range(8))
def test_outlines_are_turned_like_their_image(way):
    mask = place(slice(0, 40), slice(10, 30))
    turned = np.array([duplicates.turns(layer)[way] for layer in mask])
    picture = duplicates.turns(ONE)[way]
    right = [entry("a", ONE, mask), entry("b", picture, turned)]
    assert found(right, [PITS, PITS]) == []
    elsewhere = [entry("a", ONE, mask), entry("b", picture, turned[:, ::-1, ::-1])]
    assert len(found(elsewhere, [PITS, PITS])) == 1


def test_labels_alone_are_not_compared_as_outlines():
    assert found([entry("a", ONE), entry("b", ONE)], [PITS, PITS]) == []
    bare = np.zeros((2, 96, 96), dtype=np.bool_)
    clean = (False, False)
    assert found([entry("a", ONE, bare), entry("b", ONE, bare)], [clean, clean]) == []


def test_masks_of_another_size_and_class_are_compared():
    here = Place(0, 0.0, 0.0)
    mask = place(slice(0, 48), slice(0, 96))
    half = mask[:, ::2, ::2]
    assert look_alikes.overlap(mask, half, here) == 1
    # The same pixels as another class have nothing in common.
    assert look_alikes.overlap(mask, half[::-1], here) == 0


def test_outlines_are_moved_like_their_image():
    wide = draw(0, (120, 120))[..., 0]
    mask = np.zeros((2, 120, 120), dtype=np.bool_)
    mask[1, 40:50, 20:90] = True
    one, other = np.s_[10:106, 8:104], np.s_[16:112, 8:104]
    entries = [entry("a", wide[one], mask[:, *one]), entry("b", wide[other], mask[:, *other])]
    # As they lie, the outlines share 4 of 16 rows; moved by the shift of 6 rows, all.
    assert found(entries, [RUST, RUST]) == []
    assert len(found([entries[0], entry("b", wide[other], mask[:, *one])], [RUST, RUST])) == 1


def test_what_only_one_of_the_images_shows_does_not_count():
    mask = place(slice(90, 96), slice(0, 96))
    nothing = np.zeros_like(mask)
    assert look_alikes.overlap(mask, nothing, Place(0, 6 / 96, 0.0)) == 1
    assert look_alikes.overlap(mask, nothing, Place(0, 0.0, 0.0)) == 0
