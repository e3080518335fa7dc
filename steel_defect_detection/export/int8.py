"""Arithmetic in whole numbers of 8 bits, by nncf and with its accuracy control.

nncf looks at images to find the range of each layer's numbers, and compares
what the network says before and after. Where too much changes, it takes layers
back to float32, those first that change most, until little enough does.

What only familiarity depends on stays in float32: nearly all of its work is the
network's, and the distances from which it is made do not survive 8 bits.
"""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any, cast

from steel_defect_detection import extras

# For each of about a hundred layers, a network without it in int8 looks at so many images.
_MOST_RANKED = 8
# A network with more layers in float32 is no faster than one with all of them.
_MOST_TAKEN_BACK = 20


def quantise(
    network: Any,
    count: int,
    feed: Callable[[int], dict[str, Any]],
    judge: Callable[[Any, Sequence[int]], tuple[float, list[list[Any]]]],
) -> Any:
    """Let a network compute in int8 where its answers allow it.

    Args:
        network: An ``onnx.ModelProto`` or an ``openvino.Model``.
        count: Number of images.
        feed: Gives the inputs for an image, by its number.
        judge: Says of a network how well it agrees with PyTorch on images, by
            their numbers: 1 if entirely, 0 if just enough. It also gives the
            network's answers to each.

    Returns:
        A network of the same kind.

    Raises:
        MissingExtraError: If nncf is not installed.
    """
    nncf = _nncf()
    ranges: Any = extras.load("nncf.quantization.range_estimator", extra="int8")
    nncf_knows_answers = type(network).__module__.startswith("openvino")

    def validate(candidate: Any, items: Iterable[Any]) -> tuple[float, list[list[Any]] | None]:
        agreement, answers = judge(candidate, [int(item) for item in items])
        # With the answers at hand nncf ranks layers by how much they change those, which says
        # more than a handful of decisions that change or do not. It can do so for OpenVINO only.
        return agreement, answers if nncf_knows_answers else None

    numbers = range(count)
    # What nncf prints is no result of a command.
    with contextlib.redirect_stdout(sys.stderr):
        return nncf.quantize_with_accuracy_control(
            network,
            nncf.Dataset(numbers, feed),
            # Its items are the numbers, its inputs what belongs to them.
            nncf.Dataset(numbers, feed),
            validate,
            max_drop=1.0,
            # For activations that are not symmetric around zero, such as EfficientNet's swish.
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=count,
            ignored_scope=nncf.IgnoredScope(names=_only_for_familiarity(network), validate=False),
            # Ranges that leave out single large numbers: with the plain ones the built-in gate
            # decided otherwise on more of 26 strips.
            advanced_quantization_parameters=nncf.AdvancedQuantizationParameters(
                activations_range_estimator_params=ranges.RangeEstimatorParametersSet.HISTOGRAM
            ),
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                ranking_subset_size=min(count, _MOST_RANKED),
                max_num_iterations=_MOST_TAKEN_BACK,
            ),
        )


def _only_for_familiarity(network: Any) -> list[str]:
    """Names of the layers that no other answer needs."""
    inputs, answers = _layers(network)
    if "familiarity" not in answers:
        return []
    last = answers["familiarity"]
    needed = [layer for layer in answers.values() if layer != last]
    return sorted(_behind([last], inputs) - _behind(needed, inputs))


def _layers(network: Any) -> tuple[dict[str, list[str]], dict[str, str]]:
    """For each layer those that it takes from, and for each answer the layer that gives it."""
    if type(network).__module__.startswith("openvino"):
        inputs = {
            layer.get_friendly_name(): [
                port.get_node().get_friendly_name() for port in layer.input_values()
            ]
            for layer in network.get_ops()
        }
        ports = [(name, port) for port in network.outputs for name in port.get_names()]
        return inputs, {name: port.get_node().get_friendly_name() for name, port in ports}
    graph = network.graph
    makers = {name: layer.name for layer in graph.node for name in layer.output}
    inputs = {
        layer.name: [makers[name] for name in layer.input if name in makers] for layer in graph.node
    }
    return inputs, {port.name: makers[port.name] for port in graph.output}


def _behind(last: Sequence[str], inputs: Mapping[str, Sequence[str]]) -> set[str]:
    """These layers, and all that they need."""
    found: set[str] = set()
    waiting = list(last)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += inputs[name]
    return found


@cache
def _nncf() -> Any:
    """Import nncf so that it reports to nobody."""
    with _hidden("openvino_telemetry"):
        nncf: Any = extras.load("nncf", extra="int8")
        wrapper: Any = extras.load("nncf.telemetry.wrapper", extra="int8")
        decorator: Any = extras.load("nncf.telemetry.decorator", extra="int8")
    # Also where somebody has imported it before.
    silent = wrapper.NNCFTelemetryStub()
    wrapper.telemetry = decorator.telemetry = silent
    # Not nncf's own set_log_level: it silences handlers, too, which may be those of others.
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf


@contextlib.contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Let a package be missing: without its reporter, nncf reports to nobody."""
    held = {name: module for name, module in sys.modules.items() if name == package}
    sys.modules[package] = cast("ModuleType", None)  # what makes an import of it fail
    try:
        yield
    finally:
        del sys.modules[package]
        sys.modules.update(held)
