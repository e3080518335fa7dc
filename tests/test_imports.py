"""What an import costs, measured in fresh interpreters."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "lightning", "albumentations", "cleanlab")

# From the ground up: what a module loads is put down to the first one that loads it.
MODULES = (
    "errors",
    "extras",
    "files",
    "progress",
    "wording",
    "images",
    "rle",
    "masks",
    "drawing",
    "sample",
    "prediction",
    "results",
    "figures",
    "coil",
    "download.dataset",
    "download.weights",
    "datasets",
    "datasets.catalogue",
    "datasets.overview",
    "datasets.reduction",
    "datasets.crops",
    "datasets.splitting",
    "checkpoints",
    "synthesis.gan_config",
    "training.config",
    "training.presets",
    "training.prints_expressions",
    "training.prints_json",
    "training.prints_settings",
    "experiments.grid",
    "experiments.reading",
    "experiments.study",
    "report",
)
COMMANDS = (
    "sdd-benchmark",
    "sdd-calibrate",
    "sdd-cluster",
    "sdd-coil",
    "sdd-crop",
    "sdd-download",
    "sdd-evaluate",
    "sdd-experiment",
    "sdd-explain",
    "sdd-export",
    "sdd-info",
    "sdd-inspect",
    "sdd-predict",
    "sdd-reduce",
    "sdd-report",
    "sdd-serve",
    "sdd-split",
    "sdd-train",
)

# Each snippet reads its words from the command line and prints one JSON object.
LOADED_BY_PACKAGE = """
import json, sys
import steel_defect_detection
print(json.dumps([name for name in sys.argv[1:] if name in sys.modules]))
"""

LOADED_BY_MODULES = """
import importlib, json, sys
heavy, modules = (argument.split() for argument in sys.argv[1:])
found = {}
for module in modules:
    before = set(sys.modules)
    importlib.import_module(f"steel_defect_detection.{module}")
    found[module] = [name for name in heavy if name in sys.modules and name not in before]
print(json.dumps(found))
"""

LOADED_BY_HELP = """
import contextlib, importlib, io, json, sys
heavy, commands = (argument.split() for argument in sys.argv[1:])
found = {}
for command in commands:
    word = command.removeprefix("sdd-")
    main = importlib.import_module(f"steel_defect_detection.cli.{word}").main
    with contextlib.redirect_stdout(io.StringIO()) as output:
        try:
            main(["--help"], prog_name=command)
            status = None
        except SystemExit as stop:
            status = stop.code
    loaded = [name for name in heavy if name in sys.modules]
    found[command] = {"status": status, "output": output.getvalue(), "loaded": loaded}
print(json.dumps(found))
"""

CONNECTIONS_OF_IMPORTS = """
import json, os, sys
os.environ.pop("NO_ALBUMENTATIONS_UPDATE", None)
asked = []
kinds = {"socket.connect", "socket.getaddrinfo", "urllib.Request"}
sys.addaudithook(lambda kind, _: asked.append(kind) if kind in kinds else None)
import steel_defect_detection.training.run, steel_defect_detection.predictors.load
print(json.dumps([asked, "albumentations" in sys.modules]))
"""


def run(snippet, *arguments):
    """Run a snippet in a new interpreter and return what it printed, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", snippet, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def loaded_by_modules():
    return run(LOADED_BY_MODULES, " ".join(HEAVY), " ".join(MODULES))


@pytest.fixture(scope="module")
def helps():
    return run(LOADED_BY_HELP, " ".join(HEAVY), " ".join(COMMANDS))


def test_the_package_alone_loads_no_heavy_library():
    assert run(LOADED_BY_PACKAGE, *HEAVY, "pandas") == []


@pytest.mark.parametrize("module", MODULES)
def test_words_records_and_settings_do_not_load_torch(loaded_by_modules, module):
    assert loaded_by_modules[module] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_given_without_torch(helps, command):
    assert helps[command]["status"] == 0
    assert helps[command]["output"].startswith(f"Usage: {command} ")
    assert helps[command]["loaded"] == []


@pytest.mark.thorough
def test_importing_what_trains_and_judges_asks_no_server():
    # Albumentations asks for its newest release while it is imported, if it may.
    assert run(CONNECTIONS_OF_IMPORTS) == [[], True]
