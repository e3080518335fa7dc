"""Kaggle: competitions and data sets, through Kaggle's own client."""

from pathlib import Path
from zipfile import BadZipFile

import requests

from steel_defect_detection.errors import DownloadError

_CREDENTIALS = (
    "Kaggle needs an account. Make an API token at https://www.kaggle.com/settings, save it as "
    "~/.kaggle/kaggle.json or set KAGGLE_USERNAME and KAGGLE_KEY, and accept the rules at {terms}"
)


def download(handle: str, folder: Path, *, terms: str) -> None:
    """Fetch and unpack a competition or a data set.

    Args:
        handle: ``name`` of a competition, or ``owner/name`` of a data set, as
            in its address.
        folder: Folder for the files, which does not exist. After an error it
            may hold a part of them.
        terms: Page where its rules are accepted, for the message.

    Raises:
        DownloadError: If Kaggle wants an account and there is none, the rules
            are not accepted, or the transfer fails.
    """
    # Imported late: it takes a second and is needed for this alone.
    import kagglehub
    from kagglehub import exceptions

    is_competition = "/" not in handle
    _check_account(terms, needed=is_competition)
    fetch = kagglehub.competition_download if is_competition else kagglehub.dataset_download
    try:
        fetch(handle, output_dir=str(folder))
    except exceptions.UnauthenticatedError as error:
        raise DownloadError(_CREDENTIALS.format(terms=terms)) from error
    except requests.RequestException as error:
        raise DownloadError(_transfer_problem(handle, terms, error)) from error
    except (
        exceptions.BackendError,
        exceptions.CredentialError,
        exceptions.DataCorruptionError,
        exceptions.NotFoundError,
        BadZipFile,
        OSError,
        ValueError,
    ) as error:
        msg = f"cannot fetch {handle} from Kaggle: {error}. Nothing was kept; try again"
        raise DownloadError(msg) from error


def _check_account(terms: str, *, needed: bool) -> None:
    """Look for credentials before Kaggle does; public data sets may do without."""
    from kagglehub.config import get_kaggle_credentials

    try:
        found = get_kaggle_credentials() is not None
    except (OSError, ValueError) as error:
        msg = f"the Kaggle API token cannot be used: {error}. {_CREDENTIALS.format(terms=terms)}"
        raise DownloadError(msg) from error
    if needed and not found:
        raise DownloadError(_CREDENTIALS.format(terms=terms))


def _transfer_problem(handle: str, terms: str, error: requests.RequestException) -> str:
    status = getattr(error.response, "status_code", None)
    if status == 401:
        return _CREDENTIALS.format(terms=terms)
    if status == 403:
        return f"Kaggle refused {handle} (status {status}): accept its rules at {terms}"
    return f"cannot fetch {handle} from Kaggle: {error}. Nothing was kept; try again"
