#include "reports/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "reports/schema.h"

namespace rotor {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Ten rounds of a case that takes 100 us and that B makes slower by `effect`, with a noise of
// `spread` in every process.
GateCase made_case(const std::string& id, double effect, double spread, Random& random,
                   bool confirm = false) {
  const auto time = [&](double factor) {
    return 100e-6 * factor * std::exp(spread * (random.uniform() - random.uniform()));
  };
  GateCase c{.id = id};
  for (int round = 0; round < 10; ++round) {
    c.a_s.push_back(time(1));
    c.b_s.push_back(time(1 + effect));
    if (round < 4) c.control_s.push_back(time(1));
  }
  for (int round = 0; confirm && round < 20; ++round) {
    c.confirm_a_s.push_back(time(1));
    c.confirm_b_s.push_back(time(1 + effect));
  }
  return c;
}

TEST(Gate, ASlowDownIsACandidateAndNeedsConfirmation) {
  Random random(1);
  Gate gate;
  gate.cases = {made_case("slow", 0.10, 0.01, random), made_case("same", 0, 0.01, random),
                made_case("fast", -0.10, 0.01, random)};
  judge(gate);
  EXPECT_TRUE(gate.cases[0].candidate);
  EXPECT_EQ(gate.cases[0].verdict, GateVerdict::Inconclusive);
  EXPECT_EQ(gate.cases[1].verdict, GateVerdict::Same);
  EXPECT_EQ(gate.cases[2].verdict, GateVerdict::Improved);
  EXPECT_EQ(exit_code(gate, false), kExitOk);
  EXPECT_EQ(exit_code(gate, true), kExitInconclusive);

  gate.cases[0] = made_case("slow", 0.10, 0.01, random, true);
  judge(gate);
  EXPECT_EQ(gate.cases[0].verdict, GateVerdict::Regressed);
  EXPECT_EQ(exit_code(gate, false), kExitRegression);
  EXPECT_EQ(exit_reason(gate), "confirmed slower: slow");

  gate.cases[0].confirm_b_s = gate.cases[0].confirm_a_s;
  judge(gate);
  EXPECT_EQ(gate.cases[0].verdict, GateVerdict::NotConfirmed);
  EXPECT_EQ(exit_code(gate, true), kExitOk);
}

TEST(Gate, NoiseWidensTheLeastEffect) {
  Random random(2);
  Gate gate;
  gate.cases = {made_case("slow", 0.05, 0, random)};
  gate.cases[0].control_s = {103e-6, 103e-6, 103e-6, 103e-6};
  judge(gate);
  EXPECT_NEAR(gate.noise, std::log(1.03), 1e-12);
  EXPECT_NEAR(gate.min_effect, 2 * std::log(1.03), 1e-12);
  EXPECT_FALSE(gate.cases[0].candidate);
  EXPECT_NE(gate.cases[0].verdict, GateVerdict::Regressed);
}

// Noise of every process of up to 5 %, no change: never a confirmed regression, and what is slower by
// 5 % is never called the same.
TEST(Gate, NoFalseAlarmInManySessions) {
  Random random(3);
  int candidates = 0;
  for (int session = 0; session < 300; ++session) {
    Gate gate;
    for (int c = 0; c < 6; ++c) {
      gate.cases.push_back(
          made_case(std::string("c").append(std::to_string(c)), 0, 0.05, random, true));
    }
    judge(gate);
    for (const GateCase& c : gate.cases) candidates += c.candidate;
    EXPECT_EQ(gate.count(GateVerdict::Regressed), 0u);
    Gate slower;
    slower.cases = {made_case("slow", 0.05, 0.05, random)};
    judge(slower);
    EXPECT_NE(slower.cases[0].verdict, GateVerdict::Same);
  }
  EXPECT_LE(candidates, 3);
}

TEST(Gate, ChecksComeBeforeTimes) {
  Gate gate;
  gate.checks.outcomes = {{"x", "cpu:0", "pass", "", "", true, false}};
  EXPECT_EQ(exit_code(gate, false), kExitInfrastructure);
  gate.checks.outcomes.push_back({"y", "cpu:0", "pass", "fail_verify", "wrong", false, true});
  EXPECT_EQ(exit_code(gate, false), kExitCheckFailed);
  gate.interrupted = true;
  EXPECT_EQ(exit_code(gate, false), kExitInterrupted);
}

TEST(Gate, ItsJsonIsValidAndItsTextNamesTheCase) {
  Random random(4);
  Gate gate;
  gate.cases = {made_case("cpu/slow/n1", 0.2, 0.01, random, true), GateCase{.id = "never run"}};
  judge(gate);
  const int code = exit_code(gate, false);
  const std::string schema = load_file(ROTOR_SOURCE_DIR "/reports/gate-1.schema.json");
  EXPECT_THAT(schema_violations(schema, gate_json(gate, code)), IsEmpty());
  const std::string text = console_text(document_of(gate, code));
  EXPECT_THAT(text, HasSubstr("confirmed slower: cpu/slow/n1"));
  EXPECT_THAT(text, HasSubstr("+20."));
}

}  // namespace
}  // namespace rotor
