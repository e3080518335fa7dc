"""Pictures of what to look for, for data sets without masks."""

from pathlib import Path

from steel_defect_detection import images
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.synthesis.patches import Template


def read(
    folder: Path | str,
    classes: tuple[str, ...],
    *,
    least_score: float = 0.6,
    ink: tuple[int, int] | None = None,
) -> dict[int, tuple[Template, ...]]:
    """Read the templates of a folder.

    Args:
        folder: It holds a picture ``CLASS.png`` or a folder ``CLASS`` of pictures
            for each class to look for.
        classes: Names of the classes.
        least_score: Normalised cross-correlation below which nothing was found.
        ink: Lowest and highest grey level that is cut out; by default the whole
            picture.

    Returns:
        Templates by number of the class, from 1.

    Raises:
        ConfigError: If there are none, one belongs to no class, or the numbers
            make no sense.
        ImageError: If a picture cannot be read.
    """
    folder = Path(folder)
    if not -1 <= least_score <= 1 or (ink is not None and not 0 <= ink[0] <= ink[1] <= 255):
        msg = (
            "expected a least score of -1 to 1 and grey levels from 0 to 255, the lower first, "
            f"got {least_score:g} and {ink}"
        )
        raise ConfigError(msg)
    if not folder.is_dir():
        msg = f"there is no folder of templates {str(folder)!r}"
        raise ConfigError(msg)
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in images.EXTENSIONS)
    found: dict[int, list[Template]] = {}
    for path in paths:
        name = path.stem if path.parent == folder else path.relative_to(folder).parts[0]
        if name not in classes:
            msg = f"{path} belongs to no class; the classes are {', '.join(classes)}"
            raise ConfigError(msg)
        image = images.read(path)
        if (image == image[0, 0]).all():
            msg = f"{path} has one colour only, and is like every place or none: show the defect"
            raise ConfigError(msg)
        template = Template(image=image, least_score=least_score, ink=ink)
        found.setdefault(classes.index(name) + 1, []).append(template)
    if not found:
        msg = f"no templates in {folder}: expected pictures called {classes[0]}.png and so on"
        raise ConfigError(msg)
    return {number: tuple(templates) for number, templates in sorted(found.items())}
