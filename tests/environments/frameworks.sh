#!/bin/sh
# Web frameworks before they made spans themselves, and the oldest ones that are supported, in environments of their own.
#   frameworks.sh UV PYTHON
set -eu
uv=$1 python=$2
check() {
    place=.venv/frameworks-$1
    shift
    "$uv" venv --quiet --clear --python "$python" "$place"
    "$uv" export --frozen --quiet --all-extras --no-extra openai-v2 --no-extra arq --group dev --no-emit-project --no-hashes 2>/dev/null |
        grep -E '^[a-z0-9-]+==' | grep -vE '^(fastapi|starlette|flask|werkzeug|django)==' >"$place/versions.txt"
    "$uv" pip install --quiet --python "$place/bin/python" --constraint "$place/versions.txt" --editable \
        ".[fastapi,starlette,flask,django]" "$@" gunicorn uvicorn uvicorn-worker gevent websockets httptools \
        pytest pytest-timeout opentelemetry-distro
    echo "== $*"
    "$place/bin/python" -m pytest -q -c tests/environments/pytest.ini --rootdir . --confcutdir tests/environments \
        tests/frameworks/test_order.py tests/frameworks/test_matrix.py -k "not ready"
}
check oldest "fastapi==0.115.0" "flask[async]==2.3.3" "django==4.2.30"
