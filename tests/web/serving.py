"""A server in a thread, and a predictor whose answers anybody can see."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread
from time import monotonic, sleep

import numpy as np

from steel_defect_detection import images
from steel_defect_detection.checkpoints import Card, Header, Thresholds
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.web import server
from steel_defect_detection.web.app import create_app
from steel_defect_detection.web.guards import Access
from steel_defect_detection.web.limits import Limits
from tests.export import toys

HEADER = Header(
    architecture="segmenter",
    graphs={"segmenter": toys.SEGMENTER},
    classes=toys.CLASSES,
    thresholds=Thresholds.default(2),
    card=Card(name="bright", description="Finds what is bright.", limits="Sees nothing else."),
)

FEW = Limits(max_bytes=200_000, max_pixels=10_000, max_images=3, queue=4, timeout=5)


class Bright(Predictor):
    """Pixels above 200 are pits, and those above 100 are scratches."""

    networks = {}  # noqa: RUF012 -- no network: nothing is to be loaded

    def __init__(self) -> None:
        super().__init__(toys.CLASSES, Thresholds.default(2))
        self.go_on = Event()
        self.go_on.set()

    def judge(self, image, source):
        assert self.go_on.wait(20)
        label_map = np.select([image[..., 0] > 200, image[..., 0] > 100], [1, 2]).astype(np.uint8)
        scores = np.array([0.25, 0.75], dtype=np.float32)
        verdict = "defect" if label_map.any() else "clean"
        return Prediction(
            source=source, classes=self.classes, verdict=verdict, scores=scores, label_map=label_map
        )


class Gated(Bright):
    """Before outlining it asks how bright the first pixel is; from 0.3 of white on it outlines."""

    def judge(self, image, source):
        found = super().judge(image, source)
        return replace(found, gate_probability=float(image[0, 0, 0]) / 255)


def gated_app():
    """The application with that predictor."""
    limits = Thresholds.default(2).model_copy(update={"gate": 0.3})
    header = HEADER.model_copy(update={"architecture": "cascade", "thresholds": limits})
    predictor = Gated()
    predictor.thresholds = limits
    return create_app(predictor, header, limits=FEW, access=Access())


def png(*, pits: int = 0, shape: tuple[int, int] = (16, 24)) -> bytes:
    """A dark image with so many bright pixels in its first column."""
    pixels = np.full((*shape, 3), 40, dtype=np.uint8)
    pixels[:pits, 0] = 250
    return images.encode(pixels, "image.png")


@contextmanager
def running(app, limits: Limits = FEW, **patience: float) -> Iterator[str]:
    """Serve an application, and say where."""
    with server.listen("127.0.0.1", 0) as listening:
        built = server.build(app, limits)
        for name, seconds in patience.items():
            built.config.http = type("Hasty", (server.PatientProtocol,), {name: seconds})
        thread = Thread(target=built.run, kwargs={"sockets": [listening]})
        thread.start()
        until = monotonic() + 20
        while not built.started and monotonic() < until:
            sleep(0.01)
        try:
            yield server.address(listening)
        finally:
            built.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


def bright_app(predictor=None, *, limits: Limits = FEW, **access):
    """The application with that predictor."""
    return create_app(predictor or Bright(), HEADER, limits=limits, access=Access(**access))
