// Whether a result arrived.
#pragma once

#include <ostream>
#include <string>

#include "core/error.h"

namespace rotor {

// Flushes standard output. Throws OutputError if not all that was written arrived; `what` was written.
inline void check_written(std::ostream& out, const std::string& what) {
  out.flush();
  if (!out) throw OutputError(what + " could not be written to standard output");
}

}  // namespace rotor
