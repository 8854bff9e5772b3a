"""The action run in this process, as tests of its arguments and results need it; no platform is involved."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from testhttp_modules import TesthttpModule
from testhttp_modules.action_request import Request, Response
from testhttp_modules.models import TesthttpModuleConfiguration
from tests.played_platform import API_KEY


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one run of the action gave.

    Attributes:
        results: read back as a playbook's code would: `Response(**results)`.
        raw: the results as the SDK sends them.
        error: None when the action did not fail.
    """

    results: Response
    raw: dict[str, Any]
    error: str | None


def run_action(
    arguments: Mapping[str, Any], *, account: Mapping[str, Any] | None = None, folder: Path | None = None
) -> Outcome:
    """Run the action once, without retries unless the arguments ask for some.

    Args:
        account: fields that are added to an account that may reach loopback.
        folder: the storage of the run; needed only where a file is written.
    """
    module = TesthttpModule()
    module.configuration = TesthttpModuleConfiguration.model_validate(
        {"api_key": API_KEY, "allow_private_networks": True, **(account or {})}
    )
    # Without a folder nothing may be written; /dev/null takes no files.
    action = Request(module, data_path=folder or Path("/dev/null"))
    raw = cast(Any, action.run)({"method": "get", "retries": 0, **arguments})
    return Outcome(results=Response(**raw), raw=raw, error=action.error_message)
