"""Calculates the tables of costs.md and prints them; with --check, fails if the page has other tables.

All prices and assumptions are at the top of this file. To change one, edit it and copy the printed tables into the page.
"""

import sys
from math import ceil
from pathlib import Path

# Prices in US dollars, US East (N. Virginia), first tier, without the free tier. The comments name the AWS pages, which change
# without notice. Look the prices up before you rely on the tables.
LAMBDA_REQUEST = 0.20e-6  # "AWS Lambda Pricing"
LAMBDA_GB_SECOND = 0.0000166667  # x86; the same page
API_REQUEST = 1.00e-6  # "Amazon API Gateway pricing", HTTP APIs, each 512 KB or part of it
REST_REQUEST = 3.50e-6  # the same page, REST APIs
FIREWALL_REQUEST = 0.60e-6  # "AWS WAF Pricing"
FIREWALL_MONTH = 5.00 + 1.00  # the same page: a web ACL with one rule
WRITE_UNIT = 0.625e-6  # "Pricing for On-Demand Capacity" of Amazon DynamoDB
READ_UNIT = 0.125e-6  # the same page
STORED_GB_MONTH = 0.25  # the same page: storage of the table and of the index
RECOVERY_GB_MONTH = 0.20  # the same page: point-in-time recovery, by the size of the table without the index
LOG_GB = 0.50  # "Amazon CloudWatch Pricing": ingestion of the log lines of Lambda and of the API
METRIC_MONTH = 0.30  # the same page: a custom metric
ALARM_METRIC_MONTH = 0.10  # the same page: a metric that an alarm watches
DASHBOARD_MONTH = 3.00  # the same page
PIPE_REQUEST = 0.40e-6  # "Amazon EventBridge pricing", after the filter
EVENT = 1.00e-6  # the same page: a custom event
EXPRESS_REQUEST = 1.00e-6  # "AWS Step Functions Pricing", express workflows
EXPRESS_GB_SECOND = 0.00001667  # the same page; billed for at least 64 MB and 100 ms

# Measured. The bytes are those of the flow on the API page; tests/api/costs.rs measures them again.
ITEM_BYTES = 1102  # the item of a new flow
INDEX_BYTES = 435  # its copy in the index of flows
CHANGE_BYTES = 318  # its copy in the index of changes
LIVE_BYTES = 1012  # the same flow in force
RELEASE_BYTES = 1136  # its release
OVERHEAD_BYTES = 100  # storage overhead of each of them ("DynamoDB Item sizes and formats")
# Milliseconds of a whole processor for one request. docs/performance.md says how they are measured: a create is `cpu` in
# benches/speed.json; the others follow from the instructions in benches/instructions.json.
PROCESSOR = {"create": 0.22, "read": 0.19, "update": 0.39, "list": 0.50}

# Assumed.
CALL_MS = 5.0  # a call to DynamoDB, until its answer
WHOLE_PROCESSOR_MB = 1769  # Lambda gives one processor at this memory size, and a share below it
LINE_BYTES = 550  # the function's line, with its metrics
PLATFORM_BYTES = 300  # Lambda's own START, END and REPORT
ACCESS_LINE_BYTES = 450  # the API's line
# The metrics of the function: the duration in total, by route (16) and by route and code (20 in use), and five counts.
METRICS = 1 + 16 + 20 + 5
ALARM_METRICS = 11  # what the alarms of template.yaml watch; tests/api/costs.rs counts them

MEMORY = (128, 256, 512)
MILLION = 1_000_000
GB = 1e9


def write_units(size):
    """One unit for each KB."""
    return ceil(size / 1024)


def read_units(size, consistent=True):
    """One unit for each 4 KB, or half a unit for an eventually consistent read."""
    return ceil(size / 4096) * (1 if consistent else 0.5)


# For each operation: its key in PROCESSOR, the number of successive calls to DynamoDB, write units, read units. A write to the
# table counts twice in a transaction.
OPERATIONS = {
    "create": ("create", 1, write_units(ITEM_BYTES) + write_units(INDEX_BYTES) + write_units(CHANGE_BYTES), 0),
    "read": ("read", 1, 0, read_units(ITEM_BYTES)),
    # In the index of changes, the entry of the version before goes and comes back with its copy.
    "update": ("update", 2, 2 * 2 * write_units(ITEM_BYTES) + write_units(INDEX_BYTES) + 3 * write_units(CHANGE_BYTES), read_units(ITEM_BYTES)),
    "read of what is live": ("read", 1, 0, read_units(LIVE_BYTES)),
    # The release, what is in force, and the check that the flow is active.
    "release": (
        "update",
        3,
        2 * (write_units(RELEASE_BYTES) + write_units(LIVE_BYTES) + write_units(ITEM_BYTES)) + write_units(CHANGE_BYTES),
        read_units(LIVE_BYTES) + read_units(ITEM_BYTES),
    ),
    "page of a hundred changes": ("list", 1, 0, read_units(101 * CHANGE_BYTES, consistent=False)),
    "list of ten flows, by cursor": ("list", 1, 0, read_units(11 * INDEX_BYTES, consistent=False)),
    # `make bench` counts two queries.
    "list of ten of 1,000 flows, by number": ("list", 2, 0, read_units(1000 * INDEX_BYTES, consistent=False)),
}


def billed_ms(name, memory):
    processor, calls, _, _ = OPERATIONS[name]
    return ceil(calls * CALL_MS + PROCESSOR[processor] * max(1, WHOLE_PROCESSOR_MB / memory))


def parts(name, memory):
    """The cost of a million requests, part by part."""
    _, _, writes, reads = OPERATIONS[name]
    return {
        "API": MILLION * API_REQUEST,
        "function": MILLION * (LAMBDA_REQUEST + LAMBDA_GB_SECOND * memory / 1024 * billed_ms(name, memory) / 1000),
        "table": MILLION * (writes * WRITE_UNIT + reads * READ_UNIT),
        "logs": MILLION * (LINE_BYTES + PLATFORM_BYTES + ACCESS_LINE_BYTES) / GB * LOG_GB,
    }


def tables():
    lines = ["A million requests of this kind | write units | read units | API | function at 256 MB | table | logs | 128 MB | 256 MB | 512 MB"]
    lines += ["---|---|---|---|---|---|---|---|---|---"]
    for name, (_, _, writes, reads) in OPERATIONS.items():
        at_256 = parts(name, 256)
        totals = (f"**{sum(parts(name, memory).values()):.2f}** ({billed_ms(name, memory)} ms)" for memory in MEMORY)
        cells = [name, f"{writes:g}", f"{reads:g}", *(f"{cost:.2f}" for cost in at_256.values()), *totals]
        lines.append(" | ".join(cells))
    table, index, changes = (size + OVERHEAD_BYTES for size in (ITEM_BYTES, INDEX_BYTES, CHANGE_BYTES))
    fixed = {
        f"{METRICS} metrics of the function": METRICS * METRIC_MONTH,
        f"{ALARM_METRICS} metrics that alarms watch": ALARM_METRICS * ALARM_METRIC_MONTH,
        "the dashboard": DASHBOARD_MONTH,
        "storage of a million flows with one version each": MILLION / GB * (table * (STORED_GB_MONTH + RECOVERY_GB_MONTH) + (index + changes) * STORED_GB_MONTH),
    }
    change = PIPE_REQUEST + EXPRESS_REQUEST + EXPRESS_GB_SECOND * 64 / 1024 * 0.1 + EVENT
    lines += ["", "Each month | dollars", "---|---"]
    lines += [f"{name} | {cost:.2f}" for name, cost in fixed.items()]
    lines += ["", "With change events | dollars", "---|---", f"a million changes | {MILLION * change:.2f}"]
    firewall = {
        f"a million requests: the API, instead of {MILLION * API_REQUEST:.2f}": MILLION * REST_REQUEST,
        "a million requests: the firewall": MILLION * FIREWALL_REQUEST,
        "each month: a web ACL with one rule": FIREWALL_MONTH,
    }
    lines += ["", "With a REST API, for a firewall | dollars", "---|---"]
    lines += [f"{name} | {cost:.2f}" for name, cost in firewall.items()]
    return "\n".join(("" if line == "" else f"|{line}|" if line.startswith("---") else f"| {line} |") for line in lines)


def main():
    if sys.argv[1:] == []:
        print(tables())
        return 0
    if sys.argv[1:] != ["--check"]:
        print("expected --check or nothing", file=sys.stderr)
        return 2
    page = (Path(__file__).parent / "costs.md").read_text()
    if tables() in page:
        return 0
    print("docs/costs.md: expected the tables that docs/costs.py prints, found others", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
