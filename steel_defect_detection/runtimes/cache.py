"""Converted networks, kept in the user's cache folder so that they are converted once.

An entry is three files named after its key: the network (``.xml``, also where it
is an ONNX network), its weights (``.bin``, empty where they are part of the
network) and what was compared when it was converted (``.json``), which also
holds the hashes of the other two. An entry that is damaged, or was not written
by this module, counts as not there; one that was not used for three months is
removed when another is kept. The environment variable ``SDD_CACHE`` names
another folder.
"""

import hashlib
import json
import logging
import os
import re
from contextlib import suppress
from pathlib import Path
from time import time
from typing import NamedTuple

import platformdirs

from steel_defect_detection import files
from steel_defect_detection.errors import ResultsError

AGREEMENT = "bfloat16_agreement"
"""How far a network decides alike in bfloat16, 0 to 1, beside the differences by output."""

_LOG = logging.getLogger(__name__)

SECONDS_KEPT = 90 * 24 * 3600
"""How long what nobody uses is kept."""
_KEY = re.compile("[0-9a-f]{64}")


class Entry(NamedTuple):
    """A converted network.

    Args:
        network: Its layers, as the engine writes them.
        weights: Its weights; empty where they are part of the network.
        parity: Largest difference from PyTorch of each output, and ``AGREEMENT``
            where that was asked.
    """

    network: bytes
    weights: bytes
    parity: dict[str, float]


def folder() -> Path:
    """Where converted networks are kept."""
    named = os.environ.get("SDD_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("steel-defect-detection")


def load(key: str) -> Entry | None:
    """Find an entry.

    Args:
        key: Its key, fit for a file's name.

    Returns:
        The entry, or None if there is none or it is damaged.
    """
    home = folder()
    try:
        network, weights = ((home / f"{key}.{end}").read_bytes() for end in ("xml", "bin"))
        record = json.loads((home / f"{key}.json").read_text(encoding="utf-8"))
        hashes = [record["network_sha256"], record["weights_sha256"]]
        parity = {str(name): float(value) for name, value in record["parity"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if hashes != [_sha256(network), _sha256(weights)]:
        return None
    with suppress(OSError):
        os.utime(home / f"{key}.json")  # in use
    return Entry(network, weights, parity)


def store(key: str, entry: Entry) -> None:
    """Keep an entry, completely or not at all; a folder that cannot be written keeps nothing.

    Args:
        key: Its key, fit for a file's name.
        entry: What to keep.
    """
    record = {
        "network_sha256": _sha256(entry.network),
        "weights_sha256": _sha256(entry.weights),
        "parity": entry.parity,
    }
    home = folder()
    _forget(home, but=key)
    try:
        files.write_bytes(home / f"{key}.xml", entry.network)
        files.write_bytes(home / f"{key}.bin", entry.weights)
        files.write_text(home / f"{key}.json", json.dumps(record, indent=2) + "\n")
    except ResultsError as error:
        _LOG.info(
            "what was converted cannot be kept, so each start converts again: %s. Let SDD_CACHE "
            "name a folder that can be written",
            error,
        )


def _forget(home: Path, *, but: str) -> None:
    """Remove entries that were not used for long, whose libraries often are not there any more."""
    oldest = time() - SECONDS_KEPT
    with suppress(OSError):
        for record in home.glob("*.json"):
            is_ours = _KEY.fullmatch(record.stem) and record.stem != but
            if is_ours and record.stat().st_mtime < oldest:
                for end in ("xml", "bin", "json"):
                    record.with_suffix(f".{end}").unlink(missing_ok=True)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
