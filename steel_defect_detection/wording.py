r"""How names and counts are worded wherever a person reads them.

Names of files and classes come from anywhere. What no screen shows, or what would
turn the order of letters around, is written as Python would write it: ``\n``,
``\u202e``. Tables (csv) and JSON keep names as they are, for programs join them by
name.
"""


def visible(text: str) -> str:
    r"""Make every letter of a text visible.

    Args:
        text: Any text, also the name of a file whose bytes are no text.

    Returns:
        The text; controls, marks that change the direction of writing, unusual
        spaces and broken letters are written as escapes.

    Example:
        >>> print(visible("a\u202eb\n"))
        a\u202eb\n
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")
        for sign in text
    )


def amount(number: int, one: str, many: str = "") -> str:
    """Write how many there are of something.

    Args:
        number: How many.
        one: What one of them is called.
        many: What several are called; by default ``one`` with an s.

    Example:
        >>> amount(1, "image"), amount(2_000, "image")
        ('1 image', '2,000 images')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
