"""The Sekoia.io module TestHTTP: what it is called, what its account holds, and what it never tells."""

from typing import Any

from sekoia_automation.module import Module

from httpkit.redaction import Redactor
from testhttp_modules.account_validator import TesthttpAccountValidator
from testhttp_modules.masking import mask_error_reports
from testhttp_modules.models import TesthttpModuleConfiguration


class TesthttpModule(Module):
    """Connects any HTTP API to Sekoia.io."""

    configuration: TesthttpModuleConfiguration

    def __init__(self) -> None:
        self.redactor = Redactor()
        super().__init__()
        mask_error_reports(self.redactor)
        # The SDK's generator writes main.py and knows nothing of account validators.
        self.register_account_validator(TesthttpAccountValidator)

    def set_secrets(self, secrets: dict[str, Any]) -> None:
        """Take the secrets that the platform gives to a run, and mask them from now on."""
        self.redactor.add(*(value for value in secrets.values() if isinstance(value, str)))
        super().set_secrets(secrets)
