# cargo-fuzz, for `make fuzz`. No test needs it, so it is installed only when it is named.

CARGO_FUZZ_RECIPE="cargo-fuzz $CARGO_FUZZ"

cargo_fuzz_installed() { complete "$CACHE/cargo-fuzz-$CARGO_FUZZ" "$CARGO_FUZZ_RECIPE"; }
cargo_fuzz_where() { echo "$CACHE/cargo-fuzz-$CARGO_FUZZ/bin"; }
cargo_fuzz_announce() { echo "$CARGO_FUZZ: building, takes 1-2 minutes once"; }

cargo_fuzz_install() {
    local stage build status=0
    stage=$(staging cargo-fuzz)
    build=$(staging cargo-fuzz-target)
    (cd "$here" && nicely cargo install --locked --root "$stage" --target-dir "$build" \
        "cargo-fuzz@$CARGO_FUZZ") || status=$?
    rm -rf "$build"
    ((status == 0)) || return "$status"
    publish "$stage" "$CACHE/cargo-fuzz-$CARGO_FUZZ" "$CARGO_FUZZ_RECIPE"
}
