r"""Deterministic uncertainty quantification (DUQ): a head that measures distances.

A DUQ network does not ask "which class?" but "how near to each class?". The
head keeps one centroid per class and answers with a kernel per class: 1 on the
centroid, falling to 0 with distance. Far from every centroid means that the
network has seen nothing like this image.

For features z = f(x), with the mean taken over the coordinates of an embedding,

    K_c = exp(- mean((W_c z - e_c)^2) / (2 sigma^2)),    e_c = m_c / N_c

The class is the one with the largest kernel, and that kernel is the certainty.
While W_c learns by gradient, m_c and N_c are moving averages over the batches:

    N_c <- gamma N_c + (1 - gamma) n_c
    m_c <- gamma m_c + (1 - gamma) sum of W_c z over the n_c images of class c

Without images of class c both shrink alike, and its centroid stays.

Source: van Amersfoort et al., "Uncertainty Estimation Using a Single Deep
Deterministic Neural Network", ICML 2020, https://arxiv.org/abs/2003.02037.
Symbols of the paper and names used here:

    ========  ==================
    W_c       ``projections``
    e_c       ``centroids()``
    N_c       ``image_counts``
    m_c       ``embedding_sums``
    sigma     ``length_scale``
    gamma     ``momentum``
    K_c       ``kernel()``
    ========  ==================

The centroids begin at random, each coordinate with a standard deviation of
0.05, as in the authors' code; drawn around 0.05 with a deviation of 1, as the
prints system does it, they would lie further apart the smaller N_c is.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

# Below, a kernel is 1 but for rounding, and its logit would be infinite.
_LEAST_EXPONENT = 1e-6

# Below, a class that is hardly ever shown would be rounded to 0 / 0, in float16 first.
_LEAST_COUNT = 0.01


class DuqHead(nn.Module):
    """From features to one logit per class, the sigmoid of which is the kernel.

    Args:
        features: Numbers per image that come in.
        classes: How many classes there are.
        embedding_size: Coordinates of a centroid; 0 for as many as features.
        length_scale: Distance sigma, in units of one embedding coordinate, at
            which the kernel has fallen to exp(-1/2), about 0.61. The authors'
            CIFAR-10 script uses 0.1.
        initial_count: Images that each centroid counts for in the beginning.
            The authors' script uses 13, a class's share of its batches.

    Shape:
        features: float, ``(batch, features)``.
        logits: float32, ``(batch, classes)``.
    """

    image_counts: Tensor
    embedding_sums: Tensor

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        embedding_size: int = 0,
        length_scale: float = 0.1,
        initial_count: float = 13.0,
    ) -> None:
        """Draw projections and centroids."""
        super().__init__()
        size = embedding_size or features
        self.length_scale = length_scale
        self.projections = nn.Parameter(torch.empty(size, classes, features))
        nn.init.kaiming_normal_(self.projections, nonlinearity="relu")
        self.register_buffer("image_counts", torch.full((classes,), float(initial_count)))
        self.register_buffer("embedding_sums", torch.randn(size, classes) * 0.05 * initial_count)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits log(K / (1 - K))."""
        exponent = self._exponent(features).clamp(min=_LEAST_EXPONENT)
        # log(K) is -exponent; this form of log(1 - K) neither overflows nor loses small kernels.
        return -exponent - torch.log(-torch.expm1(-exponent))

    def kernel(self, features: Tensor) -> Tensor:
        """Return how near each image is to each class: 1 on its centroid, 0 far away."""
        return torch.exp(-self._exponent(features))

    def centroids(self) -> Tensor:
        """Return the centroid of each class, shape ``(embedding, classes)``."""
        return self.embedding_sums / self.image_counts

    def begin(self, initial_count: float) -> None:
        """Let each centroid, where it is, count for so many images."""
        self.embedding_sums.mul_(initial_count / self.image_counts)
        self.image_counts.fill_(initial_count)

    @torch.no_grad()
    def remember(self, features: Tensor, labels: Tensor, *, momentum: float = 0.999) -> None:
        """Move the centroids of the classes that a batch shows towards its images.

        Args:
            features: float, shape ``(batch, features)``.
            labels: 1 where an image shows a class, else 0, shape ``(batch, classes)``.
            momentum: Share gamma of the old centroids that is kept. The authors'
                script uses 0.999.
        """
        embeddings = self._embeddings(features)
        shown = labels.to(embeddings.dtype)
        sums = (embeddings * shown[:, None]).sum(dim=0)
        self.image_counts.mul_(momentum).add_(shown.sum(dim=0), alpha=1 - momentum)
        self.embedding_sums.mul_(momentum).add_(sums, alpha=1 - momentum)
        # Both alike, so that the centroids stay.
        enlarged = (_LEAST_COUNT / self.image_counts).clamp(min=1)
        self.image_counts.mul_(enlarged)
        self.embedding_sums.mul_(enlarged)

    def _exponent(self, features: Tensor) -> Tensor:
        """Mean squared distance to each centroid, in units of 2 sigma^2."""
        offsets = self._embeddings(features) - self.centroids()
        return offsets.square().mean(dim=1) / (2 * self.length_scale**2)

    def _embeddings(self, features: Tensor) -> Tensor:
        """Each image in the space of each class, shape ``(batch, embedding, classes)``."""
        with _in_float32(features.device.type):
            flat = functional.linear(features.float(), self.projections.flatten(0, 1))
        return flat.reshape(-1, *self.projections.shape[:2])


def _in_float32(device: str) -> AbstractContextManager[object]:
    """Leave automatic precision, without a trace in a graph that is written down."""
    if torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()
