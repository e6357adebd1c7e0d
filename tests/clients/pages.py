"""The sender's pages as a browser would use them, over plain HTTP on loopback."""

import html
import http.client
import re
from urllib.parse import urlencode

from e2e.house import PATIENCE

FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


class Pages:
    """Signed in as one sender from `sign_in` on; follows no redirect."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._cookies: dict[str, str] = {}
        self._token = ""

    def get(self, path: str) -> tuple[int, str]:
        return self._ask("GET", path, None)

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        return self._ask("POST", path, urlencode({"form_token": self._token, **fields}))

    def sign_in(self, login: str, password: str) -> None:
        self.get("/sign-in")
        status, told = self.post("/sign-in", login=login, password=password)
        assert status == 303, told

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        for cookie in response.headers.get_all("Set-Cookie", ()):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        text = response.read().decode()
        if found := FORM_TOKEN.search(text):
            self._token = found[1]
        return response.status, text


def code_of(page: str, id_: str) -> str:
    """What the page's button for this element copies."""
    (found,) = re.findall(rf'<code id="{id_}">(.*?)</code>', page, re.DOTALL)
    assert isinstance(found, str)
    return html.unescape(found)
