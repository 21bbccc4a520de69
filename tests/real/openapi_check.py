"""Holds a document against OpenAPI, and real answers against the document.

    python openapi_check.py DOCUMENT [ANSWERS]

ANSWERS has one JSON object a line: method, path (as the document writes it), status, kind (content type), body.
Prints how many answers it held; what does not fit ends it with what and where.
"""

import json
import sys

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from referencing import Registry
from referencing.jsonschema import DRAFT202012

with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file)
validate(document)
ids = [
    operation["operationId"]
    for operations in document["paths"].values()
    for operation in operations.values()
]
assert len(ids) == len(set(ids)), "an operationId stands twice"

registry = Registry().with_resource("urn:document", DRAFT202012.create_resource(document))
held = 0
for line in open(sys.argv[2], encoding="utf-8") if len(sys.argv) > 2 else []:
    answer = json.loads(line)
    what = f"{answer['method']} {answer['path']} -> {answer['status']}"
    responses = document["paths"][answer["path"]][answer["method"].lower()]["responses"]
    assert str(answer["status"]) in responses, f"{what}: the document does not know this status"
    kind = answer["kind"].split(";")[0]
    content = responses[str(answer["status"])].get("content", {})
    assert kind in content, f"{what}: the document does not know the content type {kind}"
    parts = ["paths", answer["path"], answer["method"].lower(), "responses", str(answer["status"]), "content", kind, "schema"]
    pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)
    schema = {"$ref": f"urn:document#/{pointer}", "unevaluatedProperties": False}
    errors = list(OAS31Validator(schema, registry=registry).iter_errors(answer["body"]))
    assert not errors, f"{what}: {errors[0].message} at {list(errors[0].absolute_path)}"
    held += 1
print(f"the document is OpenAPI {document['openapi']}; it describes {len(ids)} operations and {held} answers")
