# cmake -DOUTPUT=file.cpp -DFILES="a.toml;b.toml" -P embed_templates.cmake: files as raw string literals.
set(entries "")
foreach(file IN LISTS FILES)
  file(READ "${file}" text)
  get_filename_component(name "${file}" NAME)
  string(APPEND entries "      {\"${name}\", R\"embedded(${text})embedded\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Made by embed_templates.cmake.
#include \"config/template_file.hpp\"

namespace zedops::config {

const std::vector<embedded_file>& builtin_template_files() {
  static const std::vector<embedded_file> files = {
${entries}  };
  return files;
}

}  // namespace zedops::config
")
