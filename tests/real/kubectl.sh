# kubectl, the user's side of Kubernetes: of the same version and go.mod as the control plane, and apart from it, so that a new one of
# either is built alone.

KUBECTL_RECIPE="kubectl $KUBECTL"

kubectl_installed() { complete "$CACHE/kubectl-$KUBECTL" "$KUBECTL_RECIPE"; }
kubectl_where() { echo "$CACHE/kubectl-$KUBECTL"; }
kubectl_announce() { echo "$KUBECTL: building, takes 1-3 minutes once"; }

kubectl_install() {
    local stage minor=${KUBECTL#1.}
    minor=${minor%%.*}
    stage=$(staging kubectl)
    (cd "$here/kubernetes" && GOTOOLCHAIN=local nicely "$GO_BIN" build -mod=readonly -buildvcs=false \
        -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$KUBECTL
            -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$minor" \
        -o "$stage/" k8s.io/kubernetes/cmd/kubectl)
    "$stage/kubectl" version --client
    publish "$stage" "$CACHE/kubectl-$KUBECTL" "$KUBECTL_RECIPE"
}
