# SFT_HAVE_JANSSON: whether programs for the target machine can be linked with jansson 2.14.
include(CheckSymbolExists)
set(CMAKE_REQUIRED_LIBRARIES jansson)
check_symbol_exists(json_object_getn jansson.h SFT_HAVE_JANSSON)
unset(CMAKE_REQUIRED_LIBRARIES)
