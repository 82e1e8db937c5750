#include "model/commands.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <numeric>

#include "core/error.h"
#include "core/written.h"

namespace rotor {
namespace {

std::atomic<bool> interrupt_flag{false};

// Levenshtein distance.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::uint32_t> parse_ids(const std::string& text, const std::string& name,
                                     std::uint32_t vocab) {
  std::vector<std::uint32_t> ids;
  std::string numbers = text;
  std::replace_if(
      numbers.begin(), numbers.end(), [](char c) { return c == '[' || c == ']' || c == ','; }, ' ');
  std::size_t at = 0;
  while (true) {
    at = numbers.find_first_not_of(" \t\r\n", at);
    if (at == std::string::npos) break;
    const std::size_t end = std::min(numbers.find_first_of(" \t\r\n", at), numbers.size());
    const std::string word = numbers.substr(at, end - at);
    if (word.size() > 9 || !std::all_of(word.begin(), word.end(),
                                        [](unsigned char c) { return std::isdigit(c) != 0; })) {
      throw FormatError(name + ": '" + word + "' at offset " + std::to_string(at) +
                        " is not a token id");
    }
    if (std::stoul(word) >= vocab) {
      throw FormatError(name + ": token id " + word + " at offset " + std::to_string(at) +
                        " is not in the vocabulary of " + std::to_string(vocab));
    }
    ids.push_back(static_cast<std::uint32_t>(std::stoul(word)));
    at = end;
  }
  return ids;
}

void interrupt() {
  interrupt_flag.store(true);
}
bool interrupted() {
  return interrupt_flag.load();
}
void stop_if_interrupted() {
  if (interrupted()) throw Error("interrupted", kExitInterrupted);
}
bool take_interrupt() {
  return interrupt_flag.exchange(false);
}

void check_read(const std::istream& in) {
  stop_if_interrupted();
  if (&in != &std::cin || std::ferror(stdin) == 0) return;
  struct stat info = {};
  const bool folder = ::fstat(STDIN_FILENO, &info) == 0 && S_ISDIR(info.st_mode);
  throw FormatError(std::string("standard input: cannot be read") +
                    (folder ? ": it is a folder" : ""));
}

std::string input_name(const std::string& path) {
  return path == "-" ? "standard input" : path;
}

std::string read_file(const std::string& path) {
  if (path == "-") {
    const std::string text{std::istreambuf_iterator<char>(std::cin),
                           std::istreambuf_iterator<char>()};
    check_read(std::cin);
    return text;
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) throw FormatError(path + ": cannot be opened: " + std::strerror(errno));
  std::string text;
  char block[1 << 16];
  while (file.read(block, sizeof block) || file.gcount() > 0) {
    text.append(block, static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) throw FormatError(path + ": cannot be read; is it a folder?");
  return text;
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  // A word that was cut short: --temp. Two hyphens and one letter say too little.
  for (const std::string& candidate : known) {
    if (word.size() < 4 || !candidate.starts_with(word)) continue;
    if (best.empty() || candidate.size() < best.size()) best = candidate;
  }
  if (!best.empty()) return best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

int run_tokenize(const TokenizeCommand& command, std::istream& in, std::ostream& out) {
  const Tokenizer tokenizer = Tokenizer::open(command.model.empty() ? demo_model() : command.model);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  check_read(in);
  if (command.decode) {
    const std::vector<TokenId> ids =
        parse_ids(text, input_name("-"), static_cast<std::uint32_t>(tokenizer.size()));
    out << tokenizer.decode(ids, command.special ? Specials::Parse : Specials::AsText);
    check_written(out, "the text");
    return kExitOk;
  }
  std::vector<TokenId> ids =
      tokenizer.encode(text, command.special ? Specials::Parse : Specials::AsText);
  if (command.bos) {
    const std::optional<TokenId> bos = tokenizer.special("<|begin_of_text|>");
    if (!bos) throw FormatError("the tokenizer has no <|begin_of_text|>; leave out --bos");
    if (ids.empty() || ids.front() != *bos) ids.insert(ids.begin(), *bos);
  }
  for (std::size_t i = 0; i < ids.size(); ++i) out << (i == 0 ? "" : " ") << ids[i];
  out << '\n';
  check_written(out, "the token ids");
  return kExitOk;
}

}  // namespace rotor
