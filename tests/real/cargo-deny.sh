# cargo-deny, which checks licences, sources and doubled dependencies.

CARGO_DENY_RECIPE="cargo-deny $CARGO_DENY"

cargo_deny_installed() { complete "$CACHE/cargo-deny-$CARGO_DENY" "$CARGO_DENY_RECIPE"; }
cargo_deny_where() { echo "$CACHE/cargo-deny-$CARGO_DENY/bin"; }
cargo_deny_announce() { echo "$CARGO_DENY: building, takes 2-4 minutes once"; }

cargo_deny_install() {
    local stage build status=0
    stage=$(staging cargo-deny)
    build=$(staging cargo-deny-target)
    (cd "$here" && nicely cargo install --locked --root "$stage" --target-dir "$build" \
        "cargo-deny@$CARGO_DENY") || status=$?
    rm -rf "$build"
    ((status == 0)) || return "$status"
    publish "$stage" "$CACHE/cargo-deny-$CARGO_DENY" "$CARGO_DENY_RECIPE"
}
