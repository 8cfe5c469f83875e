"""Hooks for schemathesis: which flows are stored, and which answers are right although the document does not predict them.

JSON Schema cannot express some rules, and some answers depend on the stored flow. So the function refuses some requests
that are valid by the schema. The document describes each of these rules in words. RULES recognizes such an answer by its
code and its sentence. Any other refusal of valid data is a finding.
"""

import json
import os
import re
import urllib.request

import schemathesis
from hypothesis import strategies
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree

# Status, code and sentence of a refusal, and why it is right. If there are details, each of them must match one of these.
RULES = [
    (400, "INVALID_PARAMETERS", "expected pagination.next of an earlier page.*", "only an answer can give a cursor"),
    (400, "INVALID_PARAMETERS", "expected page or cursor, found both", "parameters that exclude each other"),
    (400, "INVALID_STEPS", "expected an integer from 1, found [0-9.e+]+", "1.0, an integer to JSON Schema"),
    (400, "INVALID_VERSION", "expected .* an integer from 1, found [0-9.e+]+", "1.0, an integer to JSON Schema"),
    (400, "INVALID_STEPS", "expected a unique order.*", "unique by one member of an item"),
    (400, "INVALID_STEPS", "expected .* to be enabled for this step.*", "steps and configuration, sent or stored"),
    (400, "INVALID_CONFIGURATION", "expected false because enabled is false.*", "a patch and the configuration it is merged into"),
    (400, "INVALID_PROJECT_ID", "expected a flow of the project .*", "a flow of another project"),
    (400, "INVALID_FLOW_TYPE", "expected a flow of the type .*", "a flow of another type"),
    (409, "FLOW_IS_LIVE", ".*", "depends on what is live"),
    (409, "FLOW_NOT_ACTIVE", ".*", "depends on the version that is stored"),
    (412, "VERSION_CONFLICT", ".*", "depends on the version that is stored"),
    (422, "IDEMPOTENCY_KEY_REUSED", ".*", "depends on the keys that were used"),
]

PROJECT, TYPE = "contract", "login"
ASCII = strategies.characters(codec="ascii")
CLIENT = os.environ["CLIENT"]


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Puts stored flows and their values into the document, so that most requests are not refused early."""
    components = raw_schema["components"]
    for item in raw_schema["paths"].values():
        for method, operation in item.items():
            if method != "parameters" and {"$ref": "#/components/parameters/id"} in item.get("parameters", []):
                give_flow(components, operation, flow_at_version_2())
    give_place(components)
    give_entity_tags(components)
    # A pattern cannot tell a day that does not exist.
    components["schemas"]["Moment"]["format"] = "date-time"
    # An update with other values of these members is always refused.
    for name in ("FlowUpdate", "FlowPatch"):
        update = components["schemas"][name]["properties"]
        for member, value in {"project": PROJECT, "type": TYPE, "client": CLIENT}.items():
            update[member] = {"type": "string", "enum": [value]}
        for member in ("_id", "version", "createdAt", "updatedAt"):
            del update[member]
    # schemathesis tries examples first; a section that is switched on never contradicts the steps.
    components["schemas"]["Verification"]["properties"]["enabled"]["examples"] = [True]
    # The last page has no next page, and schemathesis would report that.
    for name in ("Flows", "Versions", "LiveFlows", "Releases", "Changes"):
        del components["responses"][name]["links"]


def give_flow(components, operation, flow):
    """Makes an operation name its own stored flow, most of the time."""
    schema, name = components["schemas"]["FlowId"], f"flow of {operation['operationId']}"
    schemathesis.openapi.format(name, strategies.just(flow) | strategies.from_regex(schema["pattern"], fullmatch=True))
    parameter = {**components["parameters"]["id"], "schema": {**schema, "format": name}, "example": flow}
    operation["parameters"] = [*operation.get("parameters", []), parameter]


def give_place(components):
    """Makes the operations on what is live name a place with an active flow, most of the time."""
    for name, value in {"project": PROJECT, "type": TYPE}.items():
        components["parameters"][name]["example"] = value
    schema = components["schemas"]["ProjectId"]
    projects = strategies.just(PROJECT) | strategies.from_regex(schema["pattern"], fullmatch=True)
    schemathesis.openapi.format("project of a place", projects)
    components["parameters"]["project"]["schema"] = {**schema, "format": "project of a place"}
    release = components["schemas"]["NewRelease"]["properties"]
    flow = flow_at_version_2(status="active")
    release["_id"] = {"type": "string", "enum": [flow]}
    release["version"] = {"type": "integer", "enum": [2]}


def give_entity_tags(components):
    """Generates entity tags of likely versions; by itself, schemathesis sometimes sends letters and digits."""
    pattern = components["schemas"]["EntityTags"]["pattern"]
    # The flows above match the first of each list.
    unless = ['"1"', '"2"', "*"]
    for name, likely in {"If-Match": ["*", '"2"', '"1", "2"'], "Unless-Match": unless, "If-None-Match": unless}.items():
        drawn = strategies.sampled_from(likely) | strategies.from_regex(pattern, fullmatch=True, alphabet=ASCII)
        schemathesis.openapi.format(name, drawn)
        schema = {"type": "string", "pattern": pattern, "format": name, "examples": likely[:1]}
        components["parameters"][name]["schema"] = schema


def flow_at_version_2(**members):
    """Creates a flow with two versions, and returns its id. The second version has these members."""
    content = {"project": PROJECT, "type": TYPE, "name": "Version 1", "configuration": {}}
    created = send("POST", "", {**content, "steps": [{"stepType": "email", "order": 1, "required": True}]})
    send("PUT", "/" + created["_id"], {"name": "Version 2", **members})
    return created["_id"]


def send(method, path, body):
    """Sends a request, and returns the data of the answer."""
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"}
    url = os.environ["URL"] + "/v2/project-flows" + path
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether a failure of a check is a finding."""
    if not is_passed_on(response.request):
        # An answer of `cargo lambda watch` itself is not a finding.
        return b'"https://httpstatuses.com/500"' not in response.content
    if isinstance(failure, UseAfterFree):
        # The history of a deleted flow stays, and can restore it: at version 3 or later, because version 2 deletes it.
        if "/versions" in case.operation.path or "asOf=" in response.request.url:
            return False
        version = int(response.headers["etag"][0].strip('"'))
        return version < 3 or b'"status":"deleted"' in response.content
    if not isinstance(failure, RejectedPositiveData):
        return True
    answer = json.loads(response.content)
    problems = answer.get("details") or [{"code": answer["message"], "error": answer["error"]}]
    return not all(is_beyond(response.status_code, problem) for problem in problems)


def is_beyond(status, problem):
    """Whether a problem is one that the schema cannot express."""
    return any(
        (status, problem["code"]) == (rule_status, code) and re.fullmatch(sentence, problem["error"])
        for rule_status, code, sentence, _ in RULES
    )


def is_passed_on(request):
    """Whether `cargo lambda watch` passes a request to the function: it needs a body in UTF-8 and headers in ASCII."""
    body = request.body if request.body is not None else b""
    try:
        body if isinstance(body, str) else body.decode()
    except UnicodeDecodeError:
        return False
    headers = (value.decode("latin-1") if isinstance(value, bytes) else value for value in request.headers.values())
    return all(value.isascii() for value in headers)
