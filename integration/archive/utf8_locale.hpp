// Private to this folder: names in archives are UTF-8. The library turns them into the characters of the thread's
// locale and back, and our programs have none, which knows ASCII only.
#pragma once
#include <locale.h>

namespace zedops::archive {

class utf8_locale {
 public:
  utf8_locale() : before_(::uselocale(ours())) {}
  ~utf8_locale() { ::uselocale(before_); }
  utf8_locale(const utf8_locale&) = delete;
  utf8_locale& operator=(const utf8_locale&) = delete;

 private:
  static locale_t ours() {
    static const locale_t made = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return made;
  }
  locale_t before_;
};

}  // namespace zedops::archive
