# openapi-spec-validator, which says whether a document is OpenAPI, and the JSON Schema validator under it; from PyPI.

OPENAPI_SPEC_VALIDATOR_RECIPE="openapi-spec-validator $OPENAPI_SPEC_VALIDATOR"

openapi_spec_validator_installed() {
    complete "$CACHE/openapi-spec-validator-$OPENAPI_SPEC_VALIDATOR" "$OPENAPI_SPEC_VALIDATOR_RECIPE"
}
openapi_spec_validator_where() { echo "$CACHE/openapi-spec-validator-$OPENAPI_SPEC_VALIDATOR"; }
openapi_spec_validator_announce() { echo "$OPENAPI_SPEC_VALIDATOR: fetching"; }

openapi_spec_validator_install() {
    local stage
    stage=$(staging openapi-spec-validator)
    python3 -m venv "$stage"
    "$stage/bin/python" -m pip install --quiet --disable-pip-version-check \
        "openapi-spec-validator==$OPENAPI_SPEC_VALIDATOR"
    publish "$stage" "$CACHE/openapi-spec-validator-$OPENAPI_SPEC_VALIDATOR" "$OPENAPI_SPEC_VALIDATOR_RECIPE"
}
