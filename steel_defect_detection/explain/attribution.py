"""The five methods, as captum computes them.

======================  =====================================================
integrated-gradients    Sundararajan et al., ICML 2017, https://arxiv.org/abs/1703.01365
saliency                Simonyan et al., 2013, https://arxiv.org/abs/1312.6034
deeplift                Shrikumar et al., ICML 2017, https://arxiv.org/abs/1704.02685
guided-backprop         Springenberg et al., 2014, https://arxiv.org/abs/1412.6806
grad-cam                Selvaraju et al., ICCV 2017, https://arxiv.org/abs/1610.02391
======================  =====================================================

Signs are kept, also where the authors drop them. What is attributed to are the
pixels of the image itself: gradients go back through the scaling.
"""

import warnings
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from steel_defect_detection import extras
from steel_defect_detection.errors import ExplanationError
from steel_defect_detection.explain.explanation import Method
from steel_defect_detection.explain.targets import Aim
from steel_defect_detection.models.graph import STRIDE, Preprocess

MOST_PIXELS = 2**20
"""Pixels of the largest image that is explained, as the network sees it. With their gradients they
take up to four gigabytes, depending on the network; with DeepLift, which looks at two images at
once, twice that."""

PIXELS_AT_ONCE = 2**18
"""Pixels of the images that integrated gradients look at together, unless a single one has more."""


def attribute(
    method: Method, aim: Aim, image: Tensor, baseline: Tensor, *, steps: int, stage: nn.Module
) -> Tensor:
    """Say what each pixel does for a target.

    Args:
        method: How.
        aim: The network with the target as its answer, prepared for the method.
        image: float, shape ``(1, height, width, 1 or 3)``, 0 to 255.
        baseline: What the image is compared with, of the same shape; only for
            integrated gradients and DeepLift.
        steps: Images between the two that integrated gradients look at.
        stage: Layer of the network that Grad-CAM looks at.

    Returns:
        float, shape ``(height, width)``.

    Raises:
        MissingExtraError: If captum is not installed.
    """
    captum = extras.load("captum.attr", extra="explain")
    pixels = image.clone().requires_grad_()
    with warnings.catch_warnings():
        # Captum says each time that it sets hooks and takes them off again.
        warnings.filterwarnings("ignore", message="(?s)Setting .*hooks")
        if method == "grad-cam":
            seen: Tensor = captum.LayerGradCam(aim, stage).attribute(pixels)
            return _on_image(seen.detach(), aim.graph.preprocess, image)
        compute: Callable[..., Tensor] = {
            "integrated-gradients": lambda: captum.IntegratedGradients(aim).attribute(
                pixels,
                baseline,
                n_steps=steps,
                internal_batch_size=batch_size(aim.graph.preprocess, image),
            ),
            "saliency": lambda: captum.Saliency(aim).attribute(pixels, abs=False),
            "deeplift": lambda: captum.DeepLift(aim).attribute(pixels, baseline),
            "guided-backprop": lambda: captum.GuidedBackprop(aim).attribute(pixels),
        }[method]
        return compute().detach().sum(dim=3)[0]


def check_size(prepare: Preprocess, image: Tensor) -> None:
    """Refuse an image whose gradients might not fit into memory.

    Args:
        prepare: How the network sees images.
        image: The image, of shape ``(1, height, width, channels)``.

    Raises:
        ExplanationError: If it is too large.
    """
    height, width = _padded(prepare, image)
    if height * width > MOST_PIXELS:
        msg = (
            f"the network sees {width} x {height} pixels, and at most {MOST_PIXELS:,} "
            "are explained at once, for want of memory. Cut the image into parts"
        )
        raise ExplanationError(msg)


def batch_size(prepare: Preprocess, image: Tensor) -> int:
    """How many images of one size integrated gradients may look at together, 1 or more.

    Args:
        prepare: How the network sees images.
        image: Such an image, of shape ``(1, height, width, channels)``.
    """
    height, width = _padded(prepare, image)
    return max(1, PIXELS_AT_ONCE // (height * width))


def _padded(prepare: Preprocess, image: Tensor) -> tuple[int, int]:
    height, width = prepare.scaled(image.shape[1:3])
    return height + -height % STRIDE, width + -width % STRIDE


def _on_image(seen: Tensor, prepare: Preprocess, image: Tensor) -> Tensor:
    """Lay what a coarse layer says over the image, without what was padded."""
    wide: dict[str, Any] = {"mode": "bilinear", "align_corners": False}
    padded = functional.interpolate(seen, size=_padded(prepare, image), **wide)
    height, width = prepare.scaled(image.shape[1:3])
    cut = padded[..., :height, :width]
    return functional.interpolate(cut, size=tuple(image.shape[1:3]), **wide)[0, 0]
