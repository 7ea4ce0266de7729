"""The older SDK's retries, which are a library's business."""

from __future__ import annotations

from typing import NoReturn

from tracium.exceptions import RemovedError

# They are found, so that `from tracium import …` gets as far as this sentence: Python drops that of an AttributeError.
_SENTENCE = (
    "is gone. Telemetry is sent again by OpenTelemetry's exporter; for calls of your own use a library for retries, such as "
    "stamina or tenacity."
)


def RetryConfig(*_args: object, **_kwargs: object) -> NoReturn:  # noqa: N802 - it was a class
    """Tell what to use instead.

    Raises:
        RemovedError: Always.
    """
    raise RemovedError(f"tracium.RetryConfig {_SENTENCE}")


def retry_with_backoff(*_args: object, **_kwargs: object) -> NoReturn:
    """Tell what to use instead.

    Raises:
        RemovedError: Always.
    """
    raise RemovedError(f"tracium.retry_with_backoff() {_SENTENCE}")
