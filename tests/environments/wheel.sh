#!/bin/sh
# The built wheel, installed with nothing else.
#   wheel.sh UV PYTHON
set -eu
uv=$1 python=$2
place=.venv/wheel
rm -rf "$place"
mkdir -p "$place"
"$uv" build --quiet --wheel --python "$python" --out-dir "$place/dist"
"$uv" export --frozen --quiet --no-default-groups --no-emit-project --no-hashes --output-file "$place/versions.txt" >/dev/null
"$uv" venv --quiet --python "$python" "$place/env"
"$uv" pip install --quiet --python "$place/env/bin/python" --constraint "$place/versions.txt" "$place"/dist/*.whl
echo "== the wheel, installed with nothing else"
"$place/env/bin/python" tests/environments/check_wheel.py
