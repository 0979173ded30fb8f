# How a room of the house becomes a target: libraries, tests, and the schema.

# syncline_library(<room>
#   HEADERS <public headers...>     installed as include/syncline/<room>/...
#   SOURCES <sources...>            private headers may stand here too
#   LINKS <targets...>              what the public headers need
#   PRIVATE_LINKS <targets...>      what only the sources need
#   UMBRELLA                        <room>.h is also offered as <syncline/<room>.h>
#   FACADE <header>)                so is this one, told from the root, instead
#
# Makes syncline_<room>, alias syncline::<room>. File names are relative to the
# room; the include base is the root, so "crdt/dot.h" reads alike everywhere.
# Without sources the room is header-only.
function(syncline_library room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "UMBRELLA" "FACADE" "HEADERS;SOURCES;LINKS;PRIVATE_LINKS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "syncline_library(${room}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(target syncline_${room})
  if(arg_SOURCES)
    set(scope PUBLIC)
    add_library(${target} ${arg_SOURCES})
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE_LINKS})
    set_target_properties(${target} PROPERTIES
      VERSION ${PROJECT_VERSION}
      SOVERSION ${PROJECT_VERSION_MAJOR}
      # Installed, a library finds the ones it builds upon beside it.
      INSTALL_RPATH "$ORIGIN")
    syncline_private_flags(${target})
  else()
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  add_library(syncline::${room} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${room})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_link_libraries(${target} ${scope} ${arg_LINKS})
  target_sources(${target} ${scope}
    FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}" FILES ${arg_HEADERS})

  set(umbrella_set)
  if(arg_UMBRELLA)
    set(arg_FACADE "${room}/${room}.h")
  endif()
  if(arg_FACADE)
    # <syncline/net.h> and not <net/net.h>: glibc owns a folder net/ of headers.
    set(forwarders "${PROJECT_BINARY_DIR}/include")
    file(CONFIGURE OUTPUT "${forwarders}/syncline/${room}.h"
      CONTENT "// Everything that syncline::@room@ offers.\n#pragma once\n#include \"@arg_FACADE@\"\n" @ONLY)
    target_sources(${target} ${scope}
      FILE_SET umbrella TYPE HEADERS BASE_DIRS "${forwarders}" FILES "${forwarders}/syncline/${room}.h")
    set(umbrella_set FILE_SET umbrella DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  endif()
  if(SYNCLINE_INSTALL)
    install(TARGETS ${target} EXPORT synclineTargets
      FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/syncline
      ${umbrella_set}
      INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} ${CMAKE_INSTALL_INCLUDEDIR}/syncline)
  endif()
endfunction()

# syncline_schema(<room> <file.capnp>): generates C++ from a Cap'n Proto schema
# into the build tree and adds it to the room, which includes it as
# "<room>/<file.capnp>.h". Generated code is not held to our warnings.
function(syncline_schema room schema)
  find_program(SYNCLINE_CAPNP capnp)
  find_program(SYNCLINE_CAPNPC_CXX capnpc-c++)
  mark_as_advanced(SYNCLINE_CAPNP SYNCLINE_CAPNPC_CXX)
  if(NOT SYNCLINE_CAPNP OR NOT SYNCLINE_CAPNPC_CXX)
    message(FATAL_ERROR "syncline needs the capnp compiler (Debian: apt-get install capnproto)")
  endif()
  set(generated "${PROJECT_BINARY_DIR}/generated")
  set(source "${generated}/${room}/${schema}.c++")
  set(header "${generated}/${room}/${schema}.h")
  file(MAKE_DIRECTORY "${generated}/${room}")
  add_custom_command(
    OUTPUT "${source}" "${header}"
    COMMAND "${SYNCLINE_CAPNP}" compile "-o${SYNCLINE_CAPNPC_CXX}:${generated}"
            "--src-prefix=${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}/${schema}"
    DEPENDS "${schema}"
    COMMENT "Generating ${room}/${schema}.h"
    VERBATIM)
  set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS "-w")
  target_sources(syncline_${room} PRIVATE "${source}" "${header}")
  target_include_directories(syncline_${room} SYSTEM PRIVATE "${generated}")
endfunction()

# syncline_test(<name>
#   SOURCES <sources...>  LINKS <targets...>
#   LABELS <labels...>    slow: not run under sanitizers
#   TIMEOUT <seconds>     300 unless told; a timeout is a failure. The longest begin first
#   SHARDS <n>            so many tests <name>, <name>.2, <name>.3..., which share its cases and may run at once
#   DEEP, SOAK)           also runs under `make deep`, `make soak`
#
# Makes one GoogleTest program and one test of it. Tests whose number of runs
# can be chosen read SYNCLINE_TEST_SCALE: small, full (also when unset), deep,
# soak.
function(syncline_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "DEEP;SOAK" "TIMEOUT;SHARDS" "SOURCES;LINKS;LABELS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "syncline_test(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gmock GTest::gtest_main)
  syncline_private_flags(${name})
  # Optimising what a test runs once costs more than it saves, and most under sanitizers.
  if(SYNCLINE_TEST_OPTIONS AND NOT arg_DEEP)
    target_compile_options(${name} PRIVATE ${SYNCLINE_TEST_OPTIONS})
  endif()
  if(arg_SHARDS)
    foreach(shard RANGE 1 ${arg_SHARDS})
      math(EXPR index "${shard} - 1")
      set(test ${name}.${shard})
      if(shard EQUAL 1)
        set(test ${name})
      endif()
      add_test(NAME ${test} COMMAND ${name})
      set_tests_properties(${test} PROPERTIES
        TIMEOUT ${arg_TIMEOUT} COST ${arg_TIMEOUT} LABELS "${arg_LABELS}"
        ENVIRONMENT "GTEST_TOTAL_SHARDS=${arg_SHARDS};GTEST_SHARD_INDEX=${index}")
    endforeach()
  else()
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES
      TIMEOUT ${arg_TIMEOUT} COST ${arg_TIMEOUT} LABELS "${arg_LABELS}")
  endif()
  foreach(scale IN ITEMS deep soak)
    string(TOUPPER ${scale} option)
    if(arg_${option})
      # Only `ctest -C <scale>` sees it; hours are in order here.
      add_test(NAME ${name}.${scale} COMMAND ${name} CONFIGURATIONS ${scale})
      set_tests_properties(${name}.${scale} PROPERTIES
        LABELS ${scale} TIMEOUT 86400 ENVIRONMENT SYNCLINE_TEST_SCALE=${scale})
    endif()
  endforeach()
endfunction()
