# node-oidc-provider, an OpenID Provider that passed its conformance tests; from npm, by the lock file beside its server.

OIDC_PROVIDER_RECIPE="oidc-provider $OIDC_PROVIDER $(cat "$here"/oidc-provider/* | sha256sum)"

oidc_provider_installed() { complete "$CACHE/oidc-provider-$OIDC_PROVIDER" "$OIDC_PROVIDER_RECIPE"; }
oidc_provider_where() { echo "$CACHE/oidc-provider-$OIDC_PROVIDER"; }
oidc_provider_announce() { echo "$OIDC_PROVIDER: fetching"; }

oidc_provider_install() {
    local stage
    stage=$(staging oidc-provider)
    cp "$here"/oidc-provider/* "$stage"
    (cd "$stage" && npm ci --ignore-scripts --no-audit --no-fund)
    publish "$stage" "$CACHE/oidc-provider-$OIDC_PROVIDER" "$OIDC_PROVIDER_RECIPE"
}
