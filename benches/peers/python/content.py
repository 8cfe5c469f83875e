"""The rules for what is sent to create a flow; all problems are found, in the order of the contract."""

import json
import re

from refusal import invalid

MEMBERS = ("project", "type", "name", "description", "configuration", "steps")
STEP_MEMBERS = ("stepType", "order", "required", "config")
SECTIONS = {
    "email": "emailVerification",
    "phone": "phoneVerification",
    "biometric": "biometricVerification",
    "document": "documentVerification",
}
SECTION_NAMES = frozenset(SECTIONS.values())
SWITCHES = frozenset(("enabled", "required", "livenessDetection", "antiSpoofing"))

NAME_LENGTH = 120
DESCRIPTION_LENGTH = 2_000
STEPS = 100

PROJECT = re.compile(r"[A-Za-z0-9_-]{1,64}")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

# Stands for what was not sent, which null was.
NOTHING = object()


def no_constant(name):
    raise ValueError(name)


# NaN and the infinities are no JSON, though the json module reads them.
decode = json.JSONDecoder(parse_constant=no_constant).decode


def parse(body):
    """The members of a body that is a flow, or the refusal that names every problem of it."""
    members = read(body)
    check = Check()
    check.project(members.get("project", NOTHING))
    check.type(members.get("type", NOTHING))
    check.name(members.get("name", NOTHING))
    check.description(members.get("description", NOTHING))
    configuration = members.get("configuration", NOTHING)
    check.configuration(configuration)
    check.steps(members.get("steps", NOTHING), configuration)
    for name in members:
        if name not in MEMBERS:
            check.unknown_field(step(name), MEMBERS)
    problems = check.problems + check.unknown
    if problems:
        raise invalid(problems)
    return members


def read(body):
    try:
        value = decode(body.decode())
    except json.JSONDecodeError as error:
        problem = f"expected JSON, found something else at line {error.lineno} column {error.colno}"
    except UnicodeDecodeError:
        problem = "expected UTF-8, found other bytes"
    except (ValueError, RecursionError):
        problem = "expected JSON, found something else"
    else:
        if isinstance(value, dict):
            return value
        error = f"expected a JSON object, found {named(value)}"
        raise invalid([{"path": "", "code": "INVALID_BODY", "error": error}])
    raise invalid([{"path": "", "code": "INVALID_JSON", "error": problem}])


class Check:
    """The problems met so far; unknown members come last, wherever they stand."""

    def __init__(self):
        self.problems, self.unknown = [], []

    def report(self, path, code, expected, found):
        self.problems.append({"path": path, "code": code, "error": f"expected {expected}, found {found}"})

    def unknown_field(self, path, known):
        error = f"expected no members but {', '.join(known)}, found another"
        self.unknown.append({"path": path, "code": "UNKNOWN_FIELD", "error": error})

    def project(self, value):
        if not (isinstance(value, str) and PROJECT.fullmatch(value)):
            self.report("/project", "INVALID_PROJECT_ID", '1 to 64 letters, digits, "_" or "-"', named(value))

    def type(self, value):
        if value not in ("login", "onboarding"):
            self.report("/type", "INVALID_FLOW_TYPE", '"login" or "onboarding"', named(value))

    def name(self, value):
        code = "INVALID_NAME"
        if not isinstance(value, str):
            return self.report("/name", code, "a string", named(value))
        if control := CONTROL.search(value):
            return self.report("/name", code, "no control characters", f"U+{ord(control[0]):04X}")
        length = len(value.strip())
        if not 1 <= length <= NAME_LENGTH:
            self.report("/name", code, f"1 to {NAME_LENGTH} characters", length)

    def description(self, value):
        if value is NOTHING:
            return
        if not isinstance(value, str):
            self.report("/description", "INVALID_DESCRIPTION", "a string", named(value))
        elif len(value) > DESCRIPTION_LENGTH:
            self.report("/description", "INVALID_DESCRIPTION", f"at most {DESCRIPTION_LENGTH} characters", len(value))

    def configuration(self, sections):
        code = "INVALID_CONFIGURATION"
        if not isinstance(sections, dict):
            return self.report("/configuration", code, "an object", named(sections))
        for name, section in sections.items():
            is_thresholds = name == "securityThresholds"
            # The other sections are the user's own.
            if not is_thresholds and name not in SECTION_NAMES:
                continue
            path = f"/configuration/{name}"
            if not isinstance(section, dict):
                self.report(path, code, "an object", named(section))
            elif is_thresholds:
                self.thresholds(path, section)
            else:
                self.section(path, section)

    def section(self, path, section):
        code = "INVALID_CONFIGURATION"
        for name, value in section.items():
            if name in SWITCHES:
                if not isinstance(value, bool):
                    self.report(f"{path}/{name}", code, "a boolean", named(value))
            elif name == "method" and not (isinstance(value, str) and value):
                self.report(f"{path}/{name}", code, "a non-empty string", named(value))
        if section.get("enabled") is False and section.get("required") is True:
            self.report(f"{path}/required", code, "false because enabled is false", "true")

    def thresholds(self, path, thresholds):
        for name, value in thresholds.items():
            # To Python, a boolean is an integer.
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
                self.report(path + step(name), "INVALID_CONFIGURATION", "a number from 0 to 1", named(value))

    def steps(self, steps, configuration):
        code = "INVALID_STEPS"
        if not isinstance(steps, list):
            return self.report("/steps", code, "an array", named(steps))
        if not 1 <= len(steps) <= STEPS:
            self.report("/steps", code, f"1 to {STEPS} steps", len(steps))
        orders = set()
        for index, members in enumerate(steps[:STEPS]):
            path = f"/steps/{index}"
            if isinstance(members, dict):
                self.step(path, members, configuration, orders)
            else:
                self.report(path, code, "an object", named(members))

    def step(self, path, members, configuration, orders):
        code = "INVALID_STEPS"
        step_type = members.get("stepType", NOTHING)
        section = SECTIONS.get(step_type) if isinstance(step_type, str) else None
        if section is None:
            self.report(f"{path}/stepType", code, ", ".join(SECTIONS), named(step_type))
        elif is_switched_off(configuration, section):
            self.report(f"{path}/stepType", code, f"{section} to be enabled for this step", "false")
        order = members.get("order", NOTHING)
        if isinstance(order, bool) or not isinstance(order, int) or order < 1:
            self.report(f"{path}/order", code, "an integer from 1", named(order))
        elif order in orders:
            self.report(f"{path}/order", code, "a unique order", f"{order} again")
        else:
            orders.add(order)
        required = members.get("required", NOTHING)
        if not isinstance(required, bool):
            self.report(f"{path}/required", code, "a boolean", named(required))
        config = members.get("config", NOTHING)
        if config is not NOTHING and not isinstance(config, dict):
            self.report(f"{path}/config", code, "an object", named(config))
        for name in members:
            if name not in STEP_MEMBERS:
                self.unknown_field(path + step(name), STEP_MEMBERS)


def is_switched_off(configuration, section):
    if not isinstance(configuration, dict):
        return False
    members = configuration.get(section)
    return isinstance(members, dict) and members.get("enabled") is False


def step(name):
    """A name as a step of a JSON Pointer (RFC 6901, 3), with the slash before it."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def named(value):
    """A value as a sentence names it: short, whatever its size."""
    excerpt = 40
    if value is NOTHING:
        return "nothing"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, dict):
        return "an object"
    if not isinstance(value, str) or len(value) <= excerpt:
        return json.dumps(value, ensure_ascii=False)
    return f"{json.dumps(value[:excerpt], ensure_ascii=False)} and {len(value) - excerpt} more characters"
