"""What decides which price a model call has: what was observed of it, exactly as the roll-ups keep it."""

from __future__ import annotations

from typing import Final, NamedTuple

# Tiers of service that mean the provider's ordinary price.
STANDARD_TIERS: Final = frozenset({"", "auto", "default", "on_demand", "standard", "standard_only"})

# Providers under the names of the semantic conventions and of instrumentations, where genai-prices has another one.
# https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/#gen-ai-provider-name
_ALIASES: Final = {
    "aws.bedrock": "aws",
    "aws_bedrock": "aws",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "fireworks_ai": "fireworks",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "novita_ai": "novita",
    "together_ai": "together",
    "vertex_ai": "google",
    "x_ai": "x-ai",
    "xai": "x-ai",
}


class PriceKey(NamedTuple):
    """Calls with equal keys are priced alike, but for when they ended and how large their input was."""

    provider: str
    # The response's model, or the requested one where the response named none.
    model: str
    request_model: str
    server_address: str
    service_tier: str

    @property
    def is_standard(self) -> bool:
        """Whether the tier of service is the ordinary one."""
        return self.service_tier.lower() in STANDARD_TIERS


# The key's columns in the roll-ups and in `tracium_prices`.
KEY_COLUMNS: Final = ("Provider", "Model", "RequestModel", "ServerAddress", "ServiceTier")


def canonical_provider(name: str) -> str:
    """A provider's name in small letters, and as genai-prices has it where the name is a well-known other one."""
    lowered = name.strip().lower()
    return _ALIASES.get(lowered, lowered)
