"""Prints every command line of deploy/ and its documents as JSON: a list of objects with `where`, `program`, `args`, `env`.
The arguments name rendered manifests."""

import json
import pathlib
import re
import shlex
import sys

import yaml

PROGRAMS = ("coordinator", "agent", "demo-target")
FOUND = []


def add(where, command, env):
    program = pathlib.PurePosixPath(command[0]).name
    if program in PROGRAMS:
        settings = {name: str(value) for name, value in env.items() if name.startswith("LOAD_TEST_")}
        FOUND.append({"where": where, "program": program, "args": [str(word) for word in command[1:]], "env": settings})


def dockerfile(path):
    env = {}
    text = path.read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith("ENV "):
            env |= dict(word.split("=", 1) for word in shlex.split(line[4:]))
        elif line.startswith("CMD "):
            add(str(path), json.loads(line[4:]), env)
        elif line.startswith("FROM "):
            env = {}


def compose(path):
    text = re.sub(r"\$\{\w+(?::-([^}]*))?\}", lambda match: match[1] or "", path.read_text())
    for name, service in yaml.safe_load(text)["services"].items():
        # Names alone are passed through from whoever starts the fleet.
        assert isinstance(service.get("environment", []), list), f"{path}: variables with values need a reader here"
        add(f"{path}, service {name}", service["command"], {})


def manifests(path):
    for manifest in filter(None, yaml.safe_load_all(path.read_text())):
        pod = manifest.get("spec", {}).get("template", {}).get("spec", {})
        for container in pod.get("containers", []):
            env = {entry["name"]: entry.get("value", "from-a-field") for entry in container.get("env", [])}

            def expand(word):
                return re.sub(r"\$\((\w+)\)", lambda match: expand(env[match[1]]), word)

            command = [expand(word) for word in container["command"] + container.get("args", [])]
            add(f"{path.name}, {manifest['kind']} {manifest['metadata']['name']}", command, env)


def unit(path):
    text = path.read_text().replace("%i", "checkout").replace("%S", "/var/lib")
    env = dict(line.split("=", 2)[1:] for line in text.splitlines() if line.startswith("Environment="))
    for line in text.splitlines():
        if line.startswith("ExecStart="):
            if path.name == "muster-agent.service":
                # What the comment of deploy/README.md tells to put into agent.env.
                env |= {"LOAD_TEST_COORDINATOR": "10.0.0.1:5557"}
            add(str(path), shlex.split(line.split("=", 1)[1]), env)


def document(path):
    """Lines of code blocks that begin with a program, or with variables and a program."""
    for block in re.findall(r"```(?:\w*)\n(.*?)```", path.read_text(), re.S):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"^(\$ |export \w+=\$\()", "", line.strip())
            try:
                words = shlex.split(re.split(r"\)?(?:\s+#|\s+[>|]|\)$)", line)[0])
            except ValueError:
                continue
            env = {}
            while words and re.match(r"\w+=", words[0]):
                name, value = words.pop(0).split("=", 1)
                env[name] = value
            if words:
                add(f"{path}: {line}", words, env)


def workflow(path):
    for name, job in yaml.safe_load(path.read_text())["jobs"].items():
        for step in job.get("steps", []):
            for line in step.get("run", "").splitlines():
                words = shlex.split(line.replace("$AGENTS", "4"))
                if words:
                    add(f"{path}, job {name}", words, {})


deploy = pathlib.Path("deploy")
dockerfile(deploy / "Dockerfile")
compose(deploy / "compose.yaml")
for rendered in sys.argv[1:]:
    manifests(pathlib.Path(rendered))
for service in sorted((deploy / "systemd").glob("*.service")):
    unit(service)
for text in [deploy / "README.md", pathlib.Path("docs/OPERATIONS.md")]:
    document(text)
workflow(deploy / "github-action/fleet.yml")
json.dump(FOUND, sys.stdout, indent=1)
