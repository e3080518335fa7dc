"""Draw the built-in sample images anew: six strips and the table of their defects.

Run it after a change to how strips are drawn, with the package installed::

    python scripts/draw_samples.py

The files in ``steel_defect_detection/samples`` are replaced: ``train_images/``
and ``train.csv``, as in the Severstal competition. Nothing in them is random: a
second run writes the same bytes.
"""

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

from steel_defect_detection import files, images, rle
from steel_defect_detection.sample import Sample
from steel_defect_detection.synthesis.procedural import draw_strip

SAMPLES = Path(__file__).parents[1] / "steel_defect_detection" / "samples"

# Surface, seed and defects of each strip, chosen by eye; clean strips are the hard ones.
STRIPS: tuple[tuple[str, int, tuple[int, ...]], ...] = (
    ("stained", 7, (3,)),
    ("blotched", 7, (4,)),
    ("wet", 5, ()),
    ("plain", 4, (1,)),
    ("chequered", 9, ()),
    ("scaled", 6, (2,)),
)


def draw_samples() -> list[Sample]:
    """Draw the six strips, named as their files are."""
    return [
        dataclasses.replace(
            draw_strip(seed=seed, surface=surface, defects=defects), name=f"strip-{number}.png"
        )
        for number, (surface, seed, defects) in enumerate(STRIPS, start=1)
    ]


def table(samples: Sequence[Sample]) -> str:
    """Write down the masks as the Severstal competition does, a row per image and class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["ImageId", "ClassId", "EncodedPixels"])
    for sample in samples:
        masks = () if sample.masks is None else sample.masks
        for class_id, mask in enumerate(masks, start=1):
            if mask.any():
                writer.writerow([sample.name, class_id, rle.encode(mask)])
    return text.getvalue()


def main() -> None:
    """Draw the samples into the package."""
    samples = draw_samples()
    for sample in samples:
        # One of the three equal channels is enough, and a third of the size.
        images.write(SAMPLES / "train_images" / sample.name, sample.image[:, :, :1])
    files.write_text(SAMPLES / "train.csv", table(samples))


if __name__ == "__main__":
    main()
