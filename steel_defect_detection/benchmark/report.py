"""What a benchmark found, as tables, JSON and a plot."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from steel_defect_detection import figures, files
from steel_defect_detection.benchmark.networks import BATCH

STAGES = ("decode", "gate", "segment", "write")
"""Parts of the way of one image, in order."""


class Table(NamedTuple):
    """A table with a heading.

    Args:
        title: What it shows.
        columns: Names of its columns.
        rows: One text per column.
        note: What a reader must know.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def write(found: Mapping[str, Any], output: Path) -> list[Path]:
    """Write ``benchmark.json``, ``benchmark.md`` and ``benchmark.png``.

    Args:
        found: What ``run`` returned.
        output: Folder for them.

    Returns:
        The files.

    Raises:
        ResultsError: If they cannot be written there.
    """
    paths = [output / f"benchmark.{ending}" for ending in ("json", "md", "png")]
    files.write_text(paths[0], json.dumps(found, indent=2, allow_nan=False) + "\n")
    files.write_text(paths[1], markdown(found))
    figures.write(paths[2], figures.bars(_bars(found)))
    return paths


def markdown(found: Mapping[str, Any]) -> str:
    """All tables as one page of Markdown."""
    parts = [_machine(found)]
    for table in tables(found):
        lines = [f"## {table.title}", "", *([table.note, ""] if table.note else [])]
        parts.append("\n".join([*lines, *_aligned(table)]))
    for reason in dict.fromkeys(found["left_out"].values()):
        names = [name for name, why in found["left_out"].items() if why == reason]
        parts.append(f"Left out: {', '.join(names)}: {reason}")
    return "\n\n".join(parts) + "\n"


def tables(found: Mapping[str, Any]) -> list[Table]:
    """All tables, without those that have no rows."""
    every = [
        _race(found),
        _stages(found),
        _networks(found),
        _end_to_end(found),
        _layers(found),
        *(_worst(name, layers) for name, layers in found["layers"].items()),
        _judged(found),
        _start(found),
    ]
    return [table for table in every if table.rows]


def _machine(found: Mapping[str, Any]) -> str:
    about = found["machine"]
    peaks = ", ".join(f"{name} {value:,.0f}" for name, value in about["gflops"].items())
    packages = ", ".join(f"{name} {value}" for name, value in about["packages"].items())
    load = (
        "" if about["load_before"] is None else f", load average before {about['load_before']:.1f}"
    )
    graphics = f", {', '.join(about['graphics'])}" if about["graphics"] else ""
    return (
        f"{about['processor']}{graphics}, {about['cores']} cores, {about['threads']} threads, "
        f"{about['vector_instructions']}, {about['memory_gib']} GiB{load}; {about['system']}, "
        f"Python {about['python']}, {packages}.\n\n"
        f"Measured peaks: matrix product in GFLOP/s (int8: GOP/s) {peaks}; copy "
        f"{about['copy_gb_per_second']:.1f} GB/s, read and written."
    )


def _race(found: Mapping[str, Any]) -> Table:
    rows = []
    for mix, systems in found["race"].items():
        for name in ("ours", "reference"):
            if name in systems:
                ratio = systems.get("times_as_fast") if name == "ours" else None
                rows.append([mix, name, *_speed(systems[name]), _ratio(ratio)])
    point = ", ".join(
        f"{key}: {value}" for key, value in found["operating_point"]["runtimes"].items()
    )
    flips = found["operating_point"]["flips"]
    point += "" if flips == "none" else f", flips: {flips}"
    return Table(
        "From files on disk to results on disk",
        (
            "mix",
            "system",
            "files",
            "gate fired",
            "images/s",
            "ms median",
            "ms p95",
            "times as fast",
        ),
        rows,
        f"Ours is {found['operating_point']['model']} ({point}). Ratio: over all chunks, with the "
        "least, median and most over the chunks that both systems ran in turn.",
    )


def _stages(found: Mapping[str, Any]) -> Table:
    rows = [
        [mix, system, stage, str(values["count"]), *_milliseconds(values), f"{values['mean']:.2f}"]
        for mix, systems in found["race"].items()
        for system in ("ours", "reference")
        if system in systems
        for stage in STAGES
        if (values := systems[system]["milliseconds"].get(stage))
    ]
    columns = ("mix", "system", "stage", "images", "ms median", "ms p95", "ms mean")
    note = "Ours decodes in threads of their own, while the networks run."
    return Table("Stages of one image", columns, rows, note)


def _networks(found: Mapping[str, Any]) -> Table:
    rows = [
        [
            row["topology"],
            row["network"],
            row["runtime"],
            f"{row['parameters'] / 1e6:.2f}",
            f"{row['gflop']:.2f}",
            *_milliseconds(row["milliseconds"]),
            f"{row['images_per_second']:.1f}",
            _share(row),
        ]
        for row in [*found["reference"], *found["networks"]]
    ]
    columns = (
        "topology",
        "network",
        "runtime",
        "M parameters",
        "GFLOP",
        "ms median",
        "ms p95",
        "images/s",
        "of the peak",
    )
    return Table(
        "Networks alone",
        columns,
        rows,
        "A cascade is two separate networks. Milliseconds of one image after the other; images per "
        "second of as many at the same time as the engine takes, or, where it takes one, of "
        f"batches of {BATCH} (the reference way: of one image after the other). Of the peak: GFLOP "
        "times images per second by the measured peak of that precision.",
    )


def _end_to_end(found: Mapping[str, Any]) -> Table:
    rows = [
        [row["topology"], f"{row['runtime']} {row['precision']}", row["mix"], *_speed(row)]
        for row in found["end_to_end"]
    ]
    columns = ("topology", "runtime", "mix", "files", "gate fired", "images/s")
    return Table(
        "Every configuration, from files on disk to results on disk",
        (*columns, "ms median", "ms p95"),
        rows,
    )


def _layers(found: Mapping[str, Any]) -> Table:
    rows = [
        [
            precision,
            f"{layers['milliseconds']:.2f}",
            f"{layers['bound_ms']:.2f}",
            f"{layers['share']:.1%}",
            f"{layers['gflop']:.2f}",
            str(len(layers["layers"])),
        ]
        for precision, layers in found["layers"].items()
    ]
    columns = ("precision", "ms of all layers", "bound in ms", "share", "GFLOP", "layers")
    return Table(
        "The segmenter on OpenVINO, layer by layer",
        columns,
        rows,
        "The bound of a layer is the larger of FLOP / peak and bytes / bandwidth.",
    )


def _worst(precision: str, layers: Mapping[str, Any]) -> Table:
    rows = [
        [
            _short(layer["name"]),
            layer["kind"],
            layer["code"],
            f"{layer['milliseconds']:.3f}",
            f"{layer['flop'] / 1e6:.1f}",
            f"{layer['bytes_moved'] / 1e6:.2f}",
            f"{layer['bound_ms']:.3f}",
            "" if layer["share"] is None else f"{layer['share']:.0%}",
        ]
        for layer in layers["worst"]
    ]
    columns = ("layer", "kind", "code", "ms", "MFLOP", "MB", "bound in ms", "share")
    return Table(f"Layers that lose most time, {precision}", columns, rows)


def _judged(found: Mapping[str, Any]) -> Table:
    rows = [
        [
            Path(row["folder"]).name,
            row["model"],
            str(row["images"]),
            str(row["defective"]),
            f"{row['recall']['careful']:.1%}",
            f"{row['recall']['quick']:.1%}",
            f"{row['recall_change_points']:+.1f}",
            str(len(row["newly_missed"])),
            f"{row['false_alarms']['careful']}, {row['false_alarms']['quick']}",
        ]
        for row in found["judged"]
    ]
    columns = (
        "images of",
        "model",
        "images",
        "defective",
        "recall, careful",
        "recall, quick",
        "points",
        "newly missed",
        "false alarms",
    )
    return Table(
        "The gate in the quick way against PyTorch in float32",
        columns,
        rows or [["none named, see --judge", *[""] * (len(columns) - 1)]],
    )


def _start(found: Mapping[str, Any]) -> Table:
    if not found["start"]:
        return Table("Start", (), [])
    seconds = found["start"]["seconds"]
    row = [f"{found['start']['first_seconds']:.2f}", f"{seconds['median']:.2f}"]
    columns = ("first start, s", "later starts, s median", "s p95", "starts")
    return Table(
        "sdd-predict on one image, from the shell and back",
        columns,
        [[*row, f"{seconds['p95']:.2f}", str(seconds["count"])]],
    )


def _speed(row: Mapping[str, Any]) -> list[str]:
    speed = [str(row["files"]), f"{row['fired_share']:.0%}", f"{row['images_per_second']:.1f}"]
    return [*speed, *_milliseconds(row["milliseconds"]["image"])]


def _milliseconds(values: Mapping[str, float]) -> list[str]:
    return [f"{values['median']:.2f}", f"{values['p95']:.2f}"]


def _share(row: Mapping[str, Any]) -> str:
    if row["share_of_peak"] is None:
        return ""
    return f"{row['share_of_peak']:.1%}"


def _ratio(ratio: Mapping[str, float] | None) -> str:
    if ratio is None:
        return ""
    spread = "/".join(f"{ratio[name]:.1f}" for name in ("least", "median", "most"))
    return f"{ratio['ratio']:.1f} ({spread})"


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"…{name[-39:]}"


def _aligned(table: Table) -> list[str]:
    rows = [list(table.columns), *map(list, table.rows)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(table.columns))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return [lines[0], "| " + " | ".join("-" * width for width in widths) + " |", *lines[1:]]


def _bars(found: Mapping[str, Any]) -> list[figures.Bars]:
    """Images per second of each configuration, one group for each mix."""
    groups = []
    for mix, systems in found["race"].items():
        values = {
            {"ours": "operating point", "reference": "reference way"}[name]: systems[name]
            for name in ("ours", "reference")
            if name in systems
        }
        values |= {
            f"{row['topology']} {row['runtime']} {row['precision']}": row
            for row in found["end_to_end"]
            if row["mix"] == mix
        }
        speeds = {name: round(row["images_per_second"], 1) for name, row in values.items()}
        groups.append(figures.Bars(f"images per second, mix {mix!r}", speeds))
    return groups
