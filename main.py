"""The program that Sekoia.io runs. Written by `make generate`: change the code it imports instead."""

import gc

# Nothing that is imported can be collected, and looking for it would take a tenth of the start.
gc.disable()

from testhttp_modules import TesthttpModule  # noqa: E402
from testhttp_modules.action_request import Request  # noqa: E402
from testhttp_modules.connector import TesthttpConnector  # noqa: E402
from testhttp_modules.trigger_new_entries import NewEntriesTrigger  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    module = TesthttpModule()
    module.register(NewEntriesTrigger, "NewEntriesTrigger")
    module.register(TesthttpConnector, "TesthttpConnector")
    module.register(Request, "Request")
    module.run()
