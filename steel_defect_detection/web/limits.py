"""How much the server takes on: of one request, and of all together."""

from dataclasses import dataclass, fields

from steel_defect_detection import images
from steel_defect_detection.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much is taken on; whoever asks for more is told so.

    Args:
        max_bytes: Most bytes of one request.
        max_pixels: Most pixels of one image.
        max_images: Most images of one request.
        queue: Most images that wait or are judged, of all requests.
        timeout: Seconds that a request may take to arrive, and its images
            after that to be judged.
        requests: Most requests at the same time.

    Raises:
        ConfigError: If one is not positive, or they do not fit each other.
    """

    max_bytes: int = 64_000_000
    max_pixels: int = 50_000_000
    max_images: int = 32
    queue: int = 64
    timeout: float = 60.0
    requests: int = 128

    def __post_init__(self) -> None:
        """Check that the numbers make sense together."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                msg = f"{field.name} must be positive, got {value:g}"
                raise ConfigError(msg)
        if self.max_pixels > images.MAX_PIXELS:
            msg = f"max_pixels must be at most {images.MAX_PIXELS:,}, got {self.max_pixels:,}"
            raise ConfigError(msg)
        if self.max_images > self.queue:
            msg = (
                f"a request of {self.max_images} images would never fit into a queue of "
                f"{self.queue}. Raise queue or lower max_images"
            )
            raise ConfigError(msg)

    @property
    def held_bytes(self) -> int:
        """Most bytes of all requests together that are kept in memory."""
        return 4 * self.max_bytes
