# cargo-fuzz, for `make fuzz`. No test needs it, so it is installed only when it is named.

CARGO_FUZZ_RECIPE="cargo-fuzz $CARGO_FUZZ"

cargo_fuzz_installed() { complete "$CACHE/cargo-fuzz-$CARGO_FUZZ" "$CARGO_FUZZ_RECIPE"; }
cargo_fuzz_where() { echo "$CACHE/cargo-fuzz-$CARGO_FUZZ/bin"; }
cargo_fuzz_announce() { echo "$CARGO_FUZZ: building, takes 1-2 minutes once"; }

cargo_fuzz_install() { cargo_tool_install cargo-fuzz "$CARGO_FUZZ" "$CARGO_FUZZ_RECIPE"; }
