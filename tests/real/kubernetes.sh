# The control plane of Kubernetes (kube-apiserver, kube-controller-manager), and kubeconform. etcd is the distribution's package.
#
# The module of Kubernetes replaces its own parts by folders, which only its own checkout has; kubernetes/go.mod names the published
# modules of the same version instead, and kubernetes/go.sum holds what they must be.

KUBERNETES_RECIPE="kubernetes $KUBERNETES kubeconform $KUBECONFORM 1"

kubernetes_installed() {
    complete "$CACHE/kubernetes-$KUBERNETES" "$KUBERNETES_RECIPE" && command -v etcd >/dev/null
}
kubernetes_where() { echo "$CACHE/kubernetes-$KUBERNETES"; }
kubernetes_announce() { echo "$KUBERNETES: building, takes 3-6 minutes once"; }

kubernetes_install() {
    local stage minor=${KUBERNETES#1.}
    minor=${minor%%.*}
    stage=$(staging kubernetes)
    (cd "$here/kubernetes" && GOTOOLCHAIN=local nicely "$GO_BIN" build -mod=readonly -buildvcs=false \
        -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$KUBERNETES
            -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$minor" \
        -o "$stage/" k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager)
    "$stage/kube-apiserver" --version
    go_build "github.com/yannh/kubeconform@v$KUBECONFORM" "$stage/kubeconform" -ldflags "-s -w" ./cmd/kubeconform
    # What the objects of this version look like, for kubeconform.
    cp "$(module_dir "$GO_BIN" "k8s.io/kubernetes@v$KUBERNETES")/api/openapi-spec/swagger.json" "$stage/"
    chmod u+w "$stage/swagger.json"
    publish "$stage" "$CACHE/kubernetes-$KUBERNETES" "$KUBERNETES_RECIPE"
}
