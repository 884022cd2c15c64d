#!/usr/bin/env python3
"""What Python's libraries make of each fault, while they refresh a token.

usage: clients.py URL TOKENS SECONDS (its patience); prints a JSON object, library to what it made of it.
"""

import json
import sys
import time
import warnings

warnings.filterwarnings("ignore")
from authlib.integrations.requests_client import OAuth2Session as Authlib
from requests_oauthlib import OAuth2Session as RequestsOauthlib

PATIENCE = float(sys.argv[3])


def authlib(url, token):
    session = Authlib("authlib", "secret", token=token)
    return session.refresh_token(url, timeout=PATIENCE)


def requests_oauthlib(url, token):
    session = RequestsOauthlib("requests-oauthlib", token=token)
    return session.refresh_token(url, auth=("requests-oauthlib", "secret"), timeout=PATIENCE)


def told(refresh, url, old):
    """The result, in a few words."""
    token = {"access_token": "x", "token_type": "bearer", "refresh_token": old}
    try:
        new = refresh(url, token)
    except Exception as error:
        return f"{type(error).__name__}{about(error)}"
    kept = {None: "no", old: "keeps the old"}.get(new.get("refresh_token"), "a new")
    if new["expires_in"] == 1:
        time.sleep(2.1)
        return f"a token, {'expired' if new['expires_at'] < time.time() else 'good'} two seconds later"
    return f"a token, {kept} refresh token"


def about(error):
    code = getattr(error, "error", None)
    return f": {code}" if code else ""


if __name__ == "__main__":
    url, tokens = sys.argv[1], json.loads(sys.argv[2])
    libraries = {"authlib": authlib, "requests-oauthlib": requests_oauthlib}
    print(json.dumps({name: told(refresh, url, tokens[name]) for name, refresh in libraries.items()}))
