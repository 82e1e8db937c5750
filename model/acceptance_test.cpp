// The published results are those of weights that tests do not have, so the checks run on the demo
// model with results of its own: they must pass with the right ones and fail with wrong ones.
#include "model/acceptance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "model/test_files.h"

namespace rotor {
namespace {

using testing::HasSubstr;
using Status = AcceptanceCheck::Status;

Session demo_session() {
  SessionOptions options;
  options.model = test::kDemo;
  return Session(options);
}

TEST(Acceptance, LogitMeansArePerPosition) {
  Session session = demo_session();
  const std::vector<TokenId> ids = {2032, 277, 778, 295, 1028};
  std::vector<double> means;  // token by token, where the check takes all at once
  KvCache cache(session.device(), session.config(), Packing::F32, 5);
  for (const TokenId id : ids) {
    const auto logits = session.transformer().forward(std::span(&id, 1), cache);
    means.push_back(std::accumulate(logits.begin(), logits.end(), 0.0) /
                    static_cast<double>(logits.size()));
  }
  EXPECT_EQ(check_logit_means(session, ids, means).status, Status::Passed);
  means[3] += 0.2;
  const AcceptanceCheck wrong = check_logit_means(session, ids, means);
  EXPECT_EQ(wrong.status, Status::Failed);
  EXPECT_THAT(wrong.detail, HasSubstr("0.2000, at position 3"));
}

TEST(Acceptance, AGreedyAnswerMustBeginThePublishedOne) {
  Session session = demo_session();
  const std::string question = "What is the capital of Japan?";
  const auto status = [&](const char* published) {
    return check_greedy_answer(session, question, published).status;
  };
  EXPECT_EQ(status("The capital of Japan is Tokyo. And more."), Status::Passed);
  EXPECT_EQ(status("The capital of Japan is Kyoto."), Status::Failed);
  EXPECT_EQ(status("The capital"), Status::Failed);  // the answer is longer
}

TEST(Acceptance, ATokenizerMustFitItsModel) {
  const Config config = open_checkpoint(test::kDemo)->config();
  EXPECT_EQ(check_tokenizer(test::kDemo, config).status, Status::Passed);
  Config other = config;
  other.vocab = 2047;
  EXPECT_THAT(check_tokenizer(test::kDemo, other).detail, HasSubstr("2048 tokens for a model of"));
  const test::TempFolder folder;
  EXPECT_EQ(check_tokenizer(folder.path(), config).status, Status::NotRun);
  std::ofstream(folder / "tokenizer.json") << "{}";
  EXPECT_EQ(check_tokenizer(folder.path(), config).status, Status::Failed);
}

// Llama 3's tokenizer: number of merges and texts with published ids.
TEST(Acceptance, TheTokenizerOf2b4tGivesThePublishedIds) {
  const char* data = std::getenv("ROTOR_TESTDATA");
  if (data == nullptr) GTEST_SKIP() << "ROTOR_TESTDATA is not set: the Llama-3 tokenizer not read";
  const Config config = open_checkpoint("synthetic:2b4t/1")->config();
  const AcceptanceCheck check = check_tokenizer(std::string(data) + "/tokenizer/llama3", config);
  EXPECT_EQ(check.status, Status::Passed) << check.detail;
  EXPECT_EQ(check.detail, "128256 tokens, 280147 merges");
}

}  // namespace
}  // namespace rotor
