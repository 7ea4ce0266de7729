#!/bin/sh
# LlamaIndex, which needs an older client of OpenAI than the others do, in an environment of its own.
#   llama_index.sh UV PYTHON
set -eu
uv=$1 python=$2
UV_PROJECT_ENVIRONMENT=.venv/llama-index
export UV_PROJECT_ENVIRONMENT
"$uv" sync --frozen --quiet --python "$python" --no-default-groups --group llama-index --group harness \
    --extra llama-index --extra openai --extra httpx
echo "== LlamaIndex"
.venv/llama-index/bin/python -m pytest -q -c tests/environments/pytest.ini --rootdir . --confcutdir tests/environments \
    -o pythonpath="$PWD/tests" -p support.accounts -p no:asyncio tests/environments/test_llama_index.py
