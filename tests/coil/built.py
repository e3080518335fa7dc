"""Coils and results folders that tests lay out by hand."""

import json
from pathlib import Path

import numpy as np

from steel_defect_detection import images, rle
from steel_defect_detection.coil.layout import Coil, CoilDefects

CLASSES = ("pits", "scratches")


def coil(places, *, length=100_000.0, width=200.0, images=100, mm_per_pixel=None, unread=()):
    """A coil with a defect of 10 x 10 pixels at each (along, across, class number)."""
    rows = np.array(sorted(places), dtype=np.float64).reshape(-1, 3)
    size = length / images
    tens = np.full(len(rows), 10)
    defects = CoilDefects(
        image=(rows[:, 0] // size).astype(np.int64),
        class_number=rows[:, 2].astype(np.int64),
        along=rows[:, 0],
        across=rows[:, 1],
        along_size=tens,
        across_size=tens,
        area=10 * tens,
    )
    return Coil(
        classes=CLASSES,
        images=tuple(f"{number:04d}.png" for number in range(images)),
        starts=np.arange(images) * size,
        lengths=np.full(images, size),
        unread=np.isin(np.arange(images), unread),
        width=width,
        defects=defects.in_order(),
        mm_per_pixel=mm_per_pixel,
    )


def results(folder: Path, maps, *, classes=CLASSES, errors=()):
    """A results folder of label maps by name; those in ``errors`` could not be judged."""
    rows, runs = [], []
    for name, label_map in maps.items():
        if name in errors:
            rows.append(f"{name},,error,,,,,,,{name} is not an image")
            continue
        images.write(folder / "masks" / name, label_map)
        verdict = "defect" if label_map.any() else "clean"
        rows.append(f"{name},masks/{name},{verdict},,,,,,,")
        runs += [
            f"{name},{number},{rle.encode(label_map == number)}"
            for number in range(1, len(classes) + 1)
            if (label_map == number).any()
        ]
    folder.mkdir(parents=True, exist_ok=True)
    head = "file,mask,verdict,class,gate_probability,certainty,familiarity,"
    head += "decode_ms,gate_ms,segment_ms,error"
    rows = [row.replace(",,,,,,,", ",,,,,,,,") for row in rows]
    (folder / "images.csv").write_text("\n".join([head, *rows]) + "\n")
    (folder / "predictions.csv").write_text(
        "\n".join(["ImageId,ClassId,EncodedPixels", *runs]) + "\n"
    )
    (folder / "run.json").write_text(json.dumps({"classes": classes, "counts": {}}))
    return folder
