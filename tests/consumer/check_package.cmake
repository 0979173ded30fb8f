# Installs, moves the installed tree, and uses it as a stranger would: by
# find_package and by pkg-config. Any failing step fails the test.
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${SCRATCH}")
run("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${SCRATCH}/installed")
# A package that remembers where it was installed breaks here.
set(prefix "${SCRATCH}/moved")
file(RENAME "${SCRATCH}/installed" "${prefix}")
# A copy, so that no relative path leads back into the tree.
file(COPY "${SOURCES}/" DESTINATION "${SCRATCH}/source")

run("${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${SCRATCH}/source" -B "${SCRATCH}/build"
    "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_PREFIX_PATH=${prefix}" "-DPROGRAMS=${PROGRAMS}")
run("${CMAKE_COMMAND}" --build "${SCRATCH}/build")
string(REPLACE "," ";" programs "${PROGRAMS}")
foreach(program IN LISTS programs)
  run("${SCRATCH}/build/${program}")
endforeach()

set(ENV{PKG_CONFIG_PATH} "${prefix}/${LIBDIR}/pkgconfig")
foreach(program IN LISTS programs)
  set(module syncline)
  if(program STREQUAL "under_faults")
    set(module syncline-sim)
  endif()
  execute_process(COMMAND pkg-config --cflags --libs ${module}
    OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  run("${CXX}" -std=c++20 "${SCRATCH}/source/${program}.cc" -o "${SCRATCH}/${program}" ${flags}
      "-Wl,-rpath,${prefix}/${LIBDIR}")
  run("${SCRATCH}/${program}")
endforeach()
