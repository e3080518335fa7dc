"""Copies of networks that captum treats correctly.

Captum replaces the gradient of activations by hooks on their modules. That goes
wrong, partly without a word, where

* one module is called several times: DeepLift fails, since it keeps input and
  output in the module;
* a module changes its input in place;
* something else takes the input of an activation, too: the rule then replaces
  the gradient of both;
* an activation is no ``nn.ReLU``: guided backpropagation then is the plain
  gradient, and DeepLift the gradient times the input;
* the windows of a max pooling overlap: DeepLift then loses a part.

The copies made here compute the same and have none of this; a network that
cannot be brought there is refused.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from steel_defect_detection.errors import ExplanationError
from steel_defect_detection.explain.explanation import Method
from steel_defect_detection.models.graph import PlainGraph

Run = Callable[[PlainGraph], Tensor]
"""Runs a network on some image and returns what it says."""

_WITH_ANY_ACTIVATION = "integrated-gradients, saliency or grad-cam"

# How PyTorch calls the backward passes of activations other than ReLU.
_OTHERS = (
    "Elu",
    "Gelu",
    "Hardsigmoid",
    "Hardswish",
    "LeakyRelu",
    "Mish",
    "Prelu",
    "Sigmoid",
    "Silu",
    "Softplus",
    "Swish",
    "Tanh",
)


def prepared(graph: PlainGraph, method: Method, run: Run) -> PlainGraph:
    """Copy a network and make the copy fit for a method.

    Args:
        graph: The network, which is not changed.
        method: What it is to be explained by.
        run: Runs a network on some image.

    Returns:
        A copy with the same answers, no activation of which works in place or
        is called twice.

    Raises:
        ExplanationError: If the method does not exist for its activations.
    """
    made = copy.deepcopy(graph).eval().requires_grad_(requires_grad=False)
    for layer in made.modules():
        if hasattr(layer, "inplace"):
            setattr(layer, "inplace", False)  # noqa: B010 -- only some layers have it
    if method == "guided-backprop":
        _swap(made, _guided)
    if method == "deeplift":
        _swap(made, _additive)
    _make_distinct(made, run)
    if method in {"guided-backprop", "deeplift"}:
        _check_rectified(made, method, run)
    return made


def last_stage(graph: PlainGraph, run: Run) -> nn.Module:
    """Find the last part of the encoder whose answer still has rows and columns.

    Args:
        graph: The network, prepared.
        run: Runs a network on some image.

    Raises:
        ExplanationError: If the image is too small for that.
    """
    encoder = {layer for part in graph.network.encoder_parts() for layer in part.modules()}
    finished: list[nn.Module] = []

    def note(layer: nn.Module, _: Any, output: Any) -> None:
        is_map = isinstance(output, Tensor) and output.ndim == 4
        if layer in encoder and is_map and min(output.shape[2:]) > 1:
            finished.append(layer)

    with _hooked(graph, note), torch.no_grad():
        run(graph)
    counts = Counter(finished)
    last = next((layer for layer in reversed(finished) if counts[layer] == 1), None)
    if last is None:
        msg = (
            "the image is so small that the encoder's last stage has a single pixel, so grad-cam "
            "would say nothing. Use another method"
        )
        raise ExplanationError(msg)
    return last


class Turns(nn.Module):
    """Copies of a layer without weights: each call gets its own, and an input of its own.

    Args:
        layer: The layer.
        count: How often one pass calls it.
    """

    def __init__(self, layer: nn.Module, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(copy.deepcopy(layer) for _ in range(count))
        self._next = 0

    def forward(self, *inputs: Tensor) -> Tensor:
        """Pass the inputs to the copy whose turn it is."""
        layer = self.layers[self._next]
        self._next = (self._next + 1) % len(self.layers)
        answer: Tensor = layer(*(each.clone() for each in inputs))
        return answer


class _ClippedReLU(nn.ReLU):
    """ReLU6 as a kind of ReLU, so that guided backpropagation finds it.

    Its gradient passes where the input lies between 0 and 6, and only if it is
    positive.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 -- as PyTorch calls it
        clipped: Tensor = functional.relu6(input)
        return clipped


class _AdditiveReLU6(nn.Module):
    """ReLU6 as the difference of two ReLUs, for which DeepLift has a rule.

    Both see the same change of input, so that the rule gives what it would give
    for the whole.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lower, self.upper = nn.ReLU(), nn.ReLU()

    def forward(self, values: Tensor) -> Tensor:
        clipped: Tensor = self.lower(values) - self.upper(values - 6)
        return clipped


class _AdditiveMaxPool(nn.Module):
    """Max pooling made of ReLUs, for which DeepLift has a rule: max(a, b) = b + ReLU(a - b).

    Args:
        pool: The max pooling.
    """

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.kernel, self.stride = _pair(pool.kernel_size), _pair(pool.stride)
        self.padding = _pair(pool.padding)
        offsets = self.kernel[0] * self.kernel[1]
        self.larger = nn.ModuleList(nn.ReLU() for _ in range(offsets - 1))

    def forward(self, values: Tensor) -> Tensor:
        rows, columns = self.padding
        # A copy of the border pixel, which lies within the window anyway, changes no maximum.
        padded = functional.pad(values, (columns, columns, rows, rows), mode="replicate")
        windows = padded.unfold(2, self.kernel[0], self.stride[0])
        windows = windows.unfold(3, self.kernel[1], self.stride[1]).flatten(4)
        highest, *others = windows.unbind(dim=4)
        for layer, other in zip(self.larger, others, strict=True):
            highest = highest + layer(other - highest)
        return highest


def _guided(layer: nn.Module) -> nn.Module | None:
    return _ClippedReLU() if isinstance(layer, nn.ReLU6) else None


def _additive(layer: nn.Module) -> nn.Module | None:
    if isinstance(layer, nn.ReLU6):
        return _AdditiveReLU6()
    if isinstance(layer, nn.MaxPool2d) and not layer.ceil_mode and _pair(layer.dilation) == (1, 1):
        return _AdditiveMaxPool(layer)
    return None


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _swap(graph: nn.Module, replacement: Callable[[nn.Module], nn.Module | None]) -> None:
    """Put layers in the place of others; one that stands in several places stays one."""
    made: dict[nn.Module, nn.Module | None] = {}
    for parent in list(graph.modules()):
        for name, layer in list(parent.named_children()):
            if layer not in made:
                made[layer] = replacement(layer)
            other = made[layer]
            if other is not None:
                setattr(parent, name, other)


def _make_distinct(graph: PlainGraph, run: Run) -> None:
    """Give each call of a layer without weights a layer of its own, and what is hooked an input."""
    counts = _calls(graph, run)

    def own(layer: nn.Module) -> nn.Module | None:
        is_plain = not list(layer.children()) and not list(layer.parameters())
        is_wanted = counts[layer] > 1 or (
            counts[layer] == 1 and isinstance(layer, nn.ReLU | nn.MaxPool2d)
        )
        return Turns(layer, counts[layer]) if is_plain and is_wanted else None

    _swap(graph, own)


def _calls(graph: PlainGraph, run: Run) -> Counter[nn.Module]:
    """How often one pass calls each layer."""
    counts: Counter[nn.Module] = Counter()
    with _hooked(graph, lambda layer, *_: counts.update([layer])), torch.no_grad():
        run(graph)
    return counts


@contextmanager
def _hooked(graph: nn.Module, note: Callable[..., None]) -> Iterator[None]:
    """Let a function take note of each call of a layer, when it has answered."""
    hooks = [layer.register_forward_hook(note) for layer in graph.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _check_rectified(graph: PlainGraph, method: Method, run: Run) -> None:
    """Refuse activations that a method has no rule for, or that captum cannot see."""
    counts = _calls(graph, run)
    seen = sum(count for layer, count in counts.items() if isinstance(layer, nn.ReLU))
    with torch.enable_grad():
        passes = Counter(_backward_passes(run(graph)))
    others = sorted({_activation(name) for name in passes if name.startswith(_OTHERS)})
    rectified = passes["ReluBackward0"] + passes["HardtanhBackward0"]
    if others:
        msg = (
            f"{method} is defined for networks whose activations are all ReLU or ReLU6, and this "
            f"one has {', '.join(others)}. Use {_WITH_ANY_ACTIVATION}"
        )
        raise ExplanationError(msg)
    if rectified != seen:
        msg = (
            f"{method} reaches {seen} of the {rectified} ReLUs of this network; the others are no "
            f"layers of their own. Use {_WITH_ANY_ACTIVATION}"
        )
        raise ExplanationError(msg)


def _activation(backward_pass: str) -> str:
    return backward_pass.partition("Backward")[0].removesuffix("Implementation")


def _backward_passes(value: Tensor) -> Iterator[str]:
    """Names of all steps back from a value to the image."""
    waiting: list[Any] = [value.grad_fn]
    seen = set(waiting)
    while waiting:
        step = waiting.pop()
        yield step.name()
        following = {before for before, _ in step.next_functions if before is not None} - seen
        seen |= following
        waiting += following
