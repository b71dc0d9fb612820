# shellcheck shell=bash disable=SC2154,SC2034,SC2317,SC2153,SC1091
# Functions of install.txt, in the tree of a box whose root has a strict umask.
umask 077
# shellcheck source=controller/systemd/install.sh
source "$ROOT/controller/systemd/install.sh"
root=$PWD work=$PWD-work
mkdir -p "$work"
unit=$units/firebreak.service type=$etc/types/firebreak_645.toml

on_target() {
    echo "$*" >>"$root/asked"
}

asked() {
    [ ! -e asked ] || { cat asked && rm asked; }
}

left() { # files and links below a folder
    find "$1" \( -type f -o -type l \) ! -name asked -printf '%P\n' | LC_ALL=C sort
}

all() {
    has_command() { true; }
}

alone() {
    has_command() { false; }
}

flash() {
    "$ROOT/flash.sh" "$@" </dev/null
}

firebreak() {
    PYTHONPATH=$ROOT "$PYTHON" -m controller "$@"
}

whole() { # a box on which all is installed
    cp -a "$INSTALLED/." .
}

configure() { # the files of a release with this text in its type file
    tree=$work/release
    mkdir -p "$tree"/controller/sites/{types,example}
    echo "$1" >"$tree/controller/sites/types/firebreak_645.toml"
    echo site >"$tree/controller/sites/example/site.toml"
    install_configuration
    tree=$ROOT
}

add() { # a release and files in it
    local each
    mkdir -p "$opt/releases/$1"
    for each in "${@:2}"; do touch "$opt/releases/$1/$each"; done
}

switch() { # to these new releases
    local each
    for each; do
        add "$each"
        switch_to "$each"
    done
}

releases() {
    ls "$opt/releases"
    readlink "$opt/current"
}

wheels() {
    make_wheels() { mkdir "$work/wheels" && touch "$work/wheels/a.whl" "$work/run.lock"; }
    target_python() { echo 3.11; }
}

cabinet() {
    mkdir -p "$etc/cabinet"
    touch "$etc/cabinet/cabinet.toml"
}

checked() { # the release's check of the cabinet ends with this code
    local code=$1
    on_target() {
        echo "$*" >>"$root/asked"
        echo report
        echo "firebreak: cabinet.toml:name: is missing" >&2
        return "$code"
    }
    check_cabinet
}

opened() { # the release's addresses of the cabinet: exit code, text
    local code=$1 text=$2
    on_target() {
        [ -z "$text" ] || echo "$text"
        return "$code"
    }
    open_addresses
    [ ! -e "$unit.d/addresses.conf" ] || cat "$unit.d/addresses.conf"
}

live() { # systemd runs, and fails for this
    fails=$1
    is_live() { true; }
    udevadm() { :; }
    systemctl() { echo "$*" >>"$root/asked" && [[ $* != *$fails* ]]; }
}

doors() { # install them; `doors check` is the project's
    doors=yes
    all
    on_target() { shift && firebreak "$1" "$2" "$root$3" "${@:4}"; }
    install_doors
}
