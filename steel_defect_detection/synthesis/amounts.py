"""How many synthetic images are made, and how many real ones stand beside them."""

import math
from dataclasses import dataclass

from steel_defect_detection.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How much of one part of a split is synthetic.

    Args:
        per_class: Synthetic images of each class.
        ratio: Share of synthetic images among all images of a class, 0 to 1: 0
            makes none, 1 keeps no real one. None keeps all real images.
        clean: Synthetic images free of defects.

    Raises:
        ConfigError: If the numbers do not go together.
    """

    per_class: int = 0
    ratio: float | None = None
    clean: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.per_class < 0 or self.clean < 0:
            msg = f"numbers of images must not be negative, got {self.per_class}, {self.clean}"
            raise ConfigError(msg)
        if self.ratio is None:
            return
        if not 0 <= self.ratio <= 1:
            msg = f"the ratio is the share of synthetic images, 0 to 1, got {self.ratio}"
            raise ConfigError(msg)
        if (self.ratio == 0) != (self.per_class == 0):
            msg = (
                f"a ratio of {self.ratio:g} and {self.per_class} synthetic images per class "
                "contradict each other: the ratio is 0 if, and only if, none is made. All real "
                "images are kept without --ratio"
            )
            raise ConfigError(msg)

    def real(self) -> int | None:
        """Count the real images of each class that stand beside the synthetic ones.

        Returns:
            Their number: synthetic and real ones together are ``per_class /
            ratio``, rounded down. None where all of them are kept.

        Example:
            >>> Amount(per_class=12, ratio=0.25).real()
            36
        """
        if not self.ratio:
            return None
        # 29 / .29 is 99.99999999999999 in floating point.
        return math.floor(round(self.per_class / self.ratio, 6)) - self.per_class
