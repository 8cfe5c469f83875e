"""What a competent user of Python would write instead of the function: the create of a flow, and nothing else.

It does the same work on the same event and gives the same answer, with boto3 and PyJWT, on Lambda's own runtime
client. What the json module cannot do is left out: `configuration` and `steps` are written anew, and a member
named twice or more than 32 levels pass. Keys other than `oct` need PyJWT's extra `crypto`, which would make it start
more slowly. Every other operation is 404. What makes a flow valid is left to content.py.
"""

import base64
import hashlib
import json
import os
import re
import sys
import time
from datetime import datetime, timezone
from urllib.parse import parse_qsl

import boto3
import jwt
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

import content
from refusal import Refusal

PATH = "/v2/project-flows"
ROUTE = f"POST {PATH}"
BODY_LIMIT = 256 * 1024
# How far the clocks of issuer and function may be apart, in seconds.
CLOCK_LEEWAY = 30
# The refusals that are no more than a matter of time.
PASSING = {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}

TABLE = os.environ["TABLE_NAME"]
ISSUER = os.environ.get("JWT_ISSUER") or None
AUDIENCE = os.environ.get("JWT_AUDIENCE") or None
CLIENT_CLAIM = os.environ.get("CLIENT_CLAIM") or "clientId"

SIGNING_KEYS = [jwt.PyJWK(key) for key in json.loads(os.environ["JWKS"])["keys"] if key.get("use") != "enc"]
KEYS = {key.key_id: key for key in SIGNING_KEYS}
TOKEN_OPTIONS = {"require": ["exp"], "verify_aud": AUDIENCE is not None, "verify_iat": False}

# One encoder for all texts; json.dumps would make one for each that is not of its own settings.
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
encode_sorted = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode

VISIBLE = re.compile(r"[!-~]+")
# What may stand before the path: the stage, or the base path of a custom domain.
OWN_PATH = re.compile(r"(?:/(?!\.{1,2}/)[\w$\-.+!*'()]+)*?" + re.escape(PATH), re.ASCII)

database = boto3.client(
    "dynamodb",
    region_name=os.environ.get("AWS_REGION"),
    config=Config(
        connect_timeout=0.5,
        read_timeout=1,
        retries={"mode": "standard", "total_max_attempts": 3},
        # The calls have one shape each, so there is nothing to find that a test would not have found.
        parameter_validation=False,
    ),
)

# Opens the connection, so that the first request finds it open. A request meets the same failure, and answers for it.
try:
    database.get_item(TableName=TABLE, Key={"pk": {"S": "NONE"}, "sk": {"S": "NONE"}})
except (BotoCoreError, ClientError):
    pass

cold = True


def handler(event, context):
    """Event → authenticate → parse → store → envelope, and one line in the log."""
    global cold
    start = time.perf_counter()
    gateway = event.get("requestContext") or {}
    request_id = gateway.get("requestId")
    if not (isinstance(request_id, str) and len(request_id) <= 128 and VISIBLE.fullmatch(request_id)):
        request_id = context.aws_request_id
    is_payload_2 = event.get("rawPath") is not None
    path = event["rawPath"] if is_payload_2 else event.get("path") or ""
    method = (gateway.get("http") or {}).get("method") or event.get("httpMethod")
    is_create = method == "POST" and (path == PATH or OWN_PATH.fullmatch(path) is not None)
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": request_id,
    }
    client = flow = failure = None
    try:
        request_headers = headers_of(event)
        client = authenticate(request_headers.get("authorization"))
        members, dry_run, key = command_of(event, request_headers, is_create)
        flow = new_flow(client, members, key)
        if dry_run:
            document = document_of(flow)
            del document["_id"]
            status, flow = 200, None
        else:
            first = create(flow)
            if first:
                headers["Idempotency-Replayed"] = "true"
                flow = first
            document = document_of(flow)
            headers["Location"] = f"{PATH}/{flow['_id']}"
            headers["ETag"] = f'"{flow["version"]}"'
            status = 201
        body = {"success": True, "data": document}
    except Exception as error:
        flow = None
        failure = error if isinstance(error, Refusal) else Refusal.internal(type(error).__name__)
        headers.update(failure.headers)
        status, body = failure.status, failure.body()

    line = {
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "level": "INFO",
        "request.id": request_id,
        "http.route": ROUTE if is_create else "none",
        "http.status": status,
    }
    if failure:
        line["code"] = failure.code
        if failure.cause:
            line["cause"] = failure.cause
    if client:
        line["client"] = client
    if flow:
        line["flow.id"] = flow["_id"]
        line["flow.version"] = flow["version"]
    line["duration_ms"] = (time.perf_counter() - start) * 1000
    line["cold_start"] = cold
    cold = False
    # One write for the line and its end, where print has two.
    sys.stdout.write(encode(line) + "\n")

    reply = {"statusCode": status, "headers": headers, "body": encode(body), "isBase64Encoded": False}
    if is_payload_2:
        reply["cookies"] = []
    return reply


def headers_of(event):
    """The headers by lower-case name; one sent more than once is one value, joined by commas (RFC 9110, 5.3)."""
    headers = {}
    for name, value in (event.get("multiValueHeaders") or event.get("headers") or {}).items():
        name = name.lower()
        text = ", ".join(value) if isinstance(value, list) else value
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def authenticate(authorization):
    """The client that a bearer token (RFC 6750, 2.1) was issued for."""
    if authorization is None:
        raise Refusal(
            401,
            "MISSING_TOKEN",
            "expected an Authorization header with a bearer token, found none",
            headers={"WWW-Authenticate": "Bearer"},
        )
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise invalid_token("another scheme than bearer")
    token = token.strip(" ")
    try:
        header = jwt.get_unverified_header(token)
        if "crit" in header:
            raise invalid_token("header: crit")
        if "kid" in header:
            key = KEYS.get(header["kid"])
        else:
            key = SIGNING_KEYS[0] if len(SIGNING_KEYS) == 1 else None
        if key is None:
            raise invalid_token("header: kid names no key")
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            leeway=CLOCK_LEEWAY,
            issuer=ISSUER,
            audience=AUDIENCE,
            options=TOKEN_OPTIONS,
        )
    except jwt.InvalidTokenError as error:
        raise invalid_token(type(error).__name__) from None
    client = claims.get(CLIENT_CLAIM)
    if not (isinstance(client, str) and len(client) <= 128 and VISIBLE.fullmatch(client)):
        raise invalid_token("no or malformed client claim")
    return client


def invalid_token(cause):
    sentence = "expected a valid bearer token, found one that is not"
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return Refusal(401, "INVALID_TOKEN", sentence, headers=headers, cause=cause)


def command_of(event, headers, is_create):
    """The flow to create, whether only to say so, and the key to do it once; or the first reason to refuse it."""
    if not is_create:
        raise Refusal(404, "ROUTE_NOT_FOUND", "expected the path of an operation, found another")
    dry_run = dry_run_of(event)
    key = headers.get("idempotency-key")
    if key is not None and not (len(key) <= 255 and VISIBLE.fullmatch(key)):
        sentence = "expected an Idempotency-Key of 1 to 255 visible ASCII characters, found another"
        raise Refusal(400, "INVALID_IDEMPOTENCY_KEY", sentence)
    check_media_type(headers)
    return content.parse(body_of(event)), dry_run, key


def dry_run_of(event):
    query = event.get("rawQueryString")
    if query is None:
        query = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
    if not query:
        return False
    if isinstance(query, str):
        pairs = parse_qsl(query, keep_blank_values=True)
    else:
        lists = ((name, value if isinstance(value, list) else [value]) for name, value in query.items())
        pairs = [(name, value) for name, values in lists for value in values]
    if any(name != "dryRun" for name, _ in pairs):
        raise Refusal(400, "INVALID_PARAMETERS", "expected no parameters but dryRun, found another")
    if len(pairs) > 1:
        raise Refusal(400, "INVALID_PARAMETERS", "dryRun: expected it once, found it again")
    if any(value not in ("true", "false") for _, value in pairs):
        raise Refusal(400, "INVALID_PARAMETERS", "dryRun: expected true or false, found another value")
    return pairs == [("dryRun", "true")]


def check_media_type(headers):
    """Refuses anything but JSON in UTF-8 (RFC 8259, 8.1 and 11)."""
    media_type = headers.get("content-type")
    if "content-encoding" in headers:
        found = "a content encoding"
    elif media_type == "application/json":
        return
    elif media_type is None:
        found = "no content type"
    else:
        essence, *parameters = (part.strip() for part in media_type.lower().split(";"))
        charsets = [parameter for parameter in parameters if parameter.startswith("charset=")]
        if not re.fullmatch(r"[\w.+-]+/[\w.+-]+", essence, re.ASCII):
            found = "a malformed content type"
        elif essence != "application/json":
            found = "another content type"
        elif any(charset not in ("charset=utf-8", 'charset="utf-8"') for charset in charsets):
            found = "another charset"
        else:
            return
    sentence = f"expected application/json in UTF-8 without a content encoding, found {found}"
    raise Refusal(415, "UNSUPPORTED_MEDIA_TYPE", sentence)


def body_of(event):
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True)
        except ValueError:
            sentence = "expected a body in base64, found one that does not decode"
            raise Refusal(400, "INVALID_BODY_ENCODING", sentence) from None
    else:
        body = body.encode()
    if len(body) > BODY_LIMIT:
        sentence = f"expected a body of at most {BODY_LIMIT} bytes, found {len(body)}"
        raise Refusal(413, "FLOW_TOO_LARGE", sentence)
    return body


def new_flow(client, members, key):
    """A new flow: a draft at version 1."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    flow = {**members, "status": "draft", "version": 1, "client": client, "createdAt": now, "updatedAt": now}
    if key is None:
        flow["_id"] = "project_flow_" + base32(os.urandom(26))
    else:
        # Neither has a control character, so the line feed tells where one ends.
        flow["_id"] = "project_flow_" + base32(hashlib.sha256(f"{client}\n{key}".encode()).digest())
        flow["writeToken"] = base32(os.urandom(26))
        digest = hashlib.sha256(encode_sorted(members).encode()).digest()
        flow["fingerprint"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return flow


def base32(data):
    """The first 26 bytes in Crockford's base32, lower case, 5 bits of each."""
    return "".join(["0123456789abcdefghjkmnpqrstvwxyz"[byte & 31] for byte in data[:26]])


# A flow as the API page shows it, its members in the same order.
DOCUMENT = (
    "_id", "project", "type", "status", "version", "name", "description", "configuration", "steps", "client",
    "createdAt", "updatedAt",
)


def document_of(flow):
    return {name: flow[name] for name in DOCUMENT if name in flow}


TEXTS = (
    "_id", "client", "project", "type", "status", "name", "description", "createdAt", "updatedAt", "writeToken",
    "fingerprint",
)


def item_of(flow):
    item = {name: {"S": flow[name]} for name in TEXTS if name in flow}
    item["pk"] = {"S": f"CLIENT#{flow['client']}"}
    item["sk"] = {"S": f"FLOW#{flow['_id']}"}
    item["version"] = {"N": str(flow["version"])}
    item["configuration"] = {"S": encode(flow["configuration"])}
    item["steps"] = {"S": encode(flow["steps"])}
    item["listKey"] = {"S": f"{flow['createdAt']}#{flow['_id']}"}
    return item


def flow_of(item):
    flow = {name: item[name]["S"] for name in TEXTS if name in item}
    flow["version"] = int(item["version"]["N"])
    flow["configuration"] = json.loads(item["configuration"]["S"])
    flow["steps"] = json.loads(item["steps"]["S"])
    return flow


def create(flow):
    """Writes a new flow, exactly once; the flow of an earlier call with the same key and content, where there was one.

    Without a key the id is random, so nobody else can hold it: where the condition on it fails, an earlier attempt of
    this same call has written it.
    """
    try:
        database.put_item(
            TableName=TABLE,
            Item=item_of(flow),
            ConditionExpression="attribute_not_exists(#pk)",
            ExpressionAttributeNames={"#pk": "pk"},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        return None
    except database.exceptions.ConditionalCheckFailedException as error:
        return holder(flow, error.response.get("Item"))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        cause = f"PutItem: {code}, status {status}"
        if "Item size" in error.response["Error"].get("Message", ""):
            sentence = "expected a flow of at most 400 KB in the table, found more"
            raise Refusal(413, "FLOW_TOO_LARGE", sentence) from None
        if code in PASSING:
            raise Refusal.temporarily_unavailable(cause) from None
        if status < 500:
            raise Refusal.internal(cause) from None
    except (EndpointConnectionError, ConnectTimeoutError) as error:
        raise Refusal.temporarily_unavailable(f"PutItem: {type(error).__name__}") from None
    except BotoCoreError as error:
        cause = f"PutItem: {type(error).__name__}"
    return settle(flow, cause)


def settle(flow, cause):
    """After a put whose outcome is unknown: one read tells whether it is there."""
    try:
        item = read(flow, f"FLOW#{flow['_id']}")
    except (BotoCoreError, ClientError):
        item = None
    if item is None:
        raise Refusal.outcome_unknown(cause)
    return holder(flow, item)


def holder(flow, item):
    """Who has written the flow that holds the id."""
    if "fingerprint" not in flow:
        return None
    newest = item or read(flow, f"FLOW#{flow['_id']}")
    if newest.get("fingerprint", {}).get("S") != flow["fingerprint"]:
        sentence = "expected the content that was sent with this Idempotency-Key before, found other content"
        raise Refusal(422, "IDEMPOTENCY_KEY_REUSED", sentence)
    first = newest if newest["version"]["N"] == "1" else read(flow, f"VERSION#{flow['_id']}#0000000001")
    return None if first.get("writeToken", {}).get("S") == flow["writeToken"] else flow_of(first)


def read(flow, sort):
    key = {"pk": {"S": f"CLIENT#{flow['client']}"}, "sk": {"S": sort}}
    return database.get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item")
