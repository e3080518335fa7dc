import hashlib
import pickle

import numpy as np
import pytest
import safetensors.numpy
from pydantic import BaseModel

from steel_defect_detection.checkpoints import container
from steel_defect_detection.errors import CheckpointError


class Words(BaseModel):
    format_version: int = 1
    text: str


def read(path):
    return container.read(path, "words", Words, newest=1, foreign="holds no words")


def test_what_is_written_is_read_back(tmp_path):
    numbers = {"a": np.arange(6, dtype=np.float16).reshape(2, 3).T, "b": np.ones(2, np.int64)}
    container.write(tmp_path / "file", "words", Words(text="ä €"), numbers)
    found = read(tmp_path / "file")
    assert found.header == Words(text="ä €")
    assert found.sha256 == hashlib.sha256((tmp_path / "file").read_bytes()).hexdigest()
    for name, values in numbers.items():
        assert found.tensors[name].dtype == values.dtype
        assert np.array_equal(found.tensors[name], values)


def test_a_file_of_another_library_is_refused(tmp_path):
    safetensors.numpy.save_file({"a": np.ones(2)}, tmp_path / "file", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"file holds no words: its header has no 'words'"):
        read(tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "has a header without the number of its format"),
        ('{"format_version": 1}', "has a header that cannot be used: text: Field required"),
        ("[]", "has a header that is no JSON object"),
        ("{", "has a header that is no JSON object"),
        ('{"format_version": 2}', "has format 2, this version reads format 1. Upgrade"),
        ('{"format_version": 0}', "has format 0, this version reads format 1. Nothing of that"),
    ],
)
def test_a_header_that_says_something_else_is_refused(tmp_path, text, message):
    metadata = {"words": text}
    safetensors.numpy.save_file({"a": np.ones(2)}, tmp_path / "file", metadata=metadata)
    with pytest.raises(CheckpointError, match=message):
        read(tmp_path / "file")


def test_a_damaged_or_missing_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot read .*: No such file"):
        read(tmp_path / "file")
    container.write(tmp_path / "file", "words", Words(text="a"), {"a": np.ones(9)})
    (tmp_path / "file").write_bytes((tmp_path / "file").read_bytes()[:-8])
    with pytest.raises(CheckpointError, match=r"is no intact \.safetensors file"):
        read(tmp_path / "file")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (b"PK\x03\x04 and more than eight bytes", "it looks like a file of PyTorch"),
        (pickle.dumps({"weights": [1.0] * 9}), "it looks like a file of PyTorch"),
        (b"\xff\xd8\xff\xe0 and more than eight bytes", "it is an image"),
    ],
)
def test_what_people_mistake_for_a_model_is_named(tmp_path, data, message):
    (tmp_path / "a.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match=rf"no intact \.safetensors file: {message}"):
        read(tmp_path / "a.safetensors")


@pytest.mark.parametrize("place", [-1, -30])
def test_a_file_with_a_wrong_bit_among_its_numbers_is_refused(tmp_path, place):
    container.write(tmp_path / "file", "words", Words(text="x"), {"a": np.arange(8.0)})
    data = bytearray((tmp_path / "file").read_bytes())
    data[place] ^= 1
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"^\S+file is damaged: its numbers are not those"):
        read(tmp_path / "file")


def test_the_same_content_is_the_same_file(tmp_path):
    for name in ("one", "two"):
        container.write(
            tmp_path / name, "words", Words(text="x"), {"b": np.ones(2), "a": np.ones(3)}
        )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_file_without_a_hash_of_its_numbers_is_read(tmp_path):
    metadata = {"words": Words(text="x").model_dump_json()}
    safetensors.numpy.save_file({"a": np.ones(2)}, tmp_path / "file", metadata=metadata)
    assert read(tmp_path / "file").header.text == "x"


def test_a_file_of_text_is_named_as_such(tmp_path):
    (tmp_path / "file").write_text('{"epochs": 3}\n')
    with pytest.raises(CheckpointError, match=r"no intact \.safetensors file: it is text"):
        read(tmp_path / "file")
