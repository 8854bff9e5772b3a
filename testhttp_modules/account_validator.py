"""The check of an account when it is saved: is it complete, can its API be reached, are its credentials taken?"""

from threading import Event

from sekoia_automation.account_validator import AccountValidator

from httpkit.errors import HttpkitError, RefusedError, SettingsError
from httpkit.records import check_status
from httpkit.throttle import RetryPolicy
from httpkit.values import Request
from testhttp_modules.account import account_client, account_of, client_settings
from testhttp_modules.masking import mask_logging, redactor_of
from testhttp_modules.polling import check_configuration


class TesthttpAccountValidator(AccountValidator):
    """Tells the platform whether an account works, and if not, why in one sentence."""

    def execute(self) -> None:
        """Check the form first: the SDK loads it where an error ends the process without an answer."""
        mask_logging(redactor_of(self.module))
        try:
            check_configuration("module_configuration", lambda: self.module.configuration)
        except SettingsError as error:
            self.error(error.message)
            self.send_results(False)
        else:
            super().execute()

    def validate(self) -> bool:
        """Reach the API with the credentials."""
        try:
            self._try_account()
        except HttpkitError as error:
            self.error(redactor_of(self.module).clean(error.message))
            return False
        return True

    def _try_account(self) -> None:
        account = account_of(self.module)
        redactor = redactor_of(self.module)
        settings = client_settings(self.module, account, retry=RetryPolicy(retries=1))
        # Without either there is nothing to reach, and making the client has checked what can be checked.
        url = account.base_url or account.token_url or "https://nothing.invalid"
        client = account_client(self.module, account, url, stop=Event(), redactor=redactor, settings=settings)
        client.sign_in()
        if not account.base_url:
            return
        request = Request(method="GET", url=account.base_url, authenticate=True)
        response = client.send(request)
        # The base of an API is seldom a resource: anything but a refusal of the credentials shows that they work.
        if response.status in {401, 403, 407} or response.status >= 500 or response.status == 429:
            try:
                check_status(request, response, redactor.clean)
            except RefusedError as error:
                raise SettingsError("api_key", f"was not accepted: {error.message}") from None
