"""Who it is that telemetry comes from: the settings as a resource, and as what agents' runs say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.attributes import DEPLOYMENT_ENVIRONMENT, DISTRO_NAME, DISTRO_VERSION, SERVICE_NAME, SERVICE_VERSION
from tracium.defaults import AgentDefaults
from tracium.startup.libraries import installed_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.settings import Settings


def described(settings: Settings) -> Mapping[str, str]:
    """What the settings say of the process, as a resource."""
    values = {
        SERVICE_NAME: settings.service_name,
        SERVICE_VERSION: settings.default_version,
        DEPLOYMENT_ENVIRONMENT: settings.environment,
    }
    return {key: value for key, value in values.items() if value is not None}


def agent_defaults(settings: Settings) -> AgentDefaults:
    """What agents' runs are when nobody says otherwise."""
    return AgentDefaults(
        agent_name=settings.default_agent_name,
        model_id=settings.default_model_id,
        version=settings.default_version,
        workspace_id=settings.workspace_id,
        tags=settings.default_tags,
        metadata=settings.default_metadata,
    )


def distribution() -> Mapping[str, str]:
    """What tracium says of itself, as a resource."""
    return {DISTRO_NAME: "tracium", DISTRO_VERSION: installed_version("tracium") or "unknown"}
