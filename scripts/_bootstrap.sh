# shellcheck shell=sh
# Sourced by the doors in this folder: the part of set-up that has to run before there is a Python.
# What "ready" means is _stamp.py; making it so is _bootstrap.py.

root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
scripts=$root/scripts
venv=$root/.venv

give_up() {
    printf 'pirace: %s\n' "$1" >&2
    exit 3
}

# ready EXTRAS: is .venv complete, at home here, and what pyproject.toml asks for? (-S and no pip: a few milliseconds)
ready() {
    [ -x "$venv/bin/python" ] && "$venv/bin/python" -E -s -S "$scripts/_stamp.py" "$1" 2>/dev/null
}

# set_up EXTRAS ARGS...: makes .venv ready, then starts the calling door again with ARGS. Does not return.
set_up() {
    extras=$1
    shift
    case $(uname -s)-$(uname -m) in
    Linux-x86_64 | Linux-amd64) ;;
    *) give_up "runs on Linux on x86-64 only; this is $(uname -s) on $(uname -m)" ;;
    esac
    find_python
    exec "$python" -E -s -B "$scripts/_bootstrap.py" "$extras" sh "$0" "$@"
}

# suits PYTHON MINOR: is it a 64-bit CPython from 3.11 to below 3.MINOR?
suits() {
    "$1" -E -s -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info < (3, int(sys.argv[1]))
        and sys.maxsize > 2**32 and sys.implementation.name == "cpython"))' "$2" 2>/dev/null
}

# The newest Pythons are tried last: the libraries take some months to follow.
find_python() {
    if [ -n "${PIRACE_PYTHON-}" ]; then
        python=$PIRACE_PYTHON
        suits "$python" 99 || give_up "PIRACE_PYTHON=$python is not a 64-bit CPython 3.11 or newer"
        return
    fi
    for below in 15 99; do
        for python in python3 python3.11 python3.12 python3.13 python3.14; do
            ! suits "$python" "$below" || return 0
        done
    done
    found=$(python3 --version 2>/dev/null) || found=none
    give_up "needs a 64-bit CPython 3.11 or newer, found $found: \
install one (Debian: python3 python3-venv) or name one in PIRACE_PYTHON"
}
