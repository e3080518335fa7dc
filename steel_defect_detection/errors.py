"""Every error a user can act on.

The tree, each leaf also inheriting the built-in a Python user would expect::

    SteelDefectError
    ├── ImageError            (ValueError)         a file that is no readable image
    ├── NoImagesError         (FileNotFoundError)  nothing to look at
    ├── RunLengthError        (ValueError)         a bad run-length string
    ├── MaskError             (ValueError)         a mask of the wrong type or shape
    ├── DatasetNotFoundError  (FileNotFoundError)  no data where it was said to be
    ├── AnnotationError       (ValueError)         labels that contradict the data set
    ├── ConfigError           (ValueError)         a setting that is unknown or impossible
    ├── CheckpointError       (ValueError)         a model file that cannot be used
    ├── ResultsError          (OSError)            results that cannot be written or read
    ├── DeviceError           (RuntimeError)       a device that is not there
    ├── ConversionError       (RuntimeError)       a network that an engine cannot run
    ├── InferenceError        (ArithmeticError)    a network that answers with no number
    ├── ExportError           (RuntimeError)       a network that cannot be exported
    ├── ExplanationError      (RuntimeError)       a verdict that a method cannot explain
    ├── TrainingError         (RuntimeError)       a training run that cannot go on
    ├── ClusterError          (RuntimeError)       a cluster that cannot be worked on
    ├── SynthesisError        (RuntimeError)       a synthetic image that cannot be made
    ├── DownloadError         (OSError)            a transfer that failed
    └── MissingExtraError     (ImportError)        an optional package is not installed

Messages say what is wrong, with the value; what would be right; what to do
next. The commands print them after their own name, without a traceback.
"""


class SteelDefectError(Exception):
    """Any error of this package that its user can act on."""


class ImageError(SteelDefectError, ValueError):
    """A file or array that is not an image this package can read."""


class NoImagesError(SteelDefectError, FileNotFoundError):
    """A place without images, or a path that does not exist."""


class RunLengthError(SteelDefectError, ValueError):
    """A run-length string that does not describe a mask."""


class MaskError(SteelDefectError, ValueError):
    """A mask of the wrong type, shape or content."""


class DatasetNotFoundError(SteelDefectError, FileNotFoundError):
    """A folder that does not hold the data set it was named for."""


class AnnotationError(SteelDefectError, ValueError):
    """Annotations that are malformed or do not fit their images."""


class ConfigError(SteelDefectError, ValueError):
    """A setting that is unknown or impossible."""


class CheckpointError(SteelDefectError, ValueError):
    """A model file that is damaged, foreign, or does not fit its use."""


class ResultsError(SteelDefectError, OSError):
    """A results folder that cannot be written or read back."""


class DeviceError(SteelDefectError, RuntimeError):
    """A device that this machine or installation does not have."""


class ConversionError(SteelDefectError, RuntimeError):
    """A network that cannot be converted for an engine, or says something else there."""


class InferenceError(SteelDefectError, ArithmeticError):
    """A network that answers with something that is no probability."""


class ExportError(SteelDefectError, RuntimeError):
    """A network that cannot be converted, or says something else afterwards."""


class ExplanationError(SteelDefectError, RuntimeError):
    """A verdict that a method cannot explain, or explains wrongly."""


class TrainingError(SteelDefectError, RuntimeError):
    """A training run that cannot start or cannot go on."""


class ClusterError(SteelDefectError, RuntimeError):
    """A cluster that cannot be reached, has no room, or lost what it was working on."""


class DownloadError(SteelDefectError, OSError):
    """A transfer that failed or brought something else than expected."""


class MissingExtraError(SteelDefectError, ImportError):
    """An optional package that is needed here and not installed."""


class SynthesisError(SteelDefectError, RuntimeError):
    """A synthetic image that cannot be made."""
