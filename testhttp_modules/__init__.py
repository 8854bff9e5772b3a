"""The Sekoia.io module TestHTTP: what it is called, and what its account holds."""

from sekoia_automation.module import Module

from testhttp_modules.models import TesthttpModuleConfiguration


class TesthttpModule(Module):
    """Connects any HTTP API to Sekoia.io."""

    configuration: TesthttpModuleConfiguration
