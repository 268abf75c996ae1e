"""A browser's cookies, as far as the gateway's are concerned."""

ACCESS, REFRESH, PROOF = "__Host-access", "__Secure-refresh", "__Host-csrf"


class Cookie:
    """One `Set-Cookie` line (RFC 6265 §5.2)."""

    def __init__(self, line):
        pair, *attributes = line.split("; ")
        self.name, _, self.value = pair.partition("=")
        parts = [attribute.partition("=") for attribute in attributes]
        self.attributes = {name.lower(): value for name, _, value in parts}
        assert len(self.attributes) == len(attributes), line

    @property
    def is_clearing(self):
        """Whether it takes the cookie away (RFC 6265 §5.3)."""
        return int(self.attributes.get("max-age", "1")) <= 0

    def is_for(self, path):
        """RFC 6265 §5.1.4."""
        own = self.attributes["path"]
        return path == own or path.startswith(own if own.endswith("/") else own + "/")


class Jar:
    """The cookies of one host: `take` what an answer sets, and send `line(path)`."""

    def __init__(self):
        self.cookies = {}

    def take(self, answer):
        for line in answer.all("Set-Cookie"):
            cookie = Cookie(line)
            # What a browser demands of such names (RFC 6265bis §4.1.3)
            assert "secure" in cookie.attributes and "domain" not in cookie.attributes, line
            assert not cookie.name.startswith("__Host-") or cookie.attributes["path"] == "/", line
            if cookie.is_clearing:
                self.cookies.pop(cookie.name, None)
            else:
                self.cookies[cookie.name] = cookie
        return answer

    def copy(self):
        jar = Jar()
        jar.cookies = dict(self.cookies)
        return jar

    def __getitem__(self, name):
        return self.cookies[name].value

    def __setitem__(self, name, value):
        cookie = self.cookies[name] = Cookie(f"{name}={value}")
        cookie.attributes["path"] = "/"

    def __len__(self):
        return len(self.cookies)

    def line(self, path):
        """The `Cookie` line for a path, as a list of fields: empty when none goes there."""
        pairs = [f"{name}={cookie.value}" for name, cookie in self.cookies.items() if cookie.is_for(path)]
        return ["Cookie: " + "; ".join(pairs)] if pairs else []
