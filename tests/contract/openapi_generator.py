"""The life of a flow, with the Python client that openapi-generator generates from openapi.yaml.

Every answer must have the expected status, and what the client has understood must be all that the function has sent.
"""

import json
import os

from openapi_client import ApiClient, ApiException, Configuration, FlowsApi, HistoryApi, ReleasesApi
from openapi_client.models import ConfigurationPatch, FlowConfiguration, FlowPatch, FlowUpdate, NewFlow, NewRelease, Step

CLIENT = ApiClient(Configuration(host=os.environ["URL"], access_token=os.environ["TOKEN"]))
FLOWS, HISTORY, RELEASES = FlowsApi(CLIENT), HistoryApi(CLIENT), ReleasesApi(CLIENT)


def call(operation, status, /, *arguments, **named):
    """Calls an operation, checks the status, and returns the answer and its headers."""
    api, name = operation.__self__, operation.__name__
    try:
        answer = getattr(api, name + "_with_http_info")(*arguments, **named, _request_timeout=30.0)
        found, sent, understood = answer.status_code, answer.raw_data, answer.data
    except ApiException as error:
        found, sent, understood, answer = error.status, error.body, error.data, error
    assert found == status, f"{name}: expected {status}, found {found}: {sent}"
    if status != 304:
        assert json.loads(understood.to_json()) == json.loads(sent), f"{name}: expected {understood}, found {sent}"
    return understood, {name.lower(): value for name, value in answer.headers.items()}


def main():
    sections = {
        "emailVerification": {"enabled": True, "method": "code", "mine": [1]},
        "securityThresholds": {"face": 0.9},
        "mine": {},
    }
    configuration = FlowConfiguration.from_dict(sections)
    steps = [Step(step_type="email", order=1, required=True, config={"mine": 1.5})]
    new = NewFlow(project="wallet", type="login", name="Login", configuration=configuration, steps=steps)

    preview, _ = call(FLOWS.create_project_flow, 200, new, dry_run=True)
    assert preview.data.name == "Login"
    created, headers = call(FLOWS.create_project_flow, 201, new, idempotency_key="generated-client")
    flow = created.data
    assert (flow.status, flow.version, headers["etag"]) == ("draft", 1, '"1"')
    assert flow.configuration.to_dict() == sections, "expected the sections of the client too"
    replayed, headers = call(FLOWS.create_project_flow, 201, new, idempotency_key="generated-client")
    assert (replayed, headers["idempotency-replayed"]) == (created, "true")
    twice = NewFlow(project="wallet", type="login", name="Login", configuration=configuration, steps=steps * 2)
    invalid, _ = call(FLOWS.create_project_flow, 400, twice)
    assert [problem.path for problem in invalid.details] == ["/steps/1/order"]

    read, headers = call(FLOWS.retrieve_project_flow, 200, flow.id)
    assert read == created
    call(FLOWS.retrieve_project_flow, 304, flow.id, if_none_match=headers["etag"])
    call(FLOWS.retrieve_project_flow, 200, flow.id, as_of=flow.created_at)
    listed, _ = call(FLOWS.list_project_flows, 200, limit=1)
    assert ([one.id for one in listed.data], listed.pagination.total) == ([flow.id], 1)

    thresholds = ConfigurationPatch.from_dict({"securityThresholds": {"face": None, "voice": 0.8}})
    patched, _ = call(FLOWS.patch_project_flow, 200, flow.id, FlowPatch(configuration=thresholds), if_match='"1"')
    assert patched.data.configuration.security_thresholds == {"voice": 0.8}
    # A flow that is read, edited and sent back keeps all that belongs to the client.
    document = {**patched.data.to_dict(), "name": "Log in"}
    updated, _ = call(FLOWS.update_project_flow, 200, flow.id, FlowUpdate.from_dict(document))
    assert (updated.data.name, updated.data.version) == ("Log in", 3)
    assert updated.data.configuration == patched.data.configuration and updated.data.steps == patched.data.steps
    conflict, _ = call(FLOWS.update_project_flow, 412, flow.id, FlowUpdate(name="Late"), if_match='"1"')
    assert conflict.message == "VERSION_CONFLICT"

    versions, _ = call(HISTORY.list_versions, 200, flow.id)
    assert [one.version for one in versions.data] == [3, 2, 1]
    first, _ = call(HISTORY.retrieve_version, 200, flow.id, 1)
    assert first.data == flow
    patch, _ = call(HISTORY.diff_versions, 200, "1", flow.id, 3)
    operations = [operation.to_dict() for operation in patch.data]
    assert {"op": "replace", "path": "/name", "value": "Log in"} in operations
    assert {"op": "remove", "path": "/configuration/securityThresholds/face"} in operations
    restored, _ = call(HISTORY.restore_version, 200, flow.id, 1, note="As it was")
    assert (restored.data.name, restored.data.version) == ("Login", 4)
    active, _ = call(FLOWS.update_project_flow, 200, flow.id, FlowUpdate(status="active"))
    assert (active.data.status, active.data.version) == ("active", 5)

    place = ("wallet", "login")
    call(RELEASES.retrieve_live_flow, 404, *place)
    call(RELEASES.release_project_flow, 409, *place, NewRelease(_id=flow.id, version=1))
    released, headers = call(RELEASES.release_project_flow, 200, *place, NewRelease(_id=flow.id, version=5), note="First")
    assert (released.release.number, headers["etag"]) == (1, '"1"')
    live, headers = call(RELEASES.retrieve_live_flow, 200, *place)
    assert live.to_dict() == released.to_dict()
    call(RELEASES.retrieve_live_flow, 304, *place, if_none_match=headers["etag"])
    call(RELEASES.retrieve_live_flow, 200, *place, as_of=live.release.since)
    places, _ = call(RELEASES.list_live_flows, 200)
    assert [one.release.number for one in places.data] == [1]
    withdrawn, _ = call(RELEASES.withdraw_project_flow, 200, *place, note="Incident", if_match='"1"')
    assert (withdrawn.data, withdrawn.release.number) == (None, 2)
    releases, _ = call(RELEASES.list_releases, 200, *place)
    assert [one.number for one in releases.data] == [2, 1] and releases.data[1].until == releases.data[0].since
    changes, _ = call(HISTORY.list_changes, 200, limit=2, project=place[0])
    assert [(one.action, one.release) for one in changes.data] == [("withdrawn", 2), ("released", 1)]

    call(FLOWS.delete_project_flow, 409, flow.id)
    call(FLOWS.update_project_flow, 200, flow.id, FlowUpdate(status="paused", description=None))
    deleted, _ = call(FLOWS.delete_project_flow, 200, flow.id)
    assert deleted.data.version == 7
    trash, _ = call(FLOWS.list_project_flows, 200, status="deleted")
    assert [one.id for one in trash.data] == [flow.id]
    call(FLOWS.retrieve_project_flow, 404, flow.id)


main()
