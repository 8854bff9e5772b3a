"""dlt's `rest_api` source into a custom destination that pushes.

Called as `python dlt_rest_api.py API_URL INTAKE_URL` in a folder of its own, where dlt keeps packages and state.
"""

import os
import sys
from pathlib import Path
from typing import Any

# It must not report about a benchmark.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
from dlt.sources.rest_api import rest_api_source

from benchmarks.peers.pushing import BATCH_SIZE, Intake


def main(api: str, intake_url: str) -> None:
    """Load all pages once."""
    intake = Intake(intake_url)

    @dlt.destination(batch_size=BATCH_SIZE, naming_convention="direct", skip_dlt_columns_and_tables=True)
    def push(items: Any, table: Any) -> None:  # noqa: ARG001  # dlt gives both
        intake.add_all(items)
        intake.flush()

    base, _, path = api.rpartition("/")
    source = rest_api_source(
        {
            "client": {
                "base_url": base,
                "paginator": {"type": "cursor", "cursor_path": "next_cursor", "cursor_param": "cursor"},
            },
            "resources": [
                {
                    "name": "events",
                    "write_disposition": "append",
                    # The intake takes times as they are.
                    "columns": {"time": {"data_type": "text"}},
                    "endpoint": {"path": path, "params": {"limit": BATCH_SIZE}, "data_selector": "items"},
                }
            ],
        }
    )
    folder = Path.cwd()
    pipeline = dlt.pipeline("benchmark", destination=push, pipelines_dir=str(folder / "pipelines"))
    pipeline.run(source).raise_on_failed_jobs()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
