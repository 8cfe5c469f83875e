// What a competent user of Node.js would write instead of the function: the create of a flow, and nothing else.
//
// It does the same work on the same event and gives the same answer, with the AWS SDK for JavaScript and Node's own
// cryptography. What a JavaScript parser cannot do is left out: `configuration` and `steps` are written anew, so 1.0
// comes back as 1. Every other operation is 404.

import { createHash, randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';

import { parse } from './content.mjs';
import { Refusal } from './refusal.mjs';
import { run } from './runtime.mjs';
import { create, prime } from './store.mjs';
import { authenticator } from './token.mjs';

const PATH = '/v2/project-flows';
const ROUTE = `POST ${PATH}`;
const BODY_LIMIT = 256 * 1024;
// What is left for the answer itself before Lambda ends the function, in milliseconds.
const ANSWER = 200;

const { env } = process;
const authenticate = authenticator({
  jwks: env.JWKS,
  issuer: env.JWT_ISSUER,
  audience: env.JWT_AUDIENCE,
  clientClaim: env.CLIENT_CLAIM || 'clientId',
});
let cold = true;

/** Event → authenticate → parse → store → envelope, and one line in the log. */
async function handle(event, context) {
  const start = performance.now();
  const id = event?.requestContext?.requestId;
  const requestId = typeof id === 'string' && /^[!-~]{1,128}$/.test(id) ? id : context.awsRequestId;
  const request = requestOf(event ?? {});
  const headers = {
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': requestId,
  };
  let [client, flow, status, body, failure] = [];
  try {
    client = authenticate(request.headers.authorization);
    const { content, dryRun, once } = commandOf(request);
    flow = newFlow(client, content, once);
    if (dryRun) {
      [status, body] = [200, { success: true, data: documentOf({ ...flow, _id: undefined }) }];
      flow = undefined;
    } else {
      const first = await create(flow, context.deadline - Date.now() - ANSWER);
      if (first) headers['Idempotency-Replayed'] = 'true';
      flow = first ?? flow;
      headers.Location = `${PATH}/${flow._id}`;
      headers.ETag = `"${flow.version}"`;
      [status, body] = [201, { success: true, data: documentOf(flow) }];
    }
  } catch (error) {
    failure = error instanceof Refusal
      ? error
      : new Refusal(500, 'INTERNAL_ERROR', 'something went wrong on our side', { cause: error.name });
    flow = undefined;
    Object.assign(headers, failure.headers);
    [status, body] = [failure.status, { error: failure.message, message: failure.code, details: failure.details }];
  }
  // One write for the line and its end; JSON leaves out what is undefined.
  writeSync(1, `${JSON.stringify({
    timestamp: new Date().toISOString(),
    level: 'INFO',
    'request.id': requestId,
    'http.route': request.isCreate ? ROUTE : 'none',
    'http.status': status,
    code: failure?.code,
    cause: failure?.cause,
    client,
    'flow.id': flow?._id,
    'flow.version': flow?.version,
    duration_ms: performance.now() - start,
    cold_start: cold,
  })}\n`);
  cold = false;
  return {
    statusCode: status,
    headers,
    cookies: request.isPayload2 ? [] : undefined,
    body: JSON.stringify(body),
    isBase64Encoded: false,
  };
}

/** A request, from an event in payload format 1.0 (REST API) or 2.0 (HTTP API). */
function requestOf(event) {
  const isPayload2 = typeof event.rawPath === 'string';
  const path = (isPayload2 ? event.rawPath : event.path) ?? '';
  const method = event.requestContext?.http?.method ?? event.httpMethod;
  const headers = {};
  for (const [name, value] of Object.entries(event.multiValueHeaders ?? event.headers ?? {})) {
    const key = name.toLowerCase();
    const text = Array.isArray(value) ? value.join(', ') : value;
    headers[key] = headers[key] === undefined ? text : `${headers[key]}, ${text}`;
  }
  return { event, headers, isPayload2, isCreate: method === 'POST' && isOwn(path) };
}

/** Whether it is the path of a create, after the stage or base path that may stand before it. */
function isOwn(path) {
  return path === PATH || (path.endsWith(PATH) && /^(\/(?!\.{1,2}\/)[\w$\-.+!*'()]+)+$/.test(path));
}

/** What a request asks for, or the first reason to refuse it. */
function commandOf({ event, headers, isCreate }) {
  if (!isCreate) throw new Refusal(404, 'ROUTE_NOT_FOUND', 'expected the path of an operation, found another');
  const dryRun = dryRunOf(event);
  const key = headers['idempotency-key'];
  if (key !== undefined && !/^[!-~]{1,255}$/.test(key)) {
    const sentence = 'expected an Idempotency-Key of 1 to 255 visible ASCII characters, found another';
    throw new Refusal(400, 'INVALID_IDEMPOTENCY_KEY', sentence);
  }
  checkMediaType(headers);
  const content = parse(bodyOf(event));
  return { content, dryRun, once: key === undefined ? undefined : { key, fingerprint: fingerprintOf(content) } };
}

function dryRunOf(event) {
  const query = event.rawQueryString ?? event.multiValueQueryStringParameters ?? event.queryStringParameters;
  if (!query) return false;
  const pairs = typeof query === 'string'
    ? [...new URLSearchParams(query)]
    : Object.entries(query).flatMap(([name, values]) => [values].flat().map((value) => [name, value]));
  const refuse = (sentence) => { throw new Refusal(400, 'INVALID_PARAMETERS', sentence); };
  if (pairs.some(([name]) => name !== 'dryRun')) refuse('expected no parameters but dryRun, found another');
  if (pairs.length > 1) refuse('dryRun: expected it once, found it again');
  if (pairs.some(([, value]) => value !== 'true' && value !== 'false')) {
    refuse('dryRun: expected true or false, found another value');
  }
  return pairs[0]?.[1] === 'true';
}

/** Refuses anything but JSON in UTF-8 (RFC 8259, 8.1 and 11). */
function checkMediaType(headers) {
  const type = headers['content-type'];
  const refuse = (found) => {
    const sentence = `expected application/json in UTF-8 without a content encoding, found ${found}`;
    throw new Refusal(415, 'UNSUPPORTED_MEDIA_TYPE', sentence);
  };
  if (headers['content-encoding'] !== undefined) refuse('a content encoding');
  if (type === 'application/json') return;
  if (type === undefined) refuse('no content type');
  const [essence, ...parameters] = type.toLowerCase().split(';').map((part) => part.trim());
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(essence)) refuse('a malformed content type');
  if (essence !== 'application/json') refuse('another content type');
  if (parameters.some((parameter) => /^charset=/.test(parameter) && !/^charset="?utf-8"?$/.test(parameter))) {
    refuse('another charset');
  }
}

function bodyOf({ body, isBase64Encoded }) {
  let text = body ?? '';
  if (isBase64Encoded) {
    const bytes = Buffer.from(text, 'base64');
    if (bytes.toString('base64') !== text) {
      const sentence = 'expected a body in base64, found one that does not decode';
      throw new Refusal(400, 'INVALID_BODY_ENCODING', sentence);
    }
    text = bytes.toString();
  }
  const length = Buffer.byteLength(text);
  if (length > BODY_LIMIT) {
    throw new Refusal(413, 'FLOW_TOO_LARGE', `expected a body of at most ${BODY_LIMIT} bytes, found ${length}`);
  }
  return text;
}

/** A new flow: a draft at version 1. */
function newFlow(client, content, once) {
  const now = `${new Date().toISOString().slice(0, 19)}Z`;
  const own = once
    // Neither has a control character, so the line feed tells where one ends.
    ? base32(createHash('sha256').update(`${client}\n${once.key}`).digest())
    : base32(randomBytes(26));
  return {
    ...content,
    _id: `project_flow_${own}`,
    status: 'draft',
    version: 1,
    client,
    createdAt: now,
    updatedAt: now,
    writeToken: once && base32(randomBytes(26)),
    fingerprint: once?.fingerprint,
  };
}

/** A flow as the API page shows it, its members in the same order. */
function documentOf({
  _id, project, type, status, version, name, description, configuration, steps, client, createdAt, updatedAt,
}) {
  return {
    _id, project, type, status, version, name, description, configuration, steps, client, createdAt, updatedAt,
  };
}

/** The first 26 bytes in Crockford's base32, lower case, 5 bits of each. */
function base32(bytes) {
  const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
  let text = '';
  for (let index = 0; index < 26; index += 1) text += ALPHABET[bytes[index] & 31];
  return text;
}

/** The SHA-256 of the content with its members sorted. */
function fingerprintOf(content) {
  const sorted = (_, value) => (typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
    : value);
  return createHash('sha256').update(JSON.stringify(content, sorted)).digest('base64url');
}

// esbuild makes one CommonJS file of this, which has no top-level await.
prime().then(() => run(handle));
