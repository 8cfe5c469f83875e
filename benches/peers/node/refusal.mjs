// Every way to refuse a request: status, code and sentence. Turning one into a response is left to index.mjs.

/** A request that was not carried out; the cause is for the log only. */
export class Refusal extends Error {
  constructor(status, code, sentence, { details, headers, cause } = {}) {
    super(sentence);
    Object.assign(this, { status, code, details, headers, cause });
  }
}

/** The refusal that problems of a body come to: `details` only where the first one does not say all. */
export function invalid(problems) {
  const [{ path, code, error }] = problems;
  const fixed = { INVALID_PROJECT_ID: 'Invalid project ID', INVALID_FLOW_TYPE: 'Invalid flow type' };
  const needsDetail = problems.length > 1 || path.lastIndexOf('/') > 0 || code === 'INVALID_JSON';
  return new Refusal(400, code, fixed[code] ?? error, { details: needsDetail ? listed(problems) : undefined });
}

// A body can hold tens of thousands of problems.
const PROBLEMS_LISTED = 1000;

function listed(problems) {
  if (problems.length <= PROBLEMS_LISTED) return problems;
  const error = `expected at most ${PROBLEMS_LISTED} problems to list, found ${problems.length}`;
  return [...problems.slice(0, PROBLEMS_LISTED), { path: '', code: problems[0].code, error }];
}
