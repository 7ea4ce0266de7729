"""What `tracium demo` does, in order."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import tempfile
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from tracium.cli.demo import traffic
from tracium.cli.demo.process import clean_environ, free_port, serving_app, serving_backend
from tracium.exceptions import MissingExtraError, SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

    from tracium.server.usage import TenantUsage

_PACKAGES: Final = ("chdb", "clickhouse_connect", "fastapi", "httpx2", "openai", "rich", "starlette", "uvicorn")
_DEFAULT_PORT: Final = 4318
_REFRESH_SECONDS: Final = 0.5
_LIVE_REQUESTS: Final = 20
_REQUESTS: Final = 255


@click.command()
@click.option("--once", is_flag=True, help="End by itself when the traffic is over.")
@click.option(
    "--live", is_flag=True, help="Use OPENAI_API_KEY and OPENAI_BASE_URL instead of the local model; it costs."
)
@click.option("--model", default="gpt-4o-mini", show_default=True, help="Model to ask for.")
@click.option(
    "--requests",
    type=click.IntRange(min=1),
    help=f"Requests to send.  [default: {_REQUESTS}, with --live {_LIVE_REQUESTS}]",
)
def command(*, once: bool, live: bool, model: str, requests: int | None) -> None:
    """Run the whole product on this machine: backend, app, traffic, table.

    A FastAPI app serves several customers with OpenAI's client; each sends real HTTP requests, and the table shows what
    each did. The model is a small server of the demo's own on loopback, unless --live is given.
    """
    _require_packages()
    _require_key(live=live)
    from rich.console import Console  # noqa: PLC0415 - of the extra `demo`

    count = requests or (_LIVE_REQUESTS if live else _REQUESTS)
    with ExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory(prefix="tracium-demo-"))
        click.echo("Starting the backend (tracium serve), a model server and a FastAPI app …")
        backend = stack.enter_context(serving_backend(data, free_port(_DEFAULT_PORT)))
        with ExitStack() as apps:
            app = _start_app(apps, backend, model, live=live)
            click.echo(f"{count} requests of {len(traffic.CUSTOMERS)} customers, several at a time:")
            failed = _watch(Console(highlight=False), backend, app, count)
        # The app has ended, and with it everything that it had to send has been sent.
        _print_result(backend, count, failed)
        if not once:
            _stay(backend)


def _require_packages() -> None:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"`tracium demo` needs {', '.join(missing)}, which is not installed. "
            'Install it with: pip install "tracium[demo]"'
        )


def _require_key(*, live: bool) -> None:
    if live and not os.environ.get("OPENAI_API_KEY"):
        raise SettingError("OPENAI_API_KEY is not set, but --live asks the real model. Set it, or leave --live out.")


def _start_app(stack: ExitStack, backend: str, model: str, *, live: bool) -> str:
    environ = clean_environ() | {"TRACIUM_ENDPOINT": backend, "OTEL_BSP_SCHEDULE_DELAY": "300", "DEMO_MODEL": model}
    if not live:
        url = stack.enter_context(serving_app("The model server", "tracium.cli.demo.model:app", clean_environ()))
        environ |= {"OPENAI_API_KEY": "the-demo-needs-none", "OPENAI_BASE_URL": f"{url}/v1"}
    environ["NO_PROXY"] = ",".join(filter(None, (environ.get("NO_PROXY"), "127.0.0.1")))
    return stack.enter_context(serving_app("The app", "tracium.cli.demo.app:app", environ))


def _watch(console: Console, backend: str, app: str, count: int) -> int:
    """Send the traffic and show the table while it fills; gives how many requests failed."""
    from rich.live import Live  # noqa: PLC0415 - of the extra `demo`

    failed: list[int] = []
    sending = threading.Thread(target=lambda: failed.append(asyncio.run(traffic.send(app, count))), daemon=True)
    sending.start()
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while sending.is_alive():
            sending.join(_REFRESH_SECONDS)
            live.update(_table(_usage(backend)), refresh=console.is_terminal)
    return failed[0] if failed else count


def _usage(backend: str) -> Sequence[TenantUsage]:
    from tracium.server.client import fetch_usage  # noqa: PLC0415 - of the extra `demo`
    from tracium.server.scope import TenantScope  # noqa: PLC0415
    from tracium.server.timerange import TimeRange  # noqa: PLC0415

    now = datetime.now(UTC)
    return fetch_usage(backend, TenantScope.all(), TimeRange(now - timedelta(hours=1), now)).tenants


def _table(rows: Sequence[TenantUsage]) -> RenderableType:
    from tracium.cli.usage import usage_table  # noqa: PLC0415 - of the extra `demo`

    return usage_table(rows)


def _print_result(backend: str, count: int, failed: int) -> None:
    from tracium.cli.usage import print_usage  # noqa: PLC0415 - of the extra `demo`

    print_usage(_usage(backend))
    click.echo(f"{count} requests sent, {failed} answered with an error, as they should be: initech asks for it.")
    click.echo("hooli is the noisy one; the stream without usage makes a lower bound (≥); (none) sent no tenant.")


def _stay(backend: str) -> None:
    click.echo(f"\nThe backend is up at {backend}. In another terminal:")
    click.echo(f"  tracium usage --url {backend} --tenant acme-corp")
    click.echo(f"  TRACIUM_ENDPOINT={backend} opentelemetry-instrument python your_app.py")
    click.echo("Ctrl-C ends it.")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo()
