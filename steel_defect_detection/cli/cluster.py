"""``sdd-cluster``: unlabelled crops in, clusters with pictures, names and a model out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from steel_defect_detection.cli import options, tables
from steel_defect_detection.cli.command import SOME_INPUTS_FAILED, command, echo, say, say_problems
from steel_defect_detection.cli.measures import number
from steel_defect_detection.cli.values import CountOrAuto

if TYPE_CHECKING:
    from steel_defect_detection.clustering import Assigned, Clusters, Settings

# Below, clusters have "no substantial structure": Kaufman and Rousseeuw, Finding Groups in Data,
# 1990, https://doi.org/10.1002/9780470316801
_LITTLE_STRUCTURE = 0.25

_RENAMING = {"crops", "names", "as_json"}
_ASSIGNING = {"crops", "assign", "output", "device", "overwrite", "as_json"}


@command("sdd-cluster")
@click.argument("crops", type=click.Path(path_type=Path))
@options.output("Folder for everything.  [default: clusters; with --assign: assigned]")
@click.option(
    "--model", default="strip", show_default=True, help="Model whose network looks at the crops."
)
@click.option("--backbone", metavar="NAME", help="Encoder that looks at them instead.")
@click.option(
    "--weights",
    type=click.Choice(["imagenet", "random"]),
    help="Weights of the backbone: downloaded, or random ones, a baseline.  [default: imagenet]",
)
@click.option(
    "--features",
    type=click.Choice(["penultimate", "logits"]),
    default="penultimate",
    show_default=True,
    help="What is taken of the network: what its head gets, or gives.",
)
@click.option(
    "--pca",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Principal axes to keep; 0 for all numbers as they are.",
)
@click.option(
    "--method",
    type=click.Choice(["kmeans", "minibatch", "agglomerative", "hdbscan"]),
    default="kmeans",
    show_default=True,
    help="How to group; hdbscan finds the number itself and leaves out noise.",
)
@click.option(
    "--clusters",
    type=CountOrAuto(),
    default="auto",
    show_default=True,
    help="How many, or as many as part best by the silhouette.",
)
@click.option(
    "--most-clusters",
    type=click.IntRange(min=2),
    default=10,
    show_default=True,
    help="The largest number that 'auto' tries.",
)
@click.option(
    "--least-members",
    type=click.IntRange(min=0),
    default=0,
    help="Fewest crops of a cluster of hdbscan.  [default: one in a hundred, at least 5]",
)
@click.option(
    "--size",
    type=click.IntRange(min=8, max=1000),
    default=100,
    show_default=True,
    help="Side of the squares that crops are brought to, in pixels.",
)
@options.seed("the beginnings of k-means")
@click.option(
    "--names",
    metavar="FILE|JSON",
    help="Names of the clusters. With CROPS an earlier output, only rename its clusters.",
)
@click.option(
    "--truth",
    type=click.Choice(["folders"]),
    help="Score the clusters by the folders that the crops lie in; they are not looked at before.",
)
@click.option("--assign", metavar="CLUSTERING", help="Assign CROPS to clusters found earlier.")
@options.device()
@options.overwrite("Write into a folder that holds something.")
@options.as_json("everything")
@click.pass_context
def main(
    context: click.Context,
    /,
    crops: Path,
    *,
    output: Path | None,
    names: str | None,
    truth: str | None,
    assign: str | None,
    overwrite: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Find classes in crops of defects that nobody has labelled.

    CROPS is a folder of pictures, such as sdd-crop writes. Look at the sheets of
    the output, then name the clusters with --names. The output is a data set
    that sdd-train reads; its labels are those of the clustering, not the truth.
    """
    renaming = names is not None and output is None and (crops / "clusters.json").is_file()
    _check_usage(context, renaming=renaming)
    # Imported late: --help must not wait for torch.
    from steel_defect_detection import clustering

    if assign is not None:
        _assign(context, crops, assign, output or Path("assigned"), overwrite, as_json=as_json)
        return
    said = {} if names is None else clustering.read_names(names)
    if renaming:
        found = clustering.rename(crops, said)
    else:
        found = clustering.cluster(
            crops,
            output or Path("clusters"),
            _settings(choices),
            said=said,
            truth=truth is not None,
            overwrite=overwrite,
            progress=True,
        )
    report = found.report()
    echo(json.dumps(report, indent=2) if as_json else "\n".join(_lines(found)))
    _remark(found, renamed=renaming)
    unreadable = [] if renaming else report["unreadable"]
    say_problems([(one["image"], one["error"]) for one in unreadable])
    context.exit(SOME_INPUTS_FAILED if unreadable else 0)


def _check_usage(context: click.Context, *, renaming: bool) -> None:
    """Refuse options that would do nothing."""
    given = {
        name
        for name in context.params
        if context.get_parameter_source(name) == ParameterSource.COMMANDLINE
    }
    hdbscan = context.params["method"] == "hdbscan"
    # What each option leaves without use.
    idle = [
        ("--names of an earlier output", given - _RENAMING if renaming else set()),
        ("--assign", given - _ASSIGNING if "assign" in given else set()),
        ("--backbone", given & {"model"} if "backbone" in given else set()),
        ("--method hdbscan", given & {"clusters", "most_clusters"} if hdbscan else set()),
        ("--clusters", given & {"most_clusters"} if context.params["clusters"] else set()),
    ]
    for other, useless in idle:
        for name in sorted(useless):
            msg = f"{_word(name)} does nothing beside {other}: leave one of them out"
            raise click.UsageError(msg)
    needed = [("weights", "--backbone", "backbone" in given)]
    needed += [("least_members", "--method hdbscan", hdbscan)]
    for name, other, is_there in needed:
        if name in given and not is_there:
            msg = f"{_word(name)} needs {other}"
            raise click.UsageError(msg)


def _word(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _settings(choices: dict[str, Any]) -> "Settings":
    from steel_defect_detection.clustering import Settings

    given = {name: value for name, value in choices.items() if value is not None}
    return Settings(**given)


def _lines(found: "Clusters") -> Iterator[str]:
    report = found.report()
    silhouette = report["silhouette"]
    worth = "" if silhouette is None else f", silhouette {silhouette:.3f}"
    yield f"{report['crops']} crops in {len(found.names.clusters)} clusters{worth}"
    scored = {one["cluster"]: one for one in (report["score"] or {}).get("clusters", ())}
    titles = ["cluster", "class", "severity", "crops", *(["mostly", "share"] if scored else [])]
    rows = []
    for line in report["clusters"]:
        row = [line["cluster"], line["class"], line["severity"] or "-", str(line["crops"])]
        mostly = scored.get(line["cluster"], {"label": "-", "purity": None})
        rows.append([*row, *([mostly["label"], number(mostly["purity"])] if scored else [])])
    yield from (f"  {line}" for line in tables.words([titles, *rows]))
    if report["score"]:
        yield f"adjusted Rand index {number(report['score']['adjusted_rand'])}"
        yield (
            "normalised mutual information "
            f"{number(report['score']['normalised_mutual_information'])}"
        )
        yield f"purity {number(report['score']['purity'])}"
    yield f"They are in {found.output}"


def _remark(found: "Clusters", *, renamed: bool) -> None:
    """Say what whoever goes on with the clusters should know."""
    facts = found.facts
    if found.left_over:
        say(
            f"{len(found.left_over)} sheets of an earlier run still lie in {found.output}, "
            f"first: {found.left_over[0]}"
        )
    for name, keys in found.names.joined().items():
        say(f"clusters {' and '.join(keys)} are one class, {name}")
    if not renamed and (facts["silhouette"] or 0) < _LITTLE_STRUCTURE:
        say(
            f"a silhouette below {_LITTLE_STRUCTURE} means that the clusters lie in each other: "
            "other numbers of clusters may be as good. Look at the sheets"
        )
    if not renamed and facts["assigned_alike"] < 1:
        say(
            f"the saved model, which knows centres only, assigns {facts['assigned_alike']:.1%} of "
            "these crops alike"
        )
    if len(found.names.classes) < 2:
        say("there is one class only: nothing can be trained on it")
        return
    say(
        f"train with: sdd-train crops-resnet18 --data {found.output} --output runs/crops. Its "
        "accuracy will say how well it agrees with this clustering, not how often it is right"
    )


def _assign(
    context: click.Context,
    crops: Path,
    clustering: str,
    output: Path,
    overwrite: bool,
    *,
    as_json: bool,
) -> None:
    from steel_defect_detection import clustering as package

    device = context.params["device"]
    found = package.assign(
        crops, clustering, output, device=device, overwrite=overwrite, progress=True
    )
    echo(json.dumps(_report(found, output), indent=2) if as_json else _line(found, output))
    say_problems(found.problems)
    context.exit(SOME_INPUTS_FAILED if found.problems else 0)


def _line(found: "Assigned", output: Path) -> str:
    parts = [f"{count} {name}" for name, count in found.counts().items()]
    return f"{', '.join([f'{len(found.files)} crops', *parts])}. They are in {output}/assigned.csv"


def _report(found: "Assigned", output: Path) -> dict[str, Any]:
    return {
        "output": str(output),
        "crops": len(found.files),
        "classes": found.counts(),
        "unreadable": [{"image": name, "error": problem} for name, problem in found.problems],
    }
