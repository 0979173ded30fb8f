# syncline_private_flags(<target>): warnings and hardening for our own code.
# Nothing here reaches who links us, and nothing is set for a whole directory.
include(CheckCXXCompilerFlag)
include(CheckLinkerFlag)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

set(SYNCLINE_WARNINGS
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wformat=2 -Wimplicit-fallthrough
    -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wdouble-promotion -Wextra-semi -Wundef
    # Designated initialisers that leave the rest at its default are our way to pass options.
    -Wno-missing-field-initializers)

# Those of the flags that the compiler (or linker) takes without a word, in `out`.
function(syncline_probe_flags out kind)
  set(CMAKE_REQUIRED_QUIET ON)
  set(CMAKE_REQUIRED_FLAGS -Werror)
  set(known)
  foreach(flag IN LISTS ARGN)
    string(MAKE_C_IDENTIFIER "SYNCLINE_HAS${flag}" variable)
    if(kind STREQUAL "COMPILER")
      check_cxx_compiler_flag("${flag}" ${variable})
    else()
      check_linker_flag(CXX "${flag}" ${variable})
    endif()
    if(${variable})
      list(APPEND known "${flag}")
    endif()
  endforeach()
  set(${out} "${known}" PARENT_SCOPE)
endfunction()

set(SYNCLINE_HARDENING_COMPILE_FLAGS)
set(SYNCLINE_HARDENING_LINK_FLAGS)
if(SYNCLINE_HARDENING)
  # After the OpenSSF guide for C and C++. Left out: -z nodlopen, for language
  # bindings load the library at run time.
  syncline_probe_flags(SYNCLINE_HARDENING_COMPILE_FLAGS COMPILER
    -fstrict-flex-arrays=3 -fstack-clash-protection -fstack-protector-strong -fcf-protection=full
    -mbranch-protection=standard -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing
    -ftrivial-auto-var-init=zero -Werror=format-security -Wtrampolines -Wbidi-chars=any)
  syncline_probe_flags(SYNCLINE_HARDENING_LINK_FLAGS LINKER
    -Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now -Wl,--as-needed -Wl,--no-copy-dt-needed-entries)
endif()

function(syncline_private_flags target)
  target_compile_options(${target} PRIVATE ${SYNCLINE_WARNINGS} ${SYNCLINE_HARDENING_COMPILE_FLAGS})
  if(SYNCLINE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(SYNCLINE_HARDENING)
    target_compile_definitions(${target} PRIVATE _GLIBCXX_ASSERTIONS)
    # The checked string functions need an optimising build.
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3>)
    target_link_options(${target} PRIVATE ${SYNCLINE_HARDENING_LINK_FLAGS})
  endif()
  set_target_properties(${target} PROPERTIES
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON
    CXX_EXTENSIONS OFF)
endfunction()
