#!/bin/sh
# Sets up what cbm needs: `venv` the Python environment, `rabbitmq` and `postgresql` the servers, from the
# distribution's packages. Says what to do where it may not or cannot.
set -eu

say() { printf 'cbm: %s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo "$@"
    else return 1
    fi
}

# Install Debian packages without letting their services start: what cbm runs, it starts itself.
debian_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    blocker=/usr/sbin/policy-rc.d
    blocked=
    if [ ! -e "$blocker" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$blocker" >/dev/null || return 1
        as_root chmod 755 "$blocker"
        blocked=yes
    fi
    status=0
    as_root apt-get update -q >&2 || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2 || status=1
    [ -z "$blocked" ] || as_root rm -f "$blocker"
    return $status
}

has_rabbitmq() {
    [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null 2>&1 ||
        [ -x /opt/homebrew/sbin/rabbitmq-server ] || [ -x /usr/local/sbin/rabbitmq-server ]
}

has_postgresql() {
    command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ||
        [ -x /opt/homebrew/opt/postgresql/bin/initdb ]
}

install_venv() {
    python=${PYTHON:-python3}
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        say "cbm needs Python 3.11 or later; $python is older. Name another: make PYTHON=python3.11"
        exit 1
    }
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        debian_install python3-venv || { say "install python3-venv first: apt-get install python3-venv"; exit 1; }
    fi
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    say "installing the Python packages of requirements.lock"
    .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
    touch .venv/.installed
}

install_server() {
    if "has_$1"; then return; fi
    say "installing $2 from the distribution's package"
    debian_install "$2" && "has_$1" && return
    say "$1 is needed and could not be installed from here. As an administrator:"
    say "  Debian, Ubuntu: apt-get install $2"
    say "  macOS:          brew install $3"
    [ "$1" != rabbitmq ] || say "Or use one that runs already: CBM_RABBITMQ__URL=amqp://user:password@host/"
    exit 1
}

case ${1:-} in
    venv) install_venv ;;
    rabbitmq) [ -n "${CBM_RABBITMQ__URL:-}" ] || install_server rabbitmq rabbitmq-server rabbitmq ;;
    postgresql) install_server postgresql postgresql postgresql ;;
    *) say "usage: $0 venv|rabbitmq|postgresql"; exit 2 ;;
esac
