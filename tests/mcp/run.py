#!/usr/bin/env python3
"""The README's recipes for an MCP service, with the official SDKs' own server and clients.

usage: run.py PROGRAM. Needs nginx, caddy, Node.js 20 or later and python3 with venv; what is not
there is left out, with a word. Ends in 'N passed, N failed'.

Each proxy stands in front of the service, at one origin with oauth2d and at two, with programs that
register themselves and with one whose id is a URL. Each client discovers, signs in through the
page, lists and calls a tool, refreshes, steps up after a 403, and is refused elsewhere.
"""

import http.client
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import parts
from parts import free_port, wait_for

HERE = pathlib.Path(__file__).resolve().parent
ID_URL = "https://programs.example.com/client.json"
CONFIG = """[server]
log = text
issuer = {issuer}
{registration}
[client {client}]
grants = authorization_code refresh_token
scopes = read write
default_scopes = read
redirect_uris = http://127.0.0.1/callback
[resource {api}/mcp]
scopes = read write
[resource {api}/other]
scopes = read write
[user ann]
password = password
"""
# What is in front of oauth2d at the service's own origin.
SHARED = {
    "nginx": "location ~ ^/(oauth/|[.]well-known/oauth-authorization-server) "
    "{ proxy_pass http://oauth2d; proxy_set_header Host $http_host; }\n",
    "Caddy": "@oauth2d path /oauth/* /.well-known/oauth-authorization-server*\n"
    "reverse_proxy @oauth2d 127.0.0.1:3000\n",
}


def recipe(name):
    """The indented block below **NAME, MCP** in the README."""
    return parts.recipe(f"{name}, MCP").replace("\n    ", "\n")[4:]


def blocks(text, *starts):
    """The blocks of a recipe that begin like this, and the recipe without its last line."""
    found = [re.search(rf"^    {re.escape(start)} {{\n.*?^    }}\n", text, re.M | re.S)[0] for start in starts]
    return found, text.rstrip().removesuffix("}")


def nginx(folder, world):
    """The recipe, with its location repeated for a part of the service that needs more, and for another."""
    (place, check), text = blocks(recipe("nginx"), "location = /mcp", "location = /_oauth2d/mcp")
    more = place.replace("= /mcp", "= /mcp/more") + check.replace("scope=read", "scope=read+write")
    more = more.replace("_oauth2d/mcp", "_oauth2d/more")
    other = (place + check).replace("/mcp", "/other")
    shared = SHARED["nginx"] if world["one_origin"] else ""
    text = filled(text + more + other + shared + "}\n", world)
    text = text.replace("listen 80;", f"listen 127.0.0.1:{world['proxy']};")
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\nhttp {{\n"
        f"access_log off;\n{text}}}\n"
    )
    return ["nginx", "-p", folder, "-c", folder / "nginx.conf"]


def caddy(folder, world):
    """The same for Caddy."""
    (route,), text = blocks(recipe("Caddy"), "route @mcp")
    place = "    @mcp path /mcp\n" + route
    more = place.replace("@mcp", "@more").replace("path /mcp", "path /mcp/more")
    more = more.replace("scope=read", "scope=read+write")
    other = place.replace("@mcp", "@other").replace("/mcp", "/other")
    shared = SHARED["Caddy"] if world["one_origin"] else ""
    text = filled(text + more + other + shared + "}\n", world)
    text = text.replace("api.example.com {", f"http://localhost:{world['proxy']} {{", 1)
    # Streams that are still open must not delay the end.
    at_once = "grace_period 1ms\n"
    (folder / "Caddyfile").write_text(f"{{\nadmin off\nauto_https off\n{at_once}}}\n{text}")
    return ["caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]


def filled(text, world):
    """A recipe with the names and ports of this run."""
    text = text.replace("https://api.example.com", world["api"])
    return text.replace(":3000", f":{world['oauth2d']}").replace(":8080", f":{world['service']}")


def ask(port, path, fields=None, method="POST"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, "{}", {"Host": f"localhost:{port}", **(fields or {})})
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("WWW-Authenticate"), answer.getheader("Access-Control-Allow-Origin")


def clients(node):
    """Each client's name and command."""
    if node:
        yield "TypeScript SDK 1", ["node", HERE / "client.mjs", "1"]
        yield "TypeScript SDK 2", ["node", HERE / "client.mjs", "2"]
    python = HERE / "venv" / "bin" / "python"
    if python.exists():
        yield "Python SDK", [python, HERE / "client.py"]


def plan(world):
    urls = {"url": world["api"] + "/mcp", "more": world["api"] + "/mcp/more"}
    return {**urls, **({} if world["registers"] else {"clientMetadataUrl": ID_URL})}


# What the second SDK for TypeScript says after that minute, and the first.
TIMED_OUT = ("REQUEST_TIMEOUT", "Request timed out")


def run_client(command, world):
    """One run of a client. Caddy 2.6 now and then, in one run of some eighty, cuts the service's
    answer itself ("reading from backend: use of closed network connection") after a check that was
    answered well, and the SDKs for TypeScript then wait a minute for it. So that is told, and tried
    once more."""
    for attempt in range(2):
        run = subprocess.run(
            [*command, json.dumps(plan(world))], capture_output=True, text=True, timeout=120, cwd=HERE
        )
        if attempt or not any(words in run.stderr for words in TIMED_OUT):
            return run
        print(f"{world['name']}: a request of the SDK timed out; tried once more", flush=True)


def flow(command, world):
    """The result of one client, and what was expected."""
    run = run_client(command, world)
    if run.returncode:
        yield "goes through", "ok", (run.stdout + run.stderr)[-1500:]
        return
    said = json.loads(run.stdout.splitlines()[-1])
    client = "mcp-clients" if world["registers"] else ID_URL
    shown = client.replace("%", "%25")
    yield "is known", client, said["clientId"]
    yield "calls a tool", f"{shown}|ann|read|none", said["first"]
    yield "refreshes", (f"{shown}|ann|read|none", True), (said["refreshed"], said["isRotated"])
    came = said["steppedUp"].split("|")
    yield "steps up", [shown, "ann", "read write", "none"], [*came[:2], " ".join(sorted(came[2].split())), came[3]]
    asked = [(it["resource"], sorted((it["scope"] or "").split())) for it in said["signIns"]]
    right = [(world["api"] + "/mcp", ["read"]), (world["api"] + "/mcp", ["read", "write"])]
    yield "asks for no more than is needed", right, asked
    bearer = {"Authorization": f"Bearer {said['token']}"}
    document = f'resource_metadata="{world["api"]}/.well-known/oauth-protected-resource'
    challenge = f'Bearer realm="oauth2d", {document}/other", error="invalid_token", scope="read"'
    yield "is refused elsewhere", (401, challenge, None), ask(world["proxy"], "/other", bearer)


def plain(world):
    """What is true without any client."""
    document = f'resource_metadata="{world["api"]}/.well-known/oauth-protected-resource/mcp"'
    yield "no token", (401, f'Bearer realm="oauth2d", {document}, scope="read"', None), ask(world["proxy"], "/mcp")
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    yield "a preflight", (204, None, "*"), ask(world["proxy"], "/mcp", preflight, "OPTIONS")


def worlds(service):
    for proxy, one_origin, registers in itertools.product((nginx, caddy), (True, False), (True, False)):
        world = {"service": service, "one_origin": one_origin, "registers": registers}
        world |= {"proxy": free_port(), "oauth2d": free_port(), "start": proxy}
        world["api"] = f"http://localhost:{world['proxy']}"
        world["issuer"] = world["api"] if one_origin else f"http://localhost:{world['oauth2d']}"
        origins = "one origin" if one_origin else "two origins"
        world["name"] = f"{proxy.__name__}, {origins}, {'registration' if registers else 'an id that is a URL'}"
        yield world


def config(world):
    client = "mcp-clients" if world["registers"] else ID_URL
    registration = "registration_client = mcp-clients" if world["registers"] else ""
    names = {"issuer": world["issuer"], "api": world["api"]}
    return CONFIG.format(client=client, registration=registration, **names)


class Processes:
    """What was started, with its standard error in a file."""

    def __init__(self, folder):
        self.running, self.errors = [], (folder / "errors").open("w+")

    def start(self, command, port):
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.errors, cwd=HERE)
        self.running.append(running)
        wait_for(port)

    def end(self):
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(20)


def try_world(program, world, commands):
    """How many checks pass in this world, and how many do not."""
    passed = failed = 0
    folder = pathlib.Path(tempfile.mkdtemp(prefix="oauth2d-mcp-"))
    processes = Processes(folder)
    try:
        (folder / "oauth2d.conf").write_text(config(world))
        listen = f"localhost:{world['oauth2d']}"
        processes.start([program, "--config", folder / "oauth2d.conf", "--listen", listen], world["oauth2d"])
        processes.start(world["start"](folder, world), world["proxy"])
        checks = [("proxy", plain(world)), *((name, flow(command, world)) for name, command in commands)]
        for name, results in checks:
            for what, right, came in results:
                holds = right == came
                passed, failed = passed + holds, failed + (not holds)
                tail = "ok" if holds else f"FAILED: {came} in place of {right}"
                print(f"{world['name']}: {name}: {what} ... {tail}", flush=True)
        if failed:
            print((folder / "errors").read_text()[-4000:])
    finally:
        processes.end()
        shutil.rmtree(folder, ignore_errors=True)
    return passed, failed


def has_node():
    """Whether the newest SDKs can run here: they need Node.js 20."""
    found = shutil.which("node") and subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    version = int(found[1:].split(".")[0]) if found else 0
    if version < 20:
        print(f"left out: the TypeScript SDKs need Node.js 20, here is {found or 'none'}")
    return version >= 20


def install(node):
    if node:
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    pip = [HERE / "venv" / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "venv", HERE / "venv"], check=True)
    subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True)


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    node = has_node()
    if not node:
        # The service uses the same SDK.
        print("mcp: 0 passed, 0 failed")
        return 0
    install(node)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="oauth2d-mcp-"))
    service, processes = free_port(), Processes(folder)
    passed = failed = 0
    try:
        processes.start(["node", HERE / "service.mjs", str(service)], service)
        for world in worlds(service):
            good, bad = try_world(program, world, list(clients(node)))
            passed, failed = passed + good, failed + bad
        if failed:
            print((folder / "errors").read_text()[-2000:])
    finally:
        processes.end()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"mcp: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
