// The rules for what is sent to create a flow; all problems are found, in the order of the contract.
//
// What JSON.parse lets pass is not refused: a member named twice, more than 32 levels, half a surrogate pair.

import { invalid } from './refusal.mjs';

const MEMBERS = ['project', 'type', 'name', 'description', 'configuration', 'steps'];
const STEP_MEMBERS = ['stepType', 'order', 'required', 'config'];
const SECTIONS = {
  email: 'emailVerification',
  phone: 'phoneVerification',
  biometric: 'biometricVerification',
  document: 'documentVerification',
};
const STEP_TYPES = Object.keys(SECTIONS);
const SECTION_NAMES = Object.values(SECTIONS);
const SWITCHES = ['enabled', 'required', 'livenessDetection', 'antiSpoofing'];

const NAME_LENGTH = 120;
const DESCRIPTION_LENGTH = 2000;
const STEPS = 100;

/** The members of a body that is a flow, or the refusal that names every problem of it. */
export function parse(body) {
  const members = read(body);
  const problems = [];
  const unknown = [];
  const report = (path, code, expected, found) => {
    problems.push({ path, code, error: `expected ${expected}, found ${found}` });
  };

  const { project, type, name, description, configuration, steps } = members;
  if (typeof project !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(project)) {
    report('/project', 'INVALID_PROJECT_ID', '1 to 64 letters, digits, "_" or "-"', named(project));
  }
  if (type !== 'login' && type !== 'onboarding') {
    report('/type', 'INVALID_FLOW_TYPE', '"login" or "onboarding"', named(type));
  }
  checkName(name, report);
  if (description !== undefined) checkDescription(description, report);
  checkConfiguration(configuration, report);
  checkSteps(steps, configuration, report, unknown);
  for (const member in members) {
    if (!MEMBERS.includes(member)) unknown.push(unknownField(step(member), MEMBERS));
  }

  problems.push(...unknown);
  if (problems.length > 0) throw invalid(problems);
  return members;
}

function read(body) {
  let value;
  try {
    value = JSON.parse(body);
  } catch (error) {
    const position = Number(/at position (\d+)/.exec(error.message)?.[1] ?? body.length);
    const before = body.slice(0, position);
    const line = before.split('\n').length;
    const column = position - before.lastIndexOf('\n');
    const problem = `expected JSON, found something else at line ${line} column ${column}`;
    throw invalid([{ path: '', code: 'INVALID_JSON', error: problem }]);
  }
  if (isObject(value)) return value;
  throw invalid([{ path: '', code: 'INVALID_BODY', error: `expected a JSON object, found ${named(value)}` }]);
}

function checkName(name, report) {
  if (typeof name !== 'string') return report('/name', 'INVALID_NAME', 'a string', named(name));
  const control = /[\0-\x1f\x7f-\x9f]/.exec(name);
  if (control) {
    const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    return report('/name', 'INVALID_NAME', 'no control characters', `U+${code}`);
  }
  const length = characters(name.trim(), NAME_LENGTH);
  if (length === 0 || length > NAME_LENGTH) {
    report('/name', 'INVALID_NAME', `1 to ${NAME_LENGTH} characters`, length);
  }
}

function checkDescription(description, report) {
  if (typeof description !== 'string') {
    return report('/description', 'INVALID_DESCRIPTION', 'a string', named(description));
  }
  const length = characters(description, DESCRIPTION_LENGTH);
  if (length > DESCRIPTION_LENGTH) {
    report('/description', 'INVALID_DESCRIPTION', `at most ${DESCRIPTION_LENGTH} characters`, length);
  }
}

function checkConfiguration(configuration, report) {
  const code = 'INVALID_CONFIGURATION';
  if (!isObject(configuration)) return report('/configuration', code, 'an object', named(configuration));
  for (const name in configuration) {
    const section = configuration[name];
    const isThresholds = name === 'securityThresholds';
    // The other sections are the user's own.
    if (!isThresholds && !SECTION_NAMES.includes(name)) continue;
    const path = `/configuration/${name}`;
    if (!isObject(section)) report(path, code, 'an object', named(section));
    else if (isThresholds) checkThresholds(path, section, report);
    else checkSection(path, section, report);
  }
}

function checkSection(path, section, report) {
  const code = 'INVALID_CONFIGURATION';
  for (const name in section) {
    const value = section[name];
    if (SWITCHES.includes(name)) {
      if (typeof value !== 'boolean') report(`${path}/${name}`, code, 'a boolean', named(value));
    } else if (name === 'method' && (typeof value !== 'string' || value === '')) {
      report(`${path}/${name}`, code, 'a non-empty string', named(value));
    }
  }
  if (section.enabled === false && section.required === true) {
    report(`${path}/required`, code, 'false because enabled is false', 'true');
  }
}

function checkThresholds(path, thresholds, report) {
  for (const name in thresholds) {
    const value = thresholds[name];
    if (typeof value !== 'number' || value < 0 || value > 1) {
      report(path + step(name), 'INVALID_CONFIGURATION', 'a number from 0 to 1', named(value));
    }
  }
}

function checkSteps(steps, configuration, report, unknown) {
  if (!Array.isArray(steps)) return report('/steps', 'INVALID_STEPS', 'an array', named(steps));
  if (steps.length < 1 || steps.length > STEPS) {
    report('/steps', 'INVALID_STEPS', `1 to ${STEPS} steps`, steps.length);
  }
  const orders = new Set();
  for (let index = 0; index < Math.min(steps.length, STEPS); index += 1) {
    const path = `/steps/${index}`;
    if (isObject(steps[index])) checkStep(path, steps[index], configuration, orders, report, unknown);
    else report(path, 'INVALID_STEPS', 'an object', named(steps[index]));
  }
}

function checkStep(path, members, configuration, orders, report, unknown) {
  const code = 'INVALID_STEPS';
  const { stepType, order, required, config } = members;
  if (!STEP_TYPES.includes(stepType)) {
    report(`${path}/stepType`, code, STEP_TYPES.join(', '), named(stepType));
  } else if (configuration?.[SECTIONS[stepType]]?.enabled === false) {
    report(`${path}/stepType`, code, `${SECTIONS[stepType]} to be enabled for this step`, 'false');
  }
  if (!Number.isInteger(order) || order < 1) {
    report(`${path}/order`, code, 'an integer from 1', named(order));
  } else if (orders.has(order)) {
    report(`${path}/order`, code, 'a unique order', `${order} again`);
  } else {
    orders.add(order);
  }
  if (typeof required !== 'boolean') report(`${path}/required`, code, 'a boolean', named(required));
  if (config !== undefined && !isObject(config)) report(`${path}/config`, code, 'an object', named(config));
  for (const member in members) {
    if (!STEP_MEMBERS.includes(member)) unknown.push(unknownField(path + step(member), STEP_MEMBERS));
  }
}

function unknownField(path, known) {
  return { path, code: 'UNKNOWN_FIELD', error: `expected no members but ${known.join(', ')}, found another` };
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A name as a step of a JSON Pointer (RFC 6901, 3), with the slash before it. */
const step = (name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** How many characters a text has; code units do where they are few enough to be fine. */
const characters = (text, limit) => (text.length <= limit ? text.length : [...text].length);

/** A value as a sentence names it: short, whatever its size. */
function named(value) {
  const EXCERPT = 40;
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (isObject(value)) return 'an object';
  if (typeof value !== 'string') return String(value);
  const text = [...value];
  if (text.length <= EXCERPT) return JSON.stringify(value);
  return `${JSON.stringify(text.slice(0, EXCERPT).join(''))} and ${text.length - EXCERPT} more characters`;
}
