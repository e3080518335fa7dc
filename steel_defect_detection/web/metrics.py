"""Counts and times for Prometheus, each server's own."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

PATHS = ("/", "/predict", "/model", "/health", "/metrics", "/openapi.json")
"""What is counted by its path; all else is ``other``, for paths are chosen by whoever asks."""

_METHODS = ("GET", "HEAD", "POST")


class Metrics:
    """What one server has done."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "sdd_requests", "Requests.", ["method", "path", "status"], registry=self._registry
        )
        self._request_seconds = Histogram(
            "sdd_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ["path"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._images = Counter(
            "sdd_images", "Images that were judged.", ["verdict"], registry=self._registry
        )
        self._image_seconds = Histogram(
            "sdd_image_seconds",
            "Seconds of one image: waiting, and being judged.",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._queue = Gauge(
            "sdd_queue_images", "Images that wait or are judged.", registry=self._registry
        )
        self._held = Gauge(
            "sdd_held_bytes", "Bytes of requests in memory.", registry=self._registry
        )

    def watch(self, *, queue: Callable[[], int], held: Callable[[], int]) -> None:
        """Ask for what changes all the time when it is wanted.

        Args:
            queue: Says how many images wait or are judged.
            held: Says how many bytes of requests are in memory.
        """
        self._queue.set_function(queue)
        self._held.set_function(held)

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            method: Its method.
            path: Its path.
            status: Status of the answer.
            seconds: How long it took.
        """
        place = path if path in PATHS else "other"
        verb = method if method in _METHODS else "other"
        self._requests.labels(verb, place, str(status)).inc()
        self._request_seconds.labels(place).observe(seconds)

    def image(self, verdict: str, *, waited: float, judged: float) -> None:
        """Count an image.

        Args:
            verdict: What it was called.
            waited: Seconds in the queue.
            judged: Seconds from there to its answer.
        """
        self._images.labels(verdict).inc()
        self._image_seconds.labels("wait").observe(waited)
        self._image_seconds.labels("judge").observe(judged)

    def text(self) -> bytes:
        """All of it, in Prometheus' format."""
        return generate_latest(self._registry)
