"""Find, name and outline surface defects on rolled steel strip.

    from steel_defect_detection import load_predictor

    prediction = load_predictor().predict("strip.jpg")
    prediction.verdict, prediction.areas, prediction.runs()

Names are loaded when they are first used, so importing the package is quick
and loads no torch.

OpenVINO reports to a server that it was imported, unless its package
``openvino_telemetry`` is missing. For a process that imports this package first,
it is. Albumentations asks a server for its newest release unless an environment
variable forbids that, which is set here where the user has not set it.
"""

import os
import sys
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from types import ModuleType

    from steel_defect_detection.prediction import Prediction
    from steel_defect_detection.predictors.load import load_predictor
    from steel_defect_detection.predictors.predict_files import predict_files
    from steel_defect_detection.predictors.predictor import Predictor
    from steel_defect_detection.sample import Sample
    from steel_defect_detection.training.config import TrainConfig
    from steel_defect_detection.training.run import train

# What makes an import of it fail; OpenVINO then has a stand-in that does nothing.
sys.modules.setdefault("openvino_telemetry", cast("ModuleType", None))
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

__version__ = version("steel-defect-detection")

__all__ = [
    "Prediction",
    "Predictor",
    "Sample",
    "TrainConfig",
    "__version__",
    "load_predictor",
    "predict_files",
    "train",
]

_HOMES = {
    "Prediction": "steel_defect_detection.prediction",
    "Predictor": "steel_defect_detection.predictors.predictor",
    "Sample": "steel_defect_detection.sample",
    "TrainConfig": "steel_defect_detection.training.config",
    "load_predictor": "steel_defect_detection.predictors.load",
    "predict_files": "steel_defect_detection.predictors.predict_files",
    "train": "steel_defect_detection.training.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
