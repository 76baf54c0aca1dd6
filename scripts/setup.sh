#!/bin/bash
# setup.sh GROUP... - makes the machine ready for targets of the Makefile.
#
# Installs, with apt, the Debian packages whose tools are missing, and makes the Python
# environments under build/venv that are missing or out of date. With everything present it
# prints nothing and uses no network.
set -euo pipefail
cd "$(dirname "$0")/.."
log=$PWD/build/setup.log

# What a group needs: "package probe" lines. A probe is a command, a pattern for an absolute
# path, py:MODULE for a module of the system's Python, or py.h for its headers. A line "venv NAME"
# asks for build/venv/NAME with what tests/requirements-NAME.txt lists, and "ours NAME" for our own
# Python package in it.
group() {
  case $1 in
  build)
    cat <<'END'
gcc gcc
libc6-dev /usr/include/stdio.h
make make
cmake cmake
pkg-config pkg-config
libssl-dev /usr/include/openssl/evp.h
zlib1g-dev /usr/include/zlib.h
END
    ;;
  demo)
    group package
    cat <<'END'
g++ g++
venv demo
ours demo
END
    ;;
  python)
    cat <<'END'
python3 python3
python3-venv py:ensurepip
END
    ;;
  package) # what it takes to build the Python package
    group build
    group python
    cat <<'END'
python3-dev py.h
venv tools
END
    ;;
  core) # the environment of the tests in Python that need NumPy alone
    group package
    echo 'venv core'
    ;;
  base) # the environment of the tests in Python: every framework, the peer, and our own package
    group package
    cat <<'END'
venv peer
venv python
ours python
END
    ;;
  tensorflow | paddle | mlx)
    group base
    echo "venv $1"
    echo "ours $1"
    ;;
  everything) # what it takes to compile every file of the project
    group package
    cat <<'END'
g++ g++
clang clang
libcmocka-dev /usr/include/cmocka.h
libjansson-dev /usr/include/jansson.h
END
    ;;
  scanners) # the scanners that ours is compared with
    group build
    group python
    echo 'venv scanners'
    ;;
  test)
    group everything
    cat <<'END'
libclang-rt-14-dev /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.asan*.a
llvm llvm-symbolizer
valgrind valgrind
libc6-dbg /usr/lib/debug/.build-id
strace strace
fish fish
zsh zsh
venv demo
ours demo
END
    group core
    group base
    echo 'venv checkpoints'
    ;;
  fuzz)
    group everything
    cat <<'END'
libclang-rt-14-dev /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer*.a
llvm llvm-symbolizer
END
    ;;
  lint)
    group everything
    cat <<'END'
clang-format clang-format
clang-tidy clang-tidy
cppcheck cppcheck
shellcheck shellcheck
mandoc mandoc
venv lint
ours core
END
    group core
    ;;
  bench)
    group base
    cat <<'END'
g++ g++
rapidjson-dev /usr/include/rapidjson/document.h
venv bench
venv scanners
END
    ;;
  foreign)
    group build
    cat <<'END'
qemu-user qemu-s390x
gcc-s390x-linux-gnu s390x-linux-gnu-gcc
libc6-dev-s390x-cross /usr/s390x-linux-gnu/include/stdio.h
gcc-i686-linux-gnu i686-linux-gnu-gcc
libc6-dev-i386-cross /usr/i686-linux-gnu/include/stdio.h
END
    ;;
  *)
    echo "setup: no such group: $1" >&2
    return 1
    ;;
  esac
}

is_there() {
  case $1 in
  /*) compgen -G "$1" >/dev/null ;;
  py:*) python3 -c "import ${1#py:}" 2>/dev/null ;;
  py.h) [ -f "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] ;;
  *) command -v "$1" >/dev/null ;;
  esac
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "setup: needs root or sudo to install: $*" >&2
    return 1
  fi
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >>"$log" 2>&1
}

install_packages() {
  echo "setup: installing from Debian: $*"
  if ! command -v apt-get >/dev/null; then
    echo "setup: no apt-get here: install what these Debian packages hold, then run again" >&2
    return 1
  fi
  mkdir -p build
  # A fresh machine has no package lists, an old one may have outdated lists.
  if ! apt install --yes --no-install-recommends "$@"; then
    if ! { apt update; apt install --yes --no-install-recommends "$@"; }; then
      tail -n 20 "$log" >&2
      echo "setup: apt-get could not install these packages; the whole log is $log" >&2
      return 1
    fi
  fi
}

# Libraries of other machines go to build/foreign, not into the system, whose packages they would
# have to agree with in every version. The C libraries come with the cross compilers.
install_foreign() {
  local architecture folder package
  local packages=(libcmocka-dev libcmocka0 libjansson-dev libjansson4 zlib1g-dev)
  for architecture in s390x i386; do
    folder=build/foreign/$architecture
    [ "$(cat "$folder/stamp" 2>/dev/null)" = "${packages[*]}" ] && continue
    echo "setup: unpacking from Debian for $architecture: ${packages[*]}"
    rm -rf "$folder"
    mkdir -p "$folder"
    if ! dpkg --print-foreign-architectures | grep -qx "$architecture"; then
      as_root dpkg --add-architecture "$architecture"
      # Not every list is needed: the download tells whether something lacks.
      apt update || true
    fi
    for package in "${packages[@]}"; do
      if ! (cd "$folder" && apt-get -qq download "$package:$architecture" &&
        dpkg -x "$package"_*.deb .) >>"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "setup: apt-get could not download $package:$architecture" >&2
        return 1
      fi
    done
    echo "${packages[*]}" >"$folder/stamp"
  done
}

# A first line "# over: BASE" in the requirements asks for an environment that sees all packages of
# build/venv/BASE behind its own, so that large ones are installed once.
base_of() {
  sed -n '1s/^# over: //p' "tests/requirements-$1.txt"
}

# What an environment is made from: when this changes, it is made anew.
recipe() {
  local base
  python3 -VV
  cat "tests/requirements-$1.txt"
  base=$(base_of "$1")
  if [ -n "$base" ]; then
    cat "tests/requirements-$base.txt"
  fi
}

purelib() {
  "build/venv/$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
}

fill_venv() {
  local name=$1 requirements=tests/requirements-$1.txt base pip=(-m pip)
  base=$(base_of "$name")
  if [ -n "$base" ]; then
    python3 -m venv --without-pip "build/venv/$name" || return
    purelib "$base" >"$(purelib "$name")/base.pth" || return
    pip+=(--python "build/venv/$name/bin/python")
  else
    python3 -m venv "build/venv/$name" || return
  fi
  if grep -q '^[^#]' "$requirements"; then
    # Upgrading: what the environment below has need not be the newest.
    "build/venv/${base:-$name}/bin/python" "${pip[@]}" install -q --upgrade -r "$requirements"
  fi
}

make_venv() {
  local venv=build/venv/$1 requirements=tests/requirements-$1.txt
  if [ "$(recipe "$1")" = "$(cat "$venv/stamp" 2>/dev/null)" ]; then
    return 0
  fi
  if grep -q '^[^#]' "$requirements"; then
    echo "setup: installing from PyPI into $venv: $(grep -v '^#' "$requirements" | tr '\n' ' ')"
  fi
  rm -rf "$venv"
  mkdir -p build/venv
  if ! fill_venv "$1" >>"$log" 2>&1; then
    tail -n 20 "$log" | cut -c 1-500 >&2
    echo "setup: pip could not install $requirements; the whole log is $log" >&2
    return 1
  fi
  recipe "$1" >"$venv/stamp"
}

packages=()
venvs=()
ours=()
for name in "$@"; do
  wanted=$(group "$name")
  while read -r package probe; do
    if [ "$package" = venv ]; then
      venvs+=("$probe")
    elif [ "$package" = ours ]; then
      ours+=("$probe")
    elif ! is_there "$probe" && [[ " ${packages[*]-} " != *" $package "* ]]; then
      packages+=("$package")
    fi
  done <<<"$wanted"
done
if [ ${#packages[@]} -gt 0 ]; then
  install_packages "${packages[@]}"
fi
for name in "$@"; do
  if [ "$name" = foreign ]; then
    install_foreign
  fi
done
for venv in ${venvs[@]+"${venvs[@]}"}; do
  make_venv "$venv"
done
for venv in ${ours[@]+"${ours[@]}"}; do
  scripts/package.sh install "$venv"
done
