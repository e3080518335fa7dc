"""A checkpoint in words."""

from steel_defect_detection.checkpoints.file import Checkpoint
from steel_defect_detection.checkpoints.header import Header


def describe(checkpoint: Checkpoint) -> str:
    """Say in lines of text what a model is, what it learned from and how it was measured."""
    header, card = checkpoint.header, checkpoint.header.card
    parameters = sum(tensor.size for tensor in checkpoint.tensors.values())
    lines = [
        f"{card.name or checkpoint.source} ({header.architecture}, {parameters:,} numbers)",
        *(f"  {text}" for text in (card.description, card.limits) if text),
        f"classes: {', '.join(header.classes)}"
        + (f" ({header.background} means free of defects)" if header.background else ""),
    ]
    for name, graph in header.graphs.items():
        seen = graph.preprocessing
        size = f"{seen.size[0]} x {seen.size[1]}" if seen.size else f"{seen.scale:g} of the size"
        lines.append(f"{name}: {graph.network.encoder}, {seen.channels} channels, sees {size}")
    if card.image_size:
        height, width = card.image_size
        lines.append(f"made for images of about {width} x {height} pixels")
    limits = header.thresholds
    lines.append(f"thresholds: gate {limits.gate:g}, classes {limits.classes}, ")
    lines[-1] += f"pixels {limits.pixels}, least areas {limits.min_areas}"
    lines[-1] += "" if limits.defect is None else f", any defect {limits.defect:g}"
    lines[-1] += ", only classes that the gate names" if limits.only_named else ""
    lines[-1] += "" if header.flips == "none" else f", with flips {header.flips}"
    lines += [
        f"learned from {data.images:,} images: {data.name} ({data.licence})" for data in card.data
    ]
    lines += [f"{name}: {value}" for name, value in card.metrics.items()]
    lines += [f"measured: {card.measured}"] if card.measured else []
    lines += _calibration(header)
    return "\n".join([*lines, f"sha256 {checkpoint.sha256}"])


def _calibration(header: Header) -> list[str]:
    found = header.calibration
    if found is None:
        return ["not calibrated: see sdd-calibrate"]
    source = " ".join(word for word in (found.data, found.split) if word)
    lines = [f"calibrated on {found.images:,} images" + (f" of {source}" if source else "")]
    lines += [f"thresholds were chosen for {found.aim}"] if found.aim else []
    if header.thresholds.familiarity:
        least = header.thresholds.familiarity
        lines.append(f"images of familiarity below {least:g} are called unfamiliar")
    return lines + [f"{name}: {_short(value)}" for name, value in found.metrics.items()]


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
