"""Checks what `make deploy` has built, and writes the parameters that it adds: release.py ENVIRONMENT [keys.json]

Run in the folder of samconfig.toml by the Python of the SAM CLI, which reads the parameters as `sam deploy` will. Nothing has
been uploaded yet: what is refused here changes nothing.
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

PROJECT = Path(__file__).parent.parent
BUILD = Path(".aws-sam/build")
# `e_machine` of an executable ("ELF Header" in the System V ABI), and what Lambda calls it.
MACHINES = {62: "x86_64", 183: "arm64"}


def parameters_of(environment):
    """The parameters that samconfig.toml lists for an environment."""
    overrides = SamConfig(os.getcwd()).get_all(["deploy"], "parameters", environment)["parameter_overrides"]
    return CfnParameterOverridesType().convert(overrides, None, None)


def check_machine(architecture):
    """Lambda takes a package for another processor without a word, and cannot start it."""
    if architecture not in MACHINES.values():
        sys.exit(f"samconfig.toml: expected Architecture to be {' or '.join(MACHINES.values())}, found {architecture}")
    header = (BUILD / "Function/bootstrap").read_bytes()[:20]
    machine = int.from_bytes(header[18:20], "little") if header.startswith(b"\x7fELF") else None
    found = MACHINES.get(machine, "another processor")
    if found != architecture:
        sys.exit(f"bootstrap: expected a program for {architecture}, the Architecture in samconfig.toml, found one for {found}")


def check_keys(parameters):
    """Keys that the function cannot use would stop it from starting, so its own code judges them."""
    # As template.yaml makes them of the parameters; an empty variable counts as absent.
    settings = {
        "TABLE_NAME": "any",
        "JWKS": parameters["Jwks"],
        "ALLOW_SHARED_SECRETS": "true" if parameters.get("AllowSharedSecrets") == "true" else "",
        "JWT_ISSUER": parameters.get("JwtIssuer", ""),
        "JWT_AUDIENCE": parameters.get("JwtAudience", ""),
        "CLIENT_CLAIM": parameters.get("ClientClaim", ""),
    }
    command = ["cargo", "run", "--quiet", "--example", "settings"]
    if subprocess.run(command, cwd=PROJECT, env={**os.environ, **settings}).returncode != 0:
        sys.exit("expected keys that the function can use, found others: see above")


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
        # The SAM CLI takes \" for a quote.
        added["Jwks"] = json.dumps(keys, separators=(",", ":")).replace('\\"', "\\u0022")
        check_keys({**parameters, **added})
        digest.update(added["Jwks"].encode())
    # Changed parameters take effect only under another name. So does a second attempt, after a rollback of the same.
    added["Release"] = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{digest.hexdigest()[:12]}"
    # JSON is YAML, which the SAM CLI reads.
    Path(".aws-sam/release.yaml").write_text(json.dumps(added))


main(*sys.argv[1:])
