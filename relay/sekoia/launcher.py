"""Runs a module's unmodified `main.py` with a data folder of its own; the environment is the runner's affair.

Called as `python launcher.py DATA_FOLDER COMMAND` in the module's folder. It runs under the module's interpreter,
which may lack everything the relay needs, so it imports the standard library and the module's SDK only.
"""

import runpy
import sys
from pathlib import Path


def launch(data_folder: str, command: str) -> None:
    """Run `main.py` of the current folder as the platform does, keeping its files in `data_folder`."""
    own_folder = Path(__file__).resolve().parent
    # `python main.py` would look for modules beside main.py, never beside this file.
    sys.path[:] = [str(Path.cwd()), *(entry for entry in sys.path if Path(entry).resolve() != own_folder)]
    sys.argv = ["main.py", command]
    try:
        from sekoia_automation import constants  # noqa: PLC0415  # found only after the path is set
    except ModuleNotFoundError as error:
        sys.exit(f"{sys.executable} cannot run this module: {error}. Choose its interpreter with --python.")
    constants.DATA_STORAGE = data_folder
    runpy.run_path("main.py", run_name="__main__")


if __name__ == "__main__":
    launch(sys.argv[1], sys.argv[2])
