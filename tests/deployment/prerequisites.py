"""What make says first when the machine lacks something that it needs: tools/prerequisites, run as make runs it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SYSTEMS = {"Debian": "ID=debian", "Ubuntu": "ID=ubuntu\nID_LIKE=debian", "Fedora": "ID=fedora", "macOS": None}
# Runs the program that it is given as if there were no ensurepip.
WITHOUT_ENSUREPIP = f"""#!/bin/sh
exec {sys._base_executable} -c '
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name: found(name) if name != "ensurepip" else None
exec(sys.argv[-1])' "$@"
"""
MINOR = int(re.search(r'^rust-version = "1\.(\d+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1])
RUST, C, PYTHON = f"expected Rust 1.{MINOR} or newer", "expected a C compiler", "expected Python 3.11 or newer with venv"
COMPLAINTS = [
    ({"cargo": None}, [f"{RUST}, found none"]),
    ({"rustc": None}, [f"{RUST}, found none"]),
    ({"rustc": f"#!/bin/sh\necho 'rustc 1.{MINOR - 1}.1 (e408947bf 2026-03-25)'\n"}, [f"{RUST}, found rustc 1.{MINOR - 1}.1"]),
    ({"rustc": "#!/bin/sh\nexit 1\n"}, [f"{RUST}, found a rustc that does not tell its version"]),
    ({"cc": None}, [f"{C}, found none"]),
    ({"cc": "#!/bin/sh\nexit 1\n"}, [f"{C} with the C library, found one that does not find stdlib.h"]),
    ({"python3": None}, [f"{PYTHON}, found none"]),
    ({"python3": "#!/bin/sh\necho 3.9.6\n"}, [f"{PYTHON}, found 3.9.6"]),
    ({"python3": "#!/bin/sh\nexit 1\n"}, [f"{PYTHON}, found one that does not start"]),
    ({"python3": WITHOUT_ENSUREPIP}, [f"{PYTHON}, found one without ensurepip"]),
    ({"cargo": None, "cc": None, "python3": None}, [f"{RUST}, found none", f"{C}, found none", f"{PYTHON}, found none"]),
]


class Prerequisites(unittest.TestCase):
    def run_make(self, target, programs, system="Debian"):
        """Runs make on a machine that has what it needs, but for `programs`."""
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        tools = ["bash", "cc", "cargo", "env", "make", "rustc", "sed", "sh", "uname"]
        has = {name: shutil.which(name) for name in tools} | {"python3": sys._base_executable} | programs
        if system == "macOS":
            has["uname"] = "#!/bin/sh\necho Darwin\n"
        for name, program in has.items():
            if program and program.startswith("#!"):
                (folder / name).write_text(program)
                (folder / name).chmod(0o755)
            elif program:
                (folder / name).symlink_to(program)
        release = folder / "os-release"
        if SYSTEMS[system]:
            release.write_text(SYSTEMS[system])
        environment = os.environ | {"PATH": str(folder), "OS_RELEASE": str(release)}
        for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
            environment.pop(name, None)
        # Tools of this project that are installed would hide what is missing.
        command = ["make", "--no-print-directory", f"TOOLS={folder}", target]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    def test_a_machine_with_everything_hears_nothing(self):
        run = self.run_make("prerequisites", {})
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""))

    def test_everything_that_is_missing_is_named_at_once_before_anything_begins(self):
        for programs, complaints in COMPLAINTS:
            for target in ("run", "test"):
                with self.subTest(programs=programs, target=target):
                    run = self.run_make(target, programs)
                    self.assertEqual((run.returncode, run.stdout), (2, ""))
                    *found, line, _ = run.stderr.splitlines()
                    self.assertEqual(found, [f"error: {complaint}" for complaint in complaints])
                    self.assertIn("apt-get", line)

    def test_the_readme_has_the_line_that_installs_all_of_it(self):
        readme = (ROOT / "README.md").read_text()
        for system in SYSTEMS:
            with self.subTest(system=system):
                *_, line, _ = self.run_make("prerequisites", {"cc": None}, system).stderr.splitlines()
                line = line.removeprefix("This installs all of it: ")
                self.assertTrue(line in readme, f"expected README.md to have the line {line!r}")
