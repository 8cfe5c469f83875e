// Flow → item, and one conditional put of it. What the item looks like is the contract with the function in Rust.

import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';

import { Refusal } from './refusal.mjs';

const { env } = process;
const CONNECT_TIMEOUT = 500;
const ATTEMPT_TIMEOUT = 1000;
const OPERATION_TIMEOUT = 3000;
// The refusals that are no more than a matter of time.
const PASSING = new Set([
  'ProvisionedThroughputExceededException', 'RequestLimitExceeded', 'ThrottlingException',
]);

// The SDK would announce at each start which versions of Node it will drop.
env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

const TableName = env.TABLE_NAME;
const client = new DynamoDBClient({
  region: env.AWS_REGION,
  endpoint: env.AWS_ENDPOINT_URL_DYNAMODB || undefined,
  // What Lambda puts into the environment, without a search for other sources.
  credentials: {
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    sessionToken: env.AWS_SESSION_TOKEN,
  },
  maxAttempts: 3,
  retryMode: 'standard',
  // Its connections are kept alive unless told otherwise.
  requestHandler: {
    connectionTimeout: CONNECT_TIMEOUT,
    requestTimeout: ATTEMPT_TIMEOUT,
    throwOnRequestTimeout: true,
  },
});

/** Opens the connection, so that the first request finds it open. A failure is met again there, and answered for. */
export async function prime() {
  const read = new GetItemCommand({ TableName, Key: { pk: { S: 'NONE' }, sk: { S: 'NONE' } } });
  await client.send(read, { abortSignal: AbortSignal.timeout(ATTEMPT_TIMEOUT) }).catch(() => {});
}

/**
 * Writes a new flow, exactly once; the flow of an earlier call with the same key and content, where there was one.
 *
 * Without a key the id is random, so nobody else can hold it: where the condition on it fails, an earlier attempt of
 * this same call has written it.
 */
export async function create(flow, timeLeft) {
  const put = new PutItemCommand({
    TableName,
    Item: itemOf(flow),
    ConditionExpression: 'attribute_not_exists(#pk)',
    ExpressionAttributeNames: { '#pk': 'pk' },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
  try {
    await client.send(put, { abortSignal: AbortSignal.timeout(Math.min(OPERATION_TIMEOUT, timeLeft)) });
    return undefined;
  } catch (error) {
    if (error.name === 'ConditionalCheckFailedException') return holder(flow, error.Item);
    if (/Item size/.test(error.message)) {
      throw new Refusal(413, 'FLOW_TOO_LARGE', 'expected a flow of at most 400 KB in the table, found more');
    }
    return settle(flow, error);
  }
}

/** Who has written the flow that holds the id. */
async function holder(flow, item) {
  if (flow.fingerprint === undefined) return undefined;
  const newest = item ?? (await read(flow, `FLOW#${flow._id}`));
  if (newest?.fingerprint?.S !== flow.fingerprint) {
    const sentence = 'expected the content that was sent with this Idempotency-Key before, found other content';
    throw new Refusal(422, 'IDEMPOTENCY_KEY_REUSED', sentence);
  }
  const first = newest.version.N === '1' ? newest : await read(flow, `VERSION#${flow._id}#0000000001`);
  return first.writeToken?.S === flow.writeToken ? undefined : flowOf(first);
}

/** After a put that failed otherwise: a refusal has written nothing, and after anything else one read tells. */
async function settle(flow, error) {
  const cause = `PutItem: ${error.name}, status ${error.$metadata?.httpStatusCode ?? 'none'}`;
  if (PASSING.has(error.name) || error.code === 'ECONNREFUSED') {
    const sentence = 'the request was not carried out, please try again';
    throw new Refusal(503, 'TEMPORARILY_UNAVAILABLE', sentence, { headers: { 'Retry-After': '1' }, cause });
  }
  if (error.$fault === 'client') {
    throw new Refusal(500, 'INTERNAL_ERROR', 'something went wrong on our side', { cause });
  }
  const item = await read(flow, `FLOW#${flow._id}`).catch(() => undefined);
  if (item) return holder(flow, item);
  const sentence = 'the flow may or may not have been written, please look before trying again';
  throw new Refusal(503, 'OUTCOME_UNKNOWN', sentence, { headers: { 'Retry-After': '1' }, cause });
}

async function read(flow, sort) {
  const Key = { pk: { S: `CLIENT#${flow.client}` }, sk: { S: sort } };
  return (await client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }))).Item;
}

const TEXTS = ['_id', 'client', 'project', 'type', 'status', 'name', 'createdAt', 'updatedAt'];
const OPTIONAL = ['description', 'writeToken', 'fingerprint'];

function itemOf(flow) {
  const item = {
    pk: { S: `CLIENT#${flow.client}` },
    sk: { S: `FLOW#${flow._id}` },
    version: { N: String(flow.version) },
    configuration: { S: JSON.stringify(flow.configuration) },
    steps: { S: JSON.stringify(flow.steps) },
    listKey: { S: `${flow.createdAt}#${flow._id}` },
  };
  for (const name of TEXTS) item[name] = { S: flow[name] };
  for (const name of OPTIONAL) if (flow[name] !== undefined) item[name] = { S: flow[name] };
  return item;
}

function flowOf(item) {
  const flow = {
    version: Number(item.version.N),
    configuration: JSON.parse(item.configuration.S),
    steps: JSON.parse(item.steps.S),
  };
  for (const name of [...TEXTS, ...OPTIONAL]) flow[name] = item[name]?.S;
  return flow;
}
