#!/usr/bin/env bash
# Installs the controller on a cabinet's box, or into the tree of a box (--root DIR), and uninstalls it.
#
# Each release has its own directory, /opt/firebreak/releases/NAME, and `current` points to one: a power cut during an
# installation leaves the old release whole. An installation changes no configuration and no state. It starts and stops
# no service: a cabinet changes its program when a person restarts it.
set -euo pipefail
# The service's user has to read all files, also on a box whose root has a umask of 077.
umask 022

here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
tree="$(dirname "$(dirname "$here")")"
root=/
wheels=""
purge=no
doors=no
command=""
work=""
release="" # the name of the one that is being installed

opt=opt/firebreak
etc=etc/firebreak
as_installed=$etc/.installed
units=etc/systemd/system
companions="record upstream"
bash_completion=usr/local/share/bash-completion/completions/firebreak
zsh_completion=usr/local/share/zsh/site-functions/_firebreak
man_page=usr/local/share/man/man1/firebreak.1

fail() {
    echo "flash.sh: $1" >&2
    exit "${2:-3}"
}

say() {
    printf '%-11s %s\n' "$1" "$2"
}

clean_up() {
    [ -z "$work" ] || rm -rf -- "$work"
    [ -z "$work" ] || rm -rf -- "${root:?}/$opt/.staging"
}

# Runs a command on the target. In the tree of another machine it sees the files of the tree, and /dev and /proc.
on_target() {
    if [ "$root" = / ]; then
        "$@"
    else
        # shellcheck disable=SC2016  # expanded by the inner shell
        unshare --mount sh -ec 'root=$1; shift; mkdir -p "$root/dev" "$root/proc"
            mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"
            exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LC_ALL=C.UTF-8 SYSTEMD_OFFLINE=1 \
                chroot "$root" "$@"' \
            sh "$root" "$@"
    fi
}

is_live() {
    [ "$root" = / ] && [ -d /run/systemd/system ]
}

usage() {
    if [ "$command" = install ]; then
        cat <<'END'
usage: flash.sh install [--root DIR] [--wheels DIR] [--doors]
       flash.sh install --bundle FILE --signers FILE [--older] [--root DIR] [--doors]

Puts the controller on this box. It changes no configuration and starts no service.

  --root DIR      the tree of another box, in place of this box
  --wheels DIR    take the wheels from this folder, without a network
  --doors         with the doors to the network
  --bundle FILE   a signed release, made by flash.sh bundle
  --signers FILE  ALLOWED SIGNERS of ssh-keygen
  --older         although the bundle is older than what is installed
END
    else
        cat <<'END'
usage: flash.sh uninstall [--root DIR] [--purge]

Takes the controller off this box. Configuration and state stay.

  --root DIR      the tree of another box, in place of this box
  --purge         take configuration and state too
END
    fi
}

parse() {
    local own_option="--purge"
    [ "$command" != install ] || own_option="--wheels DIR, --doors, --bundle FILE with --signers FILE"
    while [ $# -gt 0 ]; do
        case "$1" in
            -h | --help)
                usage
                exit
                ;;
            --wheels)
                [ "$command" = install ] || fail "--wheels belongs to install" 2
                ;;&
            --root | --wheels)
                [ $# -ge 2 ] || fail "$1 needs a directory" 2
                [ -d "$2" ] || fail "$1 $2: there is no such directory" 2
                if [ "$1" = --root ]; then root="$(readlink -f "$2")"; else wheels="$(readlink -f "$2")"; fi
                shift 2
                ;;
            --doors)
                [ "$command" = install ] || fail "--doors belongs to install" 2
                doors=yes
                shift
                ;;
            --purge)
                [ "$command" = uninstall ] || fail "--purge belongs to uninstall" 2
                purge=yes
                shift
                ;;
            *)
                fail "$command: '$1' is not allowed; allowed: --root DIR, $own_option" 2
                ;;
        esac
    done
    [ "$(id -u)" -eq 0 ] || fail "$command needs root: sudo ./flash.sh $command"
}

# Checks first all conditions that would stop the installation half way. Names all missing packages at once.
check_target() {
    local lacks="" packages=()
    check_links
    needs systemd systemd has /lib/systemd/systemd /usr/bin/systemd-sysusers
    needs ip iproute2 has /sbin/ip
    needs flock util-linux has /usr/bin/flock
    needs "Python 3.11 or newer with its venv module" "python3 python3-venv" has_python
    [ -z "$lacks" ] || fail "$root has no ${lacks#, }: apt-get install ${packages[*]}"
}

# needs WORDS PACKAGES TEST: adds to what check_target found missing.
needs() {
    "${@:3}" || { lacks+=", $1" && packages+=("$2"); }
}

has() {
    local name
    for name in "$@"; do
        [ -e "$root$name" ] || return
    done
}

has_python() {
    local line='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
    has /usr/bin && on_target /usr/bin/python3 -c "$line" 2>/dev/null
}

# An absolute link in a tree is meant for the tree. From this machine it leads out of the tree.
check_links() {
    local place found
    [ "$root" != / ] || return 0
    for place in "$opt/releases" "$etc/types" "$etc/example" "$units" "$units/firebreak.service.d" \
        etc/{sysusers.d,modules-load.d,udev/rules.d} etc/needrestart/conf.d usr/local/bin \
        "$bash_completion" "$zsh_completion" "$man_page" var/lib/firebreak; do
        found="$(readlink -m "$root/$place")"
        case "$found" in
            "$root"/*) ;;
            *) fail "$root/$place leads out of the tree, to $found" ;;
        esac
    done
}

target_python() {
    on_target /usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

# Names relative to the clone: the path of the clone and its letters do not change the digest.
sources() {
    find safety controller drivers -type f -not -name '*.pyc' -print0 | LC_ALL=C sort -z &&
        printf '%s\0' setup.cfg pyproject.toml requirements.lock
}

digests() {
    cd -- "$tree" && sources | xargs -0 sha256sum -- && target_python
}

# Version and digest of all sources of the release: the same sources give the same name, so no release is built twice.
# A release with the libraries of the doors has another one.
release_name() {
    local version digests
    version="$(sed -n 's/^version = //p' "$tree/setup.cfg")"
    digests="$(digests)" || fail "$tree: cannot be read as a whole"
    [ "$doors" = no ] || version="$version-doors"
    echo "$version-$(sha256sum <<<"$digests" | cut -c 1-12)"
}

pip_here() {
    "$work/venv/bin/python" -m pip --disable-pip-version-check --no-input "$@" >>"$work/log" 2>&1 ||
        fail "pip: $(grep -m 1 ^ERROR "$work/log" || tail -n 1 "$work/log")"
}

# Puts wheels of the locked packages and of the box (setup.cfg) into one folder. This machine builds them, because
# the target may be a tree without a network. --wheels DIR needs no network.
make_wheels() {
    local from=() python=/usr/bin/python3 extras=()
    [ "$doors" = no ] || extras=(doors)
    [ -z "$wheels" ] || from=(--no-index --find-links "$wheels")
    mkdir "$work/wheels"
    "$python" "$here/../documents/locked.py" run "${extras[@]}" >"$work/run.lock"
    if [ -n "$wheels" ] && cp "$wheels"/firebreak_controller-*.whl "$work/wheels" 2>/dev/null; then
        cp "$wheels"/*.whl "$work/wheels" # of a bundle
        return
    fi
    "$python" -c 'import venv, ensurepip' 2>/dev/null || python="$(command -v python3)"
    "$python" -m venv "$work/venv" >"$work/log" 2>&1 ||
        fail "no virtual environment made: $(tail -n 1 "$work/log")"
    "$python" "$here/../documents/locked.py" build >"$work/build.lock"
    pip_here install --require-hashes --no-deps --only-binary :all: "${from[@]}" -r "$work/build.lock"
    mkdir "$work/source"
    tar -C "$tree" -c --exclude=__pycache__ setup.cfg pyproject.toml README.md LICENSE safety controller drivers |
        tar -C "$work/source" -x
    pip_here wheel --no-deps --no-build-isolation --wheel-dir "$work/wheels" "$work/source"
    pip_here download --require-hashes --no-deps --only-binary :all: --python-version "$(target_python)" "${from[@]}" \
        --dest "$work/wheels" -r "$work/run.lock"
}

# Prefers the full name, such as python3.11: after an upgrade of the system /usr/bin/python3 is another Python, which
# does not find the packages of this release. Debian keeps python3.11 until a person removes it.
lasting_python() {
    local path
    path="/usr/bin/python$(target_python)"
    if [ ! -e "$root$path" ]; then
        path=/usr/bin/python3
    fi
    echo "$path"
}

make_release() {
    local name="$1" pip=("/$opt/releases/$1/bin/python3" -m pip --disable-pip-version-check --no-input)
    local staging="$root/$opt/.staging" place="$root/$opt/releases/$1"
    if [ -e "$place/complete" ]; then
        say "unchanged" "release $name"
        return
    fi
    say "building" "release $name (about a minute)"
    make_wheels
    rm -rf -- "$staging" "$place"
    mkdir -p "$staging" "$root/$opt/releases"
    cp "$work"/wheels/*.whl "$work/run.lock" "$staging"
    {
        on_target "$(lasting_python)" -m venv "/$opt/releases/$name" &&
            on_target "${pip[@]}" install --no-index --no-deps --find-links "/$opt/.staging" \
                --require-hashes -r "/$opt/.staging/run.lock" &&
            on_target "${pip[@]}" install --no-index --no-deps --find-links "/$opt/.staging" firebreak-controller &&
            on_target "${pip[@]}" check &&
            on_target "/$opt/releases/$name/bin/firebreak" --help
    } >>"$work/log" 2>&1 || fail "release $name: $(grep -m 1 ^ERROR "$work/log" || tail -n 1 "$work/log")"
    cp "$work/run.lock" "$place" # for the bill of materials
    sync -f "$place"
    touch "$place/complete"
    sync -f "$place"
    say "installed" "release $name in /$opt"
}

# Puts the stamp of a bundle (signed_bundle.py) into its release before `current` leads there. Without a stamp any older
# bundle of this version could be installed: a power cut after the switch must not lose it.
stamp() {
    [ -f "$tree/release.json" ] || return 0
    place "$tree/release.json" "$opt/releases/$1/release.json"
    sync -f "$root/$opt/releases/$1"
}

# Removes `complete` first: half a release must not count as complete when its sources are installed again.
remove_release() {
    rm -f -- "$1/complete"
    sync -f "$1"
    rm -rf -- "$1"
}

# `current` changes in one step. The previous release stays for a way back. A release that still runs stays too.
switch_to() {
    local name="$1" before each
    before="$(basename "$(readlink "$root/$opt/current" || true)")"
    ln -sfn "releases/$name" "$root/$opt/.current"
    mv -T "$root/$opt/.current" "$root/$opt/current"
    mkdir -p "$root/usr/local/bin"
    ln -sfn "/$opt/current/bin/firebreak" "$root/usr/local/bin/firebreak"
    [ "$before" != "$name" ] || return 0
    [ -z "$before" ] || ln -sfn "releases/$before" "$root/$opt/previous"
    say "switched" "to release $name${before:+, from $before}"
    for each in "$root/$opt"/releases/*; do
        case "$(basename "$each")" in
            "$name" | "$before") ;;
            *) grep -qs "releases/$(basename "$each")/" /proc/[0-9]*/cmdline || remove_release "$each" ;;
        esac
    done
}

# The new release is on trial until it has controlled for half an hour (trial.py). The release before notes how it
# controls. One that has no such command gives no trial.
begin_trial() {
    has_command box trial || return 0
    on_target "/$opt/current/bin/firebreak" box trial begin --release "$1" ||
        say "warning" "the new release is not on trial: it does not go back by itself"
}

# place SOURCE TARGET: replaces a file in one step: a power cut leaves the old file or the whole new file.
place() {
    install -D -m 644 "$1" "$root/$2.part"
    sync "$root/$2.part"
    mv -fT "$root/$2.part" "$root/$2"
}

# renew SOURCE TARGET: replaces a file if it differs.
renew() {
    cmp -s "$1" "$root/$2" && return
    place "$1" "$2"
    say "installed" "/$2"
}

# Keeps a copy of a file of this release, for `firebreak box rollback` (rollback.py).
record() {
    [ -z "$release" ] || install -D -m 644 "$1" "$root/$opt/releases/$release/files.part/$2"
}

# put SOURCE TARGET: renews a file of this project.
put() {
    record "$1" "$2"
    renew "$1" "$2"
}

# The copies count from now on.
end_record() {
    local place="$root/$opt/releases/$1"
    sync -f "$place/files.part"
    rm -rf -- "$place/files"
    mv -T "$place/files.part" "$place/files"
}

# Files of this project on a box, beside configuration, state and what is made of the configuration.
own_files() {
    printf '%s\n' "$units/firebreak.service" "$units"/firebreak-{record,upstream,planner,doors@,can@,console@}.service \
        "$units"/firebreak-trial.{service,timer} \
        "$units/run-firebreak.mount" etc/udev/rules.d/70-firebreak.rules etc/modules-load.d/firebreak.conf \
        etc/needrestart/conf.d/firebreak.conf etc/sysusers.d/firebreak.conf "$bash_completion" "$zsh_completion" \
        "$man_page"
}

# The installer of an older release kept no copies: what is there now is of that release.
record_previous() {
    local file release
    release="$(basename "$(readlink "$root/$opt/current" || true)")"
    [ -n "$release" ] && [ "$release" != "$1" ] && [ ! -e "$root/$opt/releases/$release/files" ] || return 0
    while IFS= read -r file; do
        [ ! -f "$root/$file" ] || record "$root/$file" "$file"
    done < <(own_files)
    while read -r _ file; do
        ! is_as_installed "$file" || record "$root/$file" "$file"
    done <"$root/$as_installed"
    end_record "$release"
}

digest_of() {
    (cd "$root" && sha256sum -- "$1")
}

# True while the owner has not changed a file since an installation put it there.
is_as_installed() {
    [ ! -L "$root/$1" ] && grep -qsxF "$(digest_of "$1")" "$root/$as_installed"
}

remember() {
    is_as_installed "$1" && return
    { grep -svF "  $1" "$root/$as_installed" || true; digest_of "$1"; } >"$work/installed"
    place "$work/installed" "$as_installed"
}

# keep SOURCE TARGET: installs a file, but keeps a file that the owner has changed.
keep() {
    record "$1" "$2"
    if [ ! -e "$root/$2" ] || is_as_installed "$2"; then
        renew "$1" "$2"
    fi
    if cmp -s "$1" "$root/$2"; then
        rm -f "$root/$2.new"
        remember "$2"
    else
        place "$1" "$2.new"
        say "kept" "/$2; this release's is /$2.new"
    fi
}

install_configuration() {
    local file
    for file in "$tree"/controller/sites/types/*.toml; do
        keep "$file" "$etc/types/$(basename "$file")"
    done
    for file in "$tree"/controller/sites/example/*.toml; do
        keep "$file" "$etc/example/$(basename "$file")"
    done
}

install_user() {
    put "$here/firebreak.sysusers.conf" etc/sysusers.d/firebreak.conf
    on_target systemd-sysusers /etc/sysusers.d/firebreak.conf
    on_target install -d -m 750 -o firebreak -g firebreak /var/lib/firebreak
    # a release before had 600; the doors report how far the cabinet has joined
    [ ! -f "$root/var/lib/firebreak/proof_tests.jsonl" ] || chmod 640 "$root/var/lib/firebreak/proof_tests.jsonl"
}

# Enables a service when it is installed for the first time. A service that an operator disabled later stays disabled.
# The file `mark` exists until the service is enabled. After an interruption the next installation enables it.
install_service() {
    local mark="$root/$opt/.enable-$1"
    case "$1" in
        *@*) ;;
        *) [ -e "$root/$units/$1" ] || { mkdir -p "$root/$opt" && touch "$mark"; } ;;
    esac
    put "$here/$1" "$units/$1"
    if [ -e "$mark" ]; then
        on_target systemctl --quiet enable "$1"
        rm -f "$mark"
    fi
}

has_command() {
    on_target "/$opt/current/bin/firebreak" "$@" --help >/dev/null 2>&1
}

# What the unit of a companion runs.
command_of() {
    case "$1" in
        record) echo record run ;;
        upstream) echo doors local ;;
    esac
}

# Puts the planner's unit, its file and its key. A person enables the planner when the file has the site's tariff.
install_planner() {
    local file="$etc/planner/planner.toml" key="$etc/planner/planner.key"
    has_command planner || return 0
    put "$here/firebreak-planner.service" "$units/firebreak-planner.service"
    if [ ! -e "$root/$file" ]; then
        sed 's|^energy_Wh = .*|cabinet = "../cabinet/cabinet.toml"   # energy, power and import of this box|
            /^\(power_W\|import_W_max\) = /d; s|^path = "prices.csv"|path = "prices"|' \
            "$tree/controller/planner/example/planner.toml" >"$work/planner.toml"
        mkdir -p "$root/$etc/planner/prices"
        place "$work/planner.toml" "$file"
        say "installed" "/$file"
    fi
    if [ ! -e "$root/$key" ]; then
        make_key planner
        if [ -s "$root/$key.part" ]; then
            mv -fT "$root/$key.part" "$root/$key"
            say "installed" "/$key"
        else
            rm -f "$root/$key.part"
            say "warning" "no key of the planner: firebreak key create planner >/$key, for the user firebreak-planner"
        fi
    fi
}

# With --doors, or once doors.toml is there: unit, an empty file, and for each kind in it the addresses that it needs.
install_doors() {
    local kind file="$etc/doors/doors.toml" target
    [ "$doors" = yes ] && has_command doors || return 0
    put "$here/firebreak-doors@.service" "$units/firebreak-doors@.service"
    if [ ! -e "$root/$file" ]; then
        place "$tree/controller/doors/example/doors.toml" "$file"
        say "installed" "/$file: nothing is open"
    fi
    if ! on_target "/$opt/current/bin/firebreak" doors check "/$file" >/dev/null 2>"$work/doors.log"; then
        say "warning" "the units of the doors keep their addresses: $(tail -n 1 "$work/doors.log")"
        return 0
    fi
    for kind in mqtt modbus http alarms; do
        target="$units/firebreak-doors@$kind.service.d/addresses.conf"
        on_target "/$opt/current/bin/firebreak" doors check "/$file" --drop-in "$kind" \
            >"$work/$kind.conf" 2>>"$work/log" || continue
        if [ -s "$work/$kind.conf" ]; then
            renew "$work/$kind.conf" "$target"
        elif [ -e "$root/$target" ]; then
            rm -f -- "$root/$target"
            say "removed" "/$target"
        fi
    done
}

# Makes the key of a source and writes it to /etc/firebreak/NAME/NAME.key.part, for the user firebreak-NAME.
make_key() {
    local name="$1" target="$root/$etc/$1/$1.key.part"
    mkdir -p "$root/$etc/$1"
    install -m 600 /dev/null "$target"
    as_service key create "$name" >"$target" 2>>"$work/log" || true # 1: a running controller does not know it yet
    [ -s "$target" ] || as_service key rotate "$name" >"$target" 2>>"$work/log" || true
    on_target chown "firebreak-$name:" "/$etc/$name/$name.key.part"
}

install_services() {
    local name words
    put "$here/firebreak.modules.conf" etc/modules-load.d/firebreak.conf
    put "$here/firebreak.rules" etc/udev/rules.d/70-firebreak.rules
    put "$here/firebreak.needrestart.conf" etc/needrestart/conf.d/firebreak.conf
    put "$here/run-firebreak.mount" "$units/run-firebreak.mount"
    install_service firebreak-can@.service
    install_service firebreak.service
    for name in $companions; do
        read -ra words <<<"$(command_of "$name")"
        if has_command "${words[@]}"; then
            install_service "firebreak-$name.service"
        elif [ -e "$root/$units/firebreak-$name.service" ]; then
            say "warning" "this release has no 'firebreak ${words[*]}': systemctl disable --now firebreak-$name.service"
        fi
    done
    if has_command box trial; then
        put "$here/firebreak-trial.service" "$units/firebreak-trial.service"
        install_service firebreak-trial.timer
    fi
    if has_command console; then
        install_service firebreak-console@.service
    fi
    install_planner
    install_doors
}

# Lets bash and zsh complete the commands of this release, and man show them. An older release has no such texts.
install_completion() {
    on_target "/$opt/current/bin/firebreak" completion bash >"$work/bash" 2>/dev/null || return 0
    on_target "/$opt/current/bin/firebreak" completion zsh >"$work/zsh"
    put "$work/bash" "$bash_completion"
    put "$work/zsh" "$zsh_completion"
    on_target "/$opt/current/bin/firebreak" completion man >"$work/man"
    put "$work/man" "$man_page"
}

# Tells a running box to load the new rules and units. Interfaces that are up and running services are not changed.
reload_system() {
    is_live || return 0
    systemctl daemon-reload
    systemctl restart systemd-modules-load.service ||
        say "warning" "not all kernel modules were loaded: systemctl status systemd-modules-load"
    udevadm control --reload
    if systemctl --quiet is-active firebreak.service; then
        say "running" "the controller runs its old release until: systemctl restart firebreak"
    fi
}

# Opens the unit of the controller for the configured addresses, and for no other. A file that this release refuses
# changes nothing, because the drop-in of before is that of the running controller.
open_addresses() {
    local file="/$etc/cabinet/cabinet.toml" target="$units/firebreak.service.d/addresses.conf"
    [ -e "$root$file" ] || return 0
    as_service check --drop-in "$file" >"$work/addresses.conf" 2>/dev/null || return 0
    if [ -s "$work/addresses.conf" ]; then
        renew "$work/addresses.conf" "$target"
    elif [ -e "$root/$target" ]; then
        rm -f -- "$root/$target"
        say "removed" "/$target"
    fi
}

# Runs a command of this release as the service's user, because this user has to read the files.
as_service() {
    on_target runuser -u firebreak -- "/$opt/current/bin/firebreak" "$@"
}

# Checks the cabinet's files with this release and its types, because a restart with refused files would not come up.
check_cabinet() {
    local file="/$etc/cabinet/cabinet.toml" reason
    [ -e "$root$file" ] || return 0
    if ! reason="$(as_service check "$file" 2>&1 >/dev/null)"; then
        say "warning" "this release refuses $file: ${reason#firebreak: }"
        say "" "correct it before: systemctl restart firebreak (all that is left to do: firebreak box migrate;"
        say "" "the way back: firebreak box rollback)"
    fi
}

next_steps() {
    if [ ! -e "$root/$etc/cabinet/cabinet.toml" ]; then
        say "next" "cp -r /$etc/example /$etc/cabinet; write your site and ports into it (ls -l /dev/serial/by-path)"
        say "" "sudo -u firebreak firebreak check /$etc/cabinet/cabinet.toml"
        say "" "with devices on a network: ./flash.sh install again, which opens their addresses"
        say "" "sudo -u firebreak firebreak box prepare   (first store of a new cabinet; else a start needs the key)"
        say "" "a console on a serial line: firebreak user add NAME; systemctl enable firebreak-console@ttyS0"
        say "" "reboot, or: udevadm trigger --action=add --subsystem-match=net; systemctl start firebreak"
        say "" "at the cabinet, with the key out of RUN: sudo -u firebreak firebreak approve"
        say "" "the cabinet stays in standby until: sudo -u firebreak firebreak start"
    fi
}

lock() {
    [ -d "$root/$opt" ] || return 0
    exec 9<"$root/$opt"
    flock --nonblock 9 || fail "another installation into $root is running"
}

do_install() {
    check_target
    mkdir -p "$root/$opt"
    lock
    [ ! -e "$root/$etc/doors/doors.toml" ] || doors=yes
    work="$(mktemp -d)"
    trap clean_up EXIT
    release="$(release_name)"
    record_previous "$release"
    make_release "$release"
    rm -rf -- "$root/$opt/releases/$release/files.part" # of an interrupted installation
    install_user
    stamp "$release"
    begin_trial "$release"
    switch_to "$release"
    install_configuration
    install_services
    install_completion
    end_record "$release"
    open_addresses
    reload_system
    check_cabinet
    next_steps
}

# shellcheck source=controller/systemd/uninstall.sh
. "$here/uninstall.sh"

# wheels TARGET [SOURCE]: for a bundle (make_bundle.py).
do_wheels() {
    work="$(mktemp -d)"
    trap 'rm -rf -- "$work"' EXIT
    doors=yes
    wheels="${2:-}"
    make_wheels
    cp "$work"/wheels/*.whl "$1"
}

main() {
    command="${1:-}"
    case "$command" in
        install | uninstall) shift ;;
        wheels) shift && do_wheels "$@" && exit ;;
        *) fail "install.sh is started by flash.sh install or flash.sh uninstall" 2 ;;
    esac
    parse "$@"
    "do_$command"
}

# A test sources this file for its functions.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    main "$@"
fi
