# A Go new enough for the recipes: the machine's own, else the toolchain module of the module proxy.

# Sets GO_BIN; GOPROXY, GOSUMDB and the like stay what this machine's `go env` says.
go_ready() {
    local have
    have=$(GOTOOLCHAIN=local go env GOVERSION)
    if version_at_least "${have#go}" "$GO_MIN"; then
        GO_BIN=$(command -v go)
        return
    fi
    GO_BIN="$CACHE/go-$GO/bin/go"
    complete "$CACHE/go-$GO" "toolchain $GO" || run_step go || die "no Go of at least $GO_MIN"
}

go_announce() { echo "$GO: fetching the toolchain, the one here is older than $GO_MIN"; }

go_install() {
    local os arch dir stage
    os=$(go env GOOS)
    arch=$(go env GOARCH)
    dir=$(module_dir go "golang.org/toolchain@v0.0.1-go$GO.$os-$arch")
    stage=$(staging go)
    cp -r "$dir/." "$stage"
    chmod -R u+w "$stage"
    # A module zip keeps no execute bits and may hold no nested go.mod, hence the underscores.
    chmod -R a+x "$stage/bin" "$stage/pkg/tool"
    find "$stage" -name _go.mod -execdir mv {} go.mod \;
    publish "$stage" "$CACHE/go-$GO" "toolchain $GO"
}

# module_dir GO MODULE@VERSION: fetches the module and prints the folder of its sources.
module_dir() {
    local answer dir
    # Outside of any module, so that a go.mod above this folder cannot have a say.
    answer=$(cd / && "$1" mod download -json "$2") || { echo "$answer" >&2; return 1; }
    dir=$(sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p' <<<"$answer")
    [[ -d $dir ]] || { echo "$answer" >&2; return 1; }
    echo "$dir"
}

# go_build MODULE@VERSION OUT ARGS...: builds inside of the module's own folder, with its own go.sum.
go_build() {
    local dir out=$2
    dir=$(module_dir "$GO_BIN" "$1")
    shift 2
    (cd "$dir" && GOTOOLCHAIN=local nicely "$GO_BIN" build -mod=readonly -buildvcs=false -o "$out" "$@")
}
