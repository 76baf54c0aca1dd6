#!/bin/bash
# package.sh wheel [DIR]   makes dist/safetensors-VERSION-….whl, with libsft inside
# package.sh sdist [DIR]   makes dist/safetensors-VERSION.tar.gz, with the sources of libsft
# package.sh install NAME  puts the package into build/venv/NAME, afresh if its sources changed
# package.sh unpack DIR [OPTION=VALUE...]  puts it into the folder DIR, built with these options
#
# The build tools come from build/venv/tools (scripts/setup.sh), so none of it needs a network.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$PWD/build/venv/tools/bin/python
sources=(CMakeLists.txt cmake include src cli python/CMakeLists.txt python/pyproject.toml
  python/README.md python/ext python/src)

# quietly LOG COMMAND... - shows what the command printed only if it fails.
quietly() {
  local log=$1
  shift
  if ! "$@" >"$log" 2>&1; then
    grep -E -A 8 'error:|CMake Error|undefined reference' "$log" | head -n 60 || tail -n 40 "$log"
    echo "package: that failed; the whole log is $log" >&2
    return 1
  fi
}

# One line that changes with any source, with the interpreter, and with the compiler's flags.
state() {
  "$python" -VV
  printf '%s\n' "${CC-} ${CFLAGS-}"
  find "${sources[@]}" -type f ! -name '*.pyc' ! -path '*/.*' -print0 | sort -z | xargs -0 sha256sum
}

# build KIND FROM TO OPTION... - makes a wheel or an sdist of the folder FROM in the folder TO.
build() {
  local kind=$1 from=$2 to=$3
  shift 3
  mkdir -p build/python
  quietly "build/python/$kind.log" "$python" -m build --no-isolation --skip-dependency-check \
    "--$kind" --outdir "$to" "$@" "$from"
}

wheel() {
  build wheel python "$1" "--config-setting=build-dir=$PWD/build/python/{wheel_tag}" "${@:2}"
}

# The folder of an sdist: python/ with the library in libsft/, where the version is read from then.
stage() {
  mkdir -p "$1/libsft"
  cp -RL python/CMakeLists.txt python/README.md python/LICENSE python/ext python/src "$1"
  cp -R CMakeLists.txt LICENSE cmake include src cli "$1/libsft"
  sed 's|"\.\./include/|"libsft/include/|' python/pyproject.toml >"$1/pyproject.toml"
  find "$1" -name __pycache__ -prune -exec rm -rf {} +
}

sdist() {
  rm -rf build/python/sdist
  stage build/python/sdist
  build sdist build/python/sdist "$1"
  rm -rf build/python/sdist
}

install() {
  local venv=build/venv/$1 site now
  now=$(state | sha256sum)
  site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
  if [ "$(cat "$venv/package" 2>/dev/null)" = "$now" ]; then
    return
  fi
  if [ "$(cat build/python/wheel/state 2>/dev/null)" != "$now" ]; then
    rm -rf build/python/wheel
    wheel build/python/wheel --config-setting=cmake.define.SFT_WERROR=ON
    echo "$now" >build/python/wheel/state
  fi
  rm -rf "$site/safetensors" "$site"/safetensors-*.dist-info
  quietly build/python/install.log "$python" -m pip --python "$venv/bin/python" install \
    --no-deps --no-index --ignore-installed build/python/wheel/*.whl
  echo "$now" >"$venv/package"
}

# Each folder has its own build, which is kept there, so that only what changed is compiled.
unpack() {
  local to=$1 option options=()
  for option in "${@:2}"; do
    options+=("--config-setting=$option")
  done
  rm -rf "$to/wheel" "$to/safetensors" "$to"/safetensors-*.dist-info
  build wheel python "$to/wheel" "--config-setting=build-dir=$PWD/$to/build" "${options[@]}"
  "$python" -m zipfile --extract "$to"/wheel/*.whl "$to"
  # pip keeps what the archive says of this, zipfile does not.
  chmod +x "$to/safetensors/bin/sft"
}

case ${1-} in
wheel | sdist)
  "$1" "${2-dist}"
  sed -n "s|^Successfully built |${2-dist}/|p" "build/python/$1.log"
  ;;
install) install "$2" ;;
unpack) unpack "${@:2}" ;;
*)
  sed -n '2,5s/^# //p' "$0" >&2
  exit 64
  ;;
esac
