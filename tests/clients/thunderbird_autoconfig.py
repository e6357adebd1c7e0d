"""Thunderbird, without a screen, is given an address and finds its account by our file.

    python thunderbird_autoconfig.py URL ADDRESS

Tells as JSON what its own reader made of the file. Asking the DNS for autoconfig.DOMAIN is left
out; fetching, parsing, checking and filling in are Thunderbird's.
"""

import json
import sys

from thunderbird import PATIENCE, running

SCRIPT = """
const [url, emailaddress, tell] = arguments;
const load = name => ChromeUtils.importESModule(`resource:///modules/accountcreation/${name}.sys.mjs`);
const { fetchHTTP } = load("FetchHTTP");
const { readFromXML } = load("readFromXML");
const { AccountConfig } = load("AccountConfig");
const { nsMsgSocketType: socket, nsMsgAuthMethod: auth } = Ci;
const words = { [socket.SSL]: "implicit", [socket.alwaysSTARTTLS]: "starttls" };
const server = each => ({
  type: each.type,
  hostname: each.hostname,
  port: each.port,
  username: each.username,
  security: words[each.socketType] ?? "none",
  password: each.auth == auth.passwordCleartext,
});
fetchHTTP(url, { urlArgs: { emailaddress } })
  .then(xml => {
    const config = readFromXML(xml, "test");
    AccountConfig.replaceVariables(config, "Ana", emailaddress);
    tell({
      domains: config.domains,
      complete: config.isComplete(),
      incoming: server(config.incoming),
      outgoing: server(config.outgoing),
    });
  })
  .catch(error => tell({ error: `${error}` }));
"""


def main() -> None:
    given = {"port": 25, "secure": False, "user": "nobody", "from": "nobody@example.com"}
    with running(given) as marionette:
        marionette.timeout.script = PATIENCE
        with marionette.using_context("chrome"):
            found = marionette.execute_async_script(
                SCRIPT, script_args=sys.argv[1:], new_sandbox=True
            )
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
