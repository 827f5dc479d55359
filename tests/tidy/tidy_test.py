#!/usr/bin/env python3
"""Each rule of tidy.py finds its violation and accepts valid code."""
import os
import tempfile
import unittest

import tidy


def includes(path, header):
    return list(tidy.check_includes(path, f"#include {header}\n"))


class rules(unittest.TestCase):
    def test_folders_include_downwards_only(self):
        self.assertEqual(includes("actors/core/x.cpp", '"messages/records/server.hpp"'), [])
        self.assertEqual(includes("actors/manager/x.cpp", '"bus/server_bus.hpp"'), [])
        self.assertEqual(includes("tests/unit/x.cpp", '"bus/server_bus.hpp"'), [])
        self.assertTrue(includes("messages/x.cpp", '"actors/core/plan/claims.hpp"'))
        self.assertTrue(includes("bus/x.cpp", '"persistence/store.hpp"'))
        self.assertTrue(includes("actors/core/x.cpp", '"config/settings/settings.hpp"'))
        self.assertTrue(includes("actors/agent/x.cpp", '"actors/manager/hosts/host.hpp"'))
        self.assertTrue(includes("bus/x.cpp", '"tests/support/catch.hpp"'))

    def test_private_headers_stay_in_their_folder(self):
        self.assertEqual(includes("bus/client.cpp", '"bus/detail/socket.hpp"'), [])
        self.assertTrue(includes("actors/manager/x.cpp", '"bus/detail/socket.hpp"'))

    def test_third_party_headers_stay_where_they_belong(self):
        self.assertEqual(includes("bus/socket.cpp", "<zmq.hpp>"), [])
        self.assertTrue(includes("bus/socket.hpp", "<zmq.hpp>"))
        self.assertTrue(includes("persistence/store.hpp", "<lmdb.h>"))
        self.assertTrue(includes("actors/core/x.cpp", "<caf/all.hpp>"))
        self.assertEqual(includes("actors/runtime/x.hpp", "<caf/actor.hpp>"), [])
        self.assertTrue(includes("messages/wire/codec.hpp", "<nlohmann/json.hpp>"))
        self.assertTrue(includes("tests/unit/x.cpp", "<rapidcheck/catch.h>"))

    def test_texts(self):
        self.assertEqual(list(tidy.check_text("a.hpp", "#pragma once\n")), [])
        self.assertTrue(list(tidy.check_text("a.hpp", "int x;\n")))
        self.assertTrue(list(tidy.check_text("a.cpp", "// TO" + "DO later\n")))
        self.assertTrue(list(tidy.check_text("a.cpp", "\n" * (tidy.LINES_MAX + 1))))
        self.assertEqual(list(tidy.check_text("a.cpp", 'TEST_CASE("one, two", "[unit]") {}\n')), [])
        self.assertTrue(list(tidy.check_text("a.cpp", 'TEST_CASE_METHOD(x, "one; two", "[unit]") {}\n')))
        self.assertTrue(list(tidy.check_text("docs/a.md", "see /home/" + "ann/zedops\n")))
        self.assertEqual(list(tidy.check_text("a.toml", 'target = "/home/steam/Zomboid"\n')), [])

    def test_links(self):
        with tempfile.TemporaryDirectory() as root:
            os.mkdir(os.path.join(root, "docs"))
            with open(os.path.join(root, "docs", "a.md"), "w", encoding="utf-8") as f:
                f.write("[good](a.md#part) [web](https://example.org) [bad](gone.md)\n")
            self.assertEqual(len(list(tidy.check_links(root))), 1)

    def test_tags(self):
        with tempfile.TemporaryDirectory() as root:
            os.mkdir(os.path.join(root, "tests"))
            with open(os.path.join(root, "tests", "a.cpp"), "w", encoding="utf-8") as f:
                f.write('"[acc-1][fc-64][acc-' + '101]"\n')
            self.assertEqual(len(list(tidy.check_tags(root))), 1)


if __name__ == "__main__":
    unittest.main()
