// The targets without a fuzzer, for every test run: each file of a corpus, then mutations of them that follow from a
// seed. Usage: replay CORPUS-DIRECTORY. ZEDOPS_SEED=n repeats a run, ZEDOPS_FUZZ_RUNS=n sets its length.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <vector>

#include "tests/fuzz/fuzz.hpp"

namespace {

constexpr uint64_t runs_default = 3'000;
constexpr size_t input_bytes_max = 8'192;

std::string current;  // the input being tried
const char* kept_at = "crash-input";

// The input that broke it is kept: it belongs in the corpus. Only calls that are safe in a signal handler.
void keep_input(int signal) {
  if (FILE* f = std::fopen(kept_at, "wb")) {
    std::fwrite(current.data(), 1, current.size(), f);
    std::fclose(f);
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(std::string bytes) {
  current = std::move(bytes);
  (void)LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(current.data()), current.size());
}

uint64_t number_from(const char* variable, uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : fallback;
}

std::vector<std::string> read_corpus(const std::filesystem::path& dir) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return corpus;
}

// A few changes of the kinds that get far into a parser: bytes, numbers, pieces moved between inputs, lengths.
std::string mutated(const std::vector<std::string>& corpus, std::mt19937_64& random) {
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  std::string s = corpus[below(corpus.size())];
  const auto& other = corpus[below(corpus.size())];
  constexpr char edges[] = {0, 1, 0x7f, '\x80', '\x90', '\x9f', '\xc0', '\xdc', '\xdd', '\xff', '"', '{', '[', '.'};
  for (size_t changes = 1 + below(6); changes > 0; --changes) {
    const size_t at = s.empty() ? 0 : below(s.size());
    const size_t length = s.empty() ? 0 : 1 + below(std::min<size_t>(32, s.size() - at));
    switch (below(6)) {
      case 0: s.empty() ? void() : void(s[at] = static_cast<char>(random())); break;
      case 1: s.empty() ? void() : void(s[at] = static_cast<char>(s[at] ^ (1 << below(8)))); break;
      case 2: s.empty() ? void() : void(s[at] = edges[below(sizeof edges)]); break;
      case 3: s.erase(at, length); break;
      case 4: s.insert(at, s.substr(at, length)); break;
      default:
        if (!other.empty()) s.insert(at, other.substr(below(other.size()), 1 + below(64)));
    }
  }
  if (s.size() > input_bytes_max) s.resize(input_bytes_max);
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]), 2;
  const auto corpus = read_corpus(argv[1]);
  if (corpus.empty()) return std::fprintf(stderr, "%s: no inputs\n", argv[1]), 1;
  const auto seed = number_from("ZEDOPS_SEED", 1), runs = number_from("ZEDOPS_FUZZ_RUNS", runs_default);
  std::printf("%zu inputs, %llu mutations, ZEDOPS_SEED=%llu\n", corpus.size(), static_cast<unsigned long long>(runs),
              static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  for (int s : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(s, keep_input);
  for (const auto& bytes : corpus) run(bytes);
  std::mt19937_64 random(seed);
  for (uint64_t i = 0; i < runs; ++i) run(mutated(corpus, random));
}
