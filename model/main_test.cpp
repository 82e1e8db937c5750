// The program as a user meets it: exit codes, and what is on which stream.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.h"
#include "model/test_files.h"

namespace rotor {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Runs shell commands, in which `rotor` is the program, in a folder of their own.
class RotorTest : public testing::Test {
 protected:
  Outcome shell(const std::string& commands) {
    const std::string line = "cd " + folder_.path() +
                             " && rotor() { " ROTOR_PROGRAM " \"$@\"; }; { " + commands +
                             "; } >stdout.txt 2>stderr.txt </dev/null";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(folder_ / "stdout.txt"),
            text_of(folder_ / "stderr.txt")};
  }

  test::TempFolder folder_;
};

constexpr const char* kCpu = " --device cpu --threads 1 --greedy ";
constexpr const char* kCpuScore = " --device cpu --threads 1 ";

TEST_F(RotorTest, ClosedStreamsAreNotTakenByFiles) {
  const Outcome chat = shell(std::string("rotor chat") + kCpu + "<&-");
  EXPECT_EQ(chat.code, kExitOk) << chat.err;
  EXPECT_EQ(chat.out, "");
  const Outcome silent = shell(std::string("rotor generate hi") + kCpu + ">&-");
  EXPECT_EQ(silent.code, kExitCannotWrite);
  EXPECT_THAT(silent.err, HasSubstr("could not be written to standard output"));
  EXPECT_EQ(shell(std::string("rotor generate hi") + kCpu + ">&- 2>&- <&-").code, kExitCannotWrite);
}

TEST_F(RotorTest, ResultsThatAFullDiskTookAreAnError) {
  const std::string text = "echo 7 plus 8 | rotor ";
  for (const std::string& command :
       {text + "score --text -" + kCpuScore, text + "score --json - --text -" + kCpuScore,
        text + "tokenize", std::string("echo 7 8 | rotor tokenize --decode"),
        std::string("rotor generate hi") + kCpu, std::string("rotor inspect ") + test::kDemo,
        std::string("echo hi | rotor chat") + kCpu, std::string("rotor --help")}) {
    const Outcome got = shell(command + " > /dev/full");
    EXPECT_EQ(got.code, kExitCannotWrite) << command;
    EXPECT_THAT(got.err, HasSubstr("could not be written to standard output")) << command;
  }
}

TEST_F(RotorTest, AFullDiskLeavesNoPartOfTheScores) {
  const std::string numbers = "i=0; while [ $i -lt 700 ]; do echo 7; i=$((i+1)); done > ids; ";
  const Outcome got = shell(numbers + "(ulimit -f 1; rotor score --ids ids --json s.json" +
                            kCpuScore + "| cat >/dev/null; exit 0)");
  EXPECT_FALSE(fs::exists(folder_ / "s.json"));
  EXPECT_THAT(got.err, HasSubstr("s.json: cannot write: File too large"));
  EXPECT_EQ(shell("rotor score --ids ids --json s.json" + std::string(kCpuScore)).code, kExitOk);
  EXPECT_TRUE(fs::exists(folder_ / "s.json"));
}

// Root may read everything; then the commands run as nobody.
TEST_F(RotorTest, UnreadablePathsAreToldWithTheReason) {
  const std::string nobody =
      ::geteuid() == 0 ? "setpriv --reuid 65534 --regid 65534 --clear-groups " : "";
  if (shell("chmod 755 .; " + nobody + ROTOR_PROGRAM " --version").code != 0) {
    GTEST_SKIP() << "the program cannot be run as someone else than root";
  }
  const std::string rotor = nobody + ROTOR_PROGRAM " ";
  ASSERT_EQ(shell("mkdir locked; cp " + test::kDemo + "/config.json locked; chmod 0 locked").code,
            0);
  const std::string name(257, 'n');
  struct Case {
    std::string command;
    std::string error;
  };
  for (const Case& each :
       {Case{rotor + "inspect locked", "locked/config.json: cannot read: Permission"},
        Case{rotor + "inspect locked/m.gguf", "m.gguf: cannot read: Permission"},
        Case{rotor + "tokenize --model locked", "cannot read: Permission"},
        Case{rotor + "inspect " + name, name + ": cannot read: File name too long"},
        Case{rotor + "generate hi --device cpu --tune-file locked/t.json",
             "locked/t.json: cannot be read: Permission denied"}}) {
    const Outcome got = shell(each.command);
    EXPECT_EQ(got.code, kExitBadInput) << each.command << got.err;
    EXPECT_THAT(got.err, HasSubstr(each.error)) << each.command;
  }
  const Outcome usual =
      shell("ROTOR_TUNING=locked/t.json " + rotor + "generate hi --device cpu --greedy");
  EXPECT_EQ(usual.code, kExitOk) << usual.err;
  EXPECT_THAT(usual.err,
              HasSubstr("locked/t.json: cannot be read: Permission denied; nothing is tuned"));
  shell("chmod 700 locked");
}

TEST_F(RotorTest, TooLittleMemoryIsToldInWords) {
#if defined(__SANITIZE_ADDRESS__) || !defined(__x86_64__)
  GTEST_SKIP() << "sanitizers need more than this limit, emulators of a CPU do not keep it";
#endif
  const Outcome got = shell("(ulimit -v 400000; rotor inspect synthetic:2b4t-2layer/1)");
  EXPECT_EQ(got.code, kExitInfrastructure);
  EXPECT_THAT(got.err, HasSubstr("rotor: out of memory: "));
}

// The demo model has 1024 positions.
TEST_F(RotorTest, RemediesForLongTextsCanWork) {
  ASSERT_EQ(shell("i=0; while [ $i -lt 1100 ]; do echo 7; i=$((i+1)); done > long").code, kExitOk);
  const Outcome prompt = shell(std::string("rotor generate --prompt-file long") + kCpu);
  EXPECT_EQ(prompt.code, kExitUsage);
  EXPECT_THAT(prompt.err, HasSubstr("into 1024, and the model has no more; shorten the text"));
  const Outcome context =
      shell(std::string("rotor generate 'What is 7 plus 8 plus 7?' --context 4") + kCpu);
  EXPECT_THAT(context.err, HasSubstr("into 4; raise --context (the model has 1024)"));
  const Outcome score = shell(std::string("rotor score --text long") + kCpuScore);
  EXPECT_EQ(score.code, kExitUsage);
  EXPECT_THAT(score.err, HasSubstr("tokens, and the model has 1024 positions; score it in parts"));
  const Outcome system = shell(std::string("echo hi | rotor chat --system \"$(cat long)\"") + kCpu);
  EXPECT_EQ(system.code, kExitUsage);
  EXPECT_THAT(system.err, HasSubstr("the system message of "));
}

// Nobody waits for weights that are of no use.
TEST_F(RotorTest, AModelWithoutTokenizerIsRefusedAtOnce) {
  for (const char* command : {"generate hi", "score --text /dev/null", "chat"}) {
    const Outcome got =
        shell("rotor " + std::string(command) + " --model synthetic:odd/1 --device nowhere");
    EXPECT_EQ(got.code, kExitBadInput) << command;
    EXPECT_THAT(got.err, HasSubstr("put a tokenizer.json beside them (generate and score take"));
  }
}

TEST_F(RotorTest, NothingIsIgnoredInSilence) {
  struct Case {
    std::string command;
    int code;
    std::string error;
  };
  const std::string kernel = std::string("generate hi") + kCpu + "--kernel ";
  for (const Case& each :
       {Case{kernel + "nonsense", kExitUsage, "--kernel 'nonsense': no variant that runs on "},
        Case{kernel + "vulkan", kExitUsage, "--kernel 'vulkan': no variant that runs on "},
        Case{"generate hi --model \"$unset\"", kExitUsage, "--model: is empty"},
        Case{"tokenize --model ''", kExitUsage, "--model: is empty"},
        Case{"inspect ''", kExitUsage, "is empty"},
        Case{"generate hi --seed -1", kExitUsage, "--seed: -1 is not a whole number from 0"},
        Case{"score --text /dev/null --logits", kExitUsage, "--logits requires --json"},
        Case{"tokenize --decode", kExitBadInput,
             "standard input: token id 999999 at offset 2 is not in the vocabulary of"},
        Case{"generate --ids '1 999999' --model synthetic:odd/1" + std::string(kCpu), kExitBadInput,
             "prompt: token id 999999 at offset 2 is not in the vocabulary of"},
        Case{"tokenize < /", kExitBadInput, "standard input: cannot be read: it is a folder"},
        Case{"tokenize --decode < /", kExitBadInput, "standard input: cannot be read"},
        Case{std::string("chat < /") + kCpu, kExitBadInput, "standard input: cannot be read"},
        Case{"score --ids - < /dev/null", kExitBadInput, "standard input: no token ids in it"},
        Case{std::string("score --text - < /") + kCpuScore, kExitBadInput, "it is a folder"}}) {
    const Outcome got = shell("echo 1 999999 | { rotor " + each.command + "; }");
    EXPECT_EQ(got.code, each.code) << each.command;
    EXPECT_THAT(got.err, HasSubstr(each.error)) << each.command;
  }
  EXPECT_EQ(shell("rotor " + kernel + "cpu/matmul_bitpacked_portable").code, kExitOk);
}

TEST_F(RotorTest, UsageErrorsHelp) {
  EXPECT_THAT(shell("rotor").err,
              HasSubstr("name a command: generate chat score tokenize inspect"));
  EXPECT_EQ(shell("rotor").code, kExitUsage);
  EXPECT_THAT(shell("rotor gnerate hi").err, HasSubstr("'gnerate'; did you mean generate?"));
  EXPECT_THAT(shell("rotor generate hi --temp 1").err, HasSubstr("did you mean --temperature?"));
  EXPECT_EQ(shell(std::string("rotor generate hi --chunk 0") + kCpu).code, kExitOk);
  EXPECT_THAT(shell("rotor score --help").out, HasSubstr("--ids FILE"));
}

// SIGINT comes while weights are made, which takes seconds.
TEST_F(RotorTest, AnInterruptEndsWhatTakesLong) {
  const std::string ids = "generate --ids '1 2' --model synthetic:2b4t/1";
  for (const std::string& command : {std::string("inspect synthetic:2b4t/1"), ids + kCpu}) {
    const Outcome got =
        shell("timeout --preserve-status --signal INT 0.5 " ROTOR_PROGRAM " " + command);
    EXPECT_EQ(got.code, kExitInterrupted) << command;
    EXPECT_EQ(got.err, "rotor: interrupted\n") << command;
    EXPECT_EQ(got.out, "") << command;
  }
  // Not the end of the text.
  const Outcome reading = shell(
      "mkfifo pipe; sleep 5 > pipe & timeout --preserve-status --signal INT 0.5 " ROTOR_PROGRAM
      " tokenize < pipe");
  EXPECT_EQ(reading.code, kExitInterrupted);
  EXPECT_EQ(reading.err, "rotor: interrupted\n");
  EXPECT_EQ(reading.out, "");
}

TEST_F(RotorTest, AFileThatGrowsTooLargeIsAnError) {
  const Outcome got = shell("(ulimit -f 100; rotor convert " + test::kDemo + " m.gguf)");
  EXPECT_EQ(got.code, kExitCannotWrite);
  EXPECT_THAT(got.err, HasSubstr("m.gguf: cannot write: File too large"));
  EXPECT_FALSE(fs::exists(folder_ / "m.gguf.part"));
}

}  // namespace
}  // namespace rotor
