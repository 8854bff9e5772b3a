"""A declarative manifest, read with the entry point of Airbyte's CDK; its records are pushed page by page.

Called as `python airbyte_declarative.py API_URL INTAKE_URL` in a folder of its own.
"""

import json
import sys
from pathlib import Path
from typing import Any

import orjson
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

from benchmarks.peers.pushing import BATCH_SIZE, Intake

STREAM = "events"
SCHEMA = {"type": "object", "additionalProperties": True, "properties": {"id": {"type": "string"}}}


def manifest(api: str) -> dict[str, Any]:
    """What is read, in Airbyte's words."""
    base, _, path = api.rpartition("/")
    retriever = {
        "type": "SimpleRetriever",
        "requester": {
            "type": "HttpRequester",
            "url_base": base,
            "path": path,
            "http_method": "GET",
            "request_parameters": {"limit": str(BATCH_SIZE)},
        },
        "record_selector": {
            "type": "RecordSelector",
            "extractor": {"type": "DpathExtractor", "field_path": ["items"]},
        },
        "paginator": {
            "type": "DefaultPaginator",
            "page_token_option": {
                "type": "RequestOption",
                "inject_into": "request_parameter",
                "field_name": "cursor",
            },
            "pagination_strategy": {
                "type": "CursorPagination",
                "cursor_value": "{{ response.get('next_cursor') }}",
                "stop_condition": "{{ not response.get('next_cursor') }}",
            },
        },
    }
    stream = {
        "type": "DeclarativeStream",
        "name": STREAM,
        "primary_key": ["id"],
        "retriever": retriever,
        "schema_loader": {"type": "InlineSchemaLoader", "schema": SCHEMA},
    }
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": [STREAM]},
        "streams": [stream],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    }


def catalog() -> dict[str, Any]:
    """Which stream is wanted."""
    stream = {"name": STREAM, "json_schema": SCHEMA, "supported_sync_modes": ["full_refresh"]}
    return {"streams": [{"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append"}]}


def main(api: str, intake_url: str) -> None:
    """Read all pages once."""
    configuration, wanted = Path("config.json"), Path("catalog.json")
    configuration.write_text("{}", encoding="utf-8")
    wanted.write_text(json.dumps(catalog()), encoding="utf-8")
    source = ConcurrentDeclarativeSource(
        catalog=ConfiguredAirbyteCatalogSerializer.load(catalog()), config={}, state=[], source_config=manifest(api)
    )
    intake = Intake(intake_url)
    arguments = ["read", "--config", str(configuration), "--catalog", str(wanted)]
    for line in AirbyteEntrypoint(source).run(AirbyteEntrypoint.parse_args(arguments)):
        message = orjson.loads(line)
        if message["type"] == "RECORD":
            intake.add(message["record"]["data"])
    intake.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
