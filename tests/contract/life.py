"""The life of a flow, with the client that openapi-python-client generates from openapi.yaml.

Every answer must have the expected status, and exactly the members that the types of the client have.
"""

import json
import os

import attrs
from client import AuthenticatedClient
from client.api.flows import (
    create_project_flow,
    delete_project_flow,
    list_project_flows,
    patch_project_flow,
    retrieve_project_flow,
    update_project_flow,
)
from client.api.history import diff_versions, list_changes, list_versions, restore_version, retrieve_version
from client.api.releases import (
    list_live_flows,
    list_releases,
    release_project_flow,
    retrieve_live_flow,
    withdraw_project_flow,
)
from client.models import (
    ConfigurationPatch,
    FlowConfiguration,
    FlowPatch,
    FlowType,
    FlowUpdate,
    NewFlow,
    NewRelease,
    NoLiveFlowMessage,
    NotFoundMessage,
    PreconditionFailedMessage,
    ReleaseConflictMessage,
    SettableStatus,
    Status,
    Step,
    StepType,
    UpdateConflictMessage,
)

CLIENT = AuthenticatedClient(
    base_url=os.environ["URL"], token=os.environ["TOKEN"], raise_on_unexpected_status=True, timeout=30
)
# Types that allow further members, which belong to the client.
OPEN = {"FlowConfiguration", "Verification", "StepConfig", "FlowConfigurationSecurityThresholds"}
PRIMITIVES = {"str": str, "None": type(None), "int": int, "bool": bool, "str | Unset": str, "int | Unset": int, "bool | Unset": bool}


def call(operation, status, /, *arguments, **named):
    """Calls an operation, checks status and types, and returns the answer."""
    answer = operation.sync_detailed(*arguments, client=CLIENT, **named)
    assert answer.status_code == status, f"expected {status}, found {answer}"
    if status != 304:
        hold_to_types(answer.parsed)
        understood = answer.parsed.to_dict()
        assert understood == json.loads(answer.content), f"expected {understood}, found {answer.content}"
    return answer


def hold_to_types(value):
    """Refuses what the generated code does not check: another primitive type, unknown members."""
    if isinstance(value, list):
        for item in value:
            hold_to_types(item)
    if not attrs.has(type(value)):
        return
    for field in attrs.fields(type(value)):
        member = getattr(value, field.name)
        if field.name == "additional_properties":
            assert not member or type(value).__name__ in OPEN, f"expected no more members, found {member} in {value}"
        elif field.type in PRIMITIVES and type(member).__name__ != "Unset":
            assert type(member) is PRIMITIVES[field.type], f"{field.name}: expected {field.type}, found {member!r}"
        hold_to_types(member)


def main():
    sections = {
        "emailVerification": {"enabled": True, "method": "code", "mine": [1]},
        "securityThresholds": {"face": 0.9},
        "mine": {},
    }
    configuration = FlowConfiguration.from_dict(sections)
    steps = [Step(step_type=StepType.EMAIL, order=1, required=True)]
    new = NewFlow(project="client", type_=FlowType.LOGIN, name="Login", configuration=configuration, steps=steps)

    preview = call(create_project_flow, 200, body=new, dry_run=True).parsed.data
    assert preview.name == "Login"
    created = call(create_project_flow, 201, body=new, idempotency_key="generated-client")
    flow = created.parsed.data
    assert (flow.status, flow.version, created.headers["ETag"]) == (Status.DRAFT, 1, '"1"')
    assert flow.configuration.to_dict() == sections
    replayed = call(create_project_flow, 201, body=new, idempotency_key="generated-client")
    assert (replayed.parsed, replayed.headers["Idempotency-Replayed"]) == (created.parsed, "true")

    read = call(retrieve_project_flow, 200, flow.field_id)
    assert read.parsed == created.parsed
    call(retrieve_project_flow, 304, flow.field_id, if_none_match=read.headers["ETag"])
    call(retrieve_project_flow, 200, flow.field_id, as_of=flow.created_at)

    change = FlowUpdate(name="Log in", status=SettableStatus.ACTIVE, description=None)
    updated = call(update_project_flow, 200, flow.field_id, body=change, if_match=read.headers["ETag"])
    assert (updated.parsed.data.name, updated.parsed.data.version) == ("Log in", 2)
    stale = call(update_project_flow, 412, flow.field_id, body=change, if_match=read.headers["ETag"])
    assert stale.parsed.message == PreconditionFailedMessage.VERSION_CONFLICT
    other = call(update_project_flow, 409, flow.field_id, body=FlowUpdate(type_=FlowType.ONBOARDING))
    assert other.parsed.message == UpdateConflictMessage.IMMUTABLE_FIELD
    call(update_project_flow, 400, flow.field_id, body=FlowUpdate(name="", steps=[]))

    call(create_project_flow, 201, body=new)
    page = call(list_project_flows, 200, limit=1).parsed
    assert (page.pagination.total, page.pagination.pages) == (2, 2)
    rest = call(list_project_flows, 200, limit=1, cursor=page.pagination.next_).parsed
    assert {one.field_id for one in [*page.data, *rest.data]} >= {flow.field_id}
    active = call(list_project_flows, 200, status=Status.ACTIVE, type_=FlowType.LOGIN, project="client").parsed
    assert [one.field_id for one in active.data] == [flow.field_id]
    call(list_project_flows, 400, limit=0)

    patch = call(diff_versions, 200, flow.field_id, 2, from_="1").parsed.data
    assert {"op": "replace", "path": "/name", "value": "Log in"} in [operation.to_dict() for operation in patch]
    versions = call(list_versions, 200, flow.field_id).parsed
    assert [one.version for one in versions.data] == [2, 1]
    assert call(retrieve_version, 200, flow.field_id, 1).parsed.data == flow

    place = ("client", FlowType.LOGIN)
    none = call(retrieve_live_flow, 404, *place)
    assert none.parsed.message == NoLiveFlowMessage.NO_LIVE_FLOW
    draft = call(release_project_flow, 409, *place, body=NewRelease(field_id=flow.field_id, version=1))
    assert draft.parsed.message == ReleaseConflictMessage.FLOW_NOT_ACTIVE
    released = call(release_project_flow, 200, *place, body=NewRelease(field_id=flow.field_id, version=2), note="First")
    assert (released.parsed.release.number, released.headers["ETag"], released.parsed.data.version) == (1, '"1"', 2)
    live = call(retrieve_live_flow, 200, *place)
    assert live.parsed.to_dict() == released.parsed.to_dict()
    call(retrieve_live_flow, 304, *place, if_none_match=live.headers["ETag"])
    assert call(retrieve_live_flow, 200, *place, as_of=live.parsed.release.since).parsed == live.parsed
    assert [one.field_id for one in call(list_live_flows, 200, project="client").parsed.data] == [flow.field_id]
    assert call(diff_versions, 200, flow.field_id, 2, from_="live").parsed.data == []
    paused = call(update_project_flow, 409, flow.field_id, body=FlowUpdate(status=SettableStatus.PAUSED))
    assert paused.parsed.message == UpdateConflictMessage.FLOW_IS_LIVE
    call(withdraw_project_flow, 412, *place, if_match='"7"')
    assert call(withdraw_project_flow, 200, *place, if_match='"1"').parsed.release.number == 2
    releases = call(list_releases, 200, *place).parsed.data
    assert [one.number for one in releases] == [2, 1] and releases[1].until == releases[0].since
    changes = call(list_changes, 200, limit=2, project=place[0]).parsed.data
    assert [(one.action, one.release) for one in changes] == [("withdrawn", 2), ("released", 1)]

    call(delete_project_flow, 409, flow.field_id)
    call(update_project_flow, 200, flow.field_id, body=FlowUpdate(status=SettableStatus.PAUSED))
    thresholds = ConfigurationPatch.from_dict({"securityThresholds": {"face": None, "voice": 0.8}})
    patched = call(patch_project_flow, 200, flow.field_id, body=FlowPatch(configuration=thresholds), if_match='"3"')
    assert patched.parsed.data.configuration.security_thresholds.to_dict() == {"voice": 0.8}
    call(patch_project_flow, 409, flow.field_id, body=FlowPatch(type_=FlowType.ONBOARDING))
    deleted = call(delete_project_flow, 200, flow.field_id, if_match='"4"')
    assert deleted.parsed.data.version == 5
    trash = call(list_project_flows, 200, status=Status.DELETED).parsed
    assert [(one.field_id, one.status) for one in trash.data] == [(flow.field_id, Status.DELETED)]
    gone = call(retrieve_project_flow, 404, flow.field_id)
    assert gone.parsed.message == NotFoundMessage.PROJECT_FLOW_NOT_FOUND
    restored = call(restore_version, 200, flow.field_id, 1)
    assert (restored.parsed.data.name, restored.parsed.data.version) == ("Login", 6)


main()
