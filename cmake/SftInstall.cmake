# Install rules: libraries, headers, pkg-config file, CMake package, man pages, completions.
include(CMakePackageConfigHelpers)

set(sft_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/sft")
install(
  TARGETS sft_static sft_shared
  EXPORT sftTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.h")

install(EXPORT sftTargets NAMESPACE sft:: DESTINATION "${sft_package_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/sftConfig.cmake.in" sftConfig.cmake
                              INSTALL_DESTINATION "${sft_package_dir}")
# Before 1.0 a minor version may change the API.
write_basic_package_version_file(sftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/sftConfig.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/sftConfigVersion.cmake"
        DESTINATION "${sft_package_dir}")

# The prefix is stated relative to the .pc file, so that a tree may be moved after its installation.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(sft_pc_prefix "${CMAKE_INSTALL_PREFIX}")
  set(sft_pc_libdir "${CMAKE_INSTALL_LIBDIR}")
else()
  file(RELATIVE_PATH sft_pc_up "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
  string(REGEX REPLACE "/$" "" sft_pc_up "${sft_pc_up}")
  set(sft_pc_prefix "\${pcfiledir}/${sft_pc_up}")
  set(sft_pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(sft_pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
else()
  set(sft_pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
if(sft_needs_zlib)
  set(sft_pc_requires_private "zlib")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/libsft.pc.in" libsft.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/libsft.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

foreach(section IN ITEMS 1 3 5)
  file(GLOB pages CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/man/*.${section}")
  if(pages)
    install(FILES ${pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
  endif()
endforeach()

if(TARGET sft_command)
  install(TARGETS sft_command RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  set(sft_completions "${PROJECT_SOURCE_DIR}/cli/completions")
  install(FILES "${sft_completions}/sft.bash" RENAME sft
          DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
  install(FILES "${sft_completions}/_sft"
          DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
  install(FILES "${sft_completions}/sft.fish"
          DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
endif()
