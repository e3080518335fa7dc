"""Make a built-in model of trained ones: in half precision, with its card.

What is to be read about it stands in ``scripts/cards/NAME.json``, and the thresholds
that are not to be those of the models; its measures are taken from the
``evaluation.json`` that ``sdd-evaluate --output`` wrote of the very same models::

    python scripts/ship_builtin.py neu-cls --model RUNS/neu-cls --measured RUNS/neu-cls-measured
    python scripts/ship_builtin.py magnetic-tile --gate RUNS/gate --model RUNS/segmenter \
        --measured RUNS/magnetic-tile-measured
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

import steel_defect_detection
from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Card, Thresholds

CARDS = Path(__file__).parent / "cards"
OF_A_CLASS = ("f1", "dice_on_defects", "iou_pooled")
_MADE_WITH = ("torch", "segmentation-models-pytorch", "efficientnet-pytorch")


@click.command()
@click.argument("name")
@click.option("--model", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--gate", type=click.Path(path_type=Path, exists=True), help="Its gate, if any.")
@click.option("--measured", type=click.Path(path_type=Path, exists=True), required=True)
def main(name: str, model: Path, gate: Path | None, measured: Path) -> None:
    """Write weights/NAME.safetensors."""
    loaded = checkpoints.load(model)
    if gate is not None:
        loaded = checkpoints.join(checkpoints.load(gate), loaded)
    text = json.loads((CARDS / f"{name}.json").read_text(encoding="utf-8"))
    report = json.loads((measured / "evaluation.json").read_text(encoding="utf-8"))
    limits = Thresholds.model_validate(
        loaded.header.thresholds.model_dump() | text.pop("thresholds", {})
    )
    card = Card(
        name=name,
        metrics=dict(flat(report["measures"])),
        created=datetime.now(UTC).date().isoformat(),
        versions={package: version(package) for package in _MADE_WITH},
        image_size=loaded.header.card.image_size,
        **text,
    )
    header = loaded.header.model_copy(update={"card": card, "thresholds": limits})
    path = Path(steel_defect_detection.__file__).parent / "weights" / f"{name}.safetensors"
    checkpoints.save(path, header, loaded.tensors, half=True)
    click.echo(f"{path}: {path.stat().st_size / 2**20:.1f} MB")


def flat(measures: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Name each measure by its section, with four digits; of single classes only the main ones."""
    for name, value in measures.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}.")
        elif name.endswith("_interval"):
            yield before + name, [round(end, 4) for end in value]
        elif not isinstance(value, list) and (".per_class." not in before or name in OF_A_CLASS):
            yield before + name, round(value, 4)


if __name__ == "__main__":
    main()
