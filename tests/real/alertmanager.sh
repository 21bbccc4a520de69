# Alertmanager 0.x and its amtool: what others' alerts come from, and what people silence with.

ALERTMANAGER_RECIPE="alertmanager $ALERTMANAGER"

alertmanager_installed() { complete "$CACHE/alertmanager-$ALERTMANAGER" "$ALERTMANAGER_RECIPE"; }
alertmanager_where() { echo "$CACHE/alertmanager-$ALERTMANAGER"; }
alertmanager_announce() { echo "$ALERTMANAGER: building, takes 1-2 minutes once"; }

alertmanager_install() {
    local stage name
    stage=$(staging alertmanager)
    for name in alertmanager amtool; do
        go_build "github.com/prometheus/alertmanager@v$ALERTMANAGER" "$stage/$name" \
            -ldflags "-s -w" "./cmd/$name"
        "$stage/$name" --version
    done
    publish "$stage" "$CACHE/alertmanager-$ALERTMANAGER" "$ALERTMANAGER_RECIPE"
}
