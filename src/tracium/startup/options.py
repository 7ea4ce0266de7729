"""The options of `init` and `trace` that are given by name, as a type checker knows them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypedDict

from tracium.settings import VARIABLES
from tracium.startup.older import WITHOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Options(TypedDict, total=False):
    """What each means stands at `tracium.init`; None is as good as not given."""

    capture_content: bool | Mapping[str, bool] | Callable[[str | None], bool] | None
    content_limit: int | None
    default_agent_name: str | None
    default_metadata: Mapping[str, Any] | None
    default_model_id: str | None
    default_tags: Sequence[str] | None
    default_tenant: str | None
    endpoint: str | None
    environment: str | None
    flush_timeout: float | None
    inside_hosts: str | None
    logs: bool | None
    metric_tenants: int | None
    metrics: bool | None
    propagation_key: str | None
    protocol: str | None
    proven_brokers: bool | None
    redact: bool | Callable[[str], str] | None
    sample: Mapping[str, float] | float | None
    sample_errors: bool | None
    service_name: str | None
    split_by_tenant: bool | None
    tenant_attributes: Sequence[str] | None
    tenant_metrics: Sequence[str] | None
    trusted_sources: str | None
    workspace_id: str | None


def check_names(options: Mapping[str, object], verb: str) -> None:
    """Refuse what is no option.

    Raises:
        TypeError: It names the option, as Python does for an argument that a function does not have, and the nearest one.
    """
    for name in options:
        if name not in VARIABLES and name != WITHOUT:
            near = difflib.get_close_matches(name, VARIABLES, n=1)
            hint = f" Did you mean {near[0]}=?" if near else f" There are: {', '.join(VARIABLES)}."
            raise TypeError(f"tracium.{verb}() has no option {name!r}.{hint}")
