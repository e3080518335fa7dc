"""Object storage on the loopback address, and one Ray cluster for all tests of a file."""

import os

import pytest

from tests.export import toys

BUCKET = "strips"


@pytest.fixture(scope="session")
def storage():
    """A server that speaks S3, and what tells clients about it."""
    server = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    told = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir(BUCKET)
        yield
    running.stop()


@pytest.fixture
def bucket(storage, request):
    """Address of a folder of the test's own in object storage."""
    return f"s3://{BUCKET}/{request.node.name.replace('[', '-').replace(']', '')}"


@pytest.fixture(scope="module")
def cluster(storage):
    """Ray on two processors; its workers know the storage."""
    ray = pytest.importorskip("ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Workers import this package from where the tests do.
    path = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])  # noqa: PTH109
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
            object_store_memory=100 * 2**20,
        )
    yield ray
    ray.shutdown()


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A calibrated cascade of toys."""
    return toys.save_cascade(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def strips(tmp_path_factory):
    """Twenty strips in two folders that share names, and a file that is no image."""
    folder = tmp_path_factory.mktemp("strips")
    toys.strips(folder / "one", count=4)
    toys.strips(folder / "two", count=4)
    for number in range(12):
        (folder / "more").mkdir(exist_ok=True)
        data = (folder / "one" / f"strip-{number % 4}.png").read_bytes()
        (folder / "more" / f"strip-{number + 10}.png").write_bytes(data)
    (folder / "two" / "text.png").write_text("text")
    return folder
