"""The libraries that tracium knows: what they are imported as, which extra instruments them, which do it themselves."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Final

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from packaging.requirements import Requirement


@dataclass(frozen=True, slots=True)
class Library:
    """A library and its instrumentation.

    Attributes:
        entry_point: Name of its instrumentor in the group `opentelemetry_instrumentor`.
        module: The module whose first import means that the app uses it.
        distribution: Its name on the package index.
        extra: The extra of tracium that installs the instrumentor.
        native_since: The version from which it makes its spans itself, once a provider is set; its instrumentor is
            then left out, because two would describe one request.
        applied_by: The module of ours whose `instrument()` applies the instrumentor, where its own way would miss or
            harm apps; also where the library makes its spans itself. It is named and not imported, as an entry point is.
        ours: Whether that module needs no instrumentor: it makes the spans itself, and one that is installed is left out.
        tested_below: The version below which its instrumentor was found to work, where that declares less.
    """

    entry_point: str
    module: str
    distribution: str
    extra: str
    native_since: str | None = None
    applied_by: str | None = None
    ours: bool = False
    tested_below: str | None = None

    @property
    def version(self) -> str | None:
        """The installed version, or None."""
        return installed_version(self.distribution)

    @property
    def native(self) -> bool:
        """Whether the installed version makes its spans itself."""
        version = self.version
        if self.native_since is None or version is None:
            return False
        try:
            return Version(version) >= Version(self.native_since)
        except InvalidVersion:
            return False

    def is_tested(self, declared: Requirement) -> bool:
        """Whether an instrumentor that declares this works with the installed version all the same.

        It does if the version is only too new for what is declared, and not newer than what was tested.
        """
        version = self.version
        if version is None or self.tested_below is None or canonicalize_name(declared.name) != self.distribution:
            return False
        others = SpecifierSet(",".join(str(each) for each in declared.specifier if not each.operator.startswith("<")))
        try:
            return version in others and Version(version) < Version(self.tested_below)
        except InvalidVersion:
            return False


LIBRARIES: Final = (
    Library("aiobotocore", "aiobotocore", "aiobotocore", "bedrock"),
    Library("aiohttp-client", "aiohttp", "aiohttp", "aiohttp", applied_by="tracium.clients.aiohttp"),
    Library("aiohttp-server", "aiohttp", "aiohttp", "aiohttp", applied_by="tracium.frameworks.aiohttp"),
    Library("aiokafka", "aiokafka", "aiokafka", "kafka"),
    Library("anthropic", "anthropic", "anthropic", "anthropic", native_since="2.12"),
    Library("arq", "arq", "arq", "arq", applied_by="tracium.queues.arq", ours=True),
    Library("asyncpg", "asyncpg", "asyncpg", "asyncpg"),
    Library("botocore", "botocore", "botocore", "bedrock", applied_by="tracium.clients.botocore"),
    Library("celery", "celery", "celery", "celery", applied_by="tracium.queues.celery"),
    Library("confluent_kafka", "confluent_kafka", "confluent-kafka", "kafka"),
    Library("django", "django.core.handlers.base", "django", "django", applied_by="tracium.frameworks.django"),
    Library("dramatiq", "dramatiq", "dramatiq", "dramatiq", applied_by="tracium.queues.dramatiq", ours=True),
    Library("fastapi", "fastapi", "fastapi", "fastapi", native_since="0.165", applied_by="tracium.frameworks.fastapi"),
    Library("flask", "flask", "flask", "flask", applied_by="tracium.frameworks.flask"),
    Library(
        "google-genai",
        "google.genai",
        "google-genai",
        "google",
        applied_by="tracium.models.google",
        tested_below="4",
    ),
    Library("grpc_aio_client", "grpc", "grpcio", "grpc", applied_by="tracium.clients.grpc_aio"),
    Library("grpc_aio_server", "grpc", "grpcio", "grpc", applied_by="tracium.frameworks.grpc_aio"),
    Library("grpc_client", "grpc", "grpcio", "grpc", applied_by="tracium.clients.grpc"),
    Library("grpc_server", "grpc", "grpcio", "grpc", applied_by="tracium.frameworks.grpc"),
    Library("httpx", "httpx", "httpx", "httpx", applied_by="tracium.clients.httpx"),
    Library("httpx2", "httpx2", "httpx2", "httpx", applied_by="tracium.clients.httpx2"),
    Library("kafka", "kafka", "kafka-python", "kafka"),
    Library("langchain", "langchain_core", "langchain", "langchain"),
    Library("litellm", "litellm", "litellm", "litellm", applied_by="tracium.models.litellm", ours=True),
    Library("llama_index", "llama_index.core", "llama-index-core", "llama-index"),
    Library("openai", "openai", "openai", "openai"),
    Library("openai_agents", "agents", "openai-agents", "openai-agents"),
    Library("pika", "pika", "pika", "pika"),
    Library("psycopg", "psycopg", "psycopg", "psycopg"),
    Library("pymongo", "pymongo", "pymongo", "pymongo"),
    Library("redis", "redis", "redis", "redis"),
    Library("requests", "requests", "requests", "requests", applied_by="tracium.clients.requests"),
    Library("rq", "rq", "rq", "rq", applied_by="tracium.queues.rq", ours=True),
    Library("sqlalchemy", "sqlalchemy", "sqlalchemy", "sqlalchemy"),
    Library("starlette", "starlette.applications", "starlette", "starlette", applied_by="tracium.frameworks.starlette"),
    Library("taskiq", "taskiq", "taskiq", "taskiq", applied_by="tracium.queues.taskiq", ours=True),
    Library("urllib", "urllib.request", "urllib", "urllib", applied_by="tracium.clients.urllib"),
    Library("urllib3", "urllib3", "urllib3", "urllib3", applied_by="tracium.clients.urllib3"),
)

# Parts of the standard library, and the module of ours whose `instrument()` is applied instead of an instrumentor.
STANDARD: Final = (
    ("multiprocessing", "tracium.concurrency.processes"),
    ("threading", "tracium.concurrency.threads"),
)

# What needs the module of ours whether or not an instrumentor is installed: parts of OpenTelemetry's that apps use by
# themselves, at which requests arrive, and a client that is no distribution.
MIDDLEWARES: Final = (
    ("opentelemetry.instrumentation.asgi", "tracium.frameworks.asgi"),
    ("opentelemetry.instrumentation.wsgi", "tracium.frameworks.wsgi"),
    ("urllib.request", "tracium.clients.urllib"),
)

# What the app means to trace. The others (HTTP clients, databases, transports) serve them, and are no hole when they
# are not instrumented: their calls are part of a span that stands.
ESSENTIAL: Final = frozenset(
    {
        "anthropic",
        "arq",
        "celery",
        "django",
        "dramatiq",
        "fastapi",
        "flask",
        "google-genai",
        "langchain",
        "litellm",
        "llama_index",
        "openai",
        "openai_agents",
        "rq",
        "taskiq",
    }
)


def library_of(entry_point: str) -> Library | None:
    """The library that an instrumentor of this name instruments, if it is a known one."""
    return next((library for library in LIBRARIES if library.entry_point == entry_point), None)


@functools.cache
def installed_version(distribution: str) -> str | None:
    """The version of a distribution that is installed, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
