#!/bin/sh
# arq, which needs an older client of Redis than Celery does, in an environment of its own.
#   arq.sh UV PYTHON
set -eu
uv=$1 python=$2
UV_PROJECT_ENVIRONMENT=.venv/arq
export UV_PROJECT_ENVIRONMENT
"$uv" sync --frozen --quiet --python "$python" --no-default-groups --group arq --group harness
echo "== arq"
.venv/arq/bin/python -m pytest -q -c tests/environments/pytest.ini --rootdir . --confcutdir tests/environments \
    -o pythonpath="$PWD/tests" -p support.mechanisms -p no:asyncio tests/environments/test_arq.py
