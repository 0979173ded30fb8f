# The libraries that Syncline's targets link, each as an imported target
# syncline_dep::<name>. Used by the build and, installed beside it, by
# synclineConfig.cmake, so that both find the same things in the same way.
#
# pkg-config finds them all: libuv has no CMake package, and Cap'n Proto's one
# fails in projects that don't enable C.
find_package(PkgConfig QUIET)
if(NOT PkgConfig_FOUND)
  message(FATAL_ERROR "syncline needs pkg-config (Debian: apt-get install pkg-config)")
endif()

# syncline_find(<name> <Debian package> <pkg-config modules...>)
macro(syncline_find name package)
  if(NOT TARGET syncline_dep::${name})
    pkg_check_modules(SYNCLINE_${name} QUIET IMPORTED_TARGET ${ARGN})
    if(NOT SYNCLINE_${name}_FOUND)
      message(FATAL_ERROR "syncline needs ${ARGN}, unknown to pkg-config (Debian: apt-get install ${package})")
    endif()
    add_library(syncline_dep::${name} INTERFACE IMPORTED)
    target_link_libraries(syncline_dep::${name} INTERFACE PkgConfig::SYNCLINE_${name})
  endif()
endmacro()

syncline_find(capnp libcapnp-dev capnp kj)
syncline_find(xxhash libxxhash-dev libxxhash)
syncline_find(zstd libzstd-dev libzstd)
syncline_find(absl libabsl-dev absl_btree absl_flat_hash_map)
syncline_find(fmt libfmt-dev fmt)
syncline_find(uv libuv1-dev libuv)
syncline_find(sqlite libsqlite3-dev sqlite3)

# A header of its own, without a .pc file; it is part of our public API.
if(NOT TARGET syncline_dep::expected)
  find_path(SYNCLINE_EXPECTED_INCLUDE_DIR tl/expected.hpp)
  mark_as_advanced(SYNCLINE_EXPECTED_INCLUDE_DIR)
  if(NOT SYNCLINE_EXPECTED_INCLUDE_DIR)
    message(FATAL_ERROR "syncline needs tl/expected.hpp (Debian: apt-get install libexpected-dev)")
  endif()
  add_library(syncline_dep::expected INTERFACE IMPORTED)
  target_include_directories(syncline_dep::expected SYSTEM INTERFACE "${SYNCLINE_EXPECTED_INCLUDE_DIR}")
endif()
