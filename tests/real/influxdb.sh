# InfluxDB 2: a Go build whose query engine, Flux, is half Rust and is compiled by a pkg-config of its own.

INFLUXDB_RECIPE="influxd $INFLUXDB pkg-config v0.2.14"

influxdb_installed() { complete "$CACHE/influxdb-$INFLUXDB" "$INFLUXDB_RECIPE"; }
influxdb_where() { echo "$CACHE/influxdb-$INFLUXDB"; }
influxdb_announce() { echo "$INFLUXDB: building, takes 3-5 minutes once"; }

influxdb_install() {
    local stage tools
    stage=$(staging influxdb)
    tools=$(staging tools)
    GOBIN="$tools" GOTOOLCHAIN=local "$GO_BIN" install github.com/influxdata/pkg-config@v0.2.14
    # Flux denies warnings, and newer compilers give some that its pinned one did not.
    cat >"$tools/rustc-cap-lints" <<'WRAPPER'
#!/bin/sh
rustc=$1
shift
case " $* " in
    *" --cap-lints "*) exec "$rustc" "$@" ;;
    *) exec "$rustc" --cap-lints warn "$@" ;;
esac
WRAPPER
    chmod +x "$tools/rustc-cap-lints"
    (
        # Flux pins an old toolchain that is not here; the checkout's own one does it.
        if command -v rustup >/dev/null; then
            RUSTUP_TOOLCHAIN=$(cd "$here" && rustup show active-toolchain | cut -d ' ' -f 1)
            export RUSTUP_TOOLCHAIN
        fi
        unset CARGO_TARGET_DIR RUSTFLAGS
        export RUSTC_WRAPPER="$tools/rustc-cap-lints" PATH="$tools:$PATH"
        go_build "github.com/influxdata/influxdb/v2@v$INFLUXDB" "$stage/influxd" \
            -tags sqlite_foreign_keys,sqlite_json \
            -ldflags "-s -w -X main.version=$INFLUXDB" ./cmd/influxd
    )
    "$stage/influxd" version
    publish "$stage" "$CACHE/influxdb-$INFLUXDB" "$INFLUXDB_RECIPE"
    rm -rf "$tools"
}
