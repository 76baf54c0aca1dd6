#!/bin/bash
# test.sh BUILD - installs BUILD with DESTDIR, moves the tree to where it belongs, and uses it
# from outside: by pkg-config, by find_package, from C and C++, shared and static.
set -uo pipefail
build=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix="$work/a prefix"
passed=0 failed=0 skipped=0
version=$(sed -n 's/^#define SFT_VERSION_STRING "\(.*\)"/\1/p' include/sft/base.h)

# check NAME COMMAND... - one case; its output is shown only if it fails.
check() {
  local name=$1
  shift
  if "$@" >"$work/output" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "failed: $name"
    sed 's/^/    /' "$work/output"
  fi
}

skip() {
  skipped=$((skipped + 1))
  echo "skipped: $1"
}

has() {
  command -v "$1" >/dev/null
}

stage() {
  DESTDIR="$work/stage" cmake --install "$build" --prefix /opt/sft && mv "$work/stage/opt/sft" "$prefix"
}

files_are_there() {
  local file
  for file in include/sft.h include/sft/base.h include/sft/reader.h; do
    [ -f "$prefix/$file" ] || { echo "missing: $file" && return 1; }
  done
  [ -f "$lib/libsft.a" ] && [ -f "$lib/libsft.so" ] && [ -f "$lib/pkgconfig/libsft.pc" ]
}

manual_is_there() {
  local page
  for page in man/*.[135]; do
    [ -f "$prefix/share/man/man${page##*.}/${page##*/}" ] || { echo "missing: $page" && return 1; }
  done
}

completions_are_there() {
  [ -f "$prefix/share/bash-completion/completions/sft" ] &&
    [ -f "$prefix/share/zsh/site-functions/_sft" ] &&
    [ -f "$prefix/share/fish/vendor_completions.d/sft.fish" ]
}

command_runs() {
  [ "$("$prefix/bin/sft" --version | grep -c "$version")" -ge 1 ]
}

soname_is() {
  readelf -d "$lib/libsft.so" | grep -q 'soname: \[libsft.so.0\]'
}

# Nothing but sft_ is exported, and something is.
exports_only_sft() {
  nm -D --defined-only --format=posix "$lib/libsft.so" | awk '$1 !~ /^sft_/ {print; bad = 1}
    END {exit bad || NR < 50}'
}

# A program that links the archive must not meet other names either.
archive_has_only_sft() {
  (cd "$lib" && nm -g --defined-only --format=posix libsft.a) | awk 'NF > 1 && $1 !~ /^sft_/ {print; bad = 1}
    END {exit bad || NR < 50}'
}

# All that the headers promise is exported, and nothing else.
exports_match_headers() {
  grep -ohE '\bsft_[a-z0-9_]+\(' "$prefix"/include/sft/*.h | tr -d '(' | sort -u >"$work/named"
  grep -hA3 '^SFT_API' "$prefix"/include/sft/*.h | grep -oE '\bsft_[a-z0-9_]+\(' | tr -d '(' |
    sort -u >"$work/declared"
  nm -D --defined-only --format=posix "$lib/libsft.so" | cut -d ' ' -f 1 | sort -u >"$work/exported"
  diff "$work/declared" "$work/exported" && [ -z "$(comm -13 "$work/named" "$work/exported")" ]
}

# headers COMPILER... - each header alone is a whole program's start.
headers() {
  local header
  (cd "$prefix/include" && find . -name '*.h') | while read -r header; do
    echo "#include <${header#./}>" |
      "$@" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$prefix/include" - || exit 1
  done
}

prints_version() {
  [ "$(LD_LIBRARY_PATH=$lib "$1")" = "$version 0" ]
}

by_pkg_config() {
  local flags=()
  export PKG_CONFIG_PATH="$lib/pkgconfig"
  pkg-config --exact-version="$version" libsft || return 1
  # pkg-config quotes the space in the prefix for a shell, which eval is.
  eval "flags=($(pkg-config --cflags --libs libsft))"
  ${CC:-cc} "$here/outside/main.c" -o "$work/pc_shared" "${flags[@]}" || return 1
  eval "flags=($(pkg-config --cflags --libs --static libsft))"
  ${CC:-cc} -static "$here/outside/main.c" -o "$work/pc_static" "${flags[@]}" || return 1
  prints_version "$work/pc_shared" && prints_version "$work/pc_static" &&
    readelf -d "$work/pc_shared" | grep -q libsft.so.0 &&
    ! readelf -d "$work/pc_static" | grep -q libsft.so.0
}

by_find_package() {
  local program
  cmake -S "$here/outside" -B "$work/outside" "-DCMAKE_PREFIX_PATH=$prefix" &&
    cmake --build "$work/outside" || return 1
  for program in c_shared c_static cpp_shared cpp_static; do
    prints_version "$work/outside/$program" || return 1
  done
  readelf -d "$work/outside/c_shared" | grep -q libsft.so.0 &&
    ! readelf -d "$work/outside/cpp_static" | grep -q libsft.so.0
}

# The library and the command without readers of other formats, and so without zlib.
without_checkpoints() {
  local build=$work/without command=OFF
  [ ! -x "$prefix/bin/sft" ] || command=ON
  cmake -S . -B "$build" -DSFT_CHECKPOINTS=OFF -DSFT_WERROR=ON "-DSFT_BUILD_COMMAND=$command" &&
    cmake --build "$build" --parallel "${JOBS:-2}" &&
    ! readelf -d "$build/libsft.so" | grep -q 'libz\.so' &&
    diff <(nm -D --defined-only --format=posix "$lib/libsft.so" | cut -d ' ' -f 1) \
      <(nm -D --defined-only --format=posix "$build/libsft.so" | cut -d ' ' -f 1) || return 1
  [ "$command" = OFF ] || says_so "$build/sft"
}

says_so() {
  local code=0
  "$1" scan CMakeLists.txt || code=$?
  [ "$code" -eq 3 ] && "$1" check tests/files/good/data-nan.safetensors
}

check 'install with DESTDIR' stage
lib=$(dirname "$(find "$prefix" -name libsft.a)")
check 'libraries and headers' files_are_there
check 'man pages' manual_is_there
if [ -x "$prefix/bin/sft" ]; then
  check 'the command' command_runs
  check 'completions' completions_are_there
else
  skip 'the command and its completions: not part of this build'
fi
if has nm && has readelf; then
  check 'soname' soname_is
  check 'only sft_ is exported' exports_only_sft
  check 'only sft_ is global in the archive' archive_has_only_sft
  check 'exported is what the headers declare' exports_match_headers
  check 'the same without readers of other formats' without_checkpoints
else
  skip 'symbols: no nm or readelf (Debian: binutils)'
fi
for compiler in gcc clang; do
  if has "$compiler"; then
    check "headers as C11, $compiler" headers "$compiler" -std=c11 -x c
  else
    skip "headers as C11: no $compiler"
  fi
done
for compiler in g++ clang++; do
  if has "$compiler"; then
    check "headers as C++17, $compiler" headers "$compiler" -std=c++17 -x c++
  else
    skip "headers as C++17: no $compiler"
  fi
done
if has pkg-config; then
  check 'a program by pkg-config' by_pkg_config
else
  skip 'a program by pkg-config: no pkg-config'
fi
if has c++; then
  check 'programs by find_package' by_find_package
else
  skip 'programs by find_package: no C++ compiler (Debian: g++)'
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
