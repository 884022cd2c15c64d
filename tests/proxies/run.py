#!/usr/bin/env python3
"""The README's recipes for nginx, Caddy and HAProxy, in the real programs, in front of a service.

usage: run.py PROGRAM. Needs nginx, caddy, haproxy and python3; ends in 'N passed, N failed'.
With HAPROXY_LUA=FOLDER HAProxy loads the real haproxy-auth-request in place of our stand-in.
"""

import http.client
import json
import os
import pathlib
import re
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import wsgiref.simple_server

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import parts
from parts import free_port, wait_for

HERE = pathlib.Path(__file__).resolve().parent
CONFIG = """[server]
log = off
[client app]
secret = secret
grants = password client_credentials
scopes = read write
default_scopes = read
[user ann]
password = password
"""
# What a client may send in the hope that a service takes it for ours: a WSGI service sees no
# difference between a hyphen and an underscore, a PHP one none between an underscore and a dot.
FORGED = {
    before + middle.join(("Auth", name)): "root"
    for name in ("Client", "User", "Scope")
    for before in ("X-", "X_", "X.")
    for middle in "-_."
}


def service(environ, start_response):
    """A WSGI service: answers with what it was told about the caller, and the body."""
    told = {}
    for key, value in environ.items():
        key = re.sub("[^A-Z0-9]", "_", key.upper())
        if key.startswith("HTTP_X_AUTH_"):
            told.setdefault(key, []).append(value)
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    text = json.dumps({"told": told, "body": body}).encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


def ask(port, fields=None, method="GET", path="/api/x", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, fields or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    return answer.status, json.loads(text) if answer.status == 200 else text


def recipe(name, ports):
    """The indented block below **NAME** in the README, with the ports of this run."""
    block = parts.recipe(name)
    return block.replace(":3000", f":{ports['oauth2d']}").replace(":8080", f":{ports['service']}")


def start_nginx(folder, ports):
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\nhttp {{\n"
        f"access_log off;\nserver {{\nlisten 127.0.0.1:{ports['nginx']};\n"
        f"{recipe('nginx', ports)}}}\n}}\n"
    )
    return ["nginx", "-p", folder, "-c", folder / "nginx.conf"]


def start_caddy(folder, ports):
    (folder / "Caddyfile").write_text(
        "{\nadmin off\nauto_https off\n}\n"
        f"http://127.0.0.1:{ports['Caddy']} {{\n{recipe('Caddy', ports)}}}\n"
    )
    return ["caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]


def start_haproxy(folder, ports):
    # The Lua files that the README names have to be fetched by hand; ours replaces them.
    files = os.environ.get("HAPROXY_LUA")
    loads = f"lua-prepend-path {files}/?.lua\n    lua-load {files}/auth-request.lua"
    if not files:
        print("HAProxy: HAPROXY_LUA names no folder with its Lua files; a stand-in is used")
        loads = f"lua-load {HERE / 'auth-intercept.lua'}"
    front = recipe("HAProxy", ports).replace("bind :80", f"bind 127.0.0.1:{ports['HAProxy']}")
    (folder / "haproxy.cfg").write_text(
        f"global\n    {loads}\ndefaults\n    mode http\n    timeout connect 5s\n"
        f"    timeout client 20s\n    timeout server 20s\n{front}"
    )
    return ["haproxy", "-db", "-f", folder / "haproxy.cfg"]


def tokens(port):
    """A token of ann's, one of hers that lacks the scope, and one of the client's own."""

    def token(**form):
        form = urllib.parse.urlencode({"client_id": "app", "client_secret": "secret", **form})
        fields = {"Content-Type": "application/x-www-form-urlencoded"}
        return "Bearer " + ask(port, fields, "POST", "/oauth/token", form)[1]["access_token"]

    password = {"grant_type": "password", "username": "ann", "password": "password"}
    return (
        token(**password),
        token(**password, scope="write"),
        token(grant_type="client_credentials"),
    )


def checks(port, good, lacking, alone):
    """What is true behind every proxy, with what was answered."""
    status = lambda *arguments: ask(port, *arguments)[0]
    yield "no token", 401, status()
    yield "forged fields and no token", 401, status(FORGED)
    yield "a bad token", 401, status({"Authorization": "Bearer nonsense"})
    yield "a malformed token", 401, status({"Authorization": "Bearer a b"})
    yield "a missing scope", 403, status({"Authorization": lacking})
    yield "a preflight without a token", 401, status({"Origin": "https://a"}, "OPTIONS")
    user, client, scope = "HTTP_X_AUTH_USER", "HTTP_X_AUTH_CLIENT", "HTTP_X_AUTH_SCOPE"
    told = {client: ["app"], user: ["ann"], scope: ["read"]}
    upload = "x" * 300_000
    came = ask(port, {"Authorization": good}, "POST", "/api/x", upload)
    yield "a POST with a body", (200, {"told": told, "body": upload}), came
    came = ask(port, {"Authorization": good, **FORGED})
    yield "a good token and forged fields", (200, {"told": told, "body": ""}), came
    # Without a user the field is empty or missing.
    status, answer = ask(port, {"Authorization": alone, **FORGED})
    came = {name: values for name, values in answer["told"].items() if values != [""]}
    yield "a client's own token and forged fields", {client: ["app"], scope: ["read"]}, came


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="oauth2d-proxies-"))
    (folder / "oauth2d.conf").write_text(CONFIG)
    proxies = {"nginx": start_nginx, "Caddy": start_caddy, "HAProxy": start_haproxy}
    ports = {name: free_port() for name in ("oauth2d", "service", *proxies)}
    server = Server(("127.0.0.1", ports["service"]), Handler)
    server.set_app(service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    listen = f"127.0.0.1:{ports['oauth2d']}"
    commands = [[sys.argv[1], "--config", folder / "oauth2d.conf", "--listen", listen]]
    commands += [start(folder, ports) for start in proxies.values()]
    running, passed, failed = [], 0, 0
    try:
        errors = (folder / "errors").open("w")
        for command in commands:
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors))
        for port in ports.values():
            wait_for(port)
        three = tokens(ports["oauth2d"])
        for name in proxies:
            for what, right, came in checks(ports[name], *three):
                holds = came == right
                passed, failed = passed + holds, failed + (not holds)
                print(f"{name}: {what} ... {'ok' if holds else f'FAILED: {str(came)[:500]}'}")
        if failed:
            print((folder / "errors").read_text()[-2000:])
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"proxies: {passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
