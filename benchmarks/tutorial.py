"""The action of Sekoia.io's tutorial as a module of its own, for comparison; only its models speak pydantic 2 now."""

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
from testhttp_modules.action_request import Request

if __name__ == "__main__":
    module = TesthttpModule()
    module.register(Request, "Request")
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


def write_tutorial(folder: Path) -> Path:
    """Write the tutorial's module into an empty folder, and give the folder back."""
    package = folder / "testhttp_modules"
    package.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(_MANIFEST), encoding="utf-8")
    (folder / "main.py").write_text(_MAIN, encoding="utf-8")
    (package / "__init__.py").write_text(_MODULE, encoding="utf-8")
    (package / "models.py").write_text(_MODELS, encoding="utf-8")
    (package / "action_request.py").write_text(_ACTION, encoding="utf-8")
    return folder
