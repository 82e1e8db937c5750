#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "model/commands.h"
#include "model/test_files.h"

namespace rotor {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

struct Outcome {
  int code;
  std::string out;
  std::string talk;
  Json json() const { return Json::parse(out); }
};

GenerateCommand greedy(const std::string& prompt) {
  GenerateCommand command;
  command.session.device_options.threads = 1;
  command.sampling.temperature = 0;
  command.prompt = prompt;
  command.max_tokens = 24;
  return command;
}

Outcome run(const GenerateCommand& command) {
  std::ostringstream out, talk;
  const int code = run_generate(command, out, talk);
  return {code, out.str(), talk.str()};
}

constexpr const char* kSum = "User: What is 7 plus 8?<|eot_id|>Assistant: ";

TEST(Generate, WritesTheTextAndSaysHowItWent) {
  const Outcome got = run(greedy(kSum));
  EXPECT_EQ(got.code, kExitOk);
  EXPECT_EQ(got.out, "7 plus 8 is 15.\n");
  EXPECT_THAT(got.talk, HasSubstr("stopped    end of text"));
}

// One token has no speed of decoding.
TEST(Generate, GivesNoRateThatWasNotMeasured) {
  GenerateCommand command = greedy(kSum);
  command.max_tokens = 1;
  EXPECT_THAT(run(command).talk, HasSubstr("generated      1 token in 0.000 s, -\n"));
  command.json = true;
  const Json timings = run(command).json()["samples"][0]["timings"];
  EXPECT_TRUE(timings["decode_tokens_per_second"].is_null());
  EXPECT_GT(timings["prompt_tokens_per_second"], 0);
}

TEST(Generate, StopsBeforeAStopString) {
  GenerateCommand command = greedy(kSum);
  command.stop_strings = {"never said", "s 15"};
  const Outcome got = run(command);
  EXPECT_EQ(got.out, "7 plus 8 i\n");
  EXPECT_THAT(got.talk, HasSubstr("stopped    at a stop string"));
}

// What looked like a stop string and was none is shown in the end.
TEST(Generate, ShowsWhatAStopStringHeldBack) {
  GenerateCommand command = greedy(kSum);
  command.stop_strings = {"15.\n"};
  EXPECT_EQ(run(command).out, "7 plus 8 is 15.\n");
}

TEST(Generate, ReadsThePromptFromAFile) {
  const test::TempFolder folder;
  std::ofstream(folder / "prompt.txt") << kSum << "\n";
  GenerateCommand command = greedy("");
  command.prompt_file = folder / "prompt.txt";
  EXPECT_EQ(run(command).out, "7 plus 8 is 15.\n");

  std::ofstream(folder / "empty.txt") << "\n";
  for (const char* bad : {"empty.txt", "absent.txt", ""}) {
    command.prompt_file = folder / bad;
    EXPECT_THROW(run(command), FormatError) << bad;
  }
}

TEST(Generate, WritesOneJsonDocument) {
  GenerateCommand command = greedy(kSum);
  command.json = true;
  const Outcome got = run(command);
  EXPECT_EQ(got.talk, "");
  const Json json = got.json();
  EXPECT_EQ(json["prompt"]["text"], kSum);
  EXPECT_EQ(json["prompt"]["ids"].size(), 21u);
  EXPECT_EQ(json["device"]["id"], "cpu:0");
  ASSERT_EQ(json["samples"].size(), 1u);
  const Json sample = json["samples"][0];
  EXPECT_EQ(sample["text"], "7 plus 8 is 15.");
  EXPECT_EQ(sample["finish_reason"], "stop_token");
  EXPECT_EQ(sample["timings"]["prompt_tokens"], 21);
  EXPECT_GT(sample["timings"]["prompt_seconds"], 0);
  EXPECT_GE(sample["timings"]["first_token_seconds"], sample["timings"]["prompt_seconds"]);
  EXPECT_GT(sample["timings"]["decode_tokens_per_second"], 0);
  EXPECT_EQ(json["memory"]["cache_positions"], 21 + 24);
  EXPECT_GE(json["memory"]["peak_resident_bytes"], json["memory"]["weight_bytes"]);
}

TEST(Generate, NamesEveryReasonToFinish) {
  struct Row {
    const char* reason;
    std::uint32_t max_tokens;
    std::uint32_t context;
    std::vector<std::string> stops;
    const char* text;
  };
  for (const Row& row :
       {Row{"stop_token", 24, 0, {}, "7 plus 8 is 15."}, Row{"max_tokens", 2, 0, {}, "7 plus"},
        Row{"max_tokens", 0, 32, {}, ""}, Row{"context_full", 24, 22, {}, "7 plus"},
        Row{"stop_string", 24, 0, {"15"}, "7 plus 8 is "}}) {
    GenerateCommand command = greedy(kSum);
    command.json = true;
    command.max_tokens = row.max_tokens;
    command.context = row.context;
    command.stop_strings = row.stops;
    const Json sample = run(command).json()["samples"][0];
    EXPECT_EQ(sample["finish_reason"], row.reason);
    EXPECT_EQ(sample["text"], row.text) << row.reason;
  }
}

TEST(Generate, ReportsAnInterruptedText) {
  GenerateCommand command = greedy(kSum);
  command.json = true;
  command.samples = 3;
  interrupt();
  const Outcome none = run(command);
  EXPECT_TRUE(take_interrupt());
  EXPECT_EQ(none.code, kExitInterrupted);
  EXPECT_EQ(none.json()["samples"].size(), 0u);
}

// Each sample is the text that its seed gives alone, although only the first reads the prompt.
TEST(Generate, SamplesAreThoseOfTheirSeeds) {
  GenerateCommand command = greedy("Once upon a time");
  command.sampling = {.temperature = 1, .seed = 7};
  command.json = true;
  command.samples = 3;
  const Json samples = run(command).json()["samples"];
  ASSERT_EQ(samples.size(), 3u);
  EXPECT_EQ(samples[1]["timings"]["prompt_tokens"], 1);
  command.samples = 1;
  for (std::uint64_t i = 0; i < 3; ++i) {
    command.sampling.seed = 7 + i;
    EXPECT_EQ(samples[i]["seed"], 7 + i);
    EXPECT_EQ(run(command).json()["samples"][0]["ids"], samples[i]["ids"]) << i;
  }
  EXPECT_NE(samples[0]["ids"], samples[1]["ids"]);
}

TEST(Generate, SamplesAreLinesOfText) {
  GenerateCommand command = greedy(kSum);
  command.samples = 2;
  const Outcome got = run(command);
  EXPECT_EQ(got.out, "7 plus 8 is 15.\n7 plus 8 is 15.\n");
  EXPECT_THAT(got.talk, HasSubstr("sample     2 of 2"));
}

// Tokens that end within a character, and bytes that are none: the text stays UTF-8.
TEST(Generate, TextIsAlwaysUtf8) {
  GenerateCommand command = greedy("A");
  command.sampling = {.temperature = 50, .seed = 1};
  command.json = true;
  command.max_tokens = 200;
  const std::string text = run(command).json()["samples"][0]["text"];
  EXPECT_THAT(text, HasSubstr("\uFFFD"));
}

TEST(Generate, RefusesImpossibleOptionsBeforeLoading) {
  GenerateCommand command = greedy("A");
  command.session.model = "/no/such/model";
  command.stop_strings = {""};
  EXPECT_THROW(run(command), UsageError);
  command.stop_strings.clear();
  command.sampling.top_p = 2;
  EXPECT_THROW(run(command), UsageError);
}

}  // namespace
}  // namespace rotor
