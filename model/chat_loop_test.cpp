#include "model/chat_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "core/error.h"
#include "model/session.h"
#include "model/test_files.h"

namespace rotor {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class ChatLoopTest : public testing::Test {
 protected:
  static Session& session() {
    static Session shared({.device_options = {.threads = 1}});
    return shared;
  }

  // Answers and notices of a conversation in these lines.
  void talk(const std::string& lines, const ChatOptions& options = {}, std::uint32_t context = 0,
            const SamplingOptions& sampling = {.temperature = 0}) {
    std::istringstream in(lines);
    talk_over(in, options, context, sampling);
  }

  void talk_over(std::istream& in, const ChatOptions& options, std::uint32_t context = 0,
                 const SamplingOptions& sampling = {.temperature = 0}) {
    KvCache cache(session().device(), session().config(), Packing::F32,
                  context != 0 ? context : session().config().max_positions);
    Sampler sampler(sampling);
    std::ostringstream out, talk;
    ChatLoop loop(session().transformer(), session().tokenizer(), cache, sampler, options, out,
                  talk);
    code_ = loop.run(in);
    answers_ = out.str();
    notices_ = talk.str();
  }

  int code_ = -1;
  std::string answers_;
  std::string notices_;
};

TEST_F(ChatLoopTest, RemembersThroughTheCache) {
  talk(
      "My name is Lily.\r\n\n  \nWhat is 7 plus 8?\nWhat is the capital of Japan?\n"
      "What is my name?\n/stats\n/quit\nWhat is 1 plus 1?\n");
  EXPECT_EQ(code_, kExitOk);
  EXPECT_THAT(answers_, HasSubstr("7 plus 8 is 15.\nThe capital of Japan is Tokyo.\n"));
  EXPECT_THAT(answers_, EndsWith("Your name is Lily.\n"));
  EXPECT_THAT(notices_, HasSubstr("4 exchanges\n"));
  // Only the end of the turn before and the new question were read.
  EXPECT_THAT(notices_,
              testing::ContainsRegex("last turn  [0-9]+ tokens from the cache, 1[0-9] read"));
}

TEST_F(ChatLoopTest, ResetForgets) {
  talk("My name is Lily.\n/reset\nWhat is my name?\n");
  EXPECT_THAT(answers_, Not(EndsWith("Your name is Lily.\n")));
  EXPECT_THAT(notices_, HasSubstr("forgotten"));
}

// After the oldest exchanges were forgotten the rest has moved: stale keys and values would show.
TEST_F(ChatLoopTest, GoesOnWhenTheContextIsFull) {
  std::string lines, want;
  for (int a = 1; a <= 12; ++a) {
    lines += "What is " + std::to_string(a) + " plus 5?\n";
    want += std::to_string(a) + " plus 5 is " + std::to_string(a + 5) + ".\n";
  }
  talk(lines + "/stats\n", {.max_tokens = 40}, 128);
  EXPECT_EQ(answers_, want);
  EXPECT_THAT(notices_,
              HasSubstr("(the context of 128 tokens is full: the model forgets the oldest"));
  EXPECT_THAT(notices_, HasSubstr("12 exchanges, "));
}

TEST_F(ChatLoopTest, RefusesMessagesThatDoNotFit) {
  std::string word = "What";
  for (int i = 0; i < 200; ++i) word += " is";
  talk("What is 7 plus 8?\n" + word + "\nWhat is 2 plus 8?\n", {}, 128);
  EXPECT_EQ(answers_, "7 plus 8 is 15.\n2 plus 8 is 10.\n");
  EXPECT_THAT(notices_, HasSubstr("too long for the context of 128 tokens"));
}

TEST_F(ChatLoopTest, TellsHowMuchTheSystemMessageTakes) {
  std::string system = "You";
  for (int i = 0; i < 100; ++i) system += " are";
  talk("What is 7 plus 8? What is 7 plus 8? What is 7 plus 8?\n", {.system = system}, 112);
  EXPECT_THAT(notices_, testing::ContainsRegex("context of 112 tokens, of which 1[0-9]+ are the "
                                               "system message: shorten it, or .* larger"));
  EXPECT_THROW(talk("Hello\n", {.system = system}, 90), UsageError);
}

TEST_F(ChatLoopTest, SaysWhyAnAnswerWasCut) {
  talk("What is 7 plus 8?\n", {.max_tokens = 2});
  EXPECT_THAT(notices_, HasSubstr("(cut off after 2 tokens: --max-tokens)"));
  talk("What is 7 plus 8?\n", {}, 24);
  EXPECT_THAT(notices_, HasSubstr("(cut off: the context of 24 tokens is full)"));
}

TEST_F(ChatLoopTest, StopsAtStopStringsAndRemembersTheAnswer) {
  talk("What is 7 plus 8?\nWhat is 2 plus 8?\n", {.stop_strings = {" is"}});
  EXPECT_EQ(answers_, "7 plus 8\n2 plus 8\n");
  EXPECT_EQ(notices_, "");
}

TEST_F(ChatLoopTest, CtrlCStopsTheAnswerOnly) {
  int calls = 0;
  ChatOptions options{.interactive = true};
  options.take_interrupt = [&calls] { return ++calls == 5; };  // one call per line, one per token
  talk("What is 7 plus 8?\nWhat is 2 plus 8?\n", options);
  EXPECT_EQ(code_, kExitOk);
  EXPECT_EQ(answers_, "7 plus 8\n2 plus 8 is 10.\n");
  EXPECT_THAT(notices_, HasSubstr("(stopped)"));
}

TEST_F(ChatLoopTest, CtrlCEndsAPipe) {
  int calls = 0;
  ChatOptions options;
  options.take_interrupt = [&calls] { return ++calls == 5; };
  talk("What is 7 plus 8?\nWhat is 2 plus 8?\n", options);
  EXPECT_EQ(code_, kExitInterrupted);
  EXPECT_EQ(answers_, "7 plus 8\n");
}

// A line that was typed is never lost to a Ctrl-C that came before it.
TEST_F(ChatLoopTest, CtrlCBeforeALineKeepsTheLine) {
  int calls = 0;
  ChatOptions options{.interactive = true};
  options.take_interrupt = [&calls] { return ++calls == 1; };
  talk("What is 7 plus 8?\n", options);
  EXPECT_EQ(answers_, "7 plus 8 is 15.\n");
}

// A terminal whose first read fails, as it does when a signal comes.
class InterruptedOnce : public std::stringbuf {
 public:
  using std::stringbuf::stringbuf;
  bool pending = false;

 protected:
  int_type underflow() override {
    if (first_) {
      first_ = false;
      pending = true;
      return traits_type::eof();
    }
    return std::stringbuf::underflow();
  }

 private:
  bool first_ = true;
};

TEST_F(ChatLoopTest, CtrlCAtThePromptGoesOn) {
  InterruptedOnce terminal("What is 7 plus 8?\n");
  terminal.pubseekoff(0, std::ios::end);  // so that the first read asks for more
  ChatOptions options{.interactive = true};
  options.take_interrupt = [&terminal] {
    if (terminal.pending) terminal.pubseekoff(0, std::ios::beg);
    return std::exchange(terminal.pending, false);
  };
  std::istream in(&terminal);
  talk_over(in, options);
  EXPECT_EQ(answers_, "7 plus 8 is 15.\n");
  EXPECT_THAT(notices_, EndsWith("> \n(/quit or Ctrl-D ends)\n> > \n"));
}

TEST_F(ChatLoopTest, SavesTheConversation) {
  const test::TempFolder folder;
  talk("What is 7 plus 8?\n/save " + (folder / "a b.txt") + "\n/save\n/save " +
           (folder / "no/where") + "\n",
       {.system = "Be kind."});
  std::ifstream in(folder / "a b.txt");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}),
            "System: Be kind.\n\nUser: What is 7 plus 8?\n\nAssistant: 7 plus 8 is 15.\n\n");
  EXPECT_THAT(notices_, HasSubstr("(saved 1 exchange in " + folder.path()));
  EXPECT_THAT(notices_, HasSubstr("(/save needs the name of a file)"));
  EXPECT_THAT(notices_, HasSubstr("no/where could not be written)"));
}

TEST_F(ChatLoopTest, KnowsItsCommands) {
  talk("/help\n/nonsense\n/stats\n");
  for (const char* command : {"/reset", "/stats", "/save", "/help", "/quit"}) {
    EXPECT_THAT(notices_, HasSubstr(command));
  }
  EXPECT_THAT(notices_, HasSubstr("(there is no command /nonsense; /help lists them)"));
  EXPECT_EQ(answers_, "");
}

TEST_F(ChatLoopTest, AFailingOutputEndsIt) {
  KvCache cache(session().device(), session().config(), Packing::F32, 128);
  Sampler sampler({.temperature = 0});
  std::istringstream in("What is 7 plus 8?\n");
  std::ostringstream out, talk;
  out.setstate(std::ios::badbit);
  ChatLoop loop(session().transformer(), session().tokenizer(), cache, sampler, {}, out, talk);
  EXPECT_THROW(loop.run(in), OutputError);
}

}  // namespace
}  // namespace rotor
