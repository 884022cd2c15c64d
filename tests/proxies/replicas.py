#!/usr/bin/env python3
"""The README's two replicas behind nginx, with a real engine: a rolling restart under load.

usage: replicas.py PROGRAM. Needs redis-server, nginx, openssl and python3; ends in 'N passed, N failed'.
"""

import base64
import http.client
import json
import pathlib
import random
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from parts import free_port, recipe, report, wait_for

PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
PATIENCE = 60
CLIENTS = """control = control.sock
[client app]
secret = secret
grants = password client_credentials refresh_token
[user ann]
password = password
"""
FIELDS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Authorization": "Basic " + base64.b64encode(b"app:secret").decode(),
}
UNVERIFIED = ssl._create_unverified_context()


class Client:
    """A client with a connection to nginx, which is opened again if nginx has closed it."""

    def __init__(self, port):
        self.connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=UNVERIFIED)

    def ask(self, method, path, fields, body=None):
        self.connection.request(method, path, body, fields)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    def post(self, path, **form):
        """The members of the answer, which must be 200."""
        status, text = self.ask("POST", path, FIELDS, urllib.parse.urlencode(form))
        if status != 200:
            raise ValueError(f"{path}: {status} {text}")
        return json.loads(text)

    def is_good(self, token):
        return self.ask("GET", "/", {"Authorization": f"Bearer {token}"})[0] == 200


class Replica:
    """One of the two, in its own folder, as on its own machine."""

    def __init__(self, name, folder, port, config):
        self.folder, self.port = folder / name, port
        self.folder.mkdir()
        self.config = self.folder / "oauth2d.conf"
        self.config.write_text(config)
        self.config.chmod(0o600)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAM, "--config", self.config, "--listen", f"127.0.0.1:{self.port}"],
            stdout=subprocess.PIPE, stderr=(self.folder / "log").open("a"),
        )
        self.process.stdout.readline()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def run(self, *arguments):
        command = [PROGRAM, *arguments, "--config", self.config]
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout

    def answers(self):
        return (self.folder / "log").read_text().count(" 200 ")

    def is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200


def eventually(holds, what):
    until = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > until:
            raise SystemExit(f"not within {PATIENCE} seconds: {what}")
        time.sleep(0.02)


class Load:
    """Clients of four kinds that ask without a pause, and what they have seen."""

    def __init__(self, port):
        self.port, self.failures, self.tokens, self.chains = port, [], [], []
        self.asked, self.is_over = 0, threading.Event()
        kinds = [self.token, self.refresh, self.bearer, self.introspect]
        self.tokens.append(self.token(Client(port), None))
        self.threads = [threading.Thread(target=self.work, args=[kind]) for kind in kinds * 2]
        for thread in self.threads:
            thread.start()

    def work(self, kind):
        client, before = Client(self.port), None
        while not self.is_over.is_set():
            try:
                before = kind(client, before)
            except Exception as error:
                self.failures.append(f"{kind.__name__}: {error!r}")
                client, before = Client(self.port), None
            self.asked += 1
        if kind == self.refresh and before:
            self.chains.append(before["access_token"])

    def token(self, client, _):
        token = client.post("/oauth/token", grant_type="client_credentials")["access_token"]
        self.tokens.append(token)
        return token

    def refresh(self, client, before):
        if not before:
            form = {"grant_type": "password", "username": "ann", "password": "password"}
        else:
            form = {"grant_type": "refresh_token", "refresh_token": before["refresh_token"]}
        return client.post("/oauth/token", **form)

    def bearer(self, client, _):
        if not client.is_good(random.choice(self.tokens)):
            raise ValueError("a token is not good")

    def introspect(self, client, _):
        token = random.choice(self.tokens)
        if not client.post("/oauth/introspect", token=token)["active"]:
            raise ValueError("a token is not active")

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


def shared(replicas):
    """What is true of two replicas, each asked by itself."""
    one, other = (plain(replica.port) for replica in replicas)
    first = one("/oauth/token", grant_type="password", username="ann", password="password")
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = other("/oauth/token", **again)
    active = lambda ask, answer: ask("/oauth/introspect", token=answer["access_token"])["active"]
    yield "a token of one is good at the other", True, active(one, second)
    reuse = one("/oauth/token", **again)
    yield "reuse that one sees ends what the other gave", ("invalid_grant", False), (
        reuse.get("error"), active(other, second))
    token = other("/oauth/token", grant_type="client_credentials")
    listed = replicas[0].run("--tokens", "--client", "app")
    yield "one lists what the other gave", True, " access " in listed
    yield "one ends what the other gave", (True, False), (
        replicas[0].run("--end", "--client", "app").startswith("revoked "), active(other, token))


def plain(port):
    """Asks one replica: the members of its answer, whatever the status."""

    def ask(path, **form):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", path, urllib.parse.urlencode(form), FIELDS)
        return json.loads(connection.getresponse().read())

    return ask


def rolling_restarts(replicas, port, rounds):
    """Restarts each replica in turn, under load."""
    load = Load(port)
    exits = []
    for replica in replicas * rounds:
        # nginx sends to this one, and to the other.
        for each in replicas:
            had = each.answers()
            eventually(lambda: each.answers() > had + 20, f"nginx sends to {each.port}")
        exits.append(replica.stop())
        replica.start()
        eventually(replica.is_ready, f"{replica.port} is ready")
    load.end()
    client = Client(port)
    bad = sum(not client.is_good(token) for token in load.tokens + load.chains)
    print(f"{len(exits)} restarts: {len(load.failures)} of {load.asked} requests failed, "
          f"{bad} of {len(load.tokens) + len(load.chains)} tokens are lost")
    yield "replicas stop in order", [0] * len(exits), exits
    yield "no request fails while replicas restart in turn", [], load.failures[:20]
    yield "no token is lost, no chain of refreshes broken", (0, 2), (bad, len(load.chains))


def killed_engine(replicas, kill_and_start):
    """Kills the engine and starts it with the README's own configuration."""
    one, _ = (plain(replica.port) for replica in replicas)
    ended = one("/oauth/token", grant_type="password", username="ann", password="password")
    given = one("/oauth/token", grant_type="password", username="ann", password="password")
    one("/oauth/revoke", token=ended["refresh_token"])
    kill_and_start()
    for replica in replicas:
        eventually(replica.is_ready, f"{replica.port} is ready again")
    active = lambda answer: one("/oauth/introspect", token=answer["access_token"])["active"]
    kept = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
    yield "of an engine that was killed what ended stays ended, and what was given lives on", (
        False, True, None), (active(ended), active(given), one("/oauth/token", **kept).get("error"))


def start_engine(folder, port):
    text = recipe("The engine").replace("port 6379", f"port {port}").replace("    ", "")
    (folder / "redis.conf").write_text(f"{text}dir {folder}\n")
    return ["redis-server", folder / "redis.conf"]


def start_nginx(folder, backends, port):
    block = recipe("nginx, in front of two replicas")
    for own, backend in zip((3001, 3002), backends):
        block = block.replace(f"127.0.0.1:{own}", f"127.0.0.1:{backend}")
    block = block.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    block = block.replace("/etc/ssl/auth.example.com.", f"{folder}/tls.")
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; worker_processes 2;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{block}}}\n"
    )
    return ["nginx", "-p", folder, "-c", folder / "nginx.conf"]


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="oauth2d-replicas-"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=auth.example.com", "-keyout", folder / "tls.key", "-out", folder / "tls.pem"],
        check=True, stderr=subprocess.DEVNULL,
    )
    engine, port, *backends = (free_port() for _ in range(4))
    errors = (folder / "errors").open("w")
    running, replicas, results = [], [], []
    engine_command = start_engine(folder, engine)

    def run(command):
        return subprocess.Popen(command, stdout=errors, stderr=errors)

    def kill_and_start():
        running[0].kill()
        running[0].wait()
        running[0] = run(engine_command)
        wait_for(engine)

    try:
        for own, command in (
            (engine, engine_command), (port, start_nginx(folder, backends, port))):
            running.append(run(command))
            wait_for(own)
        config = recipe("Each replica").replace("127.0.0.1:6379", f"127.0.0.1:{engine}") + CLIENTS
        for name, backend in zip(("first", "second"), backends):
            replicas.append(Replica(name, folder, backend, config))
        results += [("each replica is ready", True, all(it.is_ready() for it in replicas))]
        results += shared(replicas)
        results += killed_engine(replicas, kill_and_start)
        results += rolling_restarts(replicas, port, 3)
    finally:
        for replica in replicas:
            replica.stop()
        for process in reversed(running):
            process.terminate()
            process.wait(20)
        errors.close()
        told = [(file.read_text()[-2000:]) for file in (folder / "errors", *folder.glob("*/log"))]
        shutil.rmtree(folder, ignore_errors=True)
    return report("replicas", results, told)


sys.exit(main())
