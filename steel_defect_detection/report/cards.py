"""What a report says about a model, and about the versions that things were made with."""

from collections.abc import Mapping
from importlib.metadata import version

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Checkpoint, Header
from steel_defect_detection.errors import CheckpointError
from steel_defect_detection.report import words
from steel_defect_detection.report.blocks import Block, Column, Facts, Note, Part, Table
from steel_defect_detection.report.judged import Results
from steel_defect_detection.wording import amount


def of_results(results: Results) -> Part:
    """The model that results were made with, and the versions."""
    facts = {}
    for title, names in _ABOUT.items():
        value = results.about(*names)
        if value not in (None, ""):
            facts[title] = words.number(value)
    facts["version of this report"] = version("steel-defect-detection")
    name, sha256 = results.about("model", "name"), results.about("model", "sha256")
    blocks: list[Block] = [Facts(items=facts)]
    if isinstance(name, str):
        blocks += _card_if_same(name, sha256)
    return Part(title="Model and versions", blocks=blocks)


def of_checkpoint(checkpoint: Checkpoint) -> Part:
    """The card of a model."""
    header = checkpoint.header
    count = sum(tensor.size for tensor in checkpoint.tensors.values())
    facts = _about(header) | {"numbers in it": words.count(count), "SHA-256": checkpoint.sha256}
    blocks: list[Block] = (
        [Facts(items=facts), _data(header)] if header.card.data else [Facts(items=facts)]
    )
    if header.card.metrics:
        blocks.append(measures("What was measured when it was made", header.card.metrics))
    return Part(title="Model card", blocks=blocks)


def measures(caption: str, values: Mapping[str, object]) -> Table:
    """Measures and their values; those within each other get a dot.

    Args:
        caption: What was measured.
        values: Values by name, or again by name.
    """
    rows = [[name.replace("_", " "), words.number(value)] for name, value in flat(values).items()]
    return Table(caption=caption, columns=[Column("measure"), Column("value", True)], rows=rows)


def flat(values: Mapping[str, object]) -> dict[str, object]:
    """Bring values within each other to one level, with a dot between the names."""
    found: dict[str, object] = {}
    for name, value in values.items():
        inner = flat(value) if isinstance(value, Mapping) else None
        found |= {name: value} if inner is None else {f"{name}.{key}": inner[key] for key in inner}
    return found


_ABOUT = {
    "model": ("model", "name"),
    "gate before it": ("model", "gate"),
    "architecture": ("model", "architecture"),
    "SHA-256": ("model", "sha256"),
    "run by": ("runtimes",),
    "settings": ("options",),
    "version that judged": ("version",),
}


def _card_if_same(name: str, sha256: object) -> list[Block]:
    """The card, if the file with that name still is the model that judged."""
    try:
        checkpoint = checkpoints.load(name)
    except CheckpointError:
        checkpoint = None
    if checkpoint is None or checkpoint.sha256 != sha256:
        text = "The card of the model is not shown: its file is not here any more as it was then."
        return [Note(text=text)]
    return list(of_checkpoint(checkpoint).blocks)


def _about(header: Header) -> dict[str, str]:
    card, limits = header.card, header.thresholds
    background = f" ({header.background} means free of defects)" if header.background else ""
    encoders = (f"{name}: {graph.network.encoder}" for name, graph in header.graphs.items())
    facts = {
        "name": card.name,
        "what it is": card.description,
        "limits": card.limits,
        "classes": words.joined(header.classes) + background,
        "networks": words.joined(list(encoders)),
        "threshold of the gate": f"{limits.gate:g}",
        "thresholds of pixels": words.number(list(limits.pixels)),
        "least areas, pixels": words.number(list(limits.min_areas)),
        "outlined": "only classes that the gate names" if limits.only_named else "",
        "flips": "" if header.flips == "none" else header.flips,
        "measured": card.measured,
        "made": card.created,
        "made with": words.number(card.versions) if card.versions else "",
        "calibrated": _calibrated(header),
    }
    return {name: words.one_line(text) for name, text in facts.items() if text}


def _calibrated(header: Header) -> str:
    found = header.calibration
    if found is None:
        return "no: its probabilities do not say how often they are right (sdd-calibrate)"
    aim = f", thresholds chosen for {found.aim}" if found.aim else ""
    return f"on {amount(found.images, 'image')} of {found.data}, {found.created}{aim}"


def _data(header: Header) -> Table:
    rows = [[data.name, words.count(data.images), data.licence] for data in header.card.data]
    columns = [Column("data set"), Column("images", True), Column("licence")]
    return Table(caption="What it learned from", columns=columns, rows=rows)
