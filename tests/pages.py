"""Follows README.md and docs/api.md as a person does: every command, in order, in one shell.

Each answer is compared with what the page says. The comment after a command states a status and a code, a header, a version or a
release, with commas between them; what follows a semicolon is for people. A block of JSON or HTTP is the answer to the last
command before it. `…` stands for any text, for further members, and for further entries. Ids, times and digests differ each time:
they need the same shape, and one of a page is the same one in every answer and command.

PORT=9030 CONSOLE_PORT=9031 DATABASE_PORT=8030.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

PAGES = ["README.md", "docs/api.md"]
WORK = Path("target/pages")
PORTS = {"PORT": "9030", "CONSOLE_PORT": "9031", "DATABASE_PORT": "8030"}
# Without what a make around this one hands down.
OUTSIDE = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
ENVIRONMENT = {**PORTS, **OUTSIDE, "DATABASE_FILE": str(WORK / "flows.db"), "CURL_HOME": str(WORK)}
ADDRESS = f"127.0.0.1:{ENVIRONMENT['PORT']}"
# Commands that are not carried out here, and why.
ELSEWHERE = {
    "make test": "has a run of its own",
    "make deploy": "needs an AWS account",
    "sudo ": "changes the machine",
    "brew ": "changes the machine",
    "xcode-select ": "changes the machine",
}
ID, TIME, DIGEST = r"project_flow_[0-9a-z]{26}", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", r"(?<![\w-])[\w-]{43}(?![\w-])"
CHANGING = re.compile(f"{ID}|{TIME}|{DIGEST}")


class Mismatch(Exception):
    """Where an answer differs from its page."""


class Server:
    """The function, as `make run` serves it."""

    def __init__(self):
        self.process = None

    def start(self, command):
        self.stop()
        with open(WORK / "log", "w") as log:
            self.process = subprocess.Popen(command.split(), stdout=log, stderr=log, env=ENVIRONMENT)
        while "Ctrl-C stops everything" not in (WORK / "log").read_text():
            if self.process.poll() is not None:
                sys.exit((WORK / "log").read_text() + f"error: expected `{command}` to serve, found that it ended")
            time.sleep(0.1)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()


class Shell:
    """One session of bash."""

    END = "the end of a command"

    def __init__(self):
        self.process = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)

    def run(self, command):
        """Carries out a command, and returns what it prints."""
        self.process.stdin.write(f"{{\n{command}\n}} </dev/null\nprintf '\\n%s %s\\n' '{self.END}' $?\n")
        self.process.stdin.flush()
        printed = ""
        for line in self.process.stdout:
            if line.startswith(self.END):
                if line.split()[-1] != "0":
                    raise Mismatch(f"expected a command that succeeds, found the exit status {line.split()[-1]}")
                return printed[:-1]
            printed += line
        raise Mismatch("expected a command that ends, found the end of the shell")

    def variable(self, name):
        return self.run(f'printf %s "${name}"')


class Answer:
    """An HTTP response, sent or printed."""

    def __init__(self, text):
        head, _, body = text.partition("\n\n")
        self.body = body.strip("\n")
        self.status, *lines = head.split("\n")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def parsed(self):
        return parse(self.body)


def parse(text):
    """JSON with its members as pairs in their order, and its numbers as they are spelled."""
    spelled = lambda text: ("number", text)
    return json.loads(text, object_pairs_hook=lambda pairs: {"members": pairs}, parse_int=spelled, parse_float=spelled)


class Page:
    """What a page calls by which name, and how its answers compare with those of the function."""

    def __init__(self):
        self.meant = {}

    def with_meant(self, command):
        """A command of the page, with the ids and times of this run in it."""
        return CHANGING.sub(lambda one: self.meant.get(one[0], one[0]), command).replace("127.0.0.1:9000", ADDRESS)

    def hold(self, printed, found, where="the body"):
        """Refuses a value that is not what the page prints."""
        if isinstance(printed, str) and isinstance(found, str):
            return self.hold_text(printed, found, where)
        if isinstance(printed, dict) and isinstance(found, dict):
            return self.hold_members(printed["members"], found["members"], where)
        if isinstance(printed, list) and isinstance(found, list):
            if "…" in printed:
                # One gap; what stands behind it is compared from the end.
                gap, more = printed.index("…"), len(found) - len(printed) + 1
                printed, found = printed[:gap] + printed[gap + 1 :], found[:gap] + found[gap + more :]
            if len(printed) != len(found):
                raise Mismatch(f"{where}: expected {len(printed)} entries, found {len(found)} in {found}")
            for index, (one, other) in enumerate(zip(printed, found)):
                self.hold(one, other, f"{where}[{index}]")
        elif printed != found:
            raise Mismatch(f"{where}: expected {printed}, found {found}")

    def hold_members(self, printed, found, where):
        names = [name for name, _ in printed if name != "…"]
        others = [name for name, _ in found]
        if len(names) < len(printed):
            others = [name for name in others if name in names]
        if names != others:
            raise Mismatch(f"{where}: expected the members {', '.join(names)}, found {', '.join(others)}")
        for name, value in printed:
            if name != "…":
                self.hold(value, dict(found)[name], f"{where}.{name}")

    def hold_text(self, printed, found, where):
        pattern, start, named = "", 0, []
        plain = lambda text: re.escape(text).replace("…", ".+")
        for one in CHANGING.finditer(printed):
            shape = next(shape for shape in (ID, TIME, DIGEST) if re.fullmatch(shape, one[0]))
            pattern += plain(printed[start : one.start()]) + f"({shape})"
            start = one.end()
            named.append(one[0])
        same = re.fullmatch(pattern + plain(printed[start:]), found)
        if not same:
            raise Mismatch(f"{where}: expected {printed!r}, found {found!r}")
        for name, value in zip(named, same.groups()):
            self.name(name, value, where)

    def name(self, name, value, where):
        """Two names of the page are two ids or digests. Two times can fall into one second, but stay in their order."""
        if self.meant.setdefault(name, value) != value:
            raise Mismatch(f"{where}: expected {self.meant[name]} for {name} as before, found {value}")
        for other, known in self.meant.items():
            if re.fullmatch(TIME, name) and re.fullmatch(TIME, other):
                if (name < other and value > known) or (name > other and value < known):
                    raise Mismatch(f"{where}: expected {name} and {other} in this order, found {value} and {known}")
            elif name != other and value == known:
                raise Mismatch(f"{where}: expected two values for {name} and {other}, found {value} for both")

    def hold_answer(self, printed, found):
        """Refuses an answer that is not as printed: its status line, the headers that are shown, its body."""
        self.hold_text(printed.status, found.status, "the status line")
        for name, value in printed.headers.items():
            self.hold_text(value, found.headers.get(name, "no such header"), name)
        self.hold_body(printed.body, found)

    def hold_body(self, printed, found):
        if not printed or not found.body:
            return self.hold_text(printed, found.body, "the body")
        self.hold(parse(printed), found.parsed())

    def hold_claims(self, comment, found):
        """Refuses an answer that is not as the comment after its command says."""
        for claim in comment.partition(";")[0].split(", "):
            document = json.loads(found.body) if found.body else {}
            if status := re.fullmatch(r"(\d{3})(?: ([A-Z_]+))?", claim):
                stated, actual = status.groups(), (found.status.split()[1], document.get("message"))
            elif number := re.fullmatch(r"version (\d+)", claim):
                stated, actual = int(number[1]), (document.get("data") or {}).get("version")
            elif number := re.fullmatch(r"release (\d+)", claim):
                stated, actual = int(number[1]), document.get("release", {}).get("number")
            elif header := re.fullmatch(r"([A-Z][\w-]+): (.+)", claim):
                stated, actual = header[2], found.headers.get(header[1].lower())
            else:
                raise Mismatch(f"expected a status, a header, a version or a release, found the comment {claim!r}")
            if stated != actual:
                raise Mismatch(f"expected {claim}, found {actual} in {found.status} {found.body}")


def blocks(text):
    """The fenced blocks of a page: language, text and the line where the text begins."""
    for block in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield block[1], block[2], text[: block.start(2)].count("\n") + 1


def commands(block, line):
    """The commands of a block, each with its comment and its line. A command ends where the shell says that it is complete."""
    command = ""
    for number, text in enumerate(block.splitlines(), line):
        command += text + "\n"
        begun = number if command == text + "\n" else begun
        if text.endswith("\\") or subprocess.run(["bash", "-n", "-c", command], capture_output=True).returncode:
            continue
        comment = re.search(r"\s{2,}# (\d{3}\b.*)$", text)
        yield command.strip(), comment and comment[1], begun
        command = ""
    if command:
        raise Mismatch(f"expected a complete command, found {command!r}")


class Walk:
    """Follows one page, and notes where it is wrong."""

    def __init__(self, path, shell, server):
        self.path, self.shell, self.server = path, shell, server
        self.page, self.answer, self.unstated = Page(), None, None
        self.commands, self.answers, self.wrong = 0, 0, 0

    def follow(self):
        for language, block, line in blocks(Path(self.path).read_text()):
            if language in ("http", "json"):
                self.at(line, self.compare, language, block)
                continue
            self.expect_stated()
            if language == "sh":
                for command, comment, line in commands(block, line):
                    self.expect_stated()
                    self.at(line, self.carry_out, command, comment, line)
            elif language == "python":
                self.at(line, self.use, block)
        self.expect_stated()

    def at(self, line, step, *arguments):
        try:
            step(*arguments)
        except (Mismatch, AssertionError, OSError, ValueError) as mismatch:
            self.complain(line, mismatch)

    def complain(self, line, message):
        self.wrong += 1
        print(f"{self.path}:{line}: {message}", file=sys.stderr)

    def expect_stated(self):
        """Each answer has a comment or a block that says what it is."""
        if self.unstated:
            self.complain(self.unstated, f"expected the page to say what this answers, found nothing; it is {self.answer.status}")
        self.unstated = None

    def carry_out(self, command, comment, line):
        if any(command.startswith(one) for one in ELSEWHERE):
            return
        self.commands += 1
        if command.startswith("make run"):
            return self.server.start(command.partition("#")[0])
        self.answer = None
        printed = self.shell.run(self.page.with_meant(command))
        if printed.startswith("HTTP/"):
            self.answer, self.unstated = Answer(printed), line
        elif comment:
            raise Mismatch(f"expected an answer, found {printed!r}")
        if comment:
            self.unstated = None
            self.answers += 1
            self.page.hold_claims(comment, self.answer)

    def compare(self, language, block):
        self.unstated = None
        if not self.answer:
            raise Mismatch("expected a command before this answer, found none")
        self.answers += 1
        if language == "http":
            self.page.hold_answer(Answer(block.rstrip("\n")), self.answer)
        else:
            self.page.hold_body(block, self.answer)

    def use(self, block):
        """Calls the function that a block of Python defines."""
        url, token, flow = (self.shell.variable(name) for name in ("url", "token", "flow"))
        defined = {}
        exec(block, defined)
        if create := defined.get("create"):
            # Another client, because the page counts the flows of its own.
            token = self.shell.run("make -s token CLIENT=python").strip()
            step = {"stepType": "email", "order": 1, "required": True}
            new = {"project": "project_1", "type": "login", "name": "Login", "configuration": {}, "steps": [step]}
            self.page.hold(new["name"], create(url, token, new)["name"], "the new flow")
        elif verify := defined.get("verify"):
            headers = {"Authorization": f"Bearer {token}"}
            request = lambda path: urllib.request.Request(url.removesuffix("/v2/project-flows") + path, headers=headers)
            get = lambda path: urllib.request.urlopen(request(path)).read().decode()
            verify(get, flow.rpartition("/")[2])
            defined["verify_releases"](get, "project_123456789/login")
        else:
            raise Mismatch("expected a function that this test calls, found another")


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    (WORK / ".curlrc").write_text("silent\nshow-error\n")
    server, shell = Server(), Shell()
    try:
        walks = [Walk(path, shell, server) for path in PAGES]
        for walk in walks:
            walk.follow()
            print(f"{walk.path}: {walk.commands} commands, {walk.answers} answers compared, {walk.wrong} wrong")
    finally:
        server.stop()
    sys.exit(any(walk.wrong for walk in walks))


main()
