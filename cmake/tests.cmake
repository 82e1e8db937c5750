# One test program per folder, made of its `*_test.cpp`. A folder's tests may use everything that
# the folder links.
include(GoogleTest)
function(rotor_tests folder)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*_test.cpp ${folder}/${ROTOR_ARCH}/*_test.cpp)
  list(FILTER sources EXCLUDE REGEX "/(${ROTOR_ABSENT})_")
  if(NOT sources)
    return()
  endif()
  add_executable(${folder}_tests ${sources})
  target_compile_options(${folder}_tests PRIVATE ${ROTOR_WARNINGS})
  target_compile_definitions(${folder}_tests PRIVATE ROTOR_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${folder}_tests PRIVATE rotor_${folder} GTest::gmock GTest::gtest_main rotor_sanitized ${ARGN})
  gtest_discover_tests(${folder}_tests TEST_PREFIX ${folder}. DISCOVERY_TIMEOUT 60)
endfunction()
rotor_tests(core)
rotor_tests(kernels)
rotor_tests(runtime $<TARGET_NAME_IF_EXISTS:rotor_volk>)
if(ROTOR_OPENCL)
  # Calls of the OpenCL module go to the test program, which can make them fail.
  target_link_options(runtime_tests PRIVATE LINKER:--export-dynamic-symbol=clFinish
    LINKER:--export-dynamic-symbol=clCreateBuffer LINKER:--export-dynamic-symbol=clBuildProgram)
endif()
rotor_tests(model nlohmann_json::nlohmann_json)
rotor_tests(verify nlohmann_json::nlohmann_json)
rotor_tests(reports nlohmann_json::nlohmann_json)
if(ROTOR_BENCH)
  rotor_tests(bench nlohmann_json::nlohmann_json)
  # Exit codes and reports are tested on the program itself.
  target_compile_definitions(bench_tests PRIVATE ROTOR_BENCH_PROGRAM="$<TARGET_FILE:rotor-bench>")
  add_dependencies(bench_tests rotor-bench)
endif()
# A second, independent validator agrees on what the repository holds.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  file(GLOB documents CONFIGURE_DEPENDS reports/reference/*.json reports/examples/*.json)
  add_test(NAME reports.independent_validator
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/validate_report.py ${documents})
endif()
