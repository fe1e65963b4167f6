#!/bin/sh
# Brings a bare machine to where the Makefile's verbs can run.
#
#   tools/bootstrap.sh project   .venv: headgate and the tools of its developers
#   tools/bootstrap.sh clients   what the tests add: the client libraries in environments of their own, Node.js, curl,
#                              Postgres
#   tools/bootstrap.sh bench     what the bench compares with: nginx
#
# Needs a Python of 3.11 or newer. System packages come through apt, and only for root; otherwise one line says what
# to install, and the exit code is 2. Package indexes, proxies and certificates are those of the environment.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "headgate setup: $1" >&2
    exit 2
}

can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_install() {
    # A fresh image has no package lists; one that has old ones may name files that are gone.
    echo "headgate setup: installing $* with apt" >&2
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$@" >/dev/null
}

# need COMMAND PACKAGE...: the command is there afterwards, or we stop.
need() {
    command=$1
    shift
    command -v "$command" >/dev/null && return
    can_apt || fail "$command is missing; install it (Debian: apt-get install $*) and run make again"
    apt_install "$@" || fail "apt could not install $*"
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if new_enough "$candidate"; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}

# Prints the path of uv: the one on PATH, else one in .venv-tools.
find_uv() {
    if command -v uv; then return; fi
    if ! [ -x .venv-tools/bin/uv ]; then
        if ! "$python" -c 'import ensurepip' 2>/dev/null; then
            can_apt || fail "Python cannot make environments; install uv or python3-venv (Debian: apt-get install python3-venv)"
            apt_install python3-venv || fail "apt could not install python3-venv"
        fi
        "$python" -m venv --clear .venv-tools >&2 && .venv-tools/bin/pip install --quiet uv >&2 ||
            fail "pip could not install uv; the lines above say why"
    fi
    echo "$PWD/.venv-tools/bin/uv"
}

# sync ENVIRONMENT [OPTION...]: exactly the versions of uv.lock, nothing resolved anew.
sync() {
    environment=$1
    shift
    if [ -z "${UV_DEFAULT_INDEX:-}" ]; then
        UV_PROJECT_ENVIRONMENT=$environment "$uv" sync --quiet --frozen "$@"
        return
    fi
    # uv.lock names the public index's files, which uv would fetch from there even with another index set.
    # So behind a mirror the same versions are asked of it by name and checked by hash.
    [ -x "$environment/bin/python" ] || "$uv" venv --quiet "$environment" || return
    requirements=$("$uv" export --quiet --frozen "$@") || return
    echo "$requirements" | "$uv" pip sync --quiet --python "$environment" -
}

project() { sync .venv || fail "uv could not fill .venv; the lines above say why"; }

clients() {
    sync .venv-clients --only-group clients || fail "uv could not fill .venv-clients; the lines above say why"
    sync .venv-llama --only-group clients-llama || fail "uv could not fill .venv-llama; the lines above say why"
    need curl curl ca-certificates
    need node nodejs npm
    need npm npm
    node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || fail "the node on PATH is older than 18"
    lock=tests/clients/js/package-lock.json
    installed=tests/clients/js/node_modules/.package-lock.json
    if ! [ -e "$installed" ] || [ "$lock" -nt "$installed" ]; then
        (cd tests/clients/js && npm ci --loglevel=error --no-audit --no-fund) || fail "npm could not install the JavaScript client"
        touch "$installed"
    fi
    postgres
    bench
}

# The server's programs, for the tests that start a Postgres of their own; Debian keeps them out of PATH.
postgres() {
    for initdb in "$(command -v initdb)" /usr/lib/postgresql/*/bin/initdb; do
        if [ -x "$initdb" ]; then return; fi
    done
    can_apt || fail "initdb is missing; install Postgres (Debian: apt-get install postgresql) and run make again"
    # The package would make a cluster and start it, which nobody here asked for.
    quiet=/etc/postgresql-common/createcluster.d/headgate-setup.conf
    mkdir -p "${quiet%/*}"
    echo "create_main_cluster = false" >"$quiet"
    apt_install postgresql || { rm -f "$quiet"; fail "apt could not install postgresql"; }
    rm -f "$quiet"
}

bench() {
    # Without nginx the bench still runs, with nothing to compare to, and its own test is skipped.
    if command -v nginx >/dev/null || [ -x /usr/sbin/nginx ]; then return; fi
    if can_apt && apt_install nginx-light; then return; fi
    echo "headgate setup: no nginx to compare with (Debian: apt-get install nginx-light)" >&2
}

case ${1:-} in
    project | clients | bench) ;;
    *) fail "usage: tools/bootstrap.sh project|clients|bench" ;;
esac

python=$(find_python) || fail "no Python of 3.11 or newer; install python3 (or name one: make setup PYTHON=/path/to/python3)"
export UV_PYTHON_DOWNLOADS=never
if [ -n "${PYTHON:-}" ]; then export UV_PYTHON="$PYTHON"; fi
# pip's settings count for uv as well, so that one set of variables is enough behind a mirror.
export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-${PIP_INDEX_URL:-}}}"
[ -n "$UV_DEFAULT_INDEX" ] || unset UV_DEFAULT_INDEX
if [ -z "${SSL_CERT_FILE:-}" ] && [ -n "${PIP_CERT:-}" ]; then export SSL_CERT_FILE="$PIP_CERT"; fi
uv=$(find_uv)

"$1"
