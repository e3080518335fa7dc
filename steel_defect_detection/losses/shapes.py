"""What every loss asks of its input: targets that belong to the outputs."""

from torch import Tensor

from steel_defect_detection.errors import AnnotationError


def check_same(outputs: Tensor, targets: Tensor) -> None:
    """Refuse targets that would be stretched to the outputs' shape, or nothing at all.

    Args:
        outputs: Logits or probabilities, shape ``(batch, classes, ...)``.
        targets: One number for each of them, same shape.

    Raises:
        AnnotationError: If the shapes differ or hold no value.
    """
    if outputs.shape != targets.shape or not outputs.numel():
        msg = (
            f"expected targets of the shape of the outputs, {tuple(outputs.shape)}, with at least "
            f"one value, got {tuple(targets.shape)}. Give one target per image, class and pixel"
        )
        raise AnnotationError(msg)


def check_labels(logits: Tensor, labels: Tensor) -> None:
    """Refuse labels that are not one whole number per image, or per pixel.

    Args:
        logits: Shape ``(batch, classes, ...)``.
        labels: Numbers of the classes, int64, shape ``(batch, ...)``.

    Raises:
        AnnotationError: If the shape does not fit, holds no value, or the
            labels are not int64.
    """
    expected = (logits.shape[0], *logits.shape[2:])
    if labels.shape != expected or not labels.numel() or labels.is_floating_point():
        msg = (
            f"expected whole-number labels of shape {tuple(expected)} for logits of shape "
            f"{tuple(logits.shape)}, got {labels.dtype} of shape {tuple(labels.shape)}. Give the "
            "number of the class, not one value per class"
        )
        raise AnnotationError(msg)
