#!/bin/sh
# The OpenAI extras, each with every generation of the client that it is for, in environments of their own.
#   openai.sh UV PYTHON
set -eu
uv=$1 python=$2
check() {
    UV_PROJECT_ENVIRONMENT=.venv/$1-$2
    export UV_PROJECT_ENVIRONMENT
    "$uv" sync --frozen --quiet --python "$python" --no-default-groups --extra "$1" --group "$2" --group harness
    echo "== extra $1, $2"
    EXTRA=$1 GENERATION=$2 "$UV_PROJECT_ENVIRONMENT/bin/python" -m pytest -q -c tests/environments/pytest.ini \
        --rootdir . --confcutdir tests/environments tests/environments/test_openai.py
}
check openai openai-1
check openai openai-2
check openai openai-3
check openai-v2 openai-1
check openai-v2 openai-2
