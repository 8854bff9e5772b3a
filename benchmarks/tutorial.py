"""The action and the connector of Sekoia.io's tutorial, each as a module of its own, for comparison.

Only their models speak pydantic 2 now, and the connector reads all pages of a configured address instead of the one
page of a fixed address.
"""

import json
from pathlib import Path

_MANIFEST = {
    "name": "Tutorial",
    "slug": "tutorial",
    "version": "1.0.0",
    "configuration": {
        "properties": {"api_key": {"type": "string"}},
        "required": ["api_key"],
        "secrets": ["api_key"],
    },
}

_MAIN = """\
from testhttp_modules import TesthttpModule
from testhttp_modules.{file} import {component}

if __name__ == "__main__":
    module = TesthttpModule()
    module.register({component}, "{component}")
    module.run()
"""

_MODULE = """\
from sekoia_automation.module import Module

from testhttp_modules.models import TesthttpModuleConfiguration


class TesthttpModule(Module):
    configuration: TesthttpModuleConfiguration
"""

_MODELS = """\
from pydantic import BaseModel, Field


class TesthttpModuleConfiguration(BaseModel):
    api_key: str = Field(..., description="API Key", json_schema_extra={"secret": True})
"""

_ACTION = """\
from typing import Literal

import requests
from pydantic import BaseModel, HttpUrl
from sekoia_automation.action import Action


class RequestArguments(BaseModel):
    url: HttpUrl
    headers: dict | None = None
    method: Literal["get", "post", "put", "patch", "delete"]


class Response(BaseModel):
    status_code: int
    headers: dict
    text: str


class Request(Action):
    results_model = Response

    def run(self, arguments: RequestArguments) -> Response:
        self.log(message=f"Request URL module started. Target URL: {arguments.url}", level="info")
        response = requests.request(method=arguments.method, url=str(arguments.url), headers=arguments.headers)
        if not response.ok:
            self.error(f"HTTP Request failed: {arguments.url} with {response.status_code}")
        return Response(status_code=response.status_code, headers=dict(response.headers), text=response.text)
"""


_CONNECTOR = """\
import json
import time

import requests
from pydantic import Field
from sekoia_automation.connector import Connector, DefaultConnectorConfiguration

from . import TesthttpModule


class TesthttpConnectorConfiguration(DefaultConnectorConfiguration):
    polling_interval: int = Field(5, description="Polling interval in minutes")
    url: str


class TesthttpConnector(Connector):
    module: TesthttpModule
    configuration: TesthttpConnectorConfiguration

    def run(self):
        self.log(message="Start fetching events", level="info")

        while self.running:
            self.log("Polling Testhttp API...", level="info")

            cursor = "0"
            while cursor:
                # Fetch data from the Testhttp API
                data = []
                try:
                    response = requests.get(
                        self.configuration.url,
                        params={"cursor": cursor, "limit": 1000},
                        headers={"Authorization": f"Bearer {self.module.configuration.api_key}"},
                    )
                    response.raise_for_status()
                    page = response.json()
                    data = page["items"]
                    cursor = page["next_cursor"]
                except requests.RequestException as error:
                    self.log_exception(error, message="Error fetching data from Testhttp API")
                    break

                # Process collected data (if needed)
                batch_of_events = []
                for item in data:
                    item["source"] = "testhttp"
                    batch_of_events.append(json.dumps(item))

                # Push events to Sekoia platform
                if batch_of_events:
                    self.log(message=f"{len(batch_of_events)} events collected", level="info")
                    self.push_events_to_intakes(events=batch_of_events)

            # Wait for the next polling interval
            time.sleep(self.configuration.polling_interval * 60)
"""


def write_tutorial(folder: Path) -> Path:
    """Write the module with the tutorial's action into an empty folder, and give the folder back."""
    return _write_module(folder, file="action_request", component="Request", code=_ACTION)


def write_tutorial_connector(folder: Path) -> Path:
    """Write the module with the tutorial's connector into an empty folder, and give the folder back."""
    return _write_module(folder, file="connector", component="TesthttpConnector", code=_CONNECTOR)


def _write_module(folder: Path, *, file: str, component: str, code: str) -> Path:
    package = folder / "testhttp_modules"
    package.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(_MANIFEST), encoding="utf-8")
    (folder / "main.py").write_text(_MAIN.format(file=file, component=component), encoding="utf-8")
    (package / "__init__.py").write_text(_MODULE, encoding="utf-8")
    (package / "models.py").write_text(_MODELS, encoding="utf-8")
    (package / f"{file}.py").write_text(code, encoding="utf-8")
    return folder
