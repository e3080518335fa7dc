"""Lengths in millimetres and metres where the size of a pixel is known, in pixels elsewhere."""

from dataclasses import dataclass

_MM_PER_METRE = 1000


@dataclass(frozen=True)
class Units:
    """How lengths are written.

    Args:
        mm_per_pixel: Size of a pixel; None if it is not known.
    """

    mm_per_pixel: float | None = None

    @property
    def name(self) -> str:
        """Unit of numbers in tables: ``mm`` or ``px``."""
        return "px" if self.mm_per_pixel is None else "mm"

    @property
    def part(self) -> float:
        """A metre in pixels, or 1,000 pixels."""
        return _MM_PER_METRE / (self.mm_per_pixel or 1.0)

    @property
    def part_name(self) -> str:
        """What that is called."""
        return "1,000 px" if self.mm_per_pixel is None else "metre"

    def number(self, pixels: float) -> float:
        """A length as a number for tables, to a thousandth."""
        return round(float(pixels) * (self.mm_per_pixel or 1.0), 3)

    def pixels(self, number: float | None) -> float | None:
        """A length that a user gave, in pixels."""
        return None if number is None else number / (self.mm_per_pixel or 1.0)

    def short(self, pixels: float) -> str:
        """A length across, or a period: in millimetres.

        Example:
            >>> Units(0.5).short(3141.6), Units().short(3141.6)
            ('1,571 mm', '3,142 px')
        """
        number = self.number(pixels)
        digits = 0 if abs(number) >= 100 else 1
        return f"{number:,.{digits}f} {self.name}"

    def long(self, pixels: float) -> str:
        """A length along the coil: in metres.

        Example:
            >>> Units(0.5).long(41_000), Units().long(41_000)
            ('20.5 m', '41,000 px')
        """
        if self.mm_per_pixel is None:
            return f"{pixels:,.0f} px"
        return f"{self.number(pixels) / _MM_PER_METRE:,.1f} m"
