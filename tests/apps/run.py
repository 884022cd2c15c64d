#!/usr/bin/env python3
"""The README's recipes for applications and for tests, in the real applications and test runners.

usage: run.py PROGRAM [NAME]. Needs what requirements.txt and package.json name; run it with a
Python that has the former. Ends in 'N passed, N failed'.
"""

import contextlib
import html.parser
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

import requests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from parts import README, free_port

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = pathlib.Path(sys.argv[1]).resolve()
MODULES = HERE / "node_modules"
PATIENCE = 60

PEOPLE = """
[user ann]
password = password
name = Ann Example
groups = staff admins
[user bob]
password = password
groups = staff
[user eve]
password = password
"""


def recipe(name):
    """The indented block below **NAME** in the README."""
    text = README.split(f"**{name}**", 1)[1]
    block = re.search(r"\n\n((?:(?:    .*)?\n)+)", text).group(1)
    return re.sub("(?m)^    ", "", block)


def here(text, ports):
    """A recipe with the addresses of this run."""
    text = text.replace("https://auth.example.com", f"http://localhost:{ports['oauth2d']}")
    return re.sub(r"https://\w+\.example\.com", f"http://localhost:{ports['app']}", text)


class Processes:
    """What a check starts, in its own folder; all of it ends with the check."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="oauth2d-apps-"))
        self.running = []

    def __enter__(self):
        return self

    def start(self, command, **more):
        log = open(self.folder / "log", "ab")
        environment = {**os.environ, "PATH": f"{MODULES}/.bin:{os.environ['PATH']}"}
        more = {"stdout": log, "stderr": log, "cwd": self.folder, "env": environment, **more}
        command = [str(word) for word in command]
        # Its own session, so that what it has started ends with it.
        self.running.append(subprocess.Popen(command, start_new_session=True, **more))
        return self.running[-1]

    def oauth2d(self, config):
        """Starts a server with this configuration, and returns its address."""
        file = self.folder / "oauth2d.conf"
        file.write_text(config)
        server = self.start([PROGRAM, "--config", file], stdout=subprocess.PIPE, text=True)
        return server.stdout.readline().split()[-1]

    def __exit__(self, kind, *_):
        for process in reversed(self.running):
            process.terminate()
        for process in self.running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                pass
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if kind and self.running:
            print((self.folder / "log").read_text(errors="replace")[-6000:])
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_for(url):
    for _ in range(PATIENCE * 10):
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}")


class Form(html.parser.HTMLParser):
    """The only form of a page."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = None, {}
        self.feed(page.text)
        self.action = urllib.parse.urljoin(page.url, self.action)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.action = attributes["action"]
        elif tag == "input":
            self.fields[attributes["name"]] = attributes.get("value", "")


def sign_in(start, user, decision="allow"):
    """A person who starts at this address and signs in: their browser, and the page they arrive at."""
    browser = requests.Session()
    page = browser.get(start)
    assert "<title>Sign in</title>" in page.text, page.text
    assert "It will read: your name, your groups." in page.text, page.text
    form = Form(page)
    entered = {"username": user, "password": "password", "decision": decision}
    return browser, browser.post(form.action, {**form.fields, **entered})


def client(name, redirect_uri):
    return (
        f"[client {name}]\nsecret = SECRET\ngrants = authorization_code\n"
        f"scopes = profile email groups\ndefault_scopes = profile\nrequire_pkce = yes\n"
        f"redirect_uris = {redirect_uri}\n"
    )


def jupyterhub(processes):
    ports = {name: free_port() for name in ("oauth2d", "app", "hub", "api")}
    hub = f"http://localhost:{ports['app']}/hub"
    listen = f"[server]\nlisten = localhost:{ports['oauth2d']}\n"
    processes.oauth2d(listen + client("jupyterhub", f"{hub}/oauth_callback") + PEOPLE)
    (processes.folder / "jupyterhub_config.py").write_text(
        f"c.JupyterHub.bind_url = 'http://localhost:{ports['app']}'\n"
        f"c.JupyterHub.hub_port = {ports['hub']}\n"
        f"c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:{ports['api']}'\n"
        "c.JupyterHub.default_url = '/hub/home'\n" + here(recipe("JupyterHub"), ports)
    )
    processes.start([sys.executable, "-m", "jupyterhub", "-f", "jupyterhub_config.py"])
    wait_for(f"{hub}/login")
    for user, may_administrate in (("ann", True), ("bob", False)):
        browser, page = sign_in(f"{hub}/oauth_login", user)
        assert (page.status_code, page.url) == (200, f"{hub}/home"), page.text
        assert f'user: "{user}"' in page.text
        status = browser.get(f"{hub}/admin", allow_redirects=False).status_code
        assert status == (200 if may_administrate else 403), (user, status)
    _, page = sign_in(f"{hub}/oauth_login", "eve")
    assert page.status_code == 403 and "not currently authorized" in page.text, page.text
    browser, page = sign_in(f"{hub}/oauth_login", "ann", "deny")
    assert page.status_code == 400 and "the user has denied the request" in page.text
    assert browser.get(f"{hub}/admin", allow_redirects=False).status_code == 302


def node_red(processes):
    ports = {name: free_port() for name in ("oauth2d", "app")}
    red = f"http://localhost:{ports['app']}"
    listen = f"[server]\nlisten = localhost:{ports['oauth2d']}\n"
    processes.oauth2d(listen + client("node-red", f"{red}/auth/strategy/callback") + PEOPLE)
    settings = processes.folder / "settings.js"
    settings.write_text(here(recipe("Node-RED"), ports))
    (processes.folder / "node_modules").symlink_to(MODULES)
    processes.start(["node-red", "-u", processes.folder, "-s", settings, "-p", ports["app"]])
    wait_for(red)
    assert requests.get(f"{red}/flows").status_code == 401
    for user, permissions, status in (("ann", "*", 204), ("bob", "read", 401)):
        _, page = sign_in(f"{red}/auth/strategy", user)
        query = page.url.partition("?access_token=")[2]
        fields = {"Authorization": f"Bearer {query}"}
        told = requests.get(f"{red}/settings", headers=fields).json()["user"]
        assert told == {"username": user, "permissions": permissions}, told
        assert requests.get(f"{red}/flows", headers=fields).status_code == 200
        assert requests.post(f"{red}/flows", headers=fields, json=[]).status_code == status, user
    for user, decision in (("eve", "allow"), ("ann", "deny")):
        _, page = sign_in(f"{red}/auth/strategy", user, decision)
        assert "access_token" not in page.url, page.url


def with_program(processes):
    """An environment in which tests find the program by name."""
    (processes.folder / "bin").mkdir()
    (processes.folder / "bin" / "oauth2d").symlink_to(PROGRAM)
    return {**os.environ, "PATH": f"{processes.folder}/bin:{os.environ['PATH']}"}


def must_pass(processes, command, passed):
    """Runs tests to their end, which must say how many have passed."""
    out = subprocess.run(
        command, cwd=processes.folder, env=with_program(processes), capture_output=True, text=True
    )
    assert out.returncode == 0 and passed in out.stdout, out.stdout + out.stderr


def pytest(processes):
    (processes.folder / "test_client.py").write_text(recipe("pytest"))
    must_pass(processes, [sys.executable, "-m", "pytest", "-q", "test_client.py"], "5 passed")


def node_test(processes):
    (processes.folder / "client.test.mjs").write_text(recipe("Node.js"))
    (processes.folder / "node_modules").symlink_to(MODULES)
    must_pass(processes, ["node", "--test", "--test-reporter=tap"], "\n# pass 5\n")


def compose(processes):
    """The Compose file's configuration, asked under both names."""
    content = recipe("Compose").split("content: |\n", 1)[1]
    config = re.sub("(?m)^ {6}", "", content)
    url = processes.oauth2d(config.replace("0.0.0.0:3000", "localhost:0"))
    ask = "/oauth/authorize?response_type=code&client_id=app&state=x"
    browser = requests.get(
        url + ask, headers={"Host": "localhost:3000"}, allow_redirects=False
    ).headers["Location"]
    assert browser.endswith("&iss=http%3A%2F%2Flocalhost%3A3000"), browser
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(browser).query)["code"]
    inside = {"Host": "oauth2d:3000"}
    metadata = requests.get(f"{url}/.well-known/oauth-authorization-server", headers=inside).json()
    assert metadata["token_endpoint"] == "http://oauth2d:3000/oauth/token", metadata
    form = {"grant_type": "authorization_code", "code": code}
    token = requests.post(f"{url}/oauth/token", form, headers=inside, auth=("app", "secret")).json()
    fields = {**inside, "Authorization": f"Bearer {token['access_token']}"}
    assert requests.get(f"{url}/oauth/userinfo", headers=fields).json()["sub"] == "ann"


LIBRARIES = ("authlib", "requests-oauthlib", "openid-client", "oauth4webapi", "simple-oauth2")
FAULTS = (
    "ok invalid_client invalid_grant temporarily_unavailable status:418 status:429 status:500 "
    "delay:2 close truncated garbage short no_refresh_token"
).split()


def seen(fault):
    """What each library makes of the fault while it refreshes a token."""
    config = "[server]\ntesting = yes\nlisten = localhost:0\nlog = off\n" + PEOPLE
    for name in LIBRARIES:
        grants = "grants = password refresh_token"
        config += f"[client {name}]\nsecret = secret\n{grants}\nfaults = ok {fault}\n"
    with Processes() as processes:
        url = processes.oauth2d(config)
        form = {"grant_type": "password", "username": "ann", "password": "password"}
        tokens = json.dumps({
            name: requests.post(f"{url}/oauth/token", form, auth=(name, "secret")).json()["refresh_token"]
            for name in LIBRARIES
        })
        found = {}
        patience = "1" if fault.startswith("delay") else str(PATIENCE)
        for command in (
            [sys.executable, HERE / "clients.py", f"{url}/oauth/token", tokens, patience],
            ["node", HERE / "clients.mjs", url, tokens, patience],
        ):
            insecure = {"AUTHLIB_INSECURE_TRANSPORT": "1", "OAUTHLIB_INSECURE_TRANSPORT": "1"}
            environment = {**os.environ, **insecure}
            out = subprocess.run(command, env=environment, capture_output=True, text=True)
            assert out.returncode == 0, out.stderr
            found.update(json.loads(out.stdout))
    return found


def table():
    """The README's table of faults, as measured now."""
    head = ["word", *LIBRARIES]
    rows = [head, ["---"] * len(head)]
    for fault in FAULTS:
        found = seen(fault)
        rows.append([f"`{fault}`", *(found[name] for name in LIBRARIES)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def faults(_):
    found = table()
    missing = [line for line in found.splitlines() if line not in README]
    assert not missing, "the README's table does not say what is seen:\n" + found


CHECKS = (jupyterhub, node_red, pytest, node_test, compose, faults)


def main():
    passed = failed = 0
    for check in CHECKS:
        if sys.argv[2:] and check.__name__ not in sys.argv[2:]:
            continue
        try:
            with Processes() as processes:
                check(processes)
            passed += 1
            print(f"ok      {check.__name__}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAILED  {check.__name__}: {type(error).__name__}: {error}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
