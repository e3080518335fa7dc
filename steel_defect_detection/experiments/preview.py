"""What a study would train, told before anything is."""

from pathlib import Path

from steel_defect_detection.datasets import layouts
from steel_defect_detection.experiments import grid, parts, synthetic
from steel_defect_detection.experiments.study import Study


def preview(
    study: Study,
    data: Path | str | None = None,
    *,
    split: Path | str | None = None,
    fold: int | None = None,
    layout: str | None = None,
) -> list[list[str]]:
    """List the variants of a study, and with data the images of their first run.

    Args:
        study: What is compared.
        data: Folder of a data set.
        split: As for ``run``.
        fold: As for ``run``.
        layout: As for ``run``.

    Returns:
        Rows of a table, titles first.

    Raises:
        ConfigError: As ``run``.
    """
    if study.measures:
        # Imported late: without measures to check, a list of variants need not wait for torch.
        from steel_defect_detection.experiments import measures

        measures.check(study.measures)
    variants = grid.variants(study)
    epochs = [" + ".join(str(stage.epochs) for stage in variant.stages()) for variant in variants]
    rows = [["variant", "runs", "epochs at most"]]
    for variant, count in zip(variants, epochs, strict=True):
        rows.append([variant.name, str(study.runs), count])
    if data is None:
        return rows
    dataset = layouts.read(data, layout).labelled()
    config = variants[0].stages()[0]
    images = parts.deal(study, config, dataset, split, fold)[0]
    rows[0] += ["real images", "synthetic", "to validate on", f"to measure on ({study.part})"]
    for row, variant in zip(rows[1:], variants, strict=True):
        real, made = synthetic.counts(images.train, variant.images, config.seed)
        row += [str(real), str(made), str(len(images.validation)), str(len(images.measured))]
    return rows
