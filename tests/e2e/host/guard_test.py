"""The host's owner has the last word: rules in the agent's own file, which no manager can override."""
import json
import unittest

from world import WorldCase


class Guard(WorldCase):
    def owner_says(self, name, **rules):
        """An agent with these rules in its file."""
        w = self.world
        file = w.dir / f"{name}.toml"
        file.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in rules.items()))
        w.start_agent(name, flags=("--config", file))
        return file

    def test_each_rule_refuses_and_names_its_place_and_nothing_is_created(self):
        w = self.world
        file = self.owner_says("strict", allow_images=["zedops/zomboid*"], allow_ports=["21000-21099"])
        before = w.docker("ps", "-aq")
        e = self.refused("forbidden", 5, "server", "create", "guarded-1", "--agent", "strict", "--template", "keeper")
        self.assertIn(f"allow_images ({file}:1:16)", e["message"])
        self.assertIn("zedops/busybox:test", e["message"])
        self.assertIn("no manager can", e["hint"])
        self.assertEqual(w.docker("ps", "-aq"), before)
        w.kill_agent(name="strict")
        file.write_text('allow_images = ["zedops/*"]\nallow_ports = ["21900-21999"]\nallow_data_roots = ["/srv/none"]\n')
        w.start_agent("strict", flags=("--config", file))
        e = self.refused("forbidden", 5, "server", "start", "guarded-1")
        self.assertIn("allow_data_roots", e["message"])
        w.kill_agent(name="strict")
        file.write_text('allow_ports = ["21900-21999"]\n')
        w.start_agent("strict", flags=("--config", file))
        e = self.refused("forbidden", 5, "server", "start", "guarded-1")
        self.assertIn("allow_ports", e["message"])
        e = self.refused("forbidden", 5, "server", "create", "guarded-2", "--agent", "strict", "--template", "keeper", "--game-port", 21910,
                         "--cap-add", "IPC_LOCK")
        self.assertIn("the capability IPC_LOCK", e["message"])

    def test_what_the_owner_imposes_is_in_every_container(self):
        w = self.world
        self.owner_says("hard", server_memory_max="64MiB", server_pids_max=50,
                        impose=["no-new-privileges", "drop-capabilities", "read-only-root"])
        name = w.create(None, "--game-port", 21700, agent="hard")
        host = w.inspect(w.server(name)["container_id"])["HostConfig"]
        self.assertEqual((host["Memory"], host["PidsLimit"], host["ReadonlyRootfs"], host["CapDrop"]), (64 << 20, 50, True, ["ALL"]))
        self.assertIn("no-new-privileges", host["SecurityOpt"])
        self.assertEqual(w.server(name)["drift"], "")

    def test_rules_that_are_invalid_are_refused_at_the_start(self):
        w = self.world
        for key, value, said in (("allow_ports", ["1-"], "neither a port"), ("impose", ["nothing"], "to impose"), ("server_memory_max", "much", "not a size")):
            file = w.dir / f"bad-{key}.toml"
            file.write_text(f"{key} = {json.dumps(value)}\n")
            p = w._spawn("zedops-agent", "--name", "bad", "--config", file, "--state-dir", w.dir / "state-bad")
            self.assertEqual(p.wait(10), 78)
            self.assertIn(said, w.log("zedops-agent"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
