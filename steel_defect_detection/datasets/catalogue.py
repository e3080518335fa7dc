"""What can be downloaded, from where, and under which terms."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Source:
    """One data set that can be downloaded.

    Args:
        name: What ``sdd-download`` calls it.
        title: What it is.
        competition: Name of the Kaggle competition that it belongs to.
        terms: Page with the rules that must be accepted there first.
        licence: Terms of use as stated by its owner.
        size_gigabytes: Size of the download.
        marker: File whose presence says that the data set is complete.
        citation: How to cite it.
    """

    name: str
    title: str
    competition: str
    terms: str
    licence: str
    size_gigabytes: float
    marker: str
    citation: str


SEVERSTAL = Source(
    name="severstal",
    title="Hot-rolled steel strip, 12,568 labelled images of 1600 x 256, four defect classes",
    competition="severstal-steel-defect-detection",
    terms="https://www.kaggle.com/c/severstal-steel-defect-detection/rules",
    licence="owned by PAO Severstal; research use allowed (Kaggle discussion 118403)",
    size_gigabytes=1.7,
    marker="train.csv",
    citation="Severstal: Steel Defect Detection, Kaggle, 2019",
)

SOURCES = {source.name: source for source in (SEVERSTAL,)}
