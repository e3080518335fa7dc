"""The one OpenVINO of a process."""

from functools import cache

import numpy as np
import openvino


@cache
def core() -> openvino.Core:
    """OpenVINO's entry, made once and kept until the process ends.

    Its plugin for the processor gives the thread that makes it a stack for
    signals, and frees that stack when the plugin goes. If the garbage collector
    did that on another thread, the next signal, say that a worker process has
    ended, would kill the process.

    Its binding looks up NumPy at the first array it meets. If two threads bring
    their first arrays at the same time, they wait for each other for ever; so
    one array is brought here.
    """
    _ = openvino.Tensor(np.zeros(1, dtype=np.uint8)).data
    return openvino.Core()


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16 by itself."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
