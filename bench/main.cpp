// The `rotor-bench` program: reads flags, runs, turns errors into one line and an exit code.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <new>
#include <random>

#include "bench/bench.h"
#include "bench/worker.h"
#include "build_info.h"
#include "core/end_process.h"
#include "core/error.h"
#include "core/start_process.h"
#include "core/written.h"
#include "model/commands.h"

namespace {

using namespace rotor;

constexpr const char* kFooter =
    "Checks every kernel variant of this machine against plain code, then times it: cold weights\n"
    "(rotated through memory), hot ones too for single tokens and large batches.\n\n"
    "Exit codes: 0 all is well, 1 a confirmed slowdown, 2 a check failed, 3 inconclusive where\n"
    "asked for, 4 a case or device broke, 64 usage or nothing matched, 65 bad input file,\n"
    "69 not available here, 73 an output could not be written, 130 interrupted (report written)";

struct Flags {
  BenchOptions options;
  CompareOptions compare;
  GateOptions gate;
  ShowOptions show;
  ProjectOptions project;
  std::string gate_effect = "3%";
  std::string gate_budget = "45s";
  std::string gate_threads;
  std::string min_effect = "5%";
  bool roofline = true;
  bool tune = false;
  bool list = false;
  bool list_variants = false;
  bool list_devices = false;
  std::string features;
  std::string seed;
  std::string budget = "10m";
  std::string prepare_timeout = "3m";
  std::string run_timeout = "60s";
  std::vector<std::string> context;
};

// A variable of the shell that is not set must not choose every device.
std::string some_device(const std::string& name) {
  return name.empty() ? "names no device; leave the flag out for the default" : "";
}

void add_flags(CLI::App& app, Flags& flags) {
  BenchOptions& options = flags.options;
  std::string suites;
  for (const std::string& name : suite_names()) suites += (suites.empty() ? "" : ", ") + name;
  app.add_option("--suite", options.suite, "what to run: " + suites)->capture_default_str();
  app.add_option("--filter", options.filters,
                 "only cases whose name has a match; with '-' in front: only those that have none; "
                 "may be repeated")
      ->allow_extra_args(false);
  app.add_option("--device", options.device, "cpu, vulkan:1 or part of a name; default: all")
      ->check(&some_device);
  app.add_option("--model", options.model,
                 "folder of a model, or synthetic:PRESET/SEED, whose shapes are measured beside "
                 "the standard ones; default: the demo model");
  app.add_option("--kv", options.kv,
                 "rows of the KV cache where whole models are timed: f32, f16 or int8")
      ->check(CLI::IsMember({"f32", "f16", "int8"}))
      ->capture_default_str();
  app.add_option(
      "--text", options.text,
      "text whose perplexity the quality suite measures; default: one of the demo's world");
  app.add_option("--threads", options.device_options.threads, "CPU threads; 0 is one per core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--features", flags.features,
                 "use these CPU features only, e.g. baseline or avx2 or avx2,avx512");
  app.add_option(
         "--budget", flags.budget,
         "time for the whole run, e.g. 90s or 10m; kernels are checked to the end all the same")
      ->capture_default_str();
  app.add_option("--seed", flags.seed, "of data and order; default: random, and printed");
  app.add_option("--out", options.out, "write the report to this file; - is stdout");
  app.add_flag("--resume", options.resume,
               "go on with the journal beside --out: same flags, finished cases are kept");
  app.add_option("--context", flags.context, "KEY=VALUE to remember in the report; repeatable")
      ->allow_extra_args(false);
  app.add_flag("--verify-only", options.verify_only, "check, but time nothing");
  app.add_flag("--roofline,!--no-roofline", flags.roofline,
               "measure what each device can do at best (default with 20 s of budget or more, "
               "where checks leave a device 10 s)");
  app.add_flag("--isolation,!--no-isolation", options.isolation,
               "run cases in a process of their own, so that one that breaks costs only itself "
               "(default)");
  app.add_option("--prepare-timeout", flags.prepare_timeout,
                 "end a case that compiles, fills or checks for longer without a sign of life")
      ->capture_default_str();
  app.add_option("--run-timeout", flags.run_timeout, "end a case of which one sample takes longer")
      ->capture_default_str();
  app.add_option("--known-issues", options.known_issues,
                 "failures that are known and do not fail the run: a file in place of the built-in "
                 "list");
  app.add_flag("--tune", flags.tune,
               "find the best variant and tile for the products of the model (default: 2B4T), keep "
               "them in the tuning record, and run nothing else; --budget is 1m then");
  app.add_option(
      "--tune-file", options.tuning.file,
      "the tuning record; default: ROTOR_TUNING, else rotor/tuning.json in the folder for "
      "caches");
  app.add_flag("--tuned,!--no-tuned", options.tuning.use,
               "run whole models as the tuning record of the device says (default)");
  app.add_flag("--worker", options.worker)->group("");  // for the program itself
  app.add_flag("--self-test", options.self_test,
               "let the checks find injected bugs on every device, and the statistics seeded "
               "slow-downs; run nothing else");
  app.add_flag("--list", flags.list, "print the names of the cases");
  app.add_flag("--list-variants", flags.list_variants, "print the kernel variants");
  app.add_flag("--list-devices", flags.list_devices, "print the devices");
}

CLI::App* add_compare(CLI::App& app, Flags& flags) {
  CLI::App* command = app.add_subcommand("compare", "what changed from report A to report B");
  CompareOptions& options = flags.compare;
  command->add_option("A", options.a, "report, the older one")->required();
  command->add_option("B", options.b, "report, the newer one")->required();
  command->add_option("--format", options.format, "of what is printed")
      ->check(CLI::IsMember(compare_formats()))
      ->capture_default_str();
  command
      ->add_option("--out", options.outs,
                   "also write this file: .txt, .md, .json, .html or .csv; repeatable")
      ->allow_extra_args(false);
  command->add_option("--min-effect", flags.min_effect, "smaller differences count as none")
      ->capture_default_str();
  command->footer(
      "Times change no exit code here. 0: nothing lost, nothing wrong; 2: B got a case wrong; 4: "
      "a case\nthat passed in A did not run to an end in B; 65: not a report\n"
      "A report of published figures (reports/reference) may be one of the two: the fastest "
      "kernels "
      "of\nthe other are held against it");
  return command;
}

CLI::App* add_show(CLI::App& app, Flags& flags) {
  CLI::App* command = app.add_subcommand(
      "show", "a report, or the journal (.jsonl) of a run that was cut off, in other forms");
  command->add_option("REPORT", flags.show.report, "report or journal")->required();
  command
      ->add_option("--out", flags.show.outs,
                   "write this file: .html, .md, .csv, .txt, .json, or .xml for JUnit; repeatable")
      ->allow_extra_args(false);
  return command;
}

CLI::App* add_project(CLI::App& app, Flags& flags) {
  CLI::App* command =
      app.add_subcommand("project", "what a report lets expect of hardware that was not measured");
  ProjectOptions& options = flags.project;
  command->add_option("REPORT", options.report, "report of a run")->required();
  command
      ->add_option("--onto", options.onto,
                   "steam-deck-lcd, steam-deck-oled or hd615; repeatable; default: all")
      ->allow_extra_args(false);
  command
      ->add_option("--device", options.device,
                   "of the report, whose shares of the limit are taken; default: its first real "
                   "GPU, else the CPU")
      ->check(&some_device);
  command->add_option("--hardware", options.hardware,
                      "a hardware table in place of the built-in one (reports/reference)");
  command->add_option("--format", options.format, "of what is printed")
      ->check(CLI::IsMember(compare_formats()))
      ->capture_default_str();
  command
      ->add_option("--out", options.outs,
                   "also write this file: .txt, .md, .json, .html or .csv; repeatable")
      ->allow_extra_args(false);
  return command;
}

CLI::App* add_gate(CLI::App& app, Flags& flags) {
  CLI::App* command = app.add_subcommand(
      "gate", "fail if this build is slower than another one: both run in turns on this machine");
  GateOptions& options = flags.gate;
  command
      ->add_option(
          "BASE_PROGRAM", options.base,
          "rotor-bench of the build to compare with; or a report (.json) of an earlier run on "
          "this machine, which only tells where to look")
      ->required();
  command
      ->add_option("--device", options.device, "as for a run; default: the CPU, with a report all")
      ->check(&some_device);
  command->add_option("--rounds", options.rounds, "processes of each build, at least 7")
      ->capture_default_str();
  command->add_option("--min-effect", flags.gate_effect, "smaller slow-downs are never failed")
      ->capture_default_str();
  command->add_option("--budget", flags.gate_budget, "no more rounds than wanted after this time")
      ->capture_default_str();
  command->add_option("--seed", flags.seed, "of data and order; default: random");
  command->add_flag("--fail-on-inconclusive", options.fail_on_inconclusive,
                    "end with 3 where noise leaves a case undecided");
  command->add_option("--out", options.outs, "also write this file: .txt, .md, .html or .json")
      ->allow_extra_args(false);
  command->add_option("--threads", flags.gate_threads, "CPU threads of both programs");
  command->add_option("--features", flags.features, "CPU features of both programs");
  command->add_option("--filter", options.filters, "cases of the gate suite; repeatable")
      ->allow_extra_args(false);
  command->footer(
      "0: no confirmed regression; 1: a case is slower, twice; 2: wrong results; 3: see above; 4: "
      "cases of\nthe base are gone, or a program could not run");
  return command;
}

// What `parse` makes of the flag's value; what is wrong with it is told with the flag's name.
template <typename Value>
Value value_of(const char* flag, Value (*parse)(const std::string&), const std::string& text) {
  try {
    return parse(text);
  } catch (const UsageError& error) {
    throw UsageError(std::string(flag) + ": " + error.what());
  }
}

std::uint64_t seed_of(const Flags& flags) {
  return flags.seed.empty() ? std::random_device{}() : value_of("--seed", parse_seed, flags.seed);
}

// What both programs of a gate are called with.
void interpret_gate(Flags& flags) {
  GateOptions& options = flags.gate;
  options.min_effect = value_of("--min-effect", parse_share, flags.gate_effect);
  options.budget_s = value_of("--budget", parse_duration, flags.gate_budget);
  options.seed = seed_of(flags);
  const auto pass_on = [&](const char* name, const std::string& value) {
    if (!value.empty()) options.args.insert(options.args.end(), {name, value});
  };
  pass_on("--threads", flags.gate_threads);
  pass_on("--features", flags.features);
  for (const std::string& filter : options.filters) pass_on("--filter", filter);
}

// The command that was given, or the program itself.
const CLI::App& active(const CLI::App& app) {
  const std::vector<CLI::App*> commands = app.get_subcommands();
  return commands.empty() ? app : *commands.front();
}

// What CLI11 found wrong, as one line; an unknown flag gets the nearest known one.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> rest = app.remaining(true);
  if (rest.empty()) return error.what();
  std::vector<std::string> known;
  for (const CLI::Option* option : active(app).get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  const std::string& word = rest.front();
  const std::string suggestion = nearest(word.substr(0, word.find('=')), known);
  return "unknown argument '" + word + "'" +
         (suggestion.empty() ? "; see --help" : "; did you mean " + suggestion + "?");
}

void parse_context(Flags& flags) {
  for (const std::string& pair : flags.context) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw UsageError("--context " + pair + ": write KEY=VALUE");
    }
    flags.options.context[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
}

// Flags that change what a case means go into the command that repeats it.
void keep_for_repro(const CLI::App& app, Flags& flags) {
  std::vector<std::string>& args = flags.options.repro_args;
  for (const char* name :
       {"--model", "--device", "--threads", "--features", "--tune-file", "--kv"}) {
    const CLI::Option* option = app.get_option(name);
    if (option->count() == 0) continue;
    args.push_back(name);
    args.push_back(option->as<std::string>());
  }
}

void interpret(const CLI::App& app, Flags& flags) {
  BenchOptions& options = flags.options;
  if (app.count("--features") != 0) {
    options.device_options.feature_mask = parse_features(flags.features);
  }
  options.budget_s = flags.tune && app.count("--budget") == 0
                         ? 60
                         : value_of("--budget", parse_duration, flags.budget);
  if (app.count("--roofline") != 0) options.roofline = flags.roofline;
  options.prepare_timeout_s = value_of("--prepare-timeout", parse_duration, flags.prepare_timeout);
  options.run_timeout_s = value_of("--run-timeout", parse_duration, flags.run_timeout);
  options.seed = seed_of(flags);
  options.terminal = isatty(STDERR_FILENO) != 0;
  parse_context(flags);
  keep_for_repro(app, flags);
}

std::string version() {
  return std::string(build::kVersion) + " (" + build::kCommit + (build::kDirty ? ", changed" : "") +
         ", " + build::kCompiler + ", " + build::kType + ")";
}

int run_program(int argc, char** argv) {
  CLI::App app{"rotor-bench: verified times of ternary kernels", "rotor-bench"};
  app.set_version_flag("--version", "rotor-bench " + version());
  Flags flags;
  add_flags(app, flags);
  const CLI::App* compare = add_compare(app, flags);
  const CLI::App* gate = add_gate(app, flags);
  const CLI::App* show = add_show(app, flags);
  const CLI::App* project = add_project(app, flags);
  app.footer(kFooter);  // commands that were there before do not take it over
  flags.options.argv.assign(argv, argv + argc);
  std::vector<std::string> args =
      translate_benchmark_flags({flags.options.argv.begin() + 1, flags.options.argv.end()});
  std::reverse(args.begin(), args.end());  // CLI11 wants them so
  try {
    app.parse(args);
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked);
    check_written(std::cout, "the help");
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    throw UsageError(usage_message(app, error));
  }
  if (compare->parsed()) {
    flags.compare.min_effect = value_of("--min-effect", parse_share, flags.min_effect);
    return run_compare(flags.compare, std::cout, std::cerr);
  }
  if (show->parsed()) return run_show(flags.show, std::cout, std::cerr);
  if (project->parsed()) return run_project(flags.project, std::cout, std::cerr);
  if (gate->parsed()) {
    interpret_gate(flags);
    return run_gate(flags.gate, std::cout, std::cerr);
  }
  interpret(app, flags);
  if (flags.tune) return run_tune(flags.options, std::cout, std::cerr);
  if (flags.list) return list_cases(flags.options, std::cout, std::cerr);
  if (flags.list_variants) return list_variants(flags.options, std::cout);
  if (flags.list_devices) return list_devices(flags.options, std::cout);
  if (flags.options.worker) return run_worker(flags.options);
  return run_bench(flags.options, std::cout, std::cerr);
}

// The first Ctrl-C lets the case at hand finish and the report be written; the second ends at once.
void on_interrupt(int) {
  if (interrupted()) std::_Exit(kExitInterrupted);
  interrupt();
}

}  // namespace

int main(int argc, char** argv) {
  rotor::start_process();
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  try {
    rotor::end_process(run_program(argc, argv));
  } catch (const rotor::Error& error) {
    std::cerr << "rotor-bench: " << error.what() << "\n";
    rotor::end_process(error.exit_code());
  } catch (const std::bad_alloc&) {
    std::cerr << "rotor-bench: out of memory: end other programs, raise the limit (ulimit -v), or "
                 "--filter fewer cases\n";
    rotor::end_process(rotor::kExitInfrastructure);
  } catch (const std::exception& error) {
    std::cerr << "rotor-bench: " << error.what() << "\n";
    rotor::end_process(rotor::kExitInfrastructure);
  }
}
