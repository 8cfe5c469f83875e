"""What `make deploy` refuses before anything is uploaded: tools/release.py, run as it runs it."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# The coordinates of the key in RFC 7517, A.1.
X, Y = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
USABLE = {"kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": 'the "first"', "alg": "ES256"}
# The shell of whoever deploys has variables too.
SHELL = {"ALLOW_SHARED_SECRETS": "true", "JWT_ISSUER": "https://issuer.example", "AWS_ENDPOINT_URL": "localhost:8000"}
SECRET = {"kty": "oct", "kid": "1", "alg": "HS256", "k": base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("=")}


def elf(machine):
    """The first bytes of an executable for a processor."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + (3).to_bytes(2, "little") + machine.to_bytes(2, "little") + bytes(44)


class Release(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.bootstrap = self.folder / ".aws-sam/build/Function/bootstrap"
        self.bootstrap.parent.mkdir(parents=True)
        self.bootstrap.write_bytes(elf(62))
        (self.folder / ".aws-sam/release.yaml").write_text("{}")
        self.configure()

    def configure(self, before="", after=""):
        text = (ROOT / "samconfig.toml").read_text()
        self.assertIn(before, text)
        (self.folder / "samconfig.toml").write_text(text.replace(before, after))

    def release(self, *keys):
        """The content of release.yaml, or the error message."""
        arguments = []
        if keys:
            (self.folder / "keys.json").write_text(json.dumps({"keys": keys}))
            arguments = ["keys.json"]
        command = [sys.executable, "-B", ROOT / "tools/release.py", "production", *arguments]
        run = subprocess.run(command, cwd=self.folder, env={**os.environ, **SHELL}, capture_output=True, text=True)
        written = json.loads((self.folder / ".aws-sam/release.yaml").read_text())
        if run.returncode != 0:
            self.assertEqual(written, {})
            return run.stderr
        return written

    def test_a_release_has_a_name_of_its_own_each_time(self):
        first = self.release()
        self.assertEqual(list(first), ["Release"])
        self.assertRegex(first["Release"], r"^\d{8}T\d{6}Z-[0-9a-f]{12}$")
        self.bootstrap.write_bytes(elf(62) + b"other")
        self.assertNotEqual(self.release()["Release"].split("-")[1], first["Release"].split("-")[1])

    def test_a_program_for_another_machine_is_refused(self):
        self.bootstrap.write_bytes(elf(183))
        self.assertIn("expected a program for x86_64, the Architecture in samconfig.toml, found one for arm64", self.release())
        self.bootstrap.write_bytes(b"#!/bin/sh")
        self.assertIn("found one for another processor", self.release())
        self.configure("Architecture=x86_64", "Architecture=arm64")
        self.assertIn("expected a program for arm64", self.release())
        self.bootstrap.write_bytes(elf(183))
        self.assertIn("Release", self.release())

    def test_an_architecture_that_is_not_listed_is_refused(self):
        self.configure('"Architecture=x86_64",')
        self.assertIn("expected Architecture to be x86_64 or arm64, found None", self.release())

    def test_usable_keys_are_handed_over_as_the_cli_reads_them(self):
        from samcli.cli.types import CfnParameterOverridesType

        self.release(USABLE)
        [override] = [f"file://{self.folder}/.aws-sam/release.yaml"]
        parameters = CfnParameterOverridesType().convert([override], None, None)
        self.assertEqual(json.loads(parameters["Jwks"]), {"keys": [USABLE]})

    def test_keys_that_the_function_cannot_use_are_refused_in_its_words(self):
        found = self.release({**USABLE, "y": X})
        self.assertIn(r'JWKS: keys[0] (kid "the \"first\""): expected key material for ES256, found other material', found)
        self.assertIn("expected settings that the function can use, found others", found)
        self.assertNotIn(X, found)

    def test_each_parameter_that_sets_a_variable_is_judged_by_the_function(self):
        for variable, parameter, value in [
            ("TABLE_NAME", "RestoredTableName", "x"),
            ("PROJECTS_TABLE", "ProjectsTableName", "x"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "DynamoDbEndpoint", "localhost:8000"),
            ("READ_SCOPE", "ReadScope", "é"),
            ("WRITE_SCOPE", "WriteScope", "é"),
            ("RELEASE_SCOPE", "ReleaseScope", "é"),
            ("FOUR_EYES", "FourEyes", "yes"),
        ]:
            with self.subTest(parameter):
                self.configure('"RollbackAlarms=true"', f'"{parameter}={value}"')
                self.assertIn(f"{variable}: expected", self.release(USABLE))

    def test_the_variables_of_whoever_deploys_do_not_count(self):
        self.assertIn("expected a public key, found a secret", self.release(SECRET))
        self.configure('"RollbackAlarms=true"', '"JwksUrl=https://issuer.example/keys"')
        self.assertIn("JWT_ISSUER: expected", self.release())

    def test_a_shared_secret_can_be_allowed(self):
        self.configure('"RollbackAlarms=true"', '"AllowSharedSecrets=true"')
        self.assertIn("Jwks", self.release(SECRET))

    def test_an_address_of_keys_needs_no_keys_but_their_issuer(self):
        url = '"JwksUrl=https://issuer.example/keys"'
        self.configure('"RollbackAlarms=true"', url)
        self.assertIn("JWT_ISSUER: expected the issuer of the keys at JWKS_URL, found nothing", self.release())
        self.configure('"RollbackAlarms=true"', f'{url}, "JwtIssuer=https://issuer.example"')
        self.assertEqual(list(self.release()), ["Release"])

    def test_an_address_of_keys_excludes_keys(self):
        self.configure('"RollbackAlarms=true"', '"JwksUrl=https://issuer.example/keys"')
        self.assertIn("JWKS: expected JWKS or JWKS_URL, found both", self.release(USABLE))

    def test_the_development_key_is_refused(self):
        [key] = json.loads((ROOT / "tools/jwks.json").read_text())["keys"]
        self.assertIn("expected keys of your own, found the development key", self.release(key))
