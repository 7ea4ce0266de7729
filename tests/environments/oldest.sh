#!/bin/sh
# The rules of tenancy with the oldest versions of what tracium requires.
#   oldest.sh UV PYTHON
set -eu
uv=$1 python=$2
place=.venv/oldest
"$uv" venv --quiet --clear --python "$python" "$place"
"$uv" pip install --quiet --python "$place/bin/python" --resolution lowest-direct --editable .
"$uv" export --frozen --quiet --only-group dev --no-emit-project --no-hashes 2>/dev/null |
    grep -E '^(cffi|cryptography|hypothesis|opentelemetry-propagator-b3|pycparser|pytest|pytest-asyncio|pytest-timeout)==' >"$place/tools.txt"
"$uv" pip install --quiet --python "$place/bin/python" --requirement "$place/tools.txt"
echo "== the oldest OpenTelemetry"
"$uv" pip list --quiet --python "$place/bin/python" | grep -E '^opentelemetry-(api|sdk|instrumentation) '
"$place/bin/python" -m pytest -q tests/tenancy tests/signals tests/boundary tests/agents
