# Prometheus 3, which sends remote write 1.0 and 2.0; its web pages are left out, tests speak to its API.

PROMETHEUS_RECIPE="prometheus $PROMETHEUS"

prometheus_installed() { complete "$CACHE/prometheus-$PROMETHEUS" "$PROMETHEUS_RECIPE"; }
prometheus_where() { echo "$CACHE/prometheus-$PROMETHEUS"; }
prometheus_announce() { echo "$PROMETHEUS: building, takes 2-3 minutes once"; }

prometheus_install() {
    local stage
    stage=$(staging prometheus)
    go_build "github.com/prometheus/prometheus@v$PROMETHEUS" "$stage/prometheus" \
        -ldflags "-s -w" ./cmd/prometheus
    "$stage/prometheus" --version
    publish "$stage" "$CACHE/prometheus-$PROMETHEUS" "$PROMETHEUS_RECIPE"
}
