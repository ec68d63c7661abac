# Four functions, so that every CMakeLists.txt below reads as a list of names.

set(PEAL_WARNINGS -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
    -Wcast-qual -Wundef -Wvla)

# peal_library(NAME [SOURCES...] [LINK libs...]): one rung of the ladder. Headers are found from common/
# only ("util/buf.h"), so that every include line shows its rung.
function(peal_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/common)
  target_compile_options(${name} PRIVATE ${PEAL_WARNINGS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
endfunction()

# peal_program(NAME SOURCES... LINK libs...)
function(peal_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${PEAL_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
endfunction()

# peal_test(NAME SOURCES... LINK libs...): a cmocka program run by ctest.
function(peal_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  peal_program(${name} SOURCES ${ARG_SOURCES} LINK ${ARG_LINK} PkgConfig::CMOCKA)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/tests)
  add_test(NAME unit/${name} COMMAND ${name})
  set_tests_properties(unit/${name} PROPERTIES TIMEOUT 120 LABELS unit)
endfunction()

# peal_fuzz(NAME SOURCES... LINK libs...): a libFuzzer target. With PEAL_FUZZ=ON (clang) it fuzzes; else it is
# linked with a replayer and ctest runs its corpus and past crashes.
function(peal_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  if(PEAL_FUZZ)
    peal_program(fuzz_${name} SOURCES ${ARG_SOURCES} LINK ${ARG_LINK})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    peal_program(fuzz_${name} SOURCES ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c LINK ${ARG_LINK})
    add_test(NAME fuzz/${name}
             COMMAND fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name}
                     ${PROJECT_SOURCE_DIR}/tests/fuzz/regression/${name})
    set_tests_properties(fuzz/${name} PROPERTIES TIMEOUT 120 LABELS fuzz)
  endif()
endfunction()
