# install(): the CMake package, and a relocatable syncline.pc.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/syncline)

install(EXPORT synclineTargets NAMESPACE syncline:: DESTINATION ${package_dir})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/synclineConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
configure_package_config_file(cmake/synclineConfig.cmake.in "${PROJECT_BINARY_DIR}/synclineConfig.cmake"
  INSTALL_DESTINATION ${package_dir})
install(FILES
    "${PROJECT_BINARY_DIR}/synclineConfig.cmake"
    "${PROJECT_BINARY_DIR}/synclineConfigVersion.cmake"
    cmake/SynclineDependencies.cmake
  DESTINATION ${package_dir})

# Users one step up first: a static link resolves from left to right. Rooms
# without sources have no library file.
set(SYNCLINE_PC_LIBS)
foreach(room IN ITEMS net store sync wire crdt)
  get_target_property(type syncline_${room} TYPE)
  if(NOT type STREQUAL "INTERFACE_LIBRARY")
    string(APPEND SYNCLINE_PC_LIBS " -lsyncline_${room}")
  endif()
endforeach()
# A shared library names what it needs itself; static ones leave it to the user.
set(dependencies "capnp, kj, libxxhash, libzstd, absl_btree, absl_flat_hash_map, fmt, libuv, sqlite3")
if(BUILD_SHARED_LIBS)
  set(SYNCLINE_PC_REQUIRES "Requires.private: ${dependencies}")
else()
  set(SYNCLINE_PC_REQUIRES "Requires: ${dependencies}")
endif()
file(RELATIVE_PATH SYNCLINE_PC_PREFIX
  "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
configure_file(cmake/syncline.pc.in "${PROJECT_BINARY_DIR}/syncline.pc" @ONLY)
configure_file(cmake/syncline-sim.pc.in "${PROJECT_BINARY_DIR}/syncline-sim.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/syncline.pc" "${PROJECT_BINARY_DIR}/syncline-sim.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
