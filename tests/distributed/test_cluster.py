import signal
from types import SimpleNamespace

import pytest

from steel_defect_detection.distributed.cluster import Cluster, connected, room, say_if_busy
from steel_defect_detection.errors import ClusterError, ConfigError


class Nodes:
    """What Ray says of a cluster's machines."""

    def __init__(self, *resources):
        self._resources = resources

    def nodes(self):
        return [
            {"Alive": one is not None, "Resources": one or {"CPU": 99}} for one in self._resources
        ]


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        (Cluster(), 12),
        (Cluster(cpus=3), 3),
        (Cluster(cpus=0.5), 24),
        (Cluster(gpus=1), 2),
        (Cluster(gpus=0.5), 4),
        (Cluster(workers=5), 5),
        (Cluster(cpus=8), 1),
    ],
)
def test_workers_must_fit_on_machines_one_by_one(cluster, expected):
    """Machines of 8 and 4 processors, the first with two GPUs; one is down."""
    assert room(Nodes({"CPU": 8, "GPU": 2}, {"CPU": 4}, None), cluster) == expected


def test_more_workers_than_fit_wait_and_it_is_said(caplog):
    assert room(Nodes({"CPU": 2}), Cluster(workers=7)) == 7
    assert caplog.messages == ["2 workers fit on the cluster now, not 7"]


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        (Cluster(cpus=16), "no machine of the cluster has 16 processors for a worker"),
        (
            Cluster(gpus=1),
            "no machine of the cluster has 1 processor and 1 GPU for a worker; the largest has 8 ",
        ),
    ],
)
def test_a_cluster_without_room_is_refused(cluster, message):
    with pytest.raises(ClusterError, match=message):
        room(Nodes({"CPU": 8}, {"CPU": 8}), cluster)


@pytest.mark.parametrize(
    ("free", "cluster", "words"),
    [
        ({"CPU": 2}, Cluster(cpus=2), []),
        ({}, Cluster(), ["the cluster is busy: waiting for 1 processor"]),
        (
            {"CPU": 4},
            Cluster(gpus=0.5),
            ["the cluster is busy: waiting for 1 processor and 0.5 GPUs"],
        ),
    ],
)
def test_it_is_said_that_others_have_the_cluster(free, cluster, words, caplog):
    ray = SimpleNamespace(available_resources=lambda: free)
    say_if_busy(ray, cluster)
    assert caplog.messages == words


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"workers": 0}, "workers must be 1 or more, got 0"),
        ({"cpus": 0}, "a worker needs processors, got 0 and 0 GPUs"),
        ({"gpus": -1}, "a worker needs processors, got 1 and -1 GPUs"),
    ],
)
def test_impossible_clusters_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        Cluster(**fields)


@pytest.mark.thorough
def test_a_cluster_that_runs_is_used_and_left_running(cluster):
    with connected(Cluster()) as ray:
        assert room(ray, Cluster()) == 2
    assert cluster.is_initialized()


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "127.0.0.1:99999"])
def test_an_address_where_nobody_listens_is_refused_at_once(address, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with (
        pytest.raises(ClusterError, match=f"no Ray cluster answers at {address}: "),
        connected(Cluster(address=address)),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (None, "Ray cannot be started: too slow. If this machine is busy, try again"),
        (
            "auto",
            "no Ray cluster lets this machine in at auto: too slow. It needs the same releases",
        ),
    ],
)
def test_whatever_ray_raises_at_its_start_is_one_line(address, message, monkeypatch):
    ray = pytest.importorskip("ray")

    def fail(**options):
        assert ("num_cpus" in options) == (options["address"] == "local")
        raise Exception("too slow")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(ClusterError, match=message), connected(Cluster(address=address)):
        pass


def test_a_run_that_is_told_to_end_does_so_in_its_own_way(monkeypatch):
    """Ray puts a handler of its own in place."""
    ray = pytest.importorskip("ray")
    before = signal.getsignal(signal.SIGTERM)
    taken = {
        "is_initialized": lambda: False,
        "init": lambda **_: signal.signal(signal.SIGTERM, signal.SIG_IGN),
        "shutdown": lambda: None,
    }
    for name, replacement in taken.items():
        monkeypatch.setattr(ray, name, replacement)
    with connected(Cluster()):
        assert signal.getsignal(signal.SIGTERM) == before
