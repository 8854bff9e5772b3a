"""Keeps secrets out of what leaves the process beside the work itself: log lines, tracebacks and error reports."""

import logging
from collections.abc import Mapping
from typing import Any

import sentry_sdk
from sekoia_automation.module import Module

from httpkit.redaction import MASK, Redactor, is_secret_name, request_secrets
from testhttp_modules.models import SourceConfiguration
from testhttp_modules.translation import SECRET_FIELDS


def redactor_of(module: Module) -> Redactor:
    """The redactor of our module; one that knows nothing for the bare module that the SDK makes in tests."""
    redactor = getattr(module, "redactor", None)
    return redactor if isinstance(redactor, Redactor) else Redactor()


def mask_source(configuration: SourceConfiguration, redactor: Redactor) -> None:
    """Mask from now on what looks like a secret in what a source is asked."""
    parts = (
        configuration.headers,
        configuration.params,
        configuration.body,
        configuration.next_params,
        configuration.next_body,
        configuration.prepare_body,
        configuration.detail_params,
        *configuration.streams,
    )
    for url in (configuration.url, configuration.prepare_url, configuration.detail_url):
        redactor.add(*request_secrets(url, *parts))


class MaskingFormatter(logging.Formatter):
    """Formats as another formatter does, tracebacks included, and masks what must not be read."""

    def __init__(self, inner: logging.Formatter, redactor: Redactor) -> None:
        super().__init__()
        self._inner = inner
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line as it is written."""
        return self._redactor.clean(self._inner.format(record))


def mask_logging(redactor: Redactor) -> None:
    """Mask in all that the process writes through logging, from the SDK and from libraries too."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, MaskingFormatter):
            handler.setFormatter(MaskingFormatter(handler.formatter or logging.Formatter(), redactor))


def mask_error_reports(redactor: Redactor) -> None:
    """Mask in all that goes to Sentry: the SDK puts whole configurations into its context.

    The report is changed just before it leaves, so what was put there earlier is masked as well.
    """

    def masked(event: Any, _hint: Any) -> Any:
        return redactor.clean_value(without_secret_fields(event))

    sentry_sdk.get_global_scope().add_event_processor(masked)


def without_secret_fields(value: Any) -> Any:
    """A report with the values of secret fields masked by name, also where no redactor knows them yet.

    The local variables of a traceback are left out: they hold secrets in texts that nobody can take apart, and cut
    them where a redactor does not find the rest.
    """
    if isinstance(value, Mapping):
        return {
            name: MASK if part and _is_secret(name, part) else without_secret_fields(part)
            for name, part in value.items()
            if name != "vars"
        }
    if isinstance(value, (list, tuple)):
        return [without_secret_fields(part) for part in value]
    return value


def _is_secret(name: object, value: object) -> bool:
    return name in SECRET_FIELDS or (isinstance(value, str) and is_secret_name(str(name)))
