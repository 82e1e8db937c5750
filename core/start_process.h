// How both programs begin.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

namespace rotor {

// First thing in `main`: a stream that the caller closed, or a limit that a file meets, must become an
// error that is told.
inline void start_process() {
  // The next file to be opened takes the place of a closed stream: a chat would read the weights, and
  // messages would go to a worker. With /dev/null there, reading ends at once and writing fails.
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (::fcntl(stream, F_GETFD) < 0) ::open("/dev/null", O_RDONLY);  // the lowest number is free
  }
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grew too large is an error to tell, not to die of
  std::signal(SIGPIPE, SIG_IGN);  // so is a reader that went away
}

}  // namespace rotor
