// Containers that carry the label of a service or project that the manager does not know: when one may be removed. It
// has to be one in two passes and for a time of grace, and one pass removes only a few, so that a manager that is wrong
// for a moment causes no harm.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace zedops::agent {

// Such a container.
struct stray {
  std::string id;
  std::string name;
  std::string image;
  std::string of;  // service or project
  bool of_service = false;
  bool running = false;
};

class stray_watch {
 public:
  using time = std::chrono::steady_clock::time_point;
  static constexpr unsigned passes_min = 2;
  static constexpr size_t removals_max = 5;  // of one pass

  struct verdict {
    std::vector<std::string> fresh;   // seen for the first time
    std::vector<std::string> remove;  // may be removed now
  };
  // `strays`: ids of those that exist now; others are forgotten. `grace` zero: none is ever removed.
  verdict pass(const std::vector<std::string>& strays, time now, std::chrono::milliseconds grace) {
    verdict out;
    std::map<std::string, seen> still;
    for (const auto& id : strays) {
      const auto known = seen_.find(id);
      auto s = known == seen_.end() ? seen{now, 0} : known->second;
      if (++s.passes == 1) out.fresh.push_back(id);
      if (s.passes >= passes_min && grace.count() > 0 && now - s.since >= grace && out.remove.size() < removals_max)
        out.remove.push_back(id);
      still[id] = s;
    }
    seen_ = std::move(still);
    return out;
  }
  size_t count() const { return seen_.size(); }
  struct sighting {
    time since;
    bool twice;  // seen in at least passes_min passes
  };
  std::optional<sighting> find(const std::string& id) const {
    const auto i = seen_.find(id);
    if (i == seen_.end()) return std::nullopt;
    return sighting{i->second.since, i->second.passes >= passes_min};
  }

 private:
  struct seen {
    time since;
    unsigned passes;
  };
  std::map<std::string, seen> seen_;
};

}  // namespace zedops::agent
