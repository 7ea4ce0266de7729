"""The shipped configuration, as the Collector itself reads it."""

from __future__ import annotations

import re

import pytest
import yaml
from support.collector import CONFIG, ROOT, validate, with_authentication

MANIFEST = ROOT / ".ci/collector/builder.yaml"
# What the Collector calls the modules' components.
NAMES = {
    "otlpreceiver": "otlp",
    "memorylimiterprocessor": "memory_limiter",
    "filterprocessor": "filter",
    "tailsamplingprocessor": "tail_sampling",
    "transformprocessor": "transform",
    "forwardconnector": "forward",
    "nopexporter": "nop",
    "otlphttpexporter": "otlp_http",
    "clickhouseexporter": "clickhouse",
    "bearertokenauthextension": "bearertokenauth",
    "oidcauthextension": "oidc",
    "headerssetterextension": "headers_setter",
    "healthcheckextension": "health_check",
    "filestorage": "file_storage",
}


@pytest.mark.timeout(1900)
def test_the_collector_takes_it(tmp_path):
    """`otelcol validate` has nothing to say about the shipped file."""
    done = validate(CONFIG.read_text(), tmp_path / "config.yaml")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_collector_takes_it_with_authentication(tmp_path):
    """Nor with the switch for authentication on."""
    tokens = tmp_path / "tokens"
    tokens.write_text("one\n")
    variables = {"SERVICES_TOKENS": str(tokens), "TENANTS_ISSUER": "https://issuer.example"}
    done = validate(with_authentication(), tmp_path / "config.yaml", **variables)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistake_is_seen(tmp_path):
    """A wrong name in a pipeline is refused, so that the tests above say something."""
    done = validate(
        CONFIG.read_text().replace("exporters: [clickhouse]", "exporters: [clikhouse]"), tmp_path / "c.yaml"
    )
    assert "clikhouse" in done.stderr
    assert done.returncode == 1


def test_it_is_built_of_what_it_uses():
    """The manifest has exactly the components of the configuration, authentication included."""
    config = yaml.safe_load(with_authentication())
    sections = ("receivers", "processors", "connectors", "exporters", "extensions")
    used = {name.partition("/")[0] for section in sections for name in config[section]}
    manifest = yaml.safe_load(MANIFEST.read_text())
    built = [entry["gomod"].split()[0].rpartition("/")[2] for section in sections for entry in manifest[section]]
    assert {NAMES[module] for module in built} == used


def test_everything_configured_is_used():
    """No component is left over."""
    config = yaml.safe_load(with_authentication())
    text = with_authentication()
    for section in ("receivers", "processors", "connectors", "exporters", "extensions"):
        for name in config[section]:
            assert len(re.findall(rf"(?<![\w/]){re.escape(name)}(?![\w/])", text)) > 1, name


def test_one_version():
    """The version is the same wherever it is named."""
    version = yaml.safe_load(MANIFEST.read_text())["dist"]["version"]
    named = re.findall(r"opentelemetry-collector-contrib[: ]v?(\d+\.\d+\.\d+)", CONFIG.read_text())
    for other in ("docker-compose.yml", "docs/collector.md"):
        found = re.findall(r"opentelemetry-collector-contrib[: ]v?(\d+\.\d+\.\d+)", (ROOT / other).read_text())
        assert found, other
        named += found
    assert set(named) == {version}


def test_every_variable_is_explained():
    """What may be set from outside stands in the documentation."""
    variables = set(re.findall(r"\$\{env:(\w+)", CONFIG.read_text()))
    documentation = (ROOT / "docs/collector.md").read_text()
    assert [name for name in sorted(variables) if f"`{name}" not in documentation] == []
