// Phases of deployments on a real disk and an Engine in memory: repeating one changes nothing, one interrupted between
// any two effects ends the same when repeated, and what cannot be deployed leaves nothing behind.

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "tests/sim/agent/containers.hpp"

using namespace zedops;
using namespace zedops::test;
using namespace zedops::msg;
namespace fs = std::filesystem;

namespace {

struct manager_with_uploads final : agent::upload_source {
  std::map<std::string, std::string> all;
  size_t piece = 1'000, asked = 0;
  result<void> read(const upload_id& id, uint64_t from, uint64_t to, const agent::cancel_token& cancel,
                    const take_fn& take) override {
    for (; from < to; from += piece) {
      ++asked;
      if (cancel.cancelled()) return fail(ec::cancelled, "cancelled");
      auto i = all.find(id.value);
      if (i == all.end()) return fail(ec::not_found, "the upload is not there any more", "upload it again");
      if (from >= i->second.size())
        return fail(ec::bad_request, "the length of the upload differs from its record", "");
      if (auto ok = take(std::string_view(i->second).substr(from, piece)); !ok) return ok;
    }
    return {};
  }
};

struct deploying : agent_world {
  temp_dir dir;
  manager_with_uploads uploads;
  unsigned answer = 200;  // of the project's server
  agent::site_world sites{(dir.path() / "sites").string(), "site:1", uploads,
                          [this](uint16_t, const std::string&, duration) -> result<unsigned> {
                            if (docker.containers.empty()) return fail(ec::engine_error, "nobody answers", "");
                            return answer;
                          }};
  host::site site{sites.root, "shop", "web"};
  uint32_t attempt = 0;
  std::optional<size_t> dies_after;  // this many effects
  agent::cancel_token cancel;

  deploying() {
    docker.images.insert("site:1");
    REQUIRE(state->belong_to("m1").has_value());
    env->sites = &sites;
    env->crash_point = [this](std::string_view) {
      if (dies_after && (*dies_after)-- == 0) throw cut_short{};
    };
  }
  deploy_source source(const std::string& text) {
    const auto bytes = tar_of({{"index.html", text}});
    sha256 hash;
    hash.add(bytes);
    const auto id = "u" + text;
    uploads.all[id] = bytes;
    return {source_kind::upload, {id}, text + ".tar", hash.hex(), bytes.size(), {}, {}, {}, {}, {}, {}};
  }
  run_command command(deploy_phase phase, uint32_t number, deploy_source from, std::vector<uint32_t> keep = {}) {
    run_command c;
    c.term = 1;
    c.op = {"o1"};
    c.attempt = ++attempt;
    c.server = {"v1"};
    c.kind = command_kind::deploy;
    deploy_plan p;
    p.phase = phase;
    p.project = {"p1"};
    p.project_name = "shop";
    p.service_name = "web";
    p.number = number;
    p.source = std::move(from);
    p.keep = std::move(keep);
    p.port = 8080;
    c.deploy = p;
    return c;
  }
  command_result run(run_command c) {
    auto report = std::make_shared<agent::reporter>(
        c, [](command_progress) {}, env->clock.steady);
    return agent::deploy_job(*env, std::move(c), report, cancel).execute();
  }
  static constexpr std::array phases{deploy_phase::pulling_source, deploy_phase::copying_files,
                                     deploy_phase::creating_symlinks, deploy_phase::updating_routes,
                                     deploy_phase::health_check};
  void deploy(uint32_t number, const std::string& text) {
    const auto from = source(text);
    for (const auto phase : phases) {
      auto r = run(command(phase, number, from, {number - 1, number}));
      INFO(name_of(phase) << (r.failure ? ": " + r.failure->message : ""));
      REQUIRE_FALSE(r.failure);
    }
  }
  std::string seen() const {
    std::ifstream in(fs::path(sites.root) / "shop/.web/web/index.html");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Everything below the root, by path, with its content; times and the like left out.
  std::map<std::string, std::string> everything() const {
    std::map<std::string, std::string> out;
    for (const auto& e : fs::recursive_directory_iterator(sites.root)) {
      const auto name = fs::relative(e.path(), sites.root).string();
      if (name.ends_with(".log")) continue;  // has times in it
      if (e.is_symlink()) out[name] = "-> " + fs::read_symlink(e.path()).string();
      else if (e.is_directory()) out[name] = "folder";
      else {
        std::ifstream in(e.path());
        out[name] = std::string(std::istreambuf_iterator<char>(in), {});
      }
    }
    return out;
  }
};

}  // namespace

TEST_CASE_METHOD(deploying, "deploy: an archive is deployed and served, with a proof of each phase",
                 "[sim][agent][acc-79]") {
  deploy(1, "one");
  CHECK(seen() == "one");
  CHECK(docker.containers.size() == 1);
  const auto& c = docker.containers.begin()->second;
  CHECK(c.view.name == "zedops-project-shop");
  CHECK(c.mounts.at(0).read_only);
  deploy(2, "two");
  CHECK(seen() == "two");
  CHECK(docker.containers.size() == 1);
  CHECK(run(command(deploy_phase::creating_symlinks, 1, {})).proof.at("previous") == "2");
  CHECK(seen() == "one");
}

TEST_CASE_METHOD(deploying, "deploy: repeating a phase changes nothing and gives the same proof",
                 "[sim][agent][acc-83]") {
  const auto from = source("one");
  for (const auto phase : phases) {
    const auto first = run(command(phase, 1, from, {1}));
    const auto before = everything();
    const auto changes = docker.calls.size();
    const auto fetched = uploads.asked;
    const auto again = run(command(phase, 1, from, {1}));
    INFO(name_of(phase));
    REQUIRE_FALSE(first.failure);
    REQUIRE_FALSE(again.failure);
    auto proof = first.proof;
    proof.erase("previous");
    for (const auto& [key, value] : proof) CHECK(again.proof.at(key) == value);
    CHECK(everything() == before);
    CHECK(docker.calls.size() == changes);
    CHECK(uploads.asked == fetched);
  }
}

TEST_CASE_METHOD(deploying, "deploy: a phase interrupted after any effect and repeated ends as if nothing had happened",
                 "[sim][agent][acc-82]") {
  deploy(1, "one");
  deploy(2, "two");
  const auto whole = everything();
  size_t cuts = 0;
  for (size_t n = 0; n < 40; ++n) {
    fs::remove_all(sites.root);
    deploy(1, "one");
    const auto from = source("two");
    dies_after = n;
    for (const auto phase : phases) {
      const auto c = command(phase, 2, from, {1, 2});
      command_result r;
      try {
        r = run(c);
      } catch (const cut_short&) {
        ++cuts;
        dies_after.reset();
        CHECK((seen() == "one" || seen() == "two"));
        r = run(c);
      }
      REQUIRE_FALSE(r.failure);
    }
    dies_after.reset();
    CHECK(everything() == whole);
    CHECK(docker.containers.size() == 1);
  }
  CHECK(cuts >= 5);
}

TEST_CASE_METHOD(deploying, "deploy: a missing, changed or unreadable source fails with the reason and leaves nothing",
                 "[sim][agent]") {
  deploy(1, "one");
  const auto before = everything();
  auto from = source("two");
  SECTION("gone") {
    uploads.all.clear();
    CHECK(run(command(deploy_phase::pulling_source, 2, from)).failure->code == ec::not_found);
  }
  SECTION("other bytes") {
    uploads.all["utwo"][100] ^= 1;
    CHECK(run(command(deploy_phase::pulling_source, 2, from)).failure->message.find("its hash differs") !=
          std::string::npos);
  }
  SECTION("a damaged part that an earlier process left is fetched again") {
    fs::create_directories(site.own_folder());
    std::ofstream(site.archive(2) + ".part") << std::string(1'500, '\0');
    CHECK_FALSE(run(command(deploy_phase::pulling_source, 2, from)).failure);
  }
  SECTION("fewer bytes") {
    uploads.all["utwo"].resize(2'000);
    CHECK(run(command(deploy_phase::pulling_source, 2, from)).failure->message.find("differs from its record") !=
          std::string::npos);
  }
  SECTION("no archive") {
    const std::string junk = "this is no archive at all";
    sha256 hash;
    hash.add(junk);
    uploads.all["ujunk"] = junk;
    const deploy_source bad{source_kind::upload, {"ujunk"}, "junk", hash.hex(), junk.size(), {}, {}, {}, {}, {}, {}};
    CHECK_FALSE(run(command(deploy_phase::pulling_source, 2, bad)).failure);
    CHECK(run(command(deploy_phase::copying_files, 2, bad, {1})).failure->code == ec::bad_request);
  }
  SECTION("cancelled") {
    cancel.cancel();
    CHECK(run(command(deploy_phase::pulling_source, 2, from)).failure->code == ec::cancelled);
  }
  SECTION("nothing to switch to") {
    CHECK(run(command(deploy_phase::creating_symlinks, 2, from)).failure->code == ec::no_data);
  }
  CHECK(seen() == "one");
  REQUIRE_FALSE(run(command(deploy_phase::copying_files, 1, source("one"), {1})).failure);  // clears what is left
  CHECK(everything() == before);
}

TEST_CASE_METHOD(deploying, "deploy: a failed health check reports the answer, a missing image the remedy",
                 "[sim][agent]") {
  deploy(1, "one");
  answer = 404;
  auto r = run(command(deploy_phase::health_check, 1, {}));
  REQUIRE(r.failure);
  CHECK(r.failure->message.find("HTTP 404 for /web/ after 3 attempts") != std::string::npos);
  docker.containers.clear();
  docker.images.clear();
  r = run(command(deploy_phase::updating_routes, 1, {}));
  REQUIRE(r.failure);
  CHECK(r.failure->hint.find("tools/images project-server") != std::string::npos);
}

TEST_CASE_METHOD(deploying, "deploy: a project's server that ended, is gone or has the wrong port is repaired",
                 "[sim][agent][acc-80]") {
  deploy(1, "one");
  const auto id = docker.containers.begin()->first;
  docker.die(id, 1);
  CHECK(run(command(deploy_phase::updating_routes, 1, {})).proof.at("container") == id);
  CHECK(docker.containers.at(id).view.state == container_state::running);
  docker.destroy(id);
  const auto made = run(command(deploy_phase::updating_routes, 1, {})).proof.at("container");
  CHECK(made != id);
  auto moved = command(deploy_phase::updating_routes, 1, {});
  auto plan = *moved.deploy;
  plan.port = 9090;
  moved.deploy = plan;
  CHECK(run(moved).proof.at("container") != made);
  CHECK(docker.containers.size() == 1);
}

TEST_CASE_METHOD(
    deploying,
    "deploy: a service is removed with its files, and the last one on this host, whatever the manager assumed, "
    "with the project's server",
    "[sim][agent]") {
  deploy(1, "one");
  auto other = command(deploy_phase::pulling_source, 1, source("two"));
  other.server = {"v2"};
  auto plan = *other.deploy;
  plan.service_name = "two";
  other.deploy = plan;
  REQUIRE_FALSE(run(other).failure);  // deployed since the manager sent what follows
  auto c = command(deploy_phase::queued, 0, {});
  auto removal = *c.deploy;
  removal.remove = removal.last = true;
  c.deploy = removal;
  REQUIRE_FALSE(run(c).failure);
  CHECK_FALSE(fs::exists(site.folder()));
  CHECK(docker.containers.size() == 1);
  CHECK(host::projects_below(sites.root).size() == 1);
  removal.service_name = "two";
  removal.last = false;  // two were removed at the same time: each saw the other
  other.deploy = removal;
  REQUIRE_FALSE(run(other).failure);
  REQUIRE_FALSE(run(other).failure);
  CHECK(docker.containers.empty());
  CHECK(fs::is_empty(sites.root));
}

TEST_CASE_METHOD(
    deploying,
    "deploy: a manager that starts counting again serves its own deployment, not an older one of that number",
    "[sim][agent]") {
  deploy(1, "one");
  deploy(2, "two");
  CHECK(run(command(deploy_phase::creating_symlinks, 2, source("other"))).failure->code == ec::no_data);
  deploy(2, "other");
  CHECK(seen() == "other");
  CHECK(host::stamp_of(site, 2)->source == source("other").sha256);
}

TEST_CASE_METHOD(deploying, "deploy: an absent Engine is waited for", "[sim][agent][acc-82]") {
  deploy(1, "one");
  const auto id = docker.containers.begin()->first;
  docker.down = true;
  size_t pauses = 0;
  env->clock.pause = [&](auto) {
    if (++pauses == 20) docker.down = false;
  };
  CHECK(run(command(deploy_phase::updating_routes, 1, {})).proof.at("container") == id);
  CHECK(pauses >= 20);
  docker.down = true;
  env->clock.pause = [&](auto) { cancel.cancel(); };
  CHECK(run(command(deploy_phase::updating_routes, 1, {})).failure.has_value());
}

TEST_CASE_METHOD(deploying, "deploy: a manager that starts counting again removes nothing that is served",
                 "[sim][agent]") {
  for (const uint32_t n : {1u, 2u, 3u}) deploy(n, std::to_string(n));
  const auto from = source("other");
  for (const auto phase : {deploy_phase::pulling_source, deploy_phase::copying_files})
    REQUIRE_FALSE(run(command(phase, 2, from, {1, 2})).failure);
  CHECK(seen() == "3");
  for (const auto phase : {deploy_phase::creating_symlinks, deploy_phase::updating_routes})
    REQUIRE_FALSE(run(command(phase, 2, from, {1, 2})).failure);
  CHECK(seen() == "other");
}

TEST_CASE_METHOD(deploying, "deploy: invalid names never reach the disk", "[sim][agent][hostile]") {
  for (const auto* name : {"..", "a/b", "", ".hidden", "UPPER", "x"}) {
    auto c = command(deploy_phase::pulling_source, 1, source("one"));
    auto plan = *c.deploy;
    plan.service_name = name;
    c.deploy = plan;
    CHECK(run(c).failure->code == ec::invalid_name);
  }
  CHECK_FALSE(fs::exists(sites.root));
}

namespace {

// A separate disk below a folder that can be filled up to a few pages or a few files. Needs root.
class small_disk {
 public:
  explicit small_disk(fs::path at) : at_(std::move(at)), filler_(at_ / "filler") {
    fs::create_directories(at_);
    const bool mine = ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    there = mine && ::mount("zedops-test", at_.c_str(), "tmpfs", 0, "size=512k,nr_inodes=64") == 0;
  }
  ~small_disk() {
    if (there) ::umount(at_.c_str());
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;

  void leave_bytes(size_t pages) {
    fs::create_directory(filler_);
    const auto file = (filler_ / "pages").string();
    std::ofstream(file) << std::string(1 << 20, 'x');  // as much as there is room for
    fs::resize_file(file, fs::file_size(file) / page * page - pages * page);
  }
  void leave_files(size_t count) {
    fs::create_directory(filler_);
    std::vector<fs::path> all;
    for (size_t i = 0;; ++i) {
      all.push_back(filler_ / std::to_string(i));
      if (!std::ofstream(all.back())) break;
    }
    all.pop_back();
    for (size_t i = 0; i < count; ++i) fs::remove(all.at(i));
  }
  void make_room() { fs::remove_all(filler_); }
  void clear() {
    for (const auto& e : fs::directory_iterator(at_)) fs::remove_all(e.path());
  }

  bool there = false;

 private:
  static constexpr size_t page = 4'096;
  fs::path at_, filler_;
};

}  // namespace

TEST_CASE_METHOD(
    deploying,
    "deploy: a disk that is full in any phase fails it with the remedy, the old version is served, and with "
    "room it ends as if nothing had happened",
    "[sim][agent]") {
  small_disk disk(sites.root);
  if (!disk.there) {
    WARN("not root: no disk can be filled");
    return;
  }
  deploy(1, "one");
  deploy(2, "two");
  const auto whole = everything();
  std::set<std::string> full_in;
  for (size_t n = 0; n < 24; ++n) {
    disk.clear();
    deploy(1, "one");
    const auto from = source("two");
    for (const auto phase : phases) {
      if (n % 2 == 0) disk.leave_bytes(n / 2);
      else disk.leave_files(n / 2);
      auto r = run(command(phase, 2, from, {1, 2}));
      INFO(n << " " << name_of(phase) << (r.failure ? ": " + r.failure->message : ""));
      if (r.failure) {
        CHECK(r.failure->code == ec::store_full);
        CHECK(r.failure->hint.find("free some space") != std::string::npos);
        CHECK(seen() == "one");
        full_in.insert(std::string(name_of(phase)));
        disk.make_room();
        r = run(command(phase, 2, from, {1, 2}));
        INFO((r.failure ? r.failure->message : ""));
        REQUIRE_FALSE(r.failure);
      }
      disk.make_room();
    }
    CHECK(seen() == "two");
    CHECK(everything() == whole);
    CHECK(docker.containers.size() == 1);
  }
  CHECK(full_in == std::set<std::string>{"copying_files", "creating_symlinks", "pulling_source"});
}
