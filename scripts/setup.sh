#!/bin/sh
# The environment of this repository, in .venv: made once, and again when what it is made from has
# changed (its content: git keeps no dates). PYTHON is the interpreter, TORCH_BACKEND=cpu a small torch;
# without them, those of the .venv that is there are kept. With others it is made anew.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
[ -n "${PYTHON:-}" ] || [ ! -x .venv/bin/python ] || python=.venv/bin/python
before=$(cat .venv/torch_backend 2>/dev/null || true)
backend=${TORCH_BACKEND:-$before}

command -v "$python" >/dev/null || {
    echo "setup: no $python found; install Python 3.11 or newer, or name one: make setup PYTHON=..." >&2
    exit 2
}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: $("$python" --version) is too old; name 3.11 or newer: make setup PYTHON=python3.11" >&2
    exit 2
}

version() {
    "$1" -c 'import sys; print(*sys.version_info[:2])'
}
if [ -x .venv/bin/python ] &&
    [ "$(version .venv/bin/python), $before" != "$(version "$python"), $backend" ]; then
    echo "setup: making .venv anew, for $("$python" --version)${backend:+ and torch for $backend}"
    "$python" -m venv --clear .venv
fi

packages=$(cat pyproject.toml constraints.txt scripts/setup.sh | cksum)
if [ "$(cat .venv/packages 2>/dev/null)" != "$packages" ]; then
    echo "setup: installing the packages into .venv (some minutes the first time)"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    echo "$backend" >.venv/torch_backend
    [ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet uv || true
    if [ -x .venv/bin/uv ]; then
        .venv/bin/uv pip install --quiet --python .venv --compile-bytecode \
            -e '.[all]' -c constraints.txt \
            ${backend:+--torch-backend "$backend"}
    else
        echo "setup: uv cannot be had, pip takes some minutes more"
        .venv/bin/python -m pip install --quiet -e '.[all]' -c constraints.txt \
            ${backend:+--extra-index-url "https://download.pytorch.org/whl/$backend"}
    fi
    # JupyterLab opens our .py notebooks as notebooks; the setting lives in .venv, not at home
    JUPYTER_CONFIG_DIR=.venv/etc/jupyter .venv/bin/jupytext-config set-default-viewer python
    echo "$packages" >.venv/packages
fi
