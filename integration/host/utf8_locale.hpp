// Characters as UTF-8, for this thread while this object lives. Our programs set no locale, and the C locale knows only
// ASCII; the user's own may be any.
#pragma once
#include <locale.h>

namespace zedops::host {

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

}  // namespace zedops::host
