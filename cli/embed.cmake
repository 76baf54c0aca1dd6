# Makes files into C arrays: cmake -DOUTPUT=x.c -DBASH=… -DZSH=… -DFISH=… -P embed.cmake
set(code "#include \"completions.h\"\n")
foreach(shell IN ITEMS bash zsh fish)
  string(TOUPPER "${shell}" variable)
  file(READ "${${variable}}" bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n"
         bytes "${bytes}")
  string(APPEND code
         "\nconst unsigned char completion_${shell}[] = {\n${bytes}\n};\n"
         "const size_t completion_${shell}_size = sizeof completion_${shell};\n")
endforeach()
file(WRITE "${OUTPUT}" "${code}")
