"""botocore, below boto3: messages for SQS and SNS take tenant and trace along in their attributes.

These two are brokers, whatever their host. Nothing else that goes to AWS has the tenant: not the headers of its requests,
nor what OpenTelemetry's instrumentor writes into the payload of a Lambda function.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.propagators.textmap import default_setter
from wrapt import wrap_function_wrapper

from tracium import notices
from tracium.boundary import broker
from tracium.faults import fault
from tracium.models import bedrock
from tracium.tenancy.block import here

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import MeterProvider

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

# What sends messages, by service and operation, and where in the parameters several messages are; None for one.
_SENDING: Final = {
    ("sqs", "SendMessage"): None,
    ("sqs", "SendMessageBatch"): "Entries",
    ("sns", "Publish"): None,
    ("sns", "PublishBatch"): "PublishBatchRequestEntries",
}
_RECEIVING: Final = ("sqs", "ReceiveMessage")
_ATTRIBUTES: Final = "MessageAttributes"
_NAMES: Final = "MessageAttributeNames"
# Which of `_NAMES` stand for all.
_ALL: Final = frozenset({"All", ".*"})
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
_MAX_ATTRIBUTES: Final = 10


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Apply OpenTelemetry's instrumentor, unless the app has done so."""
    from opentelemetry.instrumentation.botocore import BotocoreInstrumentor  # noqa: PLC0415 - tenants need it not

    bedrock.instrument()
    instrumentor: Any = BotocoreInstrumentor()  # type: ignore[no-untyped-call] # contrib's
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True, meter_provider=meter_provider)


def _convert(convert: Call, _client: object, args: Args, kwargs: KwArgs) -> Any:
    """Make a request of an operation's parameters, which stay as they are: the app may use them again."""
    try:
        if not args:
            model = kwargs["operation_model"]
            operation = model.service_model.service_name, model.name
            kwargs = {**kwargs, "api_params": _settled(operation, kwargs["api_params"])}
    except Exception as error:  # noqa: BLE001 - the message is sent all the same
        fault("writing a message's attributes", error)
    return convert(*args, **kwargs)


def _settled(operation: tuple[str, str], params: dict[str, Any]) -> dict[str, Any]:
    if operation == _RECEIVING:
        return _asking(params)
    if operation not in _SENDING or "PhoneNumber" in params:
        return params
    several = _SENDING[operation]
    if several is None:
        return _carrying(params)
    return {**params, several: [_carrying(entry) for entry in params.get(several) or ()]}


def _carrying(message: dict[str, Any]) -> dict[str, Any]:
    """`message` with the tenant and the trace of this moment, and nothing that an earlier one left in it."""
    headers: dict[str, str] = {}
    broker.send(headers, default_setter, here())
    stale = {name.lower() for name in broker.fields()}
    given: Mapping[str, Any] = message.get(_ATTRIBUTES) or {}
    kept = {name: value for name, value in given.items() if name.lower() not in stale}
    if len(kept) + len(headers) > _MAX_ATTRIBUTES:
        _say_full()
        headers = {}
    added = {name: {"DataType": "String", "StringValue": value} for name, value in headers.items() if value}
    if not added and len(kept) == len(given):
        return message
    return {**message, _ATTRIBUTES: kept | added}


def _asking(params: dict[str, Any]) -> dict[str, Any]:
    """Ask for our attributes as well: SQS gives only those that are named."""
    names = list(params.get(_NAMES) or ())
    missing = [name for name in sorted(broker.fields()) if name not in names]
    return params if _ALL.intersection(names) or not missing else {**params, _NAMES: [*names, *missing]}


def _say_full() -> None:
    notices.say(
        "tenant:attributes",
        logging.WARNING,
        f"A message for SQS or SNS has so many attributes that those for tenant and trace have no room: {_MAX_ATTRIBUTES} are "
        "allowed. It is sent without them, and processed without a tenant. Let it have two attributes less (three with a "
        "tracestate).",
    )


# Also where `tracium.trace()` does not: the tenant goes along wherever nothing makes spans, or the app does so itself.
wrap_function_wrapper("botocore.client", "BaseClient._convert_to_request_dict", _convert)
