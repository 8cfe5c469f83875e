// The poll loop of a Lambda function, on Node's own HTTP client.
//
// It stands where Lambda's managed runtime has its own, whose published form needs a C++ compiler to install. It does
// no more than a function of this benchmark needs ("Using the Lambda runtime API" in the AWS Lambda Developer Guide);
// what the function does is left to the handler.

import { Agent, request } from 'node:http';

const BASE = '/2018-06-01/runtime/invocation/';

/** Hands each event to `handle`, and its answer back, for as long as the process lives. */
export async function run(handle) {
  const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const connection = { host, port, agent };
  for (;;) {
    const { headers, text } = await exchange({ ...connection, method: 'GET', path: `${BASE}next` });
    const id = headers['lambda-runtime-aws-request-id'];
    const context = { awsRequestId: id, deadline: Number(headers['lambda-runtime-deadline-ms']) };
    let kind = 'response';
    let answer;
    try {
      answer = JSON.stringify(await handle(JSON.parse(text), context));
    } catch (error) {
      kind = 'error';
      answer = JSON.stringify({ errorType: error.name, errorMessage: error.message, stackTrace: [] });
    }
    await exchange({ ...connection, method: 'POST', path: `${BASE}${id}/${kind}` }, answer);
  }
}

/** One request and its answer. */
function exchange(options, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined
      ? {}
      : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const outgoing = request({ ...options, headers }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk) => { text += chunk; });
      incoming.on('end', () => resolve({ headers: incoming.headers, text }));
      incoming.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
