#!/usr/bin/env bash
# Sets up .venv beside this file from requirements.lock (only when something changed), then runs one command of the
# project in it. Exit codes pass through; 2 is a wrong command line, 3 a machine that could not be set up.
set -euo pipefail

here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
venv="$here/.venv"
log="$venv.log"

# Modules come from the environment only, never from the directory the user stands in.
export PYTHONSAFEPATH=1
unset PYTHONPATH PYTHONHOME

usage() {
    cat <<'END'
usage: flash.sh rig [OPTIONS]     run the controller against the simulated cabinet (--help lists the options)
       flash.sh test [--all | --whole] [OPTIONS]   run the tests (--whole: the long ones of the rig and of
                                  the box; --all: the slow ones too; both install the brokers, the browser
                                  and other real parts that tests use); OPTIONS go to pytest
       flash.sh prove [--quick]   prove the safety kernel: coverage, mutants, proofs, parity (--help lists the options)
       flash.sh check FILE        check a site file
       flash.sh install [--root DIR] [--wheels DIR] [--doors]  put the controller on this box, or into the tree of one
       flash.sh bundle --key KEY OUT.tar   a signed release for boxes without a network; install --bundle OUT.tar
                                  --signers FILE checks it and installs it
       flash.sh rollback [--root DIR]   the release before, with its units; configuration and state stay
       flash.sh uninstall [--root DIR] [--purge]        take it away; --purge: configuration and state too
       flash.sh mcu PORT [--cabinet FILE] [--dry-run]   put channel B on a microcontroller (Pico, STM32)
       flash.sh vm-test [OPTIONS] install it on a Debian in QEMU, hang it, cut its power, roll it back
       flash.sh advisories [OPTIONS]   ask the package index for advisories of what is pinned; OPTIONS go to pip-audit
END
}

# The lines of one command.
usage_of() {
    usage | sed 's/^usage:/      /' | awk -v name="$1" '$1 == "flash.sh" { is_in = $2 == name } is_in' |
        sed '1s/^ */usage: /'
}

asks_help() {
    [[ " $* " =~ \ (-h|--help)\  ]]
}

fail() {
    echo "flash.sh: $1" >&2
    exit "${2:-3}"
}

python_fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

python_complete() {
    "$1" -c 'from ensurepip import bootstrap; from venv import EnvBuilder' 2>/dev/null
}

# Prints the first Python that is new enough and can make a virtual environment.
find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if python_fits "$name" && python_complete "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# Debian splits the venv module off; as root on such a machine it is fetched, otherwise the command is named.
provide_python() {
    local packages=(python3 python3-venv)
    if ! command -v apt-get >/dev/null; then
        fail "needs Python 3.11 or newer with its venv module; none was found"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        fail "needs Python 3.11 or newer with its venv module: run 'sudo apt-get install ${packages[*]}', then again"
    fi
    apt_install "${packages[@]}" || fail "apt-get could not install ${packages[*]}; its words are in $log"
}

apt_install() {
    echo "flash.sh: installing $*" >&2
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        --option DPkg::Lock::Timeout=600 "$@"; } >"$log" 2>&1
}

digest() {
    cat "$@" | sha256sum | cut -d ' ' -f 1
}

stamped() {
    [ "$(cat "$venv/$1.stamp" 2>/dev/null)" = "$2" ]
}

# pip without the things that differ from machine to machine; its words go to the log, one line comes out on failure.
install() {
    "$venv/bin/python" -m pip --disable-pip-version-check --no-input install --quiet "$@" >>"$log" 2>&1 ||
        fail "pip could not install ($(grep -m 1 ^ERROR "$log" || tail -n 1 "$log")); more in $log"
}

set_up_packages() {
    local stamp python
    stamp="$here $(digest "$here/requirements.lock")"
    if stamped packages "$stamp" && "$venv/bin/python" -c '' 2>/dev/null; then
        return
    fi
    [ -w "$here" ] || fail "may not write $here, where the environment .venv belongs"
    python="$(find_python)" || { provide_python && python="$(find_python)"; } ||
        fail "needs Python 3.11 or newer; $(python3 --version 2>&1 || true) is not"
    echo "flash.sh: setting up $venv (once; about a minute)" >&2
    "$python" -m venv --clear "$venv" >"$log" 2>&1 || fail "could not make $venv: $(tail -n 1 "$log")"
    install --require-hashes --no-deps --only-binary :all: -r "$here/requirements.lock"
    echo "$stamp" >"$venv/packages.stamp"
}

# Box and bench are installed in place, with office and lab in their folders: an edited file takes effect at once.
set_up_project() {
    local stamp
    stamp="$(digest "$here/setup.cfg" "$here/pyproject.toml" "$here/hil/pyproject.toml" "$venv/packages.stamp")"
    if stamped project "$stamp"; then
        return
    fi
    # Named by a dot, because pip takes brackets at the end of a path for something else.
    (cd "$here" && install --no-deps --no-build-isolation --editable . --editable ./hil)
    echo "$stamp" >"$venv/project.stamp"
}

# What one command alone needs: $1 its folder in tests, $2 what is said.
set_up_more() {
    local lock="$here/tests/$1/requirements.lock" stamp
    stamp="$(digest "$lock" "$venv/packages.stamp")"
    if stamped "$1" "$stamp"; then
        return
    fi
    echo "flash.sh: installing $2 (once)" >&2
    install --require-hashes --no-deps --only-binary :all: -r "$lock"
    echo "$stamp" >"$venv/$1.stamp"
}

# Brokers, a scheduler, a browser and other real parts of tests. What cannot be installed is named: such a test skips,
# and fails in CI. The services of these packages do not start: a test starts its own.
set_up_parts() {
    local missing policy=/usr/sbin/policy-rc.d
    (set_up_more real "packages for tests against real parts") || true
    read -ra missing <<<"$("$venv/bin/python" "$here/tests/real/parts.py")"
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "flash.sh: some tests skip; they need: sudo apt-get install ${missing[*]}" >&2
        return
    fi
    if [ -e "$policy" ]; then
        policy=""
    else
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
    fi
    apt_install "${missing[@]}" || echo "flash.sh: apt-get could not install ${missing[*]}; its words are in $log" >&2
    [ -z "$policy" ] || rm "$policy"
}

# 0: none is known, 1: some are, 3: not every package could be asked about, which is no good news. (--strict: an index
# that knows none of them would pass else.)
advisories() {
    local lock found files=("$here"/requirements.lock "$here"/tests/*/requirements.lock) locks=()
    for lock in "${files[@]}"; do
        locks+=(--requirement "$lock")
    done
    if found="$("$venv/bin/python" -m pip_audit --strict --require-hashes --disable-pip --progress-spinner off \
        "${locks[@]}" "$@" 2>"$log")"; then
        echo "no advisory is known of $(cat "${files[@]}" | grep -c ==) pinned packages"
    elif [ -n "$found" ]; then
        echo "$found"
        return 1
    else
        fail "not every package could be asked about: $(tail -n 1 "$log")"
    fi
}

# Two started at once must not write one environment: the second waits on this directory's lock.
set_up() {
    if command -v flock >/dev/null; then
        exec 9<"$here"
        if ! flock --nonblock 9; then
            echo "flash.sh: another one sets up $venv; waiting for it" >&2
            flock --timeout 900 9 || fail "another one has been setting up $venv for 15 minutes; its words are in $log"
        fi
    fi
    set_up_packages
    set_up_project
    exec 9<&-
}

# The command nearest to a mistyped one, or nothing.
nearest() {
    python3 -c 'import difflib, sys; print(*difflib.get_close_matches(sys.argv[1], sys.argv[2:], 1))' "$@" 2>/dev/null
}

main() {
    local command="${1:-}" chosen near all
    local commands=(rig test prove check install bundle rollback uninstall mcu vm-test advisories)
    [ $# -eq 0 ] || shift
    case "$command" in
        rig)
            set_up
            exec "$venv/bin/python" -m hil rig "$@"
            ;;
        test | advisories)
            if asks_help "$@"; then
                usage_of "$command"
                exit
            fi
            ;;&
        test)
            set_up
            cd "$here"
            chosen=(-m "not slow and not whole")
            case "${1:-}" in
                --all) chosen=() ;;
                --whole) chosen=(-m "whole and not slow") ;;
                *) set -- plain "$@" ;;
            esac
            if [ "$1" != plain ] || [ -n "${CI:-}" ]; then
                set_up_parts
            fi
            shift
            # Compiled once, outside the sources, for all workers, all processes that tests start, and the next time.
            unset PYTHONDONTWRITEBYTECODE
            export PYTHONPYCACHEPREFIX="$here/build/bytecode"
            [ -d "$PYTHONPYCACHEPREFIX" ] || "$venv/bin/python" -m pytest --collect-only -q >/dev/null || true
            # Files of tests lie in memory where there is room: half of their time was waiting for a disk.
            [ "$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 ] 2>/dev/null &&
                export PYTEST_DEBUG_TEMPROOT=/dev/shm
            # Three at a time for two cores, as real-time tests wait; a file each, so that its fixtures stay together.
            exec "$venv/bin/python" -m pytest -n 3 --dist loadfile "${chosen[@]}" "$@"
            ;;
        prove)
            set_up
            asks_help "$@" || set_up_more prove "the solver, 40 MB"
            cd "$here"
            exec "$venv/bin/python" tests/prove "$@"
            ;;
        check)
            set_up
            "$venv/bin/python" -m controller check "$@"
            ! asks_help "$@" || exit 0
            exec "$venv/bin/python" -m hil keys covers "$@"
            ;;
        install | uninstall)
            [[ " $* " != *" --bundle"* ]] || PYTHONPATH="$here" exec python3 -m controller box "$command" "$@"
            exec bash "$here/controller/systemd/install.sh" "$command" "$@"
            ;;
        bundle)
            PYTHONPATH="$here" exec python3 -m controller.systemd.make_bundle "$@"
            ;;
        rollback)
            PYTHONPATH="$here" exec python3 -m controller box rollback "$@"
            ;;
        mcu)
            set_up
            exec "$venv/bin/python" -m controller.systemd.flash_mcu "$@"
            ;;
        vm-test)
            set_up
            exec "$venv/bin/python" -m hil vm-test "$@"
            ;;
        advisories)
            set_up
            set_up_more advisories pip-audit
            advisories "$@"
            ;;
        -h | --help | help)
            usage
            ;;
        "")
            usage >&2
            exit 2
            ;;
        *)
            all="${commands[*]}"
            near="$(nearest "$command" "${commands[@]}")" || near=""
            [ -z "$near" ] || near=", did you mean '$near'"
            fail "there is no '$command' here$near; there are: ${all// /, }" 2
            ;;
    esac
}

main "$@"
