"""Checks the built package and the settings, and writes the parameters of the release: release.py ENVIRONMENT [keys.json]

`make deploy` runs it before the upload, so a refusal changes nothing. It runs in the folder of samconfig.toml, with the Python of
the SAM CLI. So it reads the parameters in the same way as `sam deploy`.
"""

import hashlib
import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

from samcli.cli.types import CfnParameterOverridesType
from samcli.lib.config.samconfig import SamConfig
from samcli.yamlhelper import yaml_parse

PROJECT = Path(__file__).parent.parent
BUILD = Path(".aws-sam/build")
# `e_machine` in the header of an executable ("ELF Header" in the System V ABI), and the name that Lambda uses.
MACHINES = {62: "x86_64", 183: "arm64"}


def parameters_of(environment):
    """The parameters that samconfig.toml lists for an environment."""
    overrides = SamConfig(os.getcwd()).get_all(["deploy"], "parameters", environment)["parameter_overrides"]
    return CfnParameterOverridesType().convert(overrides, None, None)


def check_machine(architecture):
    """Refuses a package for another processor. Lambda would accept it, and then fail to start it."""
    if architecture not in MACHINES.values():
        sys.exit(f"samconfig.toml: expected Architecture to be {' or '.join(MACHINES.values())}, found {architecture}")
    header = (BUILD / "Function/bootstrap").read_bytes()[:20]
    machine = int.from_bytes(header[18:20], "little") if header.startswith(b"\x7fELF") else None
    found = MACHINES.get(machine, "another processor")
    if found != architecture:
        sys.exit(f"bootstrap: expected a program for {architecture}, the Architecture in samconfig.toml, found one for {found}")


def references(value):
    """The names that a value in the template refers to."""
    match value:
        case {"Ref": name}:
            yield name
        case dict():
            yield from references(list(value.values()))
        case list():
            for inner in value:
                yield from references(inner)


def settings_of(parameters):
    """The variables of the function. The template sets each of them from one parameter; an empty one counts as absent."""
    template = yaml_parse((PROJECT / "template.yaml").read_text())
    known = template["Parameters"]
    settings = {}
    for variable, value in template["Resources"]["Function"]["Properties"]["Environment"]["Variables"].items():
        [parameter] = (name for name in references(value) if name in known)
        settings[variable] = parameters.get(parameter, known[parameter].get("Default", ""))
    # Otherwise the stack's own table, and the region that it is in.
    return {**settings, "TABLE_NAME": settings["TABLE_NAME"] or "any", "AWS_REGION": "any"}


def check_settings(parameters):
    """Refuses settings that the function cannot use, because it would not start. The function's own code decides."""
    # The AWS variables here are those of whoever deploys.
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = ["cargo", "run", "--quiet", "--example", "settings"]
    if subprocess.run(command, cwd=PROJECT, env={**own, **settings_of(parameters)}).returncode != 0:
        sys.exit("expected settings that the function can use, found others: see above")


def main(environment, keys_file=None):
    parameters = parameters_of(environment)
    check_machine(parameters.get("Architecture"))
    digest = hashlib.sha256()
    for path in [*sorted(path for path in BUILD.rglob("*") if path.is_file()), Path("samconfig.toml")]:
        digest.update(path.read_bytes())
    added = {}
    if keys_file:
        keys = json.loads(Path(keys_file).read_text())
        if keys == json.loads((PROJECT / "tools/jwks.json").read_text()):
            sys.exit(f"{keys_file}: expected keys of your own, found the development key, which is public")
        # The SAM CLI reads \" as a quote, so quotes inside strings are written in another way.
        added["Jwks"] = json.dumps(keys, separators=(",", ":")).replace('\\"', "\\u0022")
        digest.update(added["Jwks"].encode())
    # Without either, the stack keeps the keys that it has.
    if keys_file or parameters.get("JwksUrl"):
        check_settings({**parameters, **added})
    # Changed parameters take effect only with a new name. A new attempt after a rollback needs a new name too.
    added["Release"] = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{digest.hexdigest()[:12]}"
    # The SAM CLI reads YAML, and JSON is a subset of it.
    Path(".aws-sam/release.yaml").write_text(json.dumps(added))


main(*sys.argv[1:])
