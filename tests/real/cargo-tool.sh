# Programs for developers that come from the package registry of Rust.

# cargo_tool_install NAME VERSION RECIPE: builds it in a target folder of its own, which goes away again.
cargo_tool_install() {
    local name=$1 version=$2 recipe=$3 stage build status=0
    stage=$(staging "$name")
    build=$(staging "$name-target")
    (cd "$here" && nicely cargo install --locked --root "$stage" --target-dir "$build" \
        "$name@$version") || status=$?
    rm -rf "$build"
    ((status == 0)) || return "$status"
    publish "$stage" "$CACHE/$name-$version" "$recipe"
}
