"""TorchScript files, for programs that have PyTorch but not this package.

The description is one of the file's extra files. PyTorch has deprecated the
format, and a TorchScript file is a small program, even if one in a language of
its own: load only those that you trust. The hashes say whether a file is intact,
not who made it.
"""

import hashlib
import io
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.export.description import KEY, StoredPrecision
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.runtimes.runtime import Arrays, Run

SUFFIX = ".pt"
PRECISIONS: tuple[StoredPrecision, ...] = ("float32",)
LIBRARIES: tuple[str, ...] = ("torch",)

# The inputs and outputs have no names in such a file, so these are written beside the network.
_PORTS = "ports"


def convert(config: GraphConfig, tensors: Arrays, inputs: Arrays) -> Any:
    """Convert a graph to a ``torch.jit.ScriptModule`` and the names of what it takes and gives."""
    import torch

    from steel_defect_detection.models import weights
    from steel_defect_detection.runtimes import tracing

    graph = weights.restored(config, tensors)
    # A trace of what was written down: a trace of the graph itself would keep the example's batch.
    program = tracing.write_down(graph, inputs).module()
    examples = tuple(torch.from_numpy(array) for array in inputs.values())
    jit: Any = torch.jit
    with _without_warnings(), torch.inference_mode():
        module = jit.trace(program, examples, check_trace=False)
    return module, " ".join([*inputs, ":", *graph.outputs])


def runner(
    network: Any,
) -> Run:
    """Make ready to run a network that was not written yet."""
    return _runner(*network)


def save(network: Any, path: Path, *, half: bool) -> None:
    """Write a network, without a description."""
    assert not half, "float16 is none of PRECISIONS"
    module, ports = network
    import torch

    jit: Any = torch.jit
    data = io.BytesIO()
    with _without_warnings():
        jit.save(module, data, _extra_files={_PORTS: ports})
    # Not by PyTorch itself: on a full disk it ends the whole program.
    path.write_bytes(data.getbuffer())


def describe(path: Path, text: str) -> None:
    """Add the description to the archive that such a file is."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{_home(archive)}/extra/{KEY}", text)


def inspect(path: Path) -> tuple[str | None, str]:
    """Read the description, if there is one, and the hash of all the rest."""
    digest = hashlib.sha256()
    text = None
    with zipfile.ZipFile(path) as archive:
        own = f"{_home(archive)}/extra/{KEY}"
        for name in archive.namelist():
            content = archive.read(name)
            if name == own:
                text = content.decode()
            else:
                digest.update(f"{name} {len(content)} ".encode() + content)
    return text, digest.hexdigest()


def load(path: Path, threads: int) -> Run:
    """Load a network so that several threads may run it at the same time."""
    import torch

    del threads  # PyTorch has one number of threads for the whole process
    extra = {_PORTS: ""}
    jit: Any = torch.jit
    with _without_warnings():
        module = jit.load(str(path), map_location="cpu", _extra_files=extra)
    ports: str | bytes = extra[_PORTS]
    return _runner(module, ports.decode() if isinstance(ports, bytes) else ports)


def _runner(module: Any, ports: str) -> Run:
    import torch

    taken, given = (names.split() for names in ports.split(":"))

    def run(inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        # A copy only where PyTorch could not share the memory: it refuses read-only arrays.
        arrays = [np.require(inputs[name], requirements=["C", "W"]) for name in taken]
        with torch.inference_mode():
            outputs = module(*(torch.from_numpy(array) for array in arrays))
        return {name: output.numpy() for name, output in zip(given, outputs, strict=True)}

    return run


def _home(archive: zipfile.ZipFile) -> str:
    """Folder within the archive, named as the file was when it was written."""
    return archive.namelist()[0].partition("/")[0]


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep what PyTorch says to those who write the format from those who use it."""
    with warnings.catch_warnings():
        # "`torch.jit.trace` is deprecated. Please switch to `torch.compile` or `torch.export`."
        warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        # The program checks the shapes of what it is given; the checks become constants.
        warnings.filterwarnings("ignore", "Converting a tensor to a Python boolean")
        yield
