// How both programs end.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <iostream>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace rotor {

// Ends the process with `code` once everything written is out. Exit handlers do not run: those of GPU
// drivers take down threads and memory in an order that nobody chose, and one that breaks there would
// change the exit code of a run that is finished and told.
[[noreturn]] inline void end_process(int code) {
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
#ifdef __SANITIZE_ADDRESS__
  __lsan_do_leak_check();  // it is an exit handler, too
#endif
  std::_Exit(code);
}

}  // namespace rotor
