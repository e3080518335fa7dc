"""A data set into its folder: complete, or nothing that looks like it.

    archive or Kaggle ──▶ .NAME.arriving/ ──▶ look for what must be there ──▶ NAME/

An archive that already lies beside the folder (``NAME.zip``, put there by hand
on a machine without network) is used instead of the address.
"""

import json
import logging
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from steel_defect_detection import files
from steel_defect_detection.download import kaggle, lock, transfer, unpack
from steel_defect_detection.errors import DownloadError, SteelDefectError

RECORD = ".sdd-download.json"
"""File in a downloaded folder that says where it came from."""

_LOG = logging.getLogger(__name__)

# An archive may wrap its folder in others; deeper than this nobody does.
_DEEPEST_WRAPPING = 2
_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One data set that can be downloaded.

    Args:
        name: What ``sdd-download`` calls it; also its folder.
        title: What it is.
        licence: Terms of use as stated by its owner.
        citation: How to cite it.
        page: Page that describes it; for Kaggle the one with the rules.
        address: Archive to fetch; empty if it comes from Kaggle.
        kaggle: Name of a Kaggle competition, or owner/name of a data set.
        account: Whether an account is needed that accepted the rules.
        size: Bytes of the archive, where they are known; for information.
        sha256: Hash of the archive, where it is known.
        markers: Paths whose presence says that the data set is there. The
            folder of the archive that holds them all becomes the data set.
    """

    name: str
    title: str
    licence: str
    citation: str
    page: str
    markers: tuple[str, ...]
    address: str = ""
    kaggle: str = ""
    account: bool = False
    size: int | None = None
    sha256: str | None = None


def download(source: Source, output: Path) -> bool:
    """Bring a data set into the folder of its name, unless it is there.

    Two processes take turns; the second finds the work of the first. What is
    worth telling is remarked on in the log.

    Args:
        source: What to fetch.
        output: Folder that gets a folder of the data set's name.

    Returns:
        False if it was there already, True if it was fetched.

    Raises:
        DownloadError: If it cannot be fetched, is not what it should be, or
            the folder holds something else. What is there stays as it is.
    """
    folder = output / source.name
    # Before anything is written: data are often kept where nobody may write.
    if _holds(folder, source.markers):
        return False
    try:
        output.mkdir(parents=True, exist_ok=True)
        with lock.held(folder):
            if _is_there(source, folder):
                return False
            _bring(source, folder)
    except SteelDefectError:
        raise
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror or error}"
        raise DownloadError(msg) from error
    return True


def _is_there(source: Source, folder: Path) -> bool:
    if _holds(folder, source.markers):
        return True
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        msg = f"{folder} is no folder. Move it away, or choose another --output"
        raise DownloadError(msg)
    if folder.exists() and any(folder.iterdir()):
        missing = next(marker for marker in source.markers if not (folder / marker).exists())
        msg = f"{folder} is not empty, but holds no {missing}. Choose another --output"
        raise DownloadError(msg)
    return False


def _holds(folder: Path, markers: tuple[str, ...]) -> bool:
    return all((folder / marker).exists() for marker in markers)


def _bring(source: Source, folder: Path) -> None:
    arriving = folder.with_name(f".{folder.name}.arriving")
    shutil.rmtree(arriving, ignore_errors=True)
    archive = _archive_by_hand(folder)
    try:
        if archive:
            _LOG.info("%s is there and used; nothing is downloaded", archive)
            record = _unpack(source, archive, arriving)
        elif source.kaggle:
            kaggle.download(source.kaggle, arriving, terms=source.page)
            record = {}
        else:
            record = _fetch(source, folder, arriving)
        _settle(source, arriving, folder, record)
    except unpack.RefusedError as error:
        what = "Delete it, and the command downloads it" if archive else "It was deleted"
        msg = f"{error}. {what}; the data set is described at {source.page}"
        raise DownloadError(msg) from error
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    if record and source.sha256 is None:
        _LOG.info(
            "nobody has published a SHA-256 for %s, so it was not compared with one; "
            "what came is recorded in %s",
            source.name,
            folder / RECORD,
        )


def _archive_by_hand(folder: Path) -> Path | None:
    archives = (folder.with_name(folder.name + ending) for ending in _ENDINGS)
    return next((archive for archive in archives if archive.is_file()), None)


def _fetch(source: Source, folder: Path, arriving: Path) -> dict[str, object]:
    # Not called `.zip`: that is what somebody puts there by hand, and keeps.
    archive = folder.with_name(f"{folder.name}.download")
    transfer.fetch(source.address, archive, sha256=source.sha256)
    try:
        record = _unpack(source, archive, arriving)
    except unpack.RefusedError:
        archive.unlink()
        raise
    # After any other trouble it stays, and need not be fetched again.
    archive.unlink()
    return record


def _unpack(source: Source, archive: Path, arriving: Path) -> dict[str, object]:
    sha256 = transfer.verify(archive, source.sha256)
    arriving.mkdir()
    file_count = unpack.unpack(archive, arriving)
    return {"sha256": sha256, "size": archive.stat().st_size, "files": file_count}


def _settle(source: Source, arriving: Path, folder: Path, record: dict[str, object]) -> None:
    """Find the data set in what came, and let it appear at once under its name."""
    found = _find(arriving, source.markers)
    if found is None:
        what = ", ".join(source.markers)
        msg = (
            f"what came for {source.name} holds no {what}, so it is not the data set or has "
            f"changed. Nothing was kept; look at {source.page}"
        )
        raise DownloadError(msg)
    # Left behind by Kaggle's client.
    shutil.rmtree(found / ".complete", ignore_errors=True)
    said = _about(source) | record
    files.write_text(found / RECORD, json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    if folder.exists():
        folder.rmdir()
    found.rename(folder)


def _find(arriving: Path, markers: tuple[str, ...]) -> Path | None:
    """Find the outermost folder that holds all that must be there."""
    level = [arriving]
    for _ in range(_DEEPEST_WRAPPING + 1):
        for folder in level:
            if _holds(folder, markers):
                return folder
        level = sorted(inner for folder in level for inner in folder.iterdir() if inner.is_dir())
    return None


def _about(source: Source) -> dict[str, object]:
    return {
        "name": source.name,
        "source": source.address or f"Kaggle: {source.kaggle}",
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        "licence": source.licence,
        "citation": source.citation,
        "sha256_known_beforehand": source.sha256 is not None,
    }
