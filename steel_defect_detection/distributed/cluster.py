"""A Ray cluster: one that runs, or one of this machine for as long as it is needed."""

import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from steel_defect_detection import extras
from steel_defect_detection.distributed.place import reason
from steel_defect_detection.errors import ClusterError, ConfigError
from steel_defect_detection.runtimes.processor import cores

_LOG = logging.getLogger(__name__)

_SECONDS = 10

# Only names, counts and one model pass between machines.
_OBJECT_STORE_BYTES = 512 * 2**20


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Which cluster to work on, and how much of it.

    Args:
        address: Address of a running cluster, such as ``auto`` or ``10.0.0.1:6379``;
            None for what ``RAY_ADDRESS`` names, and without that one of this machine.
        workers: Workers, each with a model of its own; None for as many as fit.
        cpus: Processors per worker.
        gpus: GPUs per worker; a share such as 0.5 puts two on one.
    """

    address: str | None = None
    workers: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.workers is not None and self.workers < 1:
            msg = f"workers must be 1 or more, got {self.workers}"
            raise ConfigError(msg)
        if not self.cpus > 0 or not self.gpus >= 0:
            msg = f"a worker needs processors, got {self.cpus:g} and {self.gpus:g} GPUs"
            raise ConfigError(msg)


@contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """Connect to a cluster, or start one, for as long as the context lasts.

    Args:
        cluster: Which one.

    Yields:
        The module ``ray``.

    Raises:
        MissingExtraError: If Ray is not installed.
        ClusterError: If the cluster cannot be reached.
    """
    # Ray reports to a server of its maker's otherwise.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's own remarks about itself, in this process.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray = extras.load("ray", extra="ray")
    extras.load("ray.data", extra="ray")
    if ray.is_initialized():
        yield ray
        return
    address = cluster.address or os.environ.get("RAY_ADDRESS")
    _refuse_silent(address)
    usual = signal.getsignal(signal.SIGTERM)
    own = {
        "num_cpus": cores(),
        "include_dashboard": False,
        "object_store_memory": _OBJECT_STORE_BYTES,
    }
    try:
        ray.init(
            # Without an address Ray would look for a cluster that somebody has started here.
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({} if address else own),
        )
    # Ray raises errors of all kinds here, plain Exception among them.
    except Exception as error:
        raise ClusterError(_no_cluster(address, error)) from error
    if threading.current_thread() is threading.main_thread():
        # Ray's own handler ends the process with a native stack.
        signal.signal(signal.SIGTERM, usual)
    try:
        yield ray
    finally:
        ray.shutdown()


def _no_cluster(address: str | None, error: Exception) -> str:
    if not address:
        return f"Ray cannot be started: {reason(error)}. If this machine is busy, try again"
    return (
        f"no Ray cluster lets this machine in at {address}: {reason(error)}. It needs the same "
        "releases of Ray and Python, and the token of the cluster, if it has one"
    )


def _refuse_silent(address: str | None) -> None:
    """Refuse an address at which nothing listens: Ray itself tries for minutes."""
    found = re.search(r"(?:^|//)([^/:]+):(\d+)$", address or "")
    if found is None:
        return
    try:
        socket.create_connection((found[1], int(found[2])), timeout=_SECONDS).close()
    except (OSError, OverflowError) as error:
        msg = f"no Ray cluster answers at {address}: {reason(error)}"
        raise ClusterError(msg) from error


def room(ray: Any, cluster: Cluster) -> int:
    """How many workers there are to be.

    Args:
        ray: The module, connected.
        cluster: What was asked for.

    Raises:
        ClusterError: If no machine of the cluster has room for a worker.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    fits = sum(_fits(node["Resources"], cluster) for node in nodes)
    if not fits:
        what = _needs(cluster)
        largest = max((node["Resources"].get("CPU", 0) for node in nodes), default=0)
        msg = (
            f"no machine of the cluster has {what} for a worker; the largest has "
            f"{_amount(largest, 'processor')}: see --cpus-per-worker and --gpus-per-worker"
        )
        raise ClusterError(msg)
    if cluster.workers is None:
        return fits
    if cluster.workers > fits:
        _LOG.warning("%d workers fit on the cluster now, not %d", fits, cluster.workers)
    return cluster.workers


def say_if_busy(ray: Any, cluster: Cluster) -> None:
    """Say that nothing will happen for a while, if others have the cluster.

    Args:
        ray: The module, connected.
        cluster: What was asked for.
    """
    free = ray.available_resources()
    if free.get("CPU", 0) < cluster.cpus or free.get("GPU", 0) < cluster.gpus:
        _LOG.warning("the cluster is busy: waiting for %s", _needs(cluster))


def _needs(cluster: Cluster) -> str:
    needs = _amount(cluster.cpus, "processor")
    return f"{needs} and {_amount(cluster.gpus, 'GPU')}" if cluster.gpus else needs


def _amount(number: float, one: str) -> str:
    """A share of a thing is possible here."""
    return f"{number:g} {one if number == 1 else one + 's'}"


def _fits(resources: dict[str, float], cluster: Cluster) -> int:
    workers = int(resources.get("CPU", 0) / cluster.cpus)
    return min(workers, int(resources.get("GPU", 0) / cluster.gpus)) if cluster.gpus else workers
