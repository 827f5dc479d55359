// "Did you mean": Damerau-Levenshtein distance in its restricted form (no substring is edited twice).
#include <algorithm>
#include <array>

#include "messages/base/names.hpp"

namespace zedops::msg {
namespace {

constexpr size_t word_bytes_max = 64;  // longer words get no suggestion; keeps the rows on the stack

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

size_t distance(std::string_view a, std::string_view b) {
  using row = std::array<size_t, word_bytes_max + 1>;
  row before_last{}, last{}, now{};
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, replace});
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) now[j] = std::min(now[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = now;
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::string> closest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.empty() || word.size() > word_bytes_max) return std::nullopt;
  auto wanted = lowered(word);
  size_t best = std::max<size_t>(1, word.size() / 3) + 1;  // one edit per three letters is still a typo
  std::optional<std::string> found;
  for (auto candidate : candidates) {
    if (candidate.empty() || candidate.size() > word_bytes_max) continue;
    auto text = lowered(candidate);
    auto d = distance(wanted, text);
    if (wanted.size() >= 2 && text.starts_with(wanted)) d = std::min<size_t>(d, 1);
    // A short word with every letter replaced is no match.
    if (d < best && d < std::max(wanted.size(), text.size())) best = d, found = candidate;
  }
  return found;
}

std::optional<std::string> closest(std::string_view word, const std::vector<std::string>& candidates) {
  return closest(word, std::vector<std::string_view>(candidates.begin(), candidates.end()));
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  auto found = closest(word, candidates);
  return found ? "did you mean '" + *found + "'?" : std::string{};
}

}  // namespace zedops::msg
