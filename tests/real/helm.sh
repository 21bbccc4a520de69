# Helm, which renders and checks the chart.

HELM_RECIPE="helm $HELM"

helm_installed() { complete "$CACHE/helm-$HELM" "$HELM_RECIPE"; }
helm_where() { echo "$CACHE/helm-$HELM"; }
helm_announce() { echo "$HELM: building, takes 1-2 minutes once"; }

helm_install() {
    local stage
    stage=$(staging helm)
    go_build "helm.sh/helm/v3@v$HELM" "$stage/helm" -ldflags "-s -w" ./cmd/helm
    "$stage/helm" version --short
    publish "$stage" "$CACHE/helm-$HELM" "$HELM_RECIPE"
}
