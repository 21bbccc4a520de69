# cargo-deny, which checks licences, sources and doubled dependencies.

CARGO_DENY_RECIPE="cargo-deny $CARGO_DENY"

cargo_deny_installed() { complete "$CACHE/cargo-deny-$CARGO_DENY" "$CARGO_DENY_RECIPE"; }
cargo_deny_where() { echo "$CACHE/cargo-deny-$CARGO_DENY/bin"; }
cargo_deny_announce() { echo "$CARGO_DENY: building, takes 2-4 minutes once"; }

cargo_deny_install() { cargo_tool_install cargo-deny "$CARGO_DENY" "$CARGO_DENY_RECIPE"; }
