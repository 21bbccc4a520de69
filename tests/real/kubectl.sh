# kubectl, the user's side of Kubernetes: of the same version and go.mod as the control plane, and apart from it, so that a new one of
# either is built alone.

KUBECTL_RECIPE="kubectl $KUBECTL"

kubectl_installed() { complete "$CACHE/kubectl-$KUBECTL" "$KUBECTL_RECIPE"; }
kubectl_where() { echo "$CACHE/kubectl-$KUBECTL"; }
kubectl_announce() { echo "$KUBECTL: building, takes 1-3 minutes once"; }

kubectl_install() {
    local stage
    stage=$(staging kubectl)
    kubernetes_build "$KUBECTL" "$stage" kubectl
    "$stage/kubectl" version --client
    publish "$stage" "$CACHE/kubectl-$KUBECTL" "$KUBECTL_RECIPE"
}
