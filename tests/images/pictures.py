"""Pictures as the files of many programs."""

import re
from io import BytesIO

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 24, 40

# Every format as several programs write it: name, Pillow's format and what it is told.
KINDS = {
    "jpeg": ("JPEG", {"quality": 95}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "lzw tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "deflate tiff": ("TIFF", {"compression": "tiff_deflate"}),
    "webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
}
LOSSLESS = ["png", "bmp", "tiff", "lzw tiff", "deflate tiff", "lossless webp"]


def as_file(picture, kind="PNG", **options):
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def one_line(path, text):
    return f"^{re.escape(str(path))}{re.escape(text)}$"
