# PostgreSQL: the distribution's package; the tests start clusters of their own from its programs.

postgresql_installed() { [[ -x $CACHE/postgresql/bin/initdb && -x $CACHE/postgresql/bin/postgres ]]; }
postgresql_where() { readlink -f "$CACHE/postgresql/bin"; }
postgresql_announce() { echo "linking the package's programs"; }

# The newest one, as Debian keeps several majors side by side and none of their servers on the PATH.
postgresql_bin() {
    local bin
    bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    [[ -x $bin/initdb ]] || return 1
    echo "$bin"
}

postgresql_install() {
    mkdir -p "$CACHE/postgresql"
    ln -sfn "$(postgresql_bin)" "$CACHE/postgresql/bin"
}
