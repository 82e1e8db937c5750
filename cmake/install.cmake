# `cmake --install BUILD --prefix FOLDER`, and a tarball by `cpack` in the build folder: a folder that
# may lie anywhere. The programs look for the OpenCL module in ../lib/rotor and for the demo model in
# ../share/rotor, seen from themselves.
install(TARGETS rotor RUNTIME DESTINATION bin)
if(ROTOR_BENCH)
  set_target_properties(rotor-bench PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
  install(TARGETS rotor-bench RUNTIME DESTINATION bin)
  install(IMPORTED_RUNTIME_ARTIFACTS benchmark::benchmark LIBRARY DESTINATION lib)
endif()
if(ROTOR_OPENCL)
  install(TARGETS rotor_opencl LIBRARY DESTINATION lib/rotor)
endif()
install(DIRECTORY model/demo reports/reference DESTINATION share/rotor)
install(FILES README.md DESTINATION share/doc/rotor)
# The terms of what is inside the programs or installed beside them: Chart.js, Google Benchmark.
foreach(package libjs-chart.js libbenchmark1debian)
  if(EXISTS /usr/share/doc/${package}/copyright)
    install(FILES /usr/share/doc/${package}/copyright DESTINATION share/doc/rotor/licences
      RENAME ${package})
  endif()
endforeach()
set(CPACK_GENERATOR TGZ)
set(CPACK_SYSTEM_NAME ${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_STRIP_FILES ON)
include(CPack)
