// The `rotor` program: reads flags, runs a command, turns errors into one line and an exit code.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <new>
#include <random>

#include "build_info.h"
#include "core/end_process.h"
#include "core/error.h"
#include "core/start_process.h"
#include "core/written.h"
#include "model/commands.h"

namespace {

using namespace rotor;

constexpr const char* kExitCodes =
    "Exit codes: 0 all is well, 2 a check failed, 4 a device failed, 64 usage, 65 bad or missing\n"
    "input, 69 not available on this machine, 73 an output could not be written, 130 interrupted";

// An unset variable of a shell is not the wish for the default.
std::string not_empty(const std::string& text) {
  return text.empty() ? "is empty" : "";
}

// CLI11 takes -1 for the largest number.
std::string not_negative(const std::string& text) {
  return text.starts_with('-') ? text + " is not a whole number from 0" : "";
}

// One line that rewrites itself, on a terminal only.
std::function<void(double)> terminal_progress(const std::string& what) {
  if (isatty(STDERR_FILENO) == 0) return {};
  return [=, shown = -1](double share) mutable {
    const int percent = static_cast<int>(share * 100);
    if (percent == shown) return;
    shown = percent;
    std::cerr << "\r\033[K";
    if (percent < 100) std::cerr << what << " " << percent << " %";
    std::cerr << std::flush;
  };
}

// The same, and Ctrl-C ends what is watched.
std::function<void(double)> until_interrupted(std::function<void(double)> progress) {
  return [progress = std::move(progress)](double share) {
    stop_if_interrupted();
    if (progress) progress(share);
  };
}

// The line of terminal_progress may still be there.
void tell_error(const char* what) {
  std::cerr << (isatty(STDERR_FILENO) != 0 ? "\r\033[K" : "") << "rotor: " << what << "\n";
}

// Flags that every command with a model has.
struct SessionFlags {
  SessionOptions options;
  std::string features;
  std::string kv = "f32";
  std::string head{head_format_name(HeadFormat::Auto)};

  void add_to(CLI::App& app) {
    app.add_option("--model", options.model,
                   "folder with a checkpoint, or synthetic:PRESET/SEED; default: the demo model")
        ->check(not_empty);
    options.device = "auto";
    app.add_option(
           "--device", options.device,
           "cpu, vulkan, opencl:1 or part of a name; auto: the best GPU that passes a quick "
           "self-check, else the CPU")
        ->capture_default_str();
    app.add_option("--threads", options.device_options.threads, "CPU threads; 0 is one per core")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
    app.add_option("--features", features,
                   "use these CPU features only, e.g. baseline or avx2 or avx2,avx512");
    app.add_option("--kernel", options.kernels, "prefer kernel variants with this in their name")
        ->allow_extra_args(false);
    app.add_option("--tune-file", options.tuning.file,
                   "tuning record of rotor-bench --tune; default: ROTOR_TUNING, else "
                   "rotor/tuning.json in the folder for caches");
    app.add_flag("--tuned,!--no-tuned", options.tuning.use,
                 "use a tuning record where there is one of this device (default)");
    app.add_option("--chunk", options.chunk,
                   "tokens of a prompt processed at a time; 0: what suits the device")
        ->check(CLI::Range(0, 4096))
        ->capture_default_str();
    app.add_option(
           "--head", head,
           "format of the embedding and head: stored, f32, f16, bf16, int8, bits6; exact: stored, "
           "behind a pass over int8 that finds the rows that matter; auto: exact on a CPU for "
           "greedy "
           "and top-k, else stored")
        ->capture_default_str();
    app.add_option("--kv", kv, "format of the KV cache: f32, f16 or int8")->capture_default_str();
  }

  SessionOptions read(bool given_features) {
    options.head = head_format(head);
    if (given_features) options.device_options.feature_mask = parse_features(features);
    options.tell = [](const std::string& line) { std::cerr << "device     " << line << "\n"; };
    options.progress = until_interrupted(terminal_progress("loading"));
    return options;
  }
};

// Flags of the commands that choose tokens.
struct SamplingFlags {
  SamplingOptions options = {.temperature = 0.6f, .top_p = 0.9f};
  bool greedy = false;
  CLI::Option* seed = nullptr;

  void add_to(CLI::App& app) {
    app.add_flag("--greedy", greedy, "always the most likely token");
    app.add_option("--temperature", options.temperature, "0 is greedy")->capture_default_str();
    app.add_option("--top-k", options.top_k, "keep the k most likely tokens; 0: all")
        ->capture_default_str();
    app.add_option("--top-p", options.top_p, "keep the most likely tokens of this mass")
        ->capture_default_str();
    app.add_option("--min-p", options.min_p, "drop tokens below this share of the best")
        ->capture_default_str();
    app.add_option("--repetition-penalty", options.repetition_penalty, "above 1: repeat less")
        ->capture_default_str();
    app.add_option("--no-repeat-ngram", options.no_repeat_ngram, "never repeat n tokens; 0: may")
        ->capture_default_str();
    seed = app.add_option("--seed", options.seed, "of the sampler; default: random")
               ->check(not_negative);
  }

  SamplingOptions read() {
    if (greedy) options.temperature = 0;
    if (seed->count() == 0 && options.temperature > 0) {
      options.seed = std::random_device{}();
      std::cerr << "seed       " << options.seed << "\n";
    }
    return options;
  }
};

void add_generate(CLI::App& app, SessionFlags& flags, std::function<int()>& run) {
  auto command = std::make_shared<GenerateCommand>();
  auto sampling = std::make_shared<SamplingFlags>();
  CLI::App* sub = app.add_subcommand("generate", "continue a text");
  flags.add_to(*sub);
  CLI::Option* prompt = sub->add_option("prompt", command->prompt, "the text to continue");
  CLI::Option* file =
      sub->add_option("--prompt-file", command->prompt_file, "or a file that holds it; - is stdin")
          ->excludes(prompt);
  sub->add_option("--max-tokens", command->max_tokens, "length of the answer")
      ->capture_default_str();
  sub->add_option("--stop", command->stop_strings, "end before this text; repeatable")
      ->allow_extra_args(false);
  sub->add_option("--n", command->samples,
                  "texts to generate; --seed counts up from one to the next")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  sub->add_option("--context", command->context, "positions of the KV cache; 0: as many as needed");
  sampling->add_to(*sub);
  sub->add_flag("--no-cache", command->no_cache, "compute the whole text again for every token");
  CLI::Option* ids =
      sub->add_flag("--ids", command->ids,
                    "print token ids instead of text; a model without tokenizer takes them, too");
  sub->add_flag("--json", command->json, "print one JSON document: ids, text, times, memory")
      ->excludes(ids);
  sub->callback([=, &flags, &run] {
    if (prompt->count() + file->count() == 0) {
      throw UsageError("generate needs a text to continue, or --prompt-file FILE");
    }
    run = [=, &flags] {
      command->sampling = sampling->read();
      command->session = flags.read(sub->count("--features") != 0);
      command->session.top = Sampler(command->sampling).logits_needed();
      command->kv = kv_format(flags.kv);
      return run_generate(*command, std::cout, std::cerr);
    };
  });
}

void add_chat(CLI::App& app, SessionFlags& flags, std::function<int()>& run) {
  auto command = std::make_shared<ChatCommand>();
  auto sampling = std::make_shared<SamplingFlags>();
  CLI::App* sub = app.add_subcommand("chat", "talk with the model, line by line");
  flags.add_to(*sub);
  sub->add_option("--system", command->system, "system message");
  sub->add_option("--max-tokens", command->max_tokens, "longest answer")->capture_default_str();
  sub->add_option("--context", command->context, "positions of the KV cache; 0: all of the model");
  sub->add_option("--stop", command->stop_strings, "end answers before this text; repeatable")
      ->allow_extra_args(false);
  sub->add_option("--answer-prompt", command->answer_prompt, "what asks for an answer")
      ->capture_default_str();
  sampling->add_to(*sub);
  sub->callback([=, &flags, &run] {
    run = [=, &flags] {
      command->sampling = sampling->read();
      command->session = flags.read(sub->count("--features") != 0);
      command->session.top = Sampler(command->sampling).logits_needed();
      command->kv = kv_format(flags.kv);
      command->interactive = isatty(STDIN_FILENO) != 0;
      return run_chat(*command, std::cin, std::cout, std::cerr);
    };
  });
}

void add_score(CLI::App& app, SessionFlags& flags, std::function<int()>& run) {
  auto command = std::make_shared<ScoreCommand>();
  CLI::App* sub = app.add_subcommand("score", "how likely a text is to the model");
  flags.add_to(*sub);
  sub->add_option("--ids", command->ids_file, "token ids: a JSON array or numbers; - is stdin")
      ->type_name("FILE");
  sub->add_option("--text", command->text_file, "a text (BOS is put in front); - is stdin")
      ->type_name("FILE");
  CLI::Option* json =
      sub->add_option("--json", command->json_file, "write the scores as JSON; - is stdout")
          ->type_name("FILE");
  sub->add_flag("--logits", command->logits, "with all logits of the last position in the JSON")
      ->needs(json);
  sub->add_flag("--no-cache", command->no_cache, "compute the whole text again for every token");
  sub->callback([=, &flags, &run] {
    run = [=, &flags] {
      command->session = flags.read(sub->count("--features") != 0);
      command->kv = kv_format(flags.kv);
      return run_score(*command, std::cout, std::cerr);
    };
  });
}

void add_tokenize(CLI::App& app, std::function<int()>& run) {
  auto command = std::make_shared<TokenizeCommand>();
  CLI::App* sub = app.add_subcommand("tokenize", "text on stdin to token ids, or back");
  sub->add_option("--model", command->model, "folder with a tokenizer.json; default: the demo")
      ->check(not_empty);
  sub->add_flag("--special", command->special, "parse (or show) special tokens");
  sub->add_flag("--bos", command->bos, "put the begin-of-text token in front");
  sub->add_flag("--decode", command->decode, "ids to text");
  sub->callback([=, &run] { run = [=] { return run_tokenize(*command, std::cin, std::cout); }; });
}

void add_inspect(CLI::App& app, std::function<int()>& run) {
  auto command = std::make_shared<InspectCommand>();
  CLI::App* sub =
      app.add_subcommand("inspect", "what a checkpoint is, needs, and whether it is sound");
  sub->add_option("model", command->model, "folder, GGUF file or synthetic:PRESET/SEED")
      ->required()
      ->check(not_empty);
  sub->add_option("--context", command->context, "positions of the memory table; default: all");
  sub->add_flag("--run", command->options.run,
                "also run 2B4T on the prompts whose results are published");
  sub->add_flag("--json", command->json, "as JSON");
  sub->callback([=, &run] {
    run = [=] {
      command->options.progress = until_interrupted(terminal_progress("reading"));
      return run_inspect(*command, std::cout);
    };
  });
}

void add_convert(CLI::App& app, std::function<int()>& run) {
  auto command = std::make_shared<ConvertCommand>();
  CLI::App* sub = app.add_subcommand("convert", "write a checkpoint in another format");
  sub->add_option("in", command->in, "folder, GGUF file or synthetic:PRESET/SEED")
      ->required()
      ->check(not_empty);
  sub->add_option("out", command->out, "a name that ends in .gguf, or a folder")
      ->required()
      ->check(not_empty);
  sub->add_option("--to", command->to,
                  "packed (safetensors), i2_s, tq2_0 or tq1_0 (GGUF); default: by the name of OUT");
  sub->add_option("--embedding", command->embedding,
                  "f32, f16 or bf16, in GGUF also q8_0, q6_k or q4_0; default: f16 in GGUF, "
                  "unchanged in safetensors");
  sub->add_option("--arch", command->architecture,
                  "architecture key of a GGUF file; default: bitnet-b1.58 with i2_s, for "
                  "bitnet.cpp, else bitnet, for llama.cpp");
  sub->callback([=, &run] {
    run = [=] {
      command->progress = terminal_progress("writing");
      return run_convert(*command, std::cerr);
    };
  });
}

// What CLI11 found wrong, as one line; an unknown flag gets the nearest known one.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  std::string message = error.what();
  const CLI::App* at = &app;
  for (const CLI::App* sub : app.get_subcommands()) at = sub;
  if (at == &app) {
    message = "name a command:";
    for (const CLI::App* sub : app.get_subcommands({})) message += " " + sub->get_name();
    message += "; see --help";
  }
  for (const std::string& word : at->remaining(true)) {
    std::vector<std::string> known;
    for (const CLI::Option* option : at->get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
    for (const CLI::App* sub : at->get_subcommands({})) known.push_back(sub->get_name());
    message = "unknown argument '" + word + "'";
    const std::string suggestion = nearest(word.substr(0, word.find('=')), known);
    if (!suggestion.empty()) message += "; did you mean " + suggestion + "?";
    break;
  }
  return message;
}

std::string version() {
  return std::string(build::kVersion) + " (" + build::kCommit + (build::kDirty ? ", changed" : "") +
         ", " + build::kCompiler + ", " + build::kType + ")";
}

int run_program(int argc, char** argv) {
  CLI::App app{"rotor: BitNet b1.58 models on small machines"};
  app.footer(kExitCodes);
  app.set_version_flag("--version", "rotor " + version());
  app.require_subcommand(1);
  std::function<int()> run;
  SessionFlags generate_flags;
  SessionFlags chat_flags;
  SessionFlags score_flags;
  add_generate(app, generate_flags, run);
  add_chat(app, chat_flags, run);
  add_score(app, score_flags, run);
  add_tokenize(app, run);
  add_inspect(app, run);
  add_convert(app, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked);
    check_written(std::cout, "the help");
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    throw UsageError(usage_message(app, error));
  }
  return run();
}

}  // namespace

int main(int argc, char** argv) {
  rotor::start_process();
  // Not std::signal: reading a line from the terminal must end when Ctrl-C comes.
  struct sigaction action = {};
  action.sa_handler = [](int) { rotor::interrupt(); };
  sigaction(SIGINT, &action, nullptr);
  try {
    rotor::end_process(run_program(argc, argv));
  } catch (const rotor::Error& error) {
    tell_error(error.what());
    rotor::end_process(error.exit_code());
  } catch (const std::bad_alloc&) {
    tell_error(
        "out of memory: end other programs, raise ulimit -v, or use a smaller model or --context");
    rotor::end_process(rotor::kExitInfrastructure);
  } catch (const std::exception& error) {
    tell_error(error.what());
    rotor::end_process(rotor::kExitInfrastructure);
  }
}
