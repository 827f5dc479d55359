// Parsers of the Engine's long answers, as pure machines that are fed bytes as they arrive, in pieces of any size.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "integration/docker/engine.hpp"

namespace zedops::docker {

inline constexpr std::size_t line_max = 1024 * 1024;       // a log line, then it is passed on in pieces
inline constexpr std::size_t json_line_max = 1024 * 1024;  // an event or a pull message
inline constexpr std::size_t layers_max = 1024;            // whose progress is counted, of one image

// Cuts a stream at newlines. `on_line` gets lines without their end (\n or \r\n).
class line_splitter {
 public:
  using sink = std::function<void(std::string_view)>;
  enum class overflow { pass_on_in_pieces, refuse };
  line_splitter(std::size_t max, overflow rule) : max_{max}, rule_{rule} {}

  // False: a line was longer than allowed (with `refuse`); feed no more.
  [[nodiscard]] bool feed(std::string_view bytes, const sink& on_line);
  void finish(const sink& on_line);  // what is left without a newline

 private:
  std::size_t max_;
  overflow rule_;
  std::string rest_;
};

// Splits the log stream of a container without TTY: frames of {stream, 0, 0, 0, length as 4 bytes big endian}
// and payload. Payload is passed through as it arrives, so a long frame costs no memory.
class log_demux {
 public:
  using sink = std::function<void(output, std::string_view)>;
  // False: these are no frames; feed no more.
  [[nodiscard]] bool feed(std::string_view bytes, const sink& on_bytes);

 private:
  std::array<unsigned char, 8> header_{};
  std::size_t have_ = 0;  // bytes of the header
  uint64_t left_ = 0;     // bytes of the payload still to come
  output stream_ = output::out;
};

// A container's log as lines, for both kinds of containers.
class log_reader {
 public:
  enum class format { frames, raw };  // with a TTY, the log is raw and has one stream
  log_reader(format f, line_handler on_line) : format_{f}, on_line_{std::move(on_line)} {}
  [[nodiscard]] bool feed(std::string_view bytes);
  void finish();

 private:
  bool pass(output stream, std::string_view bytes);
  line_splitter::sink sink(output stream);

  format format_;
  line_handler on_line_;
  log_demux demux_;
  line_splitter out_{line_max, line_splitter::overflow::pass_on_in_pieces};
  line_splitter err_{line_max, line_splitter::overflow::pass_on_in_pieces};
};

// Sums the messages of a pull into one number. Downloading counts for 70 of 100, unpacking for the rest.
class pull_progress {
 public:
  enum class news { none, progress };
  // One JSON line of the stream.
  news feed(std::string_view line);
  const pull_state& state() const { return state_; }
  const std::string& failure() const { return failure_; }  // the Engine's text; empty while all is well

 private:
  struct layer {
    uint64_t total = 0;
    uint64_t current = 0;
    double part = 0;  // 0..1
  };
  void sum();

  std::map<std::string, layer> layers_;
  pull_state state_;
  std::string failure_;
  int told_percent_ = -1;
  std::string told_status_;
};

// The output of a build: its lines, and at last the image.
class build_output {
 public:
  explicit build_output(line_handler on_line) : on_line_{std::move(on_line)} {}
  void feed(std::string_view line);  // one JSON line of the stream
  void finish();
  const std::string& image() const { return image_; }
  const std::string& failure() const { return failure_; }  // the Engine's text; empty while all is well

 private:
  line_handler on_line_;
  line_splitter lines_{line_max, line_splitter::overflow::pass_on_in_pieces};
  std::string image_;
  std::string failure_;
};

}  // namespace zedops::docker
