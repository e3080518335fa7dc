"""Fetching data sets: Kaggle competitions, through Kaggle's own client."""

import shutil
from pathlib import Path

import requests

from steel_defect_detection.errors import DownloadError

_CREDENTIALS = (
    "Kaggle needs an account. Make an API token at https://www.kaggle.com/settings, save it as "
    "~/.kaggle/kaggle.json or set KAGGLE_USERNAME and KAGGLE_KEY, and accept the rules at {terms}"
)


def kaggle_competition(competition: str, output: Path, *, marker: str, terms: str) -> bool:
    """Fetch and unpack the files of a Kaggle competition.

    The files are gathered in a folder beside the output and moved there when
    they are complete, so an interrupted download leaves nothing that looks
    like a data set.

    Args:
        competition: Name of the competition, as in its address.
        output: Folder for the files.
        marker: File whose presence in the output says that all is there.
        terms: Page where its rules are accepted, for the message.

    Returns:
        False if the files were there already, True if they were fetched.

    Raises:
        DownloadError: If there are no credentials, the rules are not accepted,
            or the transfer fails.
    """
    if (output / marker).exists():
        return False
    if output.exists() and any(output.iterdir()):
        msg = f"{output} is not empty, but holds no {marker}. Choose another --output"
        raise DownloadError(msg)
    # Imported late: it takes a second and is needed for this alone.
    import kagglehub
    from kagglehub.config import get_kaggle_credentials
    from kagglehub.exceptions import UnauthenticatedError

    if get_kaggle_credentials() is None:
        raise DownloadError(_CREDENTIALS.format(terms=terms))
    partial = output.with_name(f"{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        kagglehub.competition_download(competition, output_dir=str(partial))
    except UnauthenticatedError as error:
        raise DownloadError(_CREDENTIALS.format(terms=terms)) from error
    except requests.RequestException as error:
        raise DownloadError(_transfer_problem(competition, terms, error)) from error
    if not (partial / marker).exists():
        msg = f"Kaggle sent no {marker} for {competition}; what came is in {partial}"
        raise DownloadError(msg)
    if output.exists():
        output.rmdir()
    partial.rename(output)
    return True


def _transfer_problem(competition: str, terms: str, error: requests.RequestException) -> str:
    status = getattr(error.response, "status_code", None)
    if status in {401, 403}:
        return f"Kaggle refused {competition} (status {status}): accept its rules at {terms}"
    return f"cannot fetch {competition} from Kaggle: {error}. Nothing was kept; try again"
