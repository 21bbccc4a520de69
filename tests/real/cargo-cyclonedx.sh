# cargo-cyclonedx, which lists the crates of the image for its bill of materials; wanted by `make image` only.

CARGO_CYCLONEDX_RECIPE="cargo install --locked cargo-cyclonedx $CARGO_CYCLONEDX"

cargo_cyclonedx_installed() { complete "$CACHE/cargo-cyclonedx-$CARGO_CYCLONEDX" "$CARGO_CYCLONEDX_RECIPE"; }
cargo_cyclonedx_where() { echo "$CACHE/cargo-cyclonedx-$CARGO_CYCLONEDX/bin"; }
cargo_cyclonedx_announce() { echo "$CARGO_CYCLONEDX: building, takes 1-2 minutes once"; }

cargo_cyclonedx_install() { cargo_tool_install cargo-cyclonedx "$CARGO_CYCLONEDX" "$CARGO_CYCLONEDX_RECIPE"; }
