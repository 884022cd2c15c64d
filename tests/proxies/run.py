#!/usr/bin/env python3
"""The README's recipes for nginx and Caddy, in the real programs, in front of a service.

usage: run.py PROGRAM. Needs nginx, caddy and python3; ends in 'N passed, N failed'.
"""

import http.client
import http.server
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service(http.server.BaseHTTPRequestHandler):
    """Answers with what it was told of the caller, and the body."""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        told = {k.lower(): v for k, v in self.headers.items() if k.lower().startswith("x-auth-")}
        text = json.dumps({"method": self.command, "body": body, "told": told}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_OPTIONS = answer

    def log_message(self, *_):
        pass


def ask(port, method="GET", path="/api/x", body=None, **fields):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def wait_for(port):
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on {port}")


def recipe(name):
    """The indented block below **NAME** in the README."""
    text = (ROOT / "README.md").read_text().split(f"**{name}**", 1)[1]
    return re.search(r"\n\n((?:    .*\n)+)", text).group(1)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="oauth2d-proxies-"))
    running = []
    try:
        (folder / "oauth2d.conf").write_text(CONFIG)
        ours, service, nginx, caddy = (free_port() for _ in range(4))
        arguments = ["--config", str(folder / "oauth2d.conf"), "--listen", f"127.0.0.1:{ours}"]
        running.append(subprocess.Popen([sys.argv[1], *arguments], stdout=subprocess.DEVNULL))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", service), Service)
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def real(name):
            return recipe(name).replace("127.0.0.1:3000", f"127.0.0.1:{ours}").replace(
                "127.0.0.1:8080", f"127.0.0.1:{service}"
            )

        (folder / "nginx.conf").write_text(
            f"daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\nhttp {{\n"
            f"access_log off;\nserver {{\nlisten 127.0.0.1:{nginx};\n{real('nginx')}}}\n}}\n"
        )
        (folder / "Caddyfile").write_text(
            "{\nadmin off\nauto_https off\n}\n" f"http://127.0.0.1:{caddy} {{\n{real('Caddy')}}}\n"
        )
        quiet = {"stdout": subprocess.DEVNULL, "stderr": (folder / "errors").open("w")}
        running.append(
            subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], **quiet)
        )
        config = ["--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
        running.append(subprocess.Popen(["caddy", "run", *config], **quiet))
        for port in (ours, nginx, caddy):
            wait_for(port)

        def token(**form):
            form = {"client_id": "app", "client_secret": "secret", **form}
            text = urllib.parse.urlencode(form)
            kind = "application/x-www-form-urlencoded"
            return json.loads(ask(ours, "POST", "/oauth/token", text, Content_Type=kind)[1])[
                "access_token"
            ]

        password = {"grant_type": "password", "username": "ann", "password": "password"}
        good = "Bearer " + token(**password)
        lacking = "Bearer " + token(**password, scope="write")
        alone = "Bearer " + token(grant_type="client_credentials")
        ann = {"x-auth-client": "app", "x-auth-user": "ann", "x-auth-scope": "read"}
        passed = failed = 0
        for name, port in (("nginx", nginx), ("Caddy", caddy)):
            forged = {"X_Auth_User": "root", "X_Auth_Client": "root", "X_Auth_Scope": "admin"}
            status, text = ask(port, Authorization=good, **forged)
            told = json.loads(text)["told"] if status == 200 else text
            status_alone, text = ask(port, Authorization=alone, **forged)
            told_alone = json.loads(text)["told"] if status_alone == 200 else text
            upload = "x" * 300_000
            status_post, text = ask(port, "POST", body=upload, Authorization=good)
            checks = {
                "no token": ask(port)[0] == 401,
                "a forged name and no token": ask(port, **forged)[0] == 401,
                "a bad token": ask(port, Authorization="Bearer nonsense")[0] == 401,
                "a malformed token": ask(port, Authorization="Bearer a b")[0] == 401,
                "a missing scope": ask(port, Authorization=lacking)[0] == 403,
                "a good token, forged names": (status, told) == (200, ann),
                "a client alone, forged names": status_alone == 200
                and told_alone.get("x-auth-user", "") == ""
                and told_alone.get("x-auth-client") == "app",
                "a POST with a body": status_post == 200 and json.loads(text)["body"] == upload,
                "a preflight without a token": ask(port, "OPTIONS", Origin="https://a")[0] == 401,
            }
            for what, holds in checks.items():
                passed, failed = passed + holds, failed + (not holds)
                print(f"{name}: {what} ... {'ok' if holds else 'FAILED'}")
        if failed:
            print(told, told_alone, status_post, (folder / "errors").read_text()[-2000:])
        print(f"proxies: {passed} passed, {failed} failed")
        return 1 if failed else 0
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())
