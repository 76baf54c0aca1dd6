# Warnings, hardening and sanitizers: the flags of every target of this project.
include(CheckCCompilerFlag)

foreach(flag IN ITEMS stack-protector-strong stack-clash-protection cf-protection)
  check_c_compiler_flag(-f${flag} SFT_HAS_${flag})
endforeach()

# Flags that compile one of our targets, in C or C++.
function(sft_add_flags target)
  target_compile_options(
    ${target}
    PRIVATE -Wall -Wextra -Wconversion -Wshadow -Wpedantic
            $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
            $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
            $<$<BOOL:${SFT_WERROR}>:-Werror>)
  if(SFT_SANITIZE)
    string(REPLACE ";" "," sanitizers "${SFT_SANITIZE}")
    target_compile_options(${target} PRIVATE -fsanitize=${sanitizers} -fno-sanitize-recover=all
                                             -fno-omit-frame-pointer -g)
  else()
    # FORTIFY_SOURCE hides accesses from the sanitizers and needs an optimizing build.
    target_compile_options(${target} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
                                             $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
    foreach(flag IN ITEMS stack-protector-strong stack-clash-protection cf-protection)
      if(SFT_HAS_${flag})
        target_compile_options(${target} PRIVATE -f${flag})
      endif()
    endforeach()
  endif()
  if(SFT_BUILD_FUZZERS)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# Flags that link one of our libraries or programs.
function(sft_add_link_flags target)
  if(SFT_SANITIZE)
    string(REPLACE ";" "," sanitizers "${SFT_SANITIZE}")
    target_link_options(${target} PUBLIC $<BUILD_INTERFACE:-fsanitize=${sanitizers}>)
  elseif(UNIX AND NOT APPLE)
    target_link_options(${target} PRIVATE LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
  endif()
endfunction()

# sft_add_program(name source...) - a program with our flags, linked with the static library.
function(sft_add_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE sft_static Threads::Threads)
  target_compile_definitions(${name} PRIVATE _FILE_OFFSET_BITS=64)
  sft_add_flags(${name})
  sft_add_link_flags(${name})
endfunction()
