"""What can be downloaded, from where, and under which terms.

Sizes and hashes stand here only where they are known; an archive that GitHub
packs when it is asked for has no lasting hash.
"""

from steel_defect_detection.download.dataset import Source

_NON_COMMERCIAL = "CC BY-NC-SA 4.0: not for commercial use"

SEVERSTAL = Source(
    name="severstal",
    title="Hot-rolled steel strip, 12,568 labelled images of 1600 x 256, four defect classes",
    licence="owned by PAO Severstal; research use allowed (Kaggle discussion 118403)",
    citation="Severstal: Steel Defect Detection, Kaggle, 2019",
    page="https://www.kaggle.com/c/severstal-steel-defect-detection/rules",
    kaggle="severstal-steel-defect-detection",
    account=True,
    size=1_700_000_000,
    markers=("train.csv", "train_images"),
)

CRACKFOREST = Source(
    name="crackforest",
    title="Cracks in roads, photographs of 480 x 320 with outlines",
    licence="non-commercial research only",
    citation="Shi et al., Automatic Road Crack Detection Using Random Structured Forests, "
    "IEEE Transactions on Intelligent Transportation Systems, 2016",
    page="https://github.com/cuilimeng/CrackForest-dataset",
    address="https://github.com/cuilimeng/CrackForest-dataset/archive/refs/heads/master.zip",
    markers=("image", "groundTruth"),
)

NEU_SEG = Source(
    name="neu-seg",
    title="Hot-rolled steel strip, images of 200 x 200 with masks, three defect classes",
    licence="none stated; research set",
    citation="Dong et al., PGA-Net: Pyramid Feature Fusion and Global Context Attention Network "
    "for Automated Surface Defect Detection, IEEE Transactions on Industrial Informatics, 2020",
    page="https://github.com/DHW-Master/NEU_Seg",
    address="https://github.com/DHW-Master/NEU_Seg/archive/refs/heads/main.zip",
    markers=("images/training", "images/test", "annotations/training", "annotations/test"),
)

NEU_CLS = Source(
    name="neu-cls",
    title="Hot-rolled steel strip, 1,800 images of 200 x 200, six defect classes",
    licence="none stated; research set",
    citation="Song and Yan, A noise robust method based on completed local binary patterns for "
    "hot-rolled steel strip surface defects, Applied Surface Science, 2013",
    page="https://www.kaggle.com/datasets/kaustubhdikshit/neu-surface-defect-database",
    kaggle="kaustubhdikshit/neu-surface-defect-database",
    markers=("train/images",),
)

TIG_SS304 = Source(
    name="tig-ss304",
    title="TIG welding of stainless steel, frames of weld runs, one good and five defect classes",
    licence="none stated",
    citation="Bacioiu et al., Automated defect classification of SS304 TIG welding process using "
    "visible spectrum camera and machine learning, NDT & E International, 2019",
    page="https://www.kaggle.com/datasets/danielbacioiu/tig-stainless-steel-304",
    kaggle="danielbacioiu/tig-stainless-steel-304",
    markers=("train/train.json",),
)

MAGNETIC_TILE = Source(
    name="magnetic-tile",
    title="Magnetic tiles, 1,344 photographs with masks, five defect classes and clean ones",
    licence="none stated; its owners welcome its use and ask to be cited",
    citation="Huang et al., Surface defect saliency of magnetic tile, The Visual Computer, 2020",
    page="https://github.com/abin24/Magnetic-tile-defect-datasets.",
    # The dot belongs to the name.
    address="https://github.com/abin24/Magnetic-tile-defect-datasets./archive/refs/heads/master.zip",
    markers=tuple(
        f"MT_{kind}" for kind in ("Blowhole", "Break", "Crack", "Fray", "Free", "Uneven")
    ),
)

KOLEKTOR_SDD = Source(
    name="kolektor-sdd",
    title="Commutators of electric motors, 399 images with masks",
    licence=_NON_COMMERCIAL,
    citation="Tabernik et al., Segmentation-based deep-learning approach for surface-defect "
    "detection, Journal of Intelligent Manufacturing, 2020",
    page="https://www.vicos.si/resources/kolektorsdd/",
    address="https://go.vicos.si/kolektorsdd",
    size=101_831_129,
    sha256="65dc621693418585de9c4467d1340ea7958a6181816f0dc2883a1e8b61f9d4dc",
    markers=("kos01",),
)

KOLEKTOR_SDD2 = Source(
    name="kolektor-sdd2",
    title="Production items, 3,335 images with masks in two published parts",
    licence=_NON_COMMERCIAL,
    citation="Božič et al., Mixed supervision for surface-defect detection: from weakly to fully "
    "supervised learning, Computers in Industry, 2021",
    page="https://www.vicos.si/resources/kolektorsdd2/",
    address="https://go.vicos.si/kolektorsdd2",
    markers=("train", "test"),
)

SOURCES = {
    source.name: source
    for source in (
        SEVERSTAL,
        CRACKFOREST,
        NEU_SEG,
        NEU_CLS,
        TIG_SS304,
        MAGNETIC_TILE,
        KOLEKTOR_SDD,
        KOLEKTOR_SDD2,
    )
}
"""Every data set that can be downloaded, by name."""
