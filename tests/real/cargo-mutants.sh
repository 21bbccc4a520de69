# cargo-mutants, for `make mutants`. No test needs it, so it is installed only when it is named.

CARGO_MUTANTS_RECIPE="cargo-mutants $CARGO_MUTANTS"

cargo_mutants_installed() { complete "$CACHE/cargo-mutants-$CARGO_MUTANTS" "$CARGO_MUTANTS_RECIPE"; }
cargo_mutants_where() { echo "$CACHE/cargo-mutants-$CARGO_MUTANTS/bin"; }
cargo_mutants_announce() { echo "$CARGO_MUTANTS: building, takes 1-2 minutes once"; }

cargo_mutants_install() { cargo_tool_install cargo-mutants "$CARGO_MUTANTS" "$CARGO_MUTANTS_RECIPE"; }
