"""What the gateway says over plain HTTP (GW-16, DASH-5)."""

import asyncio
import http.client
import json
import re

from tests.builders.wire import open_server, run_story


async def get(server, path, **headers):
    def fetch():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer, body

    return await asyncio.to_thread(fetch)


def test_that_the_gateway_lives_is_told_to_everybody_and_nothing_else():
    async def story():
        async with open_server() as (server, _):
            for path in ("/health", "/healthz"):
                answer, body = await get(server, path)
                assert (answer.status, json.loads(body)) == (200, {"ok": True})

    run_story(story)


def test_the_first_page_says_what_is_running_and_how_to_talk_to_it():
    async def story():
        async with open_server() as (server, _):
            answer, body = await get(server, "/")
            assert answer.status == 200
            assert "Instar 0.1.0 is running" in body
            assert "instar chat" in body
            assert f"ws://127.0.0.1:{server.port}/" in body
            assert "<script" not in body
            assert not re.search(r"\son\w+=", body)

    run_story(story)


def test_a_hostile_host_header_stays_text():
    async def story():
        async with open_server() as (server, _):
            _, body = await get(server, "/", Host='"><script>alert(1)</script>')
            assert "<script" not in body

    run_story(story)


def test_no_other_site_may_frame_or_read_a_page():
    async def story():
        async with open_server() as (server, _):
            for path in ("/", "/healthz", "/nothing", "/control-ui-config.json"):
                answer, _ = await get(server, path, Origin="http://evil.example")
                policy = answer.headers["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["x-frame-options"] == "DENY"
                assert answer.headers["referrer-policy"] == "no-referrer"
                assert answer.headers["access-control-allow-origin"] is None

    run_story(story)


def test_the_style_of_the_page_is_the_one_that_its_policy_names():
    import base64
    import hashlib

    async def story():
        async with open_server() as (server, _):
            answer, body = await get(server, "/")
            style = re.search(r"<style>(.*)</style>", body)
            assert style
            digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
            assert f"'sha256-{digest}'" in answer.headers["content-security-policy"]

    run_story(story)


def test_a_control_ui_is_told_where_it_is():
    async def story():
        async with open_server() as (server, _):
            for path in ("/control-ui-config.json", "/__openclaw/control-ui-config.json"):
                answer, body = await get(server, path)
                assert answer.status == 200
                assert json.loads(body)["assistantAgentId"] == "main"

    run_story(story)


def test_what_is_not_there_is_404_as_json():
    async def story():
        async with open_server() as (server, _):
            for path in ("/nothing", "/channels/none/inbound", "/../../etc/passwd", "/%2e%2e/%00"):
                answer, body = await get(server, path)
                assert answer.status == 404, path
                assert json.loads(body) == {"error": "Not Found"}

    run_story(story)
