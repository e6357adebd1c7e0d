"""The services of Apprise that senders may name: those that are asked over HTTP, and mail.

Left out are those that act on this machine (a desktop, a bus, its log), need programs or devices,
speak other protocols than HTTP and SMTP, or pass on to whatever another Apprise knows.
"""

SCHEMES = frozenset(
    {
        *("bark", "barks", "discord", "feishu", "flock", "form", "forms", "gchat"),
        *("gotify", "gotifys", "guilded", "hassio", "hassios", "ifttt", "join", "json", "jsons"),
        *("lametric", "lametrics", "lark", "line", "mailto", "mailtos", "mastodon", "mastodons"),
        *("matrix", "matrixs", "mmost", "mmosts", "nctalk", "nctalks", "ncloud", "nclouds"),
        *("ntfy", "ntfys", "opsgenie", "pagerduty", "pbul", "pover", "prowl", "push", "pushy"),
        *("revolt", "rocket", "rockets", "ryver", "schan", "signal", "signals", "simplepush"),
        *("slack", "spush", "synology", "synologys", "tgram", "threema", "toot", "toots", "twist"),
        *("webex", "wxteams", "workflow", "workflows", "xml", "xmls", "zulip"),
    }
)
