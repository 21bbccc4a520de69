# Debian packages: those that the missing systems need and this machine lacks.

kcat_installed() { command -v kcat >/dev/null; }
kcat_where() { command -v kcat; }

# They pack the image and run it, without a container engine.
umoci_installed() { command -v umoci >/dev/null; }
umoci_where() { command -v umoci; }
# A package puts it where only the superuser's PATH looks.
runc_installed() { [[ -x /usr/sbin/runc || -x /usr/bin/runc ]]; }
runc_where() { PATH=$PATH:/usr/sbin command -v runc; }

# JRE packages in order of preference; the first that this release of Debian or Ubuntu has is taken.
JRE_PACKAGES=(openjdk-17-jre-headless openjdk-21-jre-headless openjdk-25-jre-headless)

# What each system needs, as package names; `jre` is resolved after the package lists are fresh.
packages_missing() {
    local name need=()
    for name in "$@"; do
        if [[ " ${from_go[*]} " == *" $name "* ]]; then
            command -v go >/dev/null || need+=(golang-go)
        fi
        case $name in
            kafka)
                find_java >/dev/null || need+=(jre)
                command -v mvn >/dev/null || need+=(maven)
                ;;
            kubernetes) command -v etcd >/dev/null || need+=(etcd-server) ;;
            influxdb)
                command -v gcc >/dev/null || need+=(build-essential)
                command -v clang >/dev/null || need+=(clang)
                command -v pkg-config >/dev/null || need+=(pkg-config)
                command -v protoc >/dev/null || need+=(protobuf-compiler)
                ;;
            postgresql) postgresql_bin >/dev/null || need+=(postgresql) ;;
            aiosmtpd | openapi-spec-validator) python3 -c "import ensurepip" 2>/dev/null || need+=(python3-venv) ;;
            oidc-provider) command -v npm >/dev/null || need+=(nodejs npm) ;;
            kcat | umoci | runc) need+=("$name") ;;
        esac
    done
    ((${#need[@]} == 0)) || printf '%s\n' "${need[@]}" | sort -u
}

packages_install() {
    local need=() privileged=() i
    mapfile -t need < <(packages_missing "$@")
    ((${#need[@]})) || return 0
    command -v apt-get >/dev/null ||
        die "these are needed and there is no apt-get to install them: ${need[*]}"
    if ((EUID != 0)); then
        sudo -n true 2>/dev/null ||
            die "packages are missing and this user may not install them; run: sudo apt-get update && sudo apt-get install -y --no-install-recommends ${need[*]/#jre/${JRE_PACKAGES[0]}}"
        privileged=(sudo -n)
    fi
    say "Debian packages: installing ${need[*]}, about a minute"
    local log="$CACHE/logs/packages.log"
    {
        "${privileged[@]}" apt-get update
        for i in "${!need[@]}"; do
            [[ ${need[i]} != jre ]] || need[i]=$(newest_jre)
        done
        "${privileged[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends "${need[@]}"
        # A package may start a service, which must not inherit the lock and hold it for ever.
    } >"$log" 2>&1 9>&- || {
        tail -n 25 "$log" | sed 's/^/    /' >&2
        die "apt-get failed, its log is $log"
    }
    hash -r
}

newest_jre() {
    local package
    for package in "${JRE_PACKAGES[@]}"; do
        if [[ -n $(apt-cache madison "$package" 2>/dev/null) ]]; then
            echo "$package"
            return
        fi
    done
    echo default-jre-headless
}
