"""What a run is computed on. Devices that this machine may not have are said to be there."""

import re

import pytest
import torch

from steel_defect_detection.errors import ConfigError, DeviceError
from steel_defect_detection.training import devices
from steel_defect_detection.training.config import TrainConfig


def on(device: str, **settings) -> TrainConfig:
    return TrainConfig(architecture="classifier", device=device, **settings)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)


@pytest.mark.parametrize(
    ("device", "settings", "accelerator", "chosen"),
    [
        ("auto", {}, "cuda", 1),
        ("cuda", {"devices": 2}, "cuda", 2),
        ("cuda:1", {}, "cuda", [1]),
        ("cuda:0", {}, "cuda", [0]),
        ("cpu", {"devices": 3}, "cpu", 3),
    ],
)
@pytest.mark.usefixtures("two_gpus")
def test_a_device_is_told_in_lightnings_words(device, settings, accelerator, chosen):
    config = on(device, **settings)
    devices.check(config)
    assert (devices.accelerator(config), devices.chosen(config)) == (accelerator, chosen)


@pytest.mark.usefixtures("two_gpus")
def test_one_numbered_device_is_not_several():
    message = "device 'cuda:1' is a single one, but devices is 2. Leave its number out"
    with pytest.raises(ConfigError, match=re.escape(message)):
        devices.check(on("cuda:1", devices=2))


@pytest.mark.parametrize("device", ["cuda:2", "cuda:9"])
@pytest.mark.usefixtures("two_gpus")
def test_a_number_beyond_the_last_device_is_refused(device):
    with pytest.raises(DeviceError, match=f"device '{device}' was asked for, .* 2 CUDA devices"):
        devices.check(on(device))


@pytest.mark.parametrize("device", ["gpu", "tpu", "", "cuda:one"])
def test_a_word_that_is_no_device_is_refused(device):
    with pytest.raises(DeviceError, match="device must be 'auto', 'cpu' or 'cuda'"):
        devices.check(on(device))


@pytest.mark.usefixtures("no_gpu")
def test_without_a_cuda_device_the_processor_is_taken_unless_it_is_asked_for():
    assert devices.accelerator(on("auto")) == "cpu"
    with pytest.raises(DeviceError, match="device 'cuda' was asked for"):
        devices.check(on("cuda"))


def test_machines_have_to_be_told_of_each_other(monkeypatch):
    for name in ("MASTER_ADDR", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="nodes is 2, but nothing says where the others are"):
        devices.check(on("cpu", nodes=2))
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
    devices.check(on("cpu", nodes=2))


@pytest.mark.parametrize(
    ("able", "expected"),
    [
        ({"avx512_bf16": True}, False),
        ({"avx512_bf16": True, "amx_bf16": True}, True),
        ({"bf16": True}, True),
        ({"avx512_f": True}, False),
        ({}, False),
    ],
)
@pytest.mark.usefixtures("no_gpu")
def test_a_processor_computes_in_bfloat16_where_it_can(monkeypatch, able, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert devices.wants_bfloat16(on("cpu")) == expected
    assert devices.wants_bfloat16(on("cpu", precision="bfloat16"))
    assert not devices.wants_bfloat16(on("cpu", precision="float32"))


@pytest.mark.usefixtures("no_gpu")
def test_distances_are_learned_in_float32_unless_somebody_asks_for_less(monkeypatch):
    able = {"amx_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert not devices.wants_bfloat16(on("cpu", head="duq"))
    assert devices.wants_bfloat16(on("cpu", head="duq", precision="bfloat16"))
