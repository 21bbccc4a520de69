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

# kubernetes_build VERSION OUT COMMAND...: builds commands of Kubernetes into the folder OUT.
kubernetes_build() {
    local version=$1 out=$2 minor=${1#1.}
    shift 2
    (cd "$here/kubernetes" && GOTOOLCHAIN=local nicely "$GO_BIN" build -mod=readonly -buildvcs=false \
        -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$version
            -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=${minor%%.*}" \
        -o "$out/" "${@/#/k8s.io/kubernetes/cmd/}")
}

kubernetes_install() {
    local stage
    stage=$(staging kubernetes)
    kubernetes_build "$KUBERNETES" "$stage" kube-apiserver kube-controller-manager
    "$stage/kube-apiserver" --version
    go_build "github.com/yannh/kubeconform@v$KUBECONFORM" "$stage/kubeconform" -ldflags "-s -w" ./cmd/kubeconform
    # What the objects of this version look like, for kubeconform.
    cp "$(module_dir "$GO_BIN" "k8s.io/kubernetes@v$KUBERNETES")/api/openapi-spec/swagger.json" "$stage/"
    chmod u+w "$stage/swagger.json"
    publish "$stage" "$CACHE/kubernetes-$KUBERNETES" "$KUBERNETES_RECIPE"
}
