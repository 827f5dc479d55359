"""Everything in the description is called in every wrong way: a clear 4xx each, and nothing breaks."""
import json
import random
import time
import unittest

from web import Client, WebCase

WRONG = {"string": [7, [], {}, None, True], "integer": ["x", -1, 1.5, 10**30, [], {}, None], "boolean": ["maybe", 7, [], {}],
         "array": ["x", 7, {}], "object": ["x", 7, []]}


class Described(WebCase):
    def setUp(self):
        self.doc = self.ok(self.admin.get("/api/openapi.json"))
        self.calls = [(m.upper(), p, o) for p, item in self.doc["paths"].items() for m, o in item.items()
                      if m in ("get", "post", "put", "patch", "delete")]
        self.assertGreater(len(self.calls), 40)

    def whole(self, schema):
        while "$ref" in schema:
            schema = self.doc["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def fields(self, operation):
        body = operation.get("requestBody")
        return self.whole(body["content"]["application/json"]["schema"]).get("properties", {}) if body else {}

    def asked(self, method, path, body=None, client=None, headers=None):
        """A request for an item that does not exist; a client that is rate limited waits."""
        for _ in range(60):
            r = (client or self.admin).ask(method, path.replace("{id}", "nothing-of-this-name"), body, headers)
            if r.status != 429:
                break
            time.sleep(0.05)
        self.assertLess(r.status, 500, (method, path, body, r.body[:300]))
        if r.status >= 400:
            self.assertTrue(r.error["code"] and r.error["message"], (method, path, body))
        return r

    def refused(self, method, path, body, *statuses):
        r = self.asked(method, path, body)
        self.assertIn(r.status, statuses, (method, path, body, r.body[:300]))

    def test_no_caller_without_a_secret_is_admitted(self):
        for who in (Client(self.port), Client(self.port, token="zt_" + "x" * 40), Client(self.port, cookie="zedops=x")):
            for method, path, _ in self.calls:
                if path != "/api/openapi.json":
                    self.assertEqual(self.asked(method, path, None, who).status, 401, (method, path))

    def test_viewers_change_nothing(self):
        viewer = self.with_token("viewer")
        for method, path, operation in self.calls:
            if method != "GET" and path not in ("/api/data/check", "/api/ports/check"):
                r = self.asked(method, path, {} if operation.get("requestBody") else None, viewer)
                self.assertIn(r.status, (400, 403, 404), (method, path, r.body))

    def test_parameters_that_are_invalid(self):
        for method, path, _ in self.calls:
            self.refused(method, path + "?no-such-parameter=1", None, 400)
            self.asked(method, path + "?limit=-1&limit=x&after=%00&at=yesterday&wait=perhaps")
            self.asked(method, path + "?" + "a=b&" * 500)

    def test_bodies_of_the_wrong_shape(self):
        rng, judged = random.Random(20), 0
        for method, path, operation in self.calls:
            if "application/json" not in operation.get("requestBody", {}).get("content", {}):
                continue
            self.refused(method, path, {"no-such-field": 1}, 400)
            for raw in (b"[]", b"7", b"{", b"null", b'{"a":1,"a":2}', b"[" * 50_000, b"\xff"):
                r = self.asked(method, path, raw, headers={"Content-Type": "application/json"})
                self.assertEqual(r.status, 400, (method, path, raw[:20], r.body[:200]))
            self.assertEqual(self.asked(method, path, b"x=1", headers={"Content-Type": "application/x-www-form-urlencoded"}).status, 415)
            for name, schema in self.fields(operation).items():
                kind = self.whole(schema).get("type")
                for kind in [kind] if isinstance(kind, str) else kind or []:
                    for value in WRONG.get(kind, []):
                        if value is None or isinstance(schema.get("type"), list):
                            self.asked(method, path, {name: value})  # null may be valid for an optional field
                        else:
                            self.refused(method, path, {name: value}, 400, 404)
                            judged += 1
                self.asked(method, path, {name: "x" * rng.choice([0, 1, 300, 70_000])})
                self.asked(method, path, {name: "\u0000\u202e<script>"})
        self.assertGreater(judged, 200)
        self.assertEqual(self.admin.get("/api/status").status, 200)
        json.dumps(self.ok(self.admin.get("/api/servers")))


if __name__ == "__main__":
    unittest.main()
