"""Arithmetic in whole numbers of 8 bits, by nncf and with its accuracy control.

nncf looks at images to find the range of each layer's numbers, and compares
what the network says before and after. Where too much changes, it takes layers
back to float32, those first that change most, until little enough does.
"""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from unittest import mock

from steel_defect_detection import extras

# All of a folder may be looked at; more would only take longer.
_MOST_ITEMS = 300
# For each of about a hundred layers, a network without it in int8 looks at so many.
_MOST_RANKED = 8


def quantise(
    network: Any,
    count: int,
    feed: Callable[[int], dict[str, Any]],
    judge: Callable[[Any], Callable[[int], float]],
    *,
    most_loss: float,
) -> Any:
    """Let a network compute in int8 where its answers allow it.

    Args:
        network: An ``onnx.ModelProto`` or an ``openvino.Model``.
        count: Number of images.
        feed: Gives the inputs for an image, by its number.
        judge: Takes a network and gives what says how well that agrees with
            PyTorch on an image, 0 to 1.
        most_loss: How much of the mean agreement may be lost.

    Returns:
        A network of the same kind.

    Raises:
        MissingExtraError: If nncf is not installed.
    """
    nncf = _nncf()

    def validate(candidate: Any, items: Iterable[int]) -> float:
        # No value per image: nncf then ranks layers by how much they change the network's
        # answers, which says more than a handful of decisions that change or do not.
        agreement = judge(candidate)
        values = [agreement(int(item)) for item in items]
        return sum(values) / max(len(values), 1)

    numbers = range(count)
    # What nncf prints is no result of a command.
    with contextlib.redirect_stdout(sys.stderr):
        return nncf.quantize_with_accuracy_control(
            network,
            nncf.Dataset(numbers, feed),
            nncf.Dataset(numbers, feed),
            validate,
            max_drop=most_loss,
            # For activations that are not symmetric around zero, such as EfficientNet's swish.
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=min(count, _MOST_ITEMS),
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                ranking_subset_size=min(count, _MOST_RANKED)
            ),
        )


@cache
def _nncf() -> Any:
    """Import nncf so that it reports to nobody."""
    # nncf sends its use to a server unless this package is missing as it is imported.
    with mock.patch.dict(sys.modules, {"openvino_telemetry": None}):
        nncf: Any = extras.load("nncf", extra="int8")
        wrapper: Any = extras.load("nncf.telemetry.wrapper", extra="int8")
        decorator: Any = extras.load("nncf.telemetry.decorator", extra="int8")
    # Also where somebody has imported it before.
    silent = wrapper.NNCFTelemetryStub()
    wrapper.telemetry = decorator.telemetry = silent
    nncf.set_log_level(logging.ERROR)
    return nncf
