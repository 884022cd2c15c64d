#!/usr/bin/env python3
"""The same program as client.mjs, with the official Python SDK. usage: client.py PLAN"""

import asyncio
import html
import json
import re
import sys
import urllib.parse

import httpx2
from mcp import ClientSession
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

plan = json.loads(sys.argv[1])
REDIRECT = "http://127.0.0.1:49152/callback"


class Storage:
    """What the program keeps between its requests."""

    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Person:
    """A person with a browser, as far as the pages need one."""

    def __init__(self):
        self.sign_ins, self.back = [], None

    async def redirect(self, url):
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
        self.sign_ins.append({name: asked.get(name, [None])[0] for name in ("scope", "resource")})
        async with httpx2.AsyncClient() as browser:
            page = await browser.get(url)
            assert page.status_code == 200, (url, page.headers, page.text)
            hidden = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
            form = {name: html.unescape(value) for name, value in hidden}
            form |= {"username": "ann", "password": "password", "decision": "allow"}
            action = urllib.parse.urljoin(url, re.search('action="([^"]*)"', page.text)[1])
            answer = await browser.post(action, data=form)
        assert answer.status_code == 303, answer.text
        self.back = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["location"]).query)

    async def callback(self):
        one = lambda name: self.back.get(name, [None])[0]
        return AuthorizationCodeResult(code=one("code"), state=one("state"), iss=one("iss"))


async def who(url, storage, person):
    provider = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(
            client_name="Test program",
            redirect_uris=[REDIRECT],
            token_endpoint_auth_method="none",
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
        ),
        storage=storage,
        redirect_handler=person.redirect,
        callback_handler=person.callback,
        client_metadata_url=plan.get("clientMetadataUrl"),
    )
    async with httpx2.AsyncClient(auth=provider, timeout=30) as browser:
        async with streamable_http_client(url, http_client=browser) as streams:
            async with ClientSession(streams[0], streams[1]) as session:
                await session.initialize()
                before = await call(session)
                return before, await after_expiry(session, storage, provider)


async def call(session):
    tools = (await session.list_tools()).tools
    return (await session.call_tool(tools[0].name, {})).content[0].text


async def after_expiry(session, storage, provider):
    """Refreshes by itself once it believes that its access token has expired."""
    before = storage.tokens
    provider.context.token_expiry_time = 1.0
    text = await call(session)
    after = storage.tokens
    rotated = before.access_token != after.access_token
    return text, rotated and before.refresh_token != after.refresh_token


async def main():
    storage, person = Storage(), Person()
    first, (refreshed, is_rotated) = await who(plan["url"], storage, person)
    token = storage.tokens.access_token
    stepped_up, _ = await who(plan["more"], storage, person)
    said = {
        "first": first,
        "refreshed": refreshed,
        "isRotated": is_rotated,
        "token": token,
        "steppedUp": stepped_up,
        "clientId": storage.client.client_id,
        "signIns": person.sign_ins,
    }
    print(json.dumps(said))


asyncio.run(main())
