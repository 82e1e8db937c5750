# Writes build_info.h: version, commit, compiler. Rewritten only when it changes.
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE rc)
if(NOT rc EQUAL 0)
  set(commit "unknown")
endif()
execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no
  OUTPUT_VARIABLE dirty ERROR_QUIET)
if(dirty STREQUAL "")
  set(dirty false)
else()
  set(dirty true)
endif()
file(WRITE ${OUT}.new "#pragma once
namespace rotor::build {
inline constexpr char kVersion[] = \"${VERSION}\";
inline constexpr char kCommit[] = \"${commit}\";
inline constexpr bool kDirty = ${dirty};
inline constexpr char kCompiler[] = \"${COMPILER}\";
inline constexpr char kType[] = \"${TYPE}\";
inline constexpr char kFlags[] = \"${FLAGS}\";
}  // namespace rotor::build
")
execute_process(COMMAND ${CMAKE_COMMAND} -E copy_if_different ${OUT}.new ${OUT})
